//! Totals, and keys by type, expiry, size and use.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::calendar::calendar;
use super::parts::{Line, bar, fact, framed, histogram, named, tallies};
use crate::output::human::{bytes, count, counted, duration, moment, share};
use crate::report::{KindSpreads, Report, Sizes, Tally};

/// Databases with a line each.
const DATABASES_MAX: usize = 64;

/// Groups with a line each.
const GROUPS_MAX: usize = 256;

/// Modules with a line each.
const MODULES_MAX: usize = 64;

/// All keys together.
pub(super) fn totals(report: &Report) -> Markup {
    let totals = &report.totals;
    let used: Option<u64> = report.dumps.iter().map(|dump| dump.used_memory_bytes).sum();
    html! {
        section #totals aria-labelledby="totals-title" {
            h2 #totals-title { "Totals" }
            dl.totals {
                (fact("memory", bytes(totals.memory_bytes)))
                (fact("keys", count(totals.keys)))
                (fact("elements", count(totals.elements)))
                (fact("in the dump", bytes(totals.serialized_bytes)))
                (fact("keys that never expire", share(totals.keys_without_ttl, totals.keys)))
                (fact("memory that never expires", share(totals.memory_bytes_without_ttl, totals.memory_bytes)))
                @if let Some(used) = used.filter(|used| *used > 0) { (fact("used_memory when written", bytes(used))) }
            }
        }
    }
}

/// A type, its keys, and them by encoding.
type OfType<'r> = (&'r str, Tally, Vec<(&'r str, Tally)>);

/// Types with their encodings, and databases.
pub(super) fn types(report: &Report) -> Markup {
    let mut types: Vec<OfType<'_>> = Vec::new();
    let others = report.other_databases.iter().flat_map(|other| &other.types);
    for of_type in report.databases.iter().flat_map(|database| &database.types).chain(others) {
        let at = types.iter().position(|(kind, ..)| *kind == of_type.kind).unwrap_or_else(|| {
            types.push((&of_type.kind, Tally::default(), Vec::new()));
            types.len() - 1
        });
        let Some((_, tally, encodings)) = types.get_mut(at) else { continue };
        tally.merge(&of_type.tally);
        for encoding in &of_type.encodings {
            match encodings.iter_mut().find(|(name, _)| *name == encoding.loaded_as) {
                Some((_, tally)) => tally.merge(&encoding.tally),
                None => encodings.push((&encoding.loaded_as, encoding.tally)),
            }
        }
    }
    types.sort_by_key(|(_, tally, _)| Reverse(tally.memory_bytes));
    for (_, _, encodings) in &mut types {
        encodings.sort_by_key(|(_, tally)| Reverse(tally.memory_bytes));
    }
    let lines = types.iter().flat_map(|(kind, tally, encodings)| {
        let whole = Line { label: html! { (kind) }, tally, is_part: false };
        let part = |(name, tally)| Line { label: named(str::as_bytes(name)), tally, is_part: true };
        std::iter::once(whole).chain(encodings.iter().map(|(name, tally)| (*name, tally)).map(part))
    });
    html! {
        section #types aria-labelledby="types-title" {
            h2 #types-title { "Types, encodings and databases" @if report.groups.is_some() { ", groups" } }
            (tallies("Types and the encodings that they have when loaded", "Type", &report.totals, lines))
            (databases(report))
            (groups(report))
        }
    }
}

fn databases(report: &Report) -> Markup {
    if report.databases.len() < 2 && report.other_databases.is_none() {
        return html! {};
    }
    let of = |label: String, tally| Line { label: html! { (label) }, tally, is_part: false };
    let others = report.other_databases.iter().map(|other| of(format!("from {} on", other.from_db), &other.tally));
    let databases = report.databases.iter().take(DATABASES_MAX);
    let lines = databases.map(|database| of(format!("db {}", database.db), &database.tally)).chain(others);
    html! {
        (tallies("Databases", "Database", &report.totals, lines))
        @if report.databases.len() > DATABASES_MAX {
            p.note { "and " (count((report.databases.len() - DATABASES_MAX) as u64)) " more databases" }
        }
    }
}

fn groups(report: &Report) -> Markup {
    let Some(found) = &report.groups else { return html! {} };
    let lines = found.groups.iter().take(GROUPS_MAX).map(|found| Line {
        label: named(found.group.name.as_bytes()),
        tally: &found.tally,
        is_part: false,
    });
    let rest = Line { label: html! { "unclassified" }, tally: &found.unclassified, is_part: false };
    html! {
        (tallies("Groups", "Group", &report.totals, lines.chain([rest])))
        @if found.groups.len() > GROUPS_MAX {
            p.note { "and " (count((found.groups.len() - GROUPS_MAX) as u64)) " more groups" }
        }
    }
}

