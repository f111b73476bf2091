//! Prefixes of names: `a:b:c` counts under `a:` and `a:b:`.
//!
//! While keys are added, each counts under the longest of its prefixes that is held, and a prefix that is dropped leaves
//! what it had to the next shorter one. Where that prefix has a slot in the cache the key counts there first, and where it
//! belongs when the slot is given up. In the end every prefix gets the sums of all longer ones, so that those of the
//! prefixes right below it and the rest make up the whole. Prefixes with parts that look like numbers or IDs come later in
//! the order of what is held, deeper ones later too: what is cut off is what tells least, and a prefix that is held has
//! all shorter ones held with it.

use wide::u8x16;

use super::cache::{self, Cache, Slot};
use super::names::{NAME_BYTES_MAX, Named, Names, NamesFound, Rank, hash_first};
use super::tally::Tally;
use crate::rdb::short::PADDED_BYTES;

/// Deeper prefixes are not told apart.
const DEPTH_MAX: usize = 8;

/// Tallies by prefix, each without those of longer prefixes that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    held: Names,
    /// Keys that are not in the tallies of `held` yet, by prefixes that were held when they came into the cache.
    cache: Cache,
    /// The prefixes of the last name, kept so that no key has to clear them.
    levels: Levels,
}

impl Prefixes {
    /// None yet, and no room for those from `limit` on.
    pub(super) fn within(limit: Option<Rank>) -> Self {
        Self { held: Names::within(limit), ..Self::default() }
    }

    /// The first rank that there is no room for.
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
        self.add_padded(separators, Padded::new(name, &mut [0; NAME_BYTES_MAX]), tally);
    }

    /// As [`Prefixes::add`], without a copy of the name.
    #[inline(always)]
    pub(super) fn add_padded(&mut self, separators: &Separators, name: Padded<'_>, tally: &Tally) {
        let is_added = match separators.longest(name) {
            Some(0) => true,
            Some(bytes @ ..=cache::PREFIX_BYTES_MAX) => {
                name.bytes.first_chunk().is_some_and(|first| self.cache.hit(first, bytes, tally))
            }
            _ => false,
        };
        if !is_added && let Some(evicted) = self.add_held(separators, name, tally, true) {
            self.add_prefix(separators, evicted.prefix(), &evicted.tally);
        }
    }

    /// Adds to the longest prefix that is held, or, if it `may_cache`, to that one's slot; returns what that evicted.
    #[inline(never)]
    fn add_held(&mut self, separators: &Separators, name: Padded<'_>, tally: &Tally, may_cache: bool) -> Option<Slot> {
        let Self { held, cache, levels } = self;
        separators.find(name, held.limit(), levels);
        if levels.is_cut {
            held.set_has_longer();
        }
        let (prefix, rank) = levels.all(name).rev().find(|(prefix, rank)| held.has_room(prefix, *rank))?;
        let first = name.bytes.first_chunk().filter(|_| may_cache && prefix.len() <= cache::PREFIX_BYTES_MAX);
        if first.is_some_and(|first| cache.hit(first, prefix.len(), tally)) {
            return None;
        }
        let Some(held) = held.find(prefix, rank) else {
            self.hold(separators, name, prefix.len(), tally);
            return None;
        };
        let evicted = first.and_then(|first| cache.insert(first, prefix.len(), tally));
        if evicted.is_none() {
            held.merge(tally);
        }
        evicted
    }

    /// Counts the keys of a prefix that was cached or held under the longest one of it that is held.
    fn add_prefix(&mut self, separators: &Separators, prefix: &[u8], tally: &Tally) {
        if !prefix.is_empty() {
            let mut padded = [0; NAME_BYTES_MAX];
            self.add_held(separators, Padded::new(prefix, &mut padded), tally, false);
        }
    }

    /// Counts all cached keys under prefixes that are held.
    fn settle(&mut self, separators: &Separators) {
        for slot in self.cache.drain() {
            self.add_prefix(separators, slot.prefix(), &slot.tally);
        }
    }

    /// Holds a prefix of the name in hand, and with it the shorter ones.
    #[cold]
    fn hold(&mut self, separators: &Separators, name: Padded<'_>, bytes: usize, tally: &Tally) {
        let Self { held, levels, .. } = self;
        for (prefix, rank) in levels.all(name).take_while(|(prefix, _)| prefix.len() <= bytes) {
            if held.has_room(prefix, rank) && held.find(prefix, rank).is_none() {
                held.hold(prefix, rank, if prefix.len() == bytes { *tally } else { Tally::default() });
            }
        }
        if held.has_too_many() {
            let dropped = held.cut();
            self.take_over(separators, dropped);
        }
    }

    /// Counts dropped prefixes under the longest shorter ones that are held.
    fn take_over(&mut self, separators: &Separators, dropped: Vec<Named>) {
        for Named { name, tally, .. } in dropped {
            self.add_prefix(separators, &name, &tally);
        }
    }

    pub(super) fn merge(&mut self, separators: &Separators, mut other: Self) {
        other.settle(separators);
        let dropped = self.held.lower(other.limit());
        if other.held.has_longer() {
            self.held.set_has_longer();
        }
        self.take_over(separators, dropped);
        self.take_over(separators, other.held.into_held().collect());
    }

    /// The prefixes that are held in the end, each with all keys under it.
    pub(super) fn finish(mut self, separators: &Separators) -> NamesFound {
        self.settle(separators);
        let dropped = self.held.cut();
        self.take_over(separators, dropped);
        let mut all = Names::within(self.limit());
        if self.held.has_longer() {
            all.set_has_longer();
        }
        for Named { name, tally, .. } in self.held.into_held() {
            let mut padded = [0; NAME_BYTES_MAX];
            let name = Padded::new(&name, &mut padded);
            separators.find(name, None, &mut self.levels);
            for (prefix, rank) in self.levels.all(name) {
                all.add(prefix, rank, &tally);
            }
        }
        all.finish()
    }
}

