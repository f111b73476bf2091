//! `bigkeys analyze`: dumps in, tasks out.

use std::path::PathBuf;

use bigkeys::engine::Analyses;
use bigkeys::forensics::Redaction;
use bigkeys::task::{Task, Times};
use bigkeys::{Dump, Options, Question, Report, analyze_all};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::args::filter::FilterArgs;
use super::args::input::{ShardedDumpArgs, count, dump, times};
use super::args::output::{self, OutputArgs};
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::args::value::{number, time};
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys analyze /var/lib/redis/dump.rdb
  bigkeys analyze --big --all-types --match 'tenant:42:*' nightly.rdb.gz
  bigkeys analyze 10.0.0.1:6379=a.rdb 10.0.0.2:6379=b.rdb -o task.json
  bigkeys analyze --per-file -q backups/*.rdb > tasks.ndjson

Exit codes: 0 done, 1 a dump is damaged or refused (what was found before the
damage is printed), 2 could not run, 130 Ctrl-C.";

/// Print the biggest keys of dumps as a big key analysis task
///
/// Reads RDB dumps of Redis and Valkey, plain or compressed by gzip, zstd or LZ4, and prints one JSON object with the
/// biggest keys of each type in each database: strings by length, all others by number of elements. Several dumps,
/// such as the shards of a cluster, are one task.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AnalyzeArgs {
    #[command(flatten)]
    input: ShardedDumpArgs,

    /// How many keys of each type in each database
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = top, allow_negative_numbers = true, help_heading = "Filter")]
    top: usize,

    #[command(flatten)]
    filter: FilterArgs,

    /// Include streams, arrays, vector sets and module values
    #[arg(long, help_heading = "Filter")]
    all_types: bool,

    /// One task per dump, one line each, instead of one for all
    #[arg(long, help_heading = "Task")]
    per_file: bool,

    /// The ID of the instance, instead of a random one
    #[arg(long, value_name = "ID", help_heading = "Task")]
    instance_id: Option<String>,

    /// The ID of the task, instead of a random one; with --per-file once for each dump
    #[arg(long = "task-id", value_name = "UUID", help_heading = "Task")]
    task_ids: Vec<Uuid>,

    /// The time of the task, instead of the current time
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true, help_heading = "Task")]
    at: Option<Timestamp>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// The only format; the endings of others are refused.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
}

impl output::Format for Format {
    const WHAT: &'static str = "a task";
    const ENDINGS: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("ndjson", Self::Json), ("jsonl", Self::Json)];
}

pub(super) fn run(args: &AnalyzeArgs) -> Exit {
    let inputs: Vec<PathBuf> = args.input.dumps.iter().map(|argument| dump(argument).path).collect();
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &AnalyzeArgs) -> Result<Exit, String> {
    let dumps = args.input.dumps()?;
    let task_ids = task_ids(args, dumps.len())?;
    let mut options = args.scan.options();
    let filter = args.filter.filter_without_ages()?;
    options.question = Question { top: args.top, filter, all_kinds: args.all_types, ..Question::default() };
    let output = args.output.output.as_deref();
    let Format::Json = output::choose(None, output, Format::Json)?;
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    let mut sink = Sink::open(output)?;

    let instance_id = args.instance_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let (is_read, exit) = if args.per_file {
        write_each(args, &dumps, &options, &instance_id, &task_ids, redaction.as_ref(), &mut sink)?
    } else {
        let created_at = args.at.unwrap_or_else(Timestamp::now);
        let report = watched(args.scan.when(), |progress| analyze_all(&dumps, &options, progress));
        let report = report.map_err(|error| redacted(&error.to_string(), redaction.as_ref()))?;
        let task_id = task_ids.first().copied().unwrap_or_else(Uuid::new_v4);
        let (task, exit) = ended(args, report, created_at, &instance_id, task_id, redaction.as_ref());
        let is_pretty = sink.is_terminal();
        (sink.write(&task, is_pretty)?, exit)
    };
    // If nobody reads on, there is nothing to finish.
    if is_read {
        sink.finish()?;
    }
    Ok(exit)
}

/// Analyzes each dump as a task of its own and writes a line for each; false if nobody reads them any more.
///
/// # Errors
/// The sentence that says why the program could not run.
fn write_each(
    args: &AnalyzeArgs,
    dumps: &[Dump],
    options: &Options,
    instance_id: &str,
    task_ids: &[Uuid],
    redaction: Option<&Redaction>,
    sink: &mut Sink,
) -> Result<(bool, Exit), String> {
    let mut analyses = Analyses::new(dumps, options);
    let mut named = dumps.iter().zip(task_ids);
    let mut exit = Exit::Sound;
    while analyses.left() > 0 && exit != Exit::Interrupted {
        let created_at = args.at.unwrap_or_else(Timestamp::now);
        let (reports, is_interrupted) =
            watched(args.scan.when(), |progress| (analyses.analyze_next(progress), progress.is_cancelled()));
        let reports = reports.map_err(|error| error.to_string())?;
        for (report, (dump, task_id)) in reports.into_iter().zip(named.by_ref()) {
            // A dump that cannot be opened is a task that fails.
            let report = report.unwrap_or_else(|error| Report { damage: vec![error], ..Report::default() });
            let (task, task_exit) = ended(args, report, created_at, instance_id, *task_id, redaction);
            exit = exit.max(task_exit);
            if !sink.write(&NamedTask { task, dump: dump.path.display().to_string() }, false)? {
                return Ok((false, exit));
            }
        }
        if is_interrupted {
            exit = exit.max(Exit::Interrupted);
        }
    }
    Ok((true, exit))
}

/// A task of several, and the dump that it is about.
#[derive(Serialize)]
struct NamedTask {
    #[serde(flatten)]
    task: Task,
    dump: String,
}

/// The task that ends now with this report, and what its exit code is.
fn ended(
    args: &AnalyzeArgs,
    mut report: Report,
    created_at: Timestamp,
    instance_id: &str,
    task_id: Uuid,
    redaction: Option<&Redaction>,
) -> (Task, Exit) {
    let exit = tell(&report, args.scan.quiet, redaction);
    if let Some(redaction) = redaction {
        report.map_names(&|name| redaction.name(name));
    }
    let finished_at = args.at.unwrap_or_else(Timestamp::now);
    let times = Times { created_at, started_at: created_at, finished_at };
    (Task::ended(task_id.to_string(), instance_id.to_owned(), times, report), exit)
}

/// Says on standard error what the task's JSON has no place for.
fn tell(report: &Report, is_quiet: bool, redaction: Option<&Redaction>) -> Exit {
    let exit = tell_redacted(&report.damage, &report.notes, is_quiet, redaction);
    if report.keys_unlisted > 0 && !is_quiet {
        let (number, keys, them) =
            if report.keys_unlisted == 1 { (1, "key", "it") } else { (report.keys_unlisted, "keys", "them") };
        say(&format!(
            "skipped {number} {keys} of streams, modules and other newer types; use --all-types to include {them}"
        ));
    }
    exit
}

/// An ID for each task.
///
/// # Errors
/// A sentence if `--task-id` does not fit the number of tasks.
fn task_ids(args: &AnalyzeArgs, dumps: usize) -> Result<Vec<Uuid>, String> {
    let tasks = if args.per_file { dumps } else { 1 };
    match args.task_ids.len() {
        0 => Ok((0..tasks).map(|_| Uuid::new_v4()).collect()),
        ids if ids == tasks => Ok(args.task_ids.clone()),
        ids => {
            Err(format!("--task-id is given {} for {}; give it once for each task", times(ids), count(tasks, "task")))
        }
    }
}

fn top(text: &str) -> Result<usize, String> {
    number(text).map(|top| usize::try_from(top).unwrap_or(usize::MAX))
}
