//! The findings of a report as paragraphs for a person.

use super::human::{bytes, name};
use crate::report::{Finding, Report, SavingBasis, Severity};

/// Findings that a table shows; the JSON has all.
const FINDINGS_MAX: usize = 12;

/// Of these, breaches of a budget: each is a line on standard error, and they leave room for others.
const OVER_BUDGET_MAX: usize = 4;

/// A finding as it is shown.
pub(super) struct Shown<'r> {
    /// Whether it is of the highest severity.
    pub(super) is_high: bool,
    /// What it is, and what it saves.
    pub(super) what: String,
    /// What to do.
    pub(super) action: &'r str,
    /// Commands, none wider than asked for.
    pub(super) commands: Vec<String>,
}

/// The first findings in lines of `width` columns, and how many more there are.
pub(super) fn shown(report: &Report, width: usize) -> (Vec<Shown<'_>>, usize) {
    let show = |finding: &'_ Finding| Shown {
        is_high: finding.severity == Severity::High,
        what: format!("{}: {}{}", finding.severity.name(), finding.what, saving(finding)),
        action: "",
        commands: finding.commands.iter().map(|command| name(command.as_bytes(), width.saturating_sub(4))).collect(),
    };
    let mut over_budget = 0;
    let has_place = |finding: &&Finding| {
        over_budget += usize::from(finding.id == "over-budget");
        finding.id != "over-budget" || over_budget <= OVER_BUDGET_MAX
    };
    let first = report.findings.iter().filter(has_place).take(FINDINGS_MAX);
    let shown: Vec<Shown> = first.map(|finding| Shown { action: &finding.action, ..show(finding) }).collect();
    let more = report.findings.len() - shown.len();
    (shown, more)
}

fn saving(finding: &Finding) -> String {
    let Some(saving) = finding.bytes_saved else { return String::new() };
    let how = match saving.basis {
        SavingBasis::Exact => "",
        SavingBasis::LowerBound => "at least ",
        SavingBasis::Estimate => "about ",
    };
    format!(" Saves {how}{}.", bytes(saving.bytes))
}
