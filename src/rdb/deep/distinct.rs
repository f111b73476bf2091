//! Elements that may be there only once: a set's members, a hash's fields, a stream's groups.
//!
//! Of each element 128 bits are held, so that two that differ are taken for one in no dump that anyone will see.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use crate::rdb::packed::Text;

/// Elements of one value that are held: what fits a table of 2^19 places, 9 MiB.
const HELD_MAX: usize = 450_000;

/// A table with more places than this is given back rather than cleared, which would cost each small value as much.
const KEPT_PLACES_MAX: usize = 4096;

/// The elements seen so far.
#[derive(Debug, Default)]
pub(crate) struct Distinct {
    seen: HashSet<u128>,
    /// Elements that were not held, being too many.
    unseen: bool,
}

impl Distinct {
    /// Forgets all elements.
    pub(crate) fn clear(&mut self) {
        if self.seen.capacity() > KEPT_PLACES_MAX {
            self.seen = HashSet::new();
        } else {
            self.seen.clear();
        }
        self.unseen = false;
    }

    /// Takes in an element; false if it was there before.
    pub(crate) fn add(&mut self, text: Text<'_>) -> bool {
        let mut buffer = itoa::Buffer::new();
        self.add_id(digest(match text {
            Text::Bytes(bytes) => bytes,
            // To a server a number and its decimal text are one.
            Text::Int(value) => buffer.format(value).as_bytes(),
        }))
    }

    /// Takes in something that 128 bits say all about; false if it was there before.
    pub(crate) fn add_id(&mut self, id: u128) -> bool {
        if self.seen.len() < HELD_MAX {
            return self.seen.insert(id);
        }
        self.unseen = true;
        !self.seen.contains(&id)
    }

    /// Whether something was taken in that is not held.
    pub(crate) fn is_partial(&self) -> bool {
        self.unseen
    }

    /// Whether something was taken in before; unless [partial](Self::is_partial).
    pub(crate) fn has_id(&self, id: u128) -> bool {
        self.seen.contains(&id)
    }
}

/// 128 bits that stand for these bytes.
pub(crate) fn digest(bytes: &[u8]) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(bytes);
        hasher.finish()
    };
    u128::from(half(0)) << 64 | u128::from(half(1))
}

#[cfg(test)]
mod tests {
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
}
