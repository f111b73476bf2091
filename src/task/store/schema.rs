//! The store's tables, as steps from each version to the next. A released step never changes; a change is a new step.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// `bigk`: what the header of a database of ours says that it is.
pub(super) const APPLICATION_ID: i32 = 0x6269_676b;

/// What leads from version N to N + 1 is at index N.
pub(super) const STEPS: [&str; 7] = [TASKS, OFFLINE, SIGNATURES, COUNTS, DUMP_TIMES, MORE_KINDS, CHANGES];

/// Big key analysis tasks, their dumps and keys, and the settings of the automatic ones.
const TASKS: &str = "
    CREATE TABLE task (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        instance_id TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'success', 'failed')),
        scan_type TEXT NOT NULL CHECK (scan_type IN ('manual', 'auto')),
        created_at_ms INTEGER NOT NULL,
        started_at_ms INTEGER,
        finished_at_ms INTEGER,
        num INTEGER NOT NULL DEFAULT 0,
        starts INTEGER NOT NULL DEFAULT 0,
        reason TEXT
    ) STRICT;
    CREATE INDEX task_by_instance ON task (instance_id, seq);
    CREATE UNIQUE INDEX task_one_at_a_time ON task (instance_id) WHERE status IN ('waiting', 'running');
    CREATE TABLE task_dump (
        task INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        path BLOB NOT NULL,
        shard TEXT,
        PRIMARY KEY (task, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE task_key (
        task INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        name_base64 TEXT,
        type TEXT NOT NULL,
        shard TEXT,
        db INTEGER NOT NULL,
        size INTEGER NOT NULL,
        unit TEXT NOT NULL CHECK (unit IN ('byte', 'count')),
        PRIMARY KEY (task, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE autoscan (
        instance_id TEXT PRIMARY KEY,
        enabled INTEGER NOT NULL,
        schedule_at TEXT NOT NULL,
        updated_at_ms INTEGER NOT NULL,
        last_minute INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
";

/// Offline key analyses beside the big key tasks: each kind has its own one at a time.
const OFFLINE: &str = "
    ALTER TABLE task ADD COLUMN kind TEXT NOT NULL DEFAULT 'bigkey' CHECK (kind IN ('bigkey', 'offline'));
    DROP INDEX task_by_instance;
    DROP INDEX task_one_at_a_time;
    CREATE INDEX task_by_instance ON task (kind, instance_id, seq);
    CREATE UNIQUE INDEX task_one_at_a_time ON task (kind, instance_id) WHERE status IN ('waiting', 'running');
    CREATE TABLE offline (
        task INTEGER PRIMARY KEY REFERENCES task (seq) ON DELETE CASCADE,
        node_id TEXT NOT NULL,
        backup_id TEXT,
        report TEXT
    ) STRICT;
";

/// Signatures of requests that changed something, until they are too old to be sent again.
const SIGNATURES: &str = "
    CREATE TABLE used_signature (
        signature TEXT PRIMARY KEY,
        until_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX used_signature_by_age ON used_signature (until_ms);
";

/// How many tasks are in each state, kept by triggers, so that neither a probe nor an idle worker reads the whole table.
const COUNTS: &str = "
    CREATE TABLE task_count (status TEXT PRIMARY KEY, tasks INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO task_count VALUES ('waiting', 0), ('running', 0), ('success', 0), ('failed', 0);
    UPDATE task_count SET tasks = (SELECT count(*) FROM task WHERE task.status = task_count.status);
    CREATE TRIGGER task_came AFTER INSERT ON task BEGIN
        UPDATE task_count SET tasks = tasks + 1 WHERE status = NEW.status;
    END;
    CREATE TRIGGER task_went AFTER DELETE ON task BEGIN
        UPDATE task_count SET tasks = tasks - 1 WHERE status = OLD.status;
    END;
    CREATE TRIGGER task_moved AFTER UPDATE OF status ON task WHEN OLD.status <> NEW.status BEGIN
        UPDATE task_count SET tasks = tasks - 1 WHERE status = OLD.status;
        UPDATE task_count SET tasks = tasks + 1 WHERE status = NEW.status;
    END;
    CREATE INDEX task_waiting ON task (seq, created_at_ms) WHERE status = 'waiting';
    CREATE INDEX task_running ON task (seq) WHERE status = 'running';
";

/// When a task's dumps were written.
const DUMP_TIMES: &str = "ALTER TABLE task_dump ADD COLUMN written_at_ms INTEGER;";

/// Hot key tasks, with the counters of their keys, expired key tasks, and a schedule for each kind. SQLite changes a constraint by the text of the
/// table alone, as its documentation of ALTER TABLE describes.
const MORE_KINDS: &str = "
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '(''bigkey'', ''offline'')', '(''bigkey'', ''hotkey'', ''expiredkey'', ''offline'')')
        WHERE type = 'table' AND name = 'task';
    PRAGMA writable_schema = RESET;
    ALTER TABLE task_key ADD COLUMN freq INTEGER;
    ALTER TABLE autoscan RENAME TO autoscan_before;
    CREATE TABLE autoscan (
        kind TEXT NOT NULL,
        instance_id TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        schedule_at TEXT NOT NULL,
        updated_at_ms INTEGER NOT NULL,
        last_minute INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, instance_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO autoscan SELECT 'bigkey', instance_id, enabled, schedule_at, updated_at_ms, last_minute FROM autoscan_before;
    DROP TABLE autoscan_before;
";

/// How often tasks have changed, so that a list which was made is known to be true still.
const CHANGES: &str = "
    CREATE TABLE task_changes (number INTEGER NOT NULL) STRICT;
    INSERT INTO task_changes VALUES (0);
    CREATE TRIGGER task_inserted AFTER INSERT ON task BEGIN UPDATE task_changes SET number = number + 1; END;
    CREATE TRIGGER task_updated AFTER UPDATE ON task BEGIN UPDATE task_changes SET number = number + 1; END;
    CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN UPDATE task_changes SET number = number + 1; END;
";

/// Brings a database to the newest version, whole or not at all.
///
/// # Errors
/// [`StoreError::Newer`] if a newer program wrote it, [`StoreError::Foreign`] if it is not a store.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Looked at under the lock of a writer, so that of two programs that open a new store one makes it.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma: &str| transaction.query_row(pragma, [], |row| row.get::<_, i32>(0));
    let application_id = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if application_id != APPLICATION_ID && !(is_empty && application_id == 0 && version == 0) {
        return Err(StoreError::Foreign);
    }
    let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    let steps = usize::try_from(version).ok().and_then(|version| STEPS.get(version..));
    let Some(steps) = steps else { return Err(StoreError::Newer { found: version, known }) };
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
