//! What the service counts, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::task::{Counts, Status};

/// The upper bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0];

/// What the service counts itself; of tasks the store knows.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By route, method and status. Routes are ours and methods few, so a client cannot make it grow.
    requests: Mutex<BTreeMap<(String, &'static str, u16), Latency>>,
}

#[derive(Debug, Default)]
struct Latency {
    /// How many answers took at most as long as each bound; the last counts all.
    within: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    pub(super) fn observe(&self, route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = requests.entry((route.to_owned(), known(method), status.as_u16())).or_default();
        for (within, bound) in latency.within.iter_mut().zip(BUCKETS) {
            *within += u64::from(seconds <= bound);
        }
        latency.count += 1;
        latency.seconds += seconds;
    }

    pub(super) fn text(&self, counts: &Counts, analyzed_bytes: u64) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: &str| {
            _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        };
        let mut tasks = String::new();
        for (status, count) in Status::ALL.into_iter().zip(counts.tasks) {
            _ = writeln!(tasks, "bigkeys_tasks{{status=\"{}\"}} {count}", status.name());
        }
        family("bigkeys_tasks", "gauge", "Stored tasks by state.", &tasks);
        let age = Duration::from_millis(counts.queue_age_ms).as_secs_f64();
        let age = format!("bigkeys_queue_age_seconds {age}\n");
        family("bigkeys_queue_age_seconds", "gauge", "How long the oldest waiting task has waited.", &age);
        let bytes = format!("bigkeys_analyzed_bytes_total {analyzed_bytes}\n");
        family("bigkeys_analyzed_bytes_total", "counter", "Bytes of dumps read since the start.", &bytes);

        let name = "bigkeys_http_request_duration_seconds";
        let mut lines = String::new();
        for ((route, method, status), latency) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
            for (within, bound) in latency.within.iter().zip(BUCKETS) {
                _ = writeln!(lines, "{name}_bucket{{{labels},le=\"{bound}\"}} {within}");
            }
            let Latency { count, seconds, .. } = latency;
            _ = writeln!(lines, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            _ = write!(lines, "{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}\n");
        }
        family(name, "histogram", "How long answers took.", &lines);
        text
    }
}

/// A method's name; those that HTTP does not define are all one.
fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}