/// When keys expire, and how much memory that frees by when.
pub(super) fn expiry(report: &Report) -> Markup {
    let mut freed = 0_u64;
    let lines: Vec<_> = report
        .ttl
        .all()
        .into_iter()
        .filter(|(_, tally)| tally.keys > 0)
        .map(|(label, tally)| {
            let is_dated = !matches!(label, "unknown" | "never");
            freed = freed.saturating_add(if is_dated { tally.memory_bytes } else { 0 });
            (label, tally, is_dated.then_some(freed))
        })
        .collect();
    html! {
        section #expiry aria-labelledby="expiry-title" {
            h2 #expiry-title { "Expiry" }
            p.note { (measured_from(report)) }
            (framed(
                "Keys by how soon they expire, and the memory that is free by then",
                false,
                &html! {
                    th scope="col" { "Expires" }
                    th.bars scope="col" { "Memory" }
                    th.number scope="col" { "Bytes" }
                    th.number scope="col" { "Share" }
                    th.number scope="col" { "Keys" }
                    th.number scope="col" { "Free by then" }
                },
                &html! {
                    @for (label, tally, freed) in lines {
                        tr {
                            th scope="row" { (label) }
                            td.bars { (bar(tally.memory_bytes, report.totals.memory_bytes)) }
                            td.number { (bytes(tally.memory_bytes)) }
                            td.number { (share(tally.memory_bytes, report.totals.memory_bytes)) }
                            td.number { (count(tally.keys)) }
                            td.number { @if let Some(freed) = freed { (bytes(freed)) } @else { "-" } }
                        }
                    }
                },
            ))
            @if let Some(days) = &report.expiry_days { (calendar(days)) }
        }
    }
}

/// What times to live are measured from.
fn measured_from(report: &Report) -> String {
    let known = || report.dumps.iter().filter_map(|dump| dump.ttl_measured_at_ms);
    let whose =
        if report.dumps.iter().any(|dump| dump.is_now_given) { "the given time" } else { "when the dump was made" };
    match (known().min(), known().max()) {
        (Some(first), Some(last)) if first == last => format!("Measured from {whose}, {}.", moment(first)),
        (Some(first), Some(last)) => format!("Measured from {whose}, {} to {}.", moment(first), moment(last)),
        _ => "No dump says when it was made; use --now to give the time.".to_owned(),
    }
}

/// How large keys are, and how long unused.
pub(super) fn sizes(report: &Report) -> Markup {
    let mut all = Sizes::default();
    for of_kind in &report.sizes {
        all.merge(&of_kind.memory_bytes);
    }
    let from_bytes = |sizes: &Sizes| -> Vec<(String, u64)> {
        sizes.buckets().map(|bucket| (format!("from {}", bytes(bucket.at_least)), bucket.keys)).collect()
    };
    let idle: Vec<(String, u64)> =
        report.idle_seconds.iter().map(|bucket| (format!("from {}", duration(bucket.at_least)), bucket.keys)).collect();
    let mut frequencies: Vec<(String, u64)> = Vec::new();
    for of in &report.frequencies {
        let label = format!("{} to {}", of.frequency / 32 * 32, of.frequency / 32 * 32 + 31);
        match frequencies.last_mut().filter(|(last, _)| *last == label) {
            Some((_, keys)) => *keys += of.keys,
            None => frequencies.push((label, of.keys)),
        }
    }
    html! {
        section #sizes aria-labelledby="sizes-title" {
            h2 #sizes-title { "Sizes and use" }
            (percentiles(report))
            (histogram("Keys by memory", "Memory", &from_bytes(&all)))
            (histogram("Keys by time unused (LRU)", "Unused", &idle))
            (histogram("Keys by LFU counter", "Counter", &frequencies))
        }
    }
}

/// The percentiles of each type's memory.
fn percentiles(report: &Report) -> Markup {
    html! {
        (framed(
            "Memory of a key: so many keys of a type take no more",
            false,
            &html! {
                th scope="col" { "Type" }
                @for title in ["50 %", "90 %", "99 %", "99.9 %", "all"] { th.number scope="col" { (title) } }
            },
            &html! {
                @for KindSpreads { kind, memory_bytes: memory, .. } in &report.percentiles {
                    tr {
                        th scope="row" { (kind) }
                        @for permille in [500, 900, 990, 999] { td.number { (bytes(memory.permille(permille))) } }
                        td.number { (bytes(memory.max())) }
                    }
                }
            },
        ))
    }
}

/// Whether there are streams or modules.
pub(super) fn has_rest(report: &Report) -> bool {
    report.streams.streams > 0 || !report.modules.names.is_empty()
}

/// Streams and modules.
pub(super) fn rest(report: &Report) -> Markup {
    if !has_rest(report) {
        return html! {};
    }
    let streams = &report.streams;
    let modules = &report.modules.names;
    let mut largest: Vec<_> = modules.iter().collect();
    largest.sort_by_key(|module| Reverse(module.tally.serialized_bytes));
    html! {
        section #rest aria-labelledby="rest-title" {
            h2 #rest-title { @if modules.is_empty() { "Streams" } @else { "Streams and modules" } }
            @if streams.streams > 0 {
                dl.facts {
                    (fact("streams", count(streams.streams)))
                    (fact("with groups", count(streams.with_groups)))
                    (fact("groups", count(streams.groups)))
                    (fact("entries pending", count(streams.pending)))
                }
            }
            @if !modules.is_empty() {
                (framed(
                    "Values of modules",
                    false,
                    &html! {
                        th scope="col" { "Module type" }
                        th.number scope="col" { "Keys" }
                        th.number scope="col" { "In the dump" }
                    },
                    &html! {
                        @for module in largest.iter().take(MODULES_MAX) {
                            tr {
                                th scope="row" { (named(module.name.bytes())) }
                                td.number { (count(module.tally.keys)) }
                                td.number { (bytes(module.tally.serialized_bytes)) }
                            }
                        }
                    },
                ))
                @if modules.len() > MODULES_MAX {
                    p.note { "and " (counted((modules.len() - MODULES_MAX) as u64, "more type", "more types")) }
                }
            }
        }
    }
}
