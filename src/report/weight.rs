//! What prefixes are weighed by.

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// Keys, and bytes of their memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// How many keys.
    pub keys: u64,
    /// Bytes of memory as `MEMORY USAGE` counts them.
    pub memory_bytes: u64,
}

impl Weight {
    #[inline]
    pub(super) fn of(tally: &Tally) -> Self {
        Self { keys: tally.keys, memory_bytes: tally.memory_bytes }
    }

    /// The sum of both.
    #[inline]
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            keys: self.keys.saturating_add(other.keys),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub(super) fn without(self, part: Self) -> Self {
        Self {
            keys: self.keys.saturating_sub(part.keys),
            memory_bytes: self.memory_bytes.saturating_sub(part.memory_bytes),
        }
    }

    /// The larger of both in either.
    #[must_use]
    pub(super) fn max(self, other: Self) -> Self {
        Self { keys: self.keys.max(other.keys), memory_bytes: self.memory_bytes.max(other.memory_bytes) }
    }

    /// One of so many equal parts, rounded down.
    #[inline]
    #[must_use]
    pub(super) fn part(self, parts: u64) -> Self {
        Self { keys: self.keys / parts, memory_bytes: self.memory_bytes / parts }
    }

    /// The larger share that a part has of it, in keys or in memory.
    #[expect(clippy::cast_precision_loss, reason = "shares are compared, and those that are as good as equal are")]
    pub(super) fn share(self, part: Self) -> f64 {
        let of = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        of(part.keys, self.keys).max(of(part.memory_bytes, self.memory_bytes))
    }

    /// Whether it has more of either than `bound`.
    #[inline]
    pub(super) fn exceeds(self, bound: Self) -> bool {
        self.keys > bound.keys || self.memory_bytes > bound.memory_bytes
    }
}
