//! A value looked at to its last byte (format section 17): what [`super::value`] steps over, and what
//! [`super::elements`] takes on trust.
//!
//! The walk ends where `measure` ends. Damage that leaves it in step with the dump is put on a list, and the walk goes
//! on; only what loses the value's end is returned. It runs over any source, and holds one string at a time.

mod array;
mod distinct;
mod packed;
mod stream;
mod template;
mod tolerated;
mod vector_set;

use packed::{Flaw, Packed};

pub(crate) use distinct::{Distinct, digest, id_of};
pub(crate) use template::Names;
pub(crate) use tolerated::is_tolerated;

use super::bounded::Bounded;
use super::context::Context;
use super::dragonfly;
use super::measure::unknown;
use super::packed::Text;
use super::packed::lzf::{self, Inflated};
use super::packed::module::{ModuleId, TAG_DOUBLE, TAG_EOF, TAG_FLOAT, TAG_SINT, TAG_STRING, TAG_UINT};
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{StringHeader, array, byte, i64_le, length, string_header, u64_le};
use super::run::{CONTAINER_PACKED, CONTAINER_PLAIN};
use super::source::{KeepsKey, Source};
use super::types::{Dialect, ValueType};
use super::value::cron;

/// A string longer than this is not held, so nobody looks into it. Servers pack values of a few kilobytes; this is for those
/// that were told to pack more.
const HELD_BYTES_MAX: u64 = 32 << 20;

/// A compressed string that inflates to more is not held either: over a map it is the only one that takes memory.
const INFLATED_BYTES_MAX: u64 = 8 << 20;

/// As [`INFLATED_BYTES_MAX`], for each of several walks side by side.
const INFLATED_AHEAD_BYTES_MAX: u64 = 1 << 20;

/// Faults of one value that are told; the first says what happened.
const FLAWS_MAX: usize = 4;

/// The last time that a field can expire at: 48 bits, in Redis.
const FIELD_TTL_MS_MAX: u64 = 0xffff_ffff_ffff;

/// What servers read as an error where a number is due, though it can be written.
pub(crate) const ERROR_LENGTH: u64 = u64::MAX;

/// What a packed value's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Records {
    /// A list's elements.
    Values,
    /// A set's members.
    Members,
    /// Fields and values.
    Fields,
    /// Members and scores.
    Scores,
    /// Fields, values and the times when they expire, 0 for never.
    FieldsWithTtl,
}

impl Records {
    fn entries_each(self) -> u64 {
        match self {
            Self::Values | Self::Members => 1,
            Self::Fields | Self::Scores => 2,
            Self::FieldsWithTtl => 3,
        }
    }
}

/// A walk over values, one after the other.
#[derive(Debug)]
pub(crate) struct Deep {
    /// What is wrong with the value that was walked last, as far as the walk could go on.
    pub(crate) flaws: Vec<ParseError>,
    /// Strings of all values that were too long, or had too many elements, to be looked into to the end.
    pub(crate) unseen: u64,
    distinct: Distinct,
    inflated_bytes_max: u64,
    buffer: Vec<u8>,
}

impl Default for Deep {
    fn default() -> Self {
        Self::new(Distinct::default(), INFLATED_BYTES_MAX)
    }
}

impl Deep {
    fn new(distinct: Distinct, inflated_bytes_max: u64) -> Self {
        Self { flaws: Vec::new(), unseen: 0, distinct, inflated_bytes_max, buffer: Vec::new() }
    }

    /// One of `walks` walks side by side, which together hold as many elements as one else. Of large values more are
    /// `unseen`, and it gives up on them.
    pub(crate) fn ahead(walks: usize) -> Self {
        Self::new(Distinct::new(distinct::HELD_MAX / walks.max(1)), INFLATED_AHEAD_BYTES_MAX)
    }

