//! Which slots a shard gives to others until it has no more than the mean.
//!
//! Greedy: each time the heaviest slot that fits goes to the shard that has least. A slot can be moved if one dump has all its
//! keys; a slot that several have is being moved already, or is of several clusters.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::command;
use crate::output::human::{bytes, counted, name};
use crate::rdb::slot::slot;
use crate::report::{DumpInfo, Report, SlotTally, SlotsMoved, TagMoved};

/// A shard of so much more than the mean is level, in percent: `redis-cli --cluster rebalance` does not touch it either.
const LEVEL_PERCENT: u64 = 2;

/// A tag is named if it takes at least 1 in 10 of its slot; so many at most.
const TAG_SHARE: u64 = 10;
const TAGS_MAX: usize = 10;

/// What a sentence names.
const NAMED_MAX: usize = 3;
const NAME_WIDTH: usize = 40;

/// The shards of a cluster while slots are moved between them.
pub(super) struct Level<'r> {
    report: &'r Report,
    mean: u64,
    /// Shards by what they have now, and the dump of each.
    shards: BTreeSet<(u64, u32)>,
    /// The slots of each dump, the first number of equals last.
    slots: BTreeMap<u32, BTreeSet<(u64, Reverse<u16>)>>,
}

impl<'r> Level<'r> {
    /// The shards as they are. Without slots in the report, or if a shard has several dumps, none can be moved.
    pub(super) fn new(report: &'r Report, mean: u64) -> Self {
        let mut level = Self { report, mean, shards: BTreeSet::new(), slots: BTreeMap::new() };
        let Some(found) = &report.slots else { return level };
        let mut names = BTreeSet::new();
        for (number, dump) in (0..).zip(&report.dumps) {
            let Some(shard) = &dump.shard else { continue };
            if !names.insert(shard) {
                return level;
            }
            level.shards.insert((dump.keys.memory_bytes, number));
        }
        for slot in found.slots.iter().filter(|slot| slot.memory_bytes > 0) {
            if let Some(dump) = slot.dump {
                level.slots.entry(dump).or_default().insert((slot.memory_bytes, Reverse(slot.slot)));
            }
        }
        level
    }

    /// The slots that a shard gives to others, with what is moved to the same one together, the most memory first.
    pub(super) fn moves_from(&mut self, from: u32) -> Vec<SlotsMoved> {
        let Some(mut own) = self.slots.remove(&from) else { return Vec::new() };
        let Some(&(mut held, _)) = self.shards.iter().find(|(_, dump)| *dump == from) else { return Vec::new() };
        self.shards.remove(&(held, from));
        let mut given: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        while held > self.mean.saturating_add(self.mean / 100 * LEVEL_PERCENT) {
            let Some((least, to)) = self.shards.first().copied().filter(|(least, _)| *least < held) else { break };
            let fits = (held - self.mean).min(self.mean.saturating_sub(least));
            let Some(moved) = heaviest(&own, fits, held - least) else { break };
            own.remove(&moved);
            let (moved_bytes, Reverse(slot)) = moved;
            self.shards.remove(&(least, to));
            self.shards.insert((least.saturating_add(moved_bytes), to));
            held -= moved_bytes;
            given.entry(to).or_default().insert(slot);
        }
        self.shards.insert((held, from));
        let mut moves: Vec<SlotsMoved> = given.into_iter().map(|(to, slots)| self.moved(to, &slots)).collect();
        moves.sort_by(|a, b| (Reverse(a.memory_bytes), &a.to).cmp(&(Reverse(b.memory_bytes), &b.to)));
        moves
    }

    fn moved(&self, to: u32, slots: &BTreeSet<u16>) -> SlotsMoved {
        let of_shard =
            usize::try_from(to).ok().and_then(|to| self.report.dumps.get(to)).and_then(|dump| dump.shard.clone());
        let found = self.report.slots.as_ref();
        let tallies: BTreeMap<u16, &SlotTally> = found
            .iter()
            .flat_map(|found| &found.slots)
            .filter(|tally| slots.contains(&tally.slot))
            .map(|tally| (tally.slot, tally))
            .collect();
        // A stand-in for a name is in another slot than the name.
        let tags = found.filter(|_| self.report.redacted.is_none()).into_iter().flat_map(|found| &found.tags.names);
        let tags = tags.filter_map(|tag| {
            let slot = slot(tag.name.bytes());
            let of_slot = tallies.get(&slot)?;
            let is_heavy = tag.tally.memory_bytes.saturating_mul(TAG_SHARE) >= of_slot.memory_bytes;
            let (keys, memory_bytes) = (tag.tally.keys, tag.tally.memory_bytes);
            is_heavy.then(|| TagMoved { name: tag.name.clone(), slot, keys, memory_bytes })
        });
        let mut tags: Vec<TagMoved> = tags.collect();
        tags.sort_by(|a, b| (Reverse(a.memory_bytes), &a.name).cmp(&(Reverse(b.memory_bytes), &b.name)));
        tags.truncate(TAGS_MAX);
        SlotsMoved {
            to: of_shard.unwrap_or_default(),
            slots: ranges(slots),
            keys: tallies.values().map(|tally| tally.keys).fold(0, u64::saturating_add),
            memory_bytes: tallies.values().map(|tally| tally.memory_bytes).fold(0, u64::saturating_add),
            tags,
        }
    }
}

