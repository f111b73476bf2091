//! The page of a difference: what two moments are, what changed between them, and what is not known.
//!
//! As on the page of a report, what can be read without a script is written here, and the script draws the map and the lists.

use std::io::{self, Write};

use maud::{Markup, html};

use super::difference_data::{self, Block};
use super::document::{self, Document};
use super::moves;
use super::parts::{digests, fact, framed, named};
use crate::compare::{Amount, Change, Difference, KeyChanges, Moved, Pace, Side, TopChanges};
use crate::error::Visible;
use crate::output::human::{bytes, count, counted, duration, moment, share, signed_bytes, signed_count, signed_share};

/// Files of one script, in the order in which they need each other.
const SCRIPT: &str = concat!(
    "\"use strict\";\n{\n",
    include_str!("names.js"),
    include_str!("numbers.js"),
    include_str!("parts.js"),
    include_str!("state.js"),
    include_str!("hand.js"),
    include_str!("layout.js"),
    include_str!("map.js"),
    include_str!("list.js"),
    include_str!("changes.js"),
    include_str!("change_lists.js"),
    include_str!("change_page.js"),
    "}\n",
);

/// The sections of the page: their ids, and what the table of contents calls them.
const SECTIONS: [(&str, &str); 8] = [
    ("sides", "Old and new"),
    ("moves", "What changed most"),
    ("map", "Map"),
    ("prefixes", "Prefixes"),
    ("became", "What became of keys"),
    ("keys", "Keys"),
    ("types", "Types"),
    ("unknown", "Not known"),
];

/// Dumps of a side that are named.
const DUMPS_MAX: usize = 8;

/// Databases and groups with a line each.
const LINES_MAX: usize = 64;

/// Writes the page. `arguments` are what the program was called with, for its foot.
///
/// The same difference and arguments give the same bytes.
///
/// # Errors
/// The writer's.
pub fn write(difference: &Difference, arguments: &[String], to: &mut dyn Write) -> io::Result<()> {
    let data = difference_data::block(difference)?;
    let page = document::page(&Document {
        title: &format!("{} to {}", title(&difference.old), title(&difference.new)),
        script: SCRIPT,
        data: &data.json,
        sections: SECTIONS.into_iter().filter(|(id, _)| has(difference, id)).collect(),
        head: head(difference),
        main: html! {
            (sides(difference))
            (moves::section(difference))
            section #map hidden aria-labelledby="map-title" { h2 #map-title { "Where memory changed" } }
            section #prefixes hidden aria-labelledby="prefixes-title" { h2 #prefixes-title { "Prefixes" } }
            @if let Some(keys) = &difference.keys { (became(keys)) }
            (types(difference))
            (unknown(difference, &data))
        },
        foot: foot(difference, arguments),
    });
    to.write_all(page.into_string().as_bytes())
}

/// Whether the page has a section.
fn has(difference: &Difference, id: &str) -> bool {
    match id {
        "moves" => moves::has_any(difference),
        "map" => !difference.prefixes.is_empty() || difference.totals.old != difference.totals.new,
        "prefixes" => !difference.prefixes.is_empty(),
        "became" => difference.keys.is_some(),
        "keys" => difference.keys.as_ref().is_some_and(has_listed),
        _ => true,
    }
}

fn has_listed(keys: &KeyChanges) -> bool {
    let TopChanges { came, went, grew, shrank, rewritten, retyped, expiry_changed } = &keys.top;
    [came, went, grew, shrank, rewritten, retyped, expiry_changed].iter().any(|list| !list.is_empty())
}

fn title(side: &Side) -> String {
    match side.dumps.as_slice() {
        [] => "no dump".to_owned(),
        [dump] => visible(dump),
        [first, rest @ ..] => format!("{} and {} more", visible(first), rest.len()),
    }
}

fn visible(text: &str) -> String {
    Visible(text.as_bytes()).to_string()
}

