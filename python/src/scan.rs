//! Rows as an Arrow stream: a thread scans, whoever reads the stream takes batch by batch, and a few blocks wait between them.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use bigkeys::engine::{Part, Place, export_all, part_rows};
use bigkeys::output::batch::{BLOCK_ROWS, Batches};
use bigkeys::output::values::{ElementColumns, ElementFile, element_schema};
use bigkeys::report::RowBlock;
use bigkeys::{Error, ErrorKind, Progress};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::ask::{Ask, ask};
use crate::errors::{damage, exception};
use crate::waiting::{EVERY, tell};

/// Blocks that wait to be read: enough for both sides to have work.
const BLOCKS_WAITING: usize = 4;

/// What came of a scan.
type Outcome = Result<(Vec<String>, Vec<Error>), Error>;

/// What waits to be read.
enum Block {
    Keys(RowBlock),
    Elements(RecordBatch),
}

/// What a row is.
#[derive(Clone)]
enum Rows {
    /// A key, of whole dumps.
    Keys,
    /// A key, of a part of a dump.
    Part(Part),
    /// An element of a value.
    Elements,
}

/// Rows of dumps, a row a key or an element. Every reader of the stream scans anew.
#[pyclass(module = "bigkeys", frozen)]
pub(crate) struct Scan {
    ask: Arc<Ask>,
    rows: Rows,
    columns: Option<Vec<String>>,
    limit: Option<usize>,
    raises: bool,
    on_progress: Option<Py<PyAny>>,
    /// What came of the latest scan that has ended.
    outcome: Arc<Mutex<Option<Outcome>>>,
}

#[pymethods]
impl Scan {
    #[new]
    #[pyo3(signature = (
        paths, *, elements = false, part = None, columns = None, limit = None, progress = None, raises = true, **arguments
    ))]
    #[allow(clippy::too_many_arguments, reason = "Python names each")]
    fn new(
        paths: &Bound<'_, PyAny>,
        elements: bool,
        part: Option<(u64, u64, u64, Option<String>)>,
        columns: Option<Vec<String>>,
        limit: Option<usize>,
        progress: Option<Py<PyAny>>,
        raises: bool,
        arguments: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let ask = Arc::new(ask(paths, arguments)?);
        let rows = match part {
            None if elements => Rows::Elements,
            None => Rows::Keys,
            Some(_) if elements || ask.dumps.len() != 1 => {
                return Err(PyValueError::new_err("part: of keys of one dump"));
            }
            Some((offset, db, until, version)) => Rows::Part(Part { from: Place { offset, db }, until, version }),
        };
        let scan = Self { ask, rows, columns, limit, raises, on_progress: progress, outcome: Arc::default() };
        // A wrong name of a column is told here, where it was typed.
        scan.projected(&scan.batches())?;
        Ok(scan)
    }

    /// The stream: a capsule, as the Arrow `PyCapsule` interface wants it.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface leaves it to us whether another schema is honoured; types are as they are.
        _ = requested_schema;
        let stream = FFI_ArrowArrayStream::new(Box::new(self.start(py)?));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// What was wrong with the dumps, once a stream was read to its end: a list of dicts with `path`, `offset`, `key` and `what`.
    #[getter]
    fn damage(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &*self.outcome.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok((_, errors))) => damage(py, errors),
            Some(Err(error)) => damage(py, std::slice::from_ref(error)),
            None => damage(py, &[]),
        }
    }

    /// What is worth knowing of the dumps and no damage, once a stream was read to its end.
    #[getter]
    fn notes(&self) -> Vec<String> {
        match &*self.outcome.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok((notes, _))) => notes.clone(),
            _ => Vec::new(),
        }
    }

    /// Raises what the latest stream ended by. Readers of a stream tell of its error only as text.
    fn raise_damage(&self, py: Python<'_>) -> PyResult<()> {
        match &*self.outcome.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok((_, errors))) => errors.first().map_or(Ok(()), |error| Err(exception(py, error))),
            Some(Err(error)) => Err(exception(py, error)),
            None => Ok(()),
        }
    }
}

impl Scan {
    fn batches(&self) -> Batches {
        Batches::new(&self.ask.names())
    }

    /// The places of the columns that are wanted, and their schema.
    fn projected(&self, batches: &Batches) -> PyResult<(Option<Vec<usize>>, SchemaRef)> {
        let schema = match &self.rows {
            Rows::Keys | Rows::Part(_) => batches.schema().clone(),
            Rows::Elements => element_schema(),
        };
        let Some(columns) = &self.columns else { return Ok((None, schema)) };
        let wrong = |error: ArrowError| PyValueError::new_err(error.to_string());
        let places = columns.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let schema = schema.project(&places).map_err(wrong)?;
        Ok((Some(places), Arc::new(schema)))
    }

