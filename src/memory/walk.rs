//! Stepping over a value while taking its size and its memory: the counterpart of [`crate::rdb::value`] for those who ask
//! what a key costs, with the same sizes, the same end and the same refusals.

use nom::Err;

use super::footprint::{Footprint, Largest};
use super::int::{INT_TEXT_BYTES_MAX, canonical_int};
use super::list::{Filling, Nodes};
use super::packed::{self, Packing};
use super::stream;
use super::table::{Made, Table};
use super::vset::Expiries;
use super::{Basis, Cost, Encoding, Model, Target, module, template};
use crate::rdb::blob::Packing as Blob;
use crate::rdb::elements::number;
use crate::rdb::packed::{Passed, Text};
use crate::rdb::primitives::{
    Parsed, StringHeader, array, ascii_score_head, byte, i64_le, length, string_header, u64_le,
};
use crate::rdb::record::KeyHeader;
use crate::rdb::run::{CONTAINER_PACKED, CONTAINER_PLAIN, go_on};
use crate::rdb::source::Source;
use crate::rdb::value;
use crate::rdb::{Context, Dialect, FormatElement, Kind, ParseError, ParseErrorKind, ValueType};

/// Elements of a table, and nodes of a list, between two looks whether the walk is to go on: some milliseconds.
const ELEMENTS_A_LOOK: u64 = 1 << 18;
const NODES_A_LOOK: u64 = 1 << 8;

/// A string's head, and its number if it is a decimal integer.
fn head_and_int(i: &[u8]) -> Parsed<'_, (StringHeader, Option<i64>)> {
    let (rest, header) = string_header(i)?;
    let int = match header {
        StringHeader::Int(value) => Some(value.into()),
        StringHeader::Raw { bytes: bytes @ 1..=INT_TEXT_BYTES_MAX } => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            canonical_int(rest.get(..bytes).ok_or(Err::Error(ParseErrorKind::Eof))?)
        }
        _ => None,
    };
    Ok((rest, (header, int)))
}

/// Steps over a string; its length, and its number if it is a decimal integer.
fn text<S: Source>(source: &mut S, element: FormatElement) -> Result<(u64, Option<i64>), ParseError> {
    let Ok((header, int)) = source.parse(element, head_and_int) else {
        // Where the text is cut, the message is that of any other cut string.
        return source.string(element).map(|header| (header.value_bytes(), None));
    };
    source.skip(element, header.stored_bytes())?;
    Ok((header.value_bytes(), int))
}

/// Steps over a value of the key in `header`, and returns its measure and what the key costs.
///
/// # Errors
/// As [`value::measure`].
#[inline]
pub fn measure<S: Source>(
    source: &mut S,
    header: &KeyHeader,
    context: &Context,
    model: &Model,
) -> Result<Footprint, ParseError> {
    let (key_bytes, expires) = (header.key.value_bytes(), header.expires_at_ms.is_some());
    if header.value_type == ValueType::STRING {
        let (bytes, int) = text(source, FormatElement::String)?;
        let held = model.string(key_bytes, expires, bytes, int);
        let footprint = Footprint::new(Kind::String, bytes, held);
        return Ok(Footprint { value_bytes: Some(bytes), basis: Some(Basis::Exact), ..footprint });
    }
    let mut footprint = collection(source, header.value_type, context, model);
    if let Ok(Footprint {
        measure,
        memory_bytes: Some(memory),
        allocated_bytes: Some(allocated),
        encoding,
        basis,
        ..
    }) = &mut footprint
    {
        let key = match measure.module {
            Some(_) => model.key_of_module(key_bytes, expires),
            None => model.key_and_object(key_bytes, expires),
        };
        *memory = memory.saturating_add(key.memory_bytes);
        *allocated = allocated.saturating_add(key.allocated_bytes);
        basis.get_or_insert_with(|| Basis::of(*encoding, model));
    }
    footprint
}

