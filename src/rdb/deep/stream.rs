//! A stream looked at to its last byte: nodes, consumer groups, and what each consumer has pending (format section 9).

use super::distinct::Distinct;
use super::{Deep, packed};
use crate::rdb::packed::stream::{FLAG_DELETED, FLAG_SAME_FIELDS, Layout, node_id, skip_lengths};
use crate::rdb::packed::{Text, listpack};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{array, i64_le, length};
use crate::rdb::source::KeepsKey;
use crate::rdb::types::ValueType;

const PART: FormatElement = FormatElement::StreamGroups;

impl Deep {
    pub(super) fn stream<S: KeepsKey>(&mut self, source: &mut S, value_type: ValueType) -> Result<(), ParseError> {
        let layout = Layout::of(value_type);
        let nodes = source.parse(FormatElement::Count, length)?;
        let mut live = Some(0_u64);
        for _ in 0..nodes {
            let offset = source.offset();
            let (ms, seq) = node_id(source)?;
            let is_new = self.distinct.add_id(u128::from(ms) << 64 | u128::from(seq));
            self.demand(is_new, error(offset, ParseErrorKind::Duplicate, FormatElement::StreamEntries));
            let entries = self.stream_node(source)?;
            live = live.zip(entries).map(|(live, more)| live.saturating_add(more));
        }
        let offset = source.offset();
        let entries = source.parse(PART, length)?;
        self.demand(entries == 0 || nodes > 0, error(offset, ParseErrorKind::StreamNode, FormatElement::StreamEntries));
        let is_length = live.is_none_or(|live| live == entries);
        self.demand(is_length, ParseError { declared: entries, ..error(offset, ParseErrorKind::StreamLength, PART) });
        // Last ID; then first ID, largest deleted ID, entries added.
        skip_lengths(source, if layout.has_totals { 2 + 5 } else { 2 })?;
        let mut names = Distinct::default();
        for _ in 0..source.parse(PART, length)? {
            self.group(source, layout, &mut names)?;
        }
        if layout.has_producers {
            self.producers(source)?;
        }
        Ok(())
    }

    /// A listpack of entries; returns how many of them live, unless it is damaged.
    fn stream_node<S: KeepsKey>(&mut self, source: &mut S) -> Result<Option<u64>, ParseError> {
        let offset = source.offset();
        self.with_text(source, FormatElement::StreamEntries, |deep, text| {
            let live = match text? {
                Text::Bytes(blob) => packed::listpack(blob, &mut |_| {}).and_then(|_| live_entries(blob)),
                Text::Int(_) => Err(ParseErrorKind::BlobForm),
            };
            if let Err(kind) = live {
                deep.demand(false, error(offset, kind, FormatElement::StreamEntries));
            }
            live.ok()
        })
    }

    fn group<S: KeepsKey>(&mut self, source: &mut S, layout: Layout, names: &mut Distinct) -> Result<(), ParseError> {
        self.name(source, names)?;
        skip_lengths(source, if layout.has_totals { 3 } else { 2 })?;
        let mut pending = Distinct::default();
        let mut ids = Vec::new();
        for _ in 0..source.parse(PART, length)? {
            let offset = source.offset();
            let id = u128::from_be_bytes(source.parse(PART, array)?);
            self.demand(pending.add_id(id), error(offset, ParseErrorKind::Duplicate, PART));
            // Those that are more than the table holds are not asked for again.
            if !pending.is_partial() {
                ids.push((id, offset));
            }
            source.parse(PART, i64_le)?;
            source.parse(PART, length)?;
        }
        let mut consumers = Distinct::default();
        let mut owned = Distinct::default();
        for _ in 0..source.parse(PART, length)? {
            self.name(source, &mut consumers)?;
            source.parse(PART, i64_le)?;
            if layout.has_active_time {
                source.parse(PART, i64_le)?;
            }
            let mut own = Distinct::default();
            for _ in 0..source.parse(PART, length)? {
                let offset = source.offset();
                let id = u128::from_be_bytes(source.parse(PART, array)?);
                let is_groups = pending.has_id(id) || pending.is_partial();
                self.demand(is_groups, error(offset, ParseErrorKind::Pending, PART));
                self.demand(own.add_id(id), error(offset, ParseErrorKind::Duplicate, PART));
                owned.add_id(id);
            }
        }
        if layout.has_nacks {
            for _ in 0..source.parse(PART, length)? {
                owned.add_id(u128::from_be_bytes(source.parse(PART, array)?));
            }
        }
        if pending.is_partial() || owned.is_partial() {
            self.unseen += 1;
        } else if let Some((_, offset)) = ids.iter().find(|(id, _)| !owned.has_id(*id)) {
            self.demand(false, error(*offset, ParseErrorKind::Pending, PART));
        }
        Ok(())
    }

