//! The first N of many keys, in several orders at once; a key that several lists hold is held once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key_row::KeyRow;
use crate::analysis::floor::Floor;
use crate::analysis::room::{Cut, Held, ordered};

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

/// A key on a list: the larger comes first, then the smaller name as far as names are [`ordered`], then the earlier dump and
/// place in it.
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
        (self.floor, ordered(self.key.name.bytes()), self.key.dump, self.key.offset)
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
            || value == self.floor.size && is_full() && last().is_none_or(|last| ordered(name) > ordered(last))
    }

    /// Adds a key and drops the last if there are more than may be; `held` is what all lists hold.
    pub(super) fn insert(&mut self, by: By, key: Arc<KeyRow>, most: usize, held: &mut Held) {
        let listed = Listed::new(by, key);
        if self.keys.len() < most {
            held.add(listed.key.name.bytes());
            self.keys.push(listed);
        } else if let Some(mut last) = self.keys.peek_mut()
            && listed < *last
        {
            held.add(listed.key.name.bytes());
            held.remove(last.key.name.bytes());
            *last = listed;
        } else {
            return;
        }
        self.set_floor(most);
    }

    fn set_floor(&mut self, most: usize) {
        if self.keys.len() >= most {
            self.floor = self.keys.peek().map_or(Floor::default(), |last| last.floor);
        }
    }

    pub(super) fn merge(&mut self, by: By, other: Self, cut: &Cut, held: &mut Held) {
        for mut listed in other.keys {
            cut_name(&mut listed.key, cut);
            self.insert(by, listed.key, cut.keys_max, held);
        }
    }

    /// Drops what is cut, and counts what is left in `held`.
    pub(super) fn cut(&mut self, cut: &Cut, held: &mut Held) {
        while self.keys.len() > cut.keys_max {
            self.keys.pop();
        }
        // The order of the keys stays as it is: of their names it has no more than what is never cut.
        let mut keys = std::mem::take(&mut self.keys).into_vec();
        for listed in &mut keys {
            cut_name(&mut listed.key, cut);
            held.add(listed.key.name.bytes());
        }
        self.keys = keys.into();
        self.set_floor(cut.keys_max);
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Gives back memory that is held for more keys.
    pub(super) fn shrink(&mut self) {
        self.keys.shrink_to_fit();
    }

    /// The keys in the order of a report: as they are ranked, and of names that begin alike the smaller one first.
    pub(super) fn into_keys(self) -> Vec<KeyRow> {
        let mut keys = self.keys.into_vec();
        let tie_breaker = |listed: &Listed| (listed.key.dump, listed.key.offset);
        keys.sort_unstable_by(|a, b| {
            let by_name = a.key.name.cmp(&b.key.name);
            b.floor.size.cmp(&a.floor.size).then(by_name).then_with(|| tie_breaker(a).cmp(&tie_breaker(b)))
        });
        keys.into_iter().map(|listed| Arc::unwrap_or_clone(listed.key)).collect()
    }

    pub(super) fn of_keys(by: By, keys: Vec<KeyRow>, most: usize) -> Self {
        let mut list = Self::default();
        for key in keys {
            list.insert(by, Arc::new(key), most, &mut Held::default());
        }
        list
    }
}

fn cut_name(key: &mut Arc<KeyRow>, cut: &Cut) {
    if key.name.bytes().len() > cut.name_bytes_max {
        Arc::make_mut(key).cut_name(cut);
    }
}
