//! Ziplist: the packed list of Redis up to 6.2 (format section 8.1), read forwards.

use nom::Err;

use super::{Passed, Text, sign_extend, to_terminator};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{Parsed, array, byte, fail, i32_le, i64_le, u32_le};
use crate::rdb::source::Source;

/// Bytes before the first entry: the total size, the last entry's offset and the entry count.
pub const HEADER_BYTES: u64 = 10;

/// A ziplist's header: its size in bytes, and its number of entries, `None` if it must be walked to know.
///
/// # Errors
/// [`ParseErrorKind::Eof`] where fewer than [`HEADER_BYTES`] bytes are there.
pub fn header(i: &[u8]) -> Parsed<'_, (u32, Option<u16>)> {
    let (i, bytes) = u32_le(i)?;
    let (i, _tail) = u32_le(i)?;
    let (i, count) = array(i)?;
    let count = u16::from_le_bytes(count);
    Ok((i, (bytes, (count != u16::MAX).then_some(count))))
}

/// The head of an entry: all of it but a string's bytes.
#[derive(Clone, Copy, Debug)]
enum EntryHeader {
    Text { bytes: u64 },
    Int(i64),
    End,
}

/// The previous entry's length, which a forward reader has no use for, then the encoding.
fn entry_header(i: &[u8]) -> Parsed<'_, EntryHeader> {
    let (i, previous) = byte(i)?;
    let i = match previous {
        0xff => return Ok((i, EntryHeader::End)),
        0xfe => array::<4>(i)?.0,
        _ => i,
    };
    let (i, first) = byte(i)?;
    let (i, value) = match first {
        0x00..=0x3f => return Ok((i, EntryHeader::Text { bytes: u64::from(first) })),
        0x40..=0x7f => {
            let (i, low) = byte(i)?;
            return Ok((i, EntryHeader::Text { bytes: u64::from(first & 0x3f) << 8 | u64::from(low) }));
        }
        0x80 => {
            // The one length in a ziplist that is big-endian.
            let (i, bytes) = array(i)?;
            return Ok((i, EntryHeader::Text { bytes: u64::from(u32::from_be_bytes(bytes)) }));
        }
        0xc0 => {
            let (i, bytes) = array(i)?;
            (i, i64::from(i16::from_le_bytes(bytes)))
        }
        0xd0 => {
            let (i, value) = i32_le(i)?;
            (i, i64::from(value))
        }
        0xe0 => i64_le(i)?,
        0xf0 => {
            let (i, [a, b, c]) = array(i)?;
            (i, sign_extend::<24>(i64::from(u32::from_le_bytes([a, b, c, 0]))))
        }
        0xfe => {
            let (i, [value]) = array::<1>(i)?;
            (i, i64::from(value.cast_signed()))
        }
        0xf1..=0xfd => (i, i64::from(first & 0x0f) - 1),
        _ => return fail(ParseErrorKind::BlobEntry),
    };
    Ok((i, EntryHeader::Int(value)))
}

/// Walks from the first entry to the terminator, which must lie at `end`, hands each entry to `visit`, and returns their number.
pub(crate) fn walk<S: Source>(source: &mut S, end: u64, visit: &mut dyn FnMut(Passed<'_>)) -> Result<u64, ParseError> {
    let mut entries = 0;
    loop {
        match source.parse(FormatElement::Blob, entry_header)? {
            EntryHeader::Text { bytes } => {
                source.skip(FormatElement::Blob, bytes)?;
                // A ziplist stores all that is an integer as one.
                visit(Passed::Text { bytes, short: None });
            }
            EntryHeader::Int(value) => visit(Passed::Int(value)),
            EntryHeader::End => break,
        }
        if source.offset() > end {
            break;
        }
        entries += 1;
    }
    if source.offset() == end {
        Ok(entries)
    } else {
        Err(source.error(FormatElement::Blob, ParseErrorKind::BlobEntry, entries))
    }
}

/// The entries of a ziplist.
///
/// # Errors
/// [`ParseErrorKind::BlobSize`] if the size in the header is not that of `blob`. The iterator gives [`ParseErrorKind::BlobEntry`] for an
/// unknown encoding, an entry that reaches past the end, or a terminator anywhere but at the end; then it ends.
pub fn entries(blob: &[u8]) -> Result<impl Iterator<Item = Result<Text<'_>, ParseErrorKind>>, ParseErrorKind> {
    let (rest, (bytes, _)) = header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    if u64::from(bytes) != blob.len() as u64 {
        return Err(ParseErrorKind::BlobSize);
    }
    Ok(to_terminator(rest, entry))
}

/// One entry; `None` at the terminator.
pub(crate) fn entry(i: &[u8]) -> Parsed<'_, Option<Text<'_>>> {
    let (i, entry_header) = entry_header(i)?;
    match entry_header {
        EntryHeader::End => Ok((i, None)),
        EntryHeader::Int(value) => Ok((i, Some(Text::Int(value)))),
        EntryHeader::Text { bytes } => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let (text, i) = i.split_at_checked(bytes).ok_or(Err::Error(ParseErrorKind::Eof))?;
            Ok((i, Some(Text::Bytes(text))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::source::Slice;

    /// a, 1000, 300000, 12, 9999999999 as Redis 6.2 packs a list.
    const LIST: &[u8] = b"\x23\0\0\0\x18\0\0\0\x05\0\0\x01a\x03\xc0\xe8\x03\x04\xf0\xe0\x93\x04\x05\xfd\
        \x02\xe0\xff\xe3\x0b\x54\x02\0\0\0\xff";

    #[test]
    fn a_list_that_a_server_packed() {
        let read: Vec<String> = entries(LIST).unwrap().map(|entry| entry.unwrap().to_string()).collect();
        assert_eq!(read, ["a", "1000", "300000", "12", "9999999999"]);
        let mut source = Slice::new(LIST, HEADER_BYTES);
        let mut passed = Vec::new();
        let mut visit = |entry: Passed<'_>| passed.push(matches!(entry, Passed::Int(_)));
        assert_eq!(walk(&mut source, LIST.len() as u64, &mut visit), Ok(5));
        assert_eq!(passed, [false, true, true, true, true]);
    }

    #[test]
    fn every_wrong_byte_ends() {
        for at in 0..LIST.len() {
            for value in 0..=255 {
                let mut blob = LIST.to_vec();
                blob[at] = value;
                if let Ok(entries) = entries(&blob) {
                    assert!(entries.count() <= blob.len());
                }
            }
        }
    }
}