    /// Walks the next value; its flaws are then in `flaws`. Returns the module type if it is a module's.
    ///
    /// # Errors
    /// The trouble that loses the value's end.
    pub(crate) fn value<S: KeepsKey>(
        &mut self,
        source: &mut S,
        value_type: ValueType,
        context: &Context,
    ) -> Result<Option<ModuleId>, ParseError> {
        self.flaws.clear();
        self.distinct.clear();
        match value_type {
            ValueType::STRING => self.string(source, FormatElement::String)?,
            ValueType::LIST => self.each(source, |deep, source| deep.string(source, FormatElement::Element))?,
            ValueType::SET => self.each(source, Self::member)?,
            ValueType::HASH => self.each(source, |deep, source| {
                deep.member(source)?;
                deep.string(source, FormatElement::Element)
            })?,
            ValueType::ZSET => self.each(source, |deep, source| {
                deep.member(source)?;
                deep.text_score(source)
            })?,
            ValueType::ZSET_2 => self.each(source, |deep, source| {
                deep.member(source)?;
                deep.score(source)
            })?,
            ValueType::MODULE_2 => return self.module(source).map(Some),
            ValueType::HASH_ZIPMAP => self.blob(source, Packed::Zipmap, Records::Fields)?,
            ValueType::LIST_ZIPLIST => self.blob(source, Packed::Ziplist, Records::Values)?,
            ValueType::SET_INTSET => self.blob(source, Packed::Intset, Records::Values)?,
            ValueType::ZSET_ZIPLIST => self.blob(source, Packed::Ziplist, Records::Scores)?,
            ValueType::HASH_ZIPLIST => self.blob(source, Packed::Ziplist, Records::Fields)?,
            ValueType::HASH_LISTPACK => self.blob(source, Packed::Listpack, Records::Fields)?,
            ValueType::ZSET_LISTPACK => self.blob(source, Packed::Listpack, Records::Scores)?,
            ValueType::SET_LISTPACK => self.blob(source, Packed::Listpack, Records::Members)?,
            ValueType::LIST_QUICKLIST => {
                self.nodes(source, |deep, source| deep.entries(source, Packed::Ziplist, Records::Values))?;
            }
            ValueType::LIST_QUICKLIST_2 => self.nodes(source, Self::quicklist_node)?,
            ValueType::STREAM
            | ValueType::STREAM_2
            | ValueType::STREAM_3
            | ValueType::STREAM_4
            | ValueType::STREAM_5 => self.stream(source, value_type)?,
            ValueType::HASH_2 if context.dialect == Dialect::Valkey => self.each(source, |deep, source| {
                deep.member(source)?;
                deep.string(source, FormatElement::Element)?;
                deep.field_expiry(source)
            })?,
            _ if context.dialect == Dialect::Dragonfly => {
                let offset = source.offset();
                let measure = dragonfly::measure(source, value_type)?;
                self.demand(!measure.is_empty_collection(), empty(offset, FormatElement::Count));
                return Ok(measure.module);
            }
            _ if context.dialect != Dialect::Redis => return Err(unknown(source, value_type)),
            ValueType::HASH_TTL_PRE_GA => self.hash_with_ttls(source, None)?,
            ValueType::HASH_LISTPACK_TTL_PRE_GA => self.blob(source, Packed::Listpack, Records::FieldsWithTtl)?,
            ValueType::HASH_TTL => {
                let least = self.least_ttl(source)?;
                self.hash_with_ttls(source, Some(least))?;
            }
            ValueType::HASH_LISTPACK_TTL => {
                self.least_ttl(source)?;
                self.blob(source, Packed::Listpack, Records::FieldsWithTtl)?;
            }
            ValueType::ARRAY => self.array(source)?,
            ValueType::HASH_TEMPLATE_LISTPACK => {
                let fields = self.template_fields(source)?;
                self.template_listpack(source, |_| Ok(fields))?;
            }
            ValueType::HASH_TEMPLATE_LISTPACK_REF => {
                self.template_listpack(source, |id| context.template(id).map_err(|kind| Flaw { kind, declared: id }))?;
            }
            ValueType::HASH_TEMPLATE_ARRAY => {
                for _ in 0..self.template_fields(source)? {
                    self.string(source, FormatElement::Element)?;
                }
            }
            ValueType::HASH_TEMPLATE_ARRAY_REF => {
                let offset = source.offset();
                let id = source.parse(FormatElement::HashTemplate, length)?;
                let missing = |kind| ParseError { offset, kind, element: FormatElement::HashTemplate, declared: id };
                for _ in 0..context.template(id).map_err(missing)? {
                    self.string(source, FormatElement::Element)?;
                }
            }
            ValueType::CRON => _ = cron(source)?,
            ValueType::BITMAP if context.version >= 16 => {
                source.parse(FormatElement::Count, length)?;
                self.string(source, FormatElement::Blob)?;
            }
            _ => return Err(unknown(source, value_type)),
        }
        if self.distinct.is_partial() {
            self.unseen += 1;
        }
        // What waits to be taken over holds no table.
        self.distinct.clear();
        Ok(None)
    }

