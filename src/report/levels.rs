//! Where the prefixes of a name end, and which of them come first in the order of what is held.
//!
//! Prefixes with parts that look like numbers or IDs come later, deeper ones later too: what comes last tells least, and all
//! shorter prefixes of a prefix come before it.

use wide::u8x16;

use super::cache;
use super::names::{NAME_BYTES_MAX, Rank, hash_first};
use crate::rdb::short::PADDED_BYTES;

/// Deeper prefixes are not told apart.
pub(super) const DEPTH_MAX: usize = 8;

/// The bytes that end a prefix, each as many times as a vector has bytes.
#[derive(Clone, Debug)]
pub(crate) struct Separators(Vec<u8x16>);

/// A prefix of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    bytes: u8,
    class: u16,
}

/// The prefixes of a name, shortest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    found: [Level; DEPTH_MAX],
    pub(super) depth: usize,
    /// Whether there are deeper ones.
    pub(super) is_cut: bool,
}

impl Levels {
    /// The prefixes with their ranks, shortest first.
    #[inline]
    pub(super) fn all<'n>(
        &self,
        name: Padded<'n>,
    ) -> impl DoubleEndedIterator<Item = (&'n [u8], Rank)> + ExactSizeIterator {
        self.found.get(..self.depth).unwrap_or_default().iter().map(move |level| {
            let bytes = usize::from(level.bytes);
            let rank = (level.class, hash_first(name.bytes.as_chunks().0, bytes));
            (name.bytes.get(..bytes).unwrap_or_default(), rank)
        })
    }
}

/// How many levels a prefix of a class has.
#[inline(always)]
pub(super) fn depth(class: u16) -> usize {
    usize::from(class & 0xff)
}

/// A name, as far as prefixes are told apart, with anything behind it that makes up whole chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padded<'n> {
    pub(super) bytes: &'n [u8],
    pub(super) name_bytes: usize,
}

impl<'n> Padded<'n> {
    pub(super) fn new(name: &[u8], place: &'n mut [u8; NAME_BYTES_MAX]) -> Self {
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        for (to, from) in place.iter_mut().zip(name) {
            *to = *from;
        }
        Self { bytes: place, name_bytes: name.len() }
    }

    /// A name that is within a chunk.
    #[inline(always)]
    pub(super) fn of_chunk(chunk: &'n Chunk, name_bytes: usize) -> Self {
        Self { bytes: chunk, name_bytes }
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
    pub(super) fn is_among(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|separator| separator.to_array().first().is_some_and(|separator| bytes.contains(separator)))
    }

    /// The rank of a prefix.
    pub(super) fn rank(&self, prefix: &[u8]) -> Rank {
        let mut levels = Levels::default();
        let mut padded = [0; NAME_BYTES_MAX];
        let prefix = Padded::new(prefix, &mut padded);
        self.find(prefix, &mut levels);
        levels.all(prefix).next_back().map_or((u16::MAX, 0), |(_, rank)| rank)
    }

    /// Where the prefixes of a name end that is within a chunk: a bit for the last byte of each.
    #[inline(always)]
    pub(super) fn ends(&self, chunk: &Chunk, name_bytes: usize) -> u64 {
        // All of it: whether half is enough nothing foretells where names are about as long as that.
        self.among(blocks(chunk)) & first_bits(name_bytes)
    }

    /// The rank of the prefix that ends at `until`, where the next shorter one ends at `from` and has that class; a class of 0 if
    /// there is none.
    #[inline(always)]
    pub(super) fn rank_below(class: u16, chunk: &Chunk, from: usize, until: usize) -> Rank {
        let part = first_bits(until.saturating_sub(1)) & !first_bits(from);
        let [first, second, third, fourth] = blocks(chunk);
        let (digits, of_ids) =
            if until <= CHUNK_BYTES / 2 { id_bytes([first, second]) } else { id_bytes([first, second, third, fourth]) };
        let is_id = digits & part != 0 && !of_ids & part == 0;
        (class + 1 + (u16::from(is_id) << 8), hash_first(chunk.as_chunks().0, until))
    }

