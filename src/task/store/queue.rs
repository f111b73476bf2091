//! What happens to a task: created, claimed, ended, given back, taken up again after the program's end, deleted.

use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::once::{self, Once};
use super::read::{self, dumps, task};
use super::{Store, StoreError, TaskKind, now_ms, reserve, schedule};
use crate::engine::Dump;
use crate::task::{KeyRecord, OfflineNumbers, OfflineRequest, ScanType, Settled, Status, Task};

/// How many tasks of a kind are kept for an instance, as the task API keeps them.
pub const TASKS_KEPT: u32 = 100;

/// How often a task is started whose program ends without a word before it fails.
pub const STARTS_MAX: u32 = 3;

/// A task to be created.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Whose dumps they are.
    pub instance_id: String,
    /// Who asks.
    pub scan_type: ScanType,
    /// The dumps.
    pub dumps: Vec<Settled>,
    /// Which analysis.
    pub kind: TaskKind,
    /// What was asked of an offline key analysis; none for the others.
    pub offline: Option<OfflineRequest>,
}

/// A task that this process works on.
#[derive(Clone, Debug)]
pub struct Claim {
    seq: i64,
    /// How often it was started, this time included: who holds an older claim has lost it.
    start: u32,
    /// The task's ID.
    pub id: String,
    /// Whose dumps they are.
    pub instance_id: String,
    /// Which analysis.
    pub kind: TaskKind,
    /// The dumps.
    pub dumps: Vec<Dump>,
}

/// How a task ended.
#[derive(Debug)]
pub struct Ended {
    /// Why it failed; none for success.
    pub reason: Option<String>,
    /// How many keys were found: of expired ones all, of others those that are listed.
    pub num: u64,
    /// The big, hot or expired keys.
    pub keys: Vec<KeyRecord>,
    /// What an offline key analysis found.
    pub report: Option<OfflineNumbers>,
}

/// What was found of a program that ended while it worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Tasks that wait again.
    pub waiting: usize,
    /// Tasks that were started too often, and failed.
    pub failed: usize,
}

impl Ended {
    /// The end of a task that found nothing.
    pub fn failed(reason: String) -> Self {
        Self { reason: Some(reason), num: 0, keys: Vec::new(), report: None }
    }
}

impl Store {
    /// Creates a task that waits. Of the instance's tasks that have ended, the oldest go where there are too many.
    ///
    /// # Errors
    /// [`StoreError::Active`] while another task of this kind waits or runs for the instance.
    pub fn create(&self, new: &NewTask) -> Result<Task, StoreError> {
        self.create_once(new, None)
    }

    /// Creates a task for a request whose signature may change something once.
    ///
    /// # Errors
    /// As [`Store::create`]; [`StoreError::Replayed`] if nothing else speaks against it, and [`StoreError::Full`] while what is
    /// left of the disk is needed for the ends of tasks and for deletions.
    pub fn create_once(&self, new: &NewTask, once: Option<&Once>) -> Result<Task, StoreError> {
        self.write(|transaction| {
            if reserve::is_given(self.path()) {
                return Err(StoreError::Full);
            }
            create(transaction, new, once)
        })
    }

    /// Creates a task for a minute (since 1970) of an instance's schedule; none if the minute was taken before, also by a
    /// program that has ended since.
    ///
    /// # Errors
    /// As [`Store::create`]; then the minute is not taken.
    pub fn create_scheduled(&self, new: &NewTask, minute: i64) -> Result<Option<Task>, StoreError> {
        self.write(|transaction| {
            if !schedule::take_minute(transaction, new.kind, &new.instance_id, minute)? {
                return Ok(None);
            }
            if reserve::is_given(self.path()) {
                return Err(StoreError::Full);
            }
            create(transaction, new, None).map(Some)
        })
    }

