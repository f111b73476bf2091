//! How many stored bytes the next member of a compressed file takes, where that can be told without inflating it.

use super::ahead::Ahead;
#[cfg(feature = "compress")]
use super::members::SHARED_WINDOW_BYTES_MAX;
use super::members::{KIND_BYTES, Kind};
#[cfg(feature = "compress")]
use super::zstd_header::{self, ZstdHeader};

/// A member that takes more is inflated alone: it would have to be held.
const BYTES_MAX: usize = 16 << 20;

/// The bytes of the member that begins `at` bytes ahead, if they can be told, are not too many, and are all there.
pub(super) fn of(from: &mut Ahead, at: usize) -> Option<usize> {
    let bytes = match Kind::of(from.look(at, KIND_BYTES))? {
        Kind::Skippable => of_skippable(from, at)?,
        #[cfg(feature = "compress")]
        Kind::Gzip => of_bgzf(from, at)?,
        #[cfg(feature = "compress")]
        Kind::Zstd => of_zstd(from, at)?,
        _ => return None,
    };
    (bytes <= BYTES_MAX && from.look(at, bytes).len() == bytes).then_some(bytes)
}

/// A magic and a length.
fn of_skippable(from: &mut Ahead, at: usize) -> Option<usize> {
    const HEADER_BYTES: usize = 8;
    let [_, _, _, _, length @ ..] = *from.look(at, HEADER_BYTES).first_chunk::<HEADER_BYTES>()?;
    usize::try_from(u32::from_le_bytes(length)).ok()?.checked_add(HEADER_BYTES)
}

/// A block of BGZF, which `bgzip` writes: a gzip member with its length, less one, in the extra field `BC` (SAM specification,
/// section 4.1).
#[cfg(feature = "compress")]
fn of_bgzf(from: &mut Ahead, at: usize) -> Option<usize> {
    const HEADER_BYTES: usize = 12;
    const HAS_EXTRA: u8 = 1 << 2;
    let [_, _, _, flags, .., low, high] = *from.look(at, HEADER_BYTES).first_chunk::<HEADER_BYTES>()?;
    if flags & HAS_EXTRA == 0 {
        return None;
    }
    let mut extra = from.look(at + HEADER_BYTES, usize::from(u16::from_le_bytes([low, high])));
    while let [first, second, low, high, rest @ ..] = extra {
        let (field, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))?;
        if let ([b'B', b'C'], [low, high]) = ([*first, *second], field) {
            return Some(usize::from(u16::from_le_bytes([*low, *high])) + 1);
        }
        extra = rest;
    }
    None
}

/// A header, and blocks that say their lengths (RFC 8878, section 3.1.1).
#[cfg(feature = "compress")]
fn of_zstd(from: &mut Ahead, at: usize) -> Option<usize> {
    const BLOCK_HEADER_BYTES: usize = 3;
    const CHECKSUM_BYTES: usize = 4;
    const IS_LAST: u32 = 1;
    let header = ZstdHeader::of(from.look(at, zstd_header::BYTES_MAX))?;
    if header.window_bytes > SHARED_WINDOW_BYTES_MAX || header.dictionary.is_some() {
        return None;
    }
    let mut bytes = header.bytes;
    while bytes <= BYTES_MAX {
        let [low, middle, high] = *from.look(at + bytes, BLOCK_HEADER_BYTES).first_chunk::<BLOCK_HEADER_BYTES>()?;
        let block = u32::from_le_bytes([low, middle, high, 0]);
        let stored_bytes = match block >> 1 & 3 {
            // One byte stands for all of a run's.
            1 => 1,
            0 | 2 => usize::try_from(block >> 3).ok()?,
            _ => return None,
        };
        bytes += BLOCK_HEADER_BYTES + stored_bytes;
        if block & IS_LAST != 0 {
            return Some(bytes + if header.has_checksum { CHECKSUM_BYTES } else { 0 });
        }
    }
    None
}
