//! Names that are too long: over 1 KB.

use super::command;
use crate::output::human::count;
use crate::report::{Evidence, Finding, Report, Severity, Subject, SubjectKind, Suspicion};

pub(super) fn find(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::LongName);
    let first = keys.first()?;
    let commands = vec![command::get(report, first, "")];
    Some(Finding {
        what: match tally.keys {
            1 => "1 key has a name of over 1 KB.".to_owned(),
            keys => format!("{} keys have names of over 1 KB.", count(keys)),
        },
        action:
            "Store a hash of the long part, such as its SHA-1, in its place: names are compared on every lookup and \
                 always stay in memory."
                .to_owned(),
        evidence: vec![Evidence::new("keys", tally.keys), Evidence::new("memory_bytes", tally.memory_bytes)],
        keys,
        commands,
        source: Some("Huawei Cloud DCS, dcs-faq-0427023; Redis documentation, keyspace".into()),
        ..Finding::new("long-names", Severity::Low, Subject::only(SubjectKind::Dump))
    })
}
