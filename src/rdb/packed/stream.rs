//! Streams (format section 9): listpacks of entries under master IDs, then counters and consumer groups.

use super::{Text, listpack};
use crate::rdb::element::Element;
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{StringHeader, array, fail, i64_le, length, string_header};
use crate::rdb::source::{Slice, Source};
use crate::rdb::string::with_blob;
use crate::rdb::types::ValueType;

/// Bytes of a stream ID: milliseconds and sequence number, both big-endian.
const ID_BYTES: u64 = 16;

/// What a stream's type adds to the one before it.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one step of the format, and they are read apart")]
pub(crate) struct Layout {
    /// First ID, largest deleted ID, entries added, entries read by groups (Redis 7.0).
    pub(crate) has_totals: bool,
    /// When a consumer was last active (Redis 7.2).
    pub(crate) has_active_time: bool,
    /// Idempotent producers (Redis 8.6).
    pub(crate) has_producers: bool,
    /// Pending entries without a consumer (Redis 8.8).
    pub(crate) has_nacks: bool,
}

/// Of a longer name only so many bytes are told.
pub(crate) const NAME_BYTES: usize = 32;

/// A group's or consumer's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    first: [u8; NAME_BYTES],
    known: usize,
    /// All its bytes.
    pub(crate) bytes: u64,
}

impl Name {
    /// Its first bytes, [`NAME_BYTES`] or all; none of one that is compressed or a number.
    pub(crate) fn first(&self) -> &[u8] {
        self.first.get(..self.known).unwrap_or_default()
    }
}

/// What a walk over a stream tells, in the dump's order.
pub(crate) trait Parts {
    /// A node: its ID as it lies in the dump, and its listpack's bytes, inflated.
    fn node(&mut self, id: [u8; 16], listpack_bytes: u64);
    /// An entry that is pending in the group that ends next, and when it was delivered, in milliseconds since 1970.
    fn delivered(&mut self, id: [u8; 16], at_ms: i64);
    /// An entry that is pending of the consumer that ends next.
    fn pending(&mut self, id: [u8; 16]);
    /// All that is pending in a group has been told; its consumers follow.
    fn end_group_pending(&mut self, name: &Name);
    /// All that is pending of a consumer has been told.
    fn end_consumer(&mut self, name: &Name);
    /// All consumers of a group have been told.
    fn end_group(&mut self);
}

impl Layout {
    pub(crate) fn of(value_type: ValueType) -> Self {
        Self {
            has_totals: value_type >= ValueType::STREAM_2,
            has_active_time: value_type >= ValueType::STREAM_3,
            has_producers: value_type >= ValueType::STREAM_4,
            has_nacks: value_type >= ValueType::STREAM_5,
        }
    }

    /// Steps over a stream and returns its number of live entries.
    pub(crate) fn skip<S: Source>(self, source: &mut S) -> Result<u64, ParseError> {
        let nodes = source.parse(FormatElement::Count, length)?;
        for _ in 0..nodes {
            node_id(source)?;
            source.string(FormatElement::StreamEntries)?;
        }
        let entries = source.parse(FormatElement::StreamGroups, length)?;
        self.skip_after_length(source)?;
        Ok(entries)
    }

    /// As [`Layout::skip`], telling what it comes by.
    pub(crate) fn walk<S: Source>(self, source: &mut S, parts: &mut impl Parts) -> Result<u64, ParseError> {
        let nodes = source.parse(FormatElement::Count, length)?;
        for _ in 0..nodes {
            let (ms, seq) = node_id(source)?;
            let listpack = source.string(FormatElement::StreamEntries)?;
            parts.node((u128::from(ms) << 64 | u128::from(seq)).to_be_bytes(), listpack.value_bytes());
        }
        let entries = source.parse(FormatElement::StreamGroups, length)?;
        skip_lengths(source, if self.has_totals { 2 + 5 } else { 2 })?;
        let groups = source.parse(FormatElement::StreamGroups, length)?;
        for _ in 0..groups {
            self.walk_group(source, parts)?;
        }
        if self.has_producers {
            skip_producers(source)?;
        }
        Ok(entries)
    }

