//! The format's words as nom parsers: lengths, strings' heads, fixed-width numbers (format section 3).
//!
//! They look only at the bytes of the word itself, at most 32 of them, and never at what a length counts: skipping is
//! the source's work. nom's own number parsers loop over bytes, which costs a fifth more instructions an entry than
//! `split_first_chunk` does; nom gives the result type and the seams.

use nom::{Err, IResult};

use super::limits::LZF_RATIO_MAX;
use super::parse_error::ParseErrorKind;

/// What every parser here returns: the rest of the input and a value, or a one-byte error kind.
pub type Parsed<'a, T> = IResult<&'a [u8], T, ParseErrorKind>;

#[cold]
pub(crate) fn fail<T>(kind: ParseErrorKind) -> Result<T, Err<ParseErrorKind>> {
    Err(Err::Error(kind))
}

/// The next `N` bytes.
#[inline(always)]
pub fn array<const N: usize>(i: &[u8]) -> Parsed<'_, [u8; N]> {
    match i.split_first_chunk::<N>() {
        Some((bytes, rest)) => Ok((rest, *bytes)),
        None => fail(ParseErrorKind::Eof),
    }
}

/// One byte.
#[inline(always)]
pub fn byte(i: &[u8]) -> Parsed<'_, u8> {
    match i.split_first() {
        Some((&first, rest)) => Ok((rest, first)),
        None => fail(ParseErrorKind::Eof),
    }
}

/// Four bytes, little-endian.
#[inline]
pub fn u32_le(i: &[u8]) -> Parsed<'_, u32> {
    let (i, bytes) = array(i)?;
    Ok((i, u32::from_le_bytes(bytes)))
}

/// Eight bytes, little-endian.
#[inline]
pub fn u64_le(i: &[u8]) -> Parsed<'_, u64> {
    let (i, bytes) = array(i)?;
    Ok((i, u64::from_le_bytes(bytes)))
}

/// Four bytes, little-endian, signed: seconds since 1970.
#[inline]
pub fn i32_le(i: &[u8]) -> Parsed<'_, i32> {
    let (i, bytes) = array(i)?;
    Ok((i, i32::from_le_bytes(bytes)))
}

/// Eight bytes, little-endian, signed: milliseconds since 1970.
#[inline]
pub fn i64_le(i: &[u8]) -> Parsed<'_, i64> {
    let (i, bytes) = array(i)?;
    Ok((i, i64::from_le_bytes(bytes)))
}

/// A length (section 3.1): 6, 14, 32 or 64 bits by its first byte.
#[inline(always)]
pub fn length(i: &[u8]) -> Parsed<'_, u64> {
    let (i, first) = byte(i)?;
    if first < 0x40 {
        return Ok((i, u64::from(first)));
    }
    long_length(i, first)
}

#[inline]
fn long_length(i: &[u8], first: u8) -> Parsed<'_, u64> {
    match first {
        0x40..=0x7f => {
            let (i, low) = byte(i)?;
            Ok((i, u64::from(first & 0x3f) << 8 | u64::from(low)))
        }
        0x80 => {
            let (i, bytes) = array(i)?;
            Ok((i, u64::from(u32::from_be_bytes(bytes))))
        }
        0x81 => {
            let (i, bytes) = array(i)?;
            Ok((i, u64::from_be_bytes(bytes)))
        }
        _ => fail(ParseErrorKind::LengthForm),
    }
}

/// How a string is stored (section 3.2), with all that its head tells; raw and LZF bytes follow the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringHeader {
    /// As it is: this many bytes follow.
    Raw {
        /// Its length.
        bytes: u64,
    },
    /// As an integer, which the head has in itself; the value is its decimal text.
    Int(i32),
    /// Compressed by LZF.
    Lzf {
        /// How many compressed bytes follow.
        stored_bytes: u64,
        /// Its length when inflated.
        bytes: u64,
    },
}

impl StringHeader {
    /// The string's length as the server's STRLEN has it: inflated, or the digits of an integer.
    #[inline]
    pub fn value_bytes(self) -> u64 {
        match self {
            Self::Raw { bytes } | Self::Lzf { bytes, .. } => bytes,
            Self::Int(value) => decimal_bytes(value),
        }
    }

    /// How many bytes follow the head in the file.
    #[inline]
    pub fn stored_bytes(self) -> u64 {
        match self {
            Self::Raw { bytes } => bytes,
            Self::Lzf { stored_bytes, .. } => stored_bytes,
            Self::Int(_) => 0,
        }
    }
}

