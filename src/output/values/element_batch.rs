//! A row an element, as Parquet or as an Arrow IPC file. Texts are bytes here, as they are.
//!
//! Batches are cut by what is in them alone, so that the bytes are the same however many threads made the pieces: a piece
//! holds its rows as a tape, which is played when it is joined.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::{BinaryBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::text::float;
use super::vocabulary::{stream_id, type_name};
use crate::output::batch::{Labels, WRITTEN_BY, io_error};
use crate::rdb::packed::Text;
use crate::values::stream::Id;
use crate::values::{Content, Fault, Form, Inherited, KeyEntry, Record, Value};

/// A batch has at most so many rows.
const ROWS_MAX: usize = 1 << 14;

/// When the texts of a batch have as many bytes, the batch is full.
const BATCH_BYTES_MAX: usize = 2 << 20;

/// A longer text fits into no column: offsets in them have 32 bits, and a batch may have others before it.
const TEXT_BYTES_MAX: u64 = 1 << 30;

/// A piece whose tape is longer is given up.
const TAPE_BYTES_MAX: usize = 8 << 20;

/// A row group of so many bytes is written.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// A row group of so many rows is written.
const GROUP_ROWS_MAX: usize = 1 << 20;

/// The columns, with what they hold and mean, and whether a value may be missing.
const COLUMNS: [(&str, DataType, bool, &str); 11] = [
    ("db", DataType::UInt64, false, "the database"),
    ("name", DataType::Binary, false, "the key's name"),
    ("type", DataType::Utf8, false, "the type as `TYPE` answers it"),
    ("expires_at_ms", DataType::Int64, true, "when the key expires, in milliseconds since 1970"),
    (
        "index",
        DataType::UInt64,
        false,
        "the place of the element among those of its key, from 0; of an array its index",
    ),
    ("field", DataType::Binary, true, "the field, of hashes and streams; of a part of a module's value its kind"),
    ("member", DataType::Binary, true, "the member, of sets and sorted sets"),
    ("value", DataType::Binary, true, "the value, of all others"),
    ("score", DataType::Float64, true, "the score, of sorted sets"),
    ("id", DataType::Utf8, true, "the ID of the entry, of streams"),
    ("field_expires_at_ms", DataType::UInt64, true, "when the field expires, in milliseconds since 1970"),
];

/// A file of columns, open for writing.
pub struct ElementFile<W: Write + Send> {
    schema: SchemaRef,
    form: FileForm<W>,
    has_batches: bool,
    failed: Option<io::Error>,
}

enum FileForm<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
    /// Not a file: whoever takes the batches.
    Taker(OnBatch),
}

/// Takes a batch; an error says that no more are wanted.
type OnBatch = Box<dyn FnMut(RecordBatch) -> io::Result<()> + Send>;

impl ElementFile<io::Sink> {
    /// Batches that are handed on as they are, not written.
    pub fn batches(on_batch: impl FnMut(RecordBatch) -> io::Result<()> + Send + 'static) -> Self {
        Self { schema: element_schema(), form: FileForm::Taker(Box::new(on_batch)), has_batches: false, failed: None }
    }
}

impl<W: Write + Send> ElementFile<W> {
    /// A Parquet file.
    ///
    /// # Errors
    /// The writer's.
    pub fn parquet(to: W) -> io::Result<Self> {
        let schema = element_schema();
        let level = ZstdLevel::try_new(1).map_err(parquet_error)?;
        let about = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let descriptions: Vec<String> = COLUMNS.iter().map(|(name, _, _, what)| format!("{name}: {what}")).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .set_max_row_group_bytes(Some(GROUP_BYTES_MAX))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(vec![
                about(WRITTEN_BY.0, WRITTEN_BY.1),
                about("bigkeys.columns", &descriptions.join("\n")),
            ]));
        let writer = ArrowWriter::try_new(to, schema.clone(), Some(properties.build())).map_err(parquet_error)?;
        Ok(Self { schema, form: FileForm::Parquet(Box::new(writer)), has_batches: false, failed: None })
    }

    /// An Arrow IPC file.
    ///
    /// # Errors
    /// The writer's.
    pub fn arrow(to: W) -> io::Result<Self> {
        let schema = element_schema();
        let writer = FileWriter::try_new(to, &schema).map_err(io_error)?;
        Ok(Self { schema, form: FileForm::Arrow(Box::new(writer)), has_batches: false, failed: None })
    }

    /// Whether writing has failed: what follows is not written.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    fn write(&mut self, batch: Result<RecordBatch, ArrowError>) {
        if self.failed.is_some() {
            return;
        }
        self.has_batches = true;
        let written = batch.map_err(io_error).and_then(|batch| match &mut self.form {
            FileForm::Parquet(writer) => writer.write(&batch).map_err(parquet_error),
            FileForm::Arrow(writer) => writer.write(&batch).map_err(io_error),
            FileForm::Taker(on_batch) => on_batch(batch),
        });
        self.failed = written.err();
    }

    /// Writes what stands at the end of the file; without it the file cannot be read.
    ///
    /// # Errors
    /// The writer's, also of batches before.
    pub fn finish(mut self, dumps: &[String]) -> io::Result<()> {
        // The dictionary comes with the first batch, and readers want it even where there are no rows.
        if !self.has_batches && matches!(self.form, FileForm::Arrow(_)) {
            let batch = Batch::new(dumps, self.schema.clone()).take();
            self.write(batch);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.form {
            FileForm::Parquet(writer) => writer.close().map(|_| ()).map_err(parquet_error),
            FileForm::Arrow(mut writer) => writer.finish().map_err(io_error),
            FileForm::Taker(_) => Ok(()),
        }
    }
}

