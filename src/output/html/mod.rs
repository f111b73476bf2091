//! The report as one HTML file, for a ticket or a meeting: it opens without a network, asks for nothing, and shows names as
//! text whatever is in them.
//!
//! What can be read without a script is written here, one file a part of the page. The script beside it draws the map and
//! the lists from one block of JSON. The page's policy lets this script and this style sheet run, by their hashes, and
//! forbids everything else, so that nothing of a dump can become code.

mod breakdown;
mod calendar;
mod cluster;
mod data;
pub mod difference;
mod difference_data;
mod document;
mod dumps;
mod foot;
mod moves;
mod parts;
mod rows;
mod suspects;
mod tallies;

use std::io::{self, Write};

use maud::{Markup, html};

use crate::report::Report;
use document::Document;
pub(crate) use document::{STYLE, hash};

/// Files of one script, in the order in which they need each other.
const SCRIPT: &str = concat!(
    "\"use strict\";\n{\n",
    include_str!("names.js"),
    include_str!("numbers.js"),
    include_str!("parts.js"),
    include_str!("data.js"),
    include_str!("state.js"),
    include_str!("hand.js"),
    include_str!("layout.js"),
    include_str!("colours.js"),
    include_str!("map.js"),
    include_str!("report_map.js"),
    include_str!("list.js"),
    include_str!("lists.js"),
    include_str!("slots.js"),
    include_str!("page.js"),
    "}\n",
);

/// The sections of the page: their ids, and what the table of contents calls them.
const SECTIONS: [(&str, &str); 12] = [
    ("dumps", "Dumps"),
    ("suspects", "What to do"),
    ("map", "Map"),
    ("keys", "Keys"),
    ("prefixes", "Prefixes"),
    ("breakdown", "Keys of prefixes"),
    ("types", "Types"),
    ("expiry", "Expiry"),
    ("sizes", "Sizes"),
    ("cluster", "Cluster"),
    ("rest", "Streams and modules"),
    ("unknown", "Not known"),
];

/// Writes the page. `arguments` are what the program was called with, for its foot.
///
/// The same report and arguments give the same bytes.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, arguments: &[String], to: &mut dyn Write) -> io::Result<()> {
    let data = data::block(report)?;
    to.write_all(page(report, arguments, &data).into_string().as_bytes())
}

/// Whether the page has a section.
fn has(report: &Report, id: &str) -> bool {
    match id {
        "suspects" => !report.findings.is_empty(),
        "breakdown" => breakdown::has_any(report),
        "cluster" => cluster::has_any(report),
        "rest" => tallies::has_rest(report),
        _ => true,
    }
}

fn page(report: &Report, arguments: &[String], data: &data::Block) -> Markup {
    document::page(&Document {
        title: &dumps::title(report),
        script: SCRIPT,
        data: &data.json,
        sections: SECTIONS.into_iter().filter(|(id, _)| has(report, id)).collect(),
        head: dumps::head(report),
        main: html! {
            (dumps::section(report))
            (suspects::section(report))
            (tallies::totals(report))
            (interactive(data))
            (breakdown::section(report))
            (tallies::types(report))
            (tallies::expiry(report))
            (tallies::sizes(report))
            (cluster::section(report))
            (tallies::rest(report))
            (foot::unknown(report, data))
        },
        foot: foot::foot(report, arguments),
    })
}

/// What the script fills in: hidden without it.
fn interactive(data: &data::Block) -> Markup {
    html! {
        section #map hidden aria-labelledby="map-title" { h2 #map-title { "Where the memory is" } }
        section #keys hidden aria-labelledby="keys-title" {
            h2 #keys-title { "Largest keys" }
            @if data.keys_left_out > 0 {
                p.note { (data.keys_note()) }
            }
        }
        section #prefixes hidden aria-labelledby="prefixes-title" { h2 #prefixes-title { "Prefixes" } }
    }
}
