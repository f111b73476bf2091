//! Rows as an Arrow IPC file, which is also called Feather.
//!
//! Of Arrow's two formats it is the file, not the stream: readers that look at a file (`scan_ipc` of Polars,
//! `read_feather` of Pandas and R, `ipc.open_file` of pyarrow) find its batches by the list at its end and map what they
//! need. It is written from its beginning to its end, so it goes through a pipe as well; and behind its first 64 bytes
//! it is a stream, for who wants to read it while it comes.
//!
//! Its bytes are as they are in memory, not compressed: a reader maps them. Parquet is the small one.

use std::fmt;
use std::io::{self, Write};

use arrow_ipc::writer::FileWriter;

use super::batch::{Batch, io_error};
use crate::report::Row;

/// Writes rows as an Arrow IPC file.
pub(super) struct ArrowWriter<W: Write> {
    batch: Batch,
    to: FileWriter<W>,
    has_batches: bool,
}

impl<W: Write> ArrowWriter<W> {
    pub(super) fn new(dumps: &[String], to: W) -> io::Result<Self> {
        let batch = Batch::new(dumps);
        let to = FileWriter::try_new(to, batch.schema()).map_err(io_error)?;
        Ok(Self { batch, to, has_batches: false })
    }

    pub(super) fn write(&mut self, row: &Row) -> io::Result<()> {
        if self.batch.add(row) { self.write_batch() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        // The dictionaries come with the first batch, and readers want them even where there are no rows.
        if !self.batch.is_empty() || !self.has_batches {
            self.write_batch()?;
        }
        self.to.finish().map_err(io_error)
    }

    fn write_batch(&mut self) -> io::Result<()> {
        self.has_batches = true;
        self.batch.take().and_then(|batch| self.to.write(&batch)).map_err(io_error)
    }
}

impl<W: Write> fmt::Debug for ArrowWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowWriter").finish_non_exhaustive()
    }
}