    fn start(&self, py: Python<'_>) -> PyResult<Stream> {
        let batches = self.batches();
        let (places, schema) = self.projected(&batches)?;
        let progress = Arc::new(Progress::default());
        let (sender, blocks) = sync_channel::<Block>(BLOCKS_WAITING);
        let (ask, rows, for_scan, outcome) =
            (self.ask.clone(), self.rows.clone(), progress.clone(), self.outcome.clone());
        thread::spawn(move || {
            let result = without_ends_of_readers(scan(&ask, rows, &sender, &for_scan), &for_scan);
            // It is there before the stream is seen to end, which it does when the sender is dropped.
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            drop(sender);
        });
        Ok(Stream {
            batches,
            places,
            schema,
            blocks: Some(blocks),
            progress,
            on_progress: self.on_progress.as_ref().map(|callable| callable.clone_ref(py)),
            rows_left: self.limit.unwrap_or(usize::MAX),
            raises: self.raises,
            outcome: self.outcome.clone(),
        })
    }
}

/// The outcome, in which it is no error that nobody reads on.
fn without_ends_of_readers(outcome: Outcome, progress: &Progress) -> Outcome {
    if !progress.is_cancelled() {
        return outcome;
    }
    let is_end = |error: &Error| match &error.cause {
        ErrorKind::Cancelled { .. } => true,
        ErrorKind::Io { source, .. } => source.kind() == io::ErrorKind::BrokenPipe,
        _ => false,
    };
    match outcome {
        Ok((notes, mut errors)) => {
            errors.retain(|error| !is_end(error));
            Ok((notes, errors))
        }
        Err(error) if is_end(&error) => Ok((Vec::new(), Vec::new())),
        Err(error) => Err(error),
    }
}

/// Scans until all is read, or nobody reads on.
fn scan(ask: &Ask, rows: Rows, sender: &SyncSender<Block>, progress: &Arc<Progress>) -> Outcome {
    let Ask { dumps, question, options } = ask;
    let on_block = |block| {
        if sender.send(Block::Keys(block)).is_err() {
            progress.cancel();
        }
    };
    match rows {
        Rows::Keys => bigkeys::row_blocks_all(dumps, question, options, progress, BLOCK_ROWS, on_block),
        Rows::Part(part) => {
            let scanned = dumps.iter().map(|dump| part_rows(dump, &part, question, progress, BLOCK_ROWS, on_block));
            let errors = scanned.collect::<Result<Vec<_>, _>>()?;
            Ok((Vec::new(), errors.into_iter().flatten().collect()))
        }
        Rows::Elements => {
            let names = ask.names();
            let (sender, for_batch) = (sender.clone(), progress.clone());
            let file = Arc::new(Mutex::new(ElementFile::batches(move |batch| {
                sender.send(Block::Elements(batch)).map_err(|_| {
                    for_batch.cancel();
                    io::ErrorKind::BrokenPipe.into()
                })
            })));
            let exported =
                export_all(dumps, &question.filter, options, progress, |_| ElementColumns::new(&names, file.clone()))?;
            let file = Arc::into_inner(file).map(|file| file.into_inner().unwrap_or_else(PoisonError::into_inner));
            if let Some(Err(source)) = file.map(|file| file.finish(&names)) {
                let dump = names.first().cloned().unwrap_or_default();
                return Err(Error::new(dump, ErrorKind::Io { doing: "hand its elements on", source }));
            }
            Ok((exported.notes, exported.errors))
        }
    }
}

/// The reading end. It does not borrow from Python, and ends the scan when it is dropped.
struct Stream {
    batches: Batches,
    places: Option<Vec<usize>>,
    schema: SchemaRef,
    /// None once the stream has ended.
    blocks: Option<Receiver<Block>>,
    progress: Arc<Progress>,
    on_progress: Option<Py<PyAny>>,
    rows_left: usize,
    raises: bool,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Stream {
    /// # Errors
    /// What a signal's handler or the callable raised, as text: a stream has no other place for it.
    fn tell(&self) -> Result<(), ArrowError> {
        Python::attach(|py| {
            let on_progress = self.on_progress.as_ref().map(|callable| callable.bind(py));
            tell(py, on_progress, &self.progress).map_err(|error| ArrowError::ExternalError(error.into()))
        })
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(blocks) = self.blocks.as_ref().filter(|_| self.rows_left > 0) else { return Ok(None) };
        let block = loop {
            match blocks.recv_timeout(EVERY) {
                Ok(block) => break block,
                Err(RecvTimeoutError::Timeout) => self.tell()?,
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        };
        self.tell()?;
        let mut batch = match block {
            Block::Keys(rows) => self.batches.of(rows)?,
            Block::Elements(batch) => batch,
        };
        if let Some(places) = &self.places {
            batch = batch.project(places)?;
        }
        let rows = batch.num_rows().min(self.rows_left);
        self.rows_left -= rows;
        Ok(Some(batch.slice(0, rows)))
    }

    /// The stream's end: nothing, or what was wrong.
    fn end(&self) -> Result<Option<RecordBatch>, ArrowError> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match &*outcome {
            Some(Ok((_, errors))) => match errors.first().filter(|_| self.raises) {
                Some(error) => Err(ArrowError::ExternalError(error.to_string().into())),
                None => Ok(None),
            },
            Some(Err(error)) => Err(ArrowError::ExternalError(error.to_string().into())),
            None => Err(ArrowError::ExternalError("the scan ended by a fault of the program".into())),
        }
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().transpose();
        if !matches!(read, Some(Ok(_))) {
            self.progress.cancel();
            self.blocks = None;
        }
        read
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.progress.cancel();
    }
}
