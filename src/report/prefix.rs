//! Prefixes of names: `a:b:c` counts under `a:` and `a:b:`.
//!
//! While keys are added, each counts under the longest of its prefixes that is held, and a prefix that is dropped leaves
//! what it had to the next shorter one. In the end every prefix gets the sums of all longer ones, so that those of the
//! prefixes right below it and the rest make up the whole. Prefixes with parts that look like numbers or IDs come later in
//! the order of what is held, deeper ones later too: what is cut off is what tells least, and a prefix that is held has
//! all shorter ones held with it.

use super::Tally;
use super::names::{NAME_BYTES_MAX, NameHash, Named, Names, NamesFound, Place, Rank, word_of};

/// Deeper prefixes are not told apart.
const DEPTH_MAX: usize = 8;

/// Tallies by prefix, each without those of longer prefixes that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    held: Names,
    /// Those of the name in hand, kept so that no key has to clear them.
    levels: Levels,
}

impl Prefixes {
    /// None yet, and no room for those from `limit` on.
    pub(super) fn within(limit: Option<Rank>) -> Self {
        Self { held: Names::within(limit), levels: Levels::default() }
    }

    /// The first rank that there is no room for.
    pub(super) fn limit(&self) -> Option<Rank> {
        self.held.limit()
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held.held_bytes()
    }

    /// Adds a key's tally.
    #[inline]
    pub(super) fn add(&mut self, separators: &Separators, name: &[u8], tally: &Tally) {
        separators.find(name, &mut self.levels);
        for level in self.levels.as_slice().iter().rev() {
            match self.held.place(level.of(name), level.rank()) {
                Place::Held(held) => return held.merge(tally),
                Place::New => {
                    let prefix = level.of(name);
                    return self.hold(separators, prefix, tally);
                }
                Place::None => {}
            }
        }
    }

    /// Holds a prefix, and with it the shorter ones.
    #[cold]
    fn hold(&mut self, separators: &Separators, prefix: &[u8], tally: &Tally) {
        separators.find(prefix, &mut self.levels);
        for level in self.levels.as_slice() {
            let shorter = level.of(prefix);
            if let Place::New = self.held.place(shorter, level.rank()) {
                let is_whole = shorter.len() == prefix.len();
                self.held.hold(shorter, level.rank(), if is_whole { *tally } else { Tally::default() });
            }
        }
        if self.held.has_too_many() {
            let dropped = self.held.cut();
            self.take_over(separators, dropped);
        }
    }

    /// Counts dropped prefixes under the longest shorter ones that are held.
    fn take_over(&mut self, separators: &Separators, dropped: Vec<Named>) {
        for Named { name, tally, .. } in dropped {
            self.add(separators, &name, &tally);
        }
    }

    pub(super) fn merge(&mut self, separators: &Separators, other: Self) {
        let dropped = self.held.lower(other.limit());
        self.take_over(separators, dropped);
        self.take_over(separators, other.held.into_held().collect());
    }

    /// The prefixes that are held in the end, each with all keys under it.
    pub(super) fn finish(mut self, separators: &Separators) -> NamesFound {
        let dropped = self.held.cut();
        self.take_over(separators, dropped);
        let mut all = Names::within(self.limit());
        for Named { name, tally, .. } in self.held.into_held() {
            separators.find(&name, &mut self.levels);
            for level in self.levels.as_slice() {
                all.add(level.of(&name), level.rank(), &tally);
            }
        }
        all.finish()
    }
}

/// The bytes that end a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Separators {
    first: Option<u8>,
    others: Vec<u8>,
}

/// A prefix of a name.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    bytes: u8,
    class: u16,
    hash: u64,
}

impl Level {
    #[inline]
    fn of(self, name: &[u8]) -> &[u8] {
        name.get(..usize::from(self.bytes)).unwrap_or_default()
    }

    #[inline]
    fn rank(self) -> Rank {
        (self.class, self.hash)
    }
}

/// The prefixes of a name, shortest first.
#[derive(Clone, Debug, Default)]
struct Levels {
    levels: [Level; DEPTH_MAX],
    depth: usize,
}

impl Levels {
    #[inline]
    fn as_slice(&self) -> &[Level] {
        self.levels.get(..self.depth).unwrap_or_default()
    }
}

impl Separators {
    pub(crate) fn new(separators: &[u8]) -> Self {
        let others = separators.get(1..).unwrap_or_default();
        Self { first: separators.first().copied(), others: others.to_vec() }
    }

    /// The rank of a prefix.
    pub(super) fn rank(&self, prefix: &[u8]) -> Rank {
        let mut levels = Levels::default();
        self.find(prefix, &mut levels);
        levels.as_slice().last().map_or((u16::MAX, 0), |level| level.rank())
    }

    /// Bit 7 of each byte of a word that is a separator.
    #[inline]
    fn of_word(&self, word: u64) -> u64 {
        let found = self.first.map_or(0, |first| equal(word, first));
        if self.others.is_empty() {
            return found;
        }
        self.others.iter().fold(found, |found, other| found | equal(word, *other))
    }

