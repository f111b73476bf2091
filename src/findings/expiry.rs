//! Times to live: keys that have expired and are still there, what expires soon, and minutes in which very many expire; and
//! keys that never expire and that nobody uses.

use std::fmt::Write;

use super::command;
use super::worth::worth;
use crate::output::human::{bytes, count, moment, share};
use crate::report::{
    DumpInfo, Evidence, ExpiryPeak, Finding, Report, Saving, SavingBasis, Severity, Subject, SubjectKind, Suspicion,
    Tally,
};

/// What expires within a week is said from this share of all memory on: 1 in 10; within an hour it matters from 1 in 5 on.
const WEEK_SHARE: u64 = 10;
const HOUR_SHARE: u64 = 5;

/// Minutes that matter: with 1,000 keys and 1 in 20 of those that expire.
const PEAK_KEYS: u64 = 1000;
const PEAK_SHARE: u64 = 20;

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let peaks = report.dumps.iter().filter_map(|dump| peak(report, dump));
    [expired(report), soon(report), idle(report)].into_iter().flatten().chain(peaks).collect()
}

fn expired(report: &Report) -> Option<Finding> {
    let tally = &report.ttl.expired;
    worth(report, tally.allocated_bytes).then(|| Finding {
        what: format!(
            "{} keys had expired and were still there: {}, {} of all memory.",
            count(tally.keys),
            bytes(tally.memory_bytes),
            share(tally.memory_bytes, report.totals.memory_bytes)
        ),
        action:
            "Let the server look for expired keys more often (active-expire-effort, 1 to 10), or scan the keys: each \
                 that is touched is removed. A master that loads the dump drops them."
                .to_owned(),
        evidence: tally_evidence(tally),
        bytes_saved: Some(Saving { bytes: tally.allocated_bytes, basis: SavingBasis::Exact }),
        commands: vec![
            format!("bigkeys report --expired only {}", command::dumps(report)),
            "redis-cli CONFIG SET active-expire-effort 4".to_owned(),
        ],
        ..Finding::new("expired", Severity::Low, Subject::only(SubjectKind::Dump))
    })
}

fn soon(report: &Report) -> Option<Finding> {
    let ttl = &report.ttl;
    let hour = ttl.under_1_hour;
    let mut day = ttl.under_1_day;
    day.merge(&hour);
    let mut week = ttl.under_7_days;
    week.merge(&day);
    let all = report.totals.memory_bytes;
    if !worth(report, week.allocated_bytes) || week.memory_bytes < all / WEEK_SHARE {
        return None;
    }
    let is_at_once = hour.memory_bytes >= all / HOUR_SHARE;
    Some(Finding {
        what: format!(
            "{} expire within an hour, {} within a day, {} within a week: {}, {} and {} of all memory.",
            bytes(hour.memory_bytes),
            bytes(day.memory_bytes),
            bytes(week.memory_bytes),
            share(hour.memory_bytes, all),
            share(day.memory_bytes, all),
            share(week.memory_bytes, all)
        ),
        action: if is_at_once {
            "Expect the server to be busy with removing keys, and what stands behind the cache with filling it: spread times \
             to live where they are set."
                .to_owned()
        } else {
            "Wait for it before you resize: so much comes free by itself if nothing is written in its place.".to_owned()
        },
        evidence: vec![
            Evidence::new("memory_bytes_expiring_in_1_hour", hour.memory_bytes),
            Evidence::new("memory_bytes_expiring_in_1_day", day.memory_bytes),
            Evidence::new("memory_bytes_expiring_in_7_days", week.memory_bytes),
            Evidence::new("keys_expiring_in_1_hour", hour.keys),
            Evidence::new("keys_expiring_in_1_day", day.keys),
            Evidence::new("keys_expiring_in_7_days", week.keys),
        ],
        ..Finding::new(
            "expiring",
            if is_at_once { Severity::Medium } else { Severity::Info },
            Subject::only(SubjectKind::Dump),
        )
    })
}

/// The minute of a dump in which most of its keys expire.
fn peak(report: &Report, dump: &DumpInfo) -> Option<Finding> {
    let expiring_keys = dump.keys.keys.saturating_sub(dump.keys.keys_without_ttl);
    let matters = |peak: &&ExpiryPeak| peak.keys >= PEAK_KEYS && peak.keys >= expiring_keys / PEAK_SHARE;
    let peaks: Vec<&ExpiryPeak> = dump.expiry_peaks.iter().filter(matters).collect();
    let highest = peaks.first()?;
    let whose = if report.dumps.len() > 1 { dump.shard.as_ref().unwrap_or(&dump.name) } else { "" };
    let mut what = format!(
        "{} keys expire in one minute, from {} on: {} of all keys that expire, {}",
        count(highest.keys),
        moment(highest.begins_at_ms),
        share(highest.keys, expiring_keys),
        bytes(highest.memory_bytes)
    );
    if peaks.len() > 1 {
        _ = write!(what, "; there are {} such minutes", peaks.len());
    }
    Some(Finding {
        what: what + ".",
        action:
            "Add some random minutes to times to live where they are set, so that neither the server nor what stands \
                 behind it gets all at once."
                .to_owned(),
        evidence: vec![
            Evidence::new("keys", highest.keys),
            Evidence::new("memory_bytes", highest.memory_bytes),
            Evidence::new("begins_at_ms", u64::try_from(highest.begins_at_ms).unwrap_or(0)),
            Evidence::new("expiring_keys", expiring_keys),
            Evidence::new("minutes", peaks.len() as u64),
        ],
        source: Some("Tencent Cloud, document 239/56008: distribute expiry evenly".into()),
        ..Finding::new(
            "expiry-peak",
            Severity::Medium,
            if whose.is_empty() {
                Subject::only(SubjectKind::Dump)
            } else {
                Subject::named(SubjectKind::Shard, whose.as_bytes())
            },
        )
    })
}

fn idle(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::IdleWithoutTtl);
    let largest = keys.first().filter(|_| worth(report, tally.allocated_bytes))?;
    let mut commands = vec![command::get(report, largest, "")];
    commands.extend(command::redis_cli(largest, "OBJECT IDLETIME", ""));
    Some(Finding {
        what: format!(
            "{} keys never expire and were not used for 30 days: {}, {} of all memory.",
            count(tally.keys),
            bytes(tally.memory_bytes),
            share(tally.memory_bytes, report.totals.memory_bytes)
        ),
        action: "Delete them (UNLINK), or give them a time to live, if they can be made anew.".to_owned(),
        evidence: tally_evidence(&tally),
        bytes_saved: Some(Saving { bytes: tally.allocated_bytes, basis: SavingBasis::Exact }),
        keys,
        commands,
        ..Finding::new("idle-without-ttl", Severity::Medium, Subject::only(SubjectKind::Dump))
    })
}

fn tally_evidence(tally: &Tally) -> Vec<Evidence> {
    vec![
        Evidence::new("keys", tally.keys),
        Evidence::new("memory_bytes", tally.memory_bytes),
        Evidence::new("allocated_bytes", tally.allocated_bytes),
    ]
}
