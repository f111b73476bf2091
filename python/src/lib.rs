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

use pyo3::prelude::*;

/// The extension module; `bigkeys/__init__.py` is what people import.
#[pymodule]
mod _bigkeys {
    #[pymodule_export]
    use super::compare::{diff_keys, diff_reports, digest};
    #[pymodule_export]
    use super::errors::DumpError;
    #[pymodule_export]
    use super::main;
    #[pymodule_export]
    use super::range::{cut, join, range};
    #[pymodule_export]
    use super::report::{Report, check, load_report, report, task};
    #[pymodule_export]
    use super::scan::Scan;
}

/// Runs the program with these arguments, the first of which is its name; gives its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| bigkeys::cli::run(arguments))
}
