//! What the keys of the largest prefixes and of groups are: how large, of which types, and how soon they expire.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::parts::{framed, map_link, named};
use crate::output::human::{bytes, count, share};
use crate::report::{Breakdown, ClassWeight, NameTally, Report};

/// Prefixes and groups with a line each.
const PREFIXES_MAX: usize = 24;
const GROUPS_MAX: usize = 24;

/// Types of a line that are named.
const TYPES_MAX: usize = 3;

/// Classes of keys that expire within a day and within 30 days.
const WITHIN_A_DAY: [&str; 3] = ["expired", "under_1_hour", "under_1_day"];
const WITHIN_30_DAYS: [&str; 5] = ["expired", "under_1_hour", "under_1_day", "under_7_days", "under_30_days"];

/// A prefix or group, and its keys.
type Line<'r> = (Markup, &'r Breakdown);

/// Whether there is anything to say.
pub(super) fn has_any(report: &Report) -> bool {
    report.prefixes.found.names.iter().any(|prefix| prefix.breakdown.is_some())
        || report.groups.iter().flat_map(|found| &found.groups).any(|group| group.breakdown.is_some())
}

/// The section; nothing of a report that was made without it.
pub(super) fn section(report: &Report) -> Markup {
    let (prefixes, prefixes_left_out) = prefixes(report);
    let (groups, groups_left_out) = groups(report);
    let lines: Vec<Line<'_>> = prefixes.into_iter().chain(groups).collect();
    if lines.is_empty() {
        return html! {};
    }
    let and_more = |left_out: usize, what: &str| {
        html! {
            @if left_out > 0 { p.note { "and " (count(left_out as u64)) " more " (what) ", which the JSON of the report has" } }
        }
    };
    html! {
        section #breakdown aria-labelledby="breakdown-title" {
            h2 #breakdown-title { "What keys of prefixes are" }
            (sizes(&lines))
            (classes(&lines))
            (and_more(prefixes_left_out, "prefixes"))
            (and_more(groups_left_out, "groups"))
        }
    }
}

/// The prefixes that take most memory, and how many there are besides.
fn prefixes(report: &Report) -> (Vec<Line<'_>>, usize) {
    let all = report.prefixes.found.names.iter();
    let mut all: Vec<(&NameTally, &Breakdown)> =
        all.filter_map(|prefix| Some((prefix, prefix.breakdown.as_deref()?))).collect();
    all.sort_by_key(|(prefix, _)| (Reverse(prefix.tally.memory_bytes), Reverse(prefix.tally.keys)));
    let left_out = all.len().saturating_sub(PREFIXES_MAX);
    let shown = all.into_iter().take(PREFIXES_MAX);
    let line = |(prefix, of): (&NameTally, _)| {
        (html! { a href=(map_link(&prefix.name)) { (named(&report.prefixes.whole(prefix))) } }, of)
    };
    (shown.map(line).collect(), left_out)
}

fn groups(report: &Report) -> (Vec<Line<'_>>, usize) {
    let all = report.groups.iter().flat_map(|found| &found.groups);
    let all: Vec<Line<'_>> = all
        .filter_map(|found| {
            let name = named(found.group.name.as_bytes());
            Some((html! { (name) span.note { " (group)" } }, found.breakdown.as_deref()?))
        })
        .collect();
    let left_out = all.len().saturating_sub(GROUPS_MAX);
    (all.into_iter().take(GROUPS_MAX).collect(), left_out)
}

fn sizes(lines: &[Line<'_>]) -> Markup {
    framed(
        "Memory of a key by prefix and group: so many keys take no more",
        false,
        &html! {
            th scope="col" { "Prefix" }
            @for title in ["50 %", "90 %", "99 %", "99.9 %", "all"] { th.number scope="col" { (title) } }
            th.number scope="col" { "Elements, 99 %" }
        },
        &html! {
            @for (label, found) in lines {
                @let memory = found.memory_bytes.spread();
                tr {
                    th scope="row" { (label) }
                    @for permille in [500, 900, 990, 999] { td.number { (bytes(memory.permille(permille))) } }
                    td.number { (bytes(memory.max())) }
                    td.number { (count(found.elements.spread().permille(990))) }
                }
            }
        },
    )
}

fn classes(lines: &[Line<'_>]) -> Markup {
    framed(
        "Keys by prefix and group: their types, how soon they expire, and how long they were not used",
        false,
        &html! {
            th scope="col" { "Prefix" }
            th scope="col" { "Types" }
            @for title in ["Never expire", "Within a day", "Within 30 days", "Unused for 30 days"] {
                th.number scope="col" { (title) }
            }
        },
        &html! {
            @for (label, Breakdown { types, ttl, idle, .. }) in lines {
                @let keys = types.iter().map(|class| class.weight.keys).sum();
                tr {
                    th scope="row" { (label) }
                    td { (of_types(types, keys)) }
                    td.number { (share_of(ttl, &["never"], keys)) }
                    td.number { (share_of(ttl, &WITHIN_A_DAY, keys)) }
                    td.number { (share_of(ttl, &WITHIN_30_DAYS, keys)) }
                    td.number { @if idle.is_empty() { "unknown" } @else { (share_of(idle, &["later"], keys)) } }
                }
            }
        },
    )
}

/// The types with most keys, and where there are several, the share that each has.
fn of_types(types: &[ClassWeight], keys: u64) -> String {
    let mut types: Vec<&ClassWeight> = types.iter().collect();
    types.sort_by_key(|class| Reverse(class.weight.keys));
    if let [only] = types[..] {
        return only.class.to_string();
    }
    // A type and its share stay in one line.
    let of =
        |class: &&ClassWeight| format!("{} {}", class.class, share(class.weight.keys, keys)).replace(' ', "\u{a0}");
    let named = types.iter().take(TYPES_MAX).map(of);
    let mut text = named.collect::<Vec<_>>().join(", ");
    if types.len() > TYPES_MAX {
        text += ", …";
    }
    text
}

fn share_of(classes: &[ClassWeight], wanted: &[&str], keys: u64) -> String {
    let found = classes.iter().filter(|class| wanted.contains(&&*class.class));
    share(found.map(|class| class.weight.keys).sum(), keys)
}
