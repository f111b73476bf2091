//! Values anew, for servers that do not know how the dump stores them: in the plainest encoding of their type, which every
//! server of that type loads.

use super::format::Format;
use super::stream;
use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::writer::{put_length, put_string};
use crate::rdb::{Dialect, Entry, Kind, ValueType};
use crate::values::{Fault, Value};

/// A value that takes more is not encoded anew: it is held in memory meanwhile.
const ENCODED_BYTES_MAX: usize = 128 << 20;

/// Writes a value in the format; returns its type there.
///
/// # Errors
/// What stands in the way.
pub(super) fn encode(
    entry: &Entry<'_>,
    value: &Value<'_>,
    format: Format,
    to: &mut Vec<u8>,
) -> Result<ValueType, Fault> {
    match entry.kind {
        Kind::String => Err("a bitmap stored in its compressed form is not decoded".into()),
        Kind::List => plain(ValueType::LIST, entry, value, to),
        Kind::Set => plain(ValueType::SET, entry, value, to),
        Kind::Zset if format.has(ValueType::ZSET_2) => plain(ValueType::ZSET_2, entry, value, to),
        Kind::Zset => plain(ValueType::ZSET, entry, value, to),
        Kind::Hash => hash(entry, value, format, to),
        Kind::Stream => stream::lower(value, format, to),
        Kind::Array | Kind::VectorSet | Kind::Module => {
            Err(Fault::Unsupported(format!("{format} has no values of type {}", entry.kind.name()).into()))
        }
    }
}

/// Elements one after the other, without any structure around them.
fn plain(value_type: ValueType, entry: &Entry<'_>, value: &Value<'_>, to: &mut Vec<u8>) -> Result<ValueType, Fault> {
    counted(entry.size, value, to, |element, to| match element {
        Element::Value(text) => put_text(text, to),
        Element::Field { field, value, .. } => {
            put_text(field, to);
            put_text(value, to);
        }
        Element::Member { member, score } => {
            put_text(member, to);
            if value_type == ValueType::ZSET { put_text_score(score, to) } else { to.extend(score.to_le_bytes()) }
        }
        _ => {}
    })?;
    Ok(value_type)
}

/// A hash; fields that expire need a type that holds times.
fn hash(entry: &Entry<'_>, value: &Value<'_>, format: Format, to: &mut Vec<u8>) -> Result<ValueType, Fault> {
    let (mut fields, mut expiring, mut least) = (0_u64, 0_u64, u64::MAX);
    value.for_each(|element| {
        if let Element::Field { expires_at_ms, .. } = element {
            fields += 1;
            expiring += u64::from(expires_at_ms.is_some());
            least = least.min(expires_at_ms.unwrap_or(u64::MAX));
        }
    })?;
    if expiring == 0 {
        return plain(ValueType::HASH, entry, value, to);
    }
    if format.dialect == Dialect::Valkey {
        counted(fields, value, to, |element, to| {
            let Element::Field { field, value, expires_at_ms } = element else { return };
            put_text(field, to);
            put_text(value, to);
            let stored = expires_at_ms.and_then(|at_ms| i64::try_from(at_ms).ok()).unwrap_or(-1);
            to.extend_from_slice(&stored.to_le_bytes());
        })?;
        return Ok(ValueType::HASH_2);
    }
    if !format.has(ValueType::HASH_TTL) {
        let what = format!("{expiring} of its fields expire, which {format} does not know");
        return Err(Fault::Unsupported(what.into()));
    }
    to.extend_from_slice(&least.to_le_bytes());
    counted(fields, value, to, |element, to| {
        let Element::Field { field, value, expires_at_ms } = element else { return };
        // The distance from the first one, from 1 on; 0 is none.
        put_length(expires_at_ms.map_or(0, |at_ms| (at_ms - least).saturating_add(1)), to);
        put_text(field, to);
        put_text(value, to);
    })?;
    Ok(ValueType::HASH_TTL)
}

/// A number of elements, and these.
fn counted(
    count: u64,
    value: &Value<'_>,
    to: &mut Vec<u8>,
    mut put: impl FnMut(Element<'_>, &mut Vec<u8>),
) -> Result<(), Fault> {
    let mut found = 0_u64;
    put_length(count, to);
    value.for_each(|element| {
        found += 1;
        if to.len() <= ENCODED_BYTES_MAX {
            put(element, to);
        }
    })?;
    if to.len() > ENCODED_BYTES_MAX {
        let what =
            format!("to be encoded anew it would take more than {ENCODED_BYTES_MAX} bytes (a limit of this program)");
        return Err(Fault::Unsupported(what.into()));
    }
    if found != count {
        let what = format!("its header counts {count} elements, it has {found}");
        return Err(Fault::Unsupported(what.into()));
    }
    Ok(())
}

fn put_text(text: Text<'_>, to: &mut Vec<u8>) {
    match text {
        Text::Bytes(bytes) => put_string(bytes, to),
        Text::Int(value) => put_string(itoa::Buffer::new().format(value).as_bytes(), to),
    }
}

/// A score as text with its length (section 3.4).
#[allow(clippy::cast_possible_truncation, reason = "no number takes 253 digits in this form")]
fn put_text_score(score: f64, to: &mut Vec<u8>) {
    if score.is_nan() {
        to.push(253);
    } else if score.is_infinite() {
        to.push(if score > 0.0 { 254 } else { 255 });
    } else {
        let text = format!("{score:e}");
        to.push(text.len() as u8);
        to.extend_from_slice(text.as_bytes());
    }
}
