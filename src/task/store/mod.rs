//! Tasks that outlive the program: an SQLite database in WAL mode, which any number of processes may open at once.
//!
//! Each change is one transaction on the disk before it is answered, so a program that is killed leaves every finished
//! task whole and none half-written. In `schema.rs` are the tables, in `queue.rs` what happens to a task between its
//! creation and its end, in `read.rs` what is asked of tasks, in `schedule.rs` the settings of automatic ones.

mod error;
mod queue;
mod read;
mod schedule;
mod schema;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use error::StoreError;
pub use queue::{Claim, Ended, NewTask, Recovered, STARTS_MAX, TASKS_KEPT};
pub use read::{Counts, Listing, Outcome, Query, TaskRecord};
pub use schedule::Autoscan;

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// How long a change waits for those of other processes.
const BUSY_SECONDS_MAX: u64 = 10;

/// Readers that are kept open between questions.
const IDLE_READERS_MAX: usize = 8;

/// Which analysis a task is about; each has its own one at a time in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// The big key analysis.
    BigKeys,
    /// The offline key analysis: bytes, prefixes and totals.
    Offline,
}

impl TaskKind {
    fn name(self) -> &'static str {
        match self {
            Self::BigKeys => "bigkey",
            Self::Offline => "offline",
        }
    }
}

/// A store of tasks.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// In WAL mode readers do not wait for the writer, so they have connections of their own.
    readers: Mutex<Vec<Connection>>,
}

/// The right to work on a store's tasks, which one process has at a time; dropping it gives it back, and so does the
/// process's end, however it comes.
#[derive(Debug)]
pub struct WorkLock(#[allow(dead_code, reason = "it is there to be closed")] File);

impl Store {
    /// Where the store is if nobody says otherwise: in the user's data directory, by the XDG base directory specification.
    /// None without a home directory.
    pub fn default_path() -> Option<PathBuf> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
        Some(data.join("bigkeys").join("tasks.db"))
    }

    /// Opens a store, or makes it where there is none. A new one is for its owner's eyes alone, since it has names of keys.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Foreign`], [`StoreError::Newer`], or what SQLite answers.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        File::options().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let mut writer = connect(&path)?;
        // Before anything is written: the file may be another program's.
        schema::migrate(&mut writer)?;
        writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the right to work on the tasks; none if another process has it.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the lock's file cannot be made.
    pub fn lock_work(&self) -> Result<Option<WorkLock>, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(WorkLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Changes the store: all of `change`, or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Asks the store: `question` sees one state of it, whatever others change meanwhile.
    fn read<T>(&self, question: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path)?,
        };
        let value = question(&reader.transaction()?)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS_MAX {
            readers.push(reader);
        }
        Ok(value)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))?;
    // On the disk before it is answered: what was accepted or finished outlives the machine's end as well.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Milliseconds since 1970, as the tables have moments.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
