//! `bigkeys merge`: several reports in, one out.

use std::path::PathBuf;
use std::sync::Arc;

use bigkeys::Progress;
use bigkeys::report::Report;
use clap::Args;
use clap::builder::ValueHint;

use super::args::output::{OutputArgs, choose};
use super::args::run::ProgressArgs;
use super::exit::{Exit, fail, say};
use super::progress::watched;
use super::report_file::read;
use super::report_format::{self, ReportFormat};
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys merge shard-*.json
  bigkeys merge shard-*.json -o cluster.json
  bigkeys report --format json dump.rdb | bigkeys merge yesterday.json -

Exit codes: 0 done, 2 could not run (arguments, files, reports that do not fit
together), 130 Ctrl-C.";

/// Merge several reports into one
///
/// Takes what `bigkeys report --format json` printed, of shards, days or machines. In whichever groups reports are merged,
/// the result is the same to the byte.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MergeArgs {
    /// A report, as JSON; `-` is standard input
    #[arg(required = true, value_name = "REPORT", value_hint = ValueHint::FilePath)]
    reports: Vec<PathBuf>,

    /// The format; by default that of the ending of FILE, else a table
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<ReportFormat>,

    /// Merge reports of different filters or times (--now), and a dump that is in several
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    progress: ProgressArgs,
}

pub(super) fn run(args: &MergeArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &MergeArgs) -> Result<Exit, String> {
    let output = args.output.output.as_deref();
    let format = choose(args.format, output, ReportFormat::Table)?;
    keep_inputs(args.reports.iter().map(PathBuf::as_path), output)?;
    let sink = Sink::open(output)?;
    let Some(report) = watched(args.progress.progress, |progress| merge(args, progress))? else {
        say("interrupted; not all reports were read, so nothing is printed");
        return Ok(Exit::Interrupted);
    };
    Ok(report_format::write(&report, format, sink, Exit::Sound))
}

/// All reports as one; none if it was cancelled before all were read.
///
/// # Errors
/// A sentence if one cannot be read, or does not fit those before it.
fn merge(args: &MergeArgs, progress: &Arc<Progress>) -> Result<Option<Report>, String> {
    let bytes = |path: &PathBuf| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    progress.expect(args.reports.iter().map(bytes).sum());
    let mut merged: Option<Report> = None;
    for path in &args.reports {
        let read = read(path, progress);
        if progress.is_cancelled() {
            return Ok(None);
        }
        let named = |sentence: String| format!("{}: {sentence}", path.display());
        let report = read.map_err(named)?;
        progress.add(0, report.totals.keys);
        match &mut merged {
            Some(merged) if args.force => merged.merge_anyway(report).map_err(named)?,
            Some(merged) => merged.merge(report).map_err(named)?,
            None => merged = Some(report),
        }
    }
    Ok(merged)
}
