//! Why the service could not run.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::task::StoreError;

/// Why the service could not run.
#[derive(Debug)]
pub enum ServeError {
    /// Nobody said where the store is, and there is no home directory.
    NoStore,
    /// The store cannot be opened, or cannot be worked on.
    Store(PathBuf, StoreError),
    /// Another process works on the store's tasks.
    Busy(PathBuf),
    /// A certificate or key cannot be used.
    Tls(PathBuf, String),
    /// The system's answer to what was tried.
    Io(String, io::Error),
}

impl std::error::Error for ServeError {}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => write!(f, "there is no home directory to keep tasks in: say where with `store`"),
            Self::Store(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Busy(path) => write!(f, "{}: another process works on these tasks", path.display()),
            Self::Tls(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Io(doing, error) => write!(f, "could not {doing}: {error}"),
        }
    }
}
