//! What a client put into a vector set: names, attributes and vectors. How they are linked is the server's own affair.

use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::packed::module::ModuleValue;
use crate::values::{Fault, Value};

const FLAG_PROJECTION: u64 = 1;
const FLAG_ATTRIBUTES: u64 = 2;

/// What a vector set begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) dimension: u64,
    pub(super) count: u64,
    flags: u64,
}

/// A vector.
pub(super) struct Vector<'v> {
    pub(super) name: &'v [u8],
    /// Empty if it has none.
    pub(super) attributes: &'v [u8],
    pub(super) bytes: Text<'v>,
}

/// What the next of a vector set's values is (`VectorSetRdbSave` of vset.c).
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Dimension,
    Count,
    Storage,
    Flags,
    ProjectionInput,
    ProjectionMatrix,
    Name,
    Attributes,
    Vector,
    Numbers,
    Links(u64),
}

/// Hands each vector to `visit`, in the dump's order.
///
/// # Errors
/// The [`Fault`] met, also if the values are not those of a vector set.
pub(super) fn for_each(value: &Value<'_>, mut visit: impl FnMut(Vector<'_>)) -> Result<Head, Fault> {
    let mut head = Head::default();
    let mut part = Some(Part::Dimension);
    let (mut name, mut attributes) = (Vec::new(), Vec::new());
    value.for_each(|element| {
        let (Element::Module(found), Some(due)) = (element, part) else { return };
        part = match (due, found) {
            (Part::Dimension, ModuleValue::Unsigned(dimension)) => {
                head.dimension = dimension;
                Some(Part::Count)
            }
            (Part::Count, ModuleValue::Unsigned(count)) => {
                head.count = count;
                Some(Part::Storage)
            }
            (Part::Storage, ModuleValue::Unsigned(_)) => Some(Part::Flags),
            (Part::Flags, ModuleValue::Unsigned(flags)) => {
                head.flags = flags;
                Some(if flags & FLAG_PROJECTION == 0 { Part::Name } else { Part::ProjectionInput })
            }
            (Part::ProjectionInput, ModuleValue::Unsigned(_)) => Some(Part::ProjectionMatrix),
            (Part::Name, ModuleValue::String(text)) => {
                copy(text, &mut name);
                attributes.clear();
                Some(if head.flags & FLAG_ATTRIBUTES == 0 { Part::Vector } else { Part::Attributes })
            }
            (Part::Attributes, ModuleValue::String(text)) => {
                copy(text, &mut attributes);
                Some(Part::Vector)
            }
            (Part::Vector, ModuleValue::String(bytes)) => {
                visit(Vector { name: &name, attributes: &attributes, bytes });
                Some(Part::Numbers)
            }
            (Part::ProjectionMatrix, ModuleValue::String(_)) | (Part::Numbers, ModuleValue::Unsigned(0)) => {
                Some(Part::Name)
            }
            (Part::Numbers, ModuleValue::Unsigned(numbers)) => Some(Part::Links(numbers)),
            (Part::Links(left), ModuleValue::Unsigned(_)) => {
                Some(if left > 1 { Part::Links(left - 1) } else { Part::Name })
            }
            _ => None,
        };
    })?;
    if part == Some(Part::Name) { Ok(head) } else { Err("its parts are not those of a vector set".into()) }
}

fn copy(text: Text<'_>, to: &mut Vec<u8>) {
    to.clear();
    match text {
        Text::Bytes(bytes) => to.extend_from_slice(bytes),
        Text::Int(value) => to.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}
