//! Limits of a budget that are exceeded: what was agreed on is a finding whatever it saves.

use super::command;
use crate::report::{Breach, Evidence, Finding, Report, Severity, Subject, SubjectKind, Verdict};

pub(super) fn find(report: &Report, budget: &Verdict) -> Vec<Finding> {
    let mut findings: Vec<Finding> = budget.breaches.iter().map(|breach| of_breach(report, breach)).collect();
    if budget.more > 0 {
        let what = format!("Over budget: and {} more.", budget.more);
        findings.push(over(Subject::only(SubjectKind::Dump), what, vec![Evidence::new("more_breaches", budget.more)]));
    }
    findings
}

fn of_breach(report: &Report, breach: &Breach) -> Finding {
    let what = format!("Over budget ({}): {}.", breach.limit, breach.what);
    let mut finding = over(breach.subject.clone(), what, breach.evidence.clone());
    let name = breach.subject.name.as_ref();
    match (&breach.key, name, breach.subject.kind) {
        (Some(key), ..) => {
            finding.commands.push(command::get(report, key, ""));
            finding.keys.push(key.clone());
        }
        (None, Some(name), SubjectKind::Prefix) => {
            let glob = command::glob_of_prefix(name.bytes());
            finding.commands.push(format!("bigkeys report --match {glob} {}", command::dumps(report)));
        }
        (None, Some(name), SubjectKind::Type) => {
            let kind = command::word(&name.to_string());
            finding.commands.push(format!("bigkeys report --type {kind} {}", command::dumps(report)));
        }
        (None, Some(name), SubjectKind::Database) => {
            finding.commands.push(format!("bigkeys report --db {name} {}", command::dumps(report)));
        }
        _ => {}
    }
    finding
}

fn over(subject: Subject, what: String, evidence: Vec<Evidence>) -> Finding {
    Finding {
        what,
        action: "Bring it down, or raise the limit if it is meant to be so large.".to_owned(),
        evidence,
        ..Finding::new("over-budget", Severity::High, subject)
    }
}