    pub(crate) fn is_ahead(&self) -> bool {
        self.inflated_bytes_max < INFLATED_BYTES_MAX
    }

    /// Puts a trouble on the list unless what was demanded is so.
    fn demand(&mut self, is_so: bool, error: ParseError) {
        if !is_so && self.flaws.len() < FLAWS_MAX {
            self.flaws.push(error);
        }
    }

    /// Walks a string whose content nobody needs: a compressed one is inflated all the same.
    pub(crate) fn string<S: KeepsKey>(&mut self, source: &mut S, element: FormatElement) -> Result<(), ParseError> {
        let offset = source.offset();
        let header = source.parse(element, string_header)?;
        self.pass(source, element, offset, header)
    }

    fn pass<S: KeepsKey>(
        &mut self,
        source: &mut S,
        element: FormatElement,
        offset: u64,
        header: StringHeader,
    ) -> Result<(), ParseError> {
        let StringHeader::Lzf { stored_bytes, bytes } = header else {
            return source.skip(element, header.stored_bytes());
        };
        if let Some(stored) = usize::try_from(stored_bytes).ok().and_then(|stored| source.ahead().get(..stored)) {
            let is_whole = lzf::is_sound(stored, bytes);
            source.skip(element, stored_bytes)?;
            self.demand(is_whole, ParseError { offset, kind: ParseErrorKind::Lzf, element, declared: bytes });
            return Ok(());
        }
        let mut stored = Bounded::new(source, stored_bytes, ParseErrorKind::Lzf);
        let mut inflated = Inflated::new(&mut stored, element, stored_bytes);
        let is_whole = match inflated.skip(element, bytes) {
            Ok(()) => matches!(inflated.parse(element, byte), Err(ParseError { kind: ParseErrorKind::BlobEntry, .. })),
            Err(ParseError { kind: ParseErrorKind::Lzf | ParseErrorKind::BlobEntry, .. }) => false,
            Err(error) => return Err(error),
        };
        stored.finish(element)?;
        self.demand(is_whole, ParseError { offset, kind: ParseErrorKind::Lzf, element, declared: bytes });
        Ok(())
    }

