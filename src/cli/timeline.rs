//! `bigkeys timeline`: everything that carries a time.

use std::io::{self, Write};
use std::sync::Arc;

use bigkeys::analysis::filter::Filter;
use bigkeys::engine::Exported;
use bigkeys::forensics::{Event, Moment, Redaction, redacted_event, timeline};
use bigkeys::input::shown;
use bigkeys::output::values::{EventText, L2T_HEADER};
use bigkeys::{Dump, Error, Progress};
use clap::{Args, ValueEnum};

use super::args::filter::FilterArgs;
use super::args::input::{DumpArgs, count};
use super::args::output::{self, OutputArgs};
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys timeline dump.rdb -o timeline.jsonl          for Timesketch
  bigkeys timeline --format l2tcsv dump.rdb -o timeline.csv
  bigkeys timeline --format body dump.rdb | mactime -b - -z UTC
  bigkeys timeline --entries --type stream dump.rdb

Events come in the order of the dump, not of time: the tools that read them
sort them.

Exit codes: 0 done, 1 a dump is damaged or refused, 2 could not run,
130 Ctrl-C.";

/// Print everything in a dump that carries a time
///
/// The dump's creation, unless a filter is given; when keys and fields expire and when keys were last used; stream IDs, deliveries,
/// and when consumers were seen.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TimelineArgs {
    #[command(flatten)]
    input: DumpArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// What to write; by default by the ending of FILE, else timesketch
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<Format>,

    /// Each entry of a stream, not only the first and the last
    #[arg(long, help_heading = "Output")]
    entries: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON lines for Timesketch
    Timesketch,
    /// The CSV of log2timeline
    L2tcsv,
    /// A body file for mactime, with whole seconds
    Body,
}

impl output::Format for Format {
    const WHAT: &'static str = "a timeline";
    const ENDINGS: &'static [(&'static str, Self)] =
        &[("jsonl", Self::Timesketch), ("ndjson", Self::Timesketch), ("csv", Self::L2tcsv), ("body", Self::Body)];
}

pub(super) fn run(args: &TimelineArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &TimelineArgs) -> Result<Exit, String> {
    let output = args.output.output.as_deref();
    let format = output::choose(args.format, output, Format::Timesketch)?;
    let filter = args.filter.filter_without_ages()?;
    let dumps = args.input.dumps()?;
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    let redaction = redaction.as_ref();
    let mut sink = Sink::open(output)?;
    let mut exit = Exit::Sound;
    if format == Format::L2tcsv && !sink.write_with(|to| to.write_all(L2T_HEADER.as_bytes()))? {
        return Ok(exit);
    }
    for dump in &dumps {
        let run = Run { args, format, filter: &filter, redaction, dump, name: shown(&dump.path) };
        let mut told = None;
        let is_read = watched(args.scan.when(), |progress| {
            sink.write_with(|to| {
                let (result, written) = run.write(to, progress);
                told = Some(result);
                written
            })
        })?;
        // Nobody reads on.
        if !is_read {
            return Ok(exit);
        }
        match told {
            Some(Ok((Exported { mut notes, errors, .. }, more))) => {
                notes.extend(more);
                exit = exit.max(tell_redacted(&errors, &notes, args.scan.quiet, redaction));
            }
            Some(Err(error)) => {
                say(&redacted(&error.to_string(), redaction));
                exit = exit.max(Exit::of(&error));
            }
            None => {}
        }
        if exit == Exit::Interrupted {
            break;
        }
    }
    sink.finish()?;
    Ok(exit)
}

/// The events of one dump.
struct Run<'r> {
    args: &'r TimelineArgs,
    format: Format,
    filter: &'r Filter,
    redaction: Option<&'r Redaction>,
    dump: &'r Dump,
    name: String,
}

/// What came of the scan, with notes of what is not among the events.
type Told = Result<(Exported, Vec<String>), Error>;

impl Run<'_> {
    fn write(&self, to: &mut (dyn Write + Send), progress: &Arc<Progress>) -> (Told, io::Result<()>) {
        let Self { args, filter, dump, name, .. } = self;
        let text = match self.format {
            Format::Timesketch => EventText::Timesketch,
            Format::L2tcsv => EventText::L2t,
            Format::Body => EventText::Body,
        };
        let mut written = Ok(());
        let (mut undated, mut unwritten) = (0, 0);
        let mut notes = Vec::new();
        let line = |event: &Event<'_>| text.line(name, event);
        let told = timeline(dump, args.entries, filter, &args.scan.options(), progress, |event: &Event<'_>| {
            let written_as = match self.redaction {
                Some(redaction) => redacted_event(event, redaction, line),
                None => line(event),
            };
            match written_as {
                Some(line) if written.is_ok() => written = to.write_all(&line).inspect_err(|_| progress.cancel()),
                Some(_) => {}
                None if event.moment == Moment::DumpCreated && event.at_ms.is_none() => {
                    notes.push(facts_without_time(name, event));
                }
                None if event.at_ms.is_none() => undated += 1,
                None => unwritten += 1,
            }
        });
        let events = |number| count(number, "event");
        if undated > 0 {
            let undated = events(undated);
            notes.push(format!("{name}: left out {undated}: idle times, of a dump that does not say when it was made"));
        }
        if unwritten > 0 {
            let unwritten = events(unwritten);
            notes.push(format!("{name}: left out {unwritten} whose times this format cannot have"));
        }
        (told.map(|exported| (exported, notes)), written)
    }
}

/// What a dump without a time says of replication, which no event can have.
fn facts_without_time(name: &str, event: &Event<'_>) -> String {
    let facts: Vec<String> = event
        .facts
        .iter()
        .filter(|(fact, _)| fact.starts_with("repl-"))
        .map(|(fact, value)| format!("{fact}={value}"))
        .collect();
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(" ")) };
    format!("{name}: the dump does not say when it was made{facts}")
}
