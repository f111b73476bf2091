//! The last key of a full top list, as far as one look tells.

use std::cmp::Ordering;

use super::room::ordered;

/// The size of the last key of a full list, and the first bytes of its name, zeros where it ends. By default that of a list
/// which is not full: it keeps out nothing.
///
/// Of tiny keys half have the very size of the last one; most of them this tells from it without a call.
///
/// In order, the floor of a larger size comes first, then that of the smaller name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) size: u64,
    name: u128,
}

impl Ord for Floor {
    fn cmp(&self, other: &Self) -> Ordering {
        other.size.cmp(&self.size).then(self.name.cmp(&other.name))
    }
}

impl PartialOrd for Floor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Default for Floor {
    fn default() -> Self {
        Self { size: 0, name: u128::MAX }
    }
}

impl Floor {
    const NAME_BYTES: usize = 16;

    /// The floor that keeps out all keys.
    pub(crate) const CLOSED: Self = Self { size: u64::MAX, name: 0 };

    /// The floor of a full list that ends with a key of this size and name.
    pub(crate) fn new(size: u64, name: &[u8]) -> Self {
        let mut first = [0; Self::NAME_BYTES];
        for (to, from) in first.iter_mut().zip(name) {
            *to = *from;
        }
        Self { size, name: u128::from_be_bytes(first) }
    }

    /// Whether a key is sure to come behind the list's last one, whose whole name is asked for if the first bytes do not
    /// tell.
    #[inline(always)]
    pub(crate) fn keeps_out<'n>(self, size: u64, name: &[u8], last: impl FnOnce() -> Option<&'n [u8]>) -> bool {
        size < self.size || size == self.size && self.keeps_out_name(name, last)
    }

    #[inline(always)]
    fn keeps_out_name<'n>(self, name: &[u8], last: impl FnOnce() -> Option<&'n [u8]>) -> bool {
        let Some(first) = name.first_chunk() else { return false };
        let first = u128::from_be_bytes(*first);
        let is_equal = first == self.name && self != Self::default();
        first > self.name || is_equal && last().is_some_and(|last| ordered(name) > ordered(last))
    }

    /// As [`Floor::keeps_out`], as far as the first bytes tell, and without a branch: for who asks several floors.
    #[inline(always)]
    pub(crate) fn keeps_out_at_once(self, size: u64, first: [u8; Self::NAME_BYTES]) -> bool {
        (size < self.size) | ((size == self.size) & (u128::from_be_bytes(first) > self.name))
    }
}
