//! Shards and slots: how evenly a cluster is filled.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::parts::{Line, named, tallies};
use crate::output::human::{bytes, count};
use crate::report::{Report, SlotTally, Tally};

/// Dumps with a line each.
const DUMPS_MAX: usize = 256;

/// Slots that are listed.
const SLOTS_MAX: usize = 10;

/// Whether there is anything to say.
pub(super) fn has_any(report: &Report) -> bool {
    report.dumps.len() > 1 || report.slots.as_ref().is_some_and(|slots| !slots.slots.is_empty())
}

/// The section; nothing of a single dump without slots.
pub(super) fn section(report: &Report) -> Markup {
    if !has_any(report) {
        return html! {};
    }
    html! {
        section #cluster aria-labelledby="cluster-title" {
            h2 #cluster-title { "Shards and slots" }
            @if report.dumps.len() > 1 { (shards(report)) }
            @if let Some(slots) = report.slots.as_ref().filter(|slots| !slots.slots.is_empty()) {
                (strip(report, &slots.slots))
            }
        }
    }
}

fn shards(report: &Report) -> Markup {
    let lines = report.dumps.iter().take(DUMPS_MAX).map(|dump| Line {
        label: named(dump.shard.as_deref().unwrap_or(&dump.name).as_bytes()),
        tally: &dump.keys,
        is_part: false,
    });
    html! {
        (tallies("Dumps", "Dump", &report.totals, lines))
        @if report.dumps.len() > DUMPS_MAX {
            p.note { "and " (count((report.dumps.len() - DUMPS_MAX) as u64)) " more dumps" }
        }
    }
}

fn strip(report: &Report, slots: &[SlotTally]) -> Markup {
    let mut largest: Vec<&SlotTally> = slots.iter().collect();
    largest.sort_by_key(|slot| (Reverse(slot.memory_bytes), slot.slot));
    largest.truncate(SLOTS_MAX);
    let mean = report.totals.memory_bytes / (slots.len() as u64).max(1);
    #[allow(clippy::cast_precision_loss, reason = "for reading")]
    let skew = largest.first().map_or(0, |slot| slot.memory_bytes) as f64 / mean.max(1) as f64;
    let tallied: Vec<(String, Tally)> = largest
        .iter()
        .map(|slot| {
            let tally = Tally {
                keys: slot.keys,
                serialized_bytes: slot.serialized_bytes,
                memory_bytes: slot.memory_bytes,
                keys_without_ttl: slot.keys_without_ttl,
                ..Tally::default()
            };
            (format!("slot {}", slot.slot), tally)
        })
        .collect();
    let lines = tallied.iter().map(|(label, tally)| Line { label: html! { (label) }, tally, is_part: false });
    html! {
        p {
            (count(slots.len() as u64)) " of 16,384 slots have keys. The largest takes "
            (format!("{skew:.1}")) " times the mean of " (bytes(mean)) "."
        }
        div #slots hidden {}
        (tallies("Largest slots", "Slot", &report.totals, lines))
        div #tags hidden {}
    }
}
