//! The next bytes of a source as a source of their own: a packed value's entries, or an LZF stream, of known length.
//!
//! Nothing in them can lead past their end, so that damage inside them leaves what follows where it is.

use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::Parsed;
use super::source::{Source, kind_of};

/// A source that ends before the one beneath it does.
#[derive(Debug)]
pub(crate) struct Bounded<'s, S> {
    source: &'s mut S,
    /// Offset of the end.
    end: u64,
    /// What it means to reach past the end.
    kind: ParseErrorKind,
}

impl<'s, S: Source> Bounded<'s, S> {
    /// The next `bytes` bytes; whoever asks for more of them meets `parse_error`.
    pub(crate) fn new(source: &'s mut S, bytes: u64, kind: ParseErrorKind) -> Self {
        let end = source.offset().saturating_add(bytes);
        Self { source, end, kind }
    }

    fn left(&self) -> u64 {
        self.end.saturating_sub(self.source.offset())
    }

    /// Steps over what is left.
    pub(crate) fn finish(self, element: FormatElement) -> Result<(), ParseError> {
        let left = self.left();
        self.source.skip(element, left)
    }
}

impl<S: Source> Source for Bounded<'_, S> {
    fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let past_end = self.kind;
        self.source.parse(element, |i| {
            let (ahead, behind) = i.split_at_checked(left).unwrap_or((i, &[]));
            match parser(ahead) {
                Ok((rest, value)) => {
                    let rest = i.get(ahead.len() - rest.len()..).unwrap_or(behind);
                    Ok((rest, value))
                }
                // A source that could fetch more must not: what is missing is not its bytes.
                Err(error) if ahead.len() == left && kind_of(&error) == ParseErrorKind::Eof => {
                    Err(nom::Err::Error(past_end))
                }
                Err(error) => Err(error),
            }
        })
    }

    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        if bytes > self.left() {
            return Err(self.error(element, self.kind, bytes));
        }
        self.source.skip(element, bytes)
    }

    fn error(&self, element: FormatElement, kind: ParseErrorKind, declared: u64) -> ParseError {
        self.source.error(element, kind, declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::primitives::{array, byte};
    use crate::rdb::source::Slice;

    #[test]
    fn nothing_leads_past_the_end() {
        let mut slice = Slice::new(b"0123456789", 2);
        let mut bounded = Bounded::new(&mut slice, 4, ParseErrorKind::BlobEntry);
        assert_eq!(bounded.parse(FormatElement::Blob, array::<3>), Ok(*b"234"));
        assert_eq!(bounded.parse(FormatElement::Blob, array::<2>).unwrap_err().kind, ParseErrorKind::BlobEntry);
        assert_eq!(bounded.skip(FormatElement::Blob, 2).unwrap_err().kind, ParseErrorKind::BlobEntry);
        assert_eq!(bounded.parse(FormatElement::Blob, byte), Ok(b'5'));
        assert_eq!(bounded.parse(FormatElement::Blob, byte).unwrap_err().kind, ParseErrorKind::BlobEntry);
        bounded.finish(FormatElement::Blob).unwrap();
        assert_eq!(slice.offset(), 6);
        let mut cut = Bounded::new(&mut slice, 9, ParseErrorKind::BlobEntry);
        assert_eq!(cut.skip(FormatElement::Blob, 9).unwrap_err().kind, ParseErrorKind::Eof);
    }
}
