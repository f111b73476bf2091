//! Tables that would take less if they were packed, which is a matter of the server's limits; and packed values that are so
//! long that each look into one costs time.

use std::cmp::Reverse;

use super::command;
use super::worth::worth;
use crate::output::human::{bytes, count, share};
use crate::report::{Evidence, Finding, PackedIf, Report, Saving, Severity, Subject, SubjectKind, Suspicion};

const SOURCE: &str = "Redis and Valkey documentation, memory optimization";

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let types = ["hash", "set", "zset"];
    let tables = types.iter().filter_map(|kind| of_tables(report, kind));
    tables.chain(of_long(report)).collect()
}

/// The limits to set for a type, if they save enough: of those that save nine tenths of what is to be had, the ones that make
/// the shortest values, since a packed value is read from its start.
fn of_tables(report: &Report, kind: &str) -> Option<Finding> {
    let all: Vec<&PackedIf> = report.packed_if.iter().filter(|of| of.kind == kind).collect();
    let most = all.iter().map(|of| of.bytes_saved()).max().filter(|saved| worth(report, *saved))?;
    let enough = all.iter().filter(|of| of.bytes_saved() >= most - most / 10);
    let of =
        enough.min_by_key(|of| (of.longest_packed_bytes, of.elements, of.text_bytes, Reverse(of.bytes_saved())))?;
    let mut evidence = vec![
        Evidence::new("keys", of.keys),
        Evidence::new("table_allocated_bytes", of.table_allocated_bytes),
        Evidence::new("packed_allocated_bytes", of.packed_allocated_bytes),
        Evidence::new("longest_packed_bytes", of.longest_packed_bytes),
        Evidence::new("elements_limit", of.elements),
        Evidence::new("element_bytes_limit", of.text_bytes),
    ];
    // What other limits would save: all nine are in `packed_if`.
    evidence.push(Evidence::new("bytes_saved_by_the_highest_limits", most));
    Some(Finding {
        what: format!(
            "{} {} would be packed if the limits were {} elements and {} bytes: {} instead of {}, {} less.",
            count(of.keys),
            match (kind, of.keys) {
                ("hash", 1) => "hash that is a table",
                ("hash", _) => "hashes that are tables",
                ("set", 1) => "set that is a table",
                ("set", _) => "sets that are tables",
                (_, 1) => "sorted set that is a skiplist",
                _ => "sorted sets that are skiplists",
            },
            count(of.elements),
            of.text_bytes,
            bytes(of.packed_allocated_bytes),
            bytes(of.table_allocated_bytes),
            share(of.bytes_saved(), of.table_allocated_bytes)
        ),
        action: format!(
            "Set the limits in redis.conf and load the keys anew: restart, or fail over to a replica that was started with \
             them, since CONFIG SET changes no key that is a table. The longest packed value would be {}, which a command \
             reads from its start.",
            bytes(of.longest_packed_bytes)
        ),
        evidence,
        bytes_saved: Some(Saving { bytes: of.bytes_saved(), basis: of.basis }),
        commands: commands(report, kind, of),
        source: Some(SOURCE.into()),
        ..Finding::new(
            "encodings",
            if of.bytes_saved() >= report.totals.allocated_bytes / 10 { Severity::High } else { Severity::Medium },
            Subject::named(SubjectKind::Type, kind.as_bytes()),
        )
    })
}

fn commands(report: &Report, kind: &str, of: &PackedIf) -> Vec<String> {
    // Before 7.0 the packed encodings were ziplists.
    let is_old = report.dumps.iter().all(|dump| dump.target == "redis-6.2");
    let packed = if is_old { "ziplist" } else { "listpack" };
    let set = |name: String, value: u64| format!("redis-cli CONFIG SET {name} {value}");
    let mut commands = Vec::new();
    if kind == "set" {
        commands.push(set("set-max-intset-entries".to_owned(), of.elements));
        let has_listpacks = report.dumps.iter().any(|dump| !matches!(&*dump.target, "redis-6.2" | "redis-7.0"));
        if !has_listpacks {
            return commands;
        }
    }
    commands.push(set(format!("{kind}-max-{packed}-entries"), of.elements));
    commands.push(set(format!("{kind}-max-{packed}-value"), of.text_bytes));
    commands
}

fn of_long(report: &Report) -> Option<Finding> {
    let (tally, keys) = report.suspects.together(Suspicion::LongPacked);
    let largest = keys.first()?;
    let commands = vec![command::get(report, largest, " --limit 5")];
    Some(Finding {
        what: format!(
            "{} of over 2,048 elements or 64 KiB, the longest of {}.",
            if tally.keys == 1 { "1 packed value".to_owned() } else { format!("{} packed values", count(tally.keys)) },
            bytes(largest.key.memory_bytes.unwrap_or(0))
        ),
        action: "Lower the server's limits of packed values (hash-, zset-, set-max-listpack-entries and -value): each \
                 command on such a key reads it from its start, and each write copies it."
            .to_owned(),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("elements", tally.elements),
            Evidence::new("memory_bytes", tally.memory_bytes),
        ],
        keys,
        commands,
        ..Finding::new("long-packed", Severity::Low, Subject::only(SubjectKind::Dump))
    })
}
