//! What an allocation takes: the size classes of the allocators that servers are built with.

use std::fmt;
use std::str::FromStr;

/// An allocator, as far as it decides how large a request becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Allocator {
    /// The jemalloc that servers bring with them (quantum 8): 8, 16, 24, 32 … 64, 80 … 128, four classes a doubling.
    #[default]
    Jemalloc,
    /// The jemalloc of Debian and its kin (quantum 16): 8, 16, 32, 48 … 128, then the same.
    Debian,
    /// The C library's, glibc on 64 bits: 24, 40, 56 … eight less than a multiple of sixteen.
    Libc,
}

impl Allocator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jemalloc, Self::Debian, Self::Libc];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jemalloc => "jemalloc",
            Self::Debian => "debian",
            Self::Libc => "libc",
        }
    }

    /// How many bytes a request for `bytes` takes, without the allocator's own tables.
    pub fn usable(self, bytes: u64) -> u64 {
        let quantum = match self {
            Self::Jemalloc => 8,
            Self::Debian if bytes <= 8 => 8,
            Self::Debian => 16,
            Self::Libc => return (bytes.saturating_add(8 + 15) & !15).saturating_sub(8).max(24),
        };
        // Four classes between two powers of two, none closer than the quantum.
        let doubling = (bytes.max(2) - 1).ilog2();
        let step = (1_u64 << doubling >> 2).max(quantum);
        // A power of two, which saves the division of `next_multiple_of`.
        bytes.max(1).checked_add(step - 1).map_or(bytes, |bytes| bytes & !(step - 1))
    }
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Allocator {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|allocator| allocator.name() == name).ok_or("an unknown allocator")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes() {
        for (bytes, jemalloc, debian, libc) in [
            (1, 8, 8, 24),
            (8, 8, 8, 24),
            (9, 16, 16, 24),
            (17, 24, 32, 24),
            (25, 32, 32, 40),
            (40, 40, 48, 40),
            (41, 48, 48, 56),
            (65, 80, 80, 72),
            (129, 160, 160, 136),
            (257, 320, 320, 264),
            (536, 640, 640, 536),
            (1025, 1280, 1280, 1032),
            (16_385, 20_480, 20_480, 16_392),
        ] {
            assert_eq!(Allocator::Jemalloc.usable(bytes), jemalloc, "{bytes}");
            assert_eq!(Allocator::Debian.usable(bytes), debian, "{bytes}");
            assert_eq!(Allocator::Libc.usable(bytes), libc, "{bytes}");
        }
        for allocator in Allocator::ALL {
            assert!(allocator.usable(u64::MAX) > 1 << 62);
        }
    }
}
