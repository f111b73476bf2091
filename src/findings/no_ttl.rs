//! Bytes that never expire, by prefix, in a dump whose other keys do: what a cache keeps for good.

use super::worth::worth;
use super::{command, prefixes};
use crate::output::human::{bytes, count, name, share};
use crate::report::{Evidence, Finding, NameTally, Report, Severity, Subject, SubjectKind, Tally};

/// A prefix is named if what it keeps for good is at least this share of all memory: 1 in 20.
const SHARE: u64 = 20;

/// Of a prefix under which nothing expires, fewer keys than this are no cache: a queue, a ranking, settings.
const LASTING_KEYS_MIN: u64 = 1000;

/// Where at least this share of the keys of a prefix expires, 1 in 4, the others were forgotten.
const FORGOTTEN_SHARE: u64 = 4;

/// Dumps in which fewer keys than 1 in 10 expire are no caches.
const EXPIRING_SHARE: u64 = 10;

/// Prefixes that are named.
const PREFIXES_MAX: usize = 5;

/// Columns of a name in a sentence.
const NAME_WIDTH: usize = 40;

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let totals = &report.totals;
    let expiring_keys = totals.keys - totals.keys_without_ttl.min(totals.keys);
    if expiring_keys == 0 || expiring_keys < totals.keys / EXPIRING_SHARE {
        return Vec::new();
    }
    let least = totals.memory_bytes / SHARE;
    let mut found = prefixes::heaviest(report, |tally| tally.memory_bytes_without_ttl, least);
    found.retain(|prefix| {
        let tally = &prefix.tally;
        let matters = is_forgotten(tally) || tally.keys_without_ttl >= LASTING_KEYS_MIN;
        matters && worth(report, tally.memory_bytes_without_ttl)
    });
    found.into_iter().take(PREFIXES_MAX).map(|prefix| of_prefix(report, prefix)).collect()
}

/// Whether enough keys of a prefix expire for the others to be an oversight.
fn is_forgotten(tally: &Tally) -> bool {
    let expiring_keys = tally.keys.saturating_sub(tally.keys_without_ttl);
    expiring_keys > 0 && expiring_keys >= tally.keys / FORGOTTEN_SHARE
}

fn of_prefix(report: &Report, prefix: &NameTally) -> Finding {
    let (tally, prefix) = (&prefix.tally, report.prefixes.whole(prefix));
    let shown = name(&prefix, NAME_WIDTH);
    let keys = if tally.keys_without_ttl < tally.keys {
        format!("{} of {} keys", count(tally.keys_without_ttl), count(tally.keys))
    } else {
        format!("all {} keys", count(tally.keys))
    };
    let glob = command::glob_of_prefix(&prefix);
    Finding {
        what: format!(
            "{keys} under {shown} never expire: {}, {} of all memory.",
            bytes(tally.memory_bytes_without_ttl),
            share(tally.memory_bytes_without_ttl, report.totals.memory_bytes)
        ),
        action: "Set a time to live where these keys are written, spread by some random minutes, if they are a cache."
            .to_owned(),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("keys_without_ttl", tally.keys_without_ttl),
            Evidence::new("memory_bytes_without_ttl", tally.memory_bytes_without_ttl),
        ],
        commands: vec![format!("bigkeys report --match {glob} {}", command::dumps(report))],
        source: Some("Tencent Cloud, document 239/56008: set a time to live, distribute expiry evenly".into()),
        ..Finding::new(
            "no-ttl",
            if is_forgotten(tally) { Severity::Medium } else { Severity::Low },
            Subject::named(SubjectKind::Prefix, prefix),
        )
    }
}
