//! A packed value as it lies in a string, and how many entries it has without inflating more than its header.

use nom::Err;

use super::bounded::Bounded;
use super::packed::lzf::{Inflated, inflate_prefix};
use super::packed::{Passed, intset, listpack, ziplist, zipmap};
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{Parsed, StringHeader, fail, string_header};
use super::source::{Source, kind_of};

/// The longest header of a packed structure, that of a ziplist.
const HEADER_BYTES_MAX: usize = 10;

/// Compressed bytes that give [`HEADER_BYTES_MAX`] inflated ones at worst: two for each but the last, in literal runs of
/// one, then a reference in its long form of three.
const PREFIX_STORED_BYTES: u64 = 2 * (HEADER_BYTES_MAX as u64 - 1) + 3;

/// Which packed structure a string holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Ziplist,
    Listpack,
    Intset,
    Zipmap,
}

/// A packed value's string head and the first bytes of its content.
#[derive(Clone, Copy, Debug)]
struct Blob {
    stored_bytes: u64,
    /// Size of the content, inflated.
    bytes: u64,
    is_lzf: bool,
    first: [u8; HEADER_BYTES_MAX],
}

/// Reads the string head, steps over it, and looks at the content's first bytes without stepping over them.
#[inline(always)]
fn blob(i: &[u8]) -> Parsed<'_, Blob> {
    let (rest, header) = string_header(i)?;
    let mut first = [0; HEADER_BYTES_MAX];
    let blob = match header {
        StringHeader::Int(_) => return fail(ParseErrorKind::BlobForm),
        StringHeader::Raw { bytes } => {
            // Most blobs are longer than any header: one copy of known size, no loop.
            if bytes >= HEADER_BYTES_MAX as u64 {
                first = *rest.first_chunk().ok_or(Err::Error(ParseErrorKind::Eof))?;
            } else {
                copy(&mut first, rest, bytes)?;
            }
            Blob { stored_bytes: bytes, bytes, is_lzf: false, first }
        }
        StringHeader::Lzf { stored_bytes, bytes } => {
            let stored = prefix(rest, stored_bytes.min(PREFIX_STORED_BYTES))?;
            let wanted = usize::try_from(bytes).unwrap_or(usize::MAX).min(HEADER_BYTES_MAX);
            let out = first.get_mut(..wanted).unwrap_or_default();
            if inflate_prefix(stored, out).map_err(Err::Error)? < wanted {
                return fail(ParseErrorKind::Lzf);
            }
            Blob { stored_bytes, bytes, is_lzf: true, first }
        }
    };
    Ok((rest, blob))
}

/// Steps over a string whose content cannot be a packed value, and hands `error` on, or a worse one.
#[cold]
fn step_over<S: Source>(source: &mut S, error: ParseError) -> ParseError {
    source.string(FormatElement::Blob).err().unwrap_or(error)
}

fn prefix(i: &[u8], bytes: u64) -> Result<&[u8], Err<ParseErrorKind>> {
    usize::try_from(bytes).ok().and_then(|bytes| i.get(..bytes)).ok_or(Err::Error(ParseErrorKind::Eof))
}

fn copy(to: &mut [u8], i: &[u8], bytes: u64) -> Result<(), Err<ParseErrorKind>> {
    for (to, from) in to.iter_mut().zip(prefix(i, bytes)?) {
        *to = *from;
    }
    Ok(())
}

impl Packing {
    /// What the header claims: the size in bytes where it has one, and the number of entries where it knows it.
    #[inline(always)]
    fn header(self, blob: &Blob) -> Result<(u64, Option<u64>), ParseErrorKind> {
        let bytes = usize::try_from(blob.bytes).unwrap_or(usize::MAX).min(HEADER_BYTES_MAX);
        let first = blob.first.get(..bytes).unwrap_or_default();
        let header = match self {
            Self::Listpack => listpack::header(first).map(|(_, (bytes, n))| (bytes.into(), n.map(u64::from))),
            Self::Ziplist => ziplist::header(first).map(|(_, (bytes, n))| (bytes.into(), n.map(u64::from))),
            Self::Intset => intset::header(first).map(|(_, (bytes, n))| (bytes, Some(n))),
            Self::Zipmap => zipmap::header(first).map(|(_, n)| (blob.bytes, n.map(u64::from))),
        };
        match header.map_err(|error| kind_of(&error)) {
            Ok((bytes, _)) if bytes != blob.bytes => Err(ParseErrorKind::BlobSize),
            Ok(header) => Ok(header),
            Err(_) => Err(ParseErrorKind::BlobForm),
        }
    }

    fn header_bytes(self) -> u64 {
        match self {
            Self::Ziplist => ziplist::HEADER_BYTES,
            Self::Listpack => listpack::HEADER_BYTES,
            Self::Intset => intset::HEADER_BYTES,
            Self::Zipmap => zipmap::HEADER_BYTES,
        }
    }