/// Of a collection, whose memory is then what the object leads to.
#[inline(never)]
fn collection<S: Source>(
    source: &mut S,
    value_type: ValueType,
    context: &Context,
    model: &Model,
) -> Result<Footprint, ParseError> {
    match value_type {
        ValueType::LIST => list_of_texts(source, model),
        ValueType::SET => set(source, model),
        ValueType::HASH => hash(source, model),
        ValueType::ZSET | ValueType::ZSET_2 => zset(source, value_type, model),
        ValueType::HASH_ZIPMAP => zipmap(source, model),
        ValueType::SET_INTSET => packed(source, model, Kind::Set, Blob::Intset, 1),
        ValueType::ZSET_ZIPLIST => ziplist(source, model, Kind::Zset),
        ValueType::HASH_ZIPLIST => ziplist(source, model, Kind::Hash),
        ValueType::HASH_LISTPACK => packed(source, model, Kind::Hash, Blob::Listpack, 2),
        ValueType::ZSET_LISTPACK => packed(source, model, Kind::Zset, Blob::Listpack, 2),
        ValueType::SET_LISTPACK => packed(source, model, Kind::Set, Blob::Listpack, 1),
        ValueType::LIST_ZIPLIST => list_of_ziplist(source, model),
        ValueType::LIST_QUICKLIST | ValueType::LIST_QUICKLIST_2 => list_of_nodes(source, value_type, model),
        ValueType::STREAM | ValueType::STREAM_2 | ValueType::STREAM_3 | ValueType::STREAM_4 | ValueType::STREAM_5 => {
            let (entries, bytes, streamed) = stream::measure(source, value_type, model)?;
            Ok(Footprint {
                streamed: Some(streamed),
                ..Footprint::new(Kind::Stream, entries, (Encoding::Stream, bytes))
            })
        }
        ValueType::HASH_2 if context.dialect == Dialect::Valkey => hash_2(source, model),
        ValueType::HASH_TTL if context.dialect == Dialect::Redis => {
            source.parse(FormatElement::FieldTtl, u64_le)?;
            hash_with_ttls(source, model)
        }
        ValueType::HASH_TTL_PRE_GA if context.dialect == Dialect::Redis => hash_with_ttls(source, model),
        ValueType::HASH_LISTPACK_TTL if context.dialect == Dialect::Redis => {
            source.parse(FormatElement::FieldTtl, u64_le)?;
            packed_with_ttls(source, model)
        }
        ValueType::HASH_LISTPACK_TTL_PRE_GA if context.dialect == Dialect::Redis => packed_with_ttls(source, model),
        ValueType::MODULE_2 => module::measure(source, model),
        ValueType::ARRAY if context.dialect == Dialect::Redis => {
            let (elements, bytes) = super::array::measure(source, model)?;
            Ok(Footprint::new(Kind::Array, elements, (Encoding::SlicedArray, Cost::same(bytes))))
        }
        ValueType::HASH_TEMPLATE_LISTPACK
        | ValueType::HASH_TEMPLATE_LISTPACK_REF
        | ValueType::HASH_TEMPLATE_ARRAY
        | ValueType::HASH_TEMPLATE_ARRAY_REF
            if context.dialect == Dialect::Redis =>
        {
            let (fields, held) = template::measure(source, value_type, context, model)?;
            Ok(Footprint { basis: Some(Basis::LowerBound), ..Footprint::new(Kind::Hash, fields, held) })
        }
        _ => value::measure(source, value_type, context).map(Footprint::unknown),
    }
}

fn packed<S: Source>(
    source: &mut S,
    model: &Model,
    kind: Kind,
    blob: Blob,
    entries_each: u64,
) -> Result<Footprint, ParseError> {
    let (size, bytes) = packed_size(source, blob, entries_each)?;
    let encoding = match blob {
        Blob::Intset => Encoding::Intset,
        Blob::Ziplist => Encoding::Ziplist,
        _ => Encoding::Listpack,
    };
    Ok(Footprint { packed_bytes: Some(bytes), ..Footprint::new(kind, size, (encoding, model.packed(bytes))) })
}

/// A ziplist of a hash or a sorted set: from 7.0 on servers append its entries to a listpack, one by one.
fn ziplist<S: Source>(source: &mut S, model: &Model, kind: Kind) -> Result<Footprint, ParseError> {
    if !model.target.has_listpacks() {
        return packed(source, model, kind, Blob::Ziplist, 2);
    }
    let offset = source.offset();
    let ((bytes, entries), packing) = repacked(source, model)?;
    let size = records(offset, entries, 2)?;
    let listpack_bytes = packing.map_or(bytes, |packing| packing.bytes());
    let held = (Encoding::Listpack, model.packed_cut(bytes, listpack_bytes));
    Ok(Footprint { packed_bytes: Some(bytes), ..Footprint::new(kind, size, held) })
}

