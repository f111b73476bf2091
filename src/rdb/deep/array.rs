//! An array of Redis 8.8 looked at to its last element (format section 12.2).

use super::{Deep, ERROR_LENGTH, empty};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{array, length, string_header};
use crate::rdb::source::KeepsKey;
use crate::rdb::value::{ARRAY_FLOAT, ARRAY_INT, ARRAY_SMALL_TEXT, ARRAY_TEXT, unknown_array_tag};

/// The longest text that an array keeps in a pointer's place.
const SMALL_TEXT_BYTES_MAX: u64 = 7;

impl Deep {
    pub(super) fn array<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let offset = source.offset();
        let elements = self.array_count(source)?;
        self.demand(elements > 0, empty(offset, FormatElement::Count));
        let mut last = None;
        for _ in 0..elements {
            let offset = source.offset();
            let index = source.parse(FormatElement::Element, length)?;
            let error =
                ParseError { offset, kind: ParseErrorKind::Order, element: FormatElement::Element, declared: index };
            self.demand(last.is_none_or(|last| last < index), error);
            self.demand(index != ERROR_LENGTH, ParseError { kind: ParseErrorKind::Index, ..error });
            last = Some(index);
            let offset = source.offset();
            match source.parse(FormatElement::Element, length)? {
                ARRAY_TEXT => self.string(source, FormatElement::Element)?,
                ARRAY_SMALL_TEXT => {
                    let (offset, element) = (source.offset(), FormatElement::Element);
                    let header = source.parse(element, string_header)?;
                    self.pass(source, element, offset, header)?;
                    let (kind, declared) = (ParseErrorKind::SmallText, header.value_bytes());
                    self.demand(declared <= SMALL_TEXT_BYTES_MAX, ParseError { offset, kind, element, declared });
                }
                ARRAY_INT | ARRAY_FLOAT => _ = source.parse(FormatElement::Element, array::<8>)?,
                tag => return Err(unknown_array_tag(offset, tag)),
            }
        }
        Ok(())
    }

    /// The number of elements, and the index of the next one to be added, if the array has one.
    fn array_count<S: KeepsKey>(&mut self, source: &mut S) -> Result<u64, ParseError> {
        let element = FormatElement::Count;
        let elements = source.parse(element, length)?;
        let offset = source.offset();
        match source.parse(element, length)? {
            0 => {}
            1 => {
                let offset = source.offset();
                let declared = source.parse(element, length)?;
                let error = ParseError { offset, kind: ParseErrorKind::Index, element, declared };
                self.demand(declared != ERROR_LENGTH, error);
            }
            declared => return Err(ParseError { offset, kind: ParseErrorKind::Flag, element, declared }),
        }
        Ok(elements)
    }
}
