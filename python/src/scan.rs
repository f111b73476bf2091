//! Rows as an Arrow stream: a thread scans, whoever reads the stream takes batch by batch, and a few blocks wait between them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use bigkeys::output::batch::{BLOCK_ROWS, Batches};
use bigkeys::report::RowBlock;
use bigkeys::{Error, Progress};
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

/// Rows of dumps, a row a key. Every reader of the stream scans anew.
#[pyclass(module = "bigkeys", frozen)]
pub(crate) struct Scan {
    ask: Arc<Ask>,
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
    #[pyo3(signature = (paths, *, columns = None, limit = None, progress = None, raises = true, **arguments))]
    fn new(
        paths: &Bound<'_, PyAny>,
        columns: Option<Vec<String>>,
        limit: Option<usize>,
        progress: Option<Py<PyAny>>,
        raises: bool,
        arguments: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let ask = Arc::new(ask(paths, arguments)?);
        let scan = Self { ask, columns, limit, raises, on_progress: progress, outcome: Arc::default() };
        // A wrong name of a column is told here, where it was typed.
        scan.projected(&scan.batches())?;
        Ok(scan)
    }

    /// The stream: a capsule, as the Arrow PyCapsule interface wants it.
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
        let names: Vec<String> = self.ask.dumps.iter().map(|dump| dump.path.display().to_string()).collect();
        Batches::new(&names)
    }

    /// The places of the columns that are wanted, and their schema.
    fn projected(&self, batches: &Batches) -> PyResult<(Option<Vec<usize>>, SchemaRef)> {
        let schema = batches.schema().clone();
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
        let (sender, blocks) = sync_channel::<RowBlock>(BLOCKS_WAITING);
        let (ask, for_scan, outcome) = (self.ask.clone(), progress.clone(), self.outcome.clone());
        thread::spawn(move || {
            let Ask { dumps, question, options } = &*ask;
            let result = bigkeys::row_blocks_all(dumps, question, options, &for_scan, BLOCK_ROWS, |block| {
                if sender.send(block).is_err() {
                    for_scan.cancel();
                }
            });
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

/// The reading end. It does not borrow from Python, and ends the scan when it is dropped.
struct Stream {
    batches: Batches,
    places: Option<Vec<usize>>,
    schema: SchemaRef,
    /// None once the stream has ended.
    blocks: Option<Receiver<RowBlock>>,
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
        let mut batch = self.batches.of(block)?;
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
