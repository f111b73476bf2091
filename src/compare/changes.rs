//! What became of keys: counts, counts by prefix, and the keys that changed most.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::Name;

/// Prefixes that have counts of their own.
const PREFIXES_MAX: usize = 20_000;

/// Longer and deeper prefixes have none.
const PREFIX_BYTES_MAX: usize = 128;
const DEPTH_MAX: usize = 8;

/// Of a longer name a list holds the first bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Keys, and their memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// How many keys.
    pub keys: u64,
    /// Their memory, or by how much it changed.
    pub memory_bytes: u64,
}

impl Moved {
    fn add(&mut self, memory_bytes: u64) {
        self.keys += 1;
        self.memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
    }
}

/// What became of keys. A key can have changed in several ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Those that the new dump alone has.
    pub came: Moved,
    /// Those that the old dump alone has.
    pub went: Moved,
    /// Those that take more memory, of those that changed.
    pub grew: Moved,
    /// Those that take less memory, of those that changed.
    pub shrank: Moved,
    /// How many have another value, their type included.
    pub value_changed: u64,
    /// How many have another type.
    pub type_changed: u64,
    /// How many expire at another time, or no longer, or now.
    pub ttl_changed: u64,
}

/// A prefix and what became of the keys under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrefixCounts {
    /// The prefix.
    #[serde(flatten)]
    pub name: Name,
    /// All keys under it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A key that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChangedKey {
    /// By how much its memory changed; of one that came or went all of it.
    pub change_bytes: u64,
    /// The database.
    pub db: u64,
    /// Its name, of a long one the first bytes.
    #[serde(flatten)]
    pub name: Name,
    /// The length of the whole name, if it is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_bytes: Option<u64>,
    /// The type; of one that went the old one.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The type in the old dump, if it was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_type: Option<&'static str>,
    /// When it expires in both dumps, if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<ExpiryChange>,
    /// Its memory in the old dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_memory_bytes: Option<u64>,
    /// Its memory in the new dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_memory_bytes: Option<u64>,
}

/// When a key expires, in milliseconds since 1970; nothing where it never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ExpiryChange {
    /// In the old dump.
    pub old_expires_at_ms: Option<i64>,
    /// In the new dump.
    pub new_expires_at_ms: Option<i64>,
}

/// The keys that changed most, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopChanges {
    /// Of those that came.
    pub came: Vec<ChangedKey>,
    /// Of those that went.
    pub went: Vec<ChangedKey>,
    /// Of those that grew.
    pub grew: Vec<ChangedKey>,
    /// Of those that shrank.
    pub shrank: Vec<ChangedKey>,
    /// Of those whose values changed and whose memory did not.
    pub rewritten: Vec<ChangedKey>,
    /// Of those that have another type, which are in one of the lists above as well.
    pub retyped: Vec<ChangedKey>,
    /// Of those that expire at another time, whatever else changed.
    pub expiry_changed: Vec<ChangedKey>,
}

/// A key of one dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) value: u64,
    pub(super) memory_bytes: u64,
    pub(super) expires_at_ms: Option<i64>,
    pub(super) kind: crate::rdb::Kind,
}

/// What became of keys, in the making.
#[derive(Debug)]
pub(super) struct Gathered<'s> {
    separators: &'s [u8],
    top: usize,
    pub(super) counts: Counts,
    prefixes: BTreeMap<Box<[u8]>, Counts>,
    /// Whether every prefix has counts.
    pub(super) has_all_prefixes: bool,
    lists: TopChanges,
}

impl<'s> Gathered<'s> {
    pub(super) fn new(separators: &'s [u8], top: usize) -> Self {
        Self {
            separators,
            top,
            counts: Counts::default(),
            prefixes: BTreeMap::new(),
            has_all_prefixes: true,
            lists: TopChanges::default(),
        }
    }

