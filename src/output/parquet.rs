//! Rows as Parquet.
//!
//! A Parquet file is row groups one after the other, each column by column, and at the end where everything is. So a row
//! group waits in memory, encoded and compressed, until it is full; and of each that was written its place and the least and
//! greatest values of its columns stay until the end. Both are bounded: a group is full when its rows count for
//! [`GROUP_WEIGHT_MAX`], and of a group stay some 10 KB. A billion tiny keys are about 4,000 groups.
//!
//! Batches are made of blocks side by side. Their columns are then encoded side by side as well, a column by one thread at a
//! time: each has a queue, and whoever finds a column that nobody works on works on it. What is serial is the slowest column,
//! names, which takes about a third of the time: more than three or four threads gain little.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::batch::{Batches, WRITTEN_BY, io_error as arrow_io_error};
use super::columns;
use super::in_turn::InTurn;
use crate::report::RowBlock;

/// Rows of a block: few, since some blocks wait for their columns to be encoded.
pub(super) const BLOCK_ROWS: usize = 1 << 12;

/// A row group has rows that count for so many bytes at most, unless one batch has more. It is what they take if hardly
/// anything can be compressed: then a group takes as much while it waits.
const GROUP_WEIGHT_MAX: usize = 12 << 20;

/// A batch with more bytes of names than this has few and long ones, which count twice.
const LONG_NAMES_BYTES: usize = 2 << 20;

/// What a row counts for besides its texts and what few keys have.
const ROW_WEIGHT: usize = 10;

/// So many batches may wait for a column that a thread works on; who has one more waits for the column as well.
const QUEUE_MAX: usize = 4;

/// A dictionary of a column that has more bytes is given up, and values are written as they are: one waits for each column.
const DICTIONARY_BYTES_MAX: usize = 256 << 10;

/// Writes rows as Parquet.
pub(super) struct ParquetWriter<W: Write + Send> {
    batches: Batches,
    factory: ArrowRowGroupWriterFactory,
    /// The group that batches are added to in turn.
    group: InTurn<Option<Arc<Group>>>,
    /// Where complete groups are written in turn.
    to: InTurn<SerializedFileWriter<W>>,
}

/// A row group in the making.
struct Group {
    number: u64,
    columns: Vec<Column>,
    /// What the rows count for; whoever has a turn adds to it.
    weight: AtomicUsize,
    /// How many columns are not complete.
    open: AtomicUsize,
}

struct Column {
    /// What is to be encoded. After the last batch of a group there is a none.
    queue: Mutex<VecDeque<Option<ArrowLeafColumn>>>,
    encoder: Mutex<Encoder>,
}

/// Encodes a column: first the one, then the other.
struct Encoder {
    writer: Option<ArrowColumnWriter>,
    chunk: Option<ArrowColumnChunk>,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(dumps: &[String], to: W) -> io::Result<Self> {
        let batches = Batches::new(dumps);
        let writer = ArrowWriter::try_new(to, batches.schema().clone(), Some(properties()?)).map_err(io_error)?;
        let (to, factory) = writer.into_serialized_writer().map_err(io_error)?;
        Ok(Self { batches, factory, group: InTurn::new(None), to: InTurn::new(to) })
    }

    pub(super) fn is_broken(&self) -> bool {
        self.group.is_broken()
    }

    pub(super) fn break_off(&self, error: io::Error) {
        self.group.break_off(error);
        self.to.break_off(io::Error::other("writing was broken off"));
    }

    /// Writes a block by its number: queues its columns, and works on those that are queued.
    pub(super) fn write(&self, number: u64, block: RowBlock) {
        let made = self.batches.of(block).map_err(arrow_io_error);
        let made = made.and_then(|batch| Ok((weight(&batch), self.leaves(&batch).map_err(io_error)?)));
        let Some(mut current) = self.group.wait(number) else { return };
        let queued = made.and_then(|(weight, leaves)| self.queue(&mut current, weight, leaves));
        current.end(Ok(()));
        let worked = queued.and_then(|groups| groups.iter().try_for_each(|group| work_on(group, &self.to, QUEUE_MAX)));
        if let Err(error) = worked {
            self.break_off(error);
        }
    }

