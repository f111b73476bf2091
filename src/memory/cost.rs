//! Two figures for one thing: what `MEMORY USAGE` counts for it, and what the allocator gives out.
//!
//! They differ wherever a server counts a request as it was made, counts an entry that it does not allocate, or leaves
//! something out: each rule of the model states both.

use std::ops::{Add, Sub};

use super::Allocator;

/// Bytes of memory, counted in both ways. Sums saturate: lengths come from the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// As `MEMORY USAGE` counts it.
    pub memory_bytes: u64,
    /// As the allocator gives it out.
    pub allocated_bytes: u64,
}

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self::same(0);

    /// What is counted as it is allocated.
    pub const fn same(bytes: u64) -> Self {
        Self { memory_bytes: bytes, allocated_bytes: bytes }
    }

    /// What is counted but not allocated.
    pub(super) const fn only_counted(bytes: u64) -> Self {
        Self { memory_bytes: bytes, allocated_bytes: 0 }
    }

    /// What is allocated but not counted.
    pub(super) const fn only_allocated(bytes: u64) -> Self {
        Self { memory_bytes: 0, allocated_bytes: bytes }
    }

    /// So many of it.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_mul(count),
            allocated_bytes: self.allocated_bytes.saturating_mul(count),
        }
    }
}

impl Add for Cost {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            allocated_bytes: self.allocated_bytes.saturating_add(other.allocated_bytes),
        }
    }
}

impl Sub for Cost {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            allocated_bytes: self.allocated_bytes.saturating_sub(other.allocated_bytes),
        }
    }
}

impl Allocator {
    /// A request that the server counts by what it was given (`zmalloc_size`).
    #[inline]
    pub(super) fn given(self, bytes: u64) -> Cost {
        Cost::same(self.usable(bytes))
    }

    /// A request that the server counts as it was made (`sizeof`).
    #[inline]
    pub(super) fn requested(self, bytes: u64) -> Cost {
        Cost { memory_bytes: bytes, allocated_bytes: self.usable(bytes) }
    }
}
