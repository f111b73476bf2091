//! What a stream holds beside its entries: counters, consumer groups, and what is pending (format section 9).

use super::value::Value;
use crate::rdb::packed::Text;
use crate::rdb::packed::stream::{Layout, node_id};
use crate::rdb::primitives::{array, i64_le, length};
use crate::rdb::source::{Slice, Source};
use crate::rdb::string::text;
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// A stream ID: milliseconds and sequence number.
pub type Id = (u64, u64);

/// One thing that a stream holds beside its entries, in the order in which they are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPart<'e> {
    /// Counters of the whole stream; comes first.
    Totals {
        /// XLEN.
        entries: u64,
        /// The ID that was added last.
        last_id: Id,
        /// The greatest ID that was deleted and how many entries were ever added (since Redis 7.0).
        added: Option<(Id, u64)>,
    },
    /// A consumer group.
    Group {
        /// Its name.
        name: Text<'e>,
        /// The ID that was delivered last.
        last_id: Id,
        /// How many entries it has read (since Redis 7.0), if the server knew.
        entries_read: Option<u64>,
    },
    /// A consumer of the group that came last.
    Consumer {
        /// Its name.
        name: Text<'e>,
        /// When it last tried to read, in milliseconds since 1970.
        seen_at_ms: i64,
        /// When it last read something, in milliseconds since 1970 (since Redis 7.2).
        active_at_ms: Option<i64>,
    },
    /// An entry that is pending of the consumer that came last, or of none in the group that came last.
    Pending {
        /// Its ID.
        id: Id,
        /// When it was delivered last, in milliseconds since 1970.
        delivered_at_ms: i64,
        /// How many times it was delivered.
        deliveries: u64,
        /// Whether a consumer has it; one that was handed back has none (since Redis 8.8).
        has_consumer: bool,
    },
    /// How many producers have IDs of messages remembered (since Redis 8.6); comes last.
    Producers(u64),
}

/// Hands what a stream holds beside its entries to `visit`.
///
/// # Errors
/// The [`ParseError`] met, [`ParseErrorKind::Pending`] for an entry that is pending of a consumer and not of its group.
pub fn for_each(value: &Value<'_>, mut visit: impl FnMut(StreamPart<'_>)) -> Result<(), ParseError> {
    let Some(texts) = value.texts() else { return decoded(value, visit) };
    decoded(value, |part| match part {
        StreamPart::Group { name, last_id, entries_read } => {
            visit(StreamPart::Group { name: Text::Bytes(&texts.of(name)), last_id, entries_read });
        }
        StreamPart::Consumer { name, seen_at_ms, active_at_ms } => {
            visit(StreamPart::Consumer { name: Text::Bytes(&texts.of(name)), seen_at_ms, active_at_ms });
        }
        StreamPart::Totals { .. } | StreamPart::Pending { .. } | StreamPart::Producers(_) => visit(part),
    })
}

fn decoded(value: &Value<'_>, mut visit: impl FnMut(StreamPart<'_>)) -> Result<(), ParseError> {
    let element = FormatElement::StreamGroups;
    let layout = Layout::of(value.value_type());
    let source = &mut value.source();
    for _ in 0..source.parse(FormatElement::Count, length)? {
        node_id(source)?;
        source.string(FormatElement::StreamEntries)?;
    }
    let entries = source.parse(element, length)?;
    let last_id = id(source)?;
    let added = if layout.has_totals {
        id(source)?;
        Some((id(source)?, source.parse(element, length)?))
    } else {
        None
    };
    visit(StreamPart::Totals { entries, last_id, added });
    for _ in 0..source.parse(element, length)? {
        group(source, layout, &mut visit)?;
    }
    if layout.has_producers {
        source.parse(element, length)?;
        source.parse(element, length)?;
        visit(StreamPart::Producers(source.parse(element, length)?));
    }
    Ok(())
}

