//! Keys that stand in the way of a migration: too large for one message between servers.

use super::command;
use crate::output::human::{bytes, count};
use crate::report::{Evidence, Finding, Report, Severity, Subject, SubjectKind, Suspicion};

pub(super) fn find(report: &Report) -> Option<Finding> {
    let (medium, keys) = report.suspects.together(Suspicion::SerializedOver256Mb);
    let (large, _) = report.suspects.together(Suspicion::SerializedOver512Mb);
    if medium.keys == 0 {
        return None;
    }
    let keys_are = |keys| if keys == 1 { "1 key is".to_owned() } else { format!("{} keys are", count(keys)) };
    let of_these = match large.keys {
        0 => String::new(),
        keys => format!(", {} of them over 512 MB, where a change of the instance's size fails", count(keys)),
    };
    let commands = keys.first().map(|largest| command::get(report, largest, " --largest --limit 5"));
    Some(Finding {
        what: format!(
            "{} over 256 MB serialized, {} in all: such a key is not migrated with its slot{of_these}.",
            keys_are(medium.keys),
            bytes(medium.serialized_bytes)
        ),
        action: "Split these keys before you resize or migrate.".to_owned(),
        evidence: vec![
            Evidence::new("keys_over_256_mb", medium.keys),
            Evidence::new("keys_over_512_mb", large.keys),
            Evidence::new("serialized_bytes", medium.serialized_bytes),
        ],
        keys,
        commands: commands.into_iter().collect(),
        source: Some("Amazon ElastiCache, best practices for large items; Huawei Cloud DCS, dcs-faq-0521004".into()),
        ..Finding::new("migration", Severity::High, Subject::only(SubjectKind::Dump))
    })
}
