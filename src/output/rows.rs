//! A row a key, in the dump's order: as CSV, as a JSON object a line, as Parquet or as an Arrow IPC file. The columns are
//! those of [`COLUMNS`](super::columns::COLUMNS).
//!
//! CSV is that of RFC 4180 with line feeds alone: a first line of names, quotes around a field that has a comma, a quote, a
//! carriage return or a line feed in it, and nothing where a value is not known. A name that is not UTF-8 is escaped
//! (`\xff`) in `name` and stands without loss in `name_base64`, which is else empty. So is one that a spreadsheet would run as a
//! formula, of which the first character is escaped (`\x3d`). In Parquet and Arrow names are bytes, and text beside them.
//!
//! Rows come in blocks, which threads encode side by side and write one after the other: the bytes are the same for any
//! number of threads.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

#[cfg(feature = "columnar")]
use super::arrow::ArrowWriter;
#[cfg(feature = "columnar")]
use super::parquet::ParquetWriter;
use super::row_text::{RowText, TextWriter};
use crate::report::{Row, RowBlock};

/// Rows of a block of text: few, so that a core's own cache holds them and their text.
const TEXT_ROWS_MAX: usize = 1 << 11;

/// A block whose names take more is encoded by whoever hands it on, so that there is one of those at a time: a name may have
/// 8 MiB.
const NAME_BYTES_MAX: usize = 1 << 20;

/// Writes rows. What it has written is whole after [`RowWriter::finish`].
#[derive(Debug)]
pub struct RowWriter<W: Write + Send> {
    dumps: usize,
    /// Rows that were written one by one and wait for others.
    open: RowBlock,
    /// How many blocks there were.
    blocks: u64,
    memory: Vec<u8>,
    form: Form<W>,
    names: Option<NameMap>,
}

type StandIn = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// What names are written as, instead of what they are: as many bytes.
#[derive(Clone)]
struct NameMap(Arc<StandIn>);

impl fmt::Debug for NameMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameMap").finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Form<W: Write + Send> {
    Text(TextWriter<W>),
    #[cfg(feature = "columnar")]
    Parquet(Box<ParquetWriter<W>>),
    #[cfg(feature = "columnar")]
    Arrow(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> Form<W> {
    /// Writes a block by its number.
    #[cfg_attr(
        not(feature = "columnar"),
        allow(clippy::needless_pass_by_value, reason = "columns take the block over")
    )]
    fn write(&self, number: u64, block: RowBlock, names: Option<&NameMap>, memory: &mut Vec<u8>) {
        let block = match names {
            Some(NameMap(map)) => block.mapped(&**map),
            None => block,
        };
        match self {
            Self::Text(writer) => writer.write(number, &block, memory),
            #[cfg(feature = "columnar")]
            Self::Parquet(writer) => writer.write(number, block),
            #[cfg(feature = "columnar")]
            Self::Arrow(writer) => writer.write(number, block),
        }
    }

    /// Whether a write has failed.
    fn is_broken(&self) -> bool {
        match self {
            Self::Text(writer) => writer.is_broken(),
            #[cfg(feature = "columnar")]
            Self::Parquet(writer) => writer.is_broken(),
            #[cfg(feature = "columnar")]
            Self::Arrow(writer) => writer.is_broken(),
        }
    }

    fn break_off(&self, error: io::Error) {
        match self {
            Self::Text(writer) => writer.break_off(error),
            #[cfg(feature = "columnar")]
            Self::Parquet(writer) => writer.break_off(error),
            #[cfg(feature = "columnar")]
            Self::Arrow(writer) => writer.break_off(error),
        }
    }
}

impl<W: Write + Send> RowWriter<W> {
    /// A writer of CSV; writes the line of names. The dumps are what they are called, by their number.
    ///
    /// # Errors
    /// The writer's.
    pub fn csv(dumps: &[String], to: W) -> io::Result<Self> {
        let form = Form::Text(TextWriter::new(RowText::Csv, dumps, to)?);
        Ok(Self::new(dumps, form))
    }

    /// A writer of JSON objects, a line each.
    ///
    /// # Errors
    /// The writer's.
    pub fn ndjson(dumps: &[String], to: W) -> io::Result<Self> {
        let form = Form::Text(TextWriter::new(RowText::Ndjson, dumps, to)?);
        Ok(Self::new(dumps, form))
    }

    /// A writer of Parquet.
    ///
    /// # Errors
    /// The writer's.
    #[cfg(feature = "columnar")]
    pub fn parquet(dumps: &[String], to: W) -> io::Result<Self> {
        let form = Form::Parquet(Box::new(ParquetWriter::new(dumps, to)?));
        Ok(Self::new(dumps, form))
    }

