//! Strings of a value in memory, decoded: borrowed where they are stored raw, else inflated into a bounded buffer.

use super::limits::INFLATED_BYTES_MAX;
use super::packed::{Text, lzf};
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{StringHeader, string_header};
use super::source::{KeepsKey, Slice, Source};

/// The next string, inflated if need be, lent to `use_it`.
pub(crate) fn with_text<T>(source: &mut Slice<'_>, use_it: impl FnOnce(Text<'_>) -> T) -> Result<T, ParseError> {
    let mut buffer = Vec::new();
    Ok(use_it(text(source, &mut buffer)?))
}

/// The next string, inflated into `buffer` if it is compressed.
pub(crate) fn text<'b, 'a: 'b>(source: &mut Slice<'a>, buffer: &'b mut Vec<u8>) -> Result<Text<'b>, ParseError> {
    let offset = source.offset();
    let header = source.parse(FormatElement::Element, string_header)?;
    source.keep(FormatElement::Element, header.stored_bytes())?;
    match header {
        StringHeader::Int(value) => Ok(Text::Int(value.into())),
        StringHeader::Raw { .. } => Ok(Text::Bytes(source.kept_bytes())),
        StringHeader::Lzf { bytes, .. } => {
            let error = |kind| ParseError { offset, kind, element: FormatElement::Element, declared: bytes };
            let within = usize::try_from(bytes).ok().filter(|_| bytes <= INFLATED_BYTES_MAX);
            let bytes = within.ok_or_else(|| error(ParseErrorKind::Limit))?;
            lzf::inflate(source.kept_bytes(), bytes, buffer).map_err(error)?;
            Ok(Text::Bytes(buffer))
        }
    }
}

/// The next string as a packed structure, lent to `use_it`.
pub(crate) fn with_blob<T>(
    source: &mut Slice<'_>,
    use_it: impl FnOnce(&[u8]) -> Result<T, ParseErrorKind>,
) -> Result<T, ParseError> {
    let offset = source.offset();
    let used = with_text(source, |text| match text {
        Text::Bytes(blob) => use_it(blob),
        Text::Int(_) => Err(ParseErrorKind::BlobForm),
    })?;
    used.map_err(|kind| ParseError { offset, kind, element: FormatElement::Blob, declared: 0 })
}
