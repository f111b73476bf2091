//! The shape of a cluster: shards and slots that hold much more than others, and hash tags that gather most.

use std::cmp::Reverse;

use super::command;
use super::level::{self, Level};
use crate::output::human::{bytes, count, name, share};
use crate::report::{DumpInfo, Evidence, Finding, NameTally, Report, Severity, SlotsMoved, Subject, SubjectKind};

/// A shard is uneven from 1.4 times the mean on, in percent.
const SHARD_PERCENT: u64 = 140;

/// A slot or tag is named if it has 1 in 50 of all memory, and a slot ten times the mean of slots in use, in percent.
const SLOT_SHARE: u64 = 50;
const SLOT_PERCENT: u64 = 1000;

const NAMED_MAX: usize = 3;
const NAME_WIDTH: usize = 40;

const SOURCE: &str = "kizuna, slot density: a shard of 1.4 times the mean is uneven";

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let mut findings = shards(report);
    findings.extend(slots(report));
    findings.extend(tags(report));
    findings
}

fn percent_of(value: u64, mean: u64) -> u64 {
    let percent = u128::from(value) * 100 / u128::from(mean.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

fn shards(report: &Report) -> Vec<Finding> {
    let shards = (0..).zip(&report.dumps).filter(|(_, dump)| dump.shard.is_some());
    let mut shards: Vec<(u32, &DumpInfo)> = shards.collect();
    if shards.len() < 2 {
        return Vec::new();
    }
    let mean = shards.iter().map(|(_, dump)| dump.keys.memory_bytes).sum::<u64>() / shards.len() as u64;
    shards.retain(|(_, dump)| {
        percent_of(dump.keys.memory_bytes, mean) >= SHARD_PERCENT && dump.keys.memory_bytes - mean >= 64 << 10
    });
    shards.sort_by_key(|(_, dump)| Reverse(dump.keys.memory_bytes));
    let mut level = Level::new(report, mean);
    shards.iter().take(NAMED_MAX).map(|(number, dump)| shard(report, dump, mean, level.moves_from(*number))).collect()
}

fn shard(report: &Report, dump: &DumpInfo, mean: u64, moves: Vec<SlotsMoved>) -> Finding {
    let name_of_shard = dump.shard.as_deref().unwrap_or(&dump.name);
    let percent = percent_of(dump.keys.memory_bytes, mean);
    let above = dump.keys.memory_bytes - mean;
    let mut evidence = vec![
        Evidence::new("memory_bytes", dump.keys.memory_bytes),
        Evidence::new("mean_memory_bytes", mean),
        Evidence::new("percent_of_mean", percent),
        Evidence::new("memory_bytes_above_mean", above),
    ];
    let (slots, moved_bytes) = level::sums(&moves);
    if slots > 0 {
        evidence.push(Evidence::new("slots_moved", slots));
        evidence.push(Evidence::new("memory_bytes_moved", moved_bytes));
    }
    let action = match heaviest_tags(report).first() {
        _ if slots > 0 => level::sentence(&moves),
        None => format!("Move slots with {} to other shards.", bytes(above)),
        Some(tag) => format!(
            "Move slots with {} to other shards; a hash tag moves as a whole, and the heaviest is {{{}}} with {}.",
            bytes(above),
            name(tag.name.bytes(), NAME_WIDTH),
            bytes(tag.tally.memory_bytes)
        ),
    };
    let commands = if slots > 0 {
        level::commands(dump, &moves)
    } else {
        vec![format!("redis-cli --cluster rebalance {}", command::word(name_of_shard))]
    };
    Finding {
        what: format!(
            "Shard {} has {}, {}.{:02} times the mean of {}.",
            name(name_of_shard.as_bytes(), NAME_WIDTH),
            bytes(dump.keys.memory_bytes),
            percent / 100,
            percent % 100,
            bytes(mean)
        ),
        action,
        evidence,
        commands,
        source: Some(SOURCE.into()),
        moves,
        ..Finding::new("shard-skew", Severity::Medium, Subject::named(SubjectKind::Shard, name_of_shard.as_bytes()))
    }
}

fn slots(report: &Report) -> Vec<Finding> {
    let Some(found) = report.slots.as_ref().filter(|found| found.slots.len() > 1) else { return Vec::new() };
    let mean = report.totals.memory_bytes / found.slots.len() as u64;
    let is_heavy = |memory_bytes: u64| {
        let is_uneven = percent_of(memory_bytes, mean) >= SLOT_PERCENT;
        is_uneven && memory_bytes >= (report.totals.memory_bytes / SLOT_SHARE).max(64 << 10)
    };
    let mut slots: Vec<_> = found.slots.iter().filter(|slot| is_heavy(slot.memory_bytes)).collect();
    slots.sort_by_key(|slot| (Reverse(slot.memory_bytes), slot.slot));
    let of = |slot: &&crate::report::SlotTally| Finding {
        what: format!(
            "Slot {} has {} in {} keys, {} of all memory and {} times the mean of slots in use.",
            slot.slot,
            bytes(slot.memory_bytes),
            count(slot.keys),
            share(slot.memory_bytes, report.totals.memory_bytes),
            count(slot.memory_bytes / mean.max(1))
        ),
        action:
            "Give the shard with this slot fewer others, or use hash tags that divide its keys: a slot cannot be split."
                .to_owned(),
        evidence: vec![
            Evidence::new("keys", slot.keys),
            Evidence::new("memory_bytes", slot.memory_bytes),
            Evidence::new("mean_memory_bytes", mean),
        ],
        commands: vec![format!("redis-cli CLUSTER GETKEYSINSLOT {} 10", slot.slot)],
        ..Finding::new(
            "slot-skew",
            Severity::Medium,
            Subject::named(SubjectKind::Slot, slot.slot.to_string().as_bytes()),
        )
    };
    slots.iter().take(NAMED_MAX).map(of).collect()
}

/// The hash tags with much of all memory, the heaviest first.
fn heaviest_tags(report: &Report) -> Vec<&NameTally> {
    let least = (report.totals.memory_bytes / SLOT_SHARE).max(64 << 10);
    let tags = report.slots.iter().flat_map(|found| &found.tags.names);
    let mut tags: Vec<&NameTally> = tags.filter(|tag| tag.tally.memory_bytes >= least).collect();
    tags.sort_by_key(|tag| Reverse(tag.tally.memory_bytes));
    tags
}

fn tags(report: &Report) -> Vec<Finding> {
    // The keys of a tag are a group: no prefix has them all.
    let of = |tag: &NameTally| Finding {
        what: format!(
            "The hash tag {{{}}} gathers {} in {} keys in one slot, {} of all memory.",
            name(tag.name.bytes(), NAME_WIDTH),
            bytes(tag.tally.memory_bytes),
            count(tag.tally.keys),
            share(tag.tally.memory_bytes, report.totals.memory_bytes)
        ),
        action: "Divide it: a tag with a part of an ID in it, such as {tag:3}, spreads the keys over slots.".to_owned(),
        evidence: vec![Evidence::new("keys", tag.tally.keys), Evidence::new("memory_bytes", tag.tally.memory_bytes)],
        ..Finding::new(
            "hash-tag",
            Severity::Low,
            Subject::named(SubjectKind::Group, [b"{", tag.name.bytes(), b"}"].concat()),
        )
    };
    heaviest_tags(report).into_iter().take(NAMED_MAX).map(of).collect()
}