/// The bytes that end a prefix, each as many times as a vector has bytes.
#[derive(Clone, Debug)]
pub(crate) struct Separators(Vec<u8x16>);

/// A prefix of a name.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    bytes: u8,
    class: u16,
}

/// The prefixes of a name, shortest first.
#[derive(Clone, Debug, Default)]
struct Levels {
    found: [Level; DEPTH_MAX],
    depth: usize,
    /// Whether there are deeper ones.
    is_cut: bool,
}

impl Levels {
    /// The prefixes with their ranks, shortest first.
    #[inline]
    fn all<'n>(&self, name: Padded<'n>) -> impl DoubleEndedIterator<Item = (&'n [u8], Rank)> {
        self.found.get(..self.depth).unwrap_or_default().iter().map(move |level| {
            let bytes = usize::from(level.bytes);
            let rank = (level.class, hash_first(name.bytes.as_chunks().0, bytes));
            (name.bytes.get(..bytes).unwrap_or_default(), rank)
        })
    }
}

/// A name, as far as prefixes are told apart, with anything behind it that makes up whole chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padded<'n> {
    bytes: &'n [u8],
    name_bytes: usize,
}

impl<'n> Padded<'n> {
    fn new(name: &[u8], place: &'n mut [u8; NAME_BYTES_MAX]) -> Self {
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        for (to, from) in place.iter_mut().zip(name) {
            *to = *from;
        }
        Self { bytes: place, name_bytes: name.len() }
    }

    /// The name of a short string.
    #[inline(always)]
    pub(super) fn of_short(padded_name: &'n [u8; PADDED_BYTES], name_bytes: usize) -> Self {
        Self { bytes: padded_name, name_bytes }
    }
}

impl Separators {
    pub(crate) fn new(separators: &[u8]) -> Self {
        Self(separators.iter().map(|separator| u8x16::splat(*separator)).collect())
    }