    /// Takes the task that has waited longest, if one waits.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn claim(&self) -> Result<Option<Claim>, StoreError> {
        // Looked for without the writer's lock, which nine of ten looks do not need.
        let waits = |transaction: &Transaction<'_>| {
            Ok(transaction.prepare_cached("SELECT 1 FROM task WHERE status = 'waiting'")?.exists([])?)
        };
        if !self.read(waits)? {
            return Ok(None);
        }
        self.write(|transaction| {
            let claimed = transaction
                .query_row(
                    "UPDATE task SET status = 'running', started_at_ms = ?1, starts = starts + 1
                     WHERE seq = (SELECT seq FROM task WHERE status = 'waiting' ORDER BY seq LIMIT 1)
                     RETURNING seq, starts, id, instance_id, kind",
                    [now_ms()],
                    |row| {
                        Ok(Claim {
                            seq: row.get(0)?,
                            start: row.get(1)?,
                            id: row.get(2)?,
                            instance_id: row.get(3)?,
                            kind: TaskKind::of(row.get_ref(4)?.as_str()?),
                            dumps: Vec::new(),
                        })
                    },
                )
                .optional()?;
            let Some(mut claim) = claimed else { return Ok(None) };
            claim.dumps = dumps(transaction, claim.seq)?;
            Ok(Some(claim))
        })
    }

    /// Writes down how a task ended; false if it is no longer this claim's.
    ///
    /// # Errors
    /// What SQLite answers; then nothing was written.
    pub fn finish(&self, claim: &Claim, ended: &Ended) -> Result<bool, StoreError> {
        self.write_at_any_price(|transaction| {
            let status = if ended.reason.is_none() { Status::Success } else { Status::Failed };
            let changed = transaction.execute(
                // A clock that was set back does not let a task end before it began.
                "UPDATE task SET status = ?1, finished_at_ms = max(?2, started_at_ms), num = ?3, reason = ?4
                 WHERE seq = ?5 AND starts = ?6 AND status = 'running'",
                params![status.name(), now_ms(), ended.num.cast_signed(), ended.reason, claim.seq, claim.start],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            let mut insert =
                transaction.prepare_cached("INSERT INTO task_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
            for (place, key) in ended.keys.iter().enumerate() {
                let KeyRecord { name, name_base64, type_name, shard, db, size, unit, freq } = key;
                // SQLite's integers are signed: what lies above comes back by the same two's complement.
                let (db, size) = (db.cast_signed(), size.cast_signed());
                insert.execute(params![claim.seq, place, name, name_base64, type_name, shard, db, size, unit, freq])?;
            }
            if let Some(report) = &ended.report {
                let json = serde_json::to_string(report).map_err(StoreError::Json)?;
                transaction.execute("UPDATE offline SET report = ?1 WHERE task = ?2", params![json, claim.seq])?;
            }
            Ok(true)
        })
    }

    /// Lets a task wait again as if it had never been started; one that is no longer this claim's stays as it is.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        self.write_at_any_price(|transaction| {
            transaction.execute(
                "UPDATE task SET status = 'waiting', started_at_ms = NULL, starts = starts - 1
                 WHERE seq = ?1 AND starts = ?2 AND status = 'running'",
                params![claim.seq, claim.start],
            )?;
            Ok(())
        })
    }

    /// Takes up what a program left running that ended without a word. Only for who holds the [`super::WorkLock`].
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn recover(&self) -> Result<Recovered, StoreError> {
        self.recover_except(&[])
    }

    /// Takes up what runs in nobody's hands, as [`Store::recover`] does: all running tasks but those of these claims.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn recover_except(&self, held: &[Claim]) -> Result<Recovered, StoreError> {
        let running = |transaction: &Transaction<'_>| {
            let mut select = transaction.prepare_cached("SELECT seq FROM task WHERE status = 'running'")?;
            let mut found: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            found.retain(|seq| held.iter().all(|claim| claim.seq != *seq));
            Ok(found)
        };
        if self.read(running)?.is_empty() {
            return Ok(Recovered::default());
        }
        self.write_at_any_price(|transaction| {
            let reason = format!("the program ended {STARTS_MAX} times while it worked on this task");
            let mut recovered = Recovered::default();
            for seq in running(transaction)? {
                recovered.failed += transaction.execute(
                    "UPDATE task SET status = 'failed', finished_at_ms = max(?1, started_at_ms), reason = ?2
                     WHERE seq = ?3 AND starts >= ?4",
                    params![now_ms(), reason, seq, STARTS_MAX],
                )?;
                recovered.waiting += transaction.execute(
                    "UPDATE task SET status = 'waiting', started_at_ms = NULL WHERE seq = ?1 AND status = 'running'",
                    [seq],
                )?;
            }
            Ok(recovered)
        })
    }

    /// Deletes an instance's tasks that have ended: of each kind all but the newest `tasks`, and those that ended before a
    /// moment. Returns how many went.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn prune(&self, instance_id: &str, tasks: u32, before: Option<Timestamp>) -> Result<usize, StoreError> {
        const OLD: &str = "SELECT seq FROM (
                SELECT seq, finished_at_ms, row_number() OVER (PARTITION BY kind ORDER BY seq DESC) AS place FROM task
                WHERE instance_id = ?1 AND status IN ('success', 'failed')
            ) WHERE place > ?2 OR finished_at_ms < ?3";
        let values = params![instance_id, tasks, before.map(Timestamp::as_millisecond)];
        // Looked for without the writer's lock, which most looks do not need.
        if !self.read(|transaction| Ok(transaction.prepare_cached(OLD)?.exists(values)?))? {
            return Ok(0);
        }
        self.write_at_any_price(|transaction| {
            Ok(transaction.execute(&format!("DELETE FROM task WHERE seq IN ({OLD})"), values)?)
        })
    }

    /// Lets a task that waits fail with a reason, and returns it; for a signed request, if its signature has changed nothing
    /// before.
    ///
    /// # Errors
    /// [`StoreError::NoTask`], [`StoreError::Running`], [`StoreError::Ended`], [`StoreError::Replayed`].
    pub fn give_up(
        &self,
        kind: TaskKind,
        instance_id: &str,
        id: &str,
        reason: &str,
        once: Option<&Once>,
    ) -> Result<Task, StoreError> {
        self.write_at_any_price(|transaction| {
            let (seq, found) = task(transaction, kind, Some(instance_id), id)?;
            match found.status {
                Status::Waiting => {}
                Status::Running => return Err(StoreError::Running),
                Status::Success | Status::Failed => return Err(StoreError::Ended),
            }
            once::take(transaction, once)?;
            transaction.execute(
                "UPDATE task SET status = 'failed', finished_at_ms = ?1, reason = ?2 WHERE seq = ?3",
                params![now_ms(), reason, seq],
            )?;
            Ok(task(transaction, kind, Some(instance_id), id)?.1)
        })
    }

    /// Deletes a task and returns it as it was; `instance_id` narrows down whose it may be.
    ///
    /// # Errors
    /// [`StoreError::NoTask`], [`StoreError::Running`].
    pub fn delete(&self, kind: TaskKind, instance_id: Option<&str>, id: &str) -> Result<Task, StoreError> {
        self.delete_once(kind, instance_id, id, None)
    }

    /// Deletes a task for a request whose signature may change something once.
    ///
    /// # Errors
    /// As [`Store::delete`]; [`StoreError::Replayed`] if nothing else speaks against it.
    pub fn delete_once(
        &self,
        kind: TaskKind,
        instance_id: Option<&str>,
        id: &str,
        once: Option<&Once>,
    ) -> Result<Task, StoreError> {
        self.write_at_any_price(|transaction| {
            let (seq, task) = task(transaction, kind, instance_id, id)?;
            if task.status == Status::Running {
                return Err(StoreError::Running);
            }
            once::take(transaction, once)?;
            transaction.execute("DELETE FROM task WHERE seq = ?1", [seq])?;
            Ok(task)
        })
    }
}

