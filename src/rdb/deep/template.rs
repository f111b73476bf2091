//! Hashes that have their field names in a template (format section 12.3), and the templates' own rules.

use super::packed::{self, Flaw};
use super::{Deep, empty};
use crate::rdb::packed::{Text, listpack};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::length;
use crate::rdb::source::KeepsKey;

/// Whether a template's field names rise, shorter ones first, as servers demand of them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    last: Option<Vec<u8>>,
    is_out_of_order: bool,
}

impl Names {
    /// Takes in the next name.
    pub(crate) fn add(&mut self, name: Text<'_>) {
        let mut buffer = itoa::Buffer::new();
        let name = match name {
            Text::Bytes(bytes) => bytes,
            Text::Int(value) => buffer.format(value).as_bytes(),
        };
        self.is_out_of_order |=
            self.last.as_ref().is_some_and(|last| (last.len(), last.as_slice()) >= (name.len(), name));
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(name);
    }

    pub(crate) fn are_in_order(&self) -> bool {
        !self.is_out_of_order
    }
}

impl Deep {
    /// The field names that a self-contained template value begins with; returns how many.
    pub(super) fn template_fields<S: KeepsKey>(&mut self, source: &mut S) -> Result<u64, ParseError> {
        let offset = source.offset();
        let element = FormatElement::HashTemplate;
        let mut names = Names::default();
        let fields = match source.parse(element, length)? {
            0 => {
                // Without the names nothing says how many values follow.
                let lost = ParseError { offset, kind: ParseErrorKind::Flag, element, declared: 0 };
                let looked = self.with_text(source, FormatElement::Blob, |_, text| match text {
                    Some(Text::Bytes(blob)) => packed::listpack(blob, |name| names.add(name)).ok(),
                    _ => None,
                })?;
                looked.ok_or(lost)?
            }
            1 => {
                let fields = source.parse(FormatElement::Count, length)?;
                for _ in 0..fields {
                    self.with_text(source, FormatElement::Element, |_, text| text.map(|name| names.add(name)))?;
                }
                fields
            }
            declared => return Err(ParseError { offset, kind: ParseErrorKind::Flag, element, declared }),
        };
        self.demand(fields > 0, empty(offset, element));
        let unordered = ParseError { offset, kind: ParseErrorKind::Order, element, declared: 0 };
        self.demand(names.are_in_order(), unordered);
        Ok(fields)
    }

    /// A listpack that begins with a template's id, followed by as many values as `fields` says of that id.
    pub(super) fn template_listpack<S: KeepsKey>(
        &mut self,
        source: &mut S,
        fields: impl Fn(u64) -> Result<u64, Flaw>,
    ) -> Result<(), ParseError> {
        let offset = source.offset();
        self.with_text(source, FormatElement::Blob, |deep, text| {
            let looked = match text {
                Some(Text::Bytes(blob)) => values(blob, fields),
                Some(Text::Int(_)) => Err(ParseErrorKind::BlobForm.into()),
                // Too long to be looked at, or damaged, which has been said.
                None => Ok(()),
            };
            if let Err(Flaw { kind, declared }) = looked {
                deep.demand(false, ParseError { offset, kind, element: FormatElement::Blob, declared });
            }
        })
    }
}

fn values(blob: &[u8], fields: impl Fn(u64) -> Result<u64, Flaw>) -> Result<(), Flaw> {
    let entries = packed::listpack(blob, |_| {})?;
    let first = listpack::entries(blob)?.next().transpose()?;
    let Some(Text::Int(id)) = first else { return Err(ParseErrorKind::BlobEntry.into()) };
    let fields = fields(id.cast_unsigned())?;
    if entries == fields.saturating_add(1) {
        Ok(())
    } else {
        Err(Flaw { kind: ParseErrorKind::BlobCount, declared: entries })
    }
}
