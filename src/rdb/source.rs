//! Where the walkers get their bytes: a slice in memory, a window over a stream, or a string being inflated.
//!
//! A walker asks for one word at a time ([`Source::parse`]) and skips what it need not see ([`Source::skip`]), so the
//! same walk runs over a mapped file without a copy and over a pipe without ever holding a value.

use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{Parsed, StringHeader, string_header};

/// Bytes that are read forwards, once.
pub trait Source {
    /// Offset of the next byte.
    fn offset(&self) -> u64;

    /// Runs a parser on the bytes ahead and steps over what it took. A source that can fetch more does so while the
    /// parser meets the end.
    ///
    /// # Errors
    /// The parser's error, with `element` and the offset where the parser began.
    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError>;

    /// Steps over `bytes` bytes without looking at them.
    ///
    /// # Errors
    /// [`ParseErrorKind::Eof`] with the number of bytes that were claimed, where fewer remain.
    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError>;

    /// An error at the next byte.
    #[cold]
    fn error(&self, element: FormatElement, kind: ParseErrorKind, declared: u64) -> ParseError {
        ParseError { offset: self.offset(), kind, element, declared }
    }

    /// Steps over a string and returns its head.
    ///
    /// # Errors
    /// As [`Source::parse`] and [`Source::skip`].
    #[inline(always)]
    fn string(&mut self, element: FormatElement) -> Result<StringHeader, ParseError> {
        let header = self.parse(element, string_header)?;
        self.skip(element, header.stored_bytes())?;
        Ok(header)
    }

    /// Steps over a string and returns its length.
    ///
    /// # Errors
    /// As [`Source::string`].
    fn string_bytes(&mut self, element: FormatElement) -> Result<u64, ParseError> {
        any_string_bytes(self, element)
    }
}

/// A call of its own, so that loops over short texts stay small.
#[inline(never)]
fn any_string_bytes<S: Source + ?Sized>(source: &mut S, element: FormatElement) -> Result<u64, ParseError> {
    source.string(element).map(StringHeader::value_bytes)
}

/// A source that can keep one run of bytes, a key's name, while it goes on.
pub trait KeepsKey: Source {
    /// Steps over `bytes` bytes and keeps them until the next call. The caller has bounded `bytes`.
    ///
    /// # Errors
    /// As [`Source::skip`].
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError>;

    /// The bytes that were kept last.
    fn kept(&self) -> &[u8];

    /// The bytes that lie ready; more may follow.
    fn ahead(&self) -> &[u8];
}

/// A source over bytes in memory, such as a mapped file or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    rest: &'a [u8],
    kept: &'a [u8],
    /// Offset of the end of the bytes, so that the next byte's offset is one subtraction away.
    end: u64,
}

impl<'a> Slice<'a> {
    /// The bytes of `dump` from `offset` on; nothing where it lies past their end.
    pub fn new(dump: &'a [u8], offset: u64) -> Self {
        let rest = usize::try_from(offset).ok().and_then(|at| dump.get(at..)).unwrap_or_default();
        Self { rest, kept: &[], end: offset + rest.len() as u64 }
    }

    /// Bytes whose first has this offset.
    pub(crate) fn at(bytes: &'a [u8], offset: u64) -> Self {
        Self { rest: bytes, kept: &[], end: offset + bytes.len() as u64 }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `bytes` bytes, or all that remain if they are fewer.
    pub(crate) fn first_bytes(&self, bytes: u64) -> &'a [u8] {
        self.split(bytes).map_or(self.rest, |(first, _)| first)
    }

    /// The bytes that were kept last, for as long as the memory they lie in.
    pub(crate) fn kept_bytes(&self) -> &'a [u8] {
        self.kept
    }

    #[inline(always)]
    fn split(&self, bytes: u64) -> Option<(&'a [u8], &'a [u8])> {
        self.rest.split_at_checked(usize::try_from(bytes).ok()?)
    }
}

impl Source for Slice<'_> {
    #[inline(always)]
    fn offset(&self) -> u64 {
        self.end - self.rest.len() as u64
    }

    #[inline(always)]
    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        match parser(self.rest) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(error) => Err(self.error(element, kind_of(&error), 0)),
        }
    }

    #[inline(always)]
    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        match self.split(bytes) {
            Some((_, rest)) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.error(element, ParseErrorKind::Eof, bytes)),
        }
    }

    /// Short texts at once, which most elements are.
    #[inline(always)]
    fn string_bytes(&mut self, element: FormatElement) -> Result<u64, ParseError> {
        if let Some((bytes @ ..0x40, text)) = self.rest.split_first()
            && let Some(rest) = text.get(usize::from(*bytes)..)
        {
            self.rest = rest;
            return Ok(u64::from(*bytes));
        }
        any_string_bytes(self, element)
    }
}

impl KeepsKey for Slice<'_> {
    #[inline(always)]
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        match self.split(bytes) {
            Some((kept, rest)) => {
                self.kept = kept;
                self.rest = rest;
                Ok(())
            }
            None => Err(self.error(element, ParseErrorKind::Eof, bytes)),
        }
    }

    fn kept(&self) -> &[u8] {
        self.kept
    }

    #[inline(always)]
    fn ahead(&self) -> &[u8] {
        self.rest
    }
}

/// The kind in a nom error. `Incomplete` never occurs here: no parser of this crate asks for more.
#[cold]
pub(crate) fn kind_of(error: &nom::Err<ParseErrorKind>) -> ParseErrorKind {
    match error {
        nom::Err::Error(kind) | nom::Err::Failure(kind) => *kind,
        nom::Err::Incomplete(_) => ParseErrorKind::Eof,
    }
}
