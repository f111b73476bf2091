//! Decoding a value into its elements: the slow, full counterpart of [`super::value`], and what it is tested against.
//!
//! A value's elements are handed one by one to a closure. Stored bytes are lent as they lie; compressed ones are
//! inflated into a buffer that lives for one element or one packed value, and that is bounded.

use super::context::Context;
use super::element::Element;
use super::packed::module;
use super::packed::{Text, intset, listpack, stream, ziplist, zipmap};
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{array, byte, i64_le, length, u64_le};
use super::run::{CONTAINER_PACKED, CONTAINER_PLAIN};
use super::source::{KeepsKey, Slice, Source};
use super::string::{text, with_blob, with_text};
use super::types::{Dialect, ValueType};
use super::value::{ARRAY_FLOAT, ARRAY_INT, ARRAY_SMALL_TEXT, ARRAY_TEXT, array_count, unknown_array_tag};

/// Decodes a value of `value_type` at the start of `source` and hands its elements to `visit`, in the dump's order.
///
/// The source ends where [`super::value::measure`] would have ended it.
///
/// # Errors
/// As `measure`, and for damage inside packed values, which `measure` does not look at. [`ParseErrorKind::Limit`] for a compressed
/// string that declares more than [`super::limits::INFLATED_BYTES_MAX`].
pub fn for_each(
    source: &mut Slice<'_>,
    value_type: ValueType,
    context: &Context,
    mut visit: impl FnMut(Element<'_>),
) -> Result<(), ParseError> {
    let visit = &mut visit;
    match value_type {
        ValueType::STRING => with_text(source, |text| visit(Element::Value(text))),
        ValueType::LIST | ValueType::SET => {
            for _ in 0..source.parse(FormatElement::Count, length)? {
                with_text(source, |text| visit(Element::Value(text)))?;
            }
            Ok(())
        }
        ValueType::HASH => {
            for _ in 0..source.parse(FormatElement::Count, length)? {
                field(source, None, visit)?;
            }
            Ok(())
        }
        ValueType::ZSET | ValueType::ZSET_2 => zset(source, value_type, visit),
        ValueType::MODULE_2 => {
            source.parse(FormatElement::Module, length)?;
            module::for_each(source, |value| visit(Element::Module(value)))
        }
        ValueType::HASH_ZIPMAP => with_blob(source, |blob| {
            for pair in zipmap::entries(blob)? {
                let (field, value) = pair?;
                let (field, value) = (Text::Bytes(field), Text::Bytes(value));
                visit(Element::Field { field, value, expires_at_ms: None });
            }
            Ok(())
        }),
        ValueType::LIST_ZIPLIST => with_blob(source, |blob| values(ziplist::entries(blob)?, visit)),
        ValueType::SET_INTSET => with_blob(source, |blob| values(intset::entries(blob)?.map(Ok), visit)),
        ValueType::ZSET_ZIPLIST => with_blob(source, |blob| members(ziplist::entries(blob)?, visit)),
        ValueType::HASH_ZIPLIST => with_blob(source, |blob| fields(ziplist::entries(blob)?, visit)),
        ValueType::LIST_QUICKLIST => {
            for _ in 0..source.parse(FormatElement::Count, length)? {
                with_blob(source, |blob| values(ziplist::entries(blob)?, visit))?;
            }
            Ok(())
        }
        ValueType::HASH_LISTPACK => with_blob(source, |blob| fields(listpack::entries(blob)?, visit)),
        ValueType::ZSET_LISTPACK => with_blob(source, |blob| members(listpack::entries(blob)?, visit)),
        ValueType::SET_LISTPACK => with_blob(source, |blob| values(listpack::entries(blob)?, visit)),
        ValueType::LIST_QUICKLIST_2 => quicklist(source, visit),
        ValueType::STREAM | ValueType::STREAM_2 | ValueType::STREAM_3 | ValueType::STREAM_4 | ValueType::STREAM_5 => {
            stream::for_each(source, value_type, visit)
        }
        ValueType::HASH_2 if context.dialect == Dialect::Valkey => hash_2(source, visit),
        _ if context.dialect != Dialect::Redis => Err(unknown(source, value_type)),
        ValueType::HASH_TTL_PRE_GA => hash_with_ttls(source, None, visit),
        ValueType::HASH_LISTPACK_TTL_PRE_GA => with_blob(source, |blob| triples(listpack::entries(blob)?, visit)),
        ValueType::HASH_TTL => {
            let least = source.parse(FormatElement::FieldTtl, u64_le)?;
            hash_with_ttls(source, Some(least), visit)
        }
        ValueType::HASH_LISTPACK_TTL => {
            source.parse(FormatElement::FieldTtl, u64_le)?;
            with_blob(source, |blob| triples(listpack::entries(blob)?, visit))
        }
        ValueType::ARRAY => redis_array(source, visit),
        ValueType::HASH_TEMPLATE_LISTPACK => {
            template_fields(source)?;
            template_listpack(source, visit)
        }
        ValueType::HASH_TEMPLATE_LISTPACK_REF => template_listpack(source, visit),
        ValueType::HASH_TEMPLATE_ARRAY => {
            let fields = template_fields(source)?;
            template_values(source, fields, visit)
        }
        ValueType::HASH_TEMPLATE_ARRAY_REF => {
            let offset = source.offset();
            let id = source.parse(FormatElement::HashTemplate, length)?;
            let missing = |kind| ParseError { offset, kind, element: FormatElement::HashTemplate, declared: id };
            template_values(source, context.template(id).map_err(missing)?, visit)
        }
        ValueType::BITMAP if context.version >= 16 => {
            source.parse(FormatElement::Count, length)?;
            with_text(source, |text| visit(Element::Value(text)))
        }
        _ => Err(unknown(source, value_type)),
    }
}

fn unknown(source: &Slice<'_>, value_type: ValueType) -> ParseError {
    let kind =
        if value_type == ValueType::MODULE_PRE_GA { ParseErrorKind::ModulePreGa } else { ParseErrorKind::UnknownType };
    source.error(FormatElement::Opcode, kind, value_type.0.into())
}

type Visit<'v> = dyn FnMut(Element<'_>) + 'v;

