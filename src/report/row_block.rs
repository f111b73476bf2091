//! Rows in blocks: the names one after the other, and beside them what else a row has, in a fixed size. A row costs no
//! allocation, and a block goes from thread to thread as a whole.

use std::ops::Range;

use super::row::Row;
use super::text::Name;
use crate::memory::{Basis, Encoding};
use crate::rdb::{Kind, ModuleId, ValueType};

/// A block is full when its names have as many bytes, of which each may take megabytes.
const NAME_BYTES_MAX: usize = 2 << 20;

/// The room of a block that gets a longer name than [`LONG_NAME_BYTES`]. Allocators take so much from the system and give it back
/// at once, and of what is not used no page is touched; less they would keep for each thread. Nor is it moved as it grows.
const LONG_NAMES_ROOM_BYTES: usize = 40 << 20;
const LONG_NAME_BYTES: usize = 256 << 10;

/// Rows of keys, in the order of the dumps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowBlock {
    names: Vec<u8>,
    cells: Vec<RowCells>,
}

/// What a row has besides its name. Figures that may be missing are held without the tag that an `Option` has each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCells {
    name_end: u32,
    dump: u32,
    db: u64,
    module: ModuleId,
    size: u64,
    serialized_bytes: u64,
    offset: u64,
    figures: [u64; FIGURES],
    /// Which figures there are, a bit each; the bits behind them tell of the module and the frequency.
    present: u16,
    kind: Kind,
    stored: ValueType,
    loaded: Encoding,
    memory_basis: Option<Basis>,
    frequency: u8,
}

/// Places of figures that may be missing.
const MEMORY: usize = 0;
const ALLOCATED: usize = 1;
const VALUE: usize = 2;
const LARGEST: usize = 3;
const LARGEST_INDEX: usize = 4;
const EXPIRES: usize = 5;
const IDLE: usize = 6;
const FIGURES: usize = 7;
const MODULE: usize = 7;
const FREQUENCY: usize = 8;

impl RowCells {
    /// Offset behind the name among those of the block.
    pub fn name_end(&self) -> u32 {
        self.name_end
    }

    /// The number of the dump, from 0, in the order they were given.
    pub fn dump(&self) -> u32 {
        self.dump
    }

    /// The database.
    pub fn db(&self) -> u64 {
        self.db
    }

    /// What the key is to a client.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The module type, for values of modules and vector sets.
    pub fn module(&self) -> Option<ModuleId> {
        self.has(MODULE).then_some(self.module)
    }

    /// How it is stored in the dump.
    pub fn stored(&self) -> ValueType {
        self.stored
    }

    /// How it is held by the server that loaded it.
    pub fn loaded(&self) -> Encoding {
        self.loaded
    }

    /// STRLEN of a string, a collection's number of elements, a module value's stored bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of its record in the dump.
    pub fn serialized_bytes(&self) -> u64 {
        self.serialized_bytes
    }

    /// Bytes of memory as `MEMORY USAGE` counts them, if they are known.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.figure(MEMORY)
    }

    /// Bytes that the allocator gives out for it, if they are known.
    pub fn allocated_bytes(&self) -> Option<u64> {
        self.figure(ALLOCATED)
    }

    /// What those rest on.
    pub fn memory_basis(&self) -> Option<Basis> {
        self.memory_basis
    }

    /// Bytes of its texts as clients see them, where they are not packed.
    pub fn value_bytes(&self) -> Option<u64> {
        self.figure(VALUE)
    }

    /// Whether it has any figure that most keys lack: of a largest element, an expiry, or when and how often it was used.
    pub(crate) fn has_rare_figures(&self) -> bool {
        const RARE: u16 = 1 << LARGEST | 1 << LARGEST_INDEX | 1 << EXPIRES | 1 << IDLE | 1 << FREQUENCY;
        self.present & RARE != 0
    }

    /// Bytes of its largest element, where elements are not packed.
    pub fn largest_element_bytes(&self) -> Option<u64> {
        self.figure(LARGEST)
    }

    /// The index of that element, from 0.
    pub fn largest_element_index(&self) -> Option<u64> {
        self.figure(LARGEST_INDEX)
    }

    /// When it expires, in milliseconds since 1970.
    pub fn expires_at_ms(&self) -> Option<i64> {
        self.figure(EXPIRES).map(u64::cast_signed)
    }

    /// Seconds since it was last used, if the dump has it.
    pub fn idle_seconds(&self) -> Option<u64> {
        self.figure(IDLE)
    }

    /// Its LFU counter, if the dump has it.
    pub fn frequency(&self) -> Option<u8> {
        self.has(FREQUENCY).then_some(self.frequency)
    }

    /// Offset of its record in the (inflated) dump.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The row of a key of this name.
    pub fn row(&self, name: Name) -> Row {
        Row {
            dump: self.dump(),
            db: self.db(),
            name,
            kind: self.kind(),
            module: self.module(),
            stored: self.stored(),
            loaded: self.loaded(),
            size: self.size(),
            serialized_bytes: self.serialized_bytes(),
            memory_bytes: self.memory_bytes(),
            allocated_bytes: self.allocated_bytes(),
            memory_basis: self.memory_basis(),
            value_bytes: self.value_bytes(),
            largest_element_bytes: self.largest_element_bytes(),
            largest_element_index: self.largest_element_index(),
            expires_at_ms: self.expires_at_ms(),
            idle_seconds: self.idle_seconds(),
            frequency: self.frequency(),
            offset: self.offset(),
        }
    }

    #[inline]
    fn has(&self, place: usize) -> bool {
        self.present >> place & 1 == 1
    }

    #[inline]
    fn figure(&self, place: usize) -> Option<u64> {
        self.figures.get(place).copied().filter(|_| self.has(place))
    }

    #[inline(always)]
    fn new(row: &Row, name_end: u32) -> Self {
        let mut cells = Self {
            name_end,
            dump: row.dump,
            db: row.db,
            module: row.module.unwrap_or(ModuleId(0)),
            size: row.size,
            serialized_bytes: row.serialized_bytes,
            offset: row.offset,
            figures: [0; FIGURES],
            present: u16::from(row.module.is_some()) << MODULE | u16::from(row.frequency.is_some()) << FREQUENCY,
            kind: row.kind,
            stored: row.stored,
            loaded: row.loaded,
            memory_basis: row.memory_basis,
            frequency: row.frequency.unwrap_or_default(),
        };
        // A line each: what maps over an array is a call per row.
        cells.set(MEMORY, row.memory_bytes);
        cells.set(ALLOCATED, row.allocated_bytes);
        cells.set(VALUE, row.value_bytes);
        cells.set(LARGEST, row.largest_element_bytes);
        cells.set(LARGEST_INDEX, row.largest_element_index);
        cells.set(EXPIRES, row.expires_at_ms.map(i64::cast_unsigned));
        cells.set(IDLE, row.idle_seconds);
        cells
    }

    #[inline(always)]
    fn set(&mut self, place: usize, figure: Option<u64>) {
        if let (Some(figure), Some(to)) = (figure, self.figures.get_mut(place)) {
            *to = figure;
            self.present |= 1 << place;
        }
    }
}

