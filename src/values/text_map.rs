//! What texts of values are written as, instead of what they are.

use std::fmt;
use std::sync::Arc;

use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::packed::module::ModuleValue;

type StandIn = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// What a text is written as.
#[derive(Clone)]
pub struct TextMap(Arc<StandIn>);

impl fmt::Debug for TextMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextMap").finish_non_exhaustive()
    }
}

impl TextMap {
    /// A map of texts.
    pub fn new(map: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Arc::new(map))
    }

    /// The stand-in of a text; of an integer that of its decimal digits.
    pub(super) fn of(&self, text: Text<'_>) -> Vec<u8> {
        match text {
            Text::Bytes(text) => (self.0)(text),
            Text::Int(number) => (self.0)(itoa::Buffer::new().format(number).as_bytes()),
        }
    }

    /// Hands on an element with stand-ins for its texts. Numbers that are stored as such may be telling too: they are 0.
    pub(super) fn element(&self, element: Element<'_>, visit: &mut impl FnMut(Element<'_>)) {
        let of = |text| self.of(text);
        match element {
            Element::Value(text) => visit(Element::Value(Text::Bytes(&of(text)))),
            Element::TemplateValue(text) => visit(Element::TemplateValue(Text::Bytes(&of(text)))),
            Element::Field { field, value, expires_at_ms } => {
                let (field, value) = (of(field), of(value));
                visit(Element::Field { field: Text::Bytes(&field), value: Text::Bytes(&value), expires_at_ms });
            }
            Element::Member { member, score: _ } => {
                visit(Element::Member { member: Text::Bytes(&of(member)), score: 0.0 });
            }
            Element::StreamField { id, is_first, field, value } => {
                let (field, value) = (of(field), of(value));
                let (field, value) = (Text::Bytes(&field), Text::Bytes(&value));
                visit(Element::StreamField { id, is_first, field, value });
            }
            Element::Item { index, value } => visit(Element::Item { index, value: Text::Bytes(&of(value)) }),
            Element::FloatItem { index, value: _ } => visit(Element::FloatItem { index, value: 0.0 }),
            Element::Module(part) => visit(Element::Module(match part {
                ModuleValue::Signed(_) => ModuleValue::Signed(0),
                ModuleValue::Unsigned(_) => ModuleValue::Unsigned(0),
                ModuleValue::Float(_) => ModuleValue::Float(0.0),
                ModuleValue::Double(_) => ModuleValue::Double(0.0),
                ModuleValue::String(text) => {
                    return visit(Element::Module(ModuleValue::String(Text::Bytes(&of(text)))));
                }
            })),
        }
    }
}