/// The next ziplist's bytes and entries, and the listpack or ziplist that its entries make, unless they are damaged: then it is
/// taken as it is stored.
fn repacked<S: Source>(source: &mut S, model: &Model) -> Result<((u64, u64), Option<Packing>), ParseError> {
    let mut packing = Packing::new(model.target);
    let (bytes, entries, is_sound) = Blob::Ziplist.visit(source, &mut |entry| {
        let (bytes, int) = text_of(entry);
        packing.add(bytes, int);
    })?;
    Ok(((bytes, entries), is_sound.then_some(packing)))
}

/// The length of a text as a client sees it, and its number if it is a decimal integer.
fn text_of(entry: Passed<'_>) -> (u64, Option<i64>) {
    match entry {
        Passed::Int(int) => (Text::Int(int).value_bytes(), Some(int)),
        Passed::Text { bytes, short } => (bytes, short.and_then(canonical_int)),
    }
}

/// Hashes of Redis up to 2.4: servers since then make a listpack or ziplist of them, or a table if a text is too long.
fn zipmap<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let (mut packing, mut table, mut field) = (Packing::new(model.target), Table::default(), None);
    let (bytes, pairs, is_sound) = Blob::Zipmap.visit(source, &mut |text| {
        let (bytes, int) = text_of(text);
        packing.add(bytes, int);
        match field.take() {
            None => field = Some(bytes),
            Some(field_bytes) => {
                table.add_pair(model, field_bytes, bytes, false);
                packing.end_record();
            }
        }
    })?;
    let is_table = pairs > packed::HASH_FIELDS_MAX || packing.first_long.is_some();
    let made = if model.target == Target::Redis6_2 { Made::Grown } else { Made::AtOnce };
    let held = match (is_sound, is_table) {
        (true, true) => table.finish_hash(model, made, Expiries::default()),
        (true, false) => packing.finish(model),
        (false, _) => (packing.finish(model).0, model.packed(bytes)),
    };
    Ok(Footprint::new(Kind::Hash, pairs, held))
}

fn packed_with_ttls<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let (size, bytes) = packed_size(source, Blob::Listpack, 3)?;
    Ok(Footprint::new(Kind::Hash, size, (Encoding::ListpackEx, model.packed_with_ttls(bytes))))
}

/// The number of elements and the bytes of a packed value, whose records are `entries_each` entries.
fn packed_size<S: Source>(source: &mut S, blob: Blob, entries_each: u64) -> Result<(u64, u64), ParseError> {
    let offset = source.offset();
    let (bytes, entries) = blob.size(source)?;
    Ok((records(offset, entries, entries_each)?, bytes))
}

/// The number of records of a packed value, whose string is at `offset`.
fn records(offset: u64, entries: u64, entries_each: u64) -> Result<u64, ParseError> {
    if entries.is_multiple_of(entries_each) {
        return Ok(entries / entries_each);
    }
    let (kind, element) = (ParseErrorKind::BlobCount, FormatElement::Blob);
    Err(ParseError { offset, kind, element, declared: entries })
}

fn set<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let members = source.parse(FormatElement::Count, length)?;
    let (mut table, mut packing) = (Table::default(), Packing::new(model.target));
    let fits_intset = |packing: &Packing| members <= packed::INTSET_MEMBERS_MAX && packing.is_of_ints();
    let has_few = members <= packed::SET_MEMBERS_MAX && model.target.packs_sets_and_lists();
    let fits_listpack = |packing: &Packing| has_few && packing.first_long.is_none();
    // With higher limits.
    let may_fit = |packing: &Packing| {
        let is_short = packing.longest_bytes <= packed::IF_TEXT_BYTES_MAX && model.target.packs_sets_and_lists();
        members <= packed::IF_ELEMENTS_MAX && (packing.is_of_ints() || is_short)
    };
    let mut left = members;
    while left > 0 && may_fit(&packing) {
        let (bytes, int) = text(source, FormatElement::Element)?;
        table.add_member(model, bytes);
        packing.add(bytes, int);
        packing.end_record();
        left -= 1;
    }
    // It is a table, whatever follows.
    let table = members_of_table(source, model, table, left)?;
    if fits_intset(&packing) {
        let held = (Encoding::Intset, model.packed(packing.intset_bytes()));
        return Ok(Footprint::of_table(Kind::Set, &table, held));
    }
    if fits_listpack(&packing) {
        return Ok(Footprint::of_table(Kind::Set, &table, packing.finish(model)));
    }
    let held = table.finish_set(model);
    let if_packed = match may_fit(&packing) {
        true if packing.is_of_ints() => Some(packing.if_intset(model, held.1)),
        true => Some(packing.if_packed(model, held.1)),
        false => None,
    };
    Ok(Footprint { if_packed, ..Footprint::of_table(Kind::Set, &table, held) })
}

