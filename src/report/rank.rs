//! The first N of many keys, in several orders at once; a key that several lists hold is held once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::KeyRow;
use crate::analysis::floor::Floor;

/// What keys are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Bytes of the value in the dump.
    Serialized,
    /// Bytes of memory.
    Memory,
    /// Elements.
    Elements,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Serialized, Self::Memory, Self::Elements];

    /// What it is of a key.
    pub fn of(self, key: &KeyRow) -> u64 {
        match self {
            Self::Serialized => key.serialized_bytes,
            Self::Memory => key.memory_bytes.unwrap_or(0),
            Self::Elements => key.elements,
        }
    }
}

/// A key on a list: the larger comes first, then the smaller name, then the earlier dump and place in it.
#[derive(Clone, Debug)]
struct Listed {
    /// What it is ranked by, and the first bytes of its name: the floor of a list that it is the last of. Most keys are told
    /// apart by these.
    floor: Floor,
    key: Arc<KeyRow>,
}

impl Listed {
    fn new(by: By, key: Arc<KeyRow>) -> Self {
        Self { floor: Floor::new(by.of(&key), key.name.bytes()), key }
    }

    fn order(&self) -> (Floor, &[u8], u32, u64) {
        (self.floor, self.key.name.bytes(), self.key.dump, self.key.offset)
    }
}

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Listed {}

/// The first keys by one value; the heap's root is the last of them.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    keys: BinaryHeap<Listed>,
    /// What keeps smaller keys out.
    pub(super) floor: Floor,
}

impl List {
    /// Whether a key has no place among the first `most`: of those with the value of the last one, it has the larger name.
    #[inline(always)]
    pub(super) fn keeps_out(&self, value: u64, name: &[u8], most: usize) -> bool {
        let last = || self.keys.peek().map(|last| last.key.name.bytes());
        let is_full = || self.keys.len() >= most;
        self.floor.keeps_out(value, name, last)
            || value == self.floor.size && is_full() && last().is_none_or(|last| name > last)
    }

    /// Adds a key and drops the last if there are more than `most`; by how much the bytes held have changed, near enough.
    pub(super) fn insert(&mut self, by: By, key: Arc<KeyRow>, most: usize) -> i64 {
        let listed = Listed::new(by, key);
        let mut change = listed.key.held_bytes();
        if self.keys.len() < most {
            self.keys.push(listed);
        } else if let Some(mut last) = self.keys.peek_mut()
            && listed < *last
        {
            change -= std::mem::replace(&mut *last, listed).key.held_bytes();
        } else {
            return 0;
        }
        if self.keys.len() >= most {
            self.floor = self.keys.peek().map_or(Floor::default(), |last| last.floor);
        }
        change
    }

    pub(super) fn merge(&mut self, by: By, other: Self, most: usize) -> i64 {
        other.keys.into_iter().map(|listed| self.insert(by, listed.key, most)).sum()
    }

    pub(super) fn into_keys(self) -> Vec<KeyRow> {
        self.keys.into_sorted_vec().into_iter().map(|listed| Arc::unwrap_or_clone(listed.key)).collect()
    }

    pub(super) fn of_keys(by: By, keys: Vec<KeyRow>, most: usize) -> Self {
        let mut list = Self::default();
        for key in keys {
            list.insert(by, Arc::new(key), most);
        }
        list
    }
}
