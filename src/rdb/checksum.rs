//! The checksum at a dump's end (format section 6.1): CRC-64 of Redis, over every byte up to and including the EOF opcode.

use crc_fast::{CrcAlgorithm, Digest};

/// Bytes that the checksum takes behind the EOF opcode.
pub const BYTES: u64 = 8;

/// A checksum in the making.
#[derive(Clone, Copy)]
pub struct Checksum(Digest);

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:016x})", self.value())
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Redis))
    }
}

impl Checksum {
    /// Takes in the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of what was taken in.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The checksum of bytes.
pub fn of(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// The checksum of two runs of bytes from the checksum of each and the second one's length.
pub fn combine(first: u64, second: u64, second_bytes: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Redis, first, second, second_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_format() {
        assert_eq!(of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn parts_combine_to_the_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for cut in [0, 1, 63, 5000, 9_999, 10_000] {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(combine(of(first), of(second), second.len() as u64), of(&bytes));
        }
    }
}
