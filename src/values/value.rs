//! A key's value where it is in the dump.

use std::sync::Arc;

use super::fault::Fault;
use super::text_map::TextMap;
use crate::rdb::element::Element;
use crate::rdb::elements;
use crate::rdb::limits::INFLATED_BYTES_MAX;
use crate::rdb::packed::{Text, listpack};
use crate::rdb::primitives::length;
use crate::rdb::source::{Slice, Source};
use crate::rdb::string::{text, with_blob};
use crate::rdb::{Context, Dialect, FormatElement, ParseError, ParseErrorKind, ValueType};

/// The field names of a hash template, in its order.
type FieldNames = Arc<[Box<[u8]>]>;

/// The first type number that Dragonfly uses for values of its own (format section 14).
const DRAGONFLY_TYPES_FROM: ValueType = ValueType(30);

/// A key's value where it is in the dump; nothing of it has been decoded.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_field_names, reason = "a value's type is called so everywhere")]
pub struct Value<'a> {
    stored: &'a [u8],
    offset: u64,
    value_type: ValueType,
    context: &'a Context,
    /// What its texts are handed on as.
    texts: Option<&'a TextMap>,
}

impl<'a> Value<'a> {
    /// The value that `stored` holds from its first byte to its last; `offset` is that of the first one in the dump.
    pub fn new(stored: &'a [u8], offset: u64, value_type: ValueType, context: &'a Context) -> Self {
        Self { stored, offset, value_type, context, texts: None }
    }

    /// The same value, whose texts are handed on as the map says.
    #[must_use]
    pub fn mapped<'m>(&'m self, texts: &'m TextMap) -> Value<'m> {
        Value { texts: Some(texts), ..*self }
    }

    pub(super) fn texts(&self) -> Option<&'a TextMap> {
        self.texts
    }

    /// Its bytes as they are in the dump, without the type.
    pub fn stored(&self) -> &'a [u8] {
        self.stored
    }

    /// How it is stored.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// What the start of the dump says.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    pub(super) fn source(&self) -> Slice<'a> {
        Slice::at(self.stored, self.offset)
    }

    /// Hands its elements to `visit`, in the dump's order, one at a time. A hash whose field names are in a template comes
    /// as fields, never as [`Element::TemplateValue`].
    ///
    /// # Errors
    /// The [`Fault`] met; what came before has been handed on.
    pub fn for_each(&self, mut visit: impl FnMut(Element<'_>)) -> Result<(), Fault> {
        match self.texts {
            None => self.decoded(visit),
            Some(texts) => self.decoded(|element| texts.element(element, &mut visit)),
        }
    }

    fn decoded(&self, mut visit: impl FnMut(Element<'_>)) -> Result<(), Fault> {
        match self.value_type {
            ValueType::CRON if self.context.dialect != Dialect::Dragonfly => {
                return Err("a scheduled script of KeyDB has no elements to decode".into());
            }
            ValueType::BITMAP => return Err("a bitmap stored in its compressed form is not decoded".into()),
            value_type if self.context.dialect == Dialect::Dragonfly && value_type >= DRAGONFLY_TYPES_FROM => {
                return Err("a value in an encoding of Dragonfly's own is not decoded".into());
            }
            _ => {}
        }
        let Some(names) = self.template_names()? else {
            return Ok(elements::for_each(&mut self.source(), self.value_type, self.context, visit)?);
        };
        let mut names = names.iter();
        let mut has_names = true;
        elements::for_each(&mut self.source(), self.value_type, self.context, |element| match element {
            Element::TemplateValue(value) => match names.next() {
                Some(name) => visit(Element::Field { field: Text::Bytes(name), value, expires_at_ms: None }),
                None => has_names = false,
            },
            other => visit(other),
        })?;
        if has_names && names.next().is_none() {
            return Ok(());
        }
        let offset = self.offset;
        let (kind, element) = (ParseErrorKind::BlobCount, FormatElement::HashTemplate);
        Err(ParseError { offset, kind, element, declared: 0 }.into())
    }

    /// The field names of a hash whose names are in a template, which is before its values or at the dump's start.
    fn template_names(&self) -> Result<Option<FieldNames>, Fault> {
        let mut source = self.source();
        let id = match self.value_type {
            _ if self.context.dialect != Dialect::Redis => return Ok(None),
            ValueType::HASH_TEMPLATE_LISTPACK | ValueType::HASH_TEMPLATE_ARRAY => {
                return Ok(Some(inline_names(&mut source)?.into()));
            }
            ValueType::HASH_TEMPLATE_ARRAY_REF => source.parse(FormatElement::HashTemplate, length)?,
            ValueType::HASH_TEMPLATE_LISTPACK_REF => {
                with_blob(&mut source, |blob| match listpack::entries(blob)?.next() {
                    Some(Ok(Text::Int(id))) => Ok(id.cast_unsigned()),
                    _ => Err(ParseErrorKind::BlobCount),
                })?
            }
            _ => return Ok(None),
        };
        match self.context.template_names.get(&id) {
            Some(names) => Ok(Some(names.clone())),
            None if self.context.template_fields.contains_key(&id) => {
                Err("its field names are in a hash template that is compressed or too large to be held".into())
            }
            None => {
                let (kind, element) = (ParseErrorKind::Template, FormatElement::HashTemplate);
                Err(ParseError { offset: self.offset, kind, element, declared: id }.into())
            }
        }
    }
}

/// The names that a self-contained template value begins with (format section 12.3).
fn inline_names(source: &mut Slice<'_>) -> Result<Vec<Box<[u8]>>, ParseError> {
    let offset = source.offset();
    let mut names = Names::default();
    match source.parse(FormatElement::HashTemplate, length)? {
        0 => with_blob(source, |blob| {
            for name in listpack::entries(blob)? {
                names.push(name?)?;
            }
            Ok(())
        })?,
        1 => {
            for _ in 0..source.parse(FormatElement::Count, length)? {
                let mut buffer = Vec::new();
                let name = text(source, &mut buffer)?;
                let element = FormatElement::HashTemplate;
                names.push(name).map_err(|kind| ParseError { offset, kind, element, declared: names.bytes })?;
            }
        }
        form => {
            let (kind, element) = (ParseErrorKind::Flag, FormatElement::HashTemplate);
            return Err(ParseError { offset, kind, element, declared: form });
        }
    }
    Ok(names.names)
}

#[derive(Default)]
struct Names {
    names: Vec<Box<[u8]>>,
    /// What they take in memory.
    bytes: u64,
}

impl Names {
    fn push(&mut self, name: Text<'_>) -> Result<(), ParseErrorKind> {
        self.bytes += size_of::<Box<[u8]>>() as u64 + name.value_bytes();
        if self.bytes > INFLATED_BYTES_MAX {
            return Err(ParseErrorKind::Limit);
        }
        self.names.push(match name {
            Text::Bytes(name) => name.into(),
            Text::Int(name) => name.to_string().into_bytes().into(),
        });
        Ok(())
    }
}
