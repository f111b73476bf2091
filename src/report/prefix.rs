//! Prefixes of names: `a:b:c` counts under `a:` and `a:b:`.
//!
//! Every prefix that is held has the sums of all keys under it, so that those of the prefixes right below it and the rest
//! make up the whole. Prefixes with parts that look like numbers or IDs come later in the order of what is held, deeper
//! ones later too: what is cut off is what tells least.

use super::Tally;
use super::names::{NAME_BYTES_MAX, NameHash, Names, Rank};

/// Deeper prefixes are not told apart.
const DEPTH_MAX: u16 = 8;

/// Adds a key's tally to all prefixes of its name.
pub(super) fn add(names: &mut Names, separators: &[u8], name: &[u8], tally: &Tally) {
    // Nothing behind the last separator matters, and most of a name often lies there.
    let first = name.get(..name.len().min(NAME_BYTES_MAX)).unwrap_or_default();
    let Some(last) = first.iter().rposition(|byte| separators.contains(byte)) else { return };
    let mut walk = Walk::default();
    for (at, byte) in first.iter().take(last + 1).enumerate() {
        if let Some(rank) = walk.step(*byte, separators) {
            names.add(name.get(..=at).unwrap_or_default(), rank, tally);
        }
    }
}

/// The rank of a prefix.
pub(super) fn rank(prefix: &[u8], separators: &[u8]) -> Rank {
    let mut walk = Walk::default();
    let mut last = (u16::MAX, 0);
    for byte in prefix {
        last = walk.step(*byte, separators).unwrap_or(last);
    }
    last
}

/// A walk along a name.
struct Walk {
    hash: NameHash,
    depth: u16,
    ids: u16,
    part: Part,
}

impl Default for Walk {
    fn default() -> Self {
        Self { hash: NameHash::START, depth: 0, ids: 0, part: Part::default() }
    }
}

/// What the part since the last separator is made of.
#[derive(Clone, Copy, Default)]
struct Part {
    has_digit: bool,
    has_other: bool,
}

impl Walk {
    /// Takes the next byte; the rank of the prefix that ends with it, if it is a separator.
    #[inline]
    fn step(&mut self, byte: u8, separators: &[u8]) -> Option<Rank> {
        self.hash.add(byte);
        if !separators.contains(&byte) {
            self.part.has_digit |= byte.is_ascii_digit();
            self.part.has_other |= !byte.is_ascii_hexdigit() && byte != b'-';
            return None;
        }
        let part = std::mem::take(&mut self.part);
        self.ids += u16::from(part.has_digit && !part.has_other);
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
            add(&mut names, b":", name.as_bytes(), &tally);
        }
        let found: Vec<(String, u64)> =
            names.finish().names.into_iter().map(|found| (found.name.to_string(), found.tally.keys)).collect();
        let expected = [(":", 1), ("a:", 3), ("a:1:", 1), ("a:2:", 1)];
        assert_eq!(found, expected.map(|(name, keys)| (name.to_owned(), keys)));
    }

    #[test]
    fn numbers_come_late() {
        assert!(rank(b"user:profile:", b":") < rank(b"17:", b":"));
        assert!(rank(b"user:", b":") < rank(b"user:profile:", b":"));
        assert!(rank(b"user:9f-1c:", b":") > rank(b"user:a:b:c:", b":"));
    }
}
