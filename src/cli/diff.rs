//! `bigkeys diff`: what changed between two moments.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bigkeys::compare::{Difference, KeyQuestion, compare_keys};
use bigkeys::engine::report_all;
use bigkeys::forensics::Redaction;
use bigkeys::input::shown;
#[cfg(feature = "html")]
use bigkeys::output::html;
use bigkeys::output::{diff, folded};
use bigkeys::report::{Question, Report};
use bigkeys::{Dump, Error, ErrorKind, Progress};
use clap::builder::ValueHint;
use clap::{Args, ValueEnum};

use super::args::filter::FilterArgs;
use super::args::input::dump_path;
use super::args::memory::MemoryArgs;
use super::args::output::{self, OutputArgs, choose};
use super::args::redact::RedactArgs;
use super::args::run::ScanArgs;
use super::args::value::{bytes, from_to};
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::report_file::{read, redact};
#[cfg(feature = "html")]
use super::report_format::arguments;
use super::report_format::width;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys diff monday.rdb tuesday.rdb
  bigkeys diff monday.json tuesday.json --maxmemory 16G
  bigkeys diff monday.json tuesday.rdb -o change.json
  bigkeys diff --top 100 monday.rdb tuesday.rdb -o change.html
  bigkeys diff monday.rdb tuesday.rdb -o change.folded && flamegraph.pl change.folded

Of two dumps, keys are compared one by one as well: by what is in their
values, whatever the encodings and the order. Each dump is read several times
for that, so it must be a file.

Exit codes: 0 done, whatever differs, 1 a dump is damaged or refused, 2 could
not run, 130 Ctrl-C.";

/// Compare two dumps, two reports, or a report and a dump
///
/// Prints what changed in keys and memory by type, database and prefix, the change per day, and of two dumps the keys that
/// came, went, grew, shrank, or have another value, type or expiry.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArgs {
    /// The old dump, or its report as JSON; `-` is a report on standard input
    #[arg(value_name = "OLD", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    old: PathBuf,

    /// The new dump, or its report as JSON; `-` is a report on standard input
    #[arg(value_name = "NEW", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    new: PathBuf,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    memory: MemoryArgs,

    /// The format; by default by the ending of FILE, else a table
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<Format>,

    /// The limit of the server's memory: says when it is reached at this pace; K, M, G and T are powers of 1,024
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Output")]
    maxmemory: Option<u64>,

    /// The number of lines or keys in each list
    #[arg(long, value_name = "N", value_parser = from_to(1, 10_000), default_value = "20", help_heading = "Output")]
    top: u64,

    /// The bytes that end a prefix
    #[arg(long, value_name = "CHARACTERS", default_value = ":", help_heading = "Output")]
    separators: String,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,

    /// Keys that a pass holds
    #[arg(long, hide = true)]
    held_keys: Option<usize>,
}

/// The format of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// JSON, as schema/diff.schema.json describes it
    Json,
    /// One HTML file, which needs no network
    #[cfg(feature = "html")]
    Html,
    /// Memory by prefix on both sides, as differential flame graphs read it
    Folded,
}

impl output::Format for Format {
    const WHAT: &'static str = "a difference";
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        #[cfg(feature = "html")]
        ("html", Self::Html),
        #[cfg(feature = "html")]
        ("htm", Self::Html),
        ("folded", Self::Folded),
    ];
}

/// One of the two sides.
struct Side {
    report: Report,
    /// None if the report was read, not made.
    dump: Option<Dump>,
}

pub(super) fn run(args: &DiffArgs) -> Exit {
    let inputs = [args.old.clone(), args.new.clone()];
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &DiffArgs) -> Result<Exit, String> {
    let output = args.output.output.as_deref();
    let format = choose(args.format, output, Format::Table)?;
    let inputs = [args.old.as_path(), args.new.as_path()];
    if inputs == [Path::new("-"); 2] {
        return Err("standard input can be only one of the two".to_owned());
    }
    keep_inputs(inputs.into_iter(), output)?;
    let redaction = args.redact.redaction(&args.separators)?;
    let mut sink = Sink::open(output)?;
    let mut exit = Exit::Sound;
    let redaction = redaction.as_ref();
    let compared = watched(args.scan.when(), |progress| compare(args, format, redaction, &mut exit, progress));
    let Some((difference, old, new)) = compared? else { return Ok(exit) };
    let top = usize::try_from(args.top).unwrap_or(usize::MAX);
    let is_terminal = sink.is_terminal();
    let is_read = match format {
        Format::Table => sink.write_with(|to| diff::write(&difference, width(is_terminal), top, to))?,
        Format::Json => sink.write(&difference, is_terminal)?,
        #[cfg(feature = "html")]
        Format::Html => {
            let arguments = arguments(redaction.is_some());
            sink.write_with(|to| html::difference::write(&difference, &arguments, to))?
        }
        Format::Folded => sink.write_with(|to| folded::write_difference(&old, &new, to))?,
    };
    if is_read {
        sink.finish()?;
    }
    Ok(exit)
}