    /// Steps over the next string, which holds this structure, and returns its number of entries (pairs of a zipmap):
    /// from the header, or by a walk where the header does not know it.
    ///
    /// A trouble that [costs one key](Trouble::costs_one_key) is returned when the string has been stepped over.
    #[inline]
    pub(crate) fn count<S: Source>(self, source: &mut S) -> Result<u64, ParseError> {
        self.size(source).map(|(_, entries)| entries)
    }

    /// As [`Packing::count`], with the structure's bytes, inflated, before the number.
    #[inline(always)]
    #[allow(clippy::redundant_closure, reason = "a function that is handed over by its name is not inlined")]
    pub(crate) fn size<S: Source>(self, source: &mut S) -> Result<(u64, u64), ParseError> {
        let offset = source.offset();
        let blob = match source.parse(FormatElement::Blob, |i| blob(i)) {
            Ok(blob) => blob,
            Err(error) if error.costs_one_key() => return Err(step_over(source, error)),
            Err(error) => return Err(error),
        };
        match self.header(&blob) {
            Ok((_, Some(entries))) => {
                source.skip(FormatElement::Blob, blob.stored_bytes)?;
                Ok((blob.bytes, entries))
            }
            Ok((_, None)) => self.walk(source, &blob, &mut |_| {}).map(|entries| (blob.bytes, entries)),
            Err(kind) => {
                source.skip(FormatElement::Blob, blob.stored_bytes)?;
                Err(ParseError { offset, kind, element: FormatElement::Blob, declared: blob.bytes })
            }
        }
    }

    /// As [`Packing::size`], of a ziplist or zipmap, and hands its entries to `visit`, fields and values of a zipmap one by one.
    /// The last of what is returned is whether they are those that the header counts: if the entries are damaged, what was
    /// visited is of no account, but the value is as sound to a scan as it is without a look at them.
    pub(crate) fn visit<S: Source>(
        self,
        source: &mut S,
        visit: &mut dyn FnMut(Passed<'_>),
    ) -> Result<(u64, u64, bool), ParseError> {
        let offset = source.offset();
        let blob = match source.parse(FormatElement::Blob, blob) {
            Ok(blob) => blob,
            Err(error) if error.costs_one_key() => return Err(step_over(source, error)),
            Err(error) => return Err(error),
        };
        let content_offset = source.offset();
        let claimed = match self.header(&blob) {
            Ok((_, claimed)) => claimed,
            Err(kind) => {
                source.skip(FormatElement::Blob, blob.stored_bytes)?;
                return Err(ParseError { offset, kind, element: FormatElement::Blob, declared: blob.bytes });
            }
        };
        match (self.walk(source, &blob, visit), claimed) {
            (Ok(entries), claimed) => {
                let entries_claimed = claimed.unwrap_or(entries);
                Ok((blob.bytes, entries_claimed, entries == entries_claimed))
            }
            (Err(error), Some(entries)) if error.costs_one_key() => Ok((blob.bytes, entries, false)),
            // Where the string is cut, the message is that of any other cut string.
            (Err(ParseError { kind: ParseErrorKind::Eof, .. }), Some(_)) => Err(ParseError {
                offset: content_offset,
                kind: ParseErrorKind::Eof,
                element: FormatElement::Blob,
                declared: blob.stored_bytes,
            }),
            (Err(error), _) => Err(error),
        }
    }

    #[cold]
    fn walk<S: Source>(
        self,
        source: &mut S,
        blob: &Blob,
        visit: &mut dyn FnMut(Passed<'_>),
    ) -> Result<u64, ParseError> {
        let kind = if blob.is_lzf { ParseErrorKind::Lzf } else { ParseErrorKind::BlobEntry };
        let mut bounded = Bounded::new(source, blob.stored_bytes, kind);
        let walked = if blob.is_lzf {
            let mut inflated = Inflated::new(&mut bounded, FormatElement::Blob, blob.stored_bytes);
            inflated
                .skip(FormatElement::Blob, self.header_bytes())
                .and_then(|()| self.walk_entries(&mut inflated, blob.bytes, visit))
        } else {
            let end = bounded.offset().saturating_add(blob.bytes);
            bounded
                .skip(FormatElement::Blob, self.header_bytes())
                .and_then(|()| self.walk_entries(&mut bounded, end, visit))
        };
        match walked {
            Err(error) if !error.costs_one_key() => Err(error),
            walked => {
                bounded.finish(FormatElement::Blob)?;
                walked
            }
        }
    }

    fn walk_entries<S: Source>(
        self,
        source: &mut S,
        end: u64,
        visit: &mut dyn FnMut(Passed<'_>),
    ) -> Result<u64, ParseError> {
        match self {
            Self::Ziplist => ziplist::walk(source, end, visit),
            Self::Zipmap => zipmap::walk(source, end, visit),
            // An intset's header always knows its count.
            Self::Listpack | Self::Intset => listpack::count(source, end),
        }
    }
}
