//! Elements that may be there only once: a set's members, a hash's fields, a stream's groups.
//!
//! Of each element 128 bits are held, so that two that differ are taken for one in no dump that anyone will see. They are
//! keyed with random numbers of the process, so that no dump can be made whose elements meet in the table.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::rdb::packed::Text;

/// Elements of one value that are held: what fits a table of 2^19 places, 8 MiB.
pub(super) const HELD_MAX: usize = 450_000;

/// Places of a table for a value that is not known to be large, 2 KiB: most packed values fit, and clearing it is cheap.
const PLACES_MIN: usize = 128;

/// The elements seen so far: a table with open addressing, in which 0 is an empty place.
#[derive(Debug)]
pub(crate) struct Distinct {
    places: Vec<u128>,
    held: usize,
    held_max: usize,
    has_zero: bool,
    /// Elements that were not held, being too many.
    unseen: bool,
    keys: [u64; 4],
}

impl Default for Distinct {
    fn default() -> Self {
        Self::new(HELD_MAX)
    }
}

impl Distinct {
    /// A set that holds so many elements at most.
    pub(crate) fn new(held_max: usize) -> Self {
        Self { places: Vec::new(), held: 0, held_max, has_zero: false, unseen: false, keys: keys() }
    }

    /// An empty one that holds as many.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.held_max)
    }

    /// Forgets all elements.
    pub(crate) fn clear(&mut self) {
        if self.held > 0 {
            if self.places.len() > PLACES_MIN {
                self.places = Vec::new();
            }
            self.places.fill(0);
            self.held = 0;
        }
        self.has_zero = false;
        self.unseen = false;
    }

    /// Takes in an element; false if it was there before.
    #[inline]
    pub(crate) fn add(&mut self, text: Text<'_>) -> bool {
        let id = match text {
            Text::Bytes(bytes) => digest(&self.keys, bytes),
            // To a server a number and its decimal text are one.
            Text::Int(value) => digest(&self.keys, itoa::Buffer::new().format(value).as_bytes()),
        };
        self.add_id(id)
    }

    /// Takes in something that 128 bits say all about; false if it was there before.
    #[inline]
    pub(crate) fn add_id(&mut self, id: u128) -> bool {
        if id == 0 {
            return !std::mem::replace(&mut self.has_zero, true);
        }
        // Three quarters full, then seven eighths of the largest.
        if self.held >= self.places.len() / 4 * 3 && self.held < self.held_max {
            self.grow();
        }
        let (place, is_held) = self.find(id);
        if is_held {
            return false;
        }
        if self.held >= self.held_max {
            self.unseen = true;
            return true;
        }
        if let Some(place) = self.places.get_mut(place) {
            *place = id;
            self.held += 1;
        }
        true
    }

    /// The place where an element is, or where it would be put; and whether it is there. There is always an empty place.
    #[inline]
    fn find(&self, id: u128) -> (usize, bool) {
        let [a, b, ..] = self.keys;
        let (high, low) = halves(id);
        let mask = self.places.len().wrapping_sub(1);
        let mut place = usize::try_from(folded(high ^ a, low ^ b)).unwrap_or(0) & mask;
        loop {
            match self.places.get(place) {
                None | Some(0) => return (place, false),
                Some(held) if *held == id => return (place, true),
                Some(_) => place = (place + 1) & mask,
            }
        }
    }

    #[cold]
    fn grow(&mut self) {
        let places_max = self.held_max.saturating_add(self.held_max / 7).next_power_of_two();
        let places = (self.places.len() * 2).clamp(PLACES_MIN, places_max.max(PLACES_MIN));
        if places == self.places.len() {
            return;
        }
        let earlier = std::mem::replace(&mut self.places, vec![0; places]);
        for id in earlier.into_iter().filter(|id| *id != 0) {
            let (place, _) = self.find(id);
            if let Some(place) = self.places.get_mut(place) {
                *place = id;
            }
        }
    }

    /// Whether nothing was taken in.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0 && !self.has_zero
    }

    /// Whether something was taken in that is not held.
    pub(crate) fn is_partial(&self) -> bool {
        self.unseen
    }

    /// Whether something was taken in before; unless [partial](Self::is_partial).
    pub(crate) fn has_id(&self, id: u128) -> bool {
        if id == 0 { self.has_zero } else { self.find(id).1 }
    }
}

