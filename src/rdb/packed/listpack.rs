//! Listpack: the packed list of Redis 7 and Valkey (format section 8.2). Read forwards only; an RDB never needs to go back.

use nom::Err;

use super::{Text, sign_extend, to_terminator};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{Parsed, array, byte, fail, u32_le};
use crate::rdb::source::Source;

/// Bytes before the first entry: the total size and the entry count.
pub const HEADER_BYTES: u64 = 6;

/// A listpack's header: its size in bytes, and its number of entries, `None` if it must be walked to know.
///
/// # Errors
/// [`ParseErrorKind::Eof`] where fewer than [`HEADER_BYTES`] bytes are there.
#[inline]
pub fn header(i: &[u8]) -> Parsed<'_, (u32, Option<u16>)> {
    let (i, bytes) = u32_le(i)?;
    let (i, count) = array(i)?;
    let count = u16::from_le_bytes(count);
    Ok((i, (bytes, (count != u16::MAX).then_some(count))))
}

/// The head of an entry: all of it but a string's bytes.
#[derive(Clone, Copy, Debug)]
enum EntryHeader {
    Text { head_bytes: u64, bytes: u64 },
    Int { head_bytes: u64, value: i64 },
    End,
}

fn entry_header(i: &[u8]) -> Parsed<'_, EntryHeader> {
    let (i, first) = byte(i)?;
    match first {
        0x00..=0x7f => Ok((i, EntryHeader::Int { head_bytes: 1, value: i64::from(first) })),
        0x80..=0xbf => Ok((i, EntryHeader::Text { head_bytes: 1, bytes: u64::from(first & 0x3f) })),
        0xc0..=0xdf => {
            let (i, low) = byte(i)?;
            let value = sign_extend::<13>(i64::from(first & 0x1f) << 8 | i64::from(low));
            Ok((i, EntryHeader::Int { head_bytes: 2, value }))
        }
        0xe0..=0xef => {
            let (i, low) = byte(i)?;
            Ok((i, EntryHeader::Text { head_bytes: 2, bytes: u64::from(first & 0x0f) << 8 | u64::from(low) }))
        }
        0xf0 => {
            let (i, bytes) = u32_le(i)?;
            Ok((i, EntryHeader::Text { head_bytes: 5, bytes: u64::from(bytes) }))
        }
        0xf1 => {
            let (i, bytes) = array(i)?;
            Ok((i, EntryHeader::Int { head_bytes: 3, value: i64::from(i16::from_le_bytes(bytes)) }))
        }
        0xf2 => {
            let (i, [a, b, c]) = array(i)?;
            let value = sign_extend::<24>(i64::from(u32::from_le_bytes([a, b, c, 0])));
            Ok((i, EntryHeader::Int { head_bytes: 4, value }))
        }
        0xf3 => {
            let (i, bytes) = array(i)?;
            Ok((i, EntryHeader::Int { head_bytes: 5, value: i64::from(i32::from_le_bytes(bytes)) }))
        }
        0xf4 => {
            let (i, bytes) = array(i)?;
            Ok((i, EntryHeader::Int { head_bytes: 9, value: i64::from_le_bytes(bytes) }))
        }
        0xff => Ok((i, EntryHeader::End)),
        _ => fail(ParseErrorKind::BlobEntry),
    }
}

/// Steps over the back length of an entry of `entry_bytes` bytes and checks that it says so: seven bits a byte, the
/// lowest last, each byte but the first with its top bit set.
///
/// Until Redis 8.6 and Valkey 9.0 an entry of exactly the largest size of a width got one byte more, which then comes
/// first and is zero; the narrow form's first byte is 0x7f.
fn back_length(entry_bytes: u64) -> impl Fn(&[u8]) -> Parsed<'_, ()> {
    move |i| {
        let mut width = match entry_bytes {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            2_097_152..=268_435_455 => 4,
            _ => 5,
        };
        if matches!(entry_bytes, 16_383 | 2_097_151 | 268_435_455) && i.first() == Some(&0) {
            width += 1;
        }
        let (stored, rest) = i.split_at_checked(width).ok_or(Err::Error(ParseErrorKind::Eof))?;
        if let ([says], 0..=127) = (stored, entry_bytes) {
            return if u64::from(*says) == entry_bytes { Ok((rest, ())) } else { fail(ParseErrorKind::BackLength) };
        }
        let says = |mut left: u64| {
            stored.iter().enumerate().rev().all(|(at, byte)| {
                let bits = u8::try_from(left & 0x7f).unwrap_or(0);
                left >>= 7;
                *byte == if at == 0 { bits } else { bits | 0x80 }
            })
        };
        if says(entry_bytes) { Ok((rest, ())) } else { fail(ParseErrorKind::BackLength) }
    }
}