impl<W: Write + Send> fmt::Debug for ElementFile<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementFile").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// The writer's own error, if it is one.
fn parquet_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => error.downcast().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}

/// The columns of elements, each with a description.
pub fn element_schema() -> SchemaRef {
    let dump = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let columns = [("dump", dump, false, "the dump that the key is in, as it was given")].into_iter().chain(COLUMNS);
    let fields: Vec<Field> = columns
        .map(|(name, holds, is_nullable, what)| {
            let description = HashMap::from([("description".to_owned(), what.to_owned())]);
            Field::new(name, holds, is_nullable).with_metadata(description)
        })
        .collect();
    let (key, value) = WRITTEN_BY;
    Arc::new(Schema::new(fields).with_metadata(HashMap::from([(key.to_owned(), value.to_owned())])))
}

/// What a row has of its key.
#[derive(Clone, Copy)]
struct Head<'r> {
    dump: u32,
    name: &'r [u8],
    kind: &'r str,
    expires_at_ms: Option<i64>,
}

/// What a row has of its element.
#[derive(Clone, Copy)]
struct Row<'r> {
    index: u64,
    field: Option<&'r [u8]>,
    member: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    score: Option<f64>,
    id: Option<Id>,
    expires_at_ms: Option<u64>,
}

/// Rows that wait to become a record batch.
struct Batch {
    schema: SchemaRef,
    dump: Labels<Int32Type>,
    db: UInt64Builder,
    name: BinaryBuilder,
    kind: StringBuilder,
    key_expires_at_ms: Int64Builder,
    index: UInt64Builder,
    field: BinaryBuilder,
    member: BinaryBuilder,
    value: BinaryBuilder,
    score: Float64Builder,
    id: StringBuilder,
    field_expires_at_ms: UInt64Builder,
    id_text: Vec<u8>,
}

