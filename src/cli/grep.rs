//! `bigkeys grep`: search names and decoded values.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bigkeys::analysis::filter::Filter;
use bigkeys::engine::Exported;
use bigkeys::forensics::{Match, Redaction, Search, grep, redacted_match};
use bigkeys::input::shown;
use bigkeys::output::values::MatchText;
use bigkeys::{Dump, Error, ErrorKind, Pattern, Progress};
use clap::{Args, value_parser};
use serde::Serialize;

use super::args::filter::FilterArgs;
use super::args::input::DumpArgs;
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::args::value::from_to;
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::sink::Sink;

const EXAMPLES: &str = r"Examples:
  bigkeys grep 'eval\s*\(' dump.rdb
  bigkeys grep --fixed 'ssh-rsa AAAA' --json dump.rdb
  bigkeys grep --hex '7f 45 4c 46' *.rdb
  bigkeys grep -l '(?i)password' --type hash dump.rdb

A line has, with tabs between them: the database, the key, the offset of its
record (for `bigkeys get --offset`), the place of the text in the key, the
offset of the match in the text, and the match with what surrounds it.

Exit codes: 0 found, 1 nothing found, 2 an error: a dump is damaged or refused
(what was found in it is printed), or could not be read; 130 Ctrl-C.";

/// Search key names and decoded values
///
/// Names, strings, elements, members, fields and their values, stream entries, groups and consumers are searched, each text
/// by itself; and, unless a filter is given, auxiliary fields, cached scripts and functions.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub(super) struct GrepArgs {
    /// A regular expression over bytes ((?u) for Unicode, (?i) for either case); with --fixed or --hex the bytes themselves
    #[arg(value_name = "PATTERN", value_parser = value_parser!(OsString))]
    pattern: OsString,

    #[command(flatten)]
    input: DumpArgs,

    /// PATTERN is a text, not a regular expression
    #[arg(short = 'F', long, conflicts_with = "hex", help_heading = "Search")]
    fixed: bool,

    /// PATTERN is bytes in hexadecimal, such as '7f 45 4c 46'
    #[arg(long, help_heading = "Search")]
    hex: bool,

    /// Stop reading a dump after N matches, and with -l after N keys
    #[arg(short, long, value_name = "N", value_parser = from_to(1, u64::MAX), help_heading = "Search")]
    max_count: Option<u64>,

    /// Print one line per key, its first match decides
    #[arg(short = 'l', long, conflicts_with = "count", help_heading = "Output")]
    keys: bool,

    /// Print the number of matches of each dump
    #[arg(short, long, help_heading = "Output")]
    count: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// The number of matches of a dump as JSON.
#[derive(Serialize)]
struct Count<'d> {
    dump: &'d str,
    matches: u64,
}

pub(super) fn run(args: &GrepArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &GrepArgs) -> Result<Exit, String> {
    let search = Search::new(args.pattern()?, args.keys)?;
    let filter = args.filter.filter_without_ages()?;
    let dumps = args.input.dumps()?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    let redaction = redaction.as_ref();
    let mut sink = Sink::open(None)?;
    let (mut exit, mut matches) = (Exit::Sound, 0);
    for dump in &dumps {
        let name = shown(&dump.path);
        let run = Run { args, search: &search, filter: &filter, redaction, dump, name, is_one: dumps.len() == 1 };
        let mut told = None;
        let is_read = watched(args.scan.when(), |progress| {
            sink.write_with(|to| {
                let (searched, written) = run.search(to, progress);
                told = Some(searched);
                written
            })
        })?;
        // Nobody reads on.
        if !is_read {
            return Ok(Exit::Sound);
        }
        let Some(Searched { result, found, is_enough }) = told else { continue };
        matches += found;
        let mut ended = match result {
            Ok(Exported { notes, mut errors, .. }) => {
                // The end that was asked for is not an error.
                errors.retain(|error| !(is_enough && matches!(error.cause, ErrorKind::Cancelled { .. })));
                tell_redacted(&errors, &notes, args.scan.quiet, redaction)
            }
            Err(error) => {
                say(&redacted(&error.to_string(), redaction));
                Exit::of(&error)
            }
        };
        if ended == Exit::Damaged {
            ended = Exit::CouldNotRun;
        }
        exit = exit.max(ended);
        if exit == Exit::Interrupted {
            break;
        }
    }
    Ok(if exit == Exit::Sound && matches == 0 { Exit::NOTHING_FOUND } else { exit })
}

impl GrepArgs {
    /// # Errors
    /// A sentence that says what is wrong with the pattern.
    fn pattern(&self) -> Result<Pattern, String> {
        let pattern = if self.hex {
            Pattern::fixed(
                &hexadecimal(self.pattern.as_bytes()).ok_or("--hex needs an even number of hexadecimal digits")?,
            )
        } else if self.fixed {
            Pattern::fixed(self.pattern.as_bytes())
        } else {
            let text = self.pattern.to_str().ok_or(r"the pattern is not UTF-8; write a byte as \xff")?;
            Pattern::regex(text)
        };
        pattern.map_err(|why| format!("invalid PATTERN: {why}"))
    }
}

/// The bytes that hexadecimal digits stand for; blanks are skipped.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> =
        text.iter().filter(|byte| **byte != b' ').map(|byte| char::from(*byte).to_digit(16)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok());
    if rest.is_empty() { bytes.collect() } else { None }
}

/// The search of one dump.
struct Run<'r> {
    args: &'r GrepArgs,
    search: &'r Search,
    filter: &'r Filter,
    redaction: Option<&'r Redaction>,
    dump: &'r Dump,
    name: String,
    is_one: bool,
}

/// What came of it.
struct Searched {
    result: Result<Exported, Error>,
    found: u64,
    /// Whether it was ended since as many were found as were asked for.
    is_enough: bool,
}

impl Run<'_> {
    fn search(&self, to: &mut (dyn Write + Send), progress: &Arc<Progress>) -> (Searched, io::Result<()>) {
        let Self { args, search, filter, dump, .. } = self;
        let text = match (args.keys, args.json) {
            (false, false) => MatchText::Columns,
            (true, false) => MatchText::Keys,
            (false, true) => MatchText::Json,
            (true, true) => MatchText::JsonKeys,
        };
        let (mut found, mut written) = (0, Ok(()));
        let most = args.max_count.unwrap_or(u64::MAX);
        let result = grep(dump, search, filter, &args.scan.options(), progress, |hit: &Match<'_>| {
            if found == most || written.is_err() {
                return;
            }
            found += 1;
            if !args.count {
                let line = |hit: &Match<'_>| text.line(&self.name, !self.is_one, hit);
                written = to.write_all(&match self.redaction {
                    Some(redaction) => redacted_match(hit, redaction, line),
                    None => line(hit),
                });
            }
            if found == most || written.is_err() {
                progress.cancel();
            }
        });
        if args.count && written.is_ok() {
            written = self.write_count(found, to);
        }
        (Searched { result, found, is_enough: found == most }, written)
    }

    fn write_count(&self, matches: u64, to: &mut dyn Write) -> io::Result<()> {
        if self.args.json {
            serde_json::to_writer(&mut *to, &Count { dump: &self.name, matches })?;
            return to.write_all(b"\n");
        }
        if !self.is_one {
            write!(to, "{}\t", bigkeys::error::Visible(self.name.as_bytes()))?;
        }
        writeln!(to, "{matches}")
    }
}
