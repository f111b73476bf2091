//! Prefixes of names: `a:b:c` counts under `a:` and `a:b:`.
//!
//! While keys are added, each counts under the longest of its prefixes that is held, and a prefix that is dropped leaves
//! what it had to the next shorter one. Where that prefix has a slot in the cache the key counts there first, and where it
//! belongs when the slot is given up. In the end every prefix gets the sums of all longer ones, so that those of the
//! prefixes right below it and the rest make up the whole.

use std::collections::BTreeMap;

use super::breakdown::Breakdown;
use super::cache::{self, Cache, Slot};
use super::held::{Held, HeldPrefixes, parents};
use super::levels::{self, Chunk, DEPTH_MAX, Levels, Padded, Separators};
use super::names::{NAME_BYTES_MAX, NameTally, NamesFound, Rank};
use super::prefix_section::HeavyPrefixes;
use super::tally::Tally;
use super::text::Name;
use super::weight::Weight;

/// A prefix with more than this part of all keys, or of their memory, is listed whatever its name is.
const HEAVY_PARTS: u64 = 2000;

/// Tallies by prefix, each without those of longer prefixes that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    held: HeldPrefixes,
    /// Keys that are not in the tallies of `held` yet, by prefixes that are held.
    cache: Cache,
    /// The prefixes of the last name, kept so that no key has to clear them.
    levels: Levels,
}

impl Prefixes {
    /// None yet; of those from `limit` on only heavy ones are held.
    pub(super) fn within(limit: Option<Rank>) -> Self {
        Self { held: HeldPrefixes::within(limit), ..Self::default() }
    }

    /// The first rank from which on only heavy prefixes are held.
    pub(super) fn limit(&self) -> Option<Rank> {
        self.held.limit()
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held.held_bytes()
    }

    /// Adds a key's tally.
    pub(super) fn add(&mut self, separators: &Separators, name: &[u8], tally: &Tally) {
        if !separators.are_any() {
            return;
        }
        if name.get(NAME_BYTES_MAX..).is_some_and(|rest| separators.is_among(rest)) {
            self.held.set_has_longer();
        }
        let mut place = [0; NAME_BYTES_MAX];
        let padded = Padded::new(name, &mut place);
        match padded.bytes.first_chunk().filter(|chunk| name.len() <= chunk.len()) {
            Some(chunk) => self.add_within(separators, chunk, name.len(), tally),
            None => self.add_held(separators, padded, tally),
        }
    }

    /// As [`Prefixes::add`], of a name that is within a chunk, without a copy of it.
    #[inline(always)]
    pub(super) fn add_within(&mut self, separators: &Separators, chunk: &Chunk, name_bytes: usize, tally: &Tally) {
        let ends = separators.ends(chunk, name_bytes);
        if ends == 0 || self.hits_longest(chunk, ends, tally) || self.hits_shorter(chunk, ends, tally) {
            return;
        }
        self.add_held(separators, Padded::of_chunk(chunk, name_bytes), tally);
    }

    /// Adds to the longest prefix, if that is cached.
    #[inline(always)]
    fn hits_longest(&mut self, chunk: &Chunk, ends: u64, tally: &Tally) -> bool {
        let bytes = last_end(ends);
        let Some(first) = chunk.first_chunk().filter(|_| bytes <= cache::PREFIX_BYTES_MAX) else { return false };
        self.cache.hit(first, bytes, tally)
    }

    /// Adds to the longest prefix that is cached, or to none if none is, where the next longer one is surely not held and has
    /// room in its slot: so it is with a prefix for each key.
    #[inline(always)]
    fn hits_shorter(&mut self, chunk: &Chunk, ends: u64, tally: &Tally) -> bool {
        let Some(first) = chunk.first_chunk() else { return false };
        let (mut until, mut shorter, mut longer_ones) = (last_end(ends), without_last(ends), 1);
        while shorter != 0 {
            let bytes = last_end(shorter);
            if bytes <= cache::PREFIX_BYTES_MAX
                && let Some(slot) = self.cache.find(first, bytes)
            {
                // Of deeper prefixes than are told apart, the deepest that is counts as the name's own.
                if levels::depth(slot.class) + longer_ones > DEPTH_MAX {
                    return false;
                }
                let rank = Separators::rank_below(slot.class, chunk, bytes, until);
                let is_counted = self.held.counts_in_slot(rank, Weight::of(tally));
                if is_counted {
                    slot.add(tally, false);
                }
                return is_counted;
            }
            (until, shorter, longer_ones) = (bytes, without_last(shorter), longer_ones + 1);
        }
        if longer_ones > DEPTH_MAX {
            return false;
        }
        let is_counted = self.held.counts_in_slot(Separators::rank_below(0, chunk, 0, until), Weight::of(tally));
        if is_counted {
            self.held.rootless = self.held.rootless.and(Weight::of(tally));
        }
        is_counted
    }

