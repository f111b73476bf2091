//! What the keys under a prefix or in a group are: by type, by time to live, by time unused, and how their figures are spread.
//!
//! The scan that makes a report does not know which of its prefixes will be listed, and thousands of them would each take a
//! spread; so this is asked for, and found in a second scan ([`super::recount`]).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::sparse_spread::SparseSpread;
use super::tally::{Expiry, Ttls};
use super::weight::Weight;
use crate::memory::Footprint;
use crate::rdb::{Entry, Kind};

/// The keys under a prefix or in a group, in classes. Of reports that were merged, it has the keys of those that have one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// By type.
    pub types: Vec<ClassWeight>,
    /// By how soon they expire, as in [`Ttls`].
    pub ttl: Vec<ClassWeight>,
    /// By how long they have not been used: those of which the dump says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<ClassWeight>,
    /// Bytes of memory, of keys for which they are known.
    pub memory_bytes: SparseSpread,
    /// Elements; a string is one.
    pub elements: SparseSpread,
    /// Bytes of values as clients see them, of keys for which they are known: not of packed ones.
    pub value_bytes: SparseSpread,
    /// Bytes of names.
    pub name_bytes: SparseSpread,
}

/// The keys of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassWeight {
    /// What they have in common: a type, or a span of time such as `under_1_day`.
    pub class: Cow<'static, str>,
    /// The keys.
    #[serde(flatten)]
    pub weight: Weight,
}

/// Spans of time unused, each up to so many seconds.
const IDLE_CLASSES: [(&str, u64); 5] = [
    ("under_1_hour", 3600),
    ("under_1_day", 86_400),
    ("under_7_days", 7 * 86_400),
    ("under_30_days", 30 * 86_400),
    ("later", u64::MAX),
];

/// What is counted of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) kind: Kind,
    pub(super) expiry: Expiry,
    pub(super) idle_seconds: Option<u64>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) elements: u64,
    pub(super) value_bytes: Option<u64>,
    pub(super) name_bytes: u64,
}

impl Figures {
    pub(super) fn of_entry(entry: &Entry<'_>, found: &Footprint, elements: u64, now_ms: Option<i64>) -> Self {
        Self {
            kind: entry.kind,
            expiry: Expiry::of(entry.expires_at_ms, now_ms),
            idle_seconds: entry.idle_seconds,
            memory_bytes: found.memory_bytes,
            elements,
            value_bytes: found.value_bytes,
            name_bytes: entry.key.bytes(),
        }
    }
}

/// A breakdown while keys are added.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    kinds: [Weight; Kind::ALL.len()],
    expiries: [Weight; Expiry::ALL.len()],
    idle: [Weight; IDLE_CLASSES.len()],
    memory_bytes: SparseSpread,
    elements: SparseSpread,
    value_bytes: SparseSpread,
    name_bytes: SparseSpread,
}

impl Classes {
    /// Adds a key; gives how many bytes of memory that took.
    pub(super) fn add(&mut self, key: &Figures) -> u64 {
        let weight = Weight { keys: 1, memory_bytes: key.memory_bytes.unwrap_or(0) };
        let idle = key.idle_seconds.and_then(|idle| IDLE_CLASSES.iter().position(|(_, under)| idle < *under));
        let idle = idle.and_then(|at| self.idle.get_mut(at));
        let expiry = self.expiries.get_mut(key.expiry as usize);
        for class in self.kinds.get_mut(key.kind as usize).into_iter().chain(expiry).chain(idle) {
            *class = class.and(weight);
        }
        key.memory_bytes.map_or(0, |bytes| self.memory_bytes.add(bytes))
            + self.elements.add(key.elements)
            + key.value_bytes.map_or(0, |bytes| self.value_bytes.add(bytes))
            + self.name_bytes.add(key.name_bytes)
    }

    /// Adds others; gives how many bytes of memory that took.
    pub(super) fn merge(&mut self, other: &Self) -> u64 {
        let mine = self.kinds.iter_mut().chain(&mut self.expiries).chain(&mut self.idle);
        let theirs = other.kinds.iter().chain(&other.expiries).chain(&other.idle);
        mine.zip(theirs).for_each(|(mine, theirs)| *mine = mine.and(*theirs));
        self.memory_bytes.merge(&other.memory_bytes)
            + self.elements.merge(&other.elements)
            + self.value_bytes.merge(&other.value_bytes)
            + self.name_bytes.merge(&other.name_bytes)
    }

    pub(super) fn finish(self) -> Breakdown {
        let classes = |names: &[&'static str], weights: &[Weight]| {
            let filled = names.iter().zip(weights).filter(|(_, weight)| weight.keys > 0);
            filled.map(|(name, weight)| ClassWeight { class: Cow::Borrowed(*name), weight: *weight }).collect()
        };
        Breakdown {
            types: classes(&type_names(), &self.kinds),
            ttl: classes(&ttl_names(), &self.expiries),
            idle: classes(&idle_names(), &self.idle),
            memory_bytes: self.memory_bytes,
            elements: self.elements,
            value_bytes: self.value_bytes,
            name_bytes: self.name_bytes,
        }
    }
}

fn type_names() -> [&'static str; Kind::ALL.len()] {
    Kind::ALL.map(Kind::name)
}

fn ttl_names() -> [&'static str; Expiry::ALL.len()] {
    Ttls::NAMES
}

fn idle_names() -> [&'static str; IDLE_CLASSES.len()] {
    IDLE_CLASSES.map(|(name, _)| name)
}

impl Breakdown {
    /// Adds the keys of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        merge_classes(&mut self.types, &other.types, &type_names());
        merge_classes(&mut self.ttl, &other.ttl, &ttl_names());
        merge_classes(&mut self.idle, &other.idle, &idle_names());
        self.memory_bytes.merge(&other.memory_bytes);
        self.elements.merge(&other.elements);
        self.value_bytes.merge(&other.value_bytes);
        self.name_bytes.merge(&other.name_bytes);
    }
}

/// Of the reports that have one, their sum.
pub(super) fn merged(mine: Option<Box<Breakdown>>, theirs: Option<&Breakdown>) -> Option<Box<Breakdown>> {
    match (mine, theirs) {
        (Some(mut mine), Some(theirs)) => {
            mine.merge(theirs);
            Some(mine)
        }
        (mine, theirs) => mine.or_else(|| theirs.map(|theirs| Box::new(theirs.clone()))),
    }
}

/// Classes keep the order of their names; those that this version does not know come last.
fn merge_classes(mine: &mut Vec<ClassWeight>, theirs: &[ClassWeight], names: &[&str]) {
    for other in theirs {
        match mine.iter_mut().find(|class| class.class == other.class) {
            Some(class) => class.weight = class.weight.and(other.weight),
            None => mine.push(other.clone()),
        }
    }
    let place = |class: &ClassWeight| names.iter().position(|name| *name == class.class).unwrap_or(names.len());
    mine.sort_by(|a, b| (place(a), &a.class).cmp(&(place(b), &b.class)));
}
