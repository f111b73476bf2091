//! What an allocation takes: the size classes of the allocators that servers are built with.

use std::fmt;
use std::str::FromStr;

/// An allocator, as far as it decides how large a request becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Allocator {
    /// The jemalloc that servers bring with them (quantum 8): 8, 16, 24, 32 … 64, 80 … 128, four classes a doubling.
    #[default]
    Jemalloc,
    /// The jemalloc of Debian and its kin (quantum 16) up to 5.3.0: 8, 16, 32, 48 … 128, then the same.
    Debian,
    /// The same from 5.3.1 on, which rounds large requests up to pages (Debian 14, sid).
    Debian531,
    /// The C library's, glibc on 64 bits: 24, 40, 56 … eight less than a multiple of sixteen.
    Libc,
}

/// The largest request that jemalloc 5.3.1 still has a class for: `opt_disable_large_size_classes` is on.
const CLASS_BYTES_MAX: u64 = 14_336;

/// The smallest chunk of glibc.
const CHUNK_BYTES_MIN: u64 = 32;

/// glibc maps chunks from this size on by themselves (`M_MMAP_THRESHOLD`), as long as no mapped one has been freed: then it
/// takes those that are as large from the heap too, and they are up to a page smaller.
const MAPPED_BYTES: u64 = 128 << 10;

const PAGE_BYTES: u64 = 4096;

/// Rounds up to a multiple of a power of two; near the largest number, the number itself.
#[inline]
fn round_up(bytes: u64, step: u64) -> u64 {
    // A power of two, which saves the division of `next_multiple_of`.
    bytes.checked_add(step - 1).map_or(bytes, |bytes| bytes & !(step - 1))
}

impl Allocator {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jemalloc, Self::Debian, Self::Debian531, Self::Libc];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jemalloc => "jemalloc",
            Self::Debian => "debian",
            Self::Debian531 => "debian-5.3.1",
            Self::Libc => "libc",
        }
    }

    /// How many bytes a request for `bytes` takes, without the allocator's own tables.
    pub fn usable(self, bytes: u64) -> u64 {
        let quantum = match self {
            Self::Jemalloc => 8,
            Self::Debian531 if bytes > CLASS_BYTES_MAX => return round_up(bytes, PAGE_BYTES),
            Self::Debian | Self::Debian531 if bytes <= 8 => 8,
            Self::Debian | Self::Debian531 => 16,
            Self::Libc => return glibc(bytes),
        };
        // Four classes between two powers of two, none closer than the quantum.
        let doubling = (bytes.max(2) - 1).ilog2();
        round_up(bytes.max(1), (1_u64 << doubling >> 2).max(quantum))
    }
}

impl Allocator {
    /// How many bytes an allocation takes that was made for `from` bytes and cut to `to`. glibc keeps a chunk whole if what is
    /// left of it is too small for another (`MINSIZE`); jemalloc moves it to its class.
    pub(super) fn cut(self, from: u64, to: u64) -> u64 {
        let [from, to] = [from, to].map(|bytes| self.usable(bytes));
        if self == Self::Libc && from > to && from - to < CHUNK_BYTES_MIN { from } else { to }
    }
}

/// A chunk is a multiple of sixteen with eight bytes of its own; one that is mapped is whole pages with sixteen.
fn glibc(bytes: u64) -> u64 {
    let chunk = round_up(bytes.saturating_add(8), 16);
    if chunk < MAPPED_BYTES { (chunk - 8).max(24) } else { round_up(chunk.saturating_add(8), PAGE_BYTES) - 16 }
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
        for (bytes, debian_531, libc) in [
            (48, 48, 56),
            (14_336, 14_336, 14_344),
            (14_337, 16_384, 14_344),
            (131_048, 131_072, 131_048),
            (131_049, 131_072, 135_152),
            (260_000, 262_144, 262_128),
        ] {
            assert_eq!(Allocator::Debian531.usable(bytes), debian_531, "{bytes}");
            assert_eq!(Allocator::Libc.usable(bytes), libc, "{bytes}");
        }
        assert_eq!([(100, 90), (100, 70), (60, 100)].map(|(from, to)| Allocator::Libc.cut(from, to)), [104, 72, 104]);
        assert_eq!(Allocator::Jemalloc.cut(100, 90), 96);
        for allocator in Allocator::ALL {
            assert!(allocator.usable(u64::MAX) > 1 << 62);
        }
    }
}
