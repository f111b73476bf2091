//! The largest N of many: a heap whose root is the one to go next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::floor::Floor;
use super::room::{Cut, Held, ordered};
use crate::rdb::ModuleId;

/// A key that may enter a top list; its name is copied only if it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) size: u64,
    pub(super) name: &'a [u8],
    /// The length of the whole name.
    pub(super) name_bytes: u64,
    pub(super) dump: u32,
    pub(super) offset: u64,
    pub(super) module: Option<ModuleId>,
}

/// A key in a top list. The larger size comes first, then the smaller name as far as names are [`ordered`], then the earlier
/// dump, then the earlier place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) size: u64,
    /// The name, or its first bytes.
    pub(super) name: Box<[u8]>,
    pub(super) name_bytes: u64,
    pub(super) dump: u32,
    pub(super) offset: u64,
    pub(super) module: Option<ModuleId>,
}

impl Ranked {
    fn key(&self) -> (std::cmp::Reverse<u64>, &[u8], u32, u64) {
        (std::cmp::Reverse(self.size), ordered(&self.name), self.dump, self.offset)
    }
}

impl Ranked {
    fn cut_name(&mut self, cut: &Cut) {
        if self.name.len() > cut.name_bytes_max {
            self.name = cut.name(&self.name).into();
        }
    }

    fn tie_breaker(&self) -> (&[u8], u32, u64) {
        (&self.name, self.dump, self.offset)
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

    /// Adds a key, and drops the last if there are more than `most`; `held` is what all lists hold.
    #[cold]
    pub(super) fn insert(&mut self, most: usize, ranked: Ranked, held: &mut Held) {
        held.add(&ranked.name);
        self.0.push(ranked);
        if self.0.len() > most {
            self.0.pop().into_iter().for_each(|last| held.remove(&last.name));
        }
    }

    /// Takes over the keys of `other`.
    pub(super) fn merge(&mut self, cut: &Cut, other: Self, held: &mut Held) {
        for mut ranked in other.0 {
            ranked.cut_name(cut);
            self.insert(cut.keys_max, ranked, held);
        }
    }

    /// Drops what is cut, and counts what is left in `held`.
    pub(super) fn cut(&mut self, cut: &Cut, held: &mut Held) {
        while self.0.len() > cut.keys_max {
            self.0.pop();
        }
        // The order of the keys stays as it is: of their names it has no more than what is never cut.
        let mut keys = std::mem::take(&mut self.0).into_vec();
        for ranked in &mut keys {
            ranked.cut_name(cut);
            held.add(&ranked.name);
        }
        self.0 = keys.into();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives back memory that is held for more keys.
    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// The keys in the order of a report: as they are ranked, and of names that begin alike the smaller one first.
    pub(super) fn into_sorted(self) -> Vec<Ranked> {
        let mut keys = self.0.into_vec();
        keys.sort_unstable_by(|a, b| b.size.cmp(&a.size).then_with(|| a.tie_breaker().cmp(&b.tie_breaker())));
        keys
    }
}

impl Candidate<'_> {
    #[inline]
    fn comes_before(&self, last: &Ranked) -> bool {
        match self.size.cmp(&last.size) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                (ordered(self.name), self.dump, self.offset) < (ordered(&last.name), last.dump, last.offset)
            }
        }
    }

    pub(super) fn to_ranked(self, cut: &Cut) -> Ranked {
        let Self { size, name, name_bytes, dump, offset, module } = self;
        Ranked { size, name: cut.name(name).into(), name_bytes, dump, offset, module }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(size: u64, name: &[u8], offset: u64) -> Candidate<'_> {
        Candidate { size, name, name_bytes: name.len() as u64, dump: 0, offset, module: None }
    }

    fn add_all<N: AsRef<[u8]>>(keys: &[(u64, N)], start: usize, most: usize) -> Top {
        let mut top = Top::default();
        for (at, (size, name)) in keys.iter().enumerate() {
            let offset = (start + at) as u64;
            let candidate = candidate(*size, name.as_ref(), offset);
            if !top.has_no_place_for(most, &candidate) {
                top.insert(most, candidate.to_ranked(&Cut::none(most)), &mut Held::default());
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
            merged.merge(&Cut::none(most), add_all(second, first.len(), most), &mut Held::default());
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
                let candidate = candidate(*size, name, 99);
                if floor.keeps_out(*size, name, || top.last_name()) {
                    prop_assert!(top.has_no_place_for(most, &candidate));
                }
            }
        }
    }
}
