//! Zipmap: the packed hash of Redis up to 2.4 (format section 8.4).

use nom::Err;

use super::{Passed, to_terminator};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{Parsed, byte, fail, u32_le};
use crate::rdb::source::Source;

/// Bytes before the first pair: the number of pairs.
pub const HEADER_BYTES: u64 = 1;

/// A zipmap's header: its number of pairs, `None` if it must be walked to know.
///
/// # Errors
/// [`ParseErrorKind::Eof`] if there is no byte.
pub fn header(i: &[u8]) -> Parsed<'_, Option<u8>> {
    let (i, pairs) = byte(i)?;
    Ok((i, (pairs < 254).then_some(pairs)))
}

/// A length; `None` at the terminator. Servers refuse one in five bytes that fits a single byte.
fn length(i: &[u8]) -> Parsed<'_, Option<u64>> {
    let (i, first) = byte(i)?;
    match first {
        0xff => Ok((i, None)),
        0xfe => {
            let (i, bytes) = u32_le(i)?;
            if bytes < 0xfe {
                return fail(ParseErrorKind::BlobEntry);
            }
            Ok((i, Some(u64::from(bytes))))
        }
        _ => Ok((i, Some(u64::from(first)))),
    }
}

/// A value's length and the unused bytes behind it.
fn value_lengths(i: &[u8]) -> Parsed<'_, (u64, u8)> {
    let (i, Some(bytes)) = length(i)? else { return fail(ParseErrorKind::BlobEntry) };
    let (i, free) = byte(i)?;
    Ok((i, (bytes, free)))
}

/// Longer texts are no integers.
const INT_TEXT_BYTES_MAX: usize = 20;

/// Steps over a text and hands it to `visit`.
fn pass<S: Source>(source: &mut S, bytes: u64, visit: &mut dyn FnMut(Passed<'_>)) -> Result<(), ParseError> {
    let short_bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= INT_TEXT_BYTES_MAX);
    let Some(short_bytes) = short_bytes else {
        source.skip(FormatElement::Blob, bytes)?;
        visit(Passed::Text { bytes, short: None });
        return Ok(());
    };
    let short = source.parse(FormatElement::Blob, |i| {
        let (text, rest) = i.split_at_checked(short_bytes).ok_or(Err::Error(ParseErrorKind::Eof))?;
        let mut short = [0; INT_TEXT_BYTES_MAX];
        short.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        Ok((rest, short))
    })?;
    visit(Passed::Text { bytes, short: short.get(..short_bytes) });
    Ok(())
}

/// Walks from the first pair to the terminator, which must lie at `end`, hands each field and each value to `visit`, and
/// returns the number of pairs.
pub(crate) fn walk<S: Source>(source: &mut S, end: u64, visit: &mut dyn FnMut(Passed<'_>)) -> Result<u64, ParseError> {
    let mut pairs = 0;
    while let Some(field_bytes) = source.parse(FormatElement::Blob, length)? {
        pass(source, field_bytes, visit)?;
        let (value_bytes, free_bytes) = source.parse(FormatElement::Blob, value_lengths)?;
        pass(source, value_bytes, visit)?;
        source.skip(FormatElement::Blob, free_bytes.into())?;
        if source.offset() > end {
            break;
        }
        pairs += 1;
    }
    if source.offset() == end {
        Ok(pairs)
    } else {
        Err(source.error(FormatElement::Blob, ParseErrorKind::BlobEntry, pairs))
    }
}

/// A field and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// The pairs of a zipmap.
///
/// # Errors
/// [`ParseErrorKind::BlobForm`] if there is no header. The iterator gives [`ParseErrorKind::BlobEntry`] for a pair that reaches past the
/// end, or a terminator anywhere but at the end; then it ends.
pub fn entries(blob: &[u8]) -> Result<impl Iterator<Item = Result<Pair<'_>, ParseErrorKind>>, ParseErrorKind> {
    let (rest, _) = header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    Ok(to_terminator(rest, pair))
}

fn pair(i: &[u8]) -> Parsed<'_, Option<Pair<'_>>> {
    let (i, field_bytes) = length(i)?;
    let Some(field_bytes) = field_bytes else { return Ok((i, None)) };
    let (field, i) = split(i, field_bytes)?;
    let (i, (value_bytes, free_bytes)) = value_lengths(i)?;
    let (value, i) = split(i, value_bytes)?;
    let (_, i) = split(i, u64::from(free_bytes))?;
    Ok((i, Some((field, value))))
}

fn split(i: &[u8], bytes: u64) -> Result<(&[u8], &[u8]), Err<ParseErrorKind>> {
    i.split_at_checked(usize::try_from(bytes).unwrap_or(usize::MAX)).ok_or(Err::Error(ParseErrorKind::Eof))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::source::Slice;

    #[test]
    fn pairs_with_unused_bytes() {
        let blob = b"\x02\x01a\x02\x01xx?\x03key\x03\0abc\xff";
        let read: Vec<_> = entries(blob).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, [(&b"a"[..], &b"xx"[..]), (b"key", b"abc")]);
        let mut passed = Vec::new();
        let mut visit = |text: Passed<'_>| match text {
            Passed::Text { bytes, short } => passed.push((bytes, short.map(<[u8]>::to_vec))),
            Passed::Int(_) => unreachable!("all texts are texts"),
        };
        assert_eq!(walk(&mut Slice::new(blob, 1), blob.len() as u64, &mut visit), Ok(2));
        let text = |text: &[u8]| (text.len() as u64, Some(text.to_vec()));
        assert_eq!(passed, [text(b"a"), text(b"xx"), text(b"key"), text(b"abc")]);
        assert_eq!(entries(&blob[..blob.len() - 1]).unwrap().last(), Some(Err(ParseErrorKind::BlobEntry)));
    }
}