impl Batch {
    fn new(dumps: &[String], schema: SchemaRef) -> Self {
        Self {
            schema,
            dump: Labels::new(dumps),
            db: UInt64Builder::new(),
            name: BinaryBuilder::new(),
            kind: StringBuilder::new(),
            key_expires_at_ms: Int64Builder::new(),
            index: UInt64Builder::new(),
            field: BinaryBuilder::new(),
            member: BinaryBuilder::new(),
            value: BinaryBuilder::new(),
            score: Float64Builder::new(),
            id: StringBuilder::new(),
            field_expires_at_ms: UInt64Builder::new(),
            id_text: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.db.values_slice().is_empty()
    }

    /// Adds a row; true if the batch is full then.
    fn add(&mut self, db: u64, head: Head<'_>, row: Row<'_>) -> bool {
        self.dump.keys.append_value(i32::try_from(head.dump).unwrap_or(i32::MAX));
        self.db.append_value(db);
        self.name.append_value(head.name);
        self.kind.append_value(head.kind);
        self.key_expires_at_ms.append_option(head.expires_at_ms);
        self.index.append_value(row.index);
        self.field.append_option(row.field);
        self.member.append_option(row.member);
        self.value.append_option(row.value);
        self.score.append_option(row.score);
        match row.id {
            Some(id) => {
                self.id_text.clear();
                stream_id(id, &mut self.id_text);
                self.id.append_value(String::from_utf8_lossy(&self.id_text));
            }
            None => self.id.append_null(),
        }
        self.field_expires_at_ms.append_option(row.expires_at_ms);
        let texts = [&self.name, &self.field, &self.member, &self.value];
        let bytes: usize = texts.iter().map(|texts| texts.values_slice().len()).sum();
        self.db.values_slice().len() >= ROWS_MAX || bytes >= BATCH_BYTES_MAX
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            self.dump.finish()?,
            Arc::new(self.db.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.key_expires_at_ms.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.field.finish()),
            Arc::new(self.member.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.field_expires_at_ms.finish()),
        ];
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// Where batches go, shared by the dumps that are written into one file.
pub struct ElementColumns<W: Write + Send> {
    dumps: Arc<[String]>,
    to: To<W>,
}

enum To<W: Write + Send> {
    /// Of the first piece of a dump.
    File { file: Arc<Mutex<ElementFile<W>>>, batch: Arc<Mutex<Batch>> },
    /// Of those that are joined later.
    Tape(Tape),
}

impl<W: Write + Send> ElementColumns<W> {
    /// The first piece of a dump, whose rows go into `file`. The dumps are what they are called, by their number.
    pub fn new(dumps: &[String], file: Arc<Mutex<ElementFile<W>>>) -> Self {
        let schema = file.lock().unwrap_or_else(PoisonError::into_inner).schema.clone();
        let batch = Arc::new(Mutex::new(Batch::new(dumps, schema)));
        Self { dumps: dumps.into(), to: To::File { file, batch } }
    }
}

impl<W: Write + Send> fmt::Debug for ElementColumns<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementColumns").field("dumps", &self.dumps).finish_non_exhaustive()
    }
}

impl<W: Write + Send> To<W> {
    fn add(&mut self, db: Option<u64>, head: Head<'_>, row: Row<'_>) {
        match self {
            Self::File { file, batch } => {
                let mut batch = batch.lock().unwrap_or_else(PoisonError::into_inner);
                if batch.add(db.unwrap_or(0), head, row) {
                    file.lock().unwrap_or_else(PoisonError::into_inner).write(batch.take());
                }
            }
            Self::Tape(tape) => tape.add(db, head, row),
        }
    }
}

impl<W: Write + Send> Form for ElementColumns<W> {
    fn piece(&self) -> Self {
        Self { dumps: self.dumps.clone(), to: To::Tape(Tape::default()) }
    }

    fn following(&self) -> Self {
        let to = match &self.to {
            To::File { file, batch } => To::File { file: file.clone(), batch: batch.clone() },
            To::Tape(_) => To::Tape(Tape::default()),
        };
        Self { dumps: self.dumps.clone(), to }
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        let kind = type_name(&key.entry);
        let head = Head { dump: key.dump, name: key.name, kind: &kind, expires_at_ms: key.entry.expires_at_ms };
        let mut buffers = [const { Vec::new() }; 3];
        let mut is_too_long = false;
        value.records(key.entry.kind, |record| match row(record, &mut buffers) {
            Some(row) => self.to.add(key.db, head, row),
            None => is_too_long = true,
        })?;
        if is_too_long { Err("an element of more than 1 GiB does not fit into a column".into()) } else { Ok(()) }
    }

    fn join(&mut self, mut piece: Self, inherited: Inherited) {
        if matches!((&self.to, &piece.to), (To::Tape(_), To::File { .. })) {
            // The dump has come to its end.
            piece.flush();
        }
        if let To::Tape(tape) = piece.to {
            if let (true, To::Tape(own)) = (tape.is_over, &mut self.to) {
                own.give_up();
            }
            tape.play(|db, head, row| match (db, inherited) {
                (Some(db), _) | (None, Inherited::Db(db)) => self.to.add(Some(db), head, row),
                (None, Inherited::Unknown) => self.to.add(None, head, row),
                (None, Inherited::Unwanted) => {}
            });
        }
    }

    fn flush(&mut self) {
        if let To::File { file, batch } = &self.to {
            let mut batch = batch.lock().unwrap_or_else(PoisonError::into_inner);
            if !batch.is_empty() {
                file.lock().unwrap_or_else(PoisonError::into_inner).write(batch.take());
            }
        }
    }

    fn held_bytes(&self) -> u64 {
        match &self.to {
            To::File { .. } => 0,
            To::Tape(tape) if tape.is_over => u64::MAX,
            To::Tape(tape) => tape.bytes.len() as u64,
        }
    }
}