/// The heaviest slot of at most `fits_bytes`; where there is none, the lightest, if that at least halves the distance between
/// both shards.
fn heaviest(own: &BTreeSet<(u64, Reverse<u16>)>, fits_bytes: u64, distance_bytes: u64) -> Option<(u64, Reverse<u16>)> {
    let fits = own.range(..=(fits_bytes, Reverse(0))).next_back();
    fits.or_else(|| own.first().filter(|(bytes, _)| *bytes <= distance_bytes / 4 * 3)).copied()
}

fn ranges(slots: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for slot in slots {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*slot) => *last = *slot,
            _ => ranges.push((*slot, *slot)),
        }
    }
    ranges
}

/// How many slots, of how many bytes.
pub(super) fn sums(moves: &[SlotsMoved]) -> (u64, u64) {
    let slots = moves.iter().flat_map(|moved| &moved.slots).map(|(first, last)| u64::from(last - first) + 1).sum();
    (slots, moves.iter().map(|moved| moved.memory_bytes).fold(0, u64::saturating_add))
}

/// What to do, in a sentence.
pub(super) fn sentence(moves: &[SlotsMoved]) -> String {
    let (slots, memory_bytes) = sums(moves);
    let to = |moved: &SlotsMoved| {
        let named = moved
            .slots
            .iter()
            .take(NAMED_MAX)
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
        let mut named = named.collect::<Vec<_>>().join(", ");
        if moved.slots.len() > NAMED_MAX {
            let more = (moved.slots.len() - NAMED_MAX) as u64;
            _ = write!(named, " and {}", counted(more, "more range", "more ranges"));
        }
        format!("{named} ({}) to {}", bytes(moved.memory_bytes), name(moved.to.as_bytes(), NAME_WIDTH))
    };
    let mut text = format!(
        "Move {} with {}: {}",
        counted(slots, "slot", "slots"),
        bytes(memory_bytes),
        moves.iter().take(NAMED_MAX).map(to).collect::<Vec<_>>().join("; ")
    );
    if moves.len() > NAMED_MAX {
        let more = (moves.len() - NAMED_MAX) as u64;
        _ = write!(text, "; the rest to {}", counted(more, "more shard", "more shards"));
    }
    let tag = moves.iter().flat_map(|moved| &moved.tags).max_by_key(|tag| (tag.memory_bytes, Reverse(tag.slot)));
    if let Some(tag) = tag {
        let name = name(tag.name.bytes(), NAME_WIDTH);
        let (slot, memory) = (tag.slot, bytes(tag.memory_bytes));
        _ = write!(text, "; the heaviest hash tag in them is {{{name}}} of slot {slot} with {memory}");
    }
    text + "."
}

/// The commands that move them, for servers that can be asked to: Redis since 8.4 at the shard that takes them, Valkey since
/// 9.0 at the one that gives them.
pub(super) fn commands(dump: &DumpInfo, moves: &[SlotsMoved]) -> Vec<String> {
    let of = |moved: &SlotsMoved| {
        let slots: Vec<String> = moved.slots.iter().map(|(first, last)| format!(" {first} {last}")).collect();
        let (slots, to) = (slots.concat(), at(&moved.to)?);
        match dump.target.as_str() {
            "redis-8.4" | "redis-8.6" | "redis-8.8" | "redis-8.10" => {
                Some(format!("redis-cli {to} CLUSTER MIGRATION IMPORT{slots}"))
            }
            "valkey-9.0" | "valkey-9.1" => {
                let from = at(dump.shard.as_deref()?)?;
                let node = format!("\"$(redis-cli {to} CLUSTER MYID)\"");
                Some(format!("redis-cli {from} CLUSTER MIGRATESLOTS SLOTSRANGE{slots} NODE {node}"))
            }
            _ => None,
        }
    };
    moves.iter().take(NAMED_MAX).filter_map(of).collect()
}

/// The options of `redis-cli` for a shard.
fn at(shard: &str) -> Option<String> {
    let (host, port) = shard.rsplit_once(':')?;
    Some(format!("-h {} -p {}", command::word(host), command::word(port)))
}
