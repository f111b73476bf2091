//! What leaves as JSON of two moments, or of a dump and a server: digests and differences.

use bigkeys::compare::{self, Difference, DumpDigest, KeyQuestion};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::ask::ask;
use crate::errors::{damage, exception};
use crate::report::{Report, json};
use crate::waiting::wait;

/// The digest of each dump as JSON, and what was wrong with it.
#[pyfunction]
#[pyo3(signature = (paths, *, progress = None, raises = true, **arguments))]
pub(crate) fn digest<'py>(
    py: Python<'py>,
    paths: &Bound<'py, PyAny>,
    progress: Option<&Bound<'py, PyAny>>,
    raises: bool,
    arguments: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyList>> {
    let ask = ask(paths, arguments)?;
    let found = wait(py, progress, move |progress| {
        let of = |dump| compare::digest(dump, &ask.question.filter, ask.question.target, &ask.options, progress);
        ask.dumps.iter().map(of).collect::<Result<Vec<_>, _>>()
    })?;
    let digests = PyList::empty(py);
    for (digest, exported) in found.map_err(|error| exception(py, &error))? {
        let digest: DumpDigest = digest;
        if let Some(error) = exported.errors.first().filter(|_| raises) {
            return Err(exception(py, error));
        }
        digests.append((json(&digest)?, damage(py, &exported.errors)?))?;
    }
    Ok(digests)
}

/// What two reports differ in, as JSON.
#[pyfunction]
#[pyo3(signature = (old, new, *, maxmemory = None))]
pub(crate) fn diff_reports(old: &Report, new: &Report, maxmemory: Option<u64>) -> PyResult<String> {
    json(&Difference::of_reports(&old.content, &new.content, maxmemory).map_err(PyValueError::new_err)?)
}

/// What became of the keys from one dump to another, as JSON; each is read several times.
#[pyfunction]
#[pyo3(signature = (old, new, *, progress = None, **arguments))]
pub(crate) fn diff_keys(
    py: Python<'_>,
    old: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
    arguments: Option<&Bound<'_, PyDict>>,
) -> PyResult<String> {
    let (old, new) = (ask(old, arguments)?, ask(new, arguments)?);
    let question = KeyQuestion {
        filter: old.question.filter,
        separators: old.question.separators,
        top: old.question.top,
        target: old.question.target,
        allocator: old.question.allocator,
        held_max: 0,
    };
    let ([old_dump], [new_dump]) = (&old.dumps[..], &new.dumps[..]) else {
        return Err(PyValueError::new_err("one dump on each side"));
    };
    let (old_dump, new_dump, options) = (old_dump.clone(), new_dump.clone(), old.options);
    let found =
        wait(py, progress, move |progress| compare::compare_keys(&old_dump, &new_dump, &question, &options, progress))?;
    // What is wrong with the dumps is told by their reports.
    let (changes, _) = found.map_err(|error| exception(py, &error))?;
    json(&changes)
}
