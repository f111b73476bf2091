//! Slots of a cluster: which keys lie together, and which hash tags bring them there.

use serde::{Deserialize, Serialize};

use super::names::{Names, NamesFound, hash};
use super::tally::Tally;
use crate::rdb::limits::SLOTS;

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
    pub(super) fn add(&mut self, name: &[u8], tally: &Tally) {
        let tag = hash_tag(name);
        let of_slot = SlotTally {
            slot: slot(tag.unwrap_or(name)),
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
    pub(super) fn merge(&mut self, other: Self) {
        let mut all = Slots::default();
        for slot in self.slots.iter().chain(&other.slots) {
            all.add_slot(slot);
        }
        self.slots = all.finish().slots;
        self.tags.merge(other.tags, |tag| (0, hash(tag)));
    }
}

/// What stands between the first `{` and the next `}`, if that is not nothing: the part that a name's slot is made of.
fn hash_tag(name: &[u8]) -> Option<&[u8]> {
    // Most names have none, and this looks at many bytes at a time.
    if !name.iter().fold(false, |found, byte| found | (*byte == b'{')) {
        return None;
    }
    let open = name.iter().position(|byte| *byte == b'{')?;
    let rest = name.get(open + 1..)?;
    let close = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// The slot of a name or hash tag: CRC-16 of XMODEM, modulo 16,384. Eight bytes at a time: zeros before the first byte do not
/// change this CRC, so that the bytes that are too many for whole words come first.
fn slot(bytes: &[u8]) -> u16 {
    let (head, words) = bytes.as_rchunks::<8>();
    let first = match bytes.first_chunk() {
        Some(word) if !head.is_empty() => u64::from_be_bytes(*word) >> (64 - 8 * head.len()),
        _ => head.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let crc = words
        .iter()
        .fold(crc_of_word(first), |crc, word| crc_of_word(u64::from_be_bytes(*word) ^ u64::from(crc) << 48));
    crc & 0x3fff
}

fn crc_of_word(word: u64) -> u16 {
    let bytes = word.to_le_bytes();
    CRC_16.iter().zip(bytes).fold(0, |crc, (table, byte)| crc ^ table.get(usize::from(byte)).copied().unwrap_or(0))
}

/// The CRC of each byte with as many zeros behind it as the table has others before it.
const CRC_16: [[u16; 256]; 8] = crc_16_tables();

#[allow(clippy::indexing_slicing, reason = "a constant, computed while compiling")]
#[allow(clippy::cast_possible_truncation, reason = "below 256")]
const fn crc_16_tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
                bit += 1;
            }
            tables[table][at] = crc;
            table += 1;
        }
        at += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_as_clusters_count_them() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
        // Byte by byte, as the CRC is defined.
        let slowly = |bytes: &[u8]| {
            bytes.iter().fold(0_u16, |crc, byte| {
                (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| crc << 1 ^ if crc >> 15 == 1 { 0x1021 } else { 0 })
            })
        };
        let bytes: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(37) ^ 0x5a).collect();
        for end in 0..bytes.len() {
            assert_eq!(slot(&bytes[..end]), slowly(&bytes[..end]) & 0x3fff, "{end} bytes");
        }
        assert_eq!(hash_tag(b"{user1000}.following"), Some(&b"user1000"[..]));
        assert_eq!(hash_tag(b"foo{}{bar}"), None);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), Some(&b"{bar"[..]));
        assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
    }
}