    /// A key as it was and as it is; one of them may be missing.
    pub(super) fn add(&mut self, db: u64, name: &[u8], old: Option<State>, new: Option<State>) {
        let Some(kind) = new.or(old).map(|state| state.kind.name()) else { return };
        let same = |(old, new): (State, State)| old.value == new.value && old.expires_at_ms == new.expires_at_ms;
        if old.zip(new).is_some_and(same) {
            return;
        }
        let mut counts = Counts::default();
        let [before, after] = [old, new].map(|state| state.map(|state| state.memory_bytes));
        let change_bytes = after.unwrap_or(0).abs_diff(before.unwrap_or(0));
        let mut changed = ChangedKey {
            change_bytes,
            db,
            name: Name::new(name.get(..NAME_BYTES_MAX).unwrap_or(name)),
            name_bytes: (name.len() > NAME_BYTES_MAX).then_some(name.len() as u64),
            kind,
            old_type: None,
            expiry: None,
            old_memory_bytes: before,
            new_memory_bytes: after,
        };
        let Self { lists, top, .. } = self;
        let list = match (old, new) {
            (None, _) => {
                counts.came.add(change_bytes);
                Some(&mut lists.came)
            }
            (_, None) => {
                counts.went.add(change_bytes);
                Some(&mut lists.went)
            }
            (Some(old), Some(new)) => {
                let has_other_value = old.value != new.value;
                counts.value_changed = u64::from(has_other_value);
                if old.kind != new.kind {
                    counts.type_changed = 1;
                    changed.old_type = Some(old.kind.name());
                }
                if old.expires_at_ms != new.expires_at_ms {
                    counts.ttl_changed = 1;
                    changed.expiry = Some(ExpiryChange {
                        old_expires_at_ms: old.expires_at_ms,
                        new_expires_at_ms: new.expires_at_ms,
                    });
                }
                match (has_other_value, after.cmp(&before)) {
                    (false, _) => None,
                    (true, Ordering::Greater) => {
                        counts.grew.add(change_bytes);
                        Some(&mut lists.grew)
                    }
                    (true, Ordering::Less) => {
                        counts.shrank.add(change_bytes);
                        Some(&mut lists.shrank)
                    }
                    (true, Ordering::Equal) => Some(&mut lists.rewritten),
                }
            }
        };
        if let Some(list) = list {
            insert(list, &changed, *top);
        }
        if changed.old_type.is_some() {
            insert(&mut lists.retyped, &changed, *top);
        }
        if changed.expiry.is_some() {
            insert(&mut lists.expiry_changed, &changed, *top);
        }
        self.count(name, &counts);
    }

    fn count(&mut self, name: &[u8], counts: &Counts) {
        self.counts.add(counts);
        let is_separator = |(_, byte): &(usize, &u8)| self.separators.contains(byte);
        for (depth, (at, _)) in name.iter().enumerate().filter(is_separator).enumerate() {
            if depth >= DEPTH_MAX || at >= PREFIX_BYTES_MAX {
                self.has_all_prefixes = false;
                return;
            }
            let prefix = name.get(..=at).unwrap_or_default();
            if let Some(held) = self.prefixes.get_mut(prefix) {
                held.add(counts);
            } else if self.prefixes.len() < PREFIXES_MAX {
                self.prefixes.insert(prefix.into(), *counts);
            } else {
                self.has_all_prefixes = false;
            }
        }
    }

    /// The prefixes with the most that came, went or changed first, and the lists.
    pub(super) fn finish(self) -> (Counts, Vec<PrefixCounts>, TopChanges) {
        (self.counts, in_order(self.prefixes), self.lists)
    }
}

/// Puts a key where it belongs in a list of the largest, if it does.
fn insert(list: &mut Vec<ChangedKey>, key: &ChangedKey, top: usize) {
    // Where no change tells keys apart, their sizes do.
    let rank = |key: &'_ ChangedKey| (Reverse(key.change_bytes), Reverse(key.new_memory_bytes), key.db);
    let place = list.partition_point(|other| (rank(other), &other.name) <= (rank(key), &key.name));
    if place < top {
        list.insert(place, key.clone());
        list.truncate(top);
    }
}

/// Counts under other names, those that get the same one together, most keys first.
pub(super) fn mapped(prefixes: Vec<PrefixCounts>, map: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<PrefixCounts> {
    let mut all: BTreeMap<Box<[u8]>, Counts> = BTreeMap::new();
    for PrefixCounts { name, counts } in prefixes {
        all.entry(map(name.bytes()).into()).or_default().add(&counts);
    }
    in_order(all)
}

/// The prefixes with the most that came, went or changed first.
fn in_order(prefixes: BTreeMap<Box<[u8]>, Counts>) -> Vec<PrefixCounts> {
    let name = |prefix: Box<[u8]>| Name::new(prefix.into_vec());
    let prefixes = prefixes.into_iter().map(|(prefix, counts)| PrefixCounts { name: name(prefix), counts });
    let mut prefixes: Vec<PrefixCounts> = prefixes.collect();
    prefixes.sort_by(|a, b| (Reverse(a.counts.keys()), &a.name).cmp(&(Reverse(b.counts.keys()), &b.name)));
    prefixes
}

impl TopChanges {
    /// Writes the names of keys as `map` has them.
    pub(super) fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        let Self { came, went, grew, shrank, rewritten, retyped, expiry_changed } = self;
        for key in [came, went, grew, shrank, rewritten, retyped, expiry_changed].into_iter().flatten() {
            key.name = Name::new(map(key.name.bytes()));
        }
    }
}

impl Counts {
    /// How many keys came, went, or have another value or expiry; one with both counts twice.
    pub fn keys(&self) -> u64 {
        self.came.keys + self.went.keys + self.value_changed + self.ttl_changed
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.came, other.came),
            (&mut self.went, other.went),
            (&mut self.grew, other.grew),
            (&mut self.shrank, other.shrank),
        ] {
            mine.keys += theirs.keys;
            mine.memory_bytes = mine.memory_bytes.saturating_add(theirs.memory_bytes);
        }
        self.value_changed += other.value_changed;
        self.type_changed += other.type_changed;
        self.ttl_changed += other.ttl_changed;
    }
}
