//! A source that keeps what is read through it: a value of a stream, which must be there as a whole to be decoded.

use std::cell::RefCell;

use crate::rdb::primitives::{Parsed, fail};
use crate::rdb::source::{KeepsKey, Source};
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// A source that keeps what is read through it, up to a limit.
pub(super) struct Recorded<'s, S> {
    source: &'s mut S,
    bytes_max: usize,
    /// None once they were more than that.
    kept: RefCell<Option<Vec<u8>>>,
}

impl<'s, S: Source> Recorded<'s, S> {
    pub(super) fn new(source: &'s mut S, bytes_max: usize) -> Self {
        Self { source, bytes_max, kept: RefCell::new(Some(Vec::new())) }
    }

    /// What was read; none if it was too much.
    pub(super) fn into_kept(self) -> Option<Vec<u8>> {
        self.kept.into_inner()
    }

    /// What was read so far, none if it was too much; and the source, whose further bytes are not kept.
    pub(super) fn take_kept(&mut self) -> (Option<Vec<u8>>, &mut S) {
        (self.kept.replace(None), self.source)
    }

    fn record(kept: &RefCell<Option<Vec<u8>>>, bytes_max: usize, taken: &[u8]) {
        let mut kept = kept.borrow_mut();
        match &mut *kept {
            Some(bytes) if bytes.len() + taken.len() <= bytes_max => bytes.extend_from_slice(taken),
            _ => *kept = None,
        }
    }
}

impl<S: Source> Source for Recorded<'_, S> {
    fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        let Self { source, bytes_max, kept } = self;
        source.parse(element, |i| {
            let (rest, value) = parser(i)?;
            Self::record(kept, *bytes_max, i.get(..i.len() - rest.len()).unwrap_or_default());
            Ok((rest, value))
        })
    }

    /// The bytes are taken by parsers, piece by piece, since a step over them would not show them.
    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        let offset = self.offset();
        let mut left = bytes;
        while left > 0 {
            let taken = self.parse(element, |i| {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(i.len());
                match i.get(taken..) {
                    Some(rest) if taken > 0 => Ok((rest, taken as u64)),
                    _ => fail(ParseErrorKind::Eof),
                }
            });
            left -= taken.map_err(|error| ParseError { offset, declared: bytes, ..error })?;
        }
        Ok(())
    }

    fn error(&self, element: FormatElement, kind: ParseErrorKind, declared: u64) -> ParseError {
        self.source.error(element, kind, declared)
    }
}

impl<S: KeepsKey> KeepsKey for Recorded<'_, S> {
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        self.source.keep(element, bytes)?;
        Self::record(&self.kept, self.bytes_max, self.source.kept());
        Ok(())
    }

    fn kept(&self) -> &[u8] {
        self.source.kept()
    }

    fn ahead(&self) -> &[u8] {
        self.source.ahead()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::source::Slice;

    #[test]
    fn what_is_read_is_kept() {
        let mut slice = Slice::new(b"0123456789", 2);
        let mut recorded = Recorded::new(&mut slice, 5);
        assert_eq!(recorded.string_bytes(FormatElement::Key).unwrap_err().kind, ParseErrorKind::Eof);
        let mut slice = Slice::new(b"0123456789", 2);
        let mut recorded = Recorded::new(&mut slice, 5);
        recorded.skip(FormatElement::Key, 3).unwrap();
        assert_eq!(recorded.skip(FormatElement::Key, 9).unwrap_err().declared, 9);
        assert_eq!(recorded.offset(), 10);
        assert_eq!(recorded.into_kept(), None);
    }
}