    /// Adds to the longest prefix that is held, or to that one's slot.
    #[inline(never)]
    fn add_held(&mut self, separators: &Separators, name: Padded<'_>, tally: &Tally) {
        let Self { held, cache, levels } = self;
        separators.find(name, levels);
        if levels.is_cut {
            held.set_has_longer();
        }
        let first = name.bytes.first_chunk();
        let is_cached = |prefix: &[u8]| {
            prefix.len() <= cache::PREFIX_BYTES_MAX && first.is_some_and(|first| cache.has(first, prefix.len()))
        };
        let is_held = |(_, (prefix, rank)): &(usize, (&[u8], Rank))| {
            !held.is_surely_not_held(*rank) && (is_cached(prefix) || held.find(prefix, *rank).is_some())
        };
        let mut longest = levels.all(name).enumerate().rev().find(is_held);
        let depth = longest.map_or(0, |(at, _)| at + 1);
        if depth < levels.depth {
            let missed = |(_, (prefix, rank))| held.find(prefix, rank).map(|held| held.missed);
            let mut missed = longest.and_then(missed).unwrap_or_default();
            for (at, (prefix, rank)) in levels.all(name).enumerate().skip(depth) {
                if !held.admits(prefix, rank, Weight::of(tally), &mut missed) {
                    break;
                }
                longest = Some((at, (prefix, rank)));
            }
        }
        let Some((at, (prefix, rank))) = longest else {
            if levels.depth > 0 {
                held.rootless = held.rootless.and(Weight::of(tally));
            }
            return;
        };
        let is_own = at + 1 == levels.depth;
        if let Some(first) = first.filter(|_| prefix.len() <= cache::PREFIX_BYTES_MAX) {
            if let Some(slot) = cache.find(first, prefix.len()) {
                return slot.add(tally, is_own);
            }
            if let Some(evicted) = cache.insert(first, (prefix.len(), rank.0), tally, is_own) {
                return Self::add_evicted(held, separators, &evicted);
            }
        }
        held.add(prefix, rank, tally, if is_own { Weight::of(tally) } else { Weight::default() });
        if held.has_too_many() {
            self.cut(separators);
        }
    }

    /// Counts cached keys under their prefix, which is held while it is cached.
    fn add_evicted(held: &mut HeldPrefixes, separators: &Separators, evicted: &Slot) {
        if !evicted.prefix().is_empty() {
            held.add(evicted.prefix(), separators.rank(evicted.prefix()), &evicted.tally, evicted.own());
        }
    }

    /// Counts all cached keys under prefixes that are held.
    fn settle(&mut self, separators: &Separators) {
        for slot in self.cache.drain() {
            Self::add_evicted(&mut self.held, separators, &slot);
        }
    }

    #[cold]
    fn cut(&mut self, separators: &Separators) {
        self.settle(separators);
        self.held.cut(separators, &mut self.levels);
    }

    pub(super) fn merge(&mut self, separators: &Separators, mut other: Self) {
        for prefixes in [&mut *self, &mut other] {
            prefixes.settle(separators);
            prefixes.held.drop_light(separators, &mut prefixes.levels);
        }
        self.held.merge(separators, &mut self.levels, &other.held);
    }

    /// The prefixes that are held when no more keys come, of all with these totals.
    pub(super) fn close(mut self, separators: &Separators, totals: Weight) -> ClosedPrefixes {
        self.settle(separators);
        self.held.cut_early();
        let (limit, has_longer, rootless) = (self.limit(), self.held.has_longer(), self.held.rootless);
        let (all, slot) = self.held.into_whole();
        ClosedPrefixes { all, limit, has_longer, rootless, slot, totals, breakdowns: BTreeMap::new() }
    }
}

/// Bytes up to the last of some ends.
#[inline(always)]
fn last_end(ends: u64) -> usize {
    (u64::BITS - ends.leading_zeros()) as usize
}

/// The ends before the last one.
#[inline(always)]
fn without_last(ends: u64) -> u64 {
    ends & !(1 << (u64::BITS - 1 - ends.leading_zeros()))
}

