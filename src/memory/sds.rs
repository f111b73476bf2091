//! Servers' own strings: a header by length, the bytes, a zero.

/// Bytes of a string of `bytes`: one for the shortest header up to 31, then 3, 5, 9, 17.
#[inline]
pub(super) fn sds(bytes: u64) -> u64 {
    if bytes < 32 { bytes + 2 } else { sds_8(bytes) }
}

/// As [`sds`], where the server never takes the shortest header since the string may grow.
#[inline]
pub(super) fn sds_8(bytes: u64) -> u64 {
    let header = match bytes {
        0..0x100 => 3,
        0x100..0x1_0000 => 5,
        0x1_0000..0x1_0000_0000 => 9,
        _ => 17,
    };
    bytes.saturating_add(header + 1)
}

/// What servers that keep books note for a string of `bytes`: of a longer one, all that the allocator gave.
#[inline]
pub(super) fn noted(bytes: u64, usable: impl FnOnce(u64) -> u64) -> u64 {
    if bytes < 32 { sds(bytes) } else { usable(sds_8(bytes)) }
}
