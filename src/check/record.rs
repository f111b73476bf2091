//! Records of a dump as the walk over it hands them to a sink.

use std::ops::Range;

use crate::rdb::{Context, ModuleId, ParseError, ParseErrorKind, ValueType};

/// Where records go.
pub(crate) trait Sink {
    /// A record that was read to its end.
    ///
    /// # Errors
    /// Why the walk cannot go on.
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind>;
}

/// A record of a dump, with all that was found wrong within it.
#[derive(Debug)]
pub(crate) struct Record<'r> {
    /// Where it lies, its opcode or type and what precedes that included.
    pub(crate) span: Range<u64>,
    pub(crate) what: What<'r>,
    pub(crate) flaws: &'r [ParseError],
}

/// What a record is.
#[derive(Debug)]
pub(crate) enum What<'r> {
    /// An auxiliary field; long values are cut.
    Aux {
        name: &'r str,
        value: &'r str,
    },
    SelectDb(u64),
    /// How many keys the database has.
    ResizeDb {
        keys: u64,
    },
    Function,
    ModuleAux(ModuleId),
    HashTemplate,
    /// A slot's key counts, or a slot migration.
    Slot,
    Key(Key<'r>),
    /// A part of an entry; the key is a record of its own.
    TaggedChunk,
    /// The EOF opcode.
    End,
}

/// A key of a dump.
#[derive(Debug)]
pub(crate) struct Key<'r> {
    /// Its name; empty where the name itself is damaged, or too long to be held.
    pub(crate) name: &'r [u8],
    /// Whether the name is longer than [`crate::rdb::limits::KEY_BYTES_MAX`].
    pub(crate) is_oversized: bool,
    pub(crate) value_type: ValueType,
    pub(crate) module: Option<ModuleId>,
    pub(crate) expires_at_ms: Option<i64>,
    /// Where its expiry, access data and metadata are, if other records are between them and the key's own.
    pub(crate) apart: &'r [Range<u64>],
}