    /// Walks a string and lends its content to `use_it`, which gets `None` if it is damaged or too long.
    pub(crate) fn with_text<S: KeepsKey, T>(
        &mut self,
        source: &mut S,
        element: FormatElement,
        use_it: impl FnOnce(&mut Self, Option<Text<'_>>) -> T,
    ) -> Result<T, ParseError> {
        let offset = source.offset();
        let header = source.parse(element, string_header)?;
        let is_compressed = matches!(header, StringHeader::Lzf { .. });
        let bytes_max = if is_compressed { self.inflated_bytes_max } else { HELD_BYTES_MAX };
        if header.stored_bytes() > HELD_BYTES_MAX || header.value_bytes() > bytes_max {
            self.unseen += 1;
            self.pass(source, element, offset, header)?;
            return Ok(use_it(self, None));
        }
        source.keep(element, header.stored_bytes())?;
        Ok(match header {
            StringHeader::Int(value) => use_it(self, Some(Text::Int(value.into()))),
            StringHeader::Raw { .. } => use_it(self, Some(Text::Bytes(source.kept()))),
            StringHeader::Lzf { bytes, .. } => {
                let mut buffer = std::mem::take(&mut self.buffer);
                buffer.clear();
                let inflated = lzf::inflate(source.kept(), usize::try_from(bytes).unwrap_or(usize::MAX), &mut buffer);
                self.demand(
                    inflated.is_ok(),
                    ParseError { offset, kind: ParseErrorKind::Lzf, element, declared: bytes },
                );
                let used = use_it(self, inflated.is_ok().then_some(Text::Bytes(&buffer)));
                self.buffer = buffer;
                used
            }
        })
    }

    /// A number of elements and that many of them.
    fn each<S: KeepsKey>(
        &mut self,
        source: &mut S,
        element: impl Fn(&mut Self, &mut S) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        let offset = source.offset();
        let elements = source.parse(FormatElement::Count, length)?;
        self.demand(elements > 0, empty(offset, FormatElement::Count));
        for _ in 0..elements {
            element(self, source)?;
        }
        Ok(())
    }

    /// A string that the value may have only once.
    fn member<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let offset = source.offset();
        self.with_text(source, FormatElement::Element, |deep, text| {
            let is_new = text.is_none_or(|text| deep.distinct.add(text));
            deep.demand(
                is_new,
                ParseError { offset, kind: ParseErrorKind::Duplicate, element: FormatElement::Element, declared: 0 },
            );
        })?;
        if self.distinct.is_partial() && self.is_ahead() {
            self.unseen += 1;
            return Err(source.error(FormatElement::Element, ParseErrorKind::GaveUp, 0));
        }
        Ok(())
    }

