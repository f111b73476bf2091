//! Hashes in templates (Redis since 8.10): values without field names, which hashes of the same fields share.
//!
//! `MEMORY USAGE` adds a share of the template to each key: its bytes divided by the number of its keys, which is known
//! at a dump's end only and changes with every other key. What is counted here is what is the key's own
//! (`hashTypeAllocSize` of `t_hash.c`), a lower bound.

use super::{Cost, Encoding, Model};
use crate::rdb::source::Source;
use crate::rdb::value::{template_array, template_packed};
use crate::rdb::{Context, FormatElement, ParseError, ValueType};

/// `hashTemplateArray`, before its values.
const ARRAY_BYTES: u64 = 16;

/// A pointer to a value.
const POINTER_BYTES: u64 = 8;

/// Steps over a hash in a template; returns its number of fields, how it is held and what it takes besides its key.
///
/// # Errors
/// As [`crate::rdb::value::measure`].
pub(super) fn measure<S: Source>(
    source: &mut S,
    value_type: ValueType,
    context: &Context,
    model: &Model,
) -> Result<(u64, (Encoding, Cost)), ParseError> {
    if matches!(value_type, ValueType::HASH_TEMPLATE_LISTPACK | ValueType::HASH_TEMPLATE_LISTPACK_REF) {
        let (bytes, fields) = template_packed(source, value_type)?;
        return Ok((fields, (Encoding::TemplateListpack, model.requested(bytes))));
    }
    let fields = template_array(source, value_type, context)?;
    let mut cost = model.requested(ARRAY_BYTES.saturating_add(fields.saturating_mul(POINTER_BYTES)));
    for _ in 0..fields {
        let value_bytes = source.string_bytes(FormatElement::Element)?;
        cost = cost + model.target.noted(model.allocator, value_bytes);
    }
    Ok((fields, (Encoding::TemplateArray, cost)))
}