impl RowBlock {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What the rows have besides their names.
    pub fn cells(&self) -> &[RowCells] {
        &self.cells
    }

    /// The rows with their names.
    pub fn rows(&self) -> impl Iterator<Item = (&RowCells, &[u8])> {
        let mut start = 0;
        self.cells.iter().map(move |cells| {
            let end = cells.name_end as usize;
            let name = self.names.get(start..end).unwrap_or_default();
            start = end;
            (cells, name)
        })
    }

    /// The names one after the other, and what the rows have besides.
    pub fn into_parts(self) -> (Vec<u8>, Vec<RowCells>) {
        (self.names, self.cells)
    }

    /// The same rows under other names, which are as long.
    #[must_use]
    pub fn mapped(self, name: &dyn Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut names = Vec::with_capacity(self.names.len());
        let mut cells = Vec::with_capacity(self.cells.len());
        for (of_row, bytes) in self.rows() {
            names.extend_from_slice(&name(bytes));
            cells.push(RowCells { name_end: u32::try_from(names.len()).unwrap_or(u32::MAX), ..*of_row });
        }
        Self { names, cells }
    }

    /// Bytes of all names.
    pub fn name_bytes(&self) -> usize {
        self.names.len()
    }

    /// Whether it has `rows_max` rows, or names of 2 MiB.
    pub fn is_full(&self, rows_max: usize) -> bool {
        self.cells.len() >= rows_max || self.names.len() >= NAME_BYTES_MAX
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        self.push(row, row.name.bytes());
    }

    /// Adds a row under another name.
    #[inline(always)]
    pub(super) fn push(&mut self, row: &Row, name: &[u8]) {
        self.add_names(name);
        // Blocks and pieces are bounded: a few names of 8 MiB at most.
        let name_end = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.cells.push(RowCells::new(row, name_end));
    }

    #[inline(always)]
    fn add_names(&mut self, names: &[u8]) {
        if names.len() > LONG_NAME_BYTES {
            self.names.reserve_exact(LONG_NAMES_ROOM_BYTES.saturating_sub(self.names.len()).max(names.len()));
        }
        self.names.extend_from_slice(names);
    }

    /// Adds the rows of another block whose places are in `range`.
    pub(super) fn extend(&mut self, other: &Self, range: Range<usize>) {
        let from = other.name_start(range.start);
        let Some(cells) = other.cells.get(range) else { return };
        let until = cells.last().map_or(from, |last| last.name_end);
        let moved = u32::try_from(self.names.len()).unwrap_or(u32::MAX).wrapping_sub(from);
        self.add_names(other.names.get(from as usize..until as usize).unwrap_or_default());
        self.cells
            .extend(cells.iter().map(|cells| RowCells { name_end: cells.name_end.wrapping_add(moved), ..*cells }));
    }

    /// How many rows of another block from `from` on there is room for, one at least.
    pub(super) fn room_for(&self, other: &Self, from: usize, rows_max: usize) -> usize {
        let start = other.name_start(from) as usize;
        let left = NAME_BYTES_MAX.saturating_sub(self.names.len());
        let rest = other.cells.get(from..).unwrap_or_default();
        // The row whose name reaches the limit is the last.
        let by_names = rest.partition_point(|cells| (cells.name_end as usize) < start + left) + 1;
        by_names.min(rows_max.saturating_sub(self.cells.len()).max(1)).min(rest.len())
    }

    /// Says which database the first rows are in.
    pub(super) fn select(&mut self, rows: usize, db: u64) {
        self.cells.iter_mut().take(rows).for_each(|cells| cells.db = db);
    }

    /// What it takes in memory.
    pub(super) fn held_bytes(&self) -> u64 {
        (self.names.len() + self.cells.len() * size_of::<RowCells>()) as u64
    }

    fn name_start(&self, row: usize) -> u32 {
        row.checked_sub(1).and_then(|before| self.cells.get(before)).map_or(0, |before| before.name_end)
    }
}