fn head(difference: &Difference) -> Markup {
    let Change { old, keys_change, memory_bytes_change, .. } = &difference.totals;
    let elapsed = difference.pace.map(|pace| format!(" in {}", duration(pace.seconds.unsigned_abs())));
    let elapsed = elapsed.unwrap_or_default();
    html! {
        header {
            p.brand { "bigkeys diff" }
            h1 { bdi { (title(&difference.old)) } " → " bdi { (title(&difference.new)) } }
            @if !difference.is_complete {
                p.verdict.broken {
                    strong { "Incomplete." } " A dump is damaged or not read to the end. The figures count what was read."
                }
            }
            p.verdict {
                @if *memory_bytes_change == 0 && *keys_change == 0 {
                    "As many keys, and as much memory" (elapsed) "."
                } @else {
                    strong { (change_or_same(signed_bytes(*memory_bytes_change))) }
                    " of memory (" (signed_share(*memory_bytes_change, old.memory_bytes)) "), "
                    strong { (change_or_same(signed_count(*keys_change))) } " keys" (elapsed) "."
                }
            }
            @if let Some(mark) = &difference.redacted { p.note { "Names are stand-ins (redacted: " (mark) ")." } }
            @if let Some(only) = &difference.only { p.note { "Only keys that pass " bdi { (visible(only)) } "." } }
        }
    }
}

fn change_or_same(change: String) -> String {
    if change == "-" { "±0".to_owned() } else { change }
}

/// What both sides are, and all their keys.
fn sides(difference: &Difference) -> Markup {
    let sides = [&difference.old, &difference.new];
    let totals = &difference.totals;
    let amounts = [&totals.old, &totals.new];
    let never = |amount: &Amount| share(amount.keys_without_ttl, amount.keys);
    let never_expire = |amount: &Amount| bytes(amount.memory_bytes_without_ttl);
    let used = |side: &Side| side.used_memory_bytes.map_or_else(|| "unknown".to_owned(), bytes);
    html! {
        section #sides aria-labelledby="sides-title" {
            h2 #sides-title { "Old and new" }
            @if let Some(pace) = &difference.pace { (tiles(pace)) }
            (framed(
                "Both sides",
                false,
                &html! {
                    th scope="col" { "Figure" }
                    th scope="col" { "Old" }
                    th scope="col" { "New" }
                },
                &html! {
                    (side_row("Dumps", sides.map(dumps)))
                    (side_row("Made at", sides.map(|side| html! {
                        (side.created_at_ms.map_or_else(|| "unknown".to_owned(), moment))
                    })))
                    (side_row("Memory as on", sides.map(|side| html! { (visible(&side.targets.join(", "))) })))
                    (side_row("used_memory when written", sides.map(|side| html! { (used(side)) })))
                    (side_row("Keys", amounts.map(|amount| html! { (count(amount.keys)) })))
                    (side_row("Memory of the keys", amounts.map(|amount| html! { (bytes(amount.memory_bytes)) })))
                    (side_row("Keys that never expire", amounts.map(|amount| html! { (never(amount)) })))
                    (side_row("Memory that never expires", amounts.map(|amount| html! { (never_expire(amount)) })))
                },
            ))
        }
    }
}

fn side_row(title: &str, cells: [Markup; 2]) -> Markup {
    html! { tr { th scope="row" { (title) } @for cell in cells { td { (cell) } } } }
}

fn dumps(side: &Side) -> Markup {
    html! {
        @for dump in side.dumps.iter().take(DUMPS_MAX) { div { (named(dump.as_bytes())) } }
        @if side.dumps.len() > DUMPS_MAX { div.note { "and " (count((side.dumps.len() - DUMPS_MAX) as u64)) " more" } }
    }
}

fn tiles(pace: &Pace) -> Markup {
    let basis = if pace.basis == "used_memory" { "used_memory a day" } else { "memory of keys a day" };
    html! {
        dl.totals {
            (fact("time between", duration(pace.seconds.unsigned_abs())))
            (fact(basis, change_or_same(signed_bytes(pace.memory_bytes_a_day))))
            (fact("keys a day", change_or_same(signed_count(pace.keys_a_day))))
            @if let Some(limit) = pace.maxmemory_bytes {
                (fact(
                    &format!("{} is full", bytes(limit)),
                    pace.full_at_ms.map_or_else(|| "never at this pace".to_owned(), moment),
                ))
            }
        }
    }
}