    fn walk_group<S: Source>(self, source: &mut S, parts: &mut impl Parts) -> Result<(), ParseError> {
        let element = FormatElement::StreamGroups;
        let group = name(source)?;
        skip_lengths(source, if self.has_totals { 3 } else { 2 })?;
        for _ in 0..source.parse(element, length)? {
            let id = source.parse(element, array)?;
            parts.delivered(id, source.parse(element, i64_le)?);
            source.parse(element, length)?;
        }
        parts.end_group_pending(&group);
        for _ in 0..source.parse(element, length)? {
            let name = name(source)?;
            source.skip(element, if self.has_active_time { 16 } else { 8 })?;
            for _ in 0..source.parse(element, length)? {
                parts.pending(source.parse(element, array)?);
            }
            parts.end_consumer(&name);
        }
        parts.end_group();
        if self.has_nacks {
            skip_ids(source)?;
        }
        Ok(())
    }

    /// Steps over all that follows the number of live entries.
    pub(crate) fn skip_after_length<S: Source>(self, source: &mut S) -> Result<(), ParseError> {
        let element = FormatElement::StreamGroups;
        // Last ID; then first ID, largest deleted ID, entries added.
        skip_lengths(source, if self.has_totals { 2 + 5 } else { 2 })?;
        let groups = source.parse(element, length)?;
        for _ in 0..groups {
            self.skip_group(source)?;
        }
        if self.has_producers {
            skip_producers(source)?;
        }
        Ok(())
    }

    fn skip_group<S: Source>(self, source: &mut S) -> Result<(), ParseError> {
        let element = FormatElement::StreamGroups;
        source.string(element)?;
        skip_lengths(source, if self.has_totals { 3 } else { 2 })?;
        let pending = source.parse(element, length)?;
        for _ in 0..pending {
            // ID, delivery time, delivery count.
            source.skip(element, ID_BYTES + 8)?;
            source.parse(element, length)?;
        }
        let consumers = source.parse(element, length)?;
        for _ in 0..consumers {
            source.string(element)?;
            source.parse(element, i64_le)?;
            if self.has_active_time {
                source.parse(element, i64_le)?;
            }
            skip_ids(source)?;
        }
        if self.has_nacks {
            skip_ids(source)?;
        }
        Ok(())
    }
}

/// A node's key, a string of exactly one ID: milliseconds and sequence number.
pub(crate) fn node_id<S: Source>(source: &mut S) -> Result<(u64, u64), ParseError> {
    let offset = source.offset();
    let header = source.parse(FormatElement::StreamEntries, string_header)?;
    if header != (StringHeader::Raw { bytes: ID_BYTES }) {
        let declared = header.value_bytes();
        return Err(ParseError {
            offset,
            kind: ParseErrorKind::StreamId,
            element: FormatElement::StreamEntries,
            declared,
        });
    }
    let ms = u64::from_be_bytes(source.parse(FormatElement::StreamEntries, array)?);
    let seq = u64::from_be_bytes(source.parse(FormatElement::StreamEntries, array)?);
    Ok((ms, seq))
}

fn name<S: Source>(source: &mut S) -> Result<Name, ParseError> {
    let element = FormatElement::StreamGroups;
    let header = source.parse(element, string_header)?;
    let mut name = Name { first: [0; NAME_BYTES], known: 0, bytes: header.value_bytes() };
    if let StringHeader::Raw { bytes } = header {
        let known = usize::try_from(bytes).map_or(NAME_BYTES, |bytes| bytes.min(NAME_BYTES));
        let first = source.parse(element, |i: &[u8]| {
            let mut first = [0; NAME_BYTES];
            let Some(bytes) = i.get(..known) else { return fail(ParseErrorKind::Eof) };
            for (to, from) in first.iter_mut().zip(bytes) {
                *to = *from;
            }
            Ok((i, first))
        });
        // Where the bytes end too early, the step over them says so.
        if let Ok(first) = first {
            (name.first, name.known) = (first, known);
        }
    }
    source.skip(element, header.stored_bytes())?;
    Ok(name)
}