/// In a function of its own, as those of other tables, so that the loop over millions of elements runs in registers.
#[inline(never)]
fn members_of_table<S: Source>(
    source: &mut S,
    model: &Model,
    mut table: Table,
    members: u64,
) -> Result<Table, ParseError> {
    for count in looks(members) {
        for _ in 0..count {
            table.add_member(model, source.string_bytes(FormatElement::Element)?);
        }
        model.go_on(source)?;
    }
    Ok(table)
}

/// How many of so many elements come before each look whether the walk is to go on.
fn looks(elements: u64) -> impl Iterator<Item = u64> {
    let whole = std::iter::repeat_n(ELEMENTS_A_LOOK, usize::try_from(elements / ELEMENTS_A_LOOK).unwrap_or(usize::MAX));
    whole.chain([elements % ELEMENTS_A_LOOK])
}

fn hash<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let pairs = source.parse(FormatElement::Count, length)?;
    let (mut table, mut packing) = (Table::default(), Packing::new(model.target));
    let has_few = pairs <= packed::HASH_FIELDS_MAX;
    // With higher limits.
    let may_fit =
        |packing: &Packing| pairs <= packed::IF_ELEMENTS_MAX && packing.longest_bytes <= packed::IF_TEXT_BYTES_MAX;
    let mut left = pairs;
    while left > 0 && may_fit(&packing) {
        let (field_bytes, field_int) = text(source, FormatElement::Element)?;
        let (value_bytes, value_int) = text(source, FormatElement::Element)?;
        table.add_pair(model, field_bytes, value_bytes, false);
        packing.add(field_bytes, field_int);
        packing.add(value_bytes, value_int);
        packing.end_record();
        left -= 1;
    }
    // It is a table, whatever follows.
    let table = pairs_of_table(source, model, table, left)?;
    let held = match packing.first_long {
        _ if !has_few => table.finish_hash(model, Made::AtOnce, Expiries::default()),
        None => packing.finish(model),
        Some(pair) => table.finish_hash(model, Made::FromListpack(pair), Expiries::default()),
    };
    let is_table = held.0 == Encoding::Hashtable;
    let if_packed = (is_table && may_fit(&packing)).then(|| packing.if_packed(model, held.1));
    Ok(Footprint { if_packed, ..Footprint::of_table(Kind::Hash, &table, held) })
}

#[inline(never)]
fn pairs_of_table<S: Source>(source: &mut S, model: &Model, mut table: Table, pairs: u64) -> Result<Table, ParseError> {
    for count in looks(pairs) {
        for _ in 0..count {
            let field_bytes = source.string_bytes(FormatElement::Element)?;
            let value_bytes = source.string_bytes(FormatElement::Element)?;
            table.add_pair(model, field_bytes, value_bytes, false);
        }
        model.go_on(source)?;
    }
    Ok(table)
}

/// Valkey 9: fields that may have TTLs, always a table.
fn hash_2<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let (mut table, mut expiries) = (Table::default(), Expiries::default());
    for count in looks(source.parse(FormatElement::Count, length)?) {
        for _ in 0..count {
            let field_bytes = source.string_bytes(FormatElement::Element)?;
            let value_bytes = source.string_bytes(FormatElement::Element)?;
            let expires_at_ms = source.parse(FormatElement::FieldTtl, i64_le)?;
            table.add_pair(model, field_bytes, value_bytes, expires_at_ms >= 0);
            if expires_at_ms >= 0 {
                expiries.add(expires_at_ms);
            }
        }
        model.go_on(source)?;
    }
    Ok(Footprint::of_table(Kind::Hash, &table, table.finish_hash(model, Made::AtOnce, expiries)))
}

