//! The slot of a cluster that a key belongs to.

/// What stands between the first `{` and the next `}`, if that is not nothing: the part that a name's slot is made of.
pub(crate) fn hash_tag(name: &[u8]) -> Option<&[u8]> {
    let open = name.iter().position(|byte| *byte == b'{')?;
    let rest = name.get(open + 1..)?;
    let close = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// The slot of a name.
pub(crate) fn slot_of_name(name: &[u8]) -> u16 {
    slot(hash_tag(name).unwrap_or(name))
}

/// The slot of a hash tag, or of a name that has none: CRC-16 of XMODEM, modulo 16,384.
pub(crate) fn slot(bytes: &[u8]) -> u16 {
    let crc = bytes.iter().fold(0_u16, |crc, byte| {
        let at = usize::from(crc >> 8 ^ u16::from(*byte));
        crc << 8 ^ CRC_16.get(at).copied().unwrap_or(0)
    });
    crc & 0x3fff
}

const CRC_16: [u16; 256] = crc_16_table();

#[allow(clippy::indexing_slicing, reason = "a constant, computed while compiling")]
#[allow(clippy::cast_possible_truncation, reason = "below 256")]
const fn crc_16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_as_clusters_count_them() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(hash_tag(b"{user1000}.following"), Some(&b"user1000"[..]));
        assert_eq!(hash_tag(b"foo{}{bar}"), None);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), Some(&b"{bar"[..]));
        assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
    }
}
