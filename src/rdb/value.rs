//! Stepping over a value while taking its size: one walk for all types, over any source (format sections 7 and 16).
//!
//! Nothing is decoded that the size does not need: a string's length is in its head, a packed value's count in its first
//! bytes. The walk ends at the value's last byte, which is where [`super::elements`] ends too.

use super::blob::Packing;
use super::context::Context;
use super::dragonfly;
use super::measure::{Measure, unknown};
use super::packed::module::{self, ModuleId};
use super::packed::stream;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{array, i64_le, length, u64_le};
use super::run::{Item, Run, go_on};
use super::source::Source;
use super::types::{Dialect, Kind, ValueType};

/// Steps over a value of `value_type` and returns its measure.
///
/// # Errors
/// A [`ParseError`] where the bytes end or are not what the type says; [`ParseErrorKind::UnknownType`] or [`ParseErrorKind::ModulePreGa`] for
/// types that cannot be stepped over.
pub fn measure<S: Source>(source: &mut S, value_type: ValueType, context: &Context) -> Result<Measure, ParseError> {
    match begin(source, value_type, context)? {
        ValueStart::Whole(measure) => Ok(measure),
        ValueStart::Run(mut run) => {
            run.walk(source, u64::MAX)?;
            Ok(run.into())
        }
    }
}

/// A value as far as it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueStart {
    /// It has been stepped over.
    Whole(Measure),
    /// Its elements come next.
    Run(Run),
}

impl From<Run> for Measure {
    fn from(run: Run) -> Self {
        Self { kind: run.kind, size: run.size, module: None }
    }
}

/// Steps over a value, or up to its first element if each of them has to be stepped over.
///
/// # Errors
/// As [`measure`].
#[inline(always)]
pub(crate) fn begin<S: Source>(
    source: &mut S,
    value_type: ValueType,
    context: &Context,
) -> Result<ValueStart, ParseError> {
    if value_type == ValueType::STRING {
        let size = source.string(FormatElement::String)?.value_bytes();
        return Ok(ValueStart::Whole(Measure { kind: Kind::String, size, module: None }));
    }
    begin_collection(source, value_type, context)
}

#[inline(never)]
fn begin_collection<S: Source>(
    source: &mut S,
    value_type: ValueType,
    context: &Context,
) -> Result<ValueStart, ParseError> {
    let (kind, size) = match value_type {
        ValueType::LIST => return run(source, Kind::List, Item::String),
        ValueType::SET => return run(source, Kind::Set, Item::String),
        ValueType::HASH => {
            let fields = source.parse(FormatElement::Count, length)?;
            // Fields and values alike.
            let left = fields.saturating_mul(2);
            return Ok(ValueStart::Run(Run {
                kind: Kind::Hash,
                size: fields,
                item: Item::String,
                left,
                damaged: None,
            }));
        }
        ValueType::ZSET => return run(source, Kind::Zset, Item::TextScored),
        ValueType::ZSET_2 => return run(source, Kind::Zset, Item::Scored),
        ValueType::MODULE_2 => return module_value(source).map(ValueStart::Whole),
        ValueType::HASH_ZIPMAP => (Kind::Hash, packed(source, Packing::Zipmap, 1)?),
        ValueType::LIST_ZIPLIST => (Kind::List, packed(source, Packing::Ziplist, 1)?),
        ValueType::SET_INTSET => (Kind::Set, packed(source, Packing::Intset, 1)?),
        ValueType::ZSET_ZIPLIST => (Kind::Zset, packed(source, Packing::Ziplist, 2)?),
        ValueType::HASH_ZIPLIST => (Kind::Hash, packed(source, Packing::Ziplist, 2)?),
        ValueType::LIST_QUICKLIST => return nodes(source, Item::Ziplist),
        ValueType::LIST_QUICKLIST_2 => return nodes(source, Item::Node),
        ValueType::HASH_LISTPACK => (Kind::Hash, packed(source, Packing::Listpack, 2)?),
        ValueType::ZSET_LISTPACK => (Kind::Zset, packed(source, Packing::Listpack, 2)?),
        ValueType::SET_LISTPACK => (Kind::Set, packed(source, Packing::Listpack, 1)?),
        ValueType::STREAM | ValueType::STREAM_2 | ValueType::STREAM_3 | ValueType::STREAM_4 | ValueType::STREAM_5 => {
            (Kind::Stream, stream::Layout::of(value_type).skip(source)?)
        }
        ValueType::HASH_2 if context.dialect == Dialect::Valkey => {
            return run(source, Kind::Hash, Item::PairAndExpiry);
        }
        _ if context.dialect == Dialect::Dragonfly => {
            return dragonfly::measure(source, value_type).map(ValueStart::Whole);
        }
        _ if context.dialect != Dialect::Redis => return Err(unknown(source, value_type)),
        ValueType::HASH_TTL_PRE_GA => return run(source, Kind::Hash, Item::TtlAndPair),
        ValueType::HASH_LISTPACK_TTL_PRE_GA => (Kind::Hash, packed(source, Packing::Listpack, 3)?),
        ValueType::HASH_TTL => {
            source.parse(FormatElement::FieldTtl, u64_le)?;
            return run(source, Kind::Hash, Item::TtlAndPair);
        }
        ValueType::HASH_LISTPACK_TTL => {
            source.parse(FormatElement::FieldTtl, u64_le)?;
            (Kind::Hash, packed(source, Packing::Listpack, 3)?)
        }
        ValueType::ARRAY => (Kind::Array, redis_array(source)?),
        ValueType::HASH_TEMPLATE_LISTPACK | ValueType::HASH_TEMPLATE_LISTPACK_REF => {
            let (_, fields) = template_packed(source, value_type)?;
            (Kind::Hash, fields)
        }
        ValueType::HASH_TEMPLATE_ARRAY | ValueType::HASH_TEMPLATE_ARRAY_REF => {
            let fields = template_array(source, value_type, context)?;
            (Kind::Hash, strings(source, fields)?)
        }
        ValueType::CRON => return cron(source).map(ValueStart::Whole),
        ValueType::BITMAP if context.version >= 16 => {
            let bytes = source.parse(FormatElement::Count, length)?;
            source.string(FormatElement::Blob)?;
            (Kind::String, bytes)
        }
        _ => return Err(unknown(source, value_type)),
    };
    Ok(ValueStart::Whole(Measure { kind, size, module: None }))
}