/// 128 bits that stand for these bytes, in this process.
pub(crate) fn id_of(bytes: &[u8]) -> u128 {
    digest(&keys(), bytes)
}

/// Random numbers of this process.
fn keys() -> [u64; 4] {
    static KEYS: OnceLock<[u64; 4]> = OnceLock::new();
    *KEYS.get_or_init(|| [(); 4].map(|()| RandomState::new().hash_one(0) | 1))
}

#[allow(clippy::cast_possible_truncation, reason = "each half in its turn")]
fn halves(wide: u128) -> (u64, u64) {
    ((wide >> 64) as u64, wide as u64)
}

/// Both halves of a product, in one.
#[inline]
fn folded(a: u64, b: u64) -> u64 {
    let (high, low) = halves(u128::from(a) * u128::from(b));
    high ^ low
}

/// A text in 128 bits, two times 64 that know nothing of each other.
#[inline]
pub(crate) fn digest(keys: &[u64; 4], bytes: &[u8]) -> u128 {
    let [a, b, c, d] = *keys;
    let (mut one, mut other) = (bytes.len() as u64 ^ a, c);
    let mut rest = bytes;
    while rest.len() > 16
        && let Some((block, behind)) = rest.split_first_chunk::<16>()
    {
        let (high, low) = halves(u128::from_le_bytes(*block));
        one = folded(low ^ one, high ^ b);
        other = folded(low ^ d, high ^ other);
        rest = behind;
    }
    let (low, high) = ends(rest);
    one = folded(low ^ one, high ^ b);
    other = folded(low ^ d, high ^ other);
    u128::from(one) << 64 | u128::from(other)
}

/// Up to 16 bytes in two words, which overlap where they are fewer.
#[inline]
fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
    }
    // The first, the middle and the last of three or fewer say all, together with how many they are.
    match *bytes {
        [a] => (a.into(), 0),
        [a, b] => (a.into(), b.into()),
        [a, b, c] => (u64::from(a) | u64::from(b) << 8, c.into()),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_and_its_text_are_one() {
        let mut distinct = Distinct::default();
        assert!(distinct.add(Text::Int(-12)));
        assert!(!distinct.add(Text::Bytes(b"-12")));
        assert!(distinct.add(Text::Bytes(b"-012")));
        distinct.clear();
        assert!(distinct.add(Text::Bytes(b"-12")));
    }

    #[test]
    fn as_many_are_held_as_may_be() {
        for held_max in [1, 100, 5000] {
            let mut distinct = Distinct::new(held_max);
            for round in 0..2 {
                for id in 0..=held_max as u128 {
                    assert_eq!(distinct.add_id(id), round == 0, "{id} of {held_max}");
                    assert!(distinct.has_id(id) && !distinct.is_partial());
                }
            }
            assert!(distinct.add_id(u128::MAX) && distinct.add_id(u128::MAX) && distinct.is_partial());
            distinct.clear();
            assert!(distinct.add_id(7) && !distinct.add_id(7) && !distinct.is_partial());
        }
    }

    /// Each byte, and how many there are, counts.
    #[test]
    fn texts_that_differ_have_digests_that_differ() {
        let keys = keys();
        let mut digests = HashSet::new();
        let mut texts = 0;
        for length in 0..100 {
            let text = vec![0; length];
            texts += 1;
            digests.insert(digest(&keys, &text));
            for at in 0..length {
                for bit in 0..8 {
                    let mut text = text.clone();
                    text[at] ^= 1 << bit;
                    texts += 1;
                    digests.insert(digest(&keys, &text));
                }
            }
        }
        assert_eq!(digests.len(), texts);
    }
}
