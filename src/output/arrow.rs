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

use super::batch::{Batches, io_error};
use super::in_turn::InTurn;
use crate::report::RowBlock;

/// Writes rows as an Arrow IPC file. Columns are made side by side; what is serial is to write them.
pub(super) struct ArrowWriter<W: Write> {
    batches: Batches,
    to: InTurn<File<W>>,
}

struct File<W: Write> {
    writer: FileWriter<W>,
    has_batches: bool,
}

impl<W: Write> ArrowWriter<W> {
    pub(super) fn new(dumps: &[String], to: W) -> io::Result<Self> {
        let batches = Batches::new(dumps);
        let writer = FileWriter::try_new(to, batches.schema()).map_err(io_error)?;
        Ok(Self { batches, to: InTurn::new(File { writer, has_batches: false }) })
    }

    pub(super) fn is_broken(&self) -> bool {
        self.to.is_broken()
    }

    pub(super) fn break_off(&self, error: io::Error) {
        self.to.break_off(error);
    }

    /// Writes a block by its number.
    pub(super) fn write(&self, number: u64, block: RowBlock) {
        let batch = self.batches.of(block);
        if let Some(mut file) = self.to.wait(number) {
            file.has_batches = true;
            let written = batch.and_then(|batch| file.writer.write(&batch));
            file.end(written.map_err(io_error));
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        let mut file = self.to.into_inner()?;
        // The dictionaries come with the first batch, and readers want them even where there are no rows.
        if !file.has_batches {
            let none = self.batches.of(RowBlock::default());
            none.and_then(|batch| file.writer.write(&batch)).map_err(io_error)?;
        }
        file.writer.finish().map_err(io_error)
    }
}

impl<W: Write> fmt::Debug for ArrowWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowWriter").finish_non_exhaustive()
    }
}
