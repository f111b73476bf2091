//! Slots of a cluster: which keys lie together, and which hash tags bring them there.

use serde::{Deserialize, Serialize};

use super::names::{Names, NamesFound, hash};
use super::tally::Tally;
use crate::rdb::limits::SLOTS;
use crate::rdb::slot::{hash_tag, slot};

/// Tallies by slot and by hash tag; nothing is held before the first key.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: Vec<SlotTally>,
    tags: Names,
}

/// The keys of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotTally {
    /// The slot.
    pub slot: u16,
    /// The number of the dump that has all its keys: none if several have some, or if the report does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<u32>,
    /// How many keys.
    pub keys: u64,
    /// Bytes of their records in the dump.
    pub serialized_bytes: u64,
    /// Bytes of their memory as `MEMORY USAGE` counts them.
    pub memory_bytes: u64,
    /// Bytes that the allocator gives out for them.
    pub allocated_bytes: u64,
    /// How many never expire.
    pub keys_without_ttl: u64,
}

impl SlotTally {
    fn merge(&mut self, other: &Self) {
        if self.keys == 0 {
            self.dump = other.dump;
        } else if self.dump != other.dump {
            self.dump = None;
        }
        self.keys += other.keys;
        self.serialized_bytes = self.serialized_bytes.saturating_add(other.serialized_bytes);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.keys_without_ttl += other.keys_without_ttl;
    }
}

/// The slots of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsFound {
    /// The slots that have keys.
    pub slots: Vec<SlotTally>,
    /// The hash tags that names have.
    pub tags: NamesFound,
}

impl Slots {
    pub(super) fn add(&mut self, dump: u32, name: &[u8], tally: &Tally) {
        let tag = hash_tag(name);
        let of_slot = SlotTally {
            slot: slot(tag.unwrap_or(name)),
            dump: Some(dump),
            keys: 1,
            serialized_bytes: tally.serialized_bytes,
            memory_bytes: tally.memory_bytes,
            allocated_bytes: tally.allocated_bytes,
            keys_without_ttl: tally.keys_without_ttl,
        };
        self.add_slot(&of_slot);
        if let Some(tag) = tag {
            self.tags.add(tag, (0, hash(tag)), tally);
        }
    }

    fn add_slot(&mut self, of_slot: &SlotTally) {
        if self.slots.is_empty() {
            self.slots = (0..)
                .take(usize::try_from(SLOTS).unwrap_or(0))
                .map(|slot| SlotTally { slot, ..SlotTally::default() })
                .collect();
        }
        if let Some(slot) = self.slots.get_mut(usize::from(of_slot.slot)) {
            slot.merge(of_slot);
        }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        (self.slots.len() * size_of::<SlotTally>()) as u64 + self.tags.held_bytes()
    }

    pub(super) fn merge(&mut self, other: Self) {
        for slot in other.slots.iter().filter(|slot| slot.keys > 0) {
            self.add_slot(slot);
        }
        self.tags.merge(other.tags);
    }

    pub(super) fn finish(self) -> SlotsFound {
        let slots = self.slots.into_iter().filter(|slot| slot.keys > 0).collect();
        SlotsFound { slots, tags: self.tags.finish() }
    }
}

impl SlotsFound {
    /// Adds those of another report, whose dumps come after `dumps_before` others.
    pub(super) fn merge(&mut self, other: Self, dumps_before: u32) {
        let mut all = Slots::default();
        for slot in &self.slots {
            all.add_slot(slot);
        }
        let other = other.numbered_from(dumps_before);
        for slot in &other.slots {
            all.add_slot(slot);
        }
        self.slots = all.finish().slots;
        self.tags.merge(other.tags, |tag| (0, hash(tag)));
    }

    /// The same where so many dumps come before its own.
    pub(super) fn numbered_from(mut self, dumps_before: u32) -> Self {
        for slot in &mut self.slots {
            slot.dump = slot.dump.map(|dump| dump.saturating_add(dumps_before));
        }
        self
    }
}