/// A count, which is the value's size, and as many elements.
fn run<S: Source>(source: &mut S, kind: Kind, item: Item) -> Result<ValueStart, ParseError> {
    let size = source.parse(FormatElement::Count, length)?;
    Ok(ValueStart::Run(Run { kind, size, item, left: size, damaged: None }))
}

/// A list's number of nodes; its size comes from the nodes.
fn nodes<S: Source>(source: &mut S, item: Item) -> Result<ValueStart, ParseError> {
    let left = source.parse(FormatElement::Count, length)?;
    Ok(ValueStart::Run(Run { kind: Kind::List, size: 0, item, left, damaged: None }))
}

fn strings<S: Source>(source: &mut S, strings: u64) -> Result<u64, ParseError> {
    for _ in 0..strings {
        source.string(FormatElement::Element)?;
    }
    Ok(strings)
}

/// A packed value whose records are `entries_each` entries.
#[inline]
fn packed<S: Source>(source: &mut S, packing: Packing, entries_each: u64) -> Result<u64, ParseError> {
    let offset = source.offset();
    let entries = packing.count(source)?;
    if entries % entries_each == 0 {
        return Ok(entries / entries_each);
    }
    Err(ParseError { offset, kind: ParseErrorKind::BlobCount, element: FormatElement::Blob, declared: entries })
}

/// An array's number of elements, and the index where the next would go if it has one.
pub(crate) fn array_count<S: Source>(source: &mut S) -> Result<u64, ParseError> {
    let elements = source.parse(FormatElement::Count, length)?;
    let offset = source.offset();
    match source.parse(FormatElement::Count, length)? {
        0 => {}
        1 => _ = source.parse(FormatElement::Count, length)?,
        flag => {
            return Err(ParseError {
                offset,
                kind: ParseErrorKind::Flag,
                element: FormatElement::Count,
                declared: flag,
            });
        }
    }
    Ok(elements)
}

fn redis_array<S: Source>(source: &mut S) -> Result<u64, ParseError> {
    let elements = array_count(source)?;
    for _ in 0..elements {
        source.parse(FormatElement::Element, length)?;
        let offset = source.offset();
        match source.parse(FormatElement::Element, length)? {
            ARRAY_TEXT | ARRAY_SMALL_TEXT => _ = source.string(FormatElement::Element)?,
            ARRAY_INT | ARRAY_FLOAT => _ = source.parse(FormatElement::Element, array::<8>)?,
            tag => return Err(unknown_array_tag(offset, tag)),
        }
    }
    Ok(elements)
}

