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
///
/// Bytes that follow multiply what came before by x^8 each, and this checksum neither begins nor ends with anything else.
/// Written here because it is on the one way that workers share: it takes microseconds, `crc_fast`'s two hundred of them.
pub fn combine(first: u64, second: u64, second_bytes: u64) -> u64 {
    // That of no bytes is zero.
    if first == 0 {
        return second;
    }
    multiply(first, power_of_x8(second_bytes)) ^ second
}

/// The generator, reflected: the highest bit stands for x^0.
const GENERATOR: u64 = 0x95ac_9329_ac4b_c9b5;

/// The product of two polynomials modulo the generator.
fn multiply(one: u64, mut other: u64) -> u64 {
    let mut product = 0;
    for bit in (0..64).rev() {
        // Masks, not branches: the bits are as good as random.
        product ^= other & (one >> bit & 1).wrapping_neg();
        other = other >> 1 ^ GENERATOR & (other & 1).wrapping_neg();
    }
    product
}

/// x^8 to the power of `exponent`, modulo the generator.
fn power_of_x8(mut exponent: u64) -> u64 {
    let mut power = 1 << 63;
    let mut square = 1 << (63 - 8);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        exponent >>= 1;
    }
    power
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
