//! `bigkeys merge`: several reports in, one out.

use std::path::PathBuf;
use std::sync::Arc;

use bigkeys::input::{shown, stored_bytes};
use bigkeys::report::{Report, Rules};
use bigkeys::{Progress, findings};
use clap::Args;
use clap::builder::ValueHint;

use super::args::budget::BudgetArgs;
use super::args::input::all_matches;
use super::args::output::{OutputArgs, choose};
use super::args::redact::RedactArgs;
use super::args::rules::rules_parser;
use super::args::run::ProgressArgs;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, say};
use super::progress::watched;
use super::report_file::{read, redact};
use super::report_format::{self, ReportFormat};
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys merge shard-*.json
  bigkeys merge shard-*.json -o cluster.json
  bigkeys report --format json dump.rdb | bigkeys merge yesterday.json -

Exit codes: 0 done, 2 could not run (arguments, files, reports that do not fit
together), 3 over budget, 130 Ctrl-C.";

/// Merge several reports into one
///
/// Takes what `bigkeys report --format json` printed, of shards, days or machines. In whichever groups reports are merged,
/// the result is the same to the byte.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MergeArgs {
    /// A report, as JSON, in a file or at a URL; `-` is standard input
    #[arg(required = true, value_name = "REPORT", value_hint = ValueHint::FilePath)]
    reports: Vec<PathBuf>,

    /// The format; by default that of the ending of FILE, else a table
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<ReportFormat>,

    /// Whose limits say which keys are big, in the findings
    #[arg(long, value_name = "NAME", value_parser = rules_parser())]
    rules: Option<Rules>,

    /// Merge reports of different filters or times (--now), and a dump that is in several
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    progress: ProgressArgs,
}

pub(super) fn run(args: &MergeArgs) -> Exit {
    let results = || args.output.output.iter().cloned().collect();
    let inputs = [args.reports.clone(), args.budget.inputs()].concat();
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &MergeArgs) -> Result<Exit, String> {
    let output = args.output.output.as_deref();
    let format = choose(args.format, output, ReportFormat::Table)?;
    keep_inputs(args.reports.iter().map(PathBuf::as_path), output)?;
    let budget = args.budget.budget()?;
    let sink = Sink::open(output)?;
    let Some(mut report) = watched(args.progress.progress, |progress| merge(args, progress))? else {
        say("interrupted; not all reports were read, so nothing is printed");
        return Ok(Exit::Interrupted);
    };
    let redaction = args.redact.redaction(&report.prefixes.separators.to_string())?;
    let (exit, verdict) = budget.hold(&report, redaction.as_ref())?;
    redact(&mut report, redaction.as_ref())?;
    report.findings = findings::judge_with_budget(&report, args.rules.unwrap_or_default(), &verdict);
    Ok(report_format::write(&report, format, sink, exit))
}

/// All reports as one; none if it was cancelled before all were read.
///
/// # Errors
/// A sentence if one cannot be read, or does not fit those before it.
fn merge(args: &MergeArgs, progress: &Arc<Progress>) -> Result<Option<Report>, String> {
    let reports = all_matches(&args.reports)?;
    progress.expect(reports.iter().map(|path| stored_bytes(path)).sum());
    let mut merged: Option<Report> = None;
    for path in &reports {
        let read = read(path, progress);
        if progress.is_cancelled() {
            return Ok(None);
        }
        let named = |sentence: String| format!("{}: {sentence}", shown(path));
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
