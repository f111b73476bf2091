//! One row per key, in the order of the dump.
//!
//! Workers fill a [`RowBlock`] per piece. Whoever joins the pieces copies their rows into blocks of the size that was asked
//! for, which are cut by what is in them alone: so they are the same for any number of threads. That copy is what is serial
//! here, some 20 ns a row.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::question::QueryPlan;
use super::row::Row;
use super::row_block::RowBlock;
use super::shorts::Shape;
use super::text::Name;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::accumulator::Accumulator;
use crate::memory::{Basis, Footprint, Model, walk};
use crate::rdb::entry::{Damage, PartialValue, Step, step_with};
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, FormatElement, Kind, ParseErrorKind, ValueType};

/// Rows that the first piece of a dump holds before it hands them on.
const HANDED_ROWS: usize = 2048;

/// Where rows go, in their order: cut into blocks.
pub(crate) struct Outlet<'o> {
    open: RowBlock,
    rows_max: usize,
    on_block: Box<dyn FnMut(RowBlock) + Send + 'o>,
}

impl<'o> Outlet<'o> {
    /// Hands on blocks of so many rows, or fewer with long names.
    pub(crate) fn new(rows_max: usize, on_block: impl FnMut(RowBlock) + Send + 'o) -> Self {
        Self { open: RowBlock::default(), rows_max, on_block: Box::new(on_block) }
    }

    /// Takes rows, and hands on those that make a block.
    fn put(&mut self, mut rows: RowBlock) {
        let mut from = 0;
        while from < rows.len() {
            let taken = self.open.room_for(&rows, from, self.rows_max);
            if self.open.is_empty() && taken == rows.len() {
                self.open = std::mem::take(&mut rows);
            } else {
                self.open.extend(&rows, from..from + taken);
            }
            from += taken;
            if self.open.is_full(self.rows_max) {
                (self.on_block)(std::mem::take(&mut self.open));
            }
        }
    }

    /// Hands on what waits.
    pub(crate) fn flush(&mut self) {
        if !self.open.is_empty() {
            (self.on_block)(std::mem::take(&mut self.open));
        }
    }
}

impl fmt::Debug for Outlet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// Rows on their way to where they go. Those of a piece wait until the pieces before it have gone.
pub(crate) struct Rows<'o> {
    asked: Arc<QueryPlan>,
    /// What values are walked over with.
    model: Model,
    /// None in a piece.
    outlet: Option<Arc<Mutex<Outlet<'o>>>>,
    waiting: Waiting,
    /// Whether every key has a row, whatever it is.
    takes_all: bool,
}

/// Rows that wait.
struct Waiting {
    /// The database of the keys that come next.
    db: Option<u64>,
    rows: RowBlock,
    /// How many of these, the first ones, are in a database that is not known.
    of_unknown_db: usize,
    keys: u64,
    /// Keys that have no row, since their names are too long.
    oversized_names: u64,
    buffer: Vec<u8>,
}

/// Takes short strings, of which every one has a row.
struct Taking<'t> {
    asked: &'t QueryPlan,
    context: &'t Context,
    rows: &'t mut RowBlock,
    db: u64,
    offset: u64,
}

impl Visitor for Taking<'_> {
    #[inline(always)]
    fn take(&mut self, short: Short<'_>) -> bool {
        let of_shape = Shape::of(&short).and_then(|shape| self.asked.shorts.held(shape));
        let (loaded, cost) = of_shape.unwrap_or_else(|| self.asked.model.short_string(&short));
        let (size, serialized_bytes) = (short.header.value_bytes(), short.record.len() as u64);
        let row = Row {
            dump: self.asked.dump,
            db: self.db,
            name: Name::default(),
            kind: Kind::String,
            module: None,
            stored: ValueType::STRING,
            loaded,
            size,
            serialized_bytes,
            memory_bytes: Some(cost.memory_bytes),
            allocated_bytes: Some(cost.allocated_bytes),
            memory_basis: Some(Basis::Exact),
            value_bytes: Some(size),
            largest_element_bytes: None,
            largest_element_index: None,
            expires_at_ms: short.expires_at.map(|stored| self.context.time_ms(stored)),
            idle_seconds: None,
            frequency: None,
            offset: self.offset,
        };
        self.rows.push(&row, short.name);
        self.offset += serialized_bytes;
        true
    }
}

impl Waiting {
    fn add(
        &mut self,
        asked: &QueryPlan,
        entry: &Entry<'_>,
        footprint: &Footprint,
        selected_db: Option<u64>,
    ) -> Result<(), ParseErrorKind> {
        self.db = selected_db.or(self.db);
        self.keys += 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        let added = entry.key.decode(&mut buffer).map(|name| self.add_named(asked, entry, footprint, name));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        added
    }

