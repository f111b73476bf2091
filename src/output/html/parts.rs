//! What the sections of the page are made of: names, bars, facts and tables of tallies.

use std::fmt::Write;

use maud::{Markup, html};

use crate::error::Visible;
use crate::output::human::{bytes, count, share};
use crate::report::{Name, Tally};

/// Files with a digest each.
const DIGESTS_MAX: usize = 32;

/// A name as text of its own direction, with what cannot be seen in it made visible.
pub(super) fn named(name: &[u8]) -> Markup {
    if name.is_empty() {
        return html! { bdi.name { "\"\"" } };
    }
    html! { bdi.name { (Visible(name).to_string()) } }
}

/// The link to a prefix on the map, as `state.js` reads it.
pub(super) fn map_link(prefix: &Name) -> String {
    let mut link = "#map&at=p%3A".to_owned();
    for byte in prefix.to_string().bytes() {
        if byte.is_ascii_alphanumeric() { link.push(char::from(byte)) } else { _ = write!(link, "%{byte:02X}") }
    }
    link
}

/// A bar of a part of a whole: what is not nothing is seen.
pub(super) fn bar(part: u64, whole: u64) -> Markup {
    let parts = u128::from(part.min(whole)) * 1000 / u128::from(whole.max(1));
    let width = parts.max(u128::from(part > 0) * 4);
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(width) height="10" {}
        }
    }
}

/// A label and a value, of a list of facts.
pub(super) fn fact(label: &str, value: impl maud::Render) -> Markup {
    html! { div { dt { (label) } dd { (value) } } }
}

/// The digests of files, a line each; of many the first.
pub(super) fn digests<'d>(files: impl Iterator<Item = (&'d str, &'d str)>) -> Markup {
    html! {
        @for (name, sha256) in files.take(DIGESTS_MAX) {
            p { "SHA-256 " code { (Visible(sha256.as_bytes()).to_string()) } " " (named(name.as_bytes())) }
        }
    }
}

/// A line of a table of tallies.
pub(super) struct Line<'t> {
    pub(super) label: Markup,
    pub(super) tally: &'t Tally,
    /// Whether it is a part of the line before it.
    pub(super) is_part: bool,
}

/// A table in a frame of its own, which scrolls where the page is narrower; `is_narrow` of one that needs no more width than
/// its columns.
pub(super) fn framed(caption: &str, is_narrow: bool, heads: &Markup, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label=(caption) {
            table.histogram[is_narrow] {
                caption { (caption) }
                thead { tr { (heads) } }
                tbody { (rows) }
            }
        }
    }
}

/// A table of keys, memory and bytes in the dump, with bars by memory.
pub(super) fn tallies<'t>(caption: &str, first: &str, totals: &Tally, lines: impl Iterator<Item = Line<'t>>) -> Markup {
    framed(
        caption,
        false,
        &html! {
            th scope="col" { (first) }
            th.bars scope="col" { "Memory" }
            th.number scope="col" { "Bytes" }
            th.number scope="col" { "Share" }
            th.number scope="col" { "Keys" }
            th.number scope="col" { "In the dump" }
            th.number scope="col" { "Never expire" }
        },
        &html! {
            @for Line { label, tally, is_part } in lines {
                tr.part[is_part] {
                    th scope="row" { (label) }
                    td.bars { (bar(tally.memory_bytes, totals.memory_bytes)) }
                    td.number { (bytes(tally.memory_bytes)) }
                    td.number { (share(tally.memory_bytes, totals.memory_bytes)) }
                    td.number { (count(tally.keys)) }
                    td.number { (bytes(tally.serialized_bytes)) }
                    td.number { (share(tally.keys_without_ttl, tally.keys)) }
                }
            }
        },
    )
}

/// A histogram: a label and how many keys, a line each. Nothing if there are none.
pub(super) fn histogram(caption: &str, first: &str, buckets: &[(String, u64)]) -> Markup {
    let most = buckets.iter().map(|(_, keys)| *keys).max().unwrap_or(0);
    if most == 0 {
        return html! {};
    }
    framed(
        caption,
        true,
        &html! {
            th scope="col" { (first) }
            th.bars scope="col" { "Keys" }
            th.number scope="col" { "Number" }
        },
        &html! {
            @for (label, keys) in buckets {
                tr {
                    th scope="row" { (label) }
                    td.bars { (bar(*keys, most)) }
                    td.number { (count(*keys)) }
                }
            }
        },
    )
}
