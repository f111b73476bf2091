//! What is asked of the tasks: one with its keys, a page of the list, how an ended one came out, how many there are.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::{Store, StoreError, TaskKind, now_ms};
use crate::engine::Dump;
use crate::task::model::{milliseconds, milliseconds_of};
use crate::task::{KeyRecord, OfflineNumbers, OfflineRequest, ScanType, Status, Task};

/// Which tasks a list is about, and which page of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// Tasks of this kind.
    pub kind: TaskKind,
    /// Only this instance's.
    pub instance_id: Option<String>,
    /// Only those in this state.
    pub status: Option<Status>,
    /// How many of the newest are passed over.
    pub offset: u64,
    /// How many come.
    pub limit: u64,
}

/// A page of a list of tasks, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The instance that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// How many tasks the list has, on all its pages.
    pub count: u64,
    /// The page.
    pub records: Vec<TaskRecord>,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRecord {
    /// The task's UUID.
    pub id: String,
    /// The instance's ID, for those who did not ask for one.
    #[serde(skip)]
    pub instance_id: String,
    /// How far the task is.
    pub status: Status,
    /// Who asked for it.
    pub scan_type: ScanType,
    /// When it was created.
    #[serde(serialize_with = "milliseconds")]
    pub created_at: Timestamp,
    /// When it was started.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many big keys it found, which the published list does not say.
    #[serde(skip)]
    pub num: u64,
}

/// What the task's JSON has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why the task failed.
    pub reason: Option<String>,
    /// The dumps that it is about.
    pub dumps: Vec<Dump>,
}

/// How much work there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks in each state, in the order of [`Status::ALL`].
    pub tasks: [u64; Status::ALL.len()],
    /// How long the task has waited that has waited longest, in milliseconds; 0 if none waits.
    pub queue_age_ms: u64,
}

impl Store {
    /// A task with its keys; `instance_id` narrows down whose it may be.
    ///
    /// # Errors
    /// [`StoreError::NoTask`].
    pub fn show(&self, kind: TaskKind, instance_id: Option<&str>, id: &str) -> Result<Task, StoreError> {
        self.read(|transaction| task(transaction, kind, instance_id, id).map(|(_, task)| task))
    }

    /// Whether there is a task that has ended.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn has_ended(&self, kind: TaskKind, instance_id: &str, id: &str) -> Result<bool, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT 1 FROM task WHERE id = ?1 AND kind = ?2 AND instance_id = ?3 AND status IN ('success', 'failed')",
            )?;
            Ok(select.exists(params![id, kind.name(), instance_id])?)
        })
    }

    /// Why a task failed, and its dumps.
    ///
    /// # Errors
    /// [`StoreError::NoTask`].
    pub fn outcome(&self, id: &str) -> Result<Outcome, StoreError> {
        self.read(|transaction| {
            let row = transaction
                .query_row("SELECT seq, reason FROM task WHERE id = ?1", [id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (seq, reason) = row.ok_or(StoreError::NoTask)?;
            Ok(Outcome { reason, dumps: dumps(transaction, seq)? })
        })
    }

    /// What was asked of an offline key analysis, and what it found once it has ended.
    ///
    /// # Errors
    /// [`StoreError::NoTask`].
    pub fn offline(
        &self,
        instance_id: &str,
        id: &str,
    ) -> Result<(Task, OfflineRequest, Option<OfflineNumbers>), StoreError> {
        self.read(|transaction| {
            let (seq, task) = task(transaction, TaskKind::Offline, Some(instance_id), id)?;
            let sql = "SELECT node_id, backup_id, report FROM offline WHERE task = ?1";
            let (request, report) = transaction.query_row(sql, [seq], |row| {
                Ok((OfflineRequest { node_id: row.get(0)?, backup_id: row.get(1)? }, row.get::<_, Option<String>>(2)?))
            })?;
            let report = report.as_deref().map(serde_json::from_str).transpose().map_err(StoreError::Json)?;
            Ok((task, request, report))
        })
    }

    /// A number that grows with every change of a task, by whichever program.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn task_changes(&self) -> Result<i64, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached("SELECT number FROM task_changes")?;
            Ok(select.query_row([], |row| row.get(0))?)
        })
    }

    /// A page of a list of tasks.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn list(&self, query: &Query) -> Result<Listing, StoreError> {
        const WHERE: &str = "kind = ?1 AND (?2 IS NULL OR instance_id = ?2) AND (?3 IS NULL OR status = ?3)";
        // With the instance as it stands its index is used; an `OR` would read every task.
        let condition = if query.instance_id.is_some() {
            WHERE.replacen("(?2 IS NULL OR instance_id = ?2)", "instance_id = ?2", 1)
        } else {
            WHERE.to_owned()
        };
        let (kind, status) = (query.kind.name(), query.status.map(Status::name));
        self.read(|transaction| {
            let count = transaction
                .prepare_cached(&format!("SELECT count(*) FROM task WHERE {condition}"))?
                .query_row(params![kind, query.instance_id, status], |row| row.get::<_, i64>(0))?;
            let mut select = transaction.prepare_cached(&format!(
                "SELECT id, instance_id, status, scan_type, created_at_ms, started_at_ms, finished_at_ms, num FROM task
                 WHERE {condition} ORDER BY seq DESC LIMIT ?4 OFFSET ?5"
            ))?;
            let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let page = params![kind, query.instance_id, status, signed(query.limit), signed(query.offset)];
            let records = select.query_map(page, |row| {
                Ok(TaskRecord {
                    id: row.get(0)?,
                    instance_id: row.get(1)?,
                    status: row.get(2)?,
                    scan_type: row.get(3)?,
                    created_at: moment(row, 4)?,
                    started_at: optional_moment(row, 5)?,
                    finished_at: optional_moment(row, 6)?,
                    num: row.get(7)?,
                })
            })?;
            let records = records.collect::<Result<_, _>>()?;
            Ok(Listing { instance_id: query.instance_id.clone(), count: count.cast_unsigned(), records })
        })
    }

    /// When the last task of each instance and kind succeeded.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn last_successes(&self) -> Result<Vec<(String, TaskKind, Timestamp)>, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare(
                "SELECT instance_id, kind, max(finished_at_ms) FROM task WHERE status = 'success' GROUP BY kind, instance_id",
            )?;
            let rows = select.query_map([], |row| {
                Ok((row.get(0)?, TaskKind::of(row.get_ref(1)?.as_str()?), moment(row, 2)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many tasks there are in each state, and how long the queue is in time.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|transaction| {
            let mut counts = Counts::default();
            let mut select = transaction.prepare_cached("SELECT status, tasks FROM task_count")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, Status>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                let (status, tasks) = row?;
                if let Some(count) = counts.tasks.get_mut(status as usize) {
                    *count = tasks.cast_unsigned();
                }
            }
            let sql = "SELECT created_at_ms FROM task WHERE status = 'waiting' ORDER BY seq LIMIT 1";
            let oldest: Option<i64> = transaction.query_row(sql, [], |row| row.get(0)).optional()?;
            counts.queue_age_ms = oldest.map_or(0, |oldest| u64::try_from(now_ms() - oldest).unwrap_or(0));
            Ok(counts)
        })
    }
}