/// Two strings, a hash's field.
fn field(source: &mut Slice<'_>, expires_at_ms: Option<u64>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    let (mut field_buffer, mut value_buffer) = (Vec::new(), Vec::new());
    let field = text(source, &mut field_buffer)?;
    let value = text(source, &mut value_buffer)?;
    visit(Element::Field { field, value, expires_at_ms });
    Ok(())
}

fn zset(source: &mut Slice<'_>, value_type: ValueType, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let mut buffer = Vec::new();
        let member = text(source, &mut buffer)?;
        let score = if value_type == ValueType::ZSET {
            text_score(source)?
        } else {
            f64::from_le_bytes(source.parse(FormatElement::Score, array)?)
        };
        visit(Element::Member { member, score });
    }
    Ok(())
}

fn text_score(source: &mut Slice<'_>) -> Result<f64, ParseError> {
    let offset = source.offset();
    match source.parse(FormatElement::Score, byte)? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        bytes => {
            source.keep(FormatElement::Score, bytes.into())?;
            score(Text::Bytes(source.kept())).map_err(|kind| ParseError {
                offset,
                kind,
                element: FormatElement::Score,
                declared: bytes.into(),
            })
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a score is a double to the server too")]
fn score(text: Text<'_>) -> Result<f64, ParseErrorKind> {
    match text {
        Text::Int(value) => Ok(value as f64),
        Text::Bytes(text) => number(text).ok_or(ParseErrorKind::Score),
    }
}

/// The number that a text begins with, as the C library's `strtod` reads it for servers: whatever follows is left alone.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii_start();
    let is_sign = |at: usize| matches!(text.get(at), Some(b'+' | b'-'));
    let digits = |from: usize| text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(is_sign(0));
    let whole = digits(sign);
    let mut end = sign + whole;
    let fraction = if text.get(end) == Some(&b'.') { digits(end + 1) } else { 0 };
    if whole + fraction > 0 {
        if text.get(end) == Some(&b'.') {
            end += 1 + fraction;
        }
        if matches!(text.get(end), Some(b'e' | b'E')) {
            let from = end + 1 + usize::from(is_sign(end + 1));
            if digits(from) > 0 {
                end = from + digits(from);
            }
        }
    } else {
        const INFINITY: &[u8] = b"infinity";
        let letters = text.get(sign..sign + INFINITY.len()).unwrap_or_default();
        // Else `inf` or `nan`, or no number.
        end = sign + if letters.eq_ignore_ascii_case(INFINITY) { INFINITY.len() } else { 3 };
    }
    std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()
}

fn quicklist(source: &mut Slice<'_>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let offset = source.offset();
        match source.parse(FormatElement::Element, length)? {
            CONTAINER_PLAIN => with_text(source, |text| visit(Element::Value(text)))?,
            CONTAINER_PACKED => with_blob(source, |blob| values(listpack::entries(blob)?, visit))?,
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
    Ok(())
}

fn hash_2(source: &mut Slice<'_>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let (mut field_buffer, mut value_buffer) = (Vec::new(), Vec::new());
        let field = text(source, &mut field_buffer)?;
        let value = text(source, &mut value_buffer)?;
        let expires_at_ms = u64::try_from(source.parse(FormatElement::FieldTtl, i64_le)?).ok();
        visit(Element::Field { field, value, expires_at_ms });
    }
    Ok(())
}

/// A TTL before each pair: 0 for none, else absolute, or one more than the distance from the `least` of the hash.
fn hash_with_ttls(source: &mut Slice<'_>, least: Option<u64>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..source.parse(FormatElement::Count, length)? {
        let expires_at_ms = match (source.parse(FormatElement::FieldTtl, length)?, least) {
            (0, _) => None,
            (at_ms, None) => Some(at_ms),
            (distance, Some(least)) => Some(least.wrapping_add(distance - 1)),
        };
        field(source, expires_at_ms, visit)?;
    }
    Ok(())
}

