//! Streams that nobody trims, and groups with entries that were delivered long ago and never acknowledged.

use super::command;
use crate::output::human::{bytes, count};
use crate::report::{Evidence, Finding, Report, Severity, Subject, SubjectKind, Suspicion};

pub(super) fn find(report: &Report) -> Vec<Finding> {
    [long(report), pending(report)].into_iter().flatten().collect()
}

fn streams(keys: u64) -> String {
    if keys == 1 { "1 stream".to_owned() } else { format!("{} streams", count(keys)) }
}

fn long(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::LongStream);
    let largest = keys.first()?;
    let mut commands: Vec<String> = command::redis_cli(largest, "XINFO STREAM", "").into_iter().collect();
    commands.push(command::get(report, largest, " --limit 5"));
    Some(Finding {
        what: format!(
            "{} of over 100,000 entries, which nobody seems to trim: {} entries, {}.",
            streams(tally.keys),
            count(tally.elements),
            bytes(tally.memory_bytes)
        ),
        action: "Trim where entries are added (XADD with MAXLEN ~ or MINID ~), by how far all groups have read."
            .to_owned(),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("elements", tally.elements),
            Evidence::new("memory_bytes", tally.memory_bytes),
        ],
        keys,
        commands,
        ..Finding::new("long-streams", Severity::Medium, Subject::named(SubjectKind::Type, "stream"))
    })
}

fn pending(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::OldPending);
    let largest = keys.first()?;
    let commands = command::redis_cli(largest, "XINFO GROUPS", "").into_iter().collect();
    Some(Finding {
        what: format!(
            "{} with entries that a group was given over a day before and never acknowledged; {} entries are pending in all \
             streams.",
            streams(tally.keys),
            count(report.streams.pending)
        ),
        action: "Find the consumer that is gone (XINFO CONSUMERS), claim its entries (XAUTOCLAIM) or acknowledge them (XACK), \
                 and delete it (XGROUP DELCONSUMER)."
            .to_owned(),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("groups", report.streams.groups),
            Evidence::new("pending_entries", report.streams.pending),
        ],
        keys,
        commands,
        ..Finding::new("old-pending", Severity::Medium, Subject::named(SubjectKind::Type, "stream"))
    })
}
