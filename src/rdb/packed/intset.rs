//! Intset: a sorted array of integers of one width (format section 8.3).

use super::Text;
use crate::rdb::parse_error::ParseErrorKind;
use crate::rdb::primitives::{Parsed, u32_le};

/// Bytes before the first integer: the width and the count.
pub const HEADER_BYTES: u64 = 8;

/// An intset's header: how many bytes it takes in all, and how many integers it holds.
///
/// # Errors
/// [`ParseErrorKind::BlobForm`] for a width other than 2, 4 or 8.
pub fn header(i: &[u8]) -> Parsed<'_, (u64, u64)> {
    let (i, width) = u32_le(i)?;
    let (i, count) = u32_le(i)?;
    if !matches!(width, 2 | 4 | 8) {
        return crate::rdb::primitives::fail(ParseErrorKind::BlobForm);
    }
    let count = u64::from(count);
    Ok((i, (HEADER_BYTES + u64::from(width) * count, count)))
}

/// The integers of an intset.
///
/// # Errors
/// [`ParseErrorKind::BlobForm`] for a bad width, [`ParseErrorKind::BlobSize`] if the count does not fill `blob` exactly.
pub fn entries(blob: &[u8]) -> Result<impl Iterator<Item = Text<'_>>, ParseErrorKind> {
    let (integers, (bytes, count)) = header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    if bytes != blob.len() as u64 {
        return Err(ParseErrorKind::BlobSize);
    }
    let width =
        if count == 0 { 8 } else { integers.len() / usize::try_from(count).map_err(|_| ParseErrorKind::BlobSize)? };
    Ok(integers.chunks_exact(width).map(|bytes| {
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = *from;
        }
        Text::Int(i64::from_le_bytes(wide))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_a_server_packed() {
        let blob = b"\x02\0\0\0\x03\0\0\0\xfe\xff\x01\0\x2c\x01";
        let read: Vec<_> = entries(blob).unwrap().collect();
        assert_eq!(read, [Text::Int(-2), Text::Int(1), Text::Int(300)]);
        assert!(entries(&blob[..13]).is_err());
        assert!(entries(b"\x03\0\0\0\0\0\0\0").is_err());
        assert_eq!(entries(b"\x08\0\0\0\0\0\0\0").unwrap().count(), 0);
    }
}
