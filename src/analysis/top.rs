//! The largest N of many: a heap whose root is the one to go next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::floor::Floor;
use crate::rdb::ModuleId;

/// A key that may enter a top list; its name is copied only if it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) size: u64,
    pub(super) name: &'a [u8],
    pub(super) dump: u32,
    pub(super) offset: u64,
    pub(super) module: Option<ModuleId>,
}

/// A key in a top list. The order of ranked keys is that of a report: the larger size comes first, then the smaller name,
/// then the earlier dump, then the earlier place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) size: u64,
    pub(super) name: Box<[u8]>,
    pub(super) dump: u32,
    pub(super) offset: u64,
    pub(super) module: Option<ModuleId>,
}

impl Ranked {
    fn key(&self) -> (std::cmp::Reverse<u64>, &[u8], u32, u64) {
        (std::cmp::Reverse(self.size), &self.name, self.dump, self.offset)
    }

    /// What it takes in memory, near enough.
    fn held_bytes(&self) -> i64 {
        (size_of::<Self>() + self.name.len()).cast_signed() as i64
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first N ranked keys of all that were added. The heap's root is the last of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Top(BinaryHeap<Ranked>);

impl Top {
    /// Whether a key is not among the first `most` of what has been added and itself.
    #[inline]
    pub(super) fn has_no_place_for(&self, most: usize, candidate: &Candidate<'_>) -> bool {
        self.0.len() >= most && self.0.peek().is_none_or(|last| !candidate.comes_before(last))
    }

    /// What a key must not be below to enter: the last one of a full list.
    pub(super) fn floor(&self, most: usize) -> Floor {
        let last = if self.0.len() < most { None } else { self.0.peek() };
        last.map_or_else(Floor::default, |last| Floor::new(last.size, &last.name))
    }

    /// The name of the key that is the next to go.
    #[inline]
    pub(super) fn last_name(&self) -> Option<&[u8]> {
        self.0.peek().map(|last| &*last.name)
    }

    /// Adds a key, and drops the last if there are more than `most`; returns by how much the bytes held have changed.
    #[cold]
    pub(super) fn insert(&mut self, most: usize, ranked: Ranked) -> i64 {
        let added = ranked.held_bytes();
        self.0.push(ranked);
        if self.0.len() <= most {
            return added;
        }
        added - self.0.pop().map_or(0, |last| last.held_bytes())
    }

    /// Takes over the keys of `other`; returns by how much the bytes held have changed.
    pub(super) fn merge(&mut self, most: usize, other: Self) -> i64 {
        other.0.into_iter().map(|ranked| self.insert(most, ranked)).sum()
    }

    pub(super) fn into_sorted(self) -> Vec<Ranked> {
        self.0.into_sorted_vec()
    }
}

impl Candidate<'_> {
    #[inline]
    fn comes_before(&self, last: &Ranked) -> bool {
        match self.size.cmp(&last.size) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => (self.name, self.dump, self.offset) < (&last.name, last.dump, last.offset),
        }
    }

    pub(super) fn to_ranked(self) -> Ranked {
        let Self { size, name, dump, offset, module } = self;
        Ranked { size, name: name.into(), dump, offset, module }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn add_all<N: AsRef<[u8]>>(keys: &[(u64, N)], start: usize, most: usize) -> Top {
        let mut top = Top::default();
        for (at, (size, name)) in keys.iter().enumerate() {
            let offset = (start + at) as u64;
            let candidate = Candidate { size: *size, name: name.as_ref(), dump: 0, offset, module: None };
            if !top.has_no_place_for(most, &candidate) {
                top.insert(most, candidate.to_ranked());
            }
        }
        top
    }

    proptest! {
        #[test]
        fn the_first_n_of_a_sorted_list(
            keys in prop::collection::vec((0_u64..6, "[ab]{0,2}"), 0..60),
            most in 0_usize..8,
            cut in 0_usize..60,
        ) {
            let mut sorted = add_all(&keys, 0, usize::MAX).into_sorted();
            sorted.truncate(most);
            prop_assert_eq!(&add_all(&keys, 0, most).into_sorted(), &sorted);

            let (first, second) = keys.split_at(cut.min(keys.len()));
            let mut merged = add_all(first, 0, most);
            merged.merge(most, add_all(second, first.len(), most));
            prop_assert_eq!(merged.into_sorted(), sorted);
        }

        #[test]
        fn a_key_that_is_kept_out_has_no_place(
            keys in prop::collection::vec((0_u64..3, "[\0a]{14,18}"), 0..60),
            most in 0_usize..40,
        ) {
            // The byte after all others: names of them look like the floor of a list that is not full.
            let bytes = |name: &String| name.bytes().map(|byte| if byte == b'a' { 0xff } else { byte }).collect();
            let keys: Vec<(u64, Vec<u8>)> = keys.iter().map(|(size, name)| (*size, bytes(name))).collect();
            let (listed, others) = keys.split_at(keys.len() / 2);
            let top = add_all(listed, 0, most);
            let floor = top.floor(most);
            for (size, name) in others {
                let candidate = Candidate { size: *size, name, dump: 0, offset: 99, module: None };
                if floor.keeps_out(*size, name, || top.last_name()) {
                    prop_assert!(top.has_no_place_for(most, &candidate));
                }
            }
        }
    }
}