    fn score<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let (offset, element) = (source.offset(), FormatElement::Score);
        let score = f64::from_le_bytes(source.parse(element, array)?);
        self.demand(!score.is_nan(), ParseError { offset, kind: ParseErrorKind::Score, element, declared: 0 });
        Ok(())
    }

    fn text_score<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let offset = source.offset();
        let is_number = match source.parse(FormatElement::Score, byte)? {
            253 => false,
            254 | 255 => true,
            bytes => {
                source.keep(FormatElement::Score, bytes.into())?;
                is_number(source.kept())
            }
        };
        self.demand(
            is_number,
            ParseError { offset, kind: ParseErrorKind::Score, element: FormatElement::Score, declared: 0 },
        );
        Ok(())
    }

    /// A string that is a packed value of its own.
    fn blob<S: KeepsKey>(&mut self, source: &mut S, packed: Packed, records: Records) -> Result<(), ParseError> {
        let offset = source.offset();
        let entries = self.entries(source, packed, records)?;
        self.demand(entries != Some(0), empty(offset, FormatElement::Blob));
        Ok(())
    }

    /// Looks at each entry of a packed string; `None` if it is damaged or too long.
    fn entries<S: KeepsKey>(
        &mut self,
        source: &mut S,
        packed: Packed,
        records: Records,
    ) -> Result<Option<u64>, ParseError> {
        let offset = source.offset();
        self.with_text(source, FormatElement::Blob, |deep, text| {
            let mut distinct = std::mem::take(&mut deep.distinct);
            let mut seen = Seen { distinct: &mut distinct, records, at: 0, last_ttl: 0, flaw: None };
            let looked = match text {
                // A list's elements are only counted.
                Some(Text::Bytes(blob)) if records == Records::Values => Some(packed.look(blob, |_| {})),
                Some(Text::Bytes(blob)) => Some(packed.look(blob, |entry| seen.entry(entry))),
                Some(Text::Int(_)) => Some(Err(ParseErrorKind::BlobForm.into())),
                None => None,
            };
            let flaw = seen.flaw;
            deep.distinct = distinct;
            let looked = looked?.and_then(|entries| match entries % records.entries_each() {
                0 => flaw.map_or(Ok(entries), Err),
                _ => Err(Flaw { kind: ParseErrorKind::BlobCount, declared: entries }),
            });
            match looked {
                Ok(entries) => Some(entries),
                Err(Flaw { kind, declared }) => {
                    deep.demand(false, ParseError { offset, kind, element: FormatElement::Blob, declared });
                    None
                }
            }
        })
    }

    /// A list's nodes, which together have at least one element; `node` says how many, if it can.
    fn nodes<S: KeepsKey>(
        &mut self,
        source: &mut S,
        node: impl Fn(&mut Self, &mut S) -> Result<Option<u64>, ParseError>,
    ) -> Result<(), ParseError> {
        let offset = source.offset();
        let mut elements = Some(0);
        for _ in 0..source.parse(FormatElement::Count, length)? {
            elements =
                elements.zip(node(self, source)?).map(|(elements, more): (u64, u64)| elements.saturating_add(more));
        }
        self.demand(elements != Some(0), empty(offset, FormatElement::Count));
        Ok(())
    }

    fn quicklist_node<S: KeepsKey>(&mut self, source: &mut S) -> Result<Option<u64>, ParseError> {
        let offset = source.offset();
        match source.parse(FormatElement::Element, length)? {
            CONTAINER_PLAIN => {
                let (offset, element) = (source.offset(), FormatElement::Element);
                let header = source.parse(element, string_header)?;
                self.pass(source, element, offset, header)?;
                let error = ParseError { offset, kind: ParseErrorKind::EmptyNode, element, declared: 0 };
                self.demand(header.value_bytes() > 0, error);
                Ok(Some(1))
            }
            CONTAINER_PACKED => self.entries(source, Packed::Listpack, Records::Values),
            declared => {
                Err(ParseError { offset, kind: ParseErrorKind::Container, element: FormatElement::Element, declared })
            }
        }
    }

    /// When a field of Valkey expires, -1 for never.
    fn field_expiry<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let (offset, element) = (source.offset(), FormatElement::FieldTtl);
        let at_ms = source.parse(element, i64_le)?;
        let declared = at_ms.cast_unsigned();
        self.demand(at_ms >= -1, ParseError { offset, kind: ParseErrorKind::Ttl, element, declared });
        Ok(())
    }

    fn least_ttl<S: KeepsKey>(&mut self, source: &mut S) -> Result<u64, ParseError> {
        let offset = source.offset();
        let least = source.parse(FormatElement::FieldTtl, u64_le)?;
        let error = ParseError { offset, kind: ParseErrorKind::Ttl, element: FormatElement::FieldTtl, declared: least };
        self.demand(least <= FIELD_TTL_MS_MAX + 1, error);
        Ok(least)
    }

    /// A TTL before each pair: 0 for none, else absolute, or one more than the distance from the `least` of the hash.
    fn hash_with_ttls<S: KeepsKey>(&mut self, source: &mut S, least: Option<u64>) -> Result<(), ParseError> {
        self.each(source, |deep, source| {
            let offset = source.offset();
            let stored = source.parse(FormatElement::FieldTtl, length)?;
            let at_ms = match (stored, least) {
                (0, _) => 0,
                (stored, None) => stored,
                (stored, Some(least)) => least.saturating_add(stored - 1),
            };
            let error =
                ParseError { offset, kind: ParseErrorKind::Ttl, element: FormatElement::FieldTtl, declared: at_ms };
            deep.demand(at_ms <= FIELD_TTL_MS_MAX, error);
            deep.member(source)?;
            deep.string(source, FormatElement::Element)
        })
    }

    fn module<S: KeepsKey>(&mut self, source: &mut S) -> Result<ModuleId, ParseError> {
        let id = ModuleId(source.parse(FormatElement::Module, length)?);
        if id == ModuleId::named(ModuleId::VECTOR_SET_NAME) {
            self.vector_set(source)?;
        } else {
            self.module_values(source, FormatElement::Module)?;
        }
        Ok(id)
    }

    /// Tagged values up to and including the end tag.
    pub(crate) fn module_values<S: KeepsKey>(
        &mut self,
        source: &mut S,
        element: FormatElement,
    ) -> Result<(), ParseError> {
        loop {
            let offset = source.offset();
            match source.parse(element, length)? {
                TAG_EOF => return Ok(()),
                tag => self.module_value(source, element, offset, tag)?,
            }
        }
    }

    /// A value behind its tag, which is at `offset`.
    fn module_value<S: KeepsKey>(
        &mut self,
        source: &mut S,
        element: FormatElement,
        offset: u64,
        tag: u64,
    ) -> Result<(), ParseError> {
        match tag {
            TAG_SINT | TAG_UINT => _ = source.parse(element, length)?,
            TAG_FLOAT => _ = source.parse(element, array::<4>)?,
            TAG_DOUBLE => _ = source.parse(element, array::<8>)?,
            TAG_STRING => self.string(source, element)?,
            _ => return Err(ParseError { offset, kind: ParseErrorKind::ModuleTag, element, declared: tag }),
        }
        Ok(())
    }
}