/// Types, databases and groups.
fn types(difference: &Difference) -> Markup {
    let all = [("all keys".to_owned(), &difference.totals)];
    let types = difference.types.iter().map(|of| (visible(&of.kind), &of.change));
    let databases = difference.databases.iter().map(|of| (format!("db {}", of.db), &of.change));
    let group = |of: &Option<String>| of.as_deref().map_or_else(|| "unclassified".to_owned(), visible);
    let groups = difference.groups.iter().map(|of| (group(&of.group), &of.change));
    html! {
        section #types aria-labelledby="types-title" {
            h2 #types-title { @if difference.groups.is_empty() { "Types and databases" } @else { "Types, databases and groups" } }
            (changes("Types", "Type", &all.into_iter().chain(types).collect::<Vec<_>>()))
            (changes("Databases", "Database", &databases.collect::<Vec<_>>()))
            @if !difference.groups.is_empty() { (changes("Groups", "Group", &groups.collect::<Vec<_>>())) }
        }
    }
}

/// A table of changes, with bars to both sides of what stayed as it was.
fn changes(caption: &str, first: &str, lines: &[(String, &Change)]) -> Markup {
    let most = lines.iter().map(|(_, change)| change.memory_bytes_change.unsigned_abs()).max().unwrap_or(0);
    let never = |amount: &Amount| share(amount.keys_without_ttl, amount.keys);
    html! {
        (framed(
            caption,
            false,
            &html! {
                th scope="col" { (first) }
                th.bars scope="col" { "Less or more" }
                th.number scope="col" { "Memory" }
                th.number scope="col" { "Change" }
                th.number scope="col" { "Of before" }
                th.number scope="col" { "Keys" }
                th.number scope="col" { "Change" }
                th.number scope="col" { "Never expire" }
            },
            &html! {
                @for (label, change) in lines.iter().take(LINES_MAX) {
                    tr {
                        th scope="row" { bdi { (label) } }
                        td.bars { (bar(change.memory_bytes_change, most)) }
                        td.number { (bytes(change.new.memory_bytes)) }
                        td.number { (signed_bytes(change.memory_bytes_change)) }
                        td.number { (signed_share(change.memory_bytes_change, change.old.memory_bytes)) }
                        td.number { (count(change.new.keys)) }
                        td.number { (signed_count(change.keys_change)) }
                        td.number {
                            @let (was, is) = (never(&change.old), never(&change.new));
                            @if was != is { (was) " → " } (is)
                        }
                    }
                }
            },
        ))
        @if lines.len() > LINES_MAX { p.note { "and " (count((lines.len() - LINES_MAX) as u64)) " more" } }
    }
}

/// A bar to the left for less, to the right for more: what is not nothing is seen.
fn bar(change: i64, most: u64) -> Markup {
    let parts = u128::from(change.unsigned_abs().min(most)) * 500 / u128::from(most.max(1));
    let width = parts.max(u128::from(change != 0) * 4);
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @if change < 0 {
                rect.less x=(500_u128.saturating_sub(width)) width=(width) height="10" {}
            } @else {
                rect.more x="500" width=(width) height="10" {}
            }
            rect.axis x="499" width="2" height="10" {}
        }
    }
}

/// How many keys came, went and changed, and the lists of those that changed most.
fn became(keys: &KeyChanges) -> Markup {
    let counts = &keys.counts;
    let moved = |of: &Moved, sign: &str| (of.keys, format!("{sign}{}", bytes(of.memory_bytes)));
    let only = |keys: u64| (keys, String::new());
    let lines = [
        ("unchanged", only(keys.unchanged)),
        ("came", moved(&counts.came, "+")),
        ("went", moved(&counts.went, "-")),
        ("grew", moved(&counts.grew, "+")),
        ("shrank", moved(&counts.shrank, "-")),
        ("other value", only(counts.value_changed)),
        ("other type", only(counts.type_changed)),
        ("other expiry", only(counts.ttl_changed)),
    ];
    html! {
        section #became aria-labelledby="became-title" {
            h2 #became-title { "What became of keys" }
            (framed(
                "Keys by what became of them; one can have changed in several ways",
                true,
                &html! {
                    th scope="col" { "Keys that" }
                    th.number scope="col" { "Keys" }
                    th.number scope="col" { "Memory" }
                },
                &html! {
                    @for (label, (keys, memory)) in lines {
                        tr {
                            th scope="row" { (label) }
                            td.number { (count(keys)) }
                            td.number { (memory) }
                        }
                    }
                },
            ))
            div #moved hidden { h3 { "By prefix" } }
        }
        section #keys hidden aria-labelledby="keys-title" { h2 #keys-title { "Keys that changed most" } }
    }
}