/// Without a branch, since in a dump of integers nothing foretells how many digits the next one has.
#[inline(always)]
fn decimal_bytes(value: i32) -> u64 {
    let digits = POWERS_OF_TEN.iter().map(|power| u64::from(value.unsigned_abs() >= *power)).sum::<u64>() + 1;
    digits + u64::from(value < 0)
}

const POWERS_OF_TEN: [u32; 9] = [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The head of a string (section 3.2).
///
/// # Errors
/// [`ParseErrorKind::StringForm`] for a first byte that starts no string, [`ParseErrorKind::LzfRatio`] for an LZF string that claims more
/// than [`LZF_RATIO_MAX`] times what it stores.
#[inline(always)]
pub fn string_header(i: &[u8]) -> Parsed<'_, StringHeader> {
    let (rest, first) = byte(i)?;
    if first < 0x40 {
        return Ok((rest, StringHeader::Raw { bytes: u64::from(first) }));
    }
    special_string_head(rest, first)
}

#[inline]
fn special_string_head(i: &[u8], first: u8) -> Parsed<'_, StringHeader> {
    match first {
        0xc0 => {
            let (i, [value]) = array::<1>(i)?;
            Ok((i, StringHeader::Int(i32::from(value.cast_signed()))))
        }
        0xc1 => {
            let (i, bytes) = array(i)?;
            Ok((i, StringHeader::Int(i32::from(i16::from_le_bytes(bytes)))))
        }
        0xc2 => {
            let (i, value) = i32_le(i)?;
            Ok((i, StringHeader::Int(value)))
        }
        0xc3 => {
            let (i, stored_bytes) = length(i)?;
            let (i, bytes) = length(i)?;
            if bytes == 0 || bytes > stored_bytes.saturating_mul(LZF_RATIO_MAX) {
                return fail(ParseErrorKind::LzfRatio);
            }
            Ok((i, StringHeader::Lzf { stored_bytes, bytes }))
        }
        0xc4..=0xff => fail(ParseErrorKind::StringForm),
        _ => {
            let (i, bytes) = long_length(i, first)?;
            Ok((i, StringHeader::Raw { bytes }))
        }
    }
}

/// The head of a sorted set's ASCII score (section 3.4): how many bytes of text follow; NaN and the infinities have none.
#[inline]
pub fn ascii_score_head(i: &[u8]) -> Parsed<'_, u64> {
    let (i, header) = byte(i)?;
    Ok((i, if header >= 253 { 0 } else { u64::from(header) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T>(parsed: Parsed<'_, T>) -> T {
        let (rest, value) = parsed.unwrap();
        assert!(rest.is_empty());
        value
    }

    #[test]
    fn lengths_of_every_form() {
        assert_eq!(value(length(&[0x00])), 0);
        assert_eq!(value(length(&[0x3f])), 63);
        assert_eq!(value(length(&[0x40, 0x40])), 64);
        assert_eq!(value(length(&[0x7f, 0xff])), 16_383);
        assert_eq!(value(length(&[0x80, 0, 0, 0x40, 0])), 16_384);
        assert_eq!(value(length(&[0x81, 0, 0, 0, 1, 0, 0, 0, 0])), 1 << 32);
        for bad in [0x82, 0xbf, 0xc0, 0xff] {
            assert_eq!(length(&[bad, 0, 0, 0, 0, 0, 0, 0, 0]), fail(ParseErrorKind::LengthForm));
        }
        assert_eq!(length(&[0x80, 0, 0]), fail(ParseErrorKind::Eof));
    }

    #[test]
    fn integers_count_their_decimal_digits() {
        for value in [0, 9, 10, -1, -10, 127, -128, 32_767, -32_768, i32::MAX, i32::MIN, 99_999, 100_000] {
            let text = value.to_string();
            assert_eq!(StringHeader::Int(value).value_bytes(), text.len() as u64, "{text}");
        }
    }

    #[test]
    fn a_string_that_claims_the_impossible_is_refused() {
        assert_eq!(string_header(&[0xc3, 9, 0x81, 0, 0, 0, 16, 0, 0, 0, 0]), fail(ParseErrorKind::LzfRatio));
        assert_eq!(value(string_header(&[0xc3, 9, 0x40, 100])), StringHeader::Lzf { stored_bytes: 9, bytes: 100 });
    }
}
