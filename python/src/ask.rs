//! What is asked, from Python's arguments.

use std::path::PathBuf;

use bigkeys::analysis::filter::{BIG_ELEMENTS, BIG_STRING_BYTES, Expired, Filter};
use bigkeys::input::shown;
use bigkeys::memory::{Allocator, Target};
use bigkeys::rdb::Kind;
use bigkeys::report::Question;
use bigkeys::{Dump, Options, Pattern};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// What is asked, and of which dumps.
pub(crate) struct Ask {
    pub(crate) dumps: Vec<Dump>,
    pub(crate) question: Question,
    pub(crate) options: Options,
}

impl Ask {
    /// What the dumps are called in rows.
    pub(crate) fn names(&self) -> Vec<String> {
        self.dumps.iter().map(|dump| shown(&dump.path)).collect()
    }
}

/// One of something, or a list of them.
fn several<'py, T>(value: &Bound<'py, PyAny>) -> PyResult<Vec<T>>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let is_one = value.is_instance_of::<pyo3::types::PyString>() || value.is_instance_of::<PyBytes>();
    if !is_one && let Ok(items) = value.try_iter() {
        return items.map(|item| item.and_then(|item| item.extract().map_err(Into::into))).collect();
    }
    Ok(vec![value.extract().map_err(Into::into)?])
}

/// A name or pattern: text or bytes.
#[derive(FromPyObject)]
enum Text {
    Text(String),
    Bytes(Vec<u8>),
}

impl Text {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

fn wrong(what: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(what.to_string())
}

/// The dumps, and what the keyword arguments ask of them.
///
/// # Errors
/// `ValueError` or `TypeError` with the argument's name.
pub(crate) fn ask(paths: &Bound<'_, PyAny>, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Ask> {
    let paths: Vec<PathBuf> = several(paths)?;
    if paths.is_empty() {
        return Err(wrong("no dumps: give at least one path"));
    }
    let mut filter = Filter::default();
    let mut question = Question::default();
    let mut options = Options::default();
    for (name, value) in arguments.into_iter().flat_map(PyDictMethods::iter) {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        match name.as_str() {
            "db" => filter.databases = several(&value)?,
            "type" => {
                for name in several::<String>(&value)? {
                    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
                    let all = || Kind::ALL.map(Kind::name).join(", ");
                    filter.kinds.push(kind.ok_or_else(|| wrong(format!("type={name:?}: one of {}", all())))?);
                }
            }
            "match" => {
                for glob in several::<Text>(&value)? {
                    filter.patterns.push(Pattern::glob_bytes(&glob.into_bytes()).map_err(wrong)?);
                }
            }
            "regex" => {
                for regex in several::<String>(&value)? {
                    filter.patterns.push(Pattern::regex(&regex).map_err(wrong)?);
                }
            }
            "min_bytes" => filter.min_bytes = value.extract()?,
            "min_elements" => filter.min_elements = value.extract()?,
            "big" => {
                if value.extract()? {
                    (filter.min_bytes, filter.min_elements) = (BIG_STRING_BYTES + 1, BIG_ELEMENTS + 1);
                }
            }
            "expired" => {
                filter.expired = match value.extract::<String>()?.as_str() {
                    "keep" => Expired::Keep,
                    "skip" => Expired::Skip,
                    "only" => Expired::Only,
                    other => return Err(wrong(format!("expired={other:?}: one of keep, skip, only"))),
                }
            }
            "now_ms" => filter.now_ms = Some(value.extract()?),
            "target" => {
                question.target = Some(value.extract::<String>()?.parse::<Target>().map_err(wrong)?);
            }
            "allocator" => question.allocator = value.extract::<String>()?.parse::<Allocator>().map_err(wrong)?,
            "top" => question.top = value.extract()?,
            "separators" => question.separators = value.extract::<Text>()?.into_bytes(),
            "slots" => question.has_slots = value.extract()?,
            "threads" => options.threads = value.extract()?,
            "verify" => options.verify = value.extract()?,
            "resync" => options.resync = value.extract()?,
            _ => return Err(pyo3::exceptions::PyTypeError::new_err(format!("unexpected argument {name:?}"))),
        }
    }
    question.filter = filter.clone();
    options.question.filter = filter;
    options.question.top = question.top;
    Ok(Ask { dumps: paths.into_iter().map(Dump::from).collect(), question, options })
}
