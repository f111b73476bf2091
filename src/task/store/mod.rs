//! Tasks that outlive the program: an SQLite database in WAL mode, which any number of processes may open at once.
//!
//! Each change is one transaction on the disk before it is answered, so a program that is killed leaves every finished
//! task whole and none half-written. In `schema.rs` are the tables, in `queue.rs` what happens to a task between its
//! creation and its end, in `read.rs`, `details.rs` and `history.rs` what is asked of tasks, in `schedule.rs` the settings of automatic ones, in `once.rs`
//! signatures that were used, in `upkeep.rs` what an operator does to the file, in `reserve.rs` what is left of a full disk.

mod details;
mod error;
mod history;
mod once;
mod queue;
mod read;
mod reserve;
mod schedule;
mod schema;
#[cfg(test)]
mod tests;
mod upkeep;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use details::{Details, DumpDetails};
pub use error::StoreError;
pub use history::{BiggestKeys, NodeBytes};
pub use once::Once;
pub use queue::{Claim, Ended, NewTask, Recovered, STARTS_MAX, TASKS_KEPT};
pub use read::{Counts, Listing, Outcome, Query, TaskRecord};
pub use schedule::Autoscan;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// How long a change waits for those of other processes if nobody says how long.
const BUSY: Duration = Duration::from_secs(10);

/// Readers that are kept open between questions.
const IDLE_READERS_MAX: usize = 8;

/// Which analysis a task is about; each has its own one at a time in an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// The big key analysis.
    #[default]
    BigKeys,
    /// The hot key analysis.
    HotKeys,
    /// The expired key scan.
    ExpiredKeys,
    /// The offline key analysis: bytes, prefixes and totals.
    Offline,
}

impl TaskKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::BigKeys, Self::HotKeys, Self::ExpiredKeys, Self::Offline];

    /// The kind's name in the store and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::BigKeys => "bigkey",
            Self::HotKeys => "hotkey",
            Self::ExpiredKeys => "expiredkey",
            Self::Offline => "offline",
        }
    }

    fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_default()
    }
}

/// A store of tasks.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// In WAL mode readers do not wait for the writer, so they have connections of their own.
    readers: Mutex<Vec<Connection>>,
    /// How long a change waits for those of other processes.
    busy: Duration,
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
        Self::open_with(path, BUSY)
    }

    /// Opens a store as [`Store::open`] does; a change waits at most `busy` for those of other processes. On a full disk it
    /// takes up what [`Store::keep_reserve`] has kept.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(path: impl Into<PathBuf>, busy: Duration) -> Result<Self, StoreError> {
        let path = path.into();
        match Self::try_open(&path, busy) {
            Err(error) if error.is_full() && reserve::give(&path) => Self::try_open(&path, busy),
            opened => opened,
        }
    }

    fn try_open(path: &Path, busy: Duration) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut writer = connect(path, busy)?;
        // Before anything is written: the file may be another program's.
        schema::migrate(&mut writer)?;
        writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default(), busy })
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

    /// A connection for what is no transaction, or runs in none.
    fn connection(&self) -> Result<Connection, StoreError> {
        connect(&self.path, self.busy)
    }

    /// Changes the store: all of `change`, or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Changes the store as [`Store::write`] does, and on a full disk takes up the reserve: for what makes room, and for what
    /// would be lost.
    fn write_at_any_price<T>(
        &self,
        mut change: impl FnMut(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.write(&mut change) {
            Err(error) if error.is_full() && reserve::give(&self.path) => self.write(change),
            written => written,
        }
    }

    /// Asks the store: `question` sees one state of it, whatever others change meanwhile.
    fn read<T>(&self, question: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path, self.busy)?,
        };
        let value = question(&reader.transaction()?)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS_MAX {
            readers.push(reader);
        }
        Ok(value)
    }
}

fn connect(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    // Without leave to create it: a store that was moved away is not replaced by an empty one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    // On the disk before it is answered: what was accepted or finished outlives the machine's end as well.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Milliseconds since 1970, as the tables have moments.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