/// What is known of a packed value's entries while they are looked at.
struct Seen<'d> {
    distinct: &'d mut Distinct,
    records: Records,
    /// The next entry's place in its record.
    at: u64,
    last_ttl: u64,
    /// What is wrong with the first entry that is not as its record asks for.
    flaw: Option<Flaw>,
}

impl Seen<'_> {
    fn entry(&mut self, text: Text<'_>) {
        let at = self.at;
        self.at = if at + 1 == self.records.entries_each() { 0 } else { at + 1 };
        let flaw = match (self.records, at) {
            (Records::Values, _) => None,
            (_, 0) => (!self.distinct.add(text)).then_some(ParseErrorKind::Duplicate.into()),
            (Records::Scores, _) => match text {
                Text::Bytes(text) => (!is_number(text)).then_some(ParseErrorKind::Score.into()),
                Text::Int(_) => None,
            },
            (Records::FieldsWithTtl, 2) => self.ttl(text),
            _ => return,
        };
        self.flaw = self.flaw.or(flaw);
    }

    /// Rising times, and behind them the fields that never expire.
    fn ttl(&mut self, text: Text<'_>) -> Option<Flaw> {
        let Text::Int(at_ms) = text else { return Some(ParseErrorKind::BlobEntry.into()) };
        let declared = at_ms.cast_unsigned();
        let rank = if at_ms == 0 { u64::MAX } else { declared };
        let is_in_order = self.last_ttl <= rank;
        self.last_ttl = rank;
        if declared > FIELD_TTL_MS_MAX {
            return Some(Flaw { kind: ParseErrorKind::Ttl, declared });
        }
        (!is_in_order).then_some(ParseErrorKind::Order.into())
    }
}

fn empty(offset: u64, element: FormatElement) -> ParseError {
    ParseError { offset, kind: ParseErrorKind::Empty, element, declared: 0 }
}

/// Whether the C library's `strtod`, which servers read scores with, finds a number other than NaN at the start.
fn is_number(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    match unsigned {
        [b'.', digit, ..] | [digit, ..] if digit.is_ascii_digit() => true,
        [a, b, c, ..] => [a, b, c].map(u8::to_ascii_lowercase) == *b"inf",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_score_may_be() {
        for good in ["0", "-1.5", "+3", ".5", "inf", "-INF", "infinity", "1e300", " 1", "17 and more"] {
            assert!(is_number(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", ".", "nan", "-nan", "x", "in"] {
            assert!(!is_number(bad.as_bytes()), "{bad}");
        }
    }
}
