//! `bigkeys` for Python: thin functions over the library. Rows leave as Arrow's C stream, so no value is copied between Rust
//! and Python; everything else is small and leaves as JSON, of which Python makes its own objects.
//!
//! Nothing here holds Python's lock while a dump is read, and each wait looks for Ctrl-C.

mod ask;
mod compare;
mod errors;
mod range;
mod report;
mod scan;
mod waiting;

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;

/// The extension module; `bigkeys/__init__.py` is what people import.
#[pymodule]
mod _bigkeys {
    #[pymodule_export]
    use super::compare::{diff_keys, diff_reports, digest};
    #[pymodule_export]
    use super::errors::DumpError;
    #[pymodule_export]
    use super::range::{cut, join, range};
    #[pymodule_export]
    use super::report::{Report, check, load_report, report, task};
    #[pymodule_export]
    use super::scan::Scan;
    #[pymodule_export]
    use super::{main, matches, sizes};
}

/// The dumps that a path or a URL names, as text: Python's paths have no `//`. The pattern of a bucket names many.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, reason = "Python gives it away")]
fn matches(py: Python<'_>, path: PathBuf) -> PyResult<Vec<OsString>> {
    let found = py.detach(|| bigkeys::input::matches(&path)).map_err(|error| errors::exception(py, &error))?;
    Ok(found.into_iter().map(PathBuf::into_os_string).collect())
}

/// The same dumps, and how many bytes each stores, if that is known before it is read.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, reason = "Python gives it away")]
fn sizes(py: Python<'_>, path: PathBuf) -> PyResult<Vec<(OsString, Option<u64>)>> {
    let found = py.detach(|| bigkeys::input::listed(&path)).map_err(|error| errors::exception(py, &error))?;
    Ok(found.into_iter().map(|listed| (listed.path.into_os_string(), listed.look.stored_bytes)).collect())
}

/// Runs the program with these arguments, the first of which is its name; gives its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| bigkeys::cli::run(arguments))
}
