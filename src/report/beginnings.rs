//! What names begin with that no separator cuts, where a first look at names found such beginnings ([`super::first_look`]).

use serde::{Deserialize, Serialize};

use super::names::{self, NameTally};
use super::tally::Tally;
use super::text::Name;

/// A beginning that has less than one in so many bytes of all memory is not listed.
const LISTED_PARTS: u64 = 100;

/// Beginnings that keys are counted under, in the order of their bytes, each with the longest shorter one.
#[derive(Debug, Default)]
pub(super) struct Beginnings(Vec<(Box<[u8]>, Option<usize>)>);

impl Beginnings {
    /// Of beginnings in the order of their bytes.
    pub(super) fn new(sorted: &[Box<[u8]>]) -> Self {
        let shorter = |at: usize, name: &[u8]| {
            let before = sorted.get(..at).unwrap_or_default();
            before.iter().rposition(|shorter| name.starts_with(shorter))
        };
        Self(sorted.iter().enumerate().map(|(at, name)| (name.clone(), shorter(at, name))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of the longest one that a name begins with.
    fn of(&self, name: &[u8]) -> Option<usize> {
        let mut at = self.0.partition_point(|(beginning, _)| **beginning <= *name).checked_sub(1);
        while let Some((beginning, shorter)) = at.and_then(|at| self.0.get(at)) {
            if name.starts_with(beginning) {
                return at;
            }
            at = *shorter;
        }
        None
    }
}

/// Sums by beginning, each without those of longer ones.
#[derive(Clone, Debug, Default)]
pub(super) struct BeginningSums(Vec<Tally>);

impl BeginningSums {
    pub(super) fn add(&mut self, beginnings: &Beginnings, name: &[u8], tally: &Tally) {
        if let Some(at) = beginnings.of(name) {
            self.0.resize(beginnings.0.len(), Tally::default());
            if let Some(sum) = self.0.get_mut(at) {
                sum.merge(tally);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Tally::default());
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// The beginnings of several keys that have much of all memory, each with the keys of longer ones.
    pub(super) fn finish(mut self, sorted: &[Box<[u8]>], totals: &Tally) -> Vec<NameTally> {
        let beginnings = Beginnings::new(sorted);
        self.0.resize(sorted.len(), Tally::default());
        let mut found = Vec::new();
        for (name, shorter) in beginnings.0.into_iter().rev() {
            let Some(tally) = self.0.pop() else { break };
            if let Some(sum) = shorter.and_then(|shorter| self.0.get_mut(shorter)) {
                sum.merge(&tally);
            }
            let is_listed = tally.keys > 1 && tally.memory_bytes >= totals.memory_bytes / LISTED_PARTS;
            found.extend(is_listed.then(|| NameTally::new(Name::new(name.into_vec()), tally)));
        }
        found.reverse();
        found
    }
}

/// What names begin with that no separator cuts. Of reports that were merged, a beginning has the keys of those that list it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BeginningsFound(pub Vec<NameTally>);

impl BeginningsFound {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.map_names(&<[u8]>::to_vec);
    }

    /// Writes names as `map` has them, those that get the same one together.
    pub(super) fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        self.0 = names::mapped(std::mem::take(&mut self.0), map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_under_the_longest() {
        let sorted: Vec<Box<[u8]>> = [&b"a"[..], b"ab", b"abc", b"b"].map(Into::into).into();
        let beginnings = Beginnings::new(&sorted);
        for (name, expected) in [
            ("a", Some(0)),
            ("abb", Some(1)),
            ("abcd", Some(2)),
            ("ac", Some(0)),
            ("bz", Some(3)),
            ("c", None),
            ("", None),
        ] {
            assert_eq!(beginnings.of(name.as_bytes()), expected, "{name}");
        }
        let key = Tally { keys: 1, memory_bytes: 10, ..Tally::default() };
        let mut sums = BeginningSums::default();
        for name in ["a1", "ab1", "abc1", "abc2", "b1", "z"] {
            sums.add(&beginnings, name.as_bytes(), &key);
        }
        let found = sums.finish(&sorted, &Tally { memory_bytes: 60, ..Tally::default() });
        let found: Vec<_> = found.iter().map(|found| (found.name.to_string(), found.tally.keys)).collect();
        assert_eq!(found, [("a".to_owned(), 4), ("ab".to_owned(), 3), ("abc".to_owned(), 2)]);
    }
}