fn create(transaction: &Transaction<'_>, new: &NewTask, signature: Option<&Once>) -> Result<Task, StoreError> {
    let kind = new.kind;
    let id = Uuid::new_v4().to_string();
    let inserted = transaction.execute(
        "INSERT INTO task (id, kind, instance_id, status, scan_type, created_at_ms)
         VALUES (?1, ?2, ?3, 'waiting', ?4, ?5)",
        params![id, kind.name(), new.instance_id, new.scan_type.name(), now_ms()],
    );
    match inserted {
        // The only constraint that new values can meet is the one task at a time.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            return Err(StoreError::Active);
        }
        inserted => _ = inserted?,
    }
    once::take(transaction, signature)?;
    let seq = transaction.last_insert_rowid();
    for (place, Settled { dump: Dump { path, shard, .. }, written_at }) in new.dumps.iter().enumerate() {
        let written_at_ms = written_at.map(Timestamp::as_millisecond);
        let path = path.as_os_str().as_bytes();
        let values = params![seq, place, path, shard, written_at_ms];
        transaction.execute("INSERT INTO task_dump VALUES (?1, ?2, ?3, ?4, ?5)", values)?;
    }
    if let Some(OfflineRequest { node_id, backup_id }) = &new.offline {
        let values = params![seq, node_id, backup_id];
        transaction.execute("INSERT INTO offline VALUES (?1, ?2, ?3, NULL)", values)?;
    }
    transaction.execute(
        "DELETE FROM task WHERE seq IN (
             SELECT seq FROM task WHERE kind = ?1 AND instance_id = ?2 AND status IN ('success', 'failed')
             ORDER BY seq DESC LIMIT -1 OFFSET ?3)",
        params![kind.name(), new.instance_id, TASKS_KEPT - 1],
    )?;
    read::task(transaction, kind, None, &id).map(|(_, task)| task)
}
