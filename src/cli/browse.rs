//! `bigkeys browse`: a person who wants to look around.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bigkeys::browse::{Dumps, End, Source, browse, is_there};
use bigkeys::input::{is_url, shown};
use bigkeys::report::{Question, Report};
use bigkeys::{Dump, Options, Progress};
use clap::Args;
use clap::builder::ValueHint;

use super::args::input::{all_matches, dump_path};
use super::args::memory::MemoryArgs;
use super::args::run::ThreadArgs;
use super::exit::{Exit, fail};
use super::report_file;

const EXAMPLES: &str = "\
Examples:
  bigkeys browse dump.rdb
  bigkeys browse shard-1.rdb shard-2.rdb shard-3.rdb
  bigkeys browse report.json
  bigkeys browse today.json yesterday.json    with d: what grew

In the explorer, ? shows all keys, and q leaves.

Exit codes: 0 left, 2 could not run, or no terminal, 130 Ctrl-C.";

/// Explore dumps or a report in the terminal
///
/// A tree of databases, prefixes and keys, with bars. From dumps each level is exact and found by a scan of its own, which
/// leaving the level ends. From a report it shows what the report lists. Two reports are a new one and an older one that it is compared with.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BrowseArgs {
    /// A dump in a file or at a URL, or a report as JSON; several dumps are one instance
    #[arg(required = true, value_name = "DUMP|REPORT", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    inputs: Vec<PathBuf>,

    /// Characters that end a prefix of a name; a report has its own [default: :]
    #[arg(long, value_name = "CHARS", help_heading = "Browse")]
    separators: Option<String>,

    #[command(flatten)]
    memory: MemoryArgs,

    #[command(flatten)]
    threads: ThreadArgs,
}

pub(super) fn run(args: &BrowseArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &BrowseArgs) -> Result<Exit, String> {
    if !is_there() {
        return Err("browse needs a terminal for input and output; use `bigkeys report` elsewhere".to_owned());
    }
    let source = source(args)?;
    let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match browse(source, has_colour) {
        Ok(End::Left) => Ok(Exit::Sound),
        Ok(End::Interrupted) => Ok(Exit::Interrupted),
        Err(error) => Err(format!("the terminal: {error}")),
    }
}

/// What is browsed.
///
/// # Errors
/// A sentence if it cannot be read, or if there is more than can be browsed together.
fn source(args: &BrowseArgs) -> Result<Source, String> {
    let paths = all_matches(&args.inputs)?;
    for path in paths.iter().filter(|path| path.as_path() != Path::new("-") && !is_url(path)) {
        // What is wrong with a file is better said before the screen is taken over.
        File::open(path).map_err(|error| format!("{}: could not open it: {error}", shown(path)))?;
    }
    let reports = paths.iter().filter(|path| is_json(path)).count();
    if reports == 0 {
        return dumps(args, &paths).map(Box::new).map(Source::Dumps);
    }
    if reports < paths.len() {
        return Err(
            "dumps and reports cannot be browsed together; use `bigkeys report` to make a report of a dump".to_owned()
        );
    }
    if let Some(option) = unused(args) {
        return Err(format!("{option} has no effect on a report, which was made with its own"));
    }
    match &paths[..] {
        [new] => Source::of_reports(report(new)?, None),
        [new, old] => Source::of_reports(report(new)?, Some(&report(old)?)),
        _ => Err("at most two reports can be browsed; use `bigkeys merge` to make one of many".to_owned()),
    }
}

/// An option that was given and that a report has no use for.
fn unused(args: &BrowseArgs) -> Option<&'static str> {
    let given = [("--separators", args.separators.is_some()), ("--target", args.memory.target.is_some())];
    given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
}

fn dumps(args: &BrowseArgs, paths: &[PathBuf]) -> Result<Dumps, String> {
    for path in paths {
        if path.as_path() == Path::new("-") || !is_url(path) && !path.is_file() && !path.is_dir() && path.exists() {
            let name = shown(path);
            return Err(format!("{name}: browse reads a dump again for each level; store it in a file first"));
        }
    }
    let question = Question {
        target: args.memory.target,
        allocator: args.memory.allocator,
        separators: args.separators.clone().unwrap_or_else(|| ":".to_owned()).into_bytes(),
        ..Question::default()
    };
    let options: Options = args.threads.options();
    Ok(Dumps { dumps: paths.iter().map(Dump::from).collect(), question, options })
}

fn report(path: &Path) -> Result<Report, String> {
    report_file::read(path, &Progress::default()).map_err(|what| format!("{}: {what}", shown(path)))
}

/// Whether a file begins as JSON does: no dump does.
fn is_json(path: &Path) -> bool {
    let mut first = [0; 64];
    let bytes = path.is_file().then(|| File::open(path).and_then(|mut file| file.read(&mut first)));
    let bytes = bytes.and_then(Result::ok).unwrap_or(0);
    first.get(..bytes).unwrap_or_default().trim_ascii_start().starts_with(b"{")
}