/// A task's dumps, in their order.
pub(super) fn dumps(transaction: &Transaction<'_>, seq: i64) -> Result<Vec<Dump>, StoreError> {
    let mut select = transaction.prepare_cached("SELECT path, shard FROM task_dump WHERE task = ?1 ORDER BY place")?;
    let dumps = select.query_map([seq], |row| {
        let path = PathBuf::from(OsString::from_vec(row.get(0)?));
        Ok(Dump { path, shard: row.get(1)?, payload_key: None })
    })?;
    Ok(dumps.collect::<Result<_, _>>()?)
}

/// A task with its keys, and its place in the tables.
pub(super) fn task(
    transaction: &Transaction<'_>,
    kind: TaskKind,
    instance_id: Option<&str>,
    id: &str,
) -> Result<(i64, Task), StoreError> {
    let mut select = transaction.prepare_cached(
        "SELECT seq, id, instance_id, status, scan_type, created_at_ms, started_at_ms, finished_at_ms, num FROM task
         WHERE id = ?1 AND kind = ?2 AND (?3 IS NULL OR instance_id = ?3)",
    )?;
    let found = select.query_row(params![id, kind.name(), instance_id], |row| {
        let task = Task {
            id: row.get(1)?,
            instance_id: row.get(2)?,
            status: row.get(3)?,
            scan_type: row.get(4)?,
            created_at: moment(row, 5)?,
            started_at: optional_moment(row, 6)?,
            finished_at: optional_moment(row, 7)?,
            num: row.get(8)?,
            keys: None,
        };
        Ok((row.get(0)?, task))
    });
    let (seq, mut task) = found.optional()?.ok_or(StoreError::NoTask)?;
    if matches!(task.status, Status::Success | Status::Failed) {
        task.keys = Some(keys(transaction, seq)?);
    }
    Ok((seq, task))
}

fn keys(transaction: &Transaction<'_>, seq: i64) -> Result<Vec<KeyRecord>, StoreError> {
    let mut select = transaction.prepare_cached(
        "SELECT name, name_base64, type, shard, db, size, unit, freq FROM task_key WHERE task = ?1 ORDER BY place",
    )?;
    let keys = select.query_map([seq], |row| {
        Ok(KeyRecord {
            name: row.get(0)?,
            name_base64: row.get(1)?,
            type_name: row.get(2)?,
            shard: row.get(3)?,
            db: row.get::<_, i64>(4)?.cast_unsigned(),
            size: row.get::<_, i64>(5)?.cast_unsigned(),
            unit: if row.get_ref(6)?.as_str()? == "byte" { "byte" } else { "count" },
            freq: row.get(7)?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let ms = row.get(column)?;
    Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, ms))
}

fn optional_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(None) } else { moment(row, column).map(Some) }
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for ScanType {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|scan_type| scan_type.name() == name).ok_or(FromSqlError::InvalidType)
    }
}
