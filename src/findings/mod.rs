//! A report into findings: what in it is worth doing something about, how many bytes that saves, and what to type next.
//!
//! One file a rule, which looks at nothing but the report; so reports that were merged in any grouping have the findings of
//! one report of all dumps. `docs/findings.md` has a paragraph about each rule. A report without reason for a finding has
//! none: a saving counts if it is `worth::worth` a sentence.

mod big_keys;
mod budget;
mod cluster;
pub(crate) mod command;
mod compression;
mod encodings;
mod expiry;
mod hot;
mod level;
mod migration;
mod names;
mod no_ttl;
mod prefixes;
mod server;
mod small_strings;
mod streams;
mod target;
mod worth;

use std::cmp::Reverse;

use crate::report::{Finding, Report, Rules, Verdict};

/// The findings of a report, the most severe first, of those the ones that save most. `rules` say which keys are big.
pub fn judge(report: &Report, rules: Rules) -> Vec<Finding> {
    judge_with_budget(report, rules, &Verdict::default())
}

/// As [`judge`], with what exceeds the limits of a budget.
pub fn judge_with_budget(report: &Report, rules: Rules, budget: &Verdict) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(big_keys::find(report, rules));
    findings.extend(budget::find(report, budget));
    findings.extend(cluster::find(report));
    findings.extend(compression::find(report));
    findings.extend(encodings::find(report));
    findings.extend(expiry::find(report));
    findings.extend(hot::find(report));
    findings.extend(migration::find(report));
    findings.extend(names::find(report));
    findings.extend(no_ttl::find(report));
    findings.extend(server::find(report));
    findings.extend(small_strings::find(report));
    findings.extend(streams::find(report));
    findings.extend(target::find(report));
    findings.sort_by(|a, b| {
        let order = |finding: &Finding| (finding.severity, Reverse(finding.bytes_saved.map(|saving| saving.bytes)));
        order(a).cmp(&order(b)).then_with(|| (&a.id, &a.subject).cmp(&(&b.id, &b.subject)))
    });
    findings
}
