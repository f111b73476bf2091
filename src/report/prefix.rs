//! Prefixes of names: `a:b:c` counts under `a:` and `a:b:`.
//!
//! Every prefix that is held has the sums of all keys under it, so that those of the prefixes right below it and the rest
//! make up the whole. Prefixes with parts that look like numbers or IDs come later in the order of what is held, deeper
//! ones later too: what is cut off is what tells least.

use super::Tally;
use super::names::{NAME_BYTES_MAX, NameHash, Names, Rank};

/// Deeper prefixes are not told apart.
const DEPTH_MAX: u16 = 8;

/// What each byte is to a prefix, as bits.
#[derive(Clone, Debug)]
pub(crate) struct Bytes([u8; 256]);

const SEPARATOR: u8 = 1;
const DIGIT: u8 = 2;
/// Neither a hexadecimal digit nor a dash, as IDs are made of.
const OTHER: u8 = 4;

impl Bytes {
    pub(crate) fn new(separators: &[u8]) -> Self {
        let mut classes = [0; 256];
        for (class, byte) in classes.iter_mut().zip(0..=u8::MAX) {
            *class = if separators.contains(&byte) {
                SEPARATOR
            } else if byte.is_ascii_digit() {
                DIGIT
            } else if byte.is_ascii_hexdigit() || byte == b'-' {
                0
            } else {
                OTHER
            };
        }
        Self(classes)
    }

    fn class(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or(0)
    }
}

/// Adds a key's tally to all prefixes of its name.
pub(super) fn add(names: &mut Names, bytes: &Bytes, name: &[u8], tally: &Tally) {
    // Nothing behind the last separator matters, and most of a name often lies there.
    let first = name.get(..name.len().min(NAME_BYTES_MAX)).unwrap_or_default();
    let Some(last) = first.iter().rposition(|byte| bytes.class(*byte) == SEPARATOR) else { return };
    let mut walk = Walk::default();
    for (at, byte) in first.iter().take(last + 1).enumerate() {
        if let Some(rank) = walk.step(*byte, bytes) {
            names.add(name.get(..=at).unwrap_or_default(), rank, tally);
        }
    }
}

/// The rank of a prefix.
pub(super) fn rank(prefix: &[u8], bytes: &Bytes) -> Rank {
    let mut walk = Walk::default();
    let mut last = (u16::MAX, 0);
    for byte in prefix {
        last = walk.step(*byte, bytes).unwrap_or(last);
    }
    last
}

/// A walk along a name.
struct Walk {
    hash: NameHash,
    depth: u16,
    ids: u16,
    /// The classes of all bytes since the last separator.
    part: u8,
}

impl Default for Walk {
    fn default() -> Self {
        Self { hash: NameHash::START, depth: 0, ids: 0, part: 0 }
    }
}

impl Walk {
    /// Takes the next byte; the rank of the prefix that ends with it, if it is a separator.
    #[inline]
    fn step(&mut self, byte: u8, bytes: &Bytes) -> Option<Rank> {
        self.hash.add(byte);
        let class = bytes.class(byte);
        if class != SEPARATOR {
            self.part |= class;
            return None;
        }
        // Digits and nothing that an ID has not.
        self.ids += u16::from(std::mem::take(&mut self.part) == DIGIT);
        self.depth += 1;
        (self.depth <= DEPTH_MAX).then(|| (self.ids << 8 | self.depth, self.hash.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_a_name() {
        let mut names = Names::default();
        let tally = Tally { keys: 1, ..Tally::default() };
        for name in ["a:1:b", "a:2:b", "a:x", "b", ":"] {
            add(&mut names, &Bytes::new(b":"), name.as_bytes(), &tally);
        }
        let found: Vec<(String, u64)> =
            names.finish().names.into_iter().map(|found| (found.name.to_string(), found.tally.keys)).collect();
        let expected = [(":", 1), ("a:", 3), ("a:1:", 1), ("a:2:", 1)];
        assert_eq!(found, expected.map(|(name, keys)| (name.to_owned(), keys)));
    }

    #[test]
    fn numbers_come_late() {
        let rank = |prefix: &[u8]| rank(prefix, &Bytes::new(b":"));
        assert!(rank(b"user:profile:") < rank(b"17:"));
        assert!(rank(b"user:") < rank(b"user:profile:"));
        assert!(rank(b"user:9f-1c:") > rank(b"user:a:b:c:"));
    }
}
