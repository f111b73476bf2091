//! The service's numbers in the text format of Prometheus: what it counts, what the store knows, and what the system says of
//! the process.

use std::fmt::{Display, Write};
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use super::app::App;
use super::errors::ApiError;
use super::log;
use super::metrics::{BUCKETS, Latency, Results};
use crate::task::Status;

/// All numbers.
///
/// # Errors
/// What the store answers.
pub(super) fn text(app: &App) -> Result<String, ApiError> {
    let mut page = Page::default();
    page.one(
        "bigkeys_build_info",
        "gauge",
        "The version that runs.",
        &format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
        1,
    );
    tasks(&mut page, app)?;
    service(&mut page, app);
    requests(&mut page, app);
    process(&mut page, app);
    Ok(page.0)
}

/// The text, family by family.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, labels: &str, value: impl Display) {
        self.family(name, kind, help, [(labels, value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "gauge", help, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.one(name, "counter", help, "", value);
    }
}

fn tasks(page: &mut Page, app: &App) -> Result<(), ApiError> {
    let counts = app.store.counts()?;
    let by_status = Status::ALL.iter().zip(counts.tasks);
    let by_status = by_status.map(|(status, count)| (format!("{{status=\"{}\"}}", status.name()), count));
    page.family("bigkeys_tasks", "gauge", "Stored tasks by state.", by_status);
    let age = Duration::from_millis(counts.queue_age_ms).as_secs_f64();
    page.gauge("bigkeys_queue_age_seconds", "How long the oldest waiting task has waited.", age);
    let bytes = app.runner.analyzed_bytes();
    page.counter("bigkeys_analyzed_bytes_total", "Bytes of dumps read since the start.", bytes);

    // IDs of instances have no character that a label would have to escape.
    let tasks = app.metrics.tasks();
    let labels = |(instance, kind): &(String, &str)| format!("instance_id=\"{instance}\",kind=\"{kind}\"");
    let results = tasks.iter().flat_map(|(task, Results { succeeded, failed, .. })| {
        [("success", *succeeded), ("failed", *failed)]
            .map(|(result, count)| (format!("{{{},result=\"{result}\"}}", labels(task)), count))
    });
    page.family("bigkeys_task_results_total", "counter", "Tasks that ended since the start, by how.", results);
    let seconds = tasks.iter().map(|(task, results)| (format!("{{{}}}", labels(task)), results.seconds));
    page.family("bigkeys_task_duration_seconds_total", "counter", "How long they took.", seconds);
    let last = tasks.iter().filter_map(|(task, results)| {
        let seconds = Duration::from_millis(results.succeeded_at?.as_millisecond().try_into().ok()?).as_secs_f64();
        Some((format!("{{{}}}", labels(task)), seconds))
    });
    page.family(
        "bigkeys_last_success_timestamp_seconds",
        "gauge",
        "When a task succeeded last, in seconds since 1970.",
        last,
    );
    let dumps = app.metrics.dumps();
    let dumps = dumps.iter().map(|(instance, written_at)| {
        let seconds = written_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        (format!("{{instance_id=\"{instance}\"}}"), seconds)
    });
    let help =
        "When the newest dump was written, in seconds since 1970; of a cluster that of the node whose is the oldest.";
    page.family("bigkeys_newest_dump_timestamp_seconds", "gauge", help, dumps);
    Ok(())
}

fn service(page: &mut Page, app: &App) {
    page.gauge("bigkeys_workers_alive", "Threads that work on tasks.", app.health.workers_alive());
    page.gauge("bigkeys_ready", "Whether the service can do its work.", u8::from(app.health.readiness().is_ok()));
    page.gauge("bigkeys_store_free_bytes", "Room on the store's disk.", app.health.free_bytes());
    let (open, refused) = app.connections.counts();
    page.gauge("bigkeys_connections", "Open connections.", open);
    page.counter("bigkeys_connections_refused_total", "Connections too many from one address.", refused);
    page.counter("bigkeys_log_lines_dropped_total", "Log lines that could not be written.", log::dropped());
    let refusals = app.metrics.refusals();
    let refusals = refusals.iter().map(|(code, count)| (format!("{{code=\"{code}\"}}"), count));
    page.family("bigkeys_refusals_total", "counter", "Refused requests by the code of the refusal.", refusals);
}

fn requests(page: &mut Page, app: &App) {
    let name = "bigkeys_http_request_duration_seconds";
    page.family(name, "histogram", "How long answers took.", std::iter::empty::<(&str, u64)>());
    for ((route, method, status), latency) in app.metrics.requests() {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        let Latency { within, count, seconds } = latency;
        for (within, bound) in within.iter().zip(BUCKETS) {
            _ = writeln!(page.0, "{name}_bucket{{{labels},le=\"{bound}\"}} {within}");
        }
        _ = writeln!(page.0, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        _ = write!(page.0, "{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}\n");
    }
}

/// What Prometheus' own libraries say of a process, by the same names.
fn process(page: &mut Page, app: &App) {
    let seconds = |time: rustix::time::Timespec| {
        Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0)).as_secs_f64()
    };
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    page.counter("process_cpu_seconds_total", "Seconds of processors that the process has used.", seconds(cpu));
    let started_at =
        app.started_at.as_millisecond().try_into().map_or(0.0, |ms| Duration::from_millis(ms).as_secs_f64());
    page.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", started_at);
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        for (field, name, help) in [
            ("VmRSS:", "process_resident_memory_bytes", "Memory that is resident."),
            ("VmSize:", "process_virtual_memory_bytes", "Memory that is mapped, dumps that are read included."),
        ] {
            if let Some(kib) = kib(field) {
                page.gauge(name, help, kib << 10);
            }
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files.", files.count());
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        page.gauge("process_max_fds", "Files that may be open.", most);
    }
}
