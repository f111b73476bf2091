//! An element as a record: the same parts whatever the type.

use super::fault::Fault;
use super::stream::Id;
use super::value::Value;
use crate::rdb::Kind;
use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::packed::module::ModuleValue;

/// An element as a record. Of a stream's entry each field is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'e> {
    /// The place of the element among those of its key, from 0; of an array's element its index there.
    pub index: u64,
    /// The field, of hashes and streams; of a part of a module's value its kind.
    pub field: Option<Text<'e>>,
    /// The member, of sets and sorted sets.
    pub member: Option<Text<'e>>,
    /// The value, of all others.
    pub value: Option<Content<'e>>,
    /// The score, of sorted sets.
    pub score: Option<f64>,
    /// The ID of the entry, of streams.
    pub id: Option<Id>,
    /// When the field expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content<'e> {
    /// Bytes, or an integer that stands for its decimal text.
    Text(Text<'e>),
    /// An unsigned integer.
    Unsigned(u64),
    /// A number that is stored as one.
    Float(f64),
}

impl Value<'_> {
    /// Hands its elements to `visit` as records, in the dump's order. `kind` is what the key is.
    ///
    /// # Errors
    /// As [`Value::for_each`].
    pub fn records(&self, kind: Kind, mut visit: impl FnMut(&Record<'_>)) -> Result<(), Fault> {
        let mut next = 0_u64;
        self.for_each(|element| {
            let mut record = Record {
                index: next,
                field: None,
                member: None,
                value: None,
                score: None,
                id: None,
                expires_at_ms: None,
            };
            match element {
                Element::Value(text) if kind == Kind::Set => record.member = Some(text),
                Element::Value(text) | Element::TemplateValue(text) => record.value = Some(Content::Text(text)),
                Element::Field { field, value, expires_at_ms } => {
                    record.field = Some(field);
                    record.value = Some(Content::Text(value));
                    record.expires_at_ms = expires_at_ms;
                }
                Element::Member { member, score } => {
                    record.member = Some(member);
                    record.score = Some(score);
                }
                Element::StreamField { id, is_first, field, value } => {
                    // The fields of an entry have one place.
                    record.index = if is_first { next } else { next.saturating_sub(1) };
                    record.id = Some(id);
                    record.field = Some(field);
                    record.value = Some(Content::Text(value));
                }
                Element::Item { index, value } => {
                    record.index = index;
                    record.value = Some(Content::Text(value));
                }
                Element::FloatItem { index, value } => {
                    record.index = index;
                    record.value = Some(Content::Float(value));
                }
                Element::Module(part) => {
                    let (kind, content) = module_part(part);
                    record.field = Some(Text::Bytes(kind.as_bytes()));
                    record.value = Some(content);
                }
            }
            if !matches!(element, Element::StreamField { is_first: false, .. }) {
                next += 1;
            }
            visit(&record);
        })
    }
}

/// The kind of a part of a module's value, and what it holds.
fn module_part(part: ModuleValue<'_>) -> (&'static str, Content<'_>) {
    match part {
        ModuleValue::Signed(value) => ("signed", Content::Text(Text::Int(value))),
        ModuleValue::Unsigned(value) => ("unsigned", Content::Unsigned(value)),
        ModuleValue::Float(value) => ("float", Content::Float(value.into())),
        ModuleValue::Double(value) => ("double", Content::Float(value)),
        ModuleValue::String(text) => ("string", Content::Text(text)),
    }
}
