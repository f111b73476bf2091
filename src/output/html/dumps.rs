//! What the dumps are and whether they are sound.

use maud::{Markup, html};

use super::parts::{fact, named};
use crate::error::Visible;
use crate::output::human::{bytes, count, counted, moment};
use crate::report::{DumpInfo, Report};

/// Dumps that are described one by one. What was merged of more has its table of shards.
const DUMPS_MAX: usize = 32;

/// Auxiliary fields of a dump that are shown.
const AUX_MAX: usize = 24;

/// Auxiliary fields that other facts say in plain units.
const SAID_AUX: [&str; 2] = ["ctime", "used-mem"];

/// What the page is about, in a few words.
pub(super) fn title(report: &Report) -> String {
    match report.dumps.as_slice() {
        [] => "no dump".to_owned(),
        [dump] => Visible(dump.name.as_bytes()).to_string(),
        [first, rest @ ..] => format!("{} and {} more", Visible(first.name.as_bytes()), rest.len()),
    }
}

/// The title and the verdict.
pub(super) fn head(report: &Report) -> Markup {
    let broken = report.dumps.iter().filter(|dump| !dump.is_complete).count() as u64;
    html! {
        header {
            p.brand { "bigkeys report" }
            h1 { bdi { (title(report)) } }
            @if report.is_complete {
                p.verdict.sound { strong { "Sound." } " " (whole(report)) }
            } @else {
                p.verdict.broken {
                    strong { "Incomplete." } " "
                    @if report.dumps.len() > 1 {
                        (counted(broken, "dump is", "dumps are")) " damaged or not read to the end. "
                    }
                    "The figures count what was read."
                }
            }
            @if let Some(mark) = &report.redacted {
                p.note { "Names are stand-ins (redacted: " (mark) ")." }
            }
            @if !report.filters.is_of_all() {
                p.note { "Only keys that pass " bdi { (Visible(report.filters.to_string().as_bytes()).to_string()) } "." }
            }
        }
    }
}

fn whole(report: &Report) -> String {
    let read = report.dumps.iter().map(|dump| dump.bytes).fold(0_u64, u64::saturating_add);
    let what = match report.dumps.len() {
        1 => "The dump was".to_owned(),
        dumps => format!("All {} dumps were", count(dumps as u64)),
    };
    format!("{what} read to the end: {}, {}.", bytes(read), counted(report.totals.keys, "key", "keys"))
}

/// Each dump with its facts.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section #dumps aria-labelledby="dumps-title" {
            h2 #dumps-title { @if report.dumps.len() == 1 { "The dump" } @else { "The dumps" } }
            @for (number, dump) in report.dumps.iter().take(DUMPS_MAX).enumerate() {
                @if let Some(damage) = &dump.damage {
                    p.broken { bdi { (Visible(damage.as_bytes()).to_string()) } }
                }
                details open[number == 0 && report.dumps.len() == 1] {
                    summary { (named(dump.name.as_bytes())) ": " (short(dump)) }
                    (facts(dump))
                }
            }
            @if report.dumps.len() > DUMPS_MAX {
                p.note { "and " (count((report.dumps.len() - DUMPS_MAX) as u64)) " more dumps" }
            }
        }
    }
}

/// What wrote it, and how large it is.
fn short(dump: &DumpInfo) -> String {
    let version = dump.aux.iter().find(|(name, _)| name.ends_with("-ver")).map_or("", |(_, version)| version);
    let server = Visible(format!("{} {version}", dump.dialect).trim_end().as_bytes()).to_string();
    format!("{server}, RDB {}, {}, {}", dump.rdb_version, bytes(dump.bytes), counted(dump.keys.keys, "key", "keys"))
}

fn facts(dump: &DumpInfo) -> Markup {
    html! {
        dl.facts {
            @if let Some(shard) = &dump.shard { (fact("shard", named(shard.as_bytes()))) }
            (fact("read", if dump.is_complete { "to the end, sound" } else { "not to the end" }))
            @if let Some(at_ms) = dump.ttl_measured_at_ms {
                (fact(if dump.is_now_given { "TTLs measured from (given)" } else { "made at" }, moment(at_ms)))
            }
            @if let Some(used) = dump.used_memory_bytes { (fact("used_memory when written", bytes(used))) }
            @if let Some(server) = &dump.server {
                (fact("used_memory when loaded", bytes(server.used_memory_bytes)))
                (fact("of that tables of keys", bytes(server.tables_bytes)))
            }
            (fact("memory model", format!("{} with {}", dump.target, dump.allocator)))
            @if dump.functions > 0 {
                (fact("functions", format!(
                    "{}, {}", counted(dump.functions, "library", "libraries"), bytes(dump.functions_bytes)
                )))
            }
            @if let Some(checksum) = &dump.checksum { (fact("CRC-64", named(checksum.as_bytes()))) }
            @if let Some(sha256) = &dump.sha256 { (fact("SHA-256", named(sha256.as_bytes()))) }
            @for (name, value) in dump.aux.iter().filter(|(name, _)| !SAID_AUX.contains(&name.as_str())).take(AUX_MAX) {
                (fact(&Visible(name.as_bytes()).to_string(), named(value.as_bytes())))
            }
        }
    }
}
