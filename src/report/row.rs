//! A key as a row.

use std::borrow::Cow;

use super::text::Name;
use crate::memory::{Basis, Encoding};
use crate::rdb::{Kind, ModuleId, ValueType};

/// A key as a row: the columns of all formats that have rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the dump, from 0, in the order they were given.
    pub dump: u32,
    /// The database.
    pub db: u64,
    /// The name.
    pub name: Name,
    /// What it is to a client.
    pub kind: Kind,
    /// The module type, for values of modules and vector sets.
    pub module: Option<ModuleId>,
    /// How it is stored in the dump.
    pub stored: ValueType,
    /// How it is held by the server that loaded it.
    pub loaded: Encoding,
    /// STRLEN of a string, a collection's number of elements, a module value's stored bytes.
    pub size: u64,
    /// Bytes of its record in the dump.
    pub serialized_bytes: u64,
    /// Bytes of memory as `MEMORY USAGE` counts them, if they are known.
    pub memory_bytes: Option<u64>,
    /// Bytes that the allocator gives out for it, if they are known.
    pub allocated_bytes: Option<u64>,
    /// What those rest on.
    pub memory_basis: Option<Basis>,
    /// Bytes of its texts as clients see them, where they are not packed.
    pub value_bytes: Option<u64>,
    /// Bytes of its largest element, where elements are not packed.
    pub largest_element_bytes: Option<u64>,
    /// The place of that among the elements, from 0.
    pub largest_element_index: Option<u64>,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since it was last used, if the dump has it.
    pub idle_seconds: Option<u64>,
    /// Its LFU counter, if the dump has it.
    pub frequency: Option<u8>,
    /// Offset of its record in the (inflated) dump.
    pub offset: u64,
}

impl Row {
    /// The type as `TYPE` answers it, of a module's value the module's own name.
    pub fn type_name(&self) -> Cow<'static, str> {
        match self.module {
            Some(module) if self.kind == Kind::Module => Cow::Owned(module.to_string()),
            _ => Cow::Borrowed(self.kind.name()),
        }
    }
}