fn group(source: &mut Slice<'_>, layout: Layout, visit: &mut impl FnMut(StreamPart<'_>)) -> Result<(), ParseError> {
    let element = FormatElement::StreamGroups;
    let mut buffer = Vec::new();
    let name = text(source, &mut buffer)?;
    let last_id = id(source)?;
    // An unknown count is stored as -1.
    let entries_read = if layout.has_totals { Some(source.parse(element, length)?) } else { None };
    visit(StreamPart::Group { name, last_id, entries_read: entries_read.filter(|count| *count != u64::MAX) });
    let pending = Pending::read(source)?;
    for _ in 0..source.parse(element, length)? {
        let mut buffer = Vec::new();
        let name = text(source, &mut buffer)?;
        let seen_at_ms = source.parse(element, i64_le)?;
        let active_at_ms = if layout.has_active_time { Some(source.parse(element, i64_le)?) } else { None };
        visit(StreamPart::Consumer { name, seen_at_ms, active_at_ms: active_at_ms.filter(|at_ms| *at_ms >= 0) });
        pending.listed(source, true, visit)?;
    }
    if layout.has_nacks {
        pending.listed(source, false, visit)?;
    }
    Ok(())
}

fn id(source: &mut Slice<'_>) -> Result<Id, ParseError> {
    let ms = source.parse(FormatElement::StreamGroups, length)?;
    Ok((ms, source.parse(FormatElement::StreamGroups, length)?))
}

fn raw_id(source: &mut Slice<'_>) -> Result<Id, ParseError> {
    let ms = u64::from_be_bytes(source.parse(FormatElement::StreamGroups, array)?);
    Ok((ms, u64::from_be_bytes(source.parse(FormatElement::StreamGroups, array)?)))
}

/// A group's pending entries, which consumers refer to by ID. Servers write them in the order of their IDs; every so
/// many of them the place is remembered, so that one is found without holding all.
struct Pending<'a> {
    places: Vec<(Id, Slice<'a>)>,
}

/// How many entries are read, at most, to find one.
const STRIDE: u64 = 32;

impl<'a> Pending<'a> {
    fn read(source: &mut Slice<'a>) -> Result<Self, ParseError> {
        let mut places = Vec::new();
        for at in 0..source.parse(FormatElement::StreamGroups, length)? {
            let place = *source;
            let (id, _, _) = pending(source)?;
            if at % STRIDE == 0 {
                places.push((id, place));
            }
        }
        Ok(Self { places })
    }

    fn find(&self, wanted: Id) -> Option<(i64, u64)> {
        let before = self.places.partition_point(|(id, _)| *id <= wanted).checked_sub(1)?;
        let mut source = self.places.get(before)?.1;
        for _ in 0..STRIDE {
            let (id, delivered_at_ms, deliveries) = pending(&mut source).ok()?;
            if id == wanted {
                return Some((delivered_at_ms, deliveries));
            }
        }
        None
    }

    /// A list of IDs of pending entries.
    fn listed(
        &self,
        source: &mut Slice<'_>,
        has_consumer: bool,
        visit: &mut impl FnMut(StreamPart<'_>),
    ) -> Result<(), ParseError> {
        let element = FormatElement::StreamGroups;
        for _ in 0..source.parse(element, length)? {
            let offset = source.offset();
            let id = raw_id(source)?;
            let missing = ParseError { offset, kind: ParseErrorKind::Pending, element, declared: 0 };
            let (delivered_at_ms, deliveries) = self.find(id).ok_or(missing)?;
            visit(StreamPart::Pending { id, delivered_at_ms, deliveries, has_consumer });
        }
        Ok(())
    }
}

/// ID, delivery time, delivery count.
fn pending(source: &mut Slice<'_>) -> Result<(Id, i64, u64), ParseError> {
    let element = FormatElement::StreamGroups;
    Ok((raw_id(source)?, source.parse(element, i64_le)?, source.parse(element, length)?))
}