    /// A writer of an Arrow IPC file.
    ///
    /// # Errors
    /// The writer's.
    #[cfg(feature = "columnar")]
    pub fn arrow(dumps: &[String], to: W) -> io::Result<Self> {
        let form = Form::Arrow(Box::new(ArrowWriter::new(dumps, to)?));
        Ok(Self::new(dumps, form))
    }

    fn new(dumps: &[String], form: Form<W>) -> Self {
        Self { dumps: dumps.len(), open: RowBlock::default(), blocks: 0, memory: Vec::new(), form, names: None }
    }

    /// The same writer, which writes names as `map` has them; each must be as long as the name.
    #[must_use]
    pub fn with_names(mut self, map: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.names = Some(NameMap(Arc::new(map)));
        self
    }

    /// How many rows a block should have, for [`row_blocks_all`](crate::row_blocks_all).
    pub fn block_rows(&self) -> usize {
        match self.form {
            Form::Text(_) => TEXT_ROWS_MAX,
            #[cfg(feature = "columnar")]
            Form::Parquet(_) => super::parquet::BLOCK_ROWS,
            #[cfg(feature = "columnar")]
            Form::Arrow(_) => super::batch::BLOCK_ROWS,
        }
    }

    /// Writes a row, with others that follow.
    ///
    /// # Errors
    /// Where the row is of a dump that was not named. The writer's are those of [`RowWriter::finish`].
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        if usize::try_from(row.dump).is_ok_and(|dump| dump < self.dumps) {
            self.open.add(row);
            if self.open.is_full(self.block_rows()) {
                self.write_open();
            }
            return Ok(());
        }
        let sentence = format!("a row of dump {}, and only {} are named", row.dump, self.dumps);
        Err(io::Error::new(ErrorKind::InvalidInput, sentence))
    }

    fn write_open(&mut self) {
        let block = std::mem::take(&mut self.open);
        self.form.write(self.blocks, block, self.names.as_ref(), &mut self.memory);
        self.blocks += 1;
    }

    /// Writes the blocks that `make` hands on, encoded by so many threads. What it hands them to answers false once writing has
    /// failed; gives what `make` gives. That failure is the one of [`RowWriter::finish`].
    pub fn write_blocks<R>(
        &mut self,
        threads: usize,
        make: impl FnOnce(&mut (dyn FnMut(RowBlock) -> bool + Send)) -> R,
    ) -> R {
        if !self.open.is_empty() {
            self.write_open();
        }
        let Self { blocks, memory, form, names, .. } = self;
        let names = names.as_ref();
        if threads == 1 {
            return make(&mut |block| {
                form.write(*blocks, block, names, memory);
                *blocks += 1;
                !form.is_broken()
            });
        }
        let form = &*form;
        // A block is handed over as it is taken, so that none waits in memory.
        let (sender, receiver) = mpsc::sync_channel(0);
        let receiver = Arc::new(Mutex::new(receiver));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let receiver = receiver.clone();
                scope.spawn(move || {
                    let _watch = Watch(form);
                    let mut memory = Vec::new();
                    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    // After a failure blocks are still taken, so that nobody waits to hand one over.
                    while let Ok((number, block)) = next() {
                        form.write(number, block, names, &mut memory);
                    }
                });
            }
            drop(receiver);
            let result = make(&mut |block| {
                let number = *blocks;
                *blocks += 1;
                if block.name_bytes() > NAME_BYTES_MAX {
                    form.write(number, block, names, memory);
                    return !form.is_broken();
                }
                sender.send((number, block)).is_ok() && !form.is_broken()
            });
            drop(sender);
            result
        })
    }

    /// Writes what still waits and what stands at the end of a file; without it, Parquet and Arrow files cannot be read.
    ///
    /// # Errors
    /// The writer's, of this or an earlier write.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.open.is_empty() {
            self.write_open();
        }
        match self.form {
            Form::Text(writer) => writer.finish(),
            #[cfg(feature = "columnar")]
            Form::Parquet(writer) => writer.finish(),
            #[cfg(feature = "columnar")]
            Form::Arrow(writer) => writer.finish(),
        }
    }
}

/// Lets the other threads go if one panics, for whose turn they wait.
struct Watch<'w, W: Write + Send>(&'w Form<W>);

impl<W: Write + Send> Drop for Watch<'_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_off(io::Error::other("a thread was lost"));
        }
    }
}
