//! Rows as Parquet.
//!
//! A Parquet file is row groups one after the other, each column by column, and at the end where everything lies. So a
//! row group waits in memory, encoded and compressed, until it is full; and of each that was written its place and the
//! least and greatest values of its columns stay until the end. Both are bounded here: a group is written when it has
//! [`GROUP_BYTES_MAX`] or a million rows, and of a group stay some 10 KB. A billion keys are about 1,500 groups.

use std::fmt;
use std::io::{self, Write};

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::batch::{Batch, WRITTEN_BY, io_error as arrow_io_error};
use super::columns;
use crate::report::Row;

/// A row group of so many bytes is written.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// A row group of so many rows is written.
const GROUP_ROWS_MAX: usize = 1 << 20;

/// A dictionary of a column that has more bytes is given up, and values are written as they are: one waits for each column.
const DICTIONARY_BYTES_MAX: usize = 256 << 10;

/// Writes rows as Parquet.
pub(super) struct ParquetWriter<W: Write + Send> {
    batch: Batch,
    to: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(dumps: &[String], to: W) -> io::Result<Self> {
        let batch = Batch::new(dumps);
        let to = ArrowWriter::try_new(to, batch.schema().clone(), Some(properties()?)).map_err(io_error)?;
        Ok(Self { batch, to })
    }

    pub(super) fn write(&mut self, row: &Row) -> io::Result<()> {
        if self.batch.add(row) { self.write_batch() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.batch.is_empty() {
            self.write_batch()?;
        }
        self.to.close().map_err(io_error)?;
        Ok(())
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let batch = self.batch.take().map_err(arrow_io_error)?;
        self.to.write(&batch).map_err(io_error)
    }
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
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_max_row_group_bytes(Some(GROUP_BYTES_MAX))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        // Keys lie in a dump in no order but that of its hash table, so what single pages have says nothing to a query.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // Nor what whole groups have of names.
        .set_column_statistics_enabled(ColumnPath::from("name"), EnabledStatistics::None)
        .set_key_value_metadata(Some(vec![
            about(WRITTEN_BY.0, WRITTEN_BY.1),
            about("bigkeys.columns", &descriptions()),
        ]));
    // Values that hardly ever come twice: a dictionary of them would be given up after it was made.
    for (column, encoding) in [
        ("name", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("offset", Encoding::DELTA_BINARY_PACKED),
        ("expires_at_ms", Encoding::DELTA_BINARY_PACKED),
        ("expires_at", Encoding::DELTA_BINARY_PACKED),
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
