//! Ranges of one dump, for scans that several machines share. They travel between machines as JSON.

use std::path::PathBuf;

use bigkeys::engine::{self, Joined, Place, RangeScan};
use bigkeys::{Dump, Options};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::{damage, exception};
use crate::report::json;
use crate::waiting::wait;

/// Offset, database, until where, and of an object which version.
type PartOfDump = (u64, u64, u64, Option<String>);

/// The ranges that a dump is cut into; none of one that is to be scanned as a whole.
#[pyfunction]
pub(crate) fn cut(py: Python<'_>, path: PathBuf, range_bytes: u64) -> PyResult<Vec<(u64, u64)>> {
    let ranges = py.detach(|| engine::cut(&Dump::from(path), range_bytes)).map_err(|error| exception(py, &error))?;
    Ok(ranges.into_iter().map(|range| (range.start, range.end)).collect())
}

/// Where the scan of a range truly began and ended, as JSON.
#[pyfunction]
#[pyo3(signature = (path, start, end, *, place = None, verify = true, progress = None))]
pub(crate) fn range(
    py: Python<'_>,
    path: PathBuf,
    start: u64,
    end: u64,
    place: Option<(u64, u64)>,
    verify: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let place = place.map(|(offset, db)| Place { offset, db });
    let mut options = Options::default();
    options.verify = verify;
    let scan =
        wait(py, progress, move |progress| engine::range(&Dump::from(path), start..end, place, &options, progress))?;
    json(&scan.map_err(|error| exception(py, &error))?)
}

/// The parts that ranges, a JSON list of them, make together; the number of keys, and of ranges that were scanned again; notes and damage.
#[pyfunction]
#[pyo3(signature = (path, scans, *, progress = None))]
#[allow(clippy::type_complexity, reason = "a tuple for Python, which names its parts")]
pub(crate) fn join(
    py: Python<'_>,
    path: PathBuf,
    scans: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Vec<PartOfDump>, u64, u64, Vec<String>, Py<PyAny>)> {
    let scans: Vec<RangeScan> =
        serde_json::from_str(scans).map_err(|error| PyValueError::new_err(format!("not ranges: {error}")))?;
    let joined =
        wait(py, progress, move |progress| engine::join(&Dump::from(path), &scans, &Options::default(), progress))?;
    let Joined { parts, keys, rescanned, notes, errors } = joined.map_err(|error| exception(py, &error))?;
    let parts = parts.into_iter().map(|part| (part.from.offset, part.from.db, part.until, part.version)).collect();
    Ok((parts, keys, rescanned, notes, damage(py, &errors)?))
}