    /// Whether any byte ends a prefix.
    pub(super) fn are_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether any of the bytes ends a prefix.
    fn is_among(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|separator| separator.to_array().first().is_some_and(|separator| bytes.contains(separator)))
    }

    /// The rank of a prefix.
    pub(super) fn rank(&self, prefix: &[u8]) -> Rank {
        let mut levels = Levels::default();
        let mut padded = [0; NAME_BYTES_MAX];
        let prefix = Padded::new(prefix, &mut padded);
        self.find(prefix, None, &mut levels);
        levels.all(prefix).next_back().map_or((u16::MAX, 0), |(_, rank)| rank)
    }

    /// Bytes of the longest prefix, 0 if there is none; not of names longer than a chunk.
    #[inline(always)]
    fn longest(&self, name: Padded<'_>) -> Option<usize> {
        let Padded { bytes, name_bytes } = name;
        let chunk = bytes.first_chunk().filter(|_| name_bytes <= CHUNK_BYTES)?;
        let all = blocks(chunk);
        // Most names are within half of it.
        let ends = match all {
            [first, second, ..] if name_bytes <= CHUNK_BYTES / 2 => self.among([first, second]),
            _ => self.among(all),
        };
        let ends = ends & first_bits(name_bytes);
        Some(CHUNK_BYTES - ends.leading_zeros() as usize)
    }

    /// Finds the prefixes of a name, as far as there may be room for them: of deeper ones the class only rises.
    #[inline]
    fn find(&self, name: Padded<'_>, limit: Option<Rank>, levels: &mut Levels) {
        levels.depth = 0;
        levels.is_cut = false;
        let Padded { bytes, name_bytes } = name;
        let class_max = limit.map_or(u16::MAX, |(class, _)| class);
        let mut ids = 0;
        // What is in the part since the last separator.
        let (mut has_digits, mut has_others) = (false, false);
        for (number, chunk) in bytes.as_chunks().0.iter().take(name_bytes.div_ceil(CHUNK_BYTES)).enumerate() {
            let Bytes { mut separators, digits, others } = self.look_at(chunk);
            separators &= first_bits(name_bytes - CHUNK_BYTES * number);
            let mut ahead = u64::MAX;
            while separators != 0 {
                let separator = separators & separators.wrapping_neg();
                separators ^= separator;
                let element = ahead & (separator - 1);
                has_digits |= digits & element != 0;
                has_others |= others & element != 0;
                ids += u16::from(has_digits && !has_others);
                (has_digits, has_others, ahead) = (false, false, !(separator | (separator - 1)));
                let Some(level) = levels.found.get_mut(levels.depth) else {
                    levels.is_cut = true;
                    return;
                };
                let class = ids << 8 | u16::try_from(levels.depth + 1).unwrap_or(u16::MAX);
                if class > class_max {
                    return;
                }
                levels.depth += 1;
                let bytes = CHUNK_BYTES * number + separator.trailing_zeros() as usize + 1;
                *level = Level { bytes: u8::try_from(bytes).unwrap_or(u8::MAX), class };
            }
            has_digits |= digits & ahead != 0;
            has_others |= others & ahead != 0;
        }
    }

    /// What the bytes of a chunk are.
    #[inline]
    fn look_at(&self, chunk: &[u8; CHUNK_BYTES]) -> Bytes {
        let blocks = blocks(chunk);
        let among = |from: u8x16, first: u8, count: u8| (from - u8x16::splat(first)).simd_le(u8x16::splat(count - 1));
        let is_digit = |block| among(block, b'0', 10);
        let is_of_id = |block| {
            // A letter's bit of case is no letter's own: what becomes a to f by it is A to F.
            let letters = among(block | u8x16::splat(0x20), b'a', 6);
            is_digit(block) | letters | block.simd_eq(u8x16::splat(b'-'))
        };
        let separators = self.among(blocks);
        Bytes { separators, digits: bits(blocks.map(is_digit)), others: !bits(blocks.map(is_of_id)) }
    }

    /// Which bytes end a prefix.
    #[inline(always)]
    fn among<const N: usize>(&self, blocks: [u8x16; N]) -> u64 {
        let none = [u8x16::splat(0); N];
        bits(self.0.iter().fold(none, |mut found, separator| {
            found.iter_mut().zip(blocks).for_each(|(found, block)| *found |= block.simd_eq(*separator));
            found
        }))
    }
}

/// Bytes that are looked at together: a bit each of a word.
const CHUNK_BYTES: usize = 64;
const BLOCKS: usize = CHUNK_BYTES / 16;

// Names lie in whole chunks, and what the cache knows of one in the first.
const _: () = assert!(PADDED_BYTES == CHUNK_BYTES && NAME_BYTES_MAX.is_multiple_of(CHUNK_BYTES));
const _: () = assert!(cache::PREFIX_BYTES_MAX <= CHUNK_BYTES);

#[inline(always)]
fn blocks(chunk: &[u8; CHUNK_BYTES]) -> [u8x16; BLOCKS] {
    let (blocks, _) = chunk.as_chunks();
    std::array::from_fn(|block| u8x16::new(blocks.get(block).copied().unwrap_or_default()))
}

