//! One element of a value, as decoding hands it on.

use super::packed::Text;
use super::packed::module::ModuleValue;

/// One element of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element<'e> {
    /// A string's content, a list's element or a set's member.
    Value(Text<'e>),
    /// A hash's field.
    Field {
        /// Its name.
        field: Text<'e>,
        /// Its value.
        value: Text<'e>,
        /// When it expires, in milliseconds since 1970.
        expires_at_ms: Option<u64>,
    },
    /// A value of a hash whose field names are in a template of the dump; they come in the template's order.
    TemplateValue(Text<'e>),
    /// A sorted set's member.
    Member {
        /// Its name.
        member: Text<'e>,
        /// Its score.
        score: f64,
    },
    /// A field of a stream's live entry.
    StreamField {
        /// The entry's ID: milliseconds and sequence number.
        id: (u64, u64),
        /// Whether this is the entry's first field.
        is_first: bool,
        /// Its name.
        field: Text<'e>,
        /// Its value.
        value: Text<'e>,
    },
    /// An array's element.
    Item {
        /// Its place in the array.
        index: u64,
        /// Its value.
        value: Text<'e>,
    },
    /// An array's element that is stored as a floating-point number.
    FloatItem {
        /// Its place in the array.
        index: u64,
        /// Its value.
        value: f64,
    },
    /// A part of a module's value.
    Module(ModuleValue<'e>),
}