/// Walks from the first entry to the terminator, which must lie at `end`, and returns the number of entries.
pub(crate) fn count<S: Source>(source: &mut S, end: u64) -> Result<u64, ParseError> {
    let mut entries = 0;
    loop {
        let entry_bytes = match source.parse(FormatElement::Blob, entry_header)? {
            EntryHeader::Text { head_bytes, bytes } => {
                source.skip(FormatElement::Blob, bytes)?;
                head_bytes + bytes
            }
            EntryHeader::Int { head_bytes, .. } => head_bytes,
            EntryHeader::End => break,
        };
        source.parse(FormatElement::Blob, back_length(entry_bytes))?;
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

/// The entries of a listpack.
///
/// # Errors
/// [`ParseErrorKind::BlobSize`] if the size in the header is not that of `blob`. The iterator gives [`ParseErrorKind::BlobEntry`] for an
/// unknown encoding, an entry that reaches past the end, or a terminator anywhere but at the end, and
/// [`ParseErrorKind::BackLength`] for a wrong length behind an entry; then it ends.
pub fn entries(blob: &[u8]) -> Result<impl Iterator<Item = Result<Text<'_>, ParseErrorKind>>, ParseErrorKind> {
    let (rest, (bytes, _)) = header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    if u64::from(bytes) != blob.len() as u64 {
        return Err(ParseErrorKind::BlobSize);
    }
    Ok(to_terminator(rest, entry))
}

/// One entry with its back length; `None` at the terminator.
#[inline]
fn entry(i: &[u8]) -> Parsed<'_, Option<Text<'_>>> {
    // Most entries are short, and so is what follows them: one byte.
    match *i {
        [value @ 0x00..=0x7f, 1, ref rest @ ..] => return Ok((rest, Some(Text::Int(value.into())))),
        [first @ 0x80..=0xbf, ref rest @ ..] => {
            let bytes = first & 0x3f;
            if let Some((text, [says, rest @ ..])) = rest.split_at_checked(bytes.into())
                && *says == bytes + 1
            {
                return Ok((rest, Some(Text::Bytes(text))));
            }
        }
        _ => {}
    }
    any_entry(i)
}

fn any_entry(i: &[u8]) -> Parsed<'_, Option<Text<'_>>> {
    let (i, entry_header) = entry_header(i)?;
    let (i, entry, entry_bytes) = match entry_header {
        EntryHeader::End => return Ok((i, None)),
        EntryHeader::Int { head_bytes, value } => (i, Text::Int(value), head_bytes),
        EntryHeader::Text { head_bytes, bytes } => {
            let bytes_here = usize::try_from(bytes).unwrap_or(usize::MAX);
            let (text, i) = i.split_at_checked(bytes_here).ok_or(Err::Error(ParseErrorKind::Eof))?;
            (i, Text::Bytes(text), head_bytes + bytes)
        }
    };
    let (i, ()) = back_length(entry_bytes)(i)?;
    Ok((i, Some(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::source::Slice;

    /// {a:1, b:70000, c:xxx, d:-7, e:5000, f:9999999999} as Redis 7.2 packs it.
    const HASH: &[u8] = b"\x36\0\0\0\x0c\0\x81a\x02\x01\x01\x81b\x02\xf2\x70\x11\x01\x04\x81c\x02\x83xxx\x04\
        \x81d\x02\xdf\xf9\x02\x81e\x02\xf1\x88\x13\x03\x81f\x02\xf4\xff\xe3\x0b\x54\x02\0\0\0\x09\xff";

    #[test]
    fn a_hash_that_a_server_packed() {
        let read: Vec<String> = entries(HASH).unwrap().map(|entry| entry.unwrap().to_string()).collect();
        assert_eq!(read, ["a", "1", "b", "70000", "c", "xxx", "d", "-7", "e", "5000", "f", "9999999999"]);
        let mut source = Slice::new(HASH, HEADER_BYTES);
        assert_eq!(count(&mut source, HASH.len() as u64), Ok(12));
    }

    #[test]
    fn back_lengths_of_both_ages() {
        for (entry_bytes, narrow, wide) in [(16_383, 2, 3), (2_097_151, 3, 4), (268_435_455, 4, 5)] {
            let old = [0, 0xff, 0xff, 0xff, 0xff];
            let new = [0x7f, 0xff, 0xff, 0xff, 0xff];
            assert!(back_length(entry_bytes - 1)(&new).is_err());
            assert_eq!(back_length(entry_bytes)(&old).unwrap().0.len(), 5 - wide);
            assert_eq!(back_length(entry_bytes)(&new).unwrap().0.len(), 5 - narrow);
        }
    }

    #[test]
    fn every_cut_and_every_wrong_byte_ends() {
        for cut in 0..HASH.len() {
            let blob = &HASH[..cut];
            if let Ok(entries) = entries(blob) {
                assert!(entries.count() <= blob.len());
            }
        }
        for at in 0..HASH.len() {
            for value in 0..=255 {
                let mut blob = HASH.to_vec();
                blob[at] = value;
                if let Ok(entries) = entries(&blob) {
                    assert!(entries.count() <= blob.len());
                }
            }
        }
    }
}