type Compared = Option<(Difference, Report, Report)>;

/// Compares both sides; nothing if one of them could not be read.
///
/// # Errors
/// The sentence that says why the program could not run.
fn compare(
    args: &DiffArgs,
    format: Format,
    redaction: Option<&Redaction>,
    exit: &mut Exit,
    progress: &Arc<Progress>,
) -> Result<Compared, String> {
    let mut sides = Vec::new();
    for path in [&args.old, &args.new] {
        match side(args, path, redaction, exit, progress)? {
            Some(side) if !progress.is_cancelled() => sides.push(side),
            _ => return Ok(None),
        }
    }
    let [old, new] = <[Side; 2]>::try_from(sides).map_err(|_| "two sides are needed".to_owned())?;
    let mut difference = Difference::of_reports(&old.report, &new.report, args.maxmemory)?;
    if difference.old.targets != difference.new.targets && !args.scan.quiet {
        let [old, new] = [&difference.old, &difference.new].map(|side| side.targets.join(", "));
        say(&format!(
            "the memory of the old side is that of {old}, of the new side that of {new}; --target compares alike"
        ));
    }
    if args.maxmemory.is_some() && difference.pace.is_none() {
        let why = "it is not known that the new side is later than the old one";
        return Err(format!("--maxmemory needs the change per day, but {why}"));
    }
    if let (Some(old), Some(new), false) = (&old.dump, &new.dump, format == Format::Folded) {
        let question = KeyQuestion {
            filter: args.filter.filter(),
            separators: args.separators.clone().into_bytes(),
            top: usize::try_from(args.top).unwrap_or(usize::MAX),
            target: args.memory.target,
            allocator: args.memory.allocator,
            held_max: args.held_keys.unwrap_or(0),
        };
        match compare_keys(old, new, &question, &args.scan.options(), progress) {
            // What is wrong with the dumps was told when their reports were made.
            Ok((mut keys, _)) => {
                if let Some(redaction) = redaction {
                    keys.map_names(&|name| redaction.name(name));
                }
                difference.keys = Some(keys);
            }
            Err(error) => {
                say(&redacted(&error.to_string(), redaction));
                *exit = (*exit).max(Exit::of(&error));
                return Ok(None);
            }
        }
        if progress.is_cancelled() {
            say("interrupted; nothing is printed");
            *exit = Exit::Interrupted;
            return Ok(None);
        }
    }
    Ok(Some((difference, old.report, new.report)))
}

/// A report that was read, or that of a dump; none if there is none.
///
/// # Errors
/// The sentence that says why the program could not run.
fn side(
    args: &DiffArgs,
    path: &Path,
    redaction: Option<&Redaction>,
    exit: &mut Exit,
    progress: &Arc<Progress>,
) -> Result<Option<Side>, String> {
    if path == Path::new("-") || is_json(path) {
        let named = |what: String| format!("{}: {what}", shown(path));
        let mut report = read(path, progress).map_err(named)?;
        // A side that was redacted alike may be compared with one that is redacted now.
        if report.redacted.as_deref() != redaction.map(Redaction::mark) {
            redact(&mut report, redaction).map_err(named)?;
        }
        return Ok(Some(Side { report, dump: None }));
    }
    let dump = Dump::from(path);
    let question = Question {
        top: 1,
        filter: args.filter.filter(),
        target: args.memory.target,
        allocator: args.memory.allocator,
        separators: args.separators.clone().into_bytes(),
        has_slots: false,
        ..Question::default()
    };
    match report_all(std::slice::from_ref(&dump), &question, &args.scan.options(), progress) {
        Ok((mut report, notes, errors)) => {
            *exit = (*exit).max(tell_redacted(&errors, &notes, args.scan.quiet, redaction));
            redact(&mut report, redaction)?;
            let is_refused = |error: &Error| matches!(error.cause, ErrorKind::Refused(_) | ErrorKind::Io { .. });
            let is_nothing = report.totals.keys == 0 && errors.iter().any(is_refused);
            Ok((!is_nothing).then_some(Side { report, dump: Some(dump) }))
        }
        Err(error) => {
            say(&redacted(&error.to_string(), redaction));
            *exit = (*exit).max(Exit::of(&error));
            Ok(None)
        }
    }
}

/// Whether a file begins as JSON does: no dump does.
fn is_json(path: &Path) -> bool {
    let mut first = [0; 64];
    let bytes = File::open(path).and_then(|mut file| file.read(&mut first)).unwrap_or(0);
    first.get(..bytes).unwrap_or_default().trim_ascii_start().starts_with(b"{")
}