    /// Finds the prefixes of a name. Eight bytes are looked at as one word, and those behind the last separator only once.
    #[inline]
    fn find(&self, name: &[u8], levels: &mut Levels) {
        levels.depth = 0;
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        let mut words = name.len().div_ceil(8);
        let mut separators = 0;
        while separators == 0 {
            let Some(last) = words.checked_sub(1) else { return };
            let (word, valid) = word(name, last);
            separators = self.of_word(word) & valid;
            words = if separators == 0 { last } else { words };
        }
        let (mut hash, mut ids) = (NameHash::START, 0);
        // What is in the part since the last separator, not zero if it is there.
        let (mut digits, mut others) = (0, 0);
        for at in 0..words {
            let (word, valid) = word(name, at);
            let mut separators = self.of_word(word) & valid;
            let in_parts = valid & !separators;
            let (digits_in_word, others_in_word) = classes(word);
            let (digits_in_word, others_in_word) = (digits_in_word & in_parts, others_in_word & in_parts);
            let mut ahead = u64::MAX;
            while separators != 0 {
                let separator = separators & separators.wrapping_neg();
                separators ^= separator;
                // All bytes of the word up to the separator.
                let prefix = (separator << 1).wrapping_sub(1);
                digits |= digits_in_word & ahead & prefix;
                others |= others_in_word & ahead & prefix;
                // Digits and nothing that an ID has not.
                ids += u16::from(digits != 0 && others == 0);
                (digits, others, ahead) = (0, 0, !prefix);
                let bytes = 8 * at + separator.trailing_zeros() as usize / 8 + 1;
                let Some(level) = levels.levels.get_mut(levels.depth) else { return };
                levels.depth += 1;
                level.bytes = u8::try_from(bytes).unwrap_or(u8::MAX);
                level.class = ids << 8 | u16::try_from(levels.depth).unwrap_or(u16::MAX);
                level.hash = hash.finish(word & prefix, bytes);
            }
            digits |= digits_in_word & ahead;
            others |= others_in_word & ahead;
            hash = hash.word(word);
        }
    }
}

/// Eight bytes of a name as a word, the first of them lowest, and ones where it has bytes; zeros where it ends.
#[inline]
fn word(name: &[u8], at: usize) -> (u64, u64) {
    let rest = name.get(8 * at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk() {
        return (u64::from_le_bytes(*word), u64::MAX);
    }
    let valid = (1 << (8 * rest.len())) - 1;
    match name.last_chunk() {
        Some(last) => (u64::from_le_bytes(*last) >> (8 * (8 - rest.len())), valid),
        None => (word_of(rest), valid),
    }
}

const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);

/// Bit 7 of each byte of a word that equals `byte`.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ u64::from_ne_bytes([byte; 8]);
    !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS)
}

/// Bit 7 of each byte of a word that lies in a range of 7-bit codes: `first` and those behind it.
#[inline]
fn within(word: u64, first: u8, count: u8) -> u64 {
    let low = word & LOW_BITS;
    let at_least = low + u64::from_ne_bytes([0x80 - first; 8]);
    let beyond = low + u64::from_ne_bytes([0x80 - first - count; 8]);
    at_least & !beyond & !word & !LOW_BITS
}

/// Bit 7 of each byte of a word that is a digit, and of each that is neither a hexadecimal digit nor a dash, as IDs are
/// made of.
#[inline]
fn classes(word: u64) -> (u64, u64) {
    let digits = within(word, b'0', 10);
    let lower_case = word | u64::from_ne_bytes([0x20; 8]);
    // A letter's bit of case is no letter's own: what becomes a to f by it is A to F.
    let letters = within(lower_case, b'a', 6);
    (digits, !(digits | letters | equal(word, b'-')) & !LOW_BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let (mut levels, mut part, mut ids) = (Vec::new(), 0, 0);
        for (at, byte) in name.iter().enumerate().take(NAME_BYTES_MAX) {
            if !separators.contains(byte) || levels.len() == DEPTH_MAX {
                continue;
            }
            let is_of_ids = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
            let bytes = &name[part..at];
            ids += u16::from(bytes.iter().any(u8::is_ascii_digit) && bytes.iter().all(is_of_ids));
            part = at + 1;
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
            separators in prop::sample::select(vec![&b":"[..], b":.", b"", b"a-\0", b"\xff@`0"]),
        ) {
            let mut levels = Levels::default();
            Separators::new(separators).find(&name, &mut levels);
            let fast: Vec<_> = levels.as_slice().iter().map(|level| (level.of(&name).to_vec(), level.class)).collect();
            prop_assert_eq!(fast, slow_levels(&name, separators));
            for level in levels.as_slice() {
                prop_assert_eq!(Separators::new(separators).rank(level.of(&name)), level.rank());
            }
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