/// Redis since 7.4: fields that may have TTLs, as a table.
fn hash_with_ttls<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let pairs = source.parse(FormatElement::Count, length)?;
    let mut table = Table::default();
    if pairs > packed::HASH_FIELDS_MAX {
        for count in looks(pairs) {
            for _ in 0..count {
                let ttl = source.parse(FormatElement::FieldTtl, length)?;
                let field_bytes = source.string_bytes(FormatElement::Element)?;
                let value_bytes = source.string_bytes(FormatElement::Element)?;
                table.add_pair(model, field_bytes, value_bytes, ttl != 0);
            }
            model.go_on(source)?;
        }
        let held = table.finish_hash(model, Made::Grown, Expiries::default());
        return Ok(Footprint::of_table(Kind::Hash, &table, held));
    }
    let mut packing = Packing::new(model.target);
    for _ in 0..pairs {
        let ttl = source.parse(FormatElement::FieldTtl, length)?;
        let (field_bytes, field_int) = text(source, FormatElement::Element)?;
        let (value_bytes, value_int) = text(source, FormatElement::Element)?;
        table.add_pair(model, field_bytes, value_bytes, ttl != 0);
        packing.add(field_bytes, field_int);
        packing.add(value_bytes, value_int);
        packing.add_expiry(ttl != 0);
        packing.end_record();
    }
    let held = match packing.first_long {
        None => (Encoding::ListpackEx, model.packed_with_ttls(packing.bytes())),
        Some(pair) => table.finish_hash(model, Made::FromListpackEx(pair), Expiries::default()),
    };
    Ok(Footprint::of_table(Kind::Hash, &table, held))
}

fn zset<S: Source>(source: &mut S, value_type: ValueType, model: &Model) -> Result<Footprint, ParseError> {
    let members = source.parse(FormatElement::Count, length)?;
    let (mut table, mut packing) = (Table::default(), Packing::new(model.target));
    // With higher limits.
    let may_fit =
        |packing: &Packing| members <= packed::IF_ELEMENTS_MAX && packing.longest_bytes <= packed::IF_TEXT_BYTES_MAX;
    let mut left = members;
    while left > 0 && may_fit(&packing) {
        let (bytes, int) = text(source, FormatElement::Element)?;
        table.add_scored(model, bytes);
        packing.add(bytes, int);
        packing.add_score(score(source, value_type)?);
        packing.end_record();
        left -= 1;
    }
    // It is a table, whatever follows.
    let table = scored_of_table(source, value_type, model, table, left)?;
    if members <= packed::ZSET_MEMBERS_MAX && packing.first_long.is_none() {
        return Ok(Footprint::of_table(Kind::Zset, &table, packing.finish(model)));
    }
    let held = table.finish_scored(model);
    let if_packed = may_fit(&packing).then(|| packing.if_packed(model, held.1));
    Ok(Footprint { if_packed, ..Footprint::of_table(Kind::Zset, &table, held) })
}

#[inline(never)]
fn scored_of_table<S: Source>(
    source: &mut S,
    value_type: ValueType,
    model: &Model,
    mut table: Table,
    members: u64,
) -> Result<Table, ParseError> {
    for count in looks(members) {
        for _ in 0..count {
            table.add_scored(model, source.string_bytes(FormatElement::Element)?);
            skip_score(source, value_type)?;
        }
        model.go_on(source)?;
    }
    Ok(table)
}

fn skip_score<S: Source>(source: &mut S, value_type: ValueType) -> Result<(), ParseError> {
    if value_type == ValueType::ZSET_2 {
        source.parse(FormatElement::Score, array::<8>)?;
        return Ok(());
    }
    let text_bytes = source.parse(FormatElement::Score, ascii_score_head)?;
    source.skip(FormatElement::Score, text_bytes)
}

/// A score.
fn score<S: Source>(source: &mut S, value_type: ValueType) -> Result<f64, ParseError> {
    if value_type == ValueType::ZSET_2 {
        return Ok(f64::from_le_bytes(source.parse(FormatElement::Score, array)?));
    }
    if let Ok(score) = source.parse(FormatElement::Score, ascii_score) {
        return Ok(score);
    }
    // No number, or cut: the message is that of the plain walk.
    skip_score(source, value_type)?;
    Ok(0.0)
}

/// A score of the old text form.
fn ascii_score(i: &[u8]) -> Parsed<'_, f64> {
    let (i, first) = byte(i)?;
    match first {
        253 => Ok((i, f64::NAN)),
        254 => Ok((i, f64::INFINITY)),
        255 => Ok((i, f64::NEG_INFINITY)),
        bytes => {
            let (text, rest) = i.split_at_checked(bytes.into()).ok_or(Err::Error(ParseErrorKind::Eof))?;
            Ok((rest, number(text).ok_or(Err::Error(ParseErrorKind::Score))?))
        }
    }
}

