//! Tallies by name, in bounded memory, and the same whoever added what: of more names than there is room for, those that
//! come first in an order that follows from the names alone.
//!
//! A name that is among the first of all names is among the first of any part of them. So it is held from when it is
//! first met, wherever that is, and its sums are exact; a name that comes too late in the order is dropped for good, and
//! what it had is not lost but in the sum of all (the "other" of a report).

use std::collections::BTreeMap;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::breakdown::{self, Breakdown};
use super::tally::Tally;
use super::text::Name;
use super::weight::Weight;

/// A name's place in the order: the class it is given, then a hash.
pub(super) type Rank = (u16, u64);

/// Tallies by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    held: HashTable<Named>,
    /// The first rank that there was no room for.
    limit: Option<Rank>,
    /// Whether names were met that have no tally of their own, being too long.
    has_longer: bool,
    held_bytes: u64,
}

/// A name and its tally.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) rank: Rank,
    pub(super) name: Box<[u8]>,
    pub(super) tally: Tally,
}

impl Named {
    fn held_bytes(&self) -> u64 {
        (size_of::<Self>() + self.name.len()) as u64
    }
}

/// Names that are held; twice as many while keys are added. A node of a piece takes some 200 bytes.
const NAMES_MAX: usize = 2048;

/// Longer names have no tally of their own.
pub(super) const NAME_BYTES_MAX: usize = 128;

impl Names {
    /// Whether a name may be held: whether it comes before the limit, and is not too long. `rank` must follow from the name.
    #[inline]
    pub(super) fn has_room(&self, name: &[u8], rank: Rank) -> bool {
        name.len() <= NAME_BYTES_MAX && self.limit.is_none_or(|limit| rank < limit)
    }

    /// The tally of a name that is held.
    #[inline]
    pub(super) fn find(&mut self, name: &[u8], rank: Rank) -> Option<&mut Tally> {
        let named = self.held.find_mut(rank.1, |named| named.rank == rank && *named.name == *name);
        named.map(|named| &mut named.tally)
    }

    /// Holds a name that is not held yet.
    pub(super) fn hold(&mut self, name: &[u8], rank: Rank, tally: Tally) {
        let named = Named { rank, name: name.into(), tally };
        self.held_bytes += named.held_bytes();
        self.held.insert_unique(rank.1, named, |named| named.rank.1);
    }

    /// Adds to a name's tally, if there is room for it.
    pub(super) fn add(&mut self, name: &[u8], rank: Rank, tally: &Tally) {
        if !self.has_room(name, rank) {
            self.has_longer |= name.len() > NAME_BYTES_MAX;
            return;
        }
        if let Some(held) = self.find(name, rank) {
            return held.merge(tally);
        }
        self.hold(name, rank, *tally);
        if self.has_too_many() {
            self.cut();
        }
    }

    /// Whether it is time to cut.
    pub(super) fn has_too_many(&self) -> bool {
        self.held.len() > 2 * NAMES_MAX
    }

    /// Drops the names that come last, if there are more than may be held in the end; returns them.
    pub(super) fn cut(&mut self) -> Vec<Named> {
        if self.held.len() <= NAMES_MAX {
            return Vec::new();
        }
        let mut ranks: Vec<Rank> = self.held.iter().map(|named| named.rank).collect();
        ranks.sort_unstable();
        self.lower(ranks.get(NAMES_MAX).copied())
    }

    /// Drops the names from a limit on, if that is lower than the present one; returns them.
    pub(super) fn lower(&mut self, limit: Option<Rank>) -> Vec<Named> {
        let Some(limit) = limit.filter(|limit| self.limit.is_none_or(|old| *limit < old)) else { return Vec::new() };
        self.limit = Some(limit);
        let dropped: Vec<Named> = self.held.extract_if(|named| named.rank >= limit).collect();
        self.held_bytes -= dropped.iter().map(Named::held_bytes).sum::<u64>();
        dropped
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.lower(other.limit);
        self.has_longer |= other.has_longer;
        for Named { rank, name, tally } in other.held {
            self.add(&name, rank, &tally);
        }
    }

    /// The names that are held in the end, in the order of their bytes, and whether they are all.
    pub(super) fn finish(mut self) -> NamesFound {
        self.cut();
        let name_tally = |Named { name, tally, .. }| NameTally::new(Name::new(name.into_vec()), tally);
        let mut names: Vec<NameTally> = self.held.into_iter().map(name_tally).collect();
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        // Where names were cut off, it is not known whether longer ones are among them.
        let has_longer = self.has_longer && self.limit.is_none();
        NamesFound { is_complete: self.limit.is_none() && !has_longer, has_longer, limit: self.limit, names }
    }
}