/// A prefix that was counted again.
#[derive(Debug)]
pub(super) struct CountedPrefix {
    pub(super) name: Box<[u8]>,
    /// All keys under it.
    pub(super) tally: Tally,
    /// Of these, the keys that have no longer prefix.
    pub(super) own: Weight,
    /// The keys in classes, if that was asked for.
    pub(super) breakdown: Option<Box<Breakdown>>,
}

/// Prefixes that no more keys come to, each with all keys under it.
#[derive(Debug)]
pub(super) struct ClosedPrefixes {
    /// In the order of their bytes.
    all: Vec<Held>,
    limit: Option<Rank>,
    has_longer: bool,
    rootless: Weight,
    /// What a prefix that is not held may have beyond what the next shorter one missed.
    slot: Weight,
    totals: Weight,
    /// Those of prefixes that were asked for.
    breakdowns: BTreeMap<Box<[u8]>, Box<Breakdown>>,
}

impl ClosedPrefixes {
    fn is_late(&self, held: &Held) -> bool {
        self.limit.is_some_and(|limit| held.rank >= limit)
    }

    /// A heavy prefix has more than this of either.
    fn light(&self) -> Weight {
        self.totals.part(HEAVY_PARTS)
    }

    /// The prefixes that may be heavy: none is that has a shorter one which is not.
    fn heavy(&self) -> impl Iterator<Item = &Held> {
        let mut is_heavy = Vec::with_capacity(self.all.len());
        for (held, parent) in self.all.iter().zip(parents(&self.all)) {
            let is_parent_heavy = parent.is_none_or(|parent| is_heavy.get(parent).copied().unwrap_or(false));
            is_heavy.push(is_parent_heavy && Weight::of(&held.tally).and(held.missed).exceeds(self.light()));
        }
        self.all.iter().zip(is_heavy).filter(|(_, is_heavy)| *is_heavy).map(|(held, _)| held)
    }

    /// More than this no prefix has that is not held.
    fn unheld(&self) -> Weight {
        self.slot.and(self.heavy().fold(Weight::default(), |most, held| most.max(held.missed)))
    }

    /// Whether some prefix that is not held may be heavy.
    pub(super) fn may_lack_heavy(&self) -> bool {
        self.limit.is_some() && self.unheld().exceeds(self.light())
    }

    /// The prefixes that may be heavy, and that have keys which were not counted with them.
    pub(super) fn uncounted(&self) -> Vec<Box<[u8]>> {
        self.heavy().filter(|held| held.missed != Weight::default()).map(|held| held.name.clone()).collect()
    }