    /// Queues a batch, in the group at hand or in a new one; gives the groups that something was queued for.
    fn queue(
        &self,
        current: &mut Option<Arc<Group>>,
        weight: usize,
        leaves: Vec<ArrowLeafColumn>,
    ) -> io::Result<Vec<Arc<Group>>> {
        let mut groups = Vec::new();
        let mut number = 0;
        if let Some(full) = current.take_if(|group| group.weight.load(Ordering::Relaxed) + weight > GROUP_WEIGHT_MAX) {
            number = full.number + 1;
            full.end();
            groups.push(full);
        }
        let group = match current {
            Some(group) => group,
            None => current.insert(Arc::new(self.begin(number)?)),
        };
        group.weight.fetch_add(weight, Ordering::Relaxed);
        for (column, leaf) in group.columns.iter().zip(leaves) {
            column.queue().push_back(Some(leaf));
        }
        groups.push(group.clone());
        Ok(groups)
    }

    fn begin(&self, number: u64) -> io::Result<Group> {
        let place = usize::try_from(number).map_err(io::Error::other)?;
        let writers = self.factory.create_column_writers(place).map_err(io_error)?;
        let columns: Vec<Column> = writers.into_iter().map(Column::new).collect();
        Ok(Group { number, weight: AtomicUsize::new(0), open: AtomicUsize::new(columns.len()), columns })
    }

    /// The columns of a batch as they are encoded.
    fn leaves(&self, batch: &RecordBatch) -> Result<Vec<ArrowLeafColumn>, ParquetError> {
        let mut leaves = Vec::with_capacity(batch.num_columns());
        for (field, column) in self.batches.schema().fields().iter().zip(batch.columns()) {
            leaves.extend(compute_leaves(field, column)?);
        }
        Ok(leaves)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        if let Some(last) = self.group.into_inner()? {
            last.end();
            work_on(&last, &self.to, 0)?;
        }
        self.to.into_inner()?.close().map_err(io_error)?;
        Ok(())
    }
}

/// Encodes what is queued for the columns of a group that nobody works on, and waits for those that more than `queue_max`
/// batches are queued for. Whoever completes the last column writes the group.
fn work_on<W: Write + Send>(group: &Group, to: &InTurn<SerializedFileWriter<W>>, queue_max: usize) -> io::Result<()> {
    for column in &group.columns {
        let is_completed = column.encode(queue_max).map_err(io_error)?;
        if is_completed && group.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            let Some(mut to) = to.wait(group.number) else { return Ok(()) };
            let written = group.write(&mut to);
            to.end(Ok(()));
            written.map_err(io_error)?;
        }
    }
    Ok(())
}

impl Group {
    /// Says that no more batches follow.
    fn end(&self) {
        self.columns.iter().for_each(|column| column.queue().push_back(None));
    }

