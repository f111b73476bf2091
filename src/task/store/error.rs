//! Why the store does not do what it was asked.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

/// Why the store does not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// It keeps no task with this ID.
    NoTask,
    /// A task of this kind waits or runs for the instance; there is one at a time.
    Active,
    /// The task is being worked on, so it cannot be deleted.
    Running,
    /// The task has ended, so there is nothing to give up.
    Ended,
    /// The request's signature has changed something before.
    Replayed,
    /// The disk is full, and what was asked for is not worth the space that is reserved on it.
    Full,
    /// The database has lost something: what its own check says first.
    Damaged(String),
    /// A newer program wrote the store.
    Newer {
        /// The version of its tables.
        found: i32,
        /// The newest version that this program knows.
        known: i32,
    },
    /// The file is a database, but no store of tasks.
    Foreign,
    /// The file, or the folder it is in, cannot be made or opened.
    Io(io::Error),
    /// A copy of the store cannot be written.
    Copy(PathBuf, io::Error),
    /// The numbers of an offline key analysis cannot be written, or read back.
    Json(serde_json::Error),
    /// SQLite's own answer.
    Database(rusqlite::Error),
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Copy(_, error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTask => write!(f, "there is no such task"),
            Self::Active => write!(f, "a task of this instance waits or runs already, and there is one at a time"),
            Self::Running => write!(f, "the task is running, and a running task cannot be deleted"),
            Self::Ended => write!(f, "the task has ended"),
            Self::Replayed => write!(f, "the signature of this request was used before"),
            Self::Full => write!(f, "the store's disk is full"),
            Self::Damaged(what) => write!(
                f,
                "this store is damaged ({what}); restore a copy that `bigkeys store backup` made, or move the file away to \
                 start anew"
            ),
            Self::Newer { found, known } => write!(
                f,
                "a newer version of this program wrote this store (its tables are version {found}, this program knows \
                 {known})"
            ),
            Self::Foreign => write!(f, "this is a database of another program, not a store of tasks"),
            Self::Io(error) => write!(f, "could not open it: {error}"),
            Self::Copy(to, error) => write!(f, "could not write the copy {}: {error}", to.display()),
            Self::Json(error) => write!(f, "the numbers of an analysis: {error}"),
            Self::Database(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                write!(f, "this file is not an SQLite database")
            }
            Self::Database(error) => write!(f, "the store's database: {error}"),
        }
    }
}

impl StoreError {
    /// Whether another process holds the store, so that the same attempt may succeed later.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// Whether the disk has no room left.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let has_no_room = |code: i32| [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_SHMOPEN].contains(&code);
        match (error.sqlite_error_code(), error.sqlite_error()) {
            (Some(ErrorCode::DiskFull), _) => Self::Full,
            (_, Some(found)) if has_no_room(found.extended_code) => Self::Full,
            (Some(ErrorCode::DatabaseCorrupt), _) => Self::Damaged(error.to_string()),
            _ => Self::Database(error),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