#[inline(always)]
fn bits<const N: usize>(blocks: [u8x16; N]) -> u64 {
    blocks.iter().rev().fold(0, |bits, block| bits << 16 | u64::from(block.to_bitmask()))
}

/// Those of the first bytes of a chunk, or of all where there are more.
#[inline(always)]
fn first_bits(bytes: usize) -> u64 {
    1_u64.checked_shl(u32::try_from(bytes).unwrap_or(u32::MAX)).unwrap_or(0).wrapping_sub(1)
}

/// Bytes of a chunk, a bit each: those that end a prefix, and what tells IDs from words. An ID has digits, and nothing that
/// hexadecimal numbers and UUIDs have not.
struct Bytes {
    separators: u64,
    digits: u64,
    others: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::names::hash;
    use super::*;

    fn found(names: &[&[u8]], separators: &[u8]) -> Vec<(String, u64)> {
        let separators = Separators::new(separators);
        let mut prefixes = Prefixes::default();
        for name in names {
            prefixes.add(&separators, name, &Tally { keys: 1, ..Tally::default() });
        }
        let names = prefixes.finish(&separators).names;
        names.into_iter().map(|found| (found.name.to_string(), found.tally.keys)).collect()
    }

    #[test]
    fn prefixes_of_a_name() {
        let names = ["a:1:b", "a:2:b", "a:x", "b", ":"].map(str::as_bytes);
        let expected = [(":", 1), ("a:", 3), ("a:1:", 1), ("a:2:", 1)];
        assert_eq!(found(&names, b":"), expected.map(|(name, keys)| (name.to_owned(), keys)));
    }

    #[test]
    fn numbers_come_late() {
        let rank = |prefix: &[u8]| Separators::new(b":").rank(prefix);
        assert!(rank(b"user:profile:") < rank(b"17:"));
        assert!(rank(b"user:") < rank(b"user:profile:"));
        assert!(rank(b"user:9f-1c:") > rank(b"user:a:b:c:"));
    }

    /// Byte by byte: the prefixes with the classes of their ranks.
    fn slow_levels(name: &[u8], separators: &[u8]) -> Vec<(Vec<u8>, u16)> {
        let (mut levels, mut element, mut ids) = (Vec::new(), 0, 0);
        for (at, byte) in name.iter().enumerate().take(NAME_BYTES_MAX) {
            if !separators.contains(byte) || levels.len() == DEPTH_MAX {
                continue;
            }
            let is_of_ids = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
            let bytes = &name[element..at];
            ids += u16::from(bytes.iter().any(u8::is_ascii_digit) && bytes.iter().all(is_of_ids));
            element = at + 1;
            levels.push((name[..=at].to_vec(), ids << 8 | u16::try_from(levels.len() + 1).unwrap()));
        }
        levels
    }

    proptest! {
        #[test]
        fn words_tell_what_bytes_tell(
            name in prop_oneof![
                "([0-9a-f:.-]{0,12}[G-z:_/]{0,2}){0,14}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..40),
            ],
            ends in prop::sample::select(vec![&b":"[..], b":.", b"", b"a-\0", b"\xff@`0"]),
        ) {
            let mut levels = Levels::default();
            let separators = Separators::new(ends);
            // What lies behind a name changes nothing.
            let mut padded = [b':'; NAME_BYTES_MAX];
            let padded = Padded::new(&name, &mut padded);
            separators.find(padded, None, &mut levels);
            let classes = levels.all(padded).map(|(prefix, (class, _))| (prefix.to_vec(), class));
            prop_assert_eq!(classes.collect::<Vec<_>>(), slow_levels(&name, ends));
            let longest = name.iter().rposition(|byte| ends.contains(byte)).map_or(0, |at| at + 1);
            prop_assert_eq!(separators.longest(padded), (name.len() <= 64).then_some(longest));
            for (prefix, rank) in levels.all(padded) {
                prop_assert_eq!(rank.1, hash(prefix));
                prop_assert_eq!(separators.rank(prefix), rank);
            }
        }

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
                for (end, _) in name.match_indices(':').take(DEPTH_MAX).filter(|(end, _)| *end < NAME_BYTES_MAX) {
                    *slow.entry(name[..=end].to_owned()).or_default() += 1;
                }
            }
            let found = prefixes.finish(&separators).names.into_iter();
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
            prop_assert_eq!(merged.finish(&separators), whole.finish(&separators));
        }
    }
}
