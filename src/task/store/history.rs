//! How an instance's analyses went over time: what a page draws lines of, and the tasks that a task can be compared with.

use jiff::Timestamp;
use rusqlite::params;

use super::read::moment;
use super::{Store, StoreError, TaskKind};

/// A big key analysis that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiggestKeys {
    /// When it was created.
    pub created_at: Timestamp,
    /// Bytes of the largest string.
    pub string_bytes: Option<u64>,
    /// Elements of the largest collection.
    pub elements: Option<u64>,
}

/// An offline key analysis that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBytes {
    /// When it was created.
    pub created_at: Timestamp,
    /// The node.
    pub node_id: String,
    /// Bytes of all its keys.
    pub total_bytes: u64,
}

impl Store {
    /// The biggest keys of an instance's last tasks that succeeded, oldest first.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn biggest_keys(&self, instance_id: &str, limit: u32) -> Result<Vec<BiggestKeys>, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT created_at_ms,
                     (SELECT max(size) FROM task_key WHERE task = seq AND unit = 'byte'),
                     (SELECT max(size) FROM task_key WHERE task = seq AND unit = 'count')
                 FROM task WHERE kind = 'bigkey' AND instance_id = ?1 AND status = 'success' ORDER BY seq DESC LIMIT ?2",
            )?;
            let rows = select.query_map(params![instance_id, limit], |row| {
                let size = |column| row.get::<_, Option<i64>>(column).map(|size| size.map(i64::cast_unsigned));
                Ok(BiggestKeys { created_at: moment(row, 0)?, string_bytes: size(1)?, elements: size(2)? })
            })?;
            let mut points: Vec<_> = rows.collect::<Result<_, rusqlite::Error>>()?;
            points.reverse();
            Ok(points)
        })
    }

    /// What the keys of an instance's nodes took at its last offline key analyses that succeeded, oldest first.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn node_bytes(&self, instance_id: &str, limit: u32) -> Result<Vec<NodeBytes>, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT created_at_ms, node_id, json_extract(report, '$.total_bytes')
                 FROM task JOIN offline ON offline.task = seq
                 WHERE kind = 'offline' AND instance_id = ?1 AND status = 'success' AND report IS NOT NULL
                 ORDER BY seq DESC LIMIT ?2",
            )?;
            let rows = select.query_map(params![instance_id, limit], |row| {
                let total_bytes = row.get::<_, i64>(2)?.cast_unsigned();
                Ok(NodeBytes { created_at: moment(row, 0)?, node_id: row.get(1)?, total_bytes })
            })?;
            let mut points: Vec<_> = rows.collect::<Result<_, rusqlite::Error>>()?;
            points.reverse();
            Ok(points)
        })
    }

    /// The tasks of an instance that succeeded before another of their kind was created, and of the same node if it is an
    /// offline key analysis: their IDs and when they were created, newest first.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn before(
        &self,
        kind: TaskKind,
        instance_id: &str,
        id: &str,
        limit: u32,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.read(|transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT task.id, task.created_at_ms FROM task JOIN task AS this ON this.id = ?3
                 WHERE task.kind = ?1 AND task.instance_id = ?2 AND task.status = 'success' AND task.seq < this.seq
                 AND (SELECT node_id FROM offline WHERE task = task.seq) IS
                     (SELECT node_id FROM offline WHERE task = this.seq)
                 ORDER BY task.seq DESC LIMIT ?4",
            )?;
            let rows = select
                .query_map(params![kind.name(), instance_id, id, limit], |row| Ok((row.get(0)?, moment(row, 1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
