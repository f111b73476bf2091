//! `bigkeys analyze`: dumps in, tasks out.

use std::fs::Metadata;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use bigkeys::analysis::filter::{BIG_ELEMENTS, BIG_STRING_BYTES, Filter};
use bigkeys::task::{Task, Times};
use bigkeys::{Dump, Error, ErrorKind, Options, Progress, Question, Report, analyze_all};
use jiff::Timestamp;
use uuid::Uuid;

use super::args::{self, AnalyzeArgs, Format};
use super::output::Sink;
use super::{Exit, fail, progress, report, say};

pub(super) fn run(args: &AnalyzeArgs) -> Exit {
    let options = options(args);
    let (dumps, task_ids) = match dumps(args).and_then(|dumps| Ok((dumps, task_ids(args)?))) {
        Ok(found) => found,
        Err(sentence) => return fail(&sentence),
    };
    if args.largest && !matches!(args.format, Format::Report | Format::Table) {
        return fail("--largest is for the keys that a report lists: it goes with --format report or --format table");
    }
    if let Some(dump) = args.output.as_deref().and_then(|output| dumps.iter().find(|dump| is_same(&dump.path, output)))
    {
        return fail(&format!("{}: it is a dump to be read, so nothing is written to it", dump.path.display()));
    }
    if args.format.is_binary() && args.output.is_none() && std::io::stdout().is_terminal() {
        return fail(
            "Parquet and Arrow are no text for a terminal: name a file with -o, or lead standard output elsewhere",
        );
    }
    let mut sink = match Sink::open(args.output.as_deref()) {
        Ok(sink) => sink,
        Err(sentence) => return fail(&sentence),
    };
    let instance_id = args.instance_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let jobs: Vec<&[Dump]> = if args.per_file { dumps.chunks(1).collect() } else { vec![&dumps] };
    let is_pretty = !args.per_file && args.output.is_none() && std::io::stdout().is_terminal();

    if args.format != Format::Task {
        if args.per_file {
            return fail("--per-file is for tasks: make a report of each dump, and `bigkeys merge` makes one of them");
        }
        return report::analyze(args, &dumps, &options, sink);
    }
    let mut exit = Exit::Sound;
    for (job, task_id) in jobs.into_iter().zip(task_ids) {
        let (task, job_exit) = match analyze(args, job, &options, &instance_id, task_id) {
            Ok(done) => done,
            Err(error) => return fail(&error.to_string()),
        };
        exit = exit.max(job_exit);
        match sink.write(&task, is_pretty) {
            Ok(true) => {}
            Ok(false) => return exit,
            Err(sentence) => return fail(&sentence),
        }
    }
    match sink.finish() {
        Ok(()) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// Analyzes dumps as one task.
///
/// # Errors
/// The one that kept it from running, unless each dump has a task of its own: then that task fails.
fn analyze(
    args: &AnalyzeArgs,
    dumps: &[Dump],
    options: &Options,
    instance_id: &str,
    task_id: Uuid,
) -> Result<(Task, Exit), Error> {
    let now = || args.at.unwrap_or_else(Timestamp::now);
    let created_at = now();
    let progress = Arc::new(Progress::default());
    report::cancel_on_signal(&progress);
    let shown = progress::show(args.progress, args.quiet, &progress);
    let analyzed = analyze_all(dumps, options, &progress);
    drop(shown);
    let report = match analyzed {
        Err(error) if args.per_file => Report { damage: vec![error], ..Report::default() },
        analyzed => analyzed?,
    };
    let exit = tell(&report, args.quiet);
    let times = Times { created_at, started_at: created_at, finished_at: now() };
    Ok((Task::ended(task_id.to_string(), instance_id.to_owned(), times, report), exit))
}

/// Says on standard error what the task's JSON has no place for.
fn tell(report: &Report, is_quiet: bool) -> Exit {
    let exit = tell_damage(&report.damage, &report.notes, is_quiet);
    if report.keys_unlisted > 0 && !is_quiet {
        let (keys, are) = if report.keys_unlisted == 1 { ("key", "is") } else { ("keys", "are") };
        say(&format!(
            "{} {keys} of streams, modules or other newer types {are} left out; --all-types takes them in",
            report.keys_unlisted
        ));
    }
    exit
}

/// Says what was wrong with dumps, and what was noticed that is no damage.
pub(super) fn tell_damage(damage: &[Error], notes: &[String], is_quiet: bool) -> Exit {
    let mut exit = Exit::Sound;
    for error in damage {
        say(&error.to_string());
        exit = exit.max(match error.cause {
            ErrorKind::Cancelled { .. } => Exit::Interrupted,
            _ if error.is_about_dump() => Exit::Damaged,
            _ => Exit::CouldNotRun,
        });
    }
    for note in notes.iter().filter(|_| !is_quiet) {
        say(note);
    }
    exit
}

fn options(args: &AnalyzeArgs) -> Options {
    let (min_bytes, min_elements) = if args.big {
        (Some(BIG_STRING_BYTES + 1), Some(BIG_ELEMENTS + 1))
    } else {
        (args.min_bytes, args.min_elements)
    };
    let filter = Filter {
        databases: args.databases.clone(),
        kinds: args.kinds.clone(),
        patterns: args.globs.iter().chain(&args.regexes).cloned().collect(),
        min_bytes: min_bytes.unwrap_or(0),
        min_elements: min_elements.unwrap_or(0),
        expired: args.expired.into(),
        now_ms: args.now.map(Timestamp::as_millisecond),
    };
    let mut options = Options::default();
    options.question = Question { top: args.top, filter, all_kinds: args.all_types };
    options.verify = !args.no_verify;
    options.resync = args.resync;
    options.threads = args.threads.map_or(0, usize::from);
    options.segment_bytes = args.segment_bytes.unwrap_or(options.segment_bytes);
    options.window_bytes = args.window_bytes.unwrap_or(options.window_bytes);
    options
}

/// The dumps with their shards.
///
/// # Errors
/// A sentence if `--shard` does not fit the dumps.
fn dumps(args: &AnalyzeArgs) -> Result<Vec<Dump>, String> {
    let mut dumps: Vec<Dump> = args.dumps.iter().map(|path| dump(path)).collect();
    for dump in &mut dumps {
        dump.payload_key = args.payload.as_ref().map(|key| key.clone().into_bytes());
    }
    if args.shards.is_empty() {
        return Ok(dumps);
    }
    if args.shards.len() != dumps.len() {
        return Err(format!(
            "--shard is given {} times for {} dumps: give it once for each",
            args.shards.len(),
            dumps.len()
        ));
    }
    for (dump, shard) in dumps.iter_mut().zip(&args.shards) {
        if dump.shard.replace(shard.clone()).is_some() {
            return Err(format!("{} has its shard twice, in --shard and before its path", dump.path.display()));
        }
    }
    Ok(dumps)
}

/// `ip:port=PATH`, or a path alone.
pub(super) fn dump(argument: &Path) -> Dump {
    let split = argument.to_str().and_then(|text| text.split_once('='));
    match split {
        Some((shard, path)) if args::shard(shard).is_ok() => Dump { shard: Some(shard.to_owned()), ..Dump::from(path) },
        _ => Dump::from(argument),
    }
}

/// Whether two paths lead to one regular file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| path.metadata().ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()));
    id(one).is_some() && id(one) == id(other)
}

/// An ID for each task.
///
/// # Errors
/// A sentence if `--task-id` does not fit the number of tasks.
fn task_ids(args: &AnalyzeArgs) -> Result<Vec<Uuid>, String> {
    let tasks = if args.per_file { args.dumps.len() } else { 1 };
    match args.task_ids.len() {
        0 => Ok((0..tasks).map(|_| Uuid::new_v4()).collect()),
        ids if ids == tasks => Ok(args.task_ids.clone()),
        ids => Err(format!("--task-id is given {ids} times for {tasks} tasks: give it once for each")),
    }
}