    /// Writes the columns, all of which are complete.
    fn write<W: Write + Send>(&self, to: &mut SerializedFileWriter<W>) -> Result<(), ParquetError> {
        let mut group = to.next_row_group()?;
        for column in &self.columns {
            if let Some(chunk) = lock(&column.encoder).chunk.take() {
                chunk.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        Ok(())
    }
}

impl Column {
    fn new(writer: ArrowColumnWriter) -> Self {
        let encoder = Encoder { writer: Some(writer), chunk: None };
        Self { queue: Mutex::default(), encoder: Mutex::new(encoder) }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Option<ArrowLeafColumn>>> {
        lock(&self.queue)
    }

    /// Encodes what is queued, unless another thread does and no more than `queue_max` batches are; whether this completed it.
    fn encode(&self, queue_max: usize) -> Result<bool, ParquetError> {
        let mut is_completed = false;
        // What is queued after the last look and before the encoder is free, its queuer left to us.
        while !self.queue().is_empty() {
            let mut encoder = match self.encoder.try_lock() {
                Ok(encoder) => encoder,
                Err(TryLockError::WouldBlock) if self.queue().len() <= queue_max => break,
                Err(TryLockError::WouldBlock) => lock(&self.encoder),
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            };
            loop {
                let Some(next) = self.queue().pop_front() else { break };
                is_completed |= next.is_none();
                encoder.encode(next)?;
            }
        }
        Ok(is_completed)
    }
}

impl Encoder {
    fn encode(&mut self, leaf: Option<ArrowLeafColumn>) -> Result<(), ParquetError> {
        match (leaf, &mut self.writer) {
            (Some(leaf), Some(writer)) => writer.write(&leaf)?,
            (None, writer) => self.chunk = writer.take().map(ArrowColumnWriter::close).transpose()?,
            (Some(_), None) => {}
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the rows of a batch count for in their group.
fn weight(batch: &RecordBatch) -> usize {
    let column = |name| batch.column_by_name(name);
    let names =
        column("name").and_then(|names| names.as_binary_opt::<i32>()).map_or(0, |names| names.value_data().len());
    let texts =
        column("name_text").and_then(|texts| texts.as_string_opt::<i32>()).map_or(0, |texts| texts.value_data().len());
    // The rest of a batch with names of megabytes waits beside its group: with 7 MiB each, two in a group took 72 MiB in all.
    let names = names + names.saturating_sub(LONG_NAMES_BYTES);
    let present = |name| column(name).map_or(0, |values| values.len() - values.null_count());
    names + texts + ROW_WEIGHT * batch.num_rows() + 16 * present("expires_at_ms") + 8 * present("idle_seconds")
}

impl<W: Write + Send> fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter").finish_non_exhaustive()
    }
}

fn properties() -> io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(io_error)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        // Keys lie in a dump in no order but that of its hash table, so what single pages have says nothing to a query.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // Nor what whole groups have of names.
        .set_column_statistics_enabled(ColumnPath::from("name"), EnabledStatistics::None)
        .set_column_statistics_enabled(ColumnPath::from("name_text"), EnabledStatistics::None)
        .set_key_value_metadata(Some(vec![
            about(WRITTEN_BY.0, WRITTEN_BY.1),
            about("bigkeys.columns", &descriptions()),
        ]));
    // Values that hardly ever come twice, where a dictionary would be given up after it was made; and numbers, which take four times
    // as long to be looked up in one as to be packed.
    for (column, encoding) in [
        ("name", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("name_text", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("db", Encoding::DELTA_BINARY_PACKED),
        ("size", Encoding::DELTA_BINARY_PACKED),
        ("serialized_bytes", Encoding::DELTA_BINARY_PACKED),
        ("memory_bytes", Encoding::DELTA_BINARY_PACKED),
        ("allocated_bytes", Encoding::DELTA_BINARY_PACKED),
        ("value_bytes", Encoding::DELTA_BINARY_PACKED),
        ("largest_element_bytes", Encoding::DELTA_BINARY_PACKED),
        ("largest_element_index", Encoding::DELTA_BINARY_PACKED),
        ("expires_at_ms", Encoding::DELTA_BINARY_PACKED),
        ("expires_at", Encoding::DELTA_BINARY_PACKED),
        ("idle_seconds", Encoding::DELTA_BINARY_PACKED),
        ("offset", Encoding::DELTA_BINARY_PACKED),
    ] {
        let column = ColumnPath::from(column);
        properties =
            properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, encoding);
    }
    Ok(properties.build())
}

fn about(key: &str, value: &str) -> KeyValue {
    KeyValue::new(key.to_owned(), value.to_owned())
}

/// A line a column: who does not read Arrow's schema finds the descriptions in the file's metadata.
fn descriptions() -> String {
    let lines: Vec<String> =
        columns::of_types().map(|column| format!("{}: {}", column.name, column.description)).collect();
    lines.join("\n")
}

/// The writer's own error, if it is one.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => error.downcast().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}