/// A record as a row; none if a text of it is too long.
fn row<'r>(record: &'r Record<'_>, [field, member, value]: &'r mut [Vec<u8>; 3]) -> Option<Row<'r>> {
    let content = match record.value {
        Some(Content::Text(content)) => Some(content),
        Some(Content::Unsigned(number)) => {
            value.clear();
            value.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            None
        }
        Some(Content::Float(number)) => {
            value.clear();
            float(number, value);
            None
        }
        None => None,
    };
    let is_number = record.value.is_some() && content.is_none();
    let texts = [record.field, record.member, content];
    if texts.into_iter().flatten().any(|text| text.value_bytes() > TEXT_BYTES_MAX) {
        return None;
    }
    Some(Row {
        index: record.index,
        field: record.field.map(|text| bytes(text, field)),
        member: record.member.map(|text| bytes(text, member)),
        value: if is_number { Some(value) } else { content.map(|text| bytes(text, value)) },
        score: record.score,
        id: record.id,
        expires_at_ms: record.expires_at_ms,
    })
}

fn bytes<'r>(text: Text<'r>, buffer: &'r mut Vec<u8>) -> &'r [u8] {
    match text {
        Text::Bytes(text) => text,
        Text::Int(value) => {
            buffer.clear();
            buffer.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            buffer
        }
    }
}

/// Rows one after the other, in the form in which they are held until they can be written.
#[derive(Default)]
struct Tape {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Tape {
    fn give_up(&mut self) {
        self.is_over = true;
        self.bytes = Vec::new();
    }

    fn add(&mut self, db: Option<u64>, head: Head<'_>, row: Row<'_>) {
        let texts = [Some(head.name), row.field, row.member, row.value];
        let bytes: usize = texts.into_iter().flatten().map(<[u8]>::len).sum();
        if self.is_over || self.bytes.len() + bytes > TAPE_BYTES_MAX {
            return self.give_up();
        }
        self.number(db);
        self.number(Some(head.dump.into()));
        self.text(Some(head.name));
        self.text(Some(head.kind.as_bytes()));
        self.number(head.expires_at_ms.map(i64::cast_unsigned));
        self.number(Some(row.index));
        self.text(row.field);
        self.text(row.member);
        self.text(row.value);
        self.number(row.score.map(f64::to_bits));
        self.number(row.id.map(|(ms, _)| ms));
        self.number(row.id.map(|(_, sequence)| sequence));
        self.number(row.expires_at_ms);
    }

    fn number(&mut self, number: Option<u64>) {
        self.bytes.push(number.is_some().into());
        if let Some(number) = number {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn text(&mut self, text: Option<&[u8]>) {
        self.number(text.map(|text| text.len() as u64));
        self.bytes.extend_from_slice(text.unwrap_or_default());
    }

    /// Hands its rows on, each with its database if it was known.
    fn play(&self, mut on_row: impl FnMut(Option<u64>, Head<'_>, Row<'_>)) {
        let mut player = Player(&self.bytes);
        while let Some((db, head, row)) = player.row() {
            on_row(db, head, row);
        }
    }
}

struct Player<'t>(&'t [u8]);

#[allow(clippy::option_option, reason = "the outer one is the end of the tape, the inner one what a row does not have")]
impl<'t> Player<'t> {
    /// The next row; none at the end.
    fn row(&mut self) -> Option<(Option<u64>, Head<'t>, Row<'t>)> {
        let db = self.number()?;
        let head = Head {
            dump: u32::try_from(self.number()??).ok()?,
            name: self.text()??,
            kind: std::str::from_utf8(self.text()??).ok()?,
            expires_at_ms: self.number()?.map(u64::cast_signed),
        };
        let (index, field, member, value) = (self.number()??, self.text()?, self.text()?, self.text()?);
        let score = self.number()?.map(f64::from_bits);
        let id = self.number()?.zip(self.number()?);
        Some((db, head, Row { index, field, member, value, score, id, expires_at_ms: self.number()? }))
    }

    fn number(&mut self) -> Option<Option<u64>> {
        let (is_there, rest) = self.0.split_first()?;
        self.0 = rest;
        if *is_there == 0 {
            return Some(None);
        }
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Some(u64::from_le_bytes(*number)))
    }

    fn text(&mut self) -> Option<Option<&'t [u8]>> {
        let Some(bytes) = self.number()? else { return Some(None) };
        let (text, rest) = self.0.split_at_checked(usize::try_from(bytes).ok()?)?;
        self.0 = rest;
        Some(Some(text))
    }
}
