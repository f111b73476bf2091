//! What leaves as JSON: reports, tasks, checks.

use std::path::PathBuf;
use std::sync::Arc;

use bigkeys::findings::judge;
use bigkeys::output::table::{self, Look};
use bigkeys::report::Rules;
use bigkeys::task::{Task, Times};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::ask::ask;
use crate::errors::{damage, exception};
use crate::waiting::wait;

/// A report over one or many dumps: totals, types, databases, the largest keys, prefixes, times to live and more.
#[pyclass(module = "bigkeys", frozen)]
pub(crate) struct Report {
    pub(crate) content: bigkeys::report::Report,
    /// What is worth knowing and no damage.
    #[pyo3(get)]
    notes: Vec<String>,
    /// What was wrong with the dumps: a dict each, with `path`, `offset`, `key` and `what`.
    #[pyo3(get)]
    damage: Py<PyAny>,
}

#[pymethods]
impl Report {
    /// The report as JSON, as `bigkeys report --format json` prints it.
    fn to_json(&self) -> PyResult<String> {
        json(&self.content)
    }

    /// This report and another as one; both stay as they are. Raises `ValueError` if they do not fit: of different filters or
    /// moments, or of the same dump.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let mut report = self.content.clone();
        report.merge(other.content.clone()).map_err(PyValueError::new_err)?;
        report.findings = judge(&report, Rules::default());
        let both = self.damage.bind(py).add(other.damage.bind(py))?;
        let notes = self.notes.iter().chain(&other.notes).cloned().collect();
        Ok(Self { content: report, notes, damage: both.unbind() })
    }

    /// The report as a table of `width` columns, as `bigkeys report` prints it.
    #[pyo3(signature = (width = 100))]
    fn to_table(&self, width: usize) -> PyResult<String> {
        let mut text = Vec::new();
        table::write(&self.content, Look { width, has_colour: false }, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn __str__(&self) -> PyResult<String> {
        self.to_table(100)
    }

    fn __repr__(&self) -> String {
        let totals = &self.content.totals;
        format!("<bigkeys.Report of {} keys in {} dumps>", totals.keys, self.content.dumps.len())
    }
}

/// A value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A report over dumps, merged into one.
#[pyfunction]
#[pyo3(signature = (paths, *, progress = None, raises = true, **arguments))]
pub(crate) fn report(
    py: Python<'_>,
    paths: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
    raises: bool,
    arguments: Option<&Bound<'_, PyDict>>,
) -> PyResult<Report> {
    let ask = ask(paths, arguments)?;
    let found =
        wait(py, progress, move |progress| bigkeys::report_all(&ask.dumps, &ask.question, &ask.options, progress))?;
    let (mut report, notes, errors) = found.map_err(|error| exception(py, &error))?;
    if let Some(error) = errors.first().filter(|_| raises) {
        return Err(exception(py, error));
    }
    report.findings = judge(&report, Rules::default());
    Ok(Report { content: report, notes, damage: damage(py, &errors)? })
}

/// The report in a JSON text.
#[pyfunction]
pub(crate) fn load_report(py: Python<'_>, text: &str) -> PyResult<Report> {
    let report: bigkeys::report::Report =
        serde_json::from_str(text).map_err(|error| PyValueError::new_err(format!("not a bigkeys report: {error}")))?;
    report.check().map_err(PyValueError::new_err)?;
    Ok(Report { content: report, notes: Vec::new(), damage: damage(py, &[])? })
}

/// The big key analysis task of dumps, as JSON.
#[pyfunction]
#[pyo3(signature = (paths, *, progress = None, raises = true, all_types = false, task_id = None, instance_id = None, **arguments))]
#[allow(clippy::too_many_arguments, reason = "Python names each")]
pub(crate) fn task(
    py: Python<'_>,
    paths: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
    raises: bool,
    all_types: bool,
    task_id: Option<String>,
    instance_id: Option<String>,
    arguments: Option<&Bound<'_, PyDict>>,
) -> PyResult<String> {
    let mut ask = ask(paths, arguments)?;
    ask.options.question.all_kinds = all_types;
    let created_at = jiff::Timestamp::now();
    let found = wait(py, progress, move |progress| bigkeys::analyze_all(&ask.dumps, &ask.options, progress))?;
    let report = found.map_err(|error| exception(py, &error))?;
    if let Some(error) = report.damage.first().filter(|_| raises) {
        return Err(exception(py, error));
    }
    let id = || uuid::Uuid::new_v4().to_string();
    let times = Times { created_at, started_at: created_at, finished_at: jiff::Timestamp::now() };
    json(&Task::ended(task_id.unwrap_or_else(id), instance_id.unwrap_or_else(id), times, report))
}

/// What a dump is and whether it is sound, as JSON.
#[pyfunction]
#[pyo3(signature = (path, *, quick = false, resync = false, progress = None))]
pub(crate) fn check(
    py: Python<'_>,
    path: PathBuf,
    quick: bool,
    resync: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let mut options = bigkeys::check::Options::default();
    options.quick = quick;
    options.resync = resync;
    let found = wait(py, progress, move |progress: &Arc<bigkeys::Progress>| {
        progress.expect(path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len()));
        bigkeys::check::check_watched(&path, &options, progress)
    })?;
    json(&found.map_err(|error| exception(py, &error))?)
}