fn skip_ids<S: Source>(source: &mut S) -> Result<(), ParseError> {
    let ids = source.parse(FormatElement::StreamGroups, length)?;
    source.skip(FormatElement::StreamGroups, ids.saturating_mul(ID_BYTES))
}

fn skip_producers<S: Source>(source: &mut S) -> Result<(), ParseError> {
    let element = FormatElement::StreamGroups;
    skip_lengths(source, 2)?;
    let producers = source.parse(element, length)?;
    for _ in 0..producers {
        source.string(element)?;
        let ids = source.parse(element, length)?;
        for _ in 0..ids {
            source.string(element)?;
            skip_lengths(source, 2)?;
        }
    }
    skip_lengths(source, 2)
}

pub(crate) fn skip_lengths<S: Source>(source: &mut S, lengths: u32) -> Result<(), ParseError> {
    for _ in 0..lengths {
        source.parse(FormatElement::StreamGroups, length)?;
    }
    Ok(())
}

/// Decodes a stream and hands the fields of its live entries to `visit`.
pub(crate) fn for_each(
    source: &mut Slice<'_>,
    value_type: ValueType,
    visit: &mut dyn FnMut(Element<'_>),
) -> Result<(), ParseError> {
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let id = node_id(source)?;
        with_blob(source, |blob| node(id, blob, visit))?;
    }
    source.parse(FormatElement::StreamGroups, length)?;
    Layout::of(value_type).skip_after_length(source)
}

pub(crate) const FLAG_DELETED: i64 = 1;
pub(crate) const FLAG_SAME_FIELDS: i64 = 2;

/// One listpack of entries: a master entry with field names, then entries whose IDs are distances from the node's.
fn node(master: (u64, u64), blob: &[u8], visit: &mut dyn FnMut(Element<'_>)) -> Result<(), ParseErrorKind> {
    let mut entries = listpack::entries(blob)?;
    let mut next = || entries.next().ok_or(ParseErrorKind::BlobCount)?;
    let live = integer(next()?)?;
    let deleted = integer(next()?)?;
    let mut master_fields = Vec::new();
    for _ in 0..integer(next()?)? {
        master_fields.push(next()?);
    }
    next()?;
    for _ in 0..live.checked_add(deleted).ok_or(ParseErrorKind::BlobCount)? {
        let flags = integer(next()?)?;
        let ms = master.0.wrapping_add_signed(integer(next()?)?);
        let seq = master.1.wrapping_add_signed(integer(next()?)?);
        let has_names = flags & FLAG_SAME_FIELDS == 0;
        let fields = if has_names { integer(next()?)? } else { i64::try_from(master_fields.len()).unwrap_or(i64::MAX) };
        let mut names = master_fields.iter();
        for at in 0..fields {
            let field = if has_names { next()? } else { *names.next().ok_or(ParseErrorKind::BlobCount)? };
            let value = next()?;
            if flags & FLAG_DELETED == 0 {
                visit(Element::StreamField { id: (ms, seq), is_first: at == 0, field, value });
            }
        }
        next()?;
    }
    if entries.next().is_none() { Ok(()) } else { Err(ParseErrorKind::BlobCount) }
}

/// A number, which servers accept as its decimal text too.
pub(crate) fn integer(text: Text<'_>) -> Result<i64, ParseErrorKind> {
    match text {
        Text::Int(value) => Ok(value),
        Text::Bytes(text) => {
            let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
            value.filter(|value| value.to_string().as_bytes() == text).ok_or(ParseErrorKind::BlobEntry)
        }
    }
}
