//! What a value is and how large: the answer of every walk over it.

use super::packed::module::ModuleId;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::source::Source;
use super::types::{Kind, ValueType};

/// What a value is and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// What the key is to a client.
    pub kind: Kind,
    /// STRLEN of a string, the number of elements of a collection, the stored bytes of a module's value.
    pub size: u64,
    /// The module type, for values of modules and vector sets.
    pub module: Option<ModuleId>,
}

impl Measure {
    /// Whether this is a collection without elements: servers keep no such key, and leave it out when they load a dump.
    /// A stream may be empty, and so may a vector set.
    #[inline(always)]
    pub(crate) fn is_empty_collection(&self) -> bool {
        self.size == 0 && matches!(self.kind, Kind::List | Kind::Set | Kind::Hash | Kind::Zset | Kind::Array)
    }
}

/// The error for a type that cannot be stepped over.
#[cold]
pub(crate) fn unknown<S: Source>(source: &S, value_type: ValueType) -> ParseError {
    let kind =
        if value_type == ValueType::MODULE_PRE_GA { ParseErrorKind::ModulePreGa } else { ParseErrorKind::UnknownType };
    source.error(FormatElement::Opcode, kind, value_type.0.into())
}
