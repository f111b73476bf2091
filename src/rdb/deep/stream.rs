//! A stream looked at to its last byte: nodes, consumer groups, and what each consumer has pending (format section 9).

use super::distinct::Distinct;
use super::packed::Flaw;
use super::{Deep, packed};
use crate::rdb::packed::stream::{FLAG_DELETED, FLAG_SAME_FIELDS, Layout, integer, node_id, skip_lengths};
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
        // Last ID; then first ID and largest deleted ID.
        skip_lengths(source, if layout.has_totals { 2 + 4 } else { 2 })?;
        let added = if layout.has_totals { Some(self.entries_added(source, entries)?) } else { None };
        let mut names = self.distinct.another();
        for _ in 0..source.parse(PART, length)? {
            self.group(source, layout, added, &mut names)?;
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
                Text::Bytes(blob) => packed::listpack(blob, |_| {}).and_then(|_| Ok(live_entries(blob)?)),
                Text::Int(_) => Err(ParseErrorKind::BlobForm.into()),
            };
            match live {
                Ok((live, is_counted)) => {
                    deep.demand(is_counted, error(offset, ParseErrorKind::StreamLive, FormatElement::StreamEntries));
                    Some(live)
                }
                Err(Flaw { kind, declared }) => {
                    let element = FormatElement::StreamEntries;
                    deep.demand(false, ParseError { declared, ..error(offset, kind, element) });
                    None
                }
            }
        })
    }

    /// How many entries were ever added, which are no fewer than there are.
    fn entries_added<S: KeepsKey>(&mut self, source: &mut S, entries: u64) -> Result<u64, ParseError> {
        let offset = source.offset();
        let declared = source.parse(PART, length)?;
        let is_so = entries <= declared && declared <= i64::MAX.unsigned_abs();
        self.demand(is_so, ParseError { declared, ..error(offset, ParseErrorKind::StreamCounters, PART) });
        Ok(declared)
    }

    fn group<S: KeepsKey>(
        &mut self,
        source: &mut S,
        layout: Layout,
        added: Option<u64>,
        names: &mut Distinct,
    ) -> Result<(), ParseError> {
        /// What stands for a number of entries read that is unknown.
        const UNKNOWN: u64 = u64::MAX;
        self.name(source, names)?;
        skip_lengths(source, 2)?;
        if let Some(added) = added {
            let offset = source.offset();
            let declared = source.parse(PART, length)?;
            let is_so = declared == UNKNOWN || declared <= added;
            self.demand(is_so, ParseError { declared, ..error(offset, ParseErrorKind::StreamCounters, PART) });
        }
        let mut pending = self.distinct.another();
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
        let mut consumers = self.distinct.another();
        let mut owned = self.distinct.another();
        for _ in 0..source.parse(PART, length)? {
            self.name(source, &mut consumers)?;
            source.parse(PART, i64_le)?;
            if layout.has_active_time {
                source.parse(PART, i64_le)?;
            }
            let mut own = self.distinct.another();
            for _ in 0..source.parse(PART, length)? {
                let offset = source.offset();
                let id = u128::from_be_bytes(source.parse(PART, array)?);
                let is_groups = pending.has_id(id) || pending.is_partial();
                self.demand(is_groups, error(offset, ParseErrorKind::Pending, PART));
                let is_own = own.add_id(id);
                self.demand(is_own, error(offset, ParseErrorKind::Duplicate, PART));
                let is_shared = !owned.add_id(id) && is_own;
                self.demand(!is_shared, error(offset, ParseErrorKind::PendingShared, PART));
            }
        }
        let mut given_back = self.distinct.another();
        if layout.has_nacks {
            for _ in 0..source.parse(PART, length)? {
                let offset = source.offset();
                let id = u128::from_be_bytes(source.parse(PART, array)?);
                let is_groups = (pending.has_id(id) || pending.is_partial()) && !owned.has_id(id);
                self.demand(is_groups, error(offset, ParseErrorKind::Pending, PART));
                given_back.add_id(id);
            }
        }
        let is_left = |id| !owned.has_id(id) && !given_back.has_id(id);
        if pending.is_partial() || owned.is_partial() || given_back.is_partial() {
            self.unseen += 1;
        } else if let Some((_, offset)) = ids.iter().find(|(id, _)| is_left(*id)) {
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
        const SECONDS_MAX: u64 = 86_400;
        const ENTRIES_MAX: u64 = 10_000;
        for max in [SECONDS_MAX, ENTRIES_MAX] {
            let offset = source.offset();
            let declared = source.parse(PART, length)?;
            let is_so = (1..=max).contains(&declared);
            self.demand(is_so, ParseError { declared, ..error(offset, ParseErrorKind::StreamCounters, PART) });
        }
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

/// The number of live entries of a node whose listpack is sound, if the node's own counts are true; and whether there are
/// any, and the number is not text.
fn live_entries(blob: &[u8]) -> Result<(u64, bool), ParseErrorKind> {
    let mut entries = listpack::entries(blob)?;
    let mut next = || entries.next().ok_or(ParseErrorKind::StreamNode)?;
    let first = next()?;
    let live = count(first)?;
    let is_counted = live > 0 && matches!(first, Text::Int(_));
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
        let flags = number(next()?)?;
        number(next()?)?;
        number(next()?)?;
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
        None => Ok((live, is_counted)),
    }
}

fn count(text: Text<'_>) -> Result<u64, ParseErrorKind> {
    u64::try_from(number(text)?).map_err(|_| ParseErrorKind::StreamNode)
}

fn number(text: Text<'_>) -> Result<i64, ParseErrorKind> {
    integer(text).map_err(|_| ParseErrorKind::StreamNode)
}