/// What the figures leave out or rest on.
fn unknown(difference: &Difference, data: &Block) -> Markup {
    let sentences = sentences(difference, data);
    html! {
        section #unknown aria-labelledby="unknown-title" {
            h2 #unknown-title { "What is not known" }
            @if sentences.is_empty() {
                p { "Nothing is left out." }
            } @else {
                ul { @for sentence in &sentences { li { bdi { (visible(sentence)) } } } }
            }
        }
    }
}

fn sentences(difference: &Difference, data: &Block) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |is_so: bool, sentence: String| {
        if is_so {
            sentences.push(sentence);
        }
    };
    let [old, new] = [&difference.old, &difference.new].map(|side| side.targets.join(", "));
    say(
        old != new,
        format!("the memory of the old side is that of {old}, of the new side that of {new}; --target compares alike"),
    );
    say(
        difference.pace.is_none(),
        "the change per day is not known: dumps do not say when they were made, or the new side is not later"
            .to_owned(),
    );
    say(
        difference.prefixes_unknown > 0,
        format!(
            "{} prefixes are listed on one side only, while the other had no room for all of its own",
            count(difference.prefixes_unknown)
        ),
    );
    match &difference.keys {
        None => say(true, "keys were not compared one by one: that needs the dumps of both sides".to_owned()),
        Some(keys) => {
            say(
                keys.compared_as_stored > 0,
                format!(
                    "{} were compared as they are stored: their values cannot be decoded",
                    counted(keys.compared_as_stored, "key", "keys")
                ),
            );
            say(
                !keys.has_all_prefixes,
                "prefixes of more than 8 parts or 128 bytes, or more than there is room for, have no counts of keys"
                    .to_owned(),
            );
            let (counts, top) = (&keys.counts, &keys.top);
            for (list, all, what) in [
                (&top.came, counts.came.keys, "came"),
                (&top.went, counts.went.keys, "went"),
                (&top.grew, counts.grew.keys, "grew"),
                (&top.shrank, counts.shrank.keys, "shrank"),
                (&top.retyped, counts.type_changed, "have another type"),
                (&top.expiry_changed, counts.ttl_changed, "have another expiry"),
            ] {
                let (listed, all_keys) = (count(list.len() as u64), count(all));
                say(
                    (list.len() as u64) < all,
                    format!("{listed} of the {all_keys} keys that {what} are listed; --top lists more"),
                );
            }
        }
    }
    for (left_out, what) in [
        (data.prefixes_left_out, "prefixes that changed least"),
        (data.moved_left_out, "prefixes with the fewest keys that changed"),
        (data.keys_left_out, "keys that changed least"),
    ] {
        say(
            left_out > 0,
            format!("this page leaves out the {} {what}; the JSON of the difference has them", count(left_out as u64)),
        );
    }
    sentences
}

/// Where the page comes from.
fn foot(difference: &Difference, arguments: &[String]) -> Markup {
    let at = |side: &Side| side.created_at_ms.map_or_else(|| "an unknown time".to_owned(), moment);
    html! {
        footer {
            p {
                "bigkeys " (env!("CARGO_PKG_VERSION")) " · figures of " (at(&difference.old)) " and "
                (at(&difference.new))
            }
            p { code { @for argument in arguments { (named(argument.as_bytes())) " " } } }
            @for side in [&difference.old, &difference.new] {
                (digests(side.digests.iter().map(|of| (of.dump.as_str(), of.sha256.as_str()))))
            }
        }
    }
}