/// Lists of Redis up to 3.0, which servers since then fill into nodes.
fn list_of_texts<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let (mut table, mut filling) = (Table::default(), Filling::new(model.target));
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let (bytes, int) = text(source, FormatElement::Element)?;
        table.add_member(model, bytes);
        filling.add(model, bytes, int);
    }
    Ok(Footprint::of_table(Kind::List, &table, filling.finish(model).finish(model)))
}

/// Lists of Redis up to 3.0 that are short: servers since then append the entries to a list of nodes, and leave it one.
fn list_of_ziplist<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let mut filling = Filling::new(model.target);
    let (bytes, entries, is_sound) = Blob::Ziplist.visit(source, &mut |entry| {
        let (bytes, int) = text_of(entry);
        filling.add(model, bytes, int);
    })?;
    let mut nodes = filling.finish(model);
    if !is_sound {
        nodes = Nodes::default();
        nodes.add(model, bytes, false);
    }
    Ok(Footprint::new(Kind::List, entries, nodes.finish_quicklist(model)))
}

fn list_of_nodes<S: Source>(source: &mut S, value_type: ValueType, model: &Model) -> Result<Footprint, ParseError> {
    let (mut nodes, mut elements) = (Nodes::default(), 0_u64);
    let mut damaged = None;
    let mut largest_plain: Option<Largest> = None;
    for node in 0..source.parse(FormatElement::Count, length)? {
        if node % NODES_A_LOOK == NODES_A_LOOK - 1 {
            model.go_on(source)?;
        }
        if value_type == ValueType::LIST_QUICKLIST {
            let (made_bytes, bytes, entries) = go_on(node_of_ziplist(source, model), &mut damaged)?;
            nodes.add_cut(model, made_bytes, bytes);
            elements += entries;
            continue;
        }
        let offset = source.offset();
        match source.parse(FormatElement::Element, length)? {
            CONTAINER_PLAIN => {
                let bytes = source.string_bytes(FormatElement::Element)?;
                nodes.add(model, bytes, true);
                if largest_plain.is_none_or(|largest| bytes > largest.bytes) {
                    largest_plain = Some(Largest { bytes, index: elements });
                }
                elements += 1;
            }
            CONTAINER_PACKED => {
                let (bytes, entries) = go_on(Blob::Listpack.size(source), &mut damaged)?;
                nodes.add(model, bytes, false);
                elements += entries;
            }
            other => {
                return Err(ParseError {
                    offset,
                    kind: ParseErrorKind::Container,
                    element: FormatElement::Element,
                    declared: other,
                });
            }
        }
    }
    if let Some(error) = damaged {
        return Err(error);
    }
    let packed_bytes = Some(nodes.stored_bytes());
    // An element that has a node of its own is larger than all that share one.
    Ok(Footprint { largest: largest_plain, packed_bytes, ..Footprint::new(Kind::List, elements, nodes.finish(model)) })
}

/// The bytes of a node that is stored as a ziplist, those of the listpack that servers since 7.0 make of it, and its entries.
fn node_of_ziplist<S: Source>(source: &mut S, model: &Model) -> Result<(u64, u64, u64), ParseError> {
    if !model.target.has_listpacks() {
        let (bytes, entries) = Blob::Ziplist.size(source)?;
        return Ok((bytes, bytes, entries));
    }
    let ((bytes, entries), packing) = repacked(source, model)?;
    Ok((bytes, packing.map_or(bytes, |packing| packing.bytes()), entries))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::Allocator;
    use super::*;
    use crate::rdb::source::Slice;

    #[test]
    fn a_walk_ends_within_a_value_when_it_is_told_to() {
        let members = u32::try_from(3 * ELEMENTS_A_LOOK).unwrap();
        // A set of texts without bytes.
        let mut value = [&[0x80][..], &members.to_be_bytes()].concat();
        let head_bytes = value.len() as u64;
        value.resize(value.len() + members as usize, 0);
        let stop = Arc::new(AtomicBool::new(false));
        let model = Model::new(Target::Redis7_2, Allocator::Jemalloc).until(stop.clone());
        let walked = || {
            let mut source = Slice::new(&value, 0);
            let header = KeyHeader { value_type: ValueType::SET, ..KeyHeader::default() };
            let footprint = measure(&mut source, &header, &Context::new(Dialect::Redis, 11), &model);
            (footprint.map(|found| found.measure.size).map_err(|error| error.kind), source.offset())
        };
        assert_eq!(walked(), (Ok(members.into()), value.len() as u64));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(walked(), (Err(ParseErrorKind::Read), head_bytes + ELEMENTS_A_LOOK));
    }
}
