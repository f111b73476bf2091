//! The blocks of an LZ4 frame that do not need each other, cut into runs that can be inflated as frames of their own.
//!
//! What the frame promises of all of them, its length and a checksum, is compared when they have been inflated.

use std::hash::Hasher;
use std::io;
use std::ops::Range;

use lz4_flex::frame::Error;
use twox_hash::XxHash32;

use super::ahead::Ahead;

/// Bytes of a header without a length and a dictionary.
const HEADER_BYTES: usize = 7;

/// Behind the last block of a frame.
pub(super) const END_MARK: [u8; 4] = [0; 4];

/// A frame of such blocks.
pub(super) struct Frame {
    /// A header for some of its blocks, which promises nothing of all of them.
    pub(super) header: [u8; HEADER_BYTES],
    has_block_checksums: bool,
    block_bytes_max: usize,
    content_bytes: Option<u64>,
    has_checksum: bool,
}

/// Some blocks in a row.
pub(super) struct Run {
    /// Stored bytes of them and, if the frame ends behind them, of its end.
    pub(super) bytes: usize,
    /// Where the blocks are in these.
    pub(super) blocks: Range<usize>,
    pub(super) promises: Option<Promises>,
}

/// What a frame promises of what all of its blocks inflate to.
pub(super) struct Promises {
    bytes: Option<u64>,
    checksum: Option<StoredChecksum>,
}

enum StoredChecksum {
    Is(u32),
    /// The file ends within it.
    IsCut,
}

impl Frame {
    /// The frame that begins here, if it has such blocks, and the bytes of its header (LZ4 frame format 1.6.4).
    pub(super) fn open(from: &mut Ahead) -> Option<(Self, usize)> {
        const VERSION_MASK: u8 = 0b1100_0000;
        const VERSION: u8 = 0b0100_0000;
        const IS_INDEPENDENT: u8 = 1 << 5;
        const HAS_BLOCK_CHECKSUMS: u8 = 1 << 4;
        const HAS_SIZE: u8 = 1 << 3;
        const HAS_CHECKSUM: u8 = 1 << 2;
        const OTHERS: u8 = 0b11;
        const FLAGS_AT: usize = 4;
        let has = |flags: u8, flag| flags & flag != 0;
        let start = *from.look(0, HEADER_BYTES).first_chunk::<HEADER_BYTES>()?;
        let [m0, m1, m2, m3, flags, block_size, _] = start;
        let header_bytes = HEADER_BYTES + if has(flags, HAS_SIZE) { size_of::<u64>() } else { 0 };
        let (descriptor, checksum) = from.look(0, header_bytes).get(FLAGS_AT..)?.split_at_checked(header_bytes - 5)?;
        let content_bytes =
            descriptor.get(2..).and_then(|size| size.first_chunk()).map(|size| u64::from_le_bytes(*size));
        let is_plain =
            flags & VERSION_MASK == VERSION && !has(flags, OTHERS) && checksum == [header_checksum(descriptor)];
        if !is_plain || !has(flags, IS_INDEPENDENT) {
            return None;
        }
        let block_bytes_max = match block_size {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return None,
        };
        let flags_of_run = VERSION | IS_INDEPENDENT | flags & HAS_BLOCK_CHECKSUMS;
        let header = [m0, m1, m2, m3, flags_of_run, block_size, header_checksum(&[flags_of_run, block_size])];
        let (has_block_checksums, has_checksum) = (has(flags, HAS_BLOCK_CHECKSUMS), has(flags, HAS_CHECKSUM));
        Some((Self { header, has_block_checksums, block_bytes_max, content_bytes, has_checksum }, header_bytes))
    }

    /// The blocks that begin `at` bytes ahead, as many as have `bytes_min` bytes together, or as there are. What is no whole
    /// block is left to whoever judges it.
    pub(super) fn run(&self, from: &mut Ahead, at: usize, bytes_min: usize) -> Run {
        let mut end = at;
        while end - at < bytes_min {
            match from.look(end, END_MARK.len()).first_chunk() {
                Some(&END_MARK) => {
                    let stored = if self.has_checksum { size_of::<u32>() } else { 0 };
                    let checksum = from.look(end + END_MARK.len(), stored);
                    let bytes = end + END_MARK.len() + checksum.len();
                    let checksum = self.has_checksum.then(|| match checksum.first_chunk() {
                        Some(checksum) => StoredChecksum::Is(u32::from_le_bytes(*checksum)),
                        None => StoredChecksum::IsCut,
                    });
                    let promises = Promises { bytes: self.content_bytes, checksum };
                    return Run { bytes, blocks: at..end, promises: Some(promises) };
                }
                Some(size) => match self.block_bytes(u32::from_le_bytes(*size)) {
                    Some(bytes) if from.look(end, bytes).len() == bytes => end += bytes,
                    _ => break,
                },
                None => break,
            }
        }
        Run { bytes: end, blocks: at..end, promises: None }
    }

    /// Bytes of a block that begins with this word, if it can be one.
    fn block_bytes(&self, word: u32) -> Option<usize> {
        const IS_NOT_COMPRESSED: u32 = 1 << 31;
        const CHECKSUM_BYTES: usize = 4;
        let stored_bytes = usize::try_from(word & !IS_NOT_COMPRESSED).ok()?;
        let checksum_bytes = if self.has_block_checksums { CHECKSUM_BYTES } else { 0 };
        let is_one = (1..=self.block_bytes_max).contains(&stored_bytes);
        is_one.then_some(size_of::<u32>() + stored_bytes + checksum_bytes)
    }
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    let [_, second, ..] = XxHash32::oneshot(0, descriptor).to_le_bytes();
    second
}

/// What the blocks of a frame inflated to so far.
pub(super) struct Content {
    bytes: u64,
    hash: XxHash32,
}

impl Default for Content {
    fn default() -> Self {
        Self { bytes: 0, hash: XxHash32::with_seed(0) }
    }
}

impl Content {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.write(bytes);
    }

    /// Compares it with what the frame promised.
    ///
    /// # Errors
    /// Those of a decoder of the whole frame.
    pub(super) fn compare(&self, promises: &Promises) -> io::Result<()> {
        let actual = self.bytes;
        if let Some(expected) = promises.bytes.filter(|expected| *expected != actual) {
            return Err(Error::ContentLengthError { expected, actual }.into());
        }
        match promises.checksum {
            Some(StoredChecksum::IsCut) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(StoredChecksum::Is(checksum)) if u64::from(checksum) != self.hash.finish() => {
                Err(Error::ContentChecksumError.into())
            }
            _ => Ok(()),
        }
    }
}