    /// All prefixes that are listed, unless a second count shows some not to be heavy, in the order of their bytes.
    pub(super) fn candidates(&self) -> Vec<Box<[u8]>> {
        let early = self.all.iter().filter(|held| !self.is_late(held));
        let mut names: Vec<Box<[u8]>> = early.chain(self.heavy()).map(|held| held.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Sets what prefixes have that were counted again.
    pub(super) fn set_counted(&mut self, counted: Vec<CountedPrefix>) {
        for CountedPrefix { name, tally, own, breakdown } in counted {
            if let Ok(at) = self.all.binary_search_by(|held| held.name.cmp(&name))
                && let Some(held) = self.all.get_mut(at)
            {
                (held.tally, held.own, held.missed) = (tally, own, Weight::default());
            }
            if let Some(breakdown) = breakdown {
                self.breakdowns.insert(name, breakdown);
            }
        }
    }

    fn name_tally(&self, held: &Held) -> NameTally {
        NameTally {
            name: Name::new(held.name.clone().into_vec()),
            tally: held.tally,
            own: Some(held.own),
            missed_max: Some(held.missed).filter(|missed| *missed != Weight::default()),
            breakdown: self.breakdowns.get(&held.name).cloned(),
        }
    }

    /// The prefixes that are listed; all keys without any are those in the totals that are not in the sum.
    pub(super) fn finish(self) -> ListedPrefixes {
        let (light, unheld) = (self.light(), self.unheld());
        let shortest = parentless(&self.all);
        let prefixed = shortest.fold(self.rootless, |sum, held| sum.and(Weight::of(&held.tally)));
        let early = self.all.iter().filter(|held| !self.is_late(held));
        let heavy_late = self.heavy().filter(|held| self.is_late(held));
        let mut names: Vec<NameTally> = early.chain(heavy_late).map(|held| self.name_tally(held)).collect();
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let heavy = self.limit.map(|_| HeavyPrefixes {
            bound: light.max(unheld),
            names: self.heavy().map(|held| self.name_tally(held)).collect(),
        });
        let has_longer = self.has_longer && self.limit.is_none();
        let is_complete = self.limit.is_none() && !has_longer;
        ListedPrefixes { found: NamesFound { is_complete, has_longer, limit: self.limit, names }, heavy, prefixed }
    }
}

/// Prefixes as a report lists them.
#[derive(Debug)]
pub(super) struct ListedPrefixes {
    pub(super) found: NamesFound,
    pub(super) heavy: Option<HeavyPrefixes>,
    /// All keys that have a prefix.
    pub(super) prefixed: Weight,
}

/// Those of some prefixes, in the order of their bytes, that have no shorter one.
fn parentless(sorted: &[Held]) -> impl Iterator<Item = &Held> {
    let mut last: Option<&Held> = None;
    sorted.iter().filter(move |held| {
        let is_under = last.is_some_and(|last| held.name.starts_with(&last.name));
        if !is_under {
            last = Some(held);
        }
        !is_under
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is listed; no prefix is heavy where all are all keys' parts of a much larger whole.
    fn listed(prefixes: Prefixes, separators: &Separators) -> NamesFound {
        let whole = Weight { keys: u64::MAX, memory_bytes: u64::MAX };
        prefixes.close(separators, whole).finish().found
    }

    fn found(names: &[&[u8]], separators: &[u8]) -> Vec<(String, u64)> {
        let separators = Separators::new(separators);
        let mut prefixes = Prefixes::default();
        for name in names {
            prefixes.add(&separators, name, &Tally { keys: 1, ..Tally::default() });
        }
        let names = listed(prefixes, &separators).names;
        names.into_iter().map(|found| (found.name.to_string(), found.tally.keys)).collect()
    }

    #[test]
    fn prefixes_of_a_name() {
        let names = ["a:1:b", "a:2:b", "a:x", "b", ":"].map(str::as_bytes);
        let expected = [(":", 1), ("a:", 3), ("a:1:", 1), ("a:2:", 1)];
        assert_eq!(found(&names, b":"), expected.map(|(name, keys)| (name.to_owned(), keys)));
    }

    proptest! {
        #[test]
        fn the_cache_changes_nothing(
            keys in prop::collection::vec((0_u32..60, 0_u32..2, 0_usize..4, any::<bool>()), 0..2000),
        ) {
            let (separators, mut prefixes) = (Separators::new(b":"), Prefixes::default());
            let mut slow = std::collections::BTreeMap::new();
            for (skewed, kind, depth, is_long) in keys {
                // A few prefixes have most keys.
                let group = skewed * skewed / 90;
                let long = if is_long { "-a-part-that-is-longer-than-a-slot" } else { "" };
                let name = format!("{kind}{long}:g{group}:{}x", "deep:down:in:names:".repeat(depth));
                prefixes.add(&separators, name.as_bytes(), &Tally { keys: 1, ..Tally::default() });
                for (end, _) in name.match_indices(':').take(8).filter(|(end, _)| *end < NAME_BYTES_MAX) {
                    *slow.entry(name[..=end].to_owned()).or_default() += 1;
                }
            }
            let found = listed(prefixes, &separators).names.into_iter();
            let found: Vec<(String, u64)> = found.map(|found| (found.name.to_string(), found.tally.keys)).collect();
            prop_assert!(found == slow.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn parts_make_up_the_whole(
            numbers in prop::collection::vec((0_u64..9000, 0_u64..4), 1..9000),
            cut in 0_usize..9000,
        ) {
            let separators = Separators::new(b":");
            let of = |numbers: &[(u64, u64)], limit| {
                let mut prefixes = Prefixes::within(limit);
                for (number, kind) in numbers {
                    prefixes.add(&separators, format!("n{kind}:{number}:{kind}:x").as_bytes(), &Tally {
                        keys: 1,
                        ..Tally::default()
                    });
                }
                prefixes
            };
            let whole = of(&numbers, None);
            let (first, second) = numbers.split_at(cut.min(numbers.len()));
            let mut merged = of(first, None);
            // What the first part had no room for, the second need not hold.
            let second = of(second, merged.limit());
            merged.merge(&separators, second);
            prop_assert_eq!(listed(merged, &separators), listed(whole, &separators));
        }
    }
}