/// The error for an element at `offset` whose tag is none of those of arrays (format section 7).
pub(crate) fn unknown_array_tag(offset: u64, tag: u64) -> ParseError {
    ParseError { offset, kind: ParseErrorKind::Flag, element: FormatElement::Element, declared: tag }
}

pub(crate) const ARRAY_TEXT: u64 = 0;
pub(crate) const ARRAY_INT: u64 = 1;
pub(crate) const ARRAY_FLOAT: u64 = 2;
pub(crate) const ARRAY_SMALL_TEXT: u64 = 3;

/// The field names that a self-contained template value begins with; returns how many.
fn template_fields<S: Source>(source: &mut S) -> Result<u64, ParseError> {
    let offset = source.offset();
    match source.parse(FormatElement::HashTemplate, length)? {
        0 => Packing::Listpack.count(source),
        1 => {
            let fields = source.parse(FormatElement::Count, length)?;
            strings(source, fields)
        }
        form => {
            Err(ParseError { offset, kind: ParseErrorKind::Flag, element: FormatElement::HashTemplate, declared: form })
        }
    }
}

/// Steps over a template's hash that is a listpack; returns the listpack's bytes and the number of fields.
pub(crate) fn template_packed<S: Source>(source: &mut S, value_type: ValueType) -> Result<(u64, u64), ParseError> {
    let mut damaged = None;
    if value_type == ValueType::HASH_TEMPLATE_LISTPACK {
        go_on(template_fields(source), &mut damaged)?;
    }
    let packed = go_on(template_listpack(source), &mut damaged)?;
    damaged.map_or(Ok(packed), Err)
}

/// Steps over what a template's hash has before its values; returns how many of them follow.
pub(crate) fn template_array<S: Source>(
    source: &mut S,
    value_type: ValueType,
    context: &Context,
) -> Result<u64, ParseError> {
    if value_type == ValueType::HASH_TEMPLATE_ARRAY_REF {
        return template_reference(source, context);
    }
    // Without its field names nothing says how many values follow.
    template_fields(source).map_err(|error| {
        let lost = ParseError { kind: ParseErrorKind::Flag, element: FormatElement::HashTemplate, ..error };
        if error.costs_one_key() { lost } else { error }
    })
}

/// A listpack of the template's id and one value a field; its bytes and the number of values.
fn template_listpack<S: Source>(source: &mut S) -> Result<(u64, u64), ParseError> {
    let offset = source.offset();
    let (bytes, entries) = Packing::Listpack.size(source)?;
    let no_id = ParseError { offset, kind: ParseErrorKind::BlobCount, element: FormatElement::Blob, declared: entries };
    Ok((bytes, entries.checked_sub(1).ok_or(no_id)?))
}

/// The id of a template that the dump has defined; returns its number of fields.
fn template_reference<S: Source>(source: &mut S, context: &Context) -> Result<u64, ParseError> {
    let offset = source.offset();
    let id = source.parse(FormatElement::HashTemplate, length)?;
    let missing = |kind| ParseError { offset, kind, element: FormatElement::HashTemplate, declared: id };
    context.template(id).map_err(missing)
}

/// A scheduled script of KeyDB (format section 15): script, start, interval, keys and arguments. To a client it is a type
/// of its own, so it is measured as a module's value is.
pub(crate) fn cron<S: Source>(source: &mut S) -> Result<Measure, ParseError> {
    let start = source.offset();
    source.string(FormatElement::Element)?;
    source.parse(FormatElement::Element, i64_le)?;
    source.parse(FormatElement::Element, i64_le)?;
    for _ in 0..2 {
        let texts = source.parse(FormatElement::Count, length)?;
        strings(source, texts)?;
    }
    Ok(Measure { kind: Kind::Module, size: source.offset() - start, module: None })
}

fn module_value<S: Source>(source: &mut S) -> Result<Measure, ParseError> {
    let start = source.offset();
    let id = ModuleId(source.parse(FormatElement::Module, length)?);
    let second = module::skip_values(source, FormatElement::Module)?;
    Ok(Measure::of_module(id, second, source.offset() - start))
}

impl Measure {
    /// Of a module's value of so many stored bytes, whose second tagged value is the unsigned integer `second`, if it is one.
    pub(crate) fn of_module(id: ModuleId, second: Option<u64>, bytes: u64) -> Self {
        let (kind, size) = match second {
            Some(vectors) if &id.name() == ModuleId::VECTOR_SET_NAME => (Kind::VectorSet, vectors),
            _ => (Kind::Module, bytes),
        };
        Self { kind, size, module: Some(id) }
    }
}