    fn add_named(&mut self, asked: &QueryPlan, entry: &Entry<'_>, footprint: &Footprint, name: &[u8]) {
        let filter = &asked.filter;
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
        let row = Row {
            dump: asked.dump,
            db: self.db.unwrap_or(0),
            name: Name::default(),
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
        };
        self.rows.push(&row, name);
        self.of_unknown_db += usize::from(self.db.is_none());
    }

    /// Adds the short strings that come next and begin before `until`.
    ///
    /// # Errors
    /// The [`Damage`] met.
    fn add_shorts<S: KeepsKey>(
        &mut self,
        asked: &QueryPlan,
        source: &mut S,
        context: &Context,
        until: u64,
    ) -> Result<(), Box<Damage>> {
        let (offset, before) = (source.offset(), self.rows.len());
        let left = usize::try_from(until - offset).unwrap_or(usize::MAX);
        let mut taking = Taking { asked, context, rows: &mut self.rows, db: self.db.unwrap_or(0), offset };
        let passed = short::skip_short_strings(source.ahead(), left, &mut taking);
        self.keys += passed.keys;
        if self.db.is_none() {
            self.of_unknown_db += self.rows.len() - before;
        }
        source.skip(FormatElement::Key, passed.bytes as u64)?;
        Ok(())
    }
}

impl<'o> Rows<'o> {
    pub(crate) fn new(asked: Arc<QueryPlan>, db: Option<u64>, outlet: Option<Arc<Mutex<Outlet<'o>>>>) -> Self {
        let waiting = Waiting {
            db,
            rows: RowBlock::default(),
            of_unknown_db: 0,
            keys: 0,
            oversized_names: 0,
            buffer: Vec::new(),
        };
        let takes_all = asked.takes_all && !asked.filter.names_databases();
        Self { model: asked.model.clone(), asked, outlet, waiting, takes_all }
    }

    /// The same, which ends within a long value soon after `stop` is set.
    pub(crate) fn until(self, stop: Arc<AtomicBool>) -> Self {
        Self { model: self.model.until(stop), ..self }
    }

    /// How many keys have no row, since their names are too long.
    pub(crate) fn oversized_names(&self) -> u64 {
        self.waiting.oversized_names
    }

    /// Hands on what waits, unless this is a piece.
    fn hand_on(&mut self) {
        if let Some(outlet) = &self.outlet {
            self.waiting.of_unknown_db = 0;
            outlet.lock().unwrap_or_else(PoisonError::into_inner).put(std::mem::take(&mut self.waiting.rows));
        }
    }
}

impl Accumulator for Rows<'_> {
    // Where a record takes four bytes, the rows of a segment of 128 KiB take 3.5 MiB.
    const PIECE_HELD_BYTES_MAX: u64 = 4 << 20;
    const PIECES_AHEAD: usize = 2;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self { model: self.model.clone(), ..Self::new(self.asked.clone(), db, None) }
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        if self.waiting.rows.is_full(HANDED_ROWS) {
            self.hand_on();
        }
        let Self { asked, model, waiting, takes_all, .. } = self;
        if *takes_all {
            waiting.add_shorts(asked, source, context, until)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        let walk = |source: &mut S, header: &_| walk::measure(source, header, context, model);
        step_with(source, context, walk, |source, found, footprint| {
            waiting.add(asked, &found.entry(source.kept()), footprint, found.header.selected_db)
        })
    }

    fn select(&mut self, db: u64) {
        self.waiting.db = Some(db);
    }

    fn db(&self) -> Option<u64> {
        self.waiting.db
    }

    fn keys(&self) -> u64 {
        self.waiting.keys
    }

    fn held_bytes(&self) -> u64 {
        self.waiting.rows.held_bytes()
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let Self { asked, waiting, .. } = self;
        let Waiting { db, mut rows, of_unknown_db, keys, oversized_names, .. } = other.waiting;
        let inherited = waiting.db;
        waiting.keys += keys;
        waiting.oversized_names += oversized_names;
        waiting.db = db.or(inherited);
        let mut from = 0;
        match inherited {
            Some(_) if !asked.filter.wants_database(inherited) => from = of_unknown_db,
            Some(db) => rows.select(of_unknown_db, db),
            None => waiting.of_unknown_db += of_unknown_db,
        }
        if waiting.rows.is_empty() && from == 0 {
            waiting.rows = rows;
        } else {
            waiting.rows.extend(&rows, from..rows.len());
        }
        self.hand_on();
        Ok(())
    }
}
