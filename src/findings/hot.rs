//! Keys that are hot and big: each of many uses moves much.

use super::command;
use crate::output::human::{bytes, count};
use crate::report::{Evidence, Finding, Report, Severity, Subject, SubjectKind, Suspicion};

pub(super) fn find(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::HotAndBig);
    let largest = keys.first()?;
    let mut commands: Vec<String> = command::redis_cli(largest, "OBJECT FREQ", "").into_iter().collect();
    commands.push(command::get(report, largest, ""));
    Some(Finding {
        what: format!(
            "{} of over 100 KiB with an LFU counter of 100 or more: {} in all.",
            if tally.keys == 1 { "1 key".to_owned() } else { format!("{} keys", count(tally.keys)) },
            bytes(tally.memory_bytes)
        ),
        action: "Split what is read of them from what is not, cache them in the client, or read from replicas."
            .to_owned(),
        evidence: vec![Evidence::new("keys", tally.keys), Evidence::new("memory_bytes", tally.memory_bytes)],
        keys,
        commands,
        ..Finding::new("hot-and-big", Severity::Medium, Subject::only(SubjectKind::Dump))
    })
}
