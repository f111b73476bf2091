//! A key in a report's lists.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use super::text::Name;
use crate::analysis::room::Cut;
use crate::memory::Footprint;
use crate::rdb;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its name; of one that is too long to be held, the first bytes or none.
    #[serde(flatten)]
    pub name: Name,
    /// The length of the whole name, if it is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_bytes: Option<u64>,
    /// The number of its dump, from 0, in the order of the report's dumps.
    pub dump: u32,
    /// Offset of its record in the (inflated) dump.
    pub offset: u64,
    /// How it is stored in the dump.
    pub stored_as: Cow<'static, str>,
    /// How it is held by the server that loaded it.
    pub loaded_as: Cow<'static, str>,
    /// STRLEN of a string, a collection's number of elements, a module value's stored bytes.
    pub size: u64,
    /// Elements; a string is one.
    pub elements: u64,
    /// Bytes of its record.
    pub serialized_bytes: u64,
    /// Bytes of memory as `MEMORY USAGE` counts them, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes that the allocator gives out for it, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
    /// What those rest on: `exact`, `lower_bound` or `estimate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_basis: Option<Cow<'static, str>>,
    /// Bytes of its texts as clients see them, where they are not packed or were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes: Option<u64>,
    /// Bytes of its largest element, where elements are not packed or were looked for: of a hash's pair those of field and
    /// value, of a stream's entry those of all its fields and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element_bytes: Option<u64>,
    /// The place of that among the elements, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element_index: Option<u64>,
    /// What that is called, if it was looked for and is no longer than 1,024 bytes: a hash's field, a set's or sorted set's
    /// member, the ID of a stream's entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element: Option<Name>,
    /// When it expires, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    /// Seconds since it was last used, if the dump has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// Its LFU counter, if the dump has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<u8>,
}

impl KeyRow {
    /// The row of a key whose `name` is held so far.
    pub(crate) fn new(dump: u32, entry: &rdb::Entry<'_>, footprint: &Footprint, tally: &Tally, name: &[u8]) -> Self {
        Self {
            name: Name::new(name),
            name_bytes: Some(entry.key.bytes()).filter(|bytes| *bytes > name.len() as u64),
            dump,
            offset: entry.offset,
            stored_as: entry.value_type.label().into(),
            loaded_as: footprint.encoding.name().into(),
            size: entry.size,
            elements: tally.elements,
            serialized_bytes: tally.serialized_bytes,
            memory_bytes: footprint.memory_bytes,
            allocated_bytes: footprint.allocated_bytes,
            memory_basis: footprint.basis.map(|basis| basis.name().into()),
            value_bytes: footprint.value_bytes,
            largest_element_bytes: footprint.largest.map(|largest| largest.bytes),
            largest_element_index: footprint.largest.map(|largest| largest.index),
            largest_element: None,
            expires_at_ms: entry.expires_at_ms,
            idle_seconds: entry.idle_seconds,
            frequency: entry.frequency,
        }
    }

    pub(super) fn cut_name(&mut self, cut: &Cut) {
        let bytes = self.name.bytes().len() as u64;
        self.name_bytes = self.name_bytes.or(Some(bytes));
        self.name = Name::new(cut.name(self.name.bytes()));
    }
}
