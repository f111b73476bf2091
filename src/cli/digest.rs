//! `bigkeys digest`: whether a dump has the keys that a server, or another dump, has.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bigkeys::analysis::filter::Filter;
use bigkeys::compare::{DumpDigest, Rules, digest};
use bigkeys::engine::{Exported, export_all};
use bigkeys::error::Visible;
use bigkeys::input::shown;
use bigkeys::memory::Target;
use bigkeys::output::values::{Drain, Lines};
use bigkeys::values::{Mapped, Mapping, TextMap};
use bigkeys::{Dump, Progress};
use clap::Args;
use serde::Serialize;

use super::args::filter::FilterArgs;
use super::args::input::DumpArgs;
use super::args::memory::target_parser;
use super::args::output::OutputArgs;
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys digest dump.rdb                  compare it with: redis-cli DEBUG DIGEST
  bigkeys digest replica-1.rdb replica-2.rdb.gz
  bigkeys digest --target redis-8.2 old.rdb
                                           as the server after a migration answers
  bigkeys digest --keys dump.rdb | sort > keys.ndjson

A server counts a key that has expired until it deletes it, and does not load
one: compare with --expired skip where that matters.

Exit codes: 0 done, 1 a dump is damaged or refused, or the digest of keys could
not be computed (standard error names them), 2 could not run, 130 Ctrl-C.";

/// Print the digest that DEBUG DIGEST answers on a server with the same keys
///
/// One line per dump: the digest and the path. It depends on names, values and whether keys expire, not on the order of
/// keys, on encodings, or on when keys expire.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DigestArgs {
    #[command(flatten)]
    input: DumpArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// Print what DEBUG DIGEST-VALUE answers for each key instead, one JSON object per line
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    keys: bool,

    /// Print one JSON object per dump, with its databases
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// The server that would answer, instead of the one that wrote the dump
    #[arg(long, value_name = "SERVER", value_parser = target_parser(), help_heading = "Output")]
    target: Option<Target>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// A dump's digest as JSON.
#[derive(Serialize)]
struct Line<'l> {
    dump: &'l str,
    /// Whether it was read to its end, with every key.
    is_complete: bool,
    #[serde(flatten)]
    digest: &'l DumpDigest,
}

pub(super) fn run(args: &DigestArgs) -> Exit {
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &args.input.dumps, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &DigestArgs) -> Result<Exit, String> {
    let dumps = args.input.dumps()?;
    let filter = args.filter.filter_without_ages()?;
    let output = args.output.output.as_deref();
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    let names = redaction.clone().map(|redaction| (TextMap::new(move |name| redaction.name(name)), Mapping::Name));
    let mut sink = Sink::open(output)?;
    let mut exit = Exit::Sound;
    for dump in &dumps {
        let mut told = None;
        let is_read = watched(args.scan.when(), |progress| {
            sink.write_with(|to| {
                let (result, written) = if args.keys {
                    keys(args, dump, &filter, names.as_ref(), to, progress)
                } else {
                    whole(args, dump, &filter, to, progress)
                };
                told = Some(result);
                written
            })
        })?;
        // Nobody reads on.
        if !is_read {
            return Ok(exit);
        }
        match told {
            Some(Ok(Exported { notes, errors, .. })) => {
                exit = exit.max(tell_redacted(&errors, &notes, args.scan.quiet, redaction.as_ref()));
            }
            Some(Err(error)) => {
                say(&redacted(&error.to_string(), redaction.as_ref()));
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

/// What came of the scan, and of writing.
type Written = (Result<Exported, bigkeys::Error>, io::Result<()>);

fn whole(args: &DigestArgs, dump: &Dump, filter: &Filter, to: &mut dyn Write, progress: &Arc<Progress>) -> Written {
    let (found, exported) = match digest(dump, filter, args.target, &args.scan.options(), progress) {
        Ok(found) => found,
        Err(error) => return (Err(error), Ok(())),
    };
    let name = shown(&dump.path);
    let is_complete = exported.errors.is_empty();
    let written = if args.json {
        let line = Line { dump: &name, is_complete, digest: &found };
        serde_json::to_writer(&mut *to, &line).map_err(io::Error::from).and_then(|()| to.write_all(b"\n"))
    } else if is_complete {
        writeln!(to, "{}  {}", found.digest, Visible(name.as_bytes()))
    } else {
        // A digest of some of the keys would look like one of all.
        writeln!(to, "incomplete  {}", Visible(name.as_bytes()))
    };
    (Ok(exported), written)
}

fn keys(
    args: &DigestArgs,
    dump: &Dump,
    filter: &Filter,
    names: Option<&(TextMap, Mapping)>,
    to: &mut (dyn Write + Send),
    progress: &Arc<Progress>,
) -> Written {
    let failed = Mutex::new(None);
    let drain: Drain<'_> = Arc::new(Mutex::new(|bytes: &[u8]| {
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            *failed = to.write_all(bytes).inspect_err(|_| progress.cancel()).err();
        }
    }));
    let result = export_all(std::slice::from_ref(dump), filter, &args.scan.options(), progress, |context| {
        let rules = Rules::of(args.target.unwrap_or_else(|| Target::of(context)));
        Mapped::new(Lines::digests(rules, drain.clone()), names.cloned())
    });
    drop(drain);
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    (result, failed.map_or(Ok(()), Err))
}
