//! Errors as Python's exceptions.

use bigkeys::{Error, ErrorKind};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyFileNotFoundError, PyOSError};
use pyo3::prelude::*;

create_exception!(
    bigkeys,
    DumpError,
    PyException,
    "A dump is damaged or refused. `path` is the dump, `offset` the byte (None if it is not about one), `key` the name of the \
     key that was being read (bytes or None)."
);

/// The exception for an error of the library.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let sentence = error.to_string();
    if let ErrorKind::Io { source, .. } = &error.cause {
        return match source.kind() {
            std::io::ErrorKind::NotFound => PyFileNotFoundError::new_err(sentence),
            _ => PyOSError::new_err(sentence),
        };
    }
    let exception = DumpError::new_err(sentence);
    let value = exception.value(py);
    let (offset, key) = place(error);
    let set = value
        .setattr("path", &error.dump)
        .and_then(|()| value.setattr("offset", offset))
        .and_then(|()| value.setattr("key", key));
    set.err().unwrap_or(exception)
}

/// Where an error is: the byte, and the key that was being read.
fn place(error: &Error) -> (Option<u64>, Option<&[u8]>) {
    match &error.cause {
        ErrorKind::Damaged { damage, .. } => {
            (Some(damage.error.offset), damage.key.as_ref().map(|(name, _)| name.as_slice()))
        }
        ErrorKind::Skipped { from, .. } => (Some(*from), None),
        ErrorKind::Checksum { offset, .. } | ErrorKind::Trailing { offset, .. } => (Some(*offset), None),
        _ => (None, None),
    }
}

/// What was wrong with dumps, as `report` and `scan` tell it: a dict each.
pub(crate) fn damage(py: Python<'_>, errors: &[Error]) -> PyResult<Py<PyAny>> {
    let list = pyo3::types::PyList::empty(py);
    for error in errors {
        let entry = pyo3::types::PyDict::new(py);
        let (offset, key) = place(error);
        entry.set_item("path", &error.dump)?;
        entry.set_item("offset", offset)?;
        entry.set_item("key", key)?;
        entry.set_item("what", error.to_string())?;
        list.append(entry)?;
    }
    Ok(list.into_any().unbind())
}