    /// Finds the prefixes of a name; of deeper ones the class only rises.
    #[inline]
    pub(super) fn find(&self, name: Padded<'_>, levels: &mut Levels) {
        levels.depth = 0;
        levels.is_cut = false;
        let Padded { bytes, name_bytes } = name;
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
    fn look_at(&self, chunk: &Chunk) -> Bytes {
        let blocks = blocks(chunk);
        let (digits, of_ids) = id_bytes(blocks);
        Bytes { separators: self.among(blocks), digits, others: !of_ids }
    }

    /// Which bytes end a prefix.
    #[inline(always)]
    fn among<const N: usize>(&self, blocks: [u8x16; N]) -> u64 {
        let mut found = [u8x16::splat(0); N];
        for separator in &self.0 {
            // Explicit loops over blocks are inlined and unrolled, `zip` and `map` are calls in some builds.
            let mut at = 0;
            while let (Some(found), Some(block)) = (found.get_mut(at), blocks.get(at)) {
                *found |= block.simd_eq(*separator);
                at += 1;
            }
        }
        bits(found)
    }
}

/// Bytes that are looked at together: a bit each of a word.
const CHUNK_BYTES: usize = 64;
pub(super) type Chunk = [u8; CHUNK_BYTES];
const BLOCKS: usize = CHUNK_BYTES / 16;

// Names lie in whole chunks, and what the cache knows of one in the first.
const _: () = assert!(PADDED_BYTES == CHUNK_BYTES && NAME_BYTES_MAX.is_multiple_of(CHUNK_BYTES));
const _: () = assert!(cache::PREFIX_BYTES_MAX <= CHUNK_BYTES);

#[inline(always)]
fn blocks(chunk: &Chunk) -> [u8x16; BLOCKS] {
    let (blocks, _) = chunk.as_chunks();
    let block = |at: usize| u8x16::new(blocks.get(at).copied().unwrap_or_default());
    [block(0), block(1), block(2), block(3)]
}

#[inline(always)]
fn bits<const N: usize>(blocks: [u8x16; N]) -> u64 {
    blocks.iter().rev().fold(0, |bits, block| bits << 16 | u64::from(block.to_bitmask()))
}

/// Which bytes are digits, and which can be in an ID.
#[inline(always)]
fn id_bytes<const N: usize>(blocks: [u8x16; N]) -> (u64, u64) {
    let among = |from: u8x16, first: u8, count: u8| (from - u8x16::splat(first)).simd_le(u8x16::splat(count - 1));
    let (mut digits, mut of_ids) = (0, 0);
    for block in blocks.into_iter().rev() {
        let is_digit = among(block, b'0', 10);
        // A letter's bit of case is no letter's own: what becomes a to f by it is A to F.
        let is_letter = among(block | u8x16::splat(0x20), b'a', 6);
        let is_of_id = is_digit | is_letter | block.simd_eq(u8x16::splat(b'-'));
        digits = digits << 16 | u64::from(is_digit.to_bitmask());
        of_ids = of_ids << 16 | u64::from(is_of_id.to_bitmask());
    }
    (digits, of_ids)
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
            separators.find(padded, &mut levels);
            let classes = levels.all(padded).map(|(prefix, (class, _))| (prefix.to_vec(), class));
            prop_assert_eq!(classes.collect::<Vec<_>>(), slow_levels(&name, ends));
            for (prefix, rank) in levels.all(padded) {
                prop_assert_eq!(rank.1, hash(prefix));
                prop_assert_eq!(separators.rank(prefix), rank);
            }
            if name.len() <= CHUNK_BYTES {
                let chunk = padded.bytes.first_chunk().unwrap();
                let slow_ends = name.iter().enumerate().filter(|(_, byte)| ends.contains(byte));
                prop_assert_eq!(separators.ends(chunk, name.len()), slow_ends.fold(0, |all, (at, _)| all | 1 << at));
                let (mut class, mut from) = (0, 0);
                for (prefix, rank) in levels.all(padded) {
                    prop_assert_eq!(Separators::rank_below(class, chunk, from, prefix.len()), rank);
                    (class, from) = (rank.0, prefix.len());
                }
            }
        }
    }
}
