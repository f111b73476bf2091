//! The slot of a cluster that a key belongs to.

/// What stands between the first `{` and the next `}`, if that is not nothing: the part that a name's slot is made of.
pub(crate) fn hash_tag(name: &[u8]) -> Option<&[u8]> {
    // Most names have none, and this looks at many bytes at a time.
    if name.iter().fold(0, |found, byte| found | u8::from(*byte == b'{')) == 0 {
        return None;
    }
    let open = name.iter().position(|byte| *byte == b'{')?;
    let rest = name.get(open + 1..)?;
    let close = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// The slot of a name.
pub(crate) fn slot_of_name(name: &[u8]) -> u16 {
    slot(hash_tag(name).unwrap_or(name))
}

/// The slot of a hash tag, or of a name that has none: CRC-16 of XMODEM, modulo 16,384. Eight bytes at a time: zeros before the first byte do not
/// change this CRC, so that the bytes that are too many for whole words come first.
pub(crate) fn slot(bytes: &[u8]) -> u16 {
    let (head, words) = bytes.as_rchunks::<8>();
    let first = match bytes.first_chunk() {
        Some(word) if !head.is_empty() => u64::from_be_bytes(*word) >> (64 - 8 * head.len()),
        _ => head.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let crc = words
        .iter()
        .fold(crc_of_word(first), |crc, word| crc_of_word(u64::from_be_bytes(*word) ^ u64::from(crc) << 48));
    crc & 0x3fff
}

fn crc_of_word(word: u64) -> u16 {
    let bytes = word.to_le_bytes();
    CRC_16.iter().zip(bytes).fold(0, |crc, (table, byte)| crc ^ table.get(usize::from(byte)).copied().unwrap_or(0))
}

/// The CRC of each byte with as many zeros behind it as the table has others before it.
const CRC_16: [[u16; 256]; 8] = crc_16_tables();

#[allow(clippy::indexing_slicing, reason = "a constant, computed while compiling")]
#[allow(clippy::cast_possible_truncation, reason = "below 256")]
const fn crc_16_tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
                bit += 1;
            }
            tables[table][at] = crc;
            table += 1;
        }
        at += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_as_clusters_count_them() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
        // Byte by byte, as the CRC is defined.
        let slowly = |bytes: &[u8]| {
            bytes.iter().fold(0_u16, |crc, byte| {
                (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| crc << 1 ^ if crc >> 15 == 1 { 0x1021 } else { 0 })
            })
        };
        let bytes: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(37) ^ 0x5a).collect();
        for end in 0..bytes.len() {
            assert_eq!(slot(&bytes[..end]), slowly(&bytes[..end]) & 0x3fff, "{end} bytes");
        }
        assert_eq!(hash_tag(b"{user1000}.following"), Some(&b"user1000"[..]));
        assert_eq!(hash_tag(b"foo{}{bar}"), None);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), Some(&b"{bar"[..]));
        assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
    }
}
