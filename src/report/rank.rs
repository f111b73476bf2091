//! The first N of many keys, in several orders at once; a key that several lists hold is held once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::KeyRow;

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
    value: u64,
    key: Arc<KeyRow>,
}

impl Listed {
    fn order(&self) -> (std::cmp::Reverse<u64>, &[u8], u32, u64) {
        (std::cmp::Reverse(self.value), self.key.name.bytes(), self.key.dump, self.key.offset)
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
pub(super) struct List(BinaryHeap<Listed>);

impl List {
    /// Whether a key is among the first `most`: with the value of the last on the list, the smaller name is.
    #[inline]
    pub(super) fn may_take(&self, value: u64, name: &[u8], most: usize) -> bool {
        if self.0.len() < most {
            return true;
        }
        let Some(last) = self.0.peek() else { return false };
        value > last.value || value == last.value && name <= last.key.name.bytes()
    }

    /// Adds a key and drops the last if there are more than `most`; by how much the bytes held have changed, near enough.
    pub(super) fn insert(&mut self, by: By, key: Arc<KeyRow>, most: usize) -> i64 {
        let value = by.of(&key);
        let added = key.held_bytes();
        self.0.push(Listed { value, key });
        if self.0.len() <= most {
            return added;
        }
        added - self.0.pop().map_or(0, |last| last.key.held_bytes())
    }

    pub(super) fn merge(&mut self, by: By, other: Self, most: usize) -> i64 {
        other.0.into_iter().map(|listed| self.insert(by, listed.key, most)).sum()
    }

    pub(super) fn into_keys(self) -> Vec<KeyRow> {
        self.0.into_sorted_vec().into_iter().map(|listed| Arc::unwrap_or_clone(listed.key)).collect()
    }

    pub(super) fn of_keys(by: By, keys: Vec<KeyRow>, most: usize) -> Self {
        let mut list = Self::default();
        for key in keys {
            list.insert(by, Arc::new(key), most);
        }
        list
    }
}