    fn name<S: KeepsKey>(&mut self, source: &mut S, names: &mut Distinct) -> Result<(), ParseError> {
        let offset = source.offset();
        self.with_text(source, PART, |deep, text| {
            let is_new = text.is_none_or(|text| names.add(text));
            deep.demand(is_new, error(offset, ParseErrorKind::Duplicate, PART));
        })
    }

    fn producers<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        skip_lengths(source, 2)?;
        for _ in 0..source.parse(PART, length)? {
            self.string(source, PART)?;
            for _ in 0..source.parse(PART, length)? {
                self.string(source, PART)?;
                skip_lengths(source, 2)?;
            }
        }
        skip_lengths(source, 2)
    }
}

fn error(offset: u64, kind: ParseErrorKind, element: FormatElement) -> ParseError {
    ParseError { offset, kind, element, declared: 0 }
}

/// The number of live entries of a node whose listpack is sound, if the node's own counts are true.
fn live_entries(blob: &[u8]) -> Result<u64, ParseErrorKind> {
    let mut entries = listpack::entries(blob)?;
    let mut next = || entries.next().ok_or(ParseErrorKind::StreamNode)?;
    let live = count(next()?)?;
    let deleted = count(next()?)?;
    let master_fields = count(next()?)?;
    for _ in 0..master_fields {
        next()?;
    }
    if count(next()?)? != 0 {
        return Err(ParseErrorKind::StreamNode);
    }
    let mut deleted_seen = 0;
    for _ in 0..live.checked_add(deleted).ok_or(ParseErrorKind::StreamNode)? {
        let flags = integer(next()?)?;
        integer(next()?)?;
        integer(next()?)?;
        let has_names = flags & FLAG_SAME_FIELDS == 0;
        let fields = if has_names { count(next()?)? } else { master_fields };
        let strings = if has_names { fields.checked_mul(2).ok_or(ParseErrorKind::StreamNode)? } else { fields };
        for _ in 0..strings {
            next()?;
        }
        // Flags, the two halves of the ID, and the number of fields where it is not the node's.
        if count(next()?)? != strings + if has_names { 4 } else { 3 } {
            return Err(ParseErrorKind::StreamNode);
        }
        deleted_seen += u64::from(flags & FLAG_DELETED != 0);
    }
    match entries.next() {
        Some(_) => Err(ParseErrorKind::StreamNode),
        None if deleted_seen != deleted => Err(ParseErrorKind::StreamDeleted),
        None => Ok(live),
    }
}

fn count(text: Text<'_>) -> Result<u64, ParseErrorKind> {
    u64::try_from(integer(text)?).map_err(|_| ParseErrorKind::StreamNode)
}

/// A number, which servers accept as its decimal text too.
fn integer(text: Text<'_>) -> Result<i64, ParseErrorKind> {
    match text {
        Text::Int(value) => Ok(value),
        Text::Bytes(text) => {
            let value: i64 =
                std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(ParseErrorKind::StreamNode)?;
            if value.to_string().as_bytes() == text { Ok(value) } else { Err(ParseErrorKind::StreamNode) }
        }
    }
}
