//! The largest keys of all, whatever their database and type.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::key_row::KeyRow;
use super::rank::By;
use super::sections::TopKeys;
use crate::analysis::room::ordered;
use crate::rdb::Kind;

/// What the largest keys are chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Bytes of memory.
    #[default]
    Memory,
    /// Bytes of the record in the dump.
    Serialized,
    /// Elements; strings are left out.
    Elements,
    /// Seconds since the key was last used, if the dump has them.
    Idle,
    /// The LFU counter, if the dump has it.
    Frequency,
}

impl Sort {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Serialized => "serialized",
            Self::Elements => "elements",
            Self::Idle => "idle",
            Self::Frequency => "frequency",
        }
    }

    /// The lists by database and type that have the same order. Keys are on none by when they were used.
    fn by(self) -> Option<By> {
        match self {
            Self::Memory => Some(By::Memory),
            Self::Serialized => Some(By::Serialized),
            Self::Elements => Some(By::Elements),
            Self::Idle | Self::Frequency => None,
        }
    }

    fn value(self, key: &KeyRow) -> Option<u64> {
        match self {
            Self::Idle => key.idle_seconds,
            Self::Frequency => key.frequency.map(u64::from),
            Self::Memory | Self::Serialized | Self::Elements => self.by().map(|by| by.of(key)),
        }
    }

    /// Whether keys are ranked by when they were used.
    pub(super) fn is_by_use(self) -> bool {
        self.by().is_none()
    }
}

/// The largest keys, in falling order; of equal ones the smaller name comes first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LargestKeys {
    /// What they are chosen by.
    pub by: Sort,
    /// The keys.
    pub keys: Vec<LargestKey>,
}

/// One of the largest keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargestKey {
    /// The database.
    pub db: u64,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key.
    #[serde(flatten)]
    pub key: KeyRow,
}

impl LargestKeys {
    /// The first `most` of all listed keys, where the lists have the same order; each of the largest keys of all is on its
    /// database's and type's.
    pub(super) fn of_lists(by: Sort, lists: &[TopKeys], most: usize) -> Self {
        let of_order = lists.iter().filter(|list| Some(list.by) == by.by() && !list.is_without_ttl);
        let keys = of_order.flat_map(|list| {
            list.keys.iter().map(|key| LargestKey { db: list.db, kind: list.kind.clone(), key: key.clone() })
        });
        let mut largest = Self { by, keys: keys.collect() };
        largest.cut(most);
        largest
    }

    fn cut(&mut self, most: usize) {
        let by = self.by;
        self.keys.sort_by(|a, b| order(by, &a.key).cmp(&order(by, &b.key)));
        self.keys.truncate(most);
    }

    /// Takes over keys of another report, which has the same order.
    pub(super) fn merge(&mut self, other: Self, most: usize) {
        self.keys.extend(other.keys);
        self.cut(most);
    }
}

fn order(by: Sort, key: &KeyRow) -> (Reverse<Option<u64>>, &[u8], u32, u64) {
    (Reverse(by.value(key)), key.name.bytes(), key.dump, key.offset)
}

/// The first keys by when they were used, while keys are added.
#[derive(Debug, Default)]
pub(super) struct ByUse {
    by: Sort,
    keys: Vec<(Option<u64>, Kind, KeyRow)>,
    /// What the last of the first keys has, once there are enough.
    floor: Option<u64>,
}

/// Longer names are cut: each key may have one of megabytes.
pub(super) const NAME_BYTES_MAX: usize = 4096;

impl ByUse {
    pub(super) fn new(by: Sort) -> Self {
        Self { by, ..Self::default() }
    }

    /// Whether a key may be among the first.
    pub(super) fn wants(&self, idle_seconds: Option<u64>, frequency: Option<u8>) -> bool {
        let value = match self.by {
            Sort::Idle => idle_seconds,
            Sort::Frequency => frequency.map(u64::from),
            Sort::Memory | Sort::Serialized | Sort::Elements => None,
        };
        value.is_some_and(|value| self.floor.is_none_or(|floor| value >= floor))
    }

    pub(super) fn add(&mut self, db: Option<u64>, kind: Kind, key: KeyRow, most: usize) {
        self.keys.push((db, kind, key));
        if self.keys.len() >= most.saturating_mul(2).max(64) {
            self.cut(most);
        }
    }

    fn cut(&mut self, most: usize) {
        let by = self.by;
        let place = |key: &KeyRow| (Reverse(by.value(key)), ordered(key.name.bytes()).to_vec(), key.dump, key.offset);
        self.keys.sort_by_cached_key(|(_, _, key)| place(key));
        self.keys.truncate(most);
        if self.keys.len() >= most {
            self.floor = self.keys.last().map_or(Some(u64::MAX), |(_, _, key)| by.value(key));
        }
    }

    /// Takes over keys that come later; where their database is not known, it is `db`.
    pub(super) fn merge(&mut self, other: Self, db: Option<u64>, most: usize) {
        for (of, kind, key) in other.keys {
            self.add(of.or(db), kind, key, most);
        }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.keys.iter().map(|(_, _, key)| (size_of::<KeyRow>() + key.name.bytes().len()) as u64).sum()
    }

    pub(super) fn finish(mut self, most: usize) -> LargestKeys {
        self.cut(most);
        let largest = |(db, kind, key): (Option<u64>, Kind, KeyRow)| LargestKey {
            db: db.unwrap_or(0),
            kind: kind.name().to_owned(),
            key,
        };
        let mut largest = LargestKeys { by: self.by, keys: self.keys.into_iter().map(largest).collect() };
        largest.cut(most);
        largest
    }
}
