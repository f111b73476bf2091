//! One row a key, in the order of the dump.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use super::question::QueryPlan;
use super::text::Name;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::accumulator::Accumulator;
use crate::memory::{Basis, Encoding, Footprint, walk};
use crate::rdb::entry::{Damage, PartialValue, Step, step_with};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, Kind, ModuleId, ParseErrorKind, ValueType};

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

    fn new(dump: u32, db: u64, entry: &Entry<'_>, footprint: &Footprint, name: &[u8]) -> Self {
        Self {
            dump,
            db,
            name: Name::new(name),
            kind: entry.kind,
            module: entry.module,
            stored: entry.value_type,
            loaded: footprint.encoding,
            size: entry.size,
            serialized_bytes: entry.value_offset - entry.offset + entry.value_bytes,
            memory_bytes: footprint.memory_bytes,
            allocated_bytes: footprint.allocated_bytes,
            memory_basis: footprint.basis,
            value_bytes: footprint.value_bytes,
            largest_element_bytes: footprint.largest.map(|largest| largest.bytes),
            largest_element_index: footprint.largest.map(|largest| largest.index),
            expires_at_ms: entry.expires_at_ms,
            idle_seconds: entry.idle_seconds,
            frequency: entry.frequency,
            offset: entry.offset,
        }
    }
}

/// Where rows go, in their order.
pub(crate) type OnRow<'o> = Arc<Mutex<dyn FnMut(&Row) + Send + 'o>>;

/// Rows on their way to where they go. Those of a piece wait until the pieces before it have gone.
pub(crate) struct Rows<'o> {
    asked: Arc<QueryPlan>,
    /// The database of the keys that come next.
    db: Option<u64>,
    /// Rows with their database, which the first of a piece do not know.
    waiting: Vec<(Option<u64>, Row)>,
    held_bytes: u64,
    keys: u64,
    /// Keys that have no row, since their names are too long.
    pub(crate) oversized_names: u64,
    /// None in a piece.
    on_row: Option<OnRow<'o>>,
    buffer: Vec<u8>,
}

impl<'o> Rows<'o> {
    pub(crate) fn new(asked: Arc<QueryPlan>, db: Option<u64>, on_row: Option<OnRow<'o>>) -> Self {
        Self { asked, db, waiting: Vec::new(), held_bytes: 0, keys: 0, oversized_names: 0, on_row, buffer: Vec::new() }
    }

    fn add(&mut self, entry: &Entry<'_>, footprint: &Footprint) -> Result<(), ParseErrorKind> {
        self.keys += 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        let added = entry.key.decode(&mut buffer).map(|name| self.add_named(entry, footprint, name));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        added
    }

    fn add_named(&mut self, entry: &Entry<'_>, footprint: &Footprint, name: &[u8]) {
        let filter = &self.asked.filter;
        if !filter.wants_database(self.db)
            || !filter.passes(entry, name)
            || !filter.wants_memory(footprint.memory_bytes)
        {
            return;
        }
        if entry.key.is_oversized() {
            self.oversized_names += 1;
            return;
        }
        let row = Row::new(self.asked.dump, self.db.unwrap_or(0), entry, footprint, name);
        if let Some(on_row) = &self.on_row {
            (on_row.lock().unwrap_or_else(PoisonError::into_inner))(&row);
            return;
        }
        self.held_bytes += (size_of::<(Option<u64>, Row)>() + name.len()) as u64;
        self.waiting.push((self.db, row));
    }
}

impl Accumulator for Rows<'_> {
    // A row takes some 250 bytes; a segment of 4 MiB has some ten thousand keys of usual size.
    const PIECE_HELD_BYTES_MAX: u64 = 8 << 20;
    const PIECES_AHEAD: usize = 2;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.asked.clone(), db, None)
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        _until: u64,
    ) -> Result<Step, Box<Damage>> {
        let asked = self.asked.clone();
        let walk = |source: &mut S, header: &_| walk::measure(source, header, context, &asked.model);
        step_with(source, context, walk, |source, found, footprint| {
            self.db = found.header.selected_db.or(self.db);
            self.add(&found.entry(source.kept()), footprint)
        })
    }

    fn select(&mut self, db: u64) {
        self.db = Some(db);
    }

    fn db(&self) -> Option<u64> {
        self.db
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let inherited = self.db;
        self.keys += other.keys;
        self.oversized_names += other.oversized_names;
        self.db = other.db.or(inherited);
        let Some(on_row) = &self.on_row else {
            self.held_bytes += other.held_bytes;
            self.waiting.extend(other.waiting.into_iter().map(|(db, row)| (db.or(inherited), row)));
            return Ok(());
        };
        let mut on_row = on_row.lock().unwrap_or_else(PoisonError::into_inner);
        for (db, mut row) in other.waiting {
            row.db = db.or(inherited).unwrap_or(0);
            if self.asked.filter.wants_database(Some(row.db)) {
                on_row(&row);
            }
        }
        Ok(())
    }
}