/// Tallies by name, as they stand in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesFound {
    /// Whether every name that was met is listed.
    pub is_complete: bool,
    /// Whether there is room for all names but those of more than 128 bytes, or of more than eight parts where they are
    /// prefixes, and there are such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_longer: bool,
    /// Where the order was cut, for merging: what comes before it is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<Rank>,
    /// The names, in the order of their bytes.
    pub names: Vec<NameTally>,
}

/// A name and what is under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameTally {
    /// The name.
    #[serde(flatten)]
    pub name: Name,
    /// All keys under it.
    #[serde(flatten)]
    pub tally: Tally,
    /// Of a prefix: its keys that have no longer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Weight>,
    /// Of a prefix that was not counted from its first key on: the most that its sums lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_max: Option<Weight>,
    /// Of a prefix: its keys in classes, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Box<Breakdown>>,
}

impl NameTally {
    /// A name of which nothing else is known.
    pub(super) fn new(name: Name, tally: Tally) -> Self {
        Self { name, tally, own: None, missed_max: None, breakdown: None }
    }

    /// Adds the keys of the same name elsewhere; what both lack is not looked at.
    pub(super) fn add(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.own = sum(self.own, other.own);
        self.breakdown = breakdown::merged(self.breakdown.take(), other.breakdown.as_deref());
    }
}

impl NamesFound {
    /// Writes names as `map` has them, those that get the same one together. Where the order of names was cut, none comes before
    /// the cut any more: a merged report lists none of them.
    pub(super) fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        self.names = mapped(std::mem::take(&mut self.names), map);
        self.limit = self.limit.map(|_| Rank::default());
    }

    pub(super) fn merge(&mut self, other: Self, rank: impl Fn(&[u8]) -> Rank) {
        let mut all = Names::default();
        for found in [std::mem::take(self), other] {
            all.lower(found.limit);
            all.has_longer |= found.has_longer;
            for NameTally { name, tally, .. } in found.names {
                all.add(name.bytes(), rank(name.bytes()), &tally);
            }
        }
        *self = all.finish();
    }
}

/// Tallies under other names, those that get the same one together, in the order of the names' bytes.
pub(super) fn mapped(names: Vec<NameTally>, map: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<NameTally> {
    let mut all: BTreeMap<Name, NameTally> = BTreeMap::new();
    for found in names {
        let name = Name::new(map(found.name.bytes()));
        match all.get_mut(&name) {
            None => _ = all.insert(name.clone(), NameTally { name, ..found }),
            Some(known) => {
                known.add(&found);
                known.missed_max = sum(known.missed_max, found.missed_max);
            }
        }
    }
    all.into_values().collect()
}

fn sum(mine: Option<Weight>, theirs: Option<Weight>) -> Option<Weight> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => Some(mine.and(theirs)),
        (mine, theirs) => mine.or(theirs),
    }
}

/// A hash of bytes that is the same on every machine, eight bytes at a time. It decides which of many names are held, and
/// need not withstand who looks for names that meet: they are told apart by their bytes.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte));
    hash_words(words, last.to_le_bytes(), u64::MAX, bytes.len())
}

/// As [`hash`] of the first bytes of many, which lie in words.
#[inline(always)]
pub(super) fn hash_first(words: &[[u8; 8]], bytes: usize) -> u64 {
    let (first, rest) = words.split_at_checked(bytes / 8).unwrap_or((words, &[]));
    let valid = (1 << (8 * (bytes % 8))) - 1;
    hash_words(first, rest.first().copied().unwrap_or_default(), valid, bytes)
}

#[inline]
fn hash_words(words: &[[u8; 8]], last: [u8; 8], valid: u64, bytes: usize) -> u64 {
    let start = 0x243f_6a88_85a3_08d3 ^ bytes as u64;
    let hash = words.iter().fold(start, |hash, word| mix(hash ^ u64::from_le_bytes(*word)));
    mix(hash ^ u64::from_le_bytes(last) & valid)
}

/// Both halves of a product in one word: each bit of it depends on most of the factor's.
#[inline]
fn mix(word: u64) -> u64 {
    let product = u128::from(word) * 0x9e37_79b9_7f4a_7c15;
    #[allow(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    let halves = (product as u64, (product >> 64) as u64);
    halves.0 ^ halves.1
}
