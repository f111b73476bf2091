//! Servers' own strings: a header by length, the bytes, a zero.

use super::{Allocator, Cost, Target};

impl Target {
    /// Bytes of a string of `bytes`: a header of one up to 31, then of 3, 5, 9, 17, and the zero at its end.
    #[inline]
    pub(super) fn sds(self, bytes: u64) -> u64 {
        if bytes < 32 { bytes + 2 } else { self.sds_8(bytes) }
    }

    /// As [`Target::sds`], where the server never takes the shortest header since the string may grow.
    #[inline]
    pub(super) fn sds_8(self, bytes: u64) -> u64 {
        // Redis since 8.6 (`sdsReqType` of sds.c): a header must also be able to say how long the allocation is.
        let [most_8, most_16, most_32] = if self.is_redis_since(Self::Redis8_6) {
            [(1 << 8) - 3 - 1, (1 << 16) - 5 - 1, (1 << 32) - 9 - 1]
        } else {
            [0xff, 0xffff, 0xffff_ffff]
        };
        let header = match bytes {
            _ if bytes <= most_8 => 3,
            _ if bytes <= most_16 => 5,
            _ if bytes <= most_32 => 9,
            _ => 17,
        };
        bytes.saturating_add(header + 1)
    }

    /// A string as servers that keep books count it (`sdsAllocSize`): one with the shortest header as long as it is, a
    /// longer one as all that the allocator gave.
    #[inline]
    pub(super) fn noted(self, allocator: Allocator, bytes: u64) -> Cost {
        let size = self.sds(bytes);
        if bytes < 32 { allocator.requested(size) } else { allocator.given(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_by_length() {
        for (bytes, before, since_8_6) in [
            (0, 2, 2),
            (31, 33, 33),
            (32, 36, 36),
            (252, 256, 256),
            (253, 257, 259),
            (255, 259, 261),
            (256, 262, 262),
            (65_530, 65_536, 65_536),
            (65_531, 65_537, 65_541),
        ] {
            assert_eq!(Target::Redis8_4.sds(bytes), before, "{bytes}");
            assert_eq!(Target::Valkey9_1.sds(bytes), before, "{bytes}");
            assert_eq!(Target::Redis8_6.sds(bytes), since_8_6, "{bytes}");
        }
    }
}
