//! What a zstd frame says of itself before its first block (RFC 8878, section 3.1.1.1).

/// Bytes of the longest header of a frame, its magic included.
pub(super) const BYTES_MAX: usize = 18;

/// The header of a frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ZstdHeader {
    /// Bytes before the first block, the magic included.
    pub(super) bytes: usize,
    pub(super) window_bytes: u64,
    pub(super) dictionary: Option<u32>,
    /// Whether a checksum follows the last block.
    pub(super) has_checksum: bool,
}

impl ZstdHeader {
    pub(super) fn of(header: &[u8]) -> Option<Self> {
        const MAGIC_BYTES: usize = 4;
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let (descriptor, mut rest) = header.get(MAGIC_BYTES..)?.split_first()?;
        let is_single_segment = descriptor & 1 << 5 != 0;
        let mut window_bytes = 0;
        if !is_single_segment {
            let (window, after) = rest.split_first()?;
            let base = 1_u64 << (10 + (window >> 3));
            window_bytes = base + base / 8 * u64::from(window & 7);
            rest = after;
        }
        let id_bytes = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
        let (id, rest) = rest.split_at_checked(*id_bytes)?;
        let size_bytes = *[usize::from(is_single_segment), 2, 4, 8].get(usize::from(descriptor >> 6))?;
        let (size, rest) = rest.split_at_checked(size_bytes)?;
        if is_single_segment {
            window_bytes = number(size) + if size_bytes == 2 { 256 } else { 0 };
        }
        // An ID of 0 says nothing.
        let dictionary = u32::try_from(number(id)).ok().filter(|id| *id != 0);
        let bytes = header.len() - rest.len();
        Some(Self { bytes, window_bytes, dictionary, has_checksum: descriptor & 1 << 2 != 0 })
    }
}
