//! A key in a few bytes: what its decoded value, its type and its expiry come to, whatever the encoding and the order.
//!
//! The numbers are keyed anew in each run, so that no dump can be made whose keys are taken for one another.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

use super::vector_set;
use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::packed::module::ModuleValue;
use crate::rdb::{Entry, Kind};
use crate::values::stream::{self, StreamPart};
use crate::values::{Fault, Value};

/// How names and values are made numbers of.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprints(RandomState);

impl Fingerprints {
    fn hasher(&self, of: u8) -> DefaultHasher {
        let mut hasher = self.0.build_hasher();
        hasher.write_u8(of);
        hasher
    }

    /// A name.
    pub(super) fn name(&self, name: &[u8]) -> u128 {
        let half = |of| {
            let mut hasher = self.hasher(of);
            hasher.write(name);
            hasher.finish()
        };
        u128::from(half(0)) << 64 | u128::from(half(1))
    }

    /// A value and its type; whether it could not be decoded, so that it stands for the bytes that are stored.
    pub(super) fn value(&self, entry: &Entry<'_>, value: &Value<'_>) -> (u64, bool) {
        self.decoded(entry.kind, value).map_or_else(|_| (self.stored(value), true), |hash| (hash, false))
    }

    fn stored(&self, value: &Value<'_>) -> u64 {
        let mut hasher = self.hasher(2);
        hasher.write_u8(value.value_type().0);
        hasher.write(value.stored());
        hasher.finish()
    }

    fn decoded(&self, kind: Kind, value: &Value<'_>) -> Result<u64, Fault> {
        // Elements that have an order go into one number, those that have none are added up.
        let mut ordered = self.hasher(3);
        let mut sum = 0_u64;
        ordered.write_u8(kind as u8);
        if kind == Kind::VectorSet {
            let head = vector_set::for_each(value, |vector| {
                let mut one = self.hasher(4);
                for text in [Text::Bytes(vector.name), Text::Bytes(vector.attributes), vector.bytes] {
                    write(text, &mut one);
                }
                sum = sum.wrapping_add(one.finish());
            })?;
            ordered.write_u64(head.dimension);
            ordered.write_u64(sum);
            return Ok(ordered.finish());
        }
        value.for_each(|element| {
            let mut one = self.hasher(4);
            match element {
                Element::Value(text) if kind == Kind::Set => write(text, &mut one),
                Element::Field { field, value, expires_at_ms } => {
                    write(field, &mut one);
                    write(value, &mut one);
                    one.write_u64(expires_at_ms.unwrap_or(0));
                }
                Element::Member { member, score } => {
                    write(member, &mut one);
                    // Packed sorted sets keep no negative zero.
                    one.write_u64((score + 0.0).to_bits());
                }
                Element::Value(text) | Element::TemplateValue(text) => return write(text, &mut ordered),
                Element::StreamField { id, is_first, field, value } => {
                    if is_first {
                        write_id(id, &mut ordered);
                    }
                    write(field, &mut ordered);
                    return write(value, &mut ordered);
                }
                Element::Item { index, value } => {
                    ordered.write_u64(index);
                    return write(value, &mut ordered);
                }
                Element::FloatItem { index, value } => {
                    ordered.write_u64(index);
                    return ordered.write_u64(value.to_bits());
                }
                Element::Module(part) => return module_part(part, &mut ordered),
            }
            sum = sum.wrapping_add(one.finish());
        })?;
        if kind == Kind::Stream {
            stream::for_each(value, |part| match part {
                StreamPart::Totals { last_id, .. } => write_id(last_id, &mut ordered),
                StreamPart::Group { name, last_id, .. } => {
                    write(name, &mut ordered);
                    write_id(last_id, &mut ordered);
                }
                StreamPart::Consumer { .. } | StreamPart::Pending { .. } | StreamPart::Producers(_) => {}
            })?;
        }
        ordered.write_u64(sum);
        Ok(ordered.finish())
    }

    /// All that makes a key of this name what it is.
    pub(super) fn state(&self, name: u128, value: u64, expires_at_ms: Option<i64>) -> u64 {
        let mut hasher = self.hasher(5);
        hasher.write_u128(name);
        hasher.write_u64(value);
        hasher.write_u8(u8::from(expires_at_ms.is_some()));
        hasher.write_i64(expires_at_ms.unwrap_or(0));
        hasher.finish()
    }
}

/// A text with its length, so that two texts are not taken for others that are as long together.
fn write(text: Text<'_>, hasher: &mut DefaultHasher) {
    let mut buffer = itoa::Buffer::new();
    let bytes = match text {
        Text::Bytes(bytes) => bytes,
        // An integer and its decimal text are one.
        Text::Int(value) => buffer.format(value).as_bytes(),
    };
    hasher.write_usize(bytes.len());
    hasher.write(bytes);
}

fn write_id((ms, sequence): stream::Id, hasher: &mut DefaultHasher) {
    hasher.write_u64(ms);
    hasher.write_u64(sequence);
}

fn module_part(part: ModuleValue<'_>, hasher: &mut DefaultHasher) {
    match part {
        ModuleValue::Signed(value) => hasher.write_i64(value),
        ModuleValue::Unsigned(value) => hasher.write_u64(value),
        ModuleValue::Float(value) => hasher.write_u32(value.to_bits()),
        ModuleValue::Double(value) => hasher.write_u64(value.to_bits()),
        ModuleValue::String(text) => write(text, hasher),
    }
}
