//! A level of the tree: the children of a place, of which the heaviest are held, and the sum of all.

use std::cmp::Reverse;
use std::sync::Mutex;

use crate::report::{LargestKey, Tally};

/// Children that a level shows; a level holds so many by each measure.
pub(super) const CHILDREN_MAX: usize = 1000;

/// What children are weighed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Measure {
    #[default]
    Memory,
    Dump,
    Keys,
    MemoryWithoutTtl,
}

impl Measure {
    pub(super) const ALL: [Self; 4] = [Self::Memory, Self::Dump, Self::Keys, Self::MemoryWithoutTtl];

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Dump => "bytes in the dump",
            Self::Keys => "keys",
            Self::MemoryWithoutTtl => "memory without TTL",
        }
    }

    /// What it is of keys.
    pub(super) fn of(self, tally: &Tally) -> u64 {
        match self {
            Self::Memory => tally.memory_bytes,
            Self::Dump => tally.serialized_bytes,
            Self::Keys => tally.keys,
            Self::MemoryWithoutTtl => tally.memory_bytes_without_ttl,
        }
    }

    /// The one after this.
    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|measure| *measure == self).unwrap_or(0);
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }
}

/// What a child is, in the order in which children of equal weight come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A database.
    Database(u64),
    /// A longer prefix, from the beginning of the names on.
    Prefix(Vec<u8>),
    /// A key.
    Key(Box<LargestKey>),
}

impl What {
    /// What children are sorted by: databases by number, then prefixes, then keys by name and place.
    fn order(&self) -> (u8, u64, &[u8], u64, u32, u64) {
        match self {
            Self::Database(db) => (0, *db, &[], 0, 0, 0),
            Self::Prefix(prefix) => (1, 0, prefix, 0, 0, 0),
            Self::Key(key) => (1, 0, key.key.name.bytes(), key.db, key.key.dump, key.key.offset),
        }
    }
}

/// A child and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) what: What,
    pub(super) tally: Tally,
}

/// The children of a place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Level {
    /// All keys here.
    pub(super) total: Tally,
    /// The heaviest children by each measure, in no order.
    pub(super) children: Vec<Child>,
    /// How many children there are; none if that is not known.
    pub(super) count: Option<u64>,
    /// What is to be known of the figures, a sentence each.
    pub(super) notes: Vec<String>,
    /// Whether the scan goes on, and these are the keys that it has come to.
    pub(super) is_partial: bool,
    /// Where there is one child, its level, if the same scan came to that.
    pub(super) below: Option<Box<Level>>,
}

/// What a scan that goes on has come to, for who looks at it meanwhile.
pub(super) type Sketch = Mutex<Option<Level>>;

/// The children that a level does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Others {
    /// How many they are, if that is known.
    pub(super) count: Option<u64>,
    pub(super) tally: Tally,
}

impl Level {
    /// The places of the children that are shown, and the sum of the others if there are any.
    pub(super) fn shown(&self, measure: Measure, is_by_name: bool) -> (Vec<usize>, Option<Others>) {
        let mut places: Vec<usize> = (0..self.children.len()).collect();
        let child = |place: &usize| self.children.get(*place);
        places.sort_by(|a, b| {
            let (a, b) = (child(a), child(b));
            let weight = |child: Option<&Child>| Reverse(child.map(|child| measure.of(&child.tally)));
            weight(a).cmp(&weight(b)).then_with(|| a.map(|a| a.what.order()).cmp(&b.map(|b| b.what.order())))
        });
        places.truncate(CHILDREN_MAX);
        let shown = places.iter().filter_map(child);
        let tally = shown.fold(self.total, |rest, child| rest.without(&child.tally));
        let count = self.count.map(|count| count.saturating_sub(places.len() as u64));
        let others = (tally.keys > 0).then_some(Others { count, tally });
        if is_by_name {
            places.sort_by(|a, b| child(a).map(|a| a.what.order()).cmp(&child(b).map(|b| b.what.order())));
        }
        (places, others)
    }
}

/// The heaviest children by each measure, while children are added; each child is added once.
#[derive(Clone, Debug)]
pub(super) struct Heaviest {
    children: Vec<Child>,
    most: usize,
    /// By each measure the weight and the order of the last child that is among the heaviest, once there are enough.
    floors: [Option<Child>; Measure::ALL.len()],
}

impl Heaviest {
    pub(super) fn new(most: usize) -> Self {
        Self { children: Vec::new(), most, floors: [const { None }; Measure::ALL.len()] }
    }

    /// Whether a child of this weight and name may be among the heaviest by some measure.
    pub(super) fn wants(&self, tally: &Tally, name: &[u8]) -> bool {
        Measure::ALL.iter().zip(&self.floors).any(|(measure, floor)| {
            let Some(floor) = floor else { return true };
            let (weight, least) = (measure.of(tally), measure.of(&floor.tally));
            let is_first = || matches!(floor.what, What::Database(_)) || name <= floor.what.order().2;
            weight > least || weight == least && is_first()
        })
    }

    pub(super) fn add(&mut self, child: Child) {
        self.children.push(child);
        if self.children.len() >= self.most.saturating_mul(2 * Measure::ALL.len()) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let mut is_kept = vec![false; self.children.len()];
        for (measure, floor) in Measure::ALL.into_iter().zip(&mut self.floors) {
            let mut places: Vec<usize> = (0..self.children.len()).collect();
            let order = |place: &usize| {
                self.children.get(*place).map(|child| (Reverse(measure.of(&child.tally)), child.what.order()))
            };
            places.sort_by(|a, b| order(a).cmp(&order(b)));
            places.truncate(self.most);
            if places.len() == self.most {
                *floor = places.last().and_then(|last| self.children.get(*last)).cloned();
            }
            for place in places {
                if let Some(is_kept) = is_kept.get_mut(place) {
                    *is_kept = true;
                }
            }
        }
        let mut is_kept = is_kept.into_iter();
        self.children.retain(|_| is_kept.next() == Some(true));
    }

    /// The heaviest children.
    pub(super) fn finish(mut self) -> Vec<Child> {
        self.cut();
        self.children
    }
}
