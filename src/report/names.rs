//! Tallies by name, in bounded memory, and the same whoever added what: of more names than there is room for, those that
//! come first in an order that follows from the names alone.
//!
//! A name that is among the first of all names is among the first of any part of them. So it is held from when it is
//! first met, wherever that is, and its sums are exact; a name that comes too late in the order is dropped for good, and
//! what it had is not lost but in the sum of all (the "other" of a report).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::Tally;
use super::text::Name;

/// A name's place in the order: the class it is given, then a hash.
pub(super) type Rank = (u16, u64);

/// Tallies by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    held: HashMap<Key, Tally, BuildHasherDefault<Given>>,
    /// The first rank that there was no room for.
    limit: Option<Rank>,
    held_bytes: u64,
}

/// A name with the rank that its hash is part of.
#[derive(Clone, Debug)]
struct Key {
    rank: Rank,
    name: Box<[u8]>,
}

/// A key that owns its name or borrows it, so that looking one up copies nothing.
trait Lookup {
    fn parts(&self) -> (Rank, &[u8]);
}

impl Lookup for Key {
    fn parts(&self) -> (Rank, &[u8]) {
        (self.rank, &self.name)
    }
}

impl Lookup for (Rank, &[u8]) {
    fn parts(&self) -> (Rank, &[u8]) {
        *self
    }
}

impl<'k> Borrow<dyn Lookup + 'k> for Key {
    fn borrow(&self) -> &(dyn Lookup + 'k) {
        self
    }
}

impl Hash for dyn Lookup + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.parts().0.1);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.rank.1);
    }
}

impl PartialEq for dyn Lookup + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Lookup + '_ {}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

/// The hash is in the key.
#[derive(Clone, Copy, Debug, Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Names that are held; twice as many while keys are added. A node of a piece takes some 200 bytes.
const NAMES_MAX: usize = 2048;

/// Longer names have no tally of their own.
pub(super) const NAME_BYTES_MAX: usize = 128;

impl Names {
    /// Adds to a name's tally, if it has one. `rank` must follow from the name.
    #[inline]
    pub(super) fn add(&mut self, name: &[u8], rank: Rank, tally: &Tally) {
        if name.len() > NAME_BYTES_MAX || self.limit.is_some_and(|limit| rank >= limit) {
            return;
        }
        let borrowed: &dyn Lookup = &(rank, name);
        match self.held.get_mut(borrowed) {
            Some(held) => held.merge(tally),
            None => self.insert(Key { rank, name: name.into() }, tally),
        }
    }

    fn insert(&mut self, key: Key, tally: &Tally) {
        let bytes = (size_of::<Key>() + size_of::<Tally>() + key.name.len()) as u64;
        let mut is_new = false;
        let held = self.held.entry(key).or_insert_with(|| {
            is_new = true;
            Tally::default()
        });
        held.merge(tally);
        if is_new {
            self.held_bytes += bytes;
            if self.held.len() > 2 * NAMES_MAX {
                self.cut();
            }
        }
    }

    /// Drops the names that come last.
    fn cut(&mut self) {
        if self.held.len() <= NAMES_MAX {
            return;
        }
        let mut ranks: Vec<Rank> = self.held.keys().map(|key| key.rank).collect();
        ranks.sort_unstable();
        let limit = ranks.get(NAMES_MAX).copied();
        self.limit = limit.map(|limit| self.limit.map_or(limit, |old| old.min(limit))).or(self.limit);
        self.drop_late();
    }

    fn drop_late(&mut self) {
        let Some(limit) = self.limit else { return };
        self.held.retain(|key, _| key.rank < limit);
        self.held_bytes =
            self.held.keys().map(|key| (size_of::<Key>() + size_of::<Tally>() + key.name.len()) as u64).sum();
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.limit = match (self.limit, other.limit) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        for (key, tally) in other.held {
            self.insert(key, &tally);
        }
        self.drop_late();
    }

    /// The names that are held in the end, in the order of their bytes, and whether they are all.
    pub(super) fn finish(mut self) -> NamesFound {
        self.cut();
        let mut names: Vec<NameTally> = self
            .held
            .into_iter()
            .map(|(key, tally)| NameTally { name: Name::new(key.name.into_vec()), tally })
            .collect();
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        NamesFound { is_complete: self.limit.is_none(), limit: self.limit, names }
    }
}

/// Tallies by name, as they stand in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesFound {
    /// Whether every name that was met is listed, those of more than 128 bytes excepted.
    pub is_complete: bool,
    /// Where the order was cut, for merging.
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
}

impl NamesFound {
    pub(super) fn merge(&mut self, other: Self, rank: impl Fn(&[u8]) -> Rank) {
        let mut all = Names::default();
        for found in [std::mem::take(self), other] {
            let mut names = Names { limit: found.limit, ..Names::default() };
            for NameTally { name, tally } in found.names {
                names.insert(Key { rank: rank(name.bytes()), name: name.bytes().into() }, &tally);
            }
            all.merge(names);
        }
        *self = all.finish();
    }
}

/// A hash of bytes that is the same on every machine: FNV-1a, with its bits mixed at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameHash(u64);

impl NameHash {
    pub(super) const START: Self = Self(0xcbf2_9ce4_8422_2325);

    #[inline]
    pub(super) fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    #[inline]
    pub(super) fn finish(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }

    pub(super) fn of(bytes: &[u8]) -> u64 {
        let mut hash = Self::START;
        for byte in bytes {
            hash.add(*byte);
        }
        hash.finish()
    }
}
