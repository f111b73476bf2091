//! What an operator does to a store's file: check it, copy it, make it smaller, leave it whole.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::ffi;

use super::{Store, StoreError, reserve};

impl Store {
    /// Sees to it that room is kept on the disk for ends of tasks, deletions and the next start; once it was needed, it is kept
    /// again as soon as there is enough.
    ///
    /// # Errors
    /// The system's answer; then no room is kept.
    pub fn keep_reserve(&self) -> io::Result<()> {
        reserve::keep(self.path())
    }

    /// Room on the store's disk.
    ///
    /// # Errors
    /// The system's answer.
    pub fn free_bytes(&self) -> io::Result<u64> {
        reserve::free_bytes(self.path())
    }

    /// Reads every page of the database, and looks whether it fits together. `is_whole` also compares indexes with tables and
    /// follows references, which takes several times as long.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found first.
    pub fn check(&self, is_whole: bool) -> Result<(), StoreError> {
        self.read(|transaction| {
            let pragma = if is_whole { "PRAGMA integrity_check(1)" } else { "PRAGMA quick_check(1)" };
            let found: String = transaction.query_row(pragma, [], |row| row.get(0))?;
            if found != "ok" {
                return Err(StoreError::Damaged(found.replace('\n', " ")));
            }
            if is_whole && transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
                return Err(StoreError::Damaged("a key or a dump belongs to no task".to_owned()));
            }
            Ok(())
        })
    }

    /// Copies the store into a new file, as it is at this moment, whoever uses it meanwhile. The copy has no gaps.
    ///
    /// # Errors
    /// [`StoreError::Copy`] if the file is there already or cannot be written; what SQLite answers. Then there is no copy.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let could_not = |error| StoreError::Copy(to.to_owned(), error);
        // It has names of keys, so it is for its owner alone from its first byte on; SQLite takes an empty file.
        File::options().write(true).create_new(true).mode(0o600).open(to).map_err(could_not)?;
        let name = to.to_str().ok_or_else(|| could_not(io::Error::other("its name is not UTF-8")));
        let copied = name.and_then(|name| Ok(self.connection()?.execute("VACUUM INTO ?1", [name])?));
        if copied.is_err() {
            _ = fs::remove_file(to);
        }
        copied?;
        File::open(to).and_then(|copy| copy.sync_all()).map_err(could_not)
    }

    /// Gives the room of what was deleted back to the disk.
    ///
    /// # Errors
    /// What SQLite answers: among others that another process uses the store.
    pub fn vacuum(&self) -> Result<(), StoreError> {
        let connection = self.connection()?;
        connection.execute_batch("VACUUM")?;
        drop(connection);
        self.checkpoint()
    }

    /// Brings all that is in SQLite's log into the database file, which is then whole by itself.
    ///
    /// # Errors
    /// What SQLite answers; that the store is busy if others used it all the while.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let is_busy =
            self.connection()?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
        if is_busy {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into());
        }
        Ok(())
    }

    /// Looks whether the store can be changed now, without changing it.
    ///
    /// # Errors
    /// Why not.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        if reserve::is_given(self.path()) {
            return Err(StoreError::Full);
        }
        Ok(self.connection()?.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?)
    }
}