fn redis_array(source: &mut Slice<'_>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..array_count(source)? {
        let index = source.parse(FormatElement::Element, length)?;
        let offset = source.offset();
        match source.parse(FormatElement::Element, length)? {
            ARRAY_TEXT | ARRAY_SMALL_TEXT => {
                with_text(source, |value| visit(Element::Item { index, value }))?;
            }
            ARRAY_INT => {
                let value = Text::Int(source.parse(FormatElement::Element, i64_le)?);
                visit(Element::Item { index, value });
            }
            ARRAY_FLOAT => {
                let value = f64::from_le_bytes(source.parse(FormatElement::Element, array)?);
                visit(Element::FloatItem { index, value });
            }
            tag => return Err(unknown_array_tag(offset, tag)),
        }
    }
    Ok(())
}

fn template_fields(source: &mut Slice<'_>) -> Result<u64, ParseError> {
    let offset = source.offset();
    match source.parse(FormatElement::HashTemplate, length)? {
        0 => with_blob(source, |blob| {
            let (_, (_, stated)) = listpack::header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
            let fields = listpack::entries(blob)?.try_fold(0, |fields, name| name.map(|_| fields + 1))?;
            // As many values follow as there are names: where the header disagrees, nobody knows where the value ends.
            if stated.is_some_and(|stated| u64::from(stated) != fields) {
                Err(ParseErrorKind::BlobEntries)
            } else {
                Ok(fields)
            }
        }),
        1 => {
            let fields = source.parse(FormatElement::Count, length)?;
            for _ in 0..fields {
                source.string(FormatElement::Element)?;
            }
            Ok(fields)
        }
        form => {
            Err(ParseError { offset, kind: ParseErrorKind::Flag, element: FormatElement::HashTemplate, declared: form })
        }
    }
}

fn template_listpack(source: &mut Slice<'_>, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    with_blob(source, |blob| {
        let mut entries = listpack::entries(blob)?;
        entries.next().ok_or(ParseErrorKind::BlobCount)??;
        for value in entries {
            visit(Element::TemplateValue(value?));
        }
        Ok(())
    })
}

fn template_values(source: &mut Slice<'_>, fields: u64, visit: &mut Visit<'_>) -> Result<(), ParseError> {
    for _ in 0..fields {
        with_text(source, |value| visit(Element::TemplateValue(value)))?;
    }
    Ok(())
}

fn values<'e>(
    entries: impl Iterator<Item = Result<Text<'e>, ParseErrorKind>>,
    visit: &mut Visit<'_>,
) -> Result<(), ParseErrorKind> {
    for value in entries {
        visit(Element::Value(value?));
    }
    Ok(())
}

fn members<'e>(
    mut entries: impl Iterator<Item = Result<Text<'e>, ParseErrorKind>>,
    visit: &mut Visit<'_>,
) -> Result<(), ParseErrorKind> {
    while let Some(member) = entries.next() {
        let member = member?;
        let score = score(entries.next().ok_or(ParseErrorKind::BlobCount)??)?;
        visit(Element::Member { member, score });
    }
    Ok(())
}

fn fields<'e>(
    mut entries: impl Iterator<Item = Result<Text<'e>, ParseErrorKind>>,
    visit: &mut Visit<'_>,
) -> Result<(), ParseErrorKind> {
    while let Some(field) = entries.next() {
        let field = field?;
        let value = entries.next().ok_or(ParseErrorKind::BlobCount)??;
        visit(Element::Field { field, value, expires_at_ms: None });
    }
    Ok(())
}

/// Field, value and absolute expiry in milliseconds, 0 for none.
fn triples<'e>(
    mut entries: impl Iterator<Item = Result<Text<'e>, ParseErrorKind>>,
    visit: &mut Visit<'_>,
) -> Result<(), ParseErrorKind> {
    while let Some(field) = entries.next() {
        let field = field?;
        let value = entries.next().ok_or(ParseErrorKind::BlobCount)??;
        let expires_at_ms = match entries.next().ok_or(ParseErrorKind::BlobCount)?? {
            Text::Int(0) => None,
            Text::Int(at_ms) => Some(u64::try_from(at_ms).map_err(|_| ParseErrorKind::BlobEntry)?),
            Text::Bytes(_) => return Err(ParseErrorKind::BlobEntry),
        };
        visit(Element::Field { field, value, expires_at_ms });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_what_its_text_begins_with() {
        for (text, score) in [
            ("1.5", 1.5),
            (" -2", -2.0),
            ("+.5x", 0.5),
            ("17 and more", 17.0),
            ("3.", 3.0),
            ("1e3", 1000.0),
            ("1e+", 1.0),
            ("2e-1.5", 0.2),
            ("INF", f64::INFINITY),
            ("-infinityx", f64::NEG_INFINITY),
            ("1.310+\0\0", 1.31),
        ] {
            assert_eq!(number(text.as_bytes()), Some(score), "{text}");
        }
        assert!(number(b"nan").is_some_and(f64::is_nan));
        for text in ["", "-", ".", "x1", "in", "e5"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
