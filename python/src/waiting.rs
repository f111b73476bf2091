//! Work that Python waits for: without its lock, with an eye on Ctrl-C, and with a word on how far it is.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bigkeys::Progress;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often Ctrl-C is looked for and progress is told.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

/// Does `work` in a thread of its own while this one looks for signals and calls `on_progress(done_bytes, total_bytes or None)`.
///
/// # Errors
/// What a signal's handler raised (`KeyboardInterrupt`), or the callable; the work has ended by then.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    on_progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Arc<Progress>) -> T + Send + 'static,
) -> PyResult<T> {
    let progress = Arc::new(Progress::default());
    let (sender, receiver) = sync_channel(1);
    // Whoever waits without Python's lock must hold nothing that only one thread may look at.
    let receiver = Mutex::new(receiver);
    let for_work = progress.clone();
    let worker = std::thread::spawn(move || {
        // Whoever waits has gone only if this process ends.
        _ = sender.send(work(&for_work));
    });
    let mut raised = None;
    let done = loop {
        match py.detach(|| receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(EVERY)) {
            Ok(done) => break Some(done),
            Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                raised = tell(py, on_progress, &progress).err();
                if raised.is_some() {
                    progress.cancel();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    if raised.is_none() {
        raised = tell(py, on_progress, &progress).err();
    }
    let panicked = py.detach(|| worker.join()).is_err();
    match (done, raised) {
        (_, Some(raised)) => Err(raised),
        (Some(done), None) if !panicked => Ok(done),
        _ => Err(PyRuntimeError::new_err("the scan ended by a fault of the program")),
    }
}

/// Looks for signals, and tells how far the work is.
pub(crate) fn tell(py: Python<'_>, on_progress: Option<&Bound<'_, PyAny>>, progress: &Progress) -> PyResult<()> {
    py.check_signals()?;
    if let Some(on_progress) = on_progress {
        on_progress.call1((progress.done_bytes(), progress.total_bytes()))?;
    }
    Ok(())
}
