//! Whether reports can be added up: reports of other keys, of times to live that are measured from other moments, or of the
//! same dump give sums that mean nothing.

use jiff::Timestamp;

use super::{DumpInfo, Report};

/// What to do where reports should not be merged.
const REMEDY: &str = "use --force to merge them anyway";

/// Why two reports should not be merged, in a sentence about the second.
pub(super) fn obstacle(report: &Report, other: &Report) -> Option<String> {
    if report.redacted != other.redacted {
        let [now, before] = [other, report].map(|of| of.redacted.as_deref().unwrap_or("none"));
        return Some(format!("its names are redacted by {now}, those of the reports before it by {before}; {REMEDY}"));
    }
    let (before, now) = (&report.filters, &other.filters);
    // Reports of several filters may well be of different ones.
    if before != now || before.is_mixed {
        return Some(format!("it was made with {now}, the reports before it with {before}; {REMEDY}"));
    }
    if let (Some(before), Some(now)) = (origin(report), origin(other))
        && before != now
    {
        let [now, before] = [now, before].map(|origin| match origin {
            Origin::Given(at_ms) => format!("{} (--now)", moment(at_ms)),
            Origin::Own => "the time of each dump".to_owned(),
        });
        return Some(format!(
            "its times to live are measured from {now}, those of the reports before it from {before}; {REMEDY}"
        ));
    }
    let same = other.dumps.iter().find_map(|dump| Some((dump, copy_of(dump, &report.dumps)?)));
    if let Some((dump, first)) = same {
        return Some(format!(
            "{} is the same dump as {}, which is in the reports before it; {REMEDY}",
            dump.name, first.name
        ));
    }
    let of_same_server = other.dumps.iter().find_map(|dump| Some((dump, server_of(dump, &report.dumps)?)));
    of_same_server.map(|(dump, (first, why))| {
        format!(
            "{} is of the same server as {} ({why}), which is in the reports before it: their keys would count twice; {REMEDY}",
            dump.name, first.name
        )
    })
}

/// The first of some dumps that is of the same server as another one, and what says so: the shard that was given, or the ID
/// of the replication history (`repl-id`), which all shards of a cluster have their own of.
fn server_of<'d>(dump: &DumpInfo, others: &'d [DumpInfo]) -> Option<(&'d DumpInfo, String)> {
    let history = |dump: &DumpInfo| dump.aux.iter().find(|(name, _)| name == "repl-id").map(|(_, id)| id.clone());
    others.iter().find_map(|other| {
        if let (Some(shard), Some(of)) = (&dump.shard, &other.shard) {
            // Where both say which shard they are, nothing else tells.
            return (shard == of).then(|| (other, format!("shard {shard}")));
        }
        let id = history(dump).filter(|id| history(other).as_ref() == Some(id))?;
        Some((other, format!("repl-id {id}")))
    })
}

/// What times to live are measured from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// One moment that was given, in milliseconds since 1970.
    Given(i64),
    /// When each dump was made.
    Own,
}

/// The origin of a report's figures, if some of them depend on one.
fn origin(report: &Report) -> Option<Origin> {
    report.dumps.iter().find_map(|dump| {
        let expiring = dump.keys.keys > dump.keys.keys_without_ttl;
        let at_ms = dump.ttl_measured_at_ms.filter(|_| expiring || report.filters.expired.is_some())?;
        Some(if dump.is_now_given { Origin::Given(at_ms) } else { Origin::Own })
    })
}

/// The first of some dumps that is the same as another one, the keys of which would count twice.
pub(crate) fn copy_of<'d>(dump: &DumpInfo, others: &'d [DumpInfo]) -> Option<&'d DumpInfo> {
    others.iter().find(|other| dump.keys.keys > 0 && is_same(dump, other))
}

/// Whether two dumps are one: by their files' digests, by length and checksum, or, where they have none, by length and what
/// their servers said of the moment (`ctime`, `used-mem`, the replication's offset); at last by length and name.
fn is_same(one: &DumpInfo, other: &DumpInfo) -> bool {
    if one.sha256.is_some() && one.sha256 == other.sha256 {
        return true;
    }
    let id = |dump: &DumpInfo| (dump.bytes, dump.rdb_version, dump.dialect.clone(), dump.keys.keys);
    let says_when = |dump: &DumpInfo| dump.aux.iter().any(|(name, _)| name == "ctime");
    id(one) == id(other)
        && match (&one.checksum, &other.checksum) {
            (Some(one), Some(other)) => one == other,
            _ if says_when(one) => one.aux == other.aux,
            _ => one.name == other.name,
        }
}

fn moment(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |at| at.to_string())
}
