//! What the published JSON of a task has no place for: why it failed, which dumps it is about, and when they were written.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;

use super::{Store, StoreError};
use crate::error::name_text;
use crate::input;
use crate::task::model::milliseconds_of;

/// What a task's JSON has no place for. Dumps are named by their file names: where they are is the operator's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Why the task failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The dumps that it is about.
    pub dumps: Vec<DumpDetails>,
}

/// A dump of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DumpDetails {
    /// Its file name.
    pub name: String,
    /// `ip:port` of the shard, for those of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// When it was written, as far as that is known.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

impl Store {
    /// What the JSON of these tasks has no place for, in their order; none for a task that is gone.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn details(&self, ids: &[&str]) -> Result<Vec<Option<Details>>, StoreError> {
        self.read(|transaction| ids.iter().map(|id| details(transaction, id)).collect())
    }
}

impl Store {
    /// The dumps of an instance's newest big key analysis, and when they were written, in milliseconds since 1970.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn last_dumps(&self, instance_id: &str) -> Result<Vec<(PathBuf, Option<i64>)>, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT path, written_at_ms FROM task_dump
                 WHERE task = (SELECT max(seq) FROM task WHERE kind = 'bigkey' AND instance_id = ?1) ORDER BY place",
            )?;
            let dumps = select
                .query_map([instance_id], |row| Ok((PathBuf::from(OsString::from_vec(row.get(0)?)), row.get(1)?)))?;
            Ok(dumps.collect::<Result<_, _>>()?)
        })
    }
}

fn details(transaction: &Transaction<'_>, id: &str) -> Result<Option<Details>, StoreError> {
    let mut select = transaction.prepare_cached("SELECT seq, reason FROM task WHERE id = ?1")?;
    let found =
        select.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?))).optional()?;
    let Some((seq, mut reason)) = found else { return Ok(None) };
    let mut select = transaction
        .prepare_cached("SELECT path, shard, written_at_ms FROM task_dump WHERE task = ?1 ORDER BY place")?;
    let rows = select.query_map([seq], |row| {
        let path = PathBuf::from(OsString::from_vec(row.get(0)?));
        let written_at_ms: Option<i64> = row.get(2)?;
        Ok((path, row.get(1)?, written_at_ms))
    })?;
    let mut dumps = Vec::new();
    for row in rows {
        let (path, shard, written_at_ms) = row?;
        let (name, _) = name_text(input::file_name(&path));
        let shown = input::shown(&path);
        let folder = shown.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).filter(|folder| folder != "/");
        if let (Some(reason), Some(folder)) = (&mut reason, folder) {
            *reason = reason.replace(&folder, "");
        }
        let written_at = written_at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        dumps.push(DumpDetails { name, shard, written_at });
    }
    Ok(Some(Details { reason, dumps }))
}
