//! The settings of automatic analyses: at which minutes of the day, in UTC, an instance gets a task.

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;

use super::once::{self, Once};
use super::{Store, StoreError, TaskKind, now_ms};
use crate::task::model::milliseconds_of;

/// How far a clock may be set back without a minute that was taken being taken again.
const CLOCK_MINUTES_MAX: i64 = 120;

/// An instance's settings for a kind of analysis; by default there are no automatic ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Autoscan {
    /// Which analysis.
    #[serde(skip)]
    pub kind: TaskKind,
    /// The instance's ID.
    pub instance_id: String,
    /// Whether the schedule is in force.
    pub enable_auto_scan: bool,
    /// `HH:MM` in UTC, each day.
    pub schedule_at: Vec<String>,
    /// When the settings were changed; never, for those that were not.
    #[serde(serialize_with = "milliseconds_of", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Store {
    /// An instance's settings.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn autoscan(&self, kind: TaskKind, instance_id: &str) -> Result<Autoscan, StoreError> {
        let none = || Autoscan { kind, instance_id: instance_id.to_owned(), ..Autoscan::default() };
        let found = self.read(|transaction| autoscans(transaction, Some((kind, instance_id))))?.pop();
        Ok(found.unwrap_or_else(none))
    }

    /// Changes an instance's settings and returns them as they are kept; for a signed request, if its signature has changed
    /// nothing before.
    ///
    /// # Errors
    /// [`StoreError::Replayed`] if it has, and the settings are others now; what SQLite answers.
    pub fn set_autoscan(
        &self,
        kind: TaskKind,
        instance_id: &str,
        enable_auto_scan: bool,
        schedule_at: &[String],
        signature: Option<&Once>,
    ) -> Result<Autoscan, StoreError> {
        self.write(|transaction| {
            let settings = autoscans(transaction, Some((kind, instance_id)))?.pop();
            let is_same = settings.is_some_and(|settings| {
                settings.enable_auto_scan == enable_auto_scan && settings.schedule_at == schedule_at
            });
            match once::take(transaction, signature) {
                // What was sent again changes nothing.
                Err(StoreError::Replayed) if is_same => return Ok(()),
                taken => taken?,
            }
            // No minute has a blank in it.
            let values = params![kind.name(), instance_id, enable_auto_scan, schedule_at.join(" "), now_ms()];
            transaction.execute(
                "INSERT INTO autoscan (kind, instance_id, enabled, schedule_at, updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (kind, instance_id) DO UPDATE SET
                 enabled = excluded.enabled, schedule_at = excluded.schedule_at, updated_at_ms = excluded.updated_at_ms",
                values,
            )?;
            Ok(())
        })?;
        self.autoscan(kind, instance_id)
    }

    /// The settings of all instances that have any.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn autoscans(&self) -> Result<Vec<Autoscan>, StoreError> {
        self.read(|transaction| autoscans(transaction, None))
    }
}

/// Takes a minute (since 1970) of an instance's schedule; false if it was taken before. What was taken far in the future was so
/// by a clock that was wrong, and does not count.
pub(super) fn take_minute(
    transaction: &Transaction<'_>,
    kind: TaskKind,
    instance_id: &str,
    minute: i64,
) -> Result<bool, StoreError> {
    let changed = transaction.execute(
        "UPDATE autoscan SET last_minute = ?1 WHERE kind = ?4 AND instance_id = ?2
         AND (last_minute < ?1 OR last_minute > ?1 + ?3)",
        params![minute, instance_id, CLOCK_MINUTES_MAX, kind.name()],
    )?;
    Ok(changed == 1)
}

fn autoscans(transaction: &Transaction<'_>, of: Option<(TaskKind, &str)>) -> Result<Vec<Autoscan>, StoreError> {
    let (kind, instance_id) = (of.map(|(kind, _)| kind.name()), of.map(|(_, id)| id));
    let mut select = transaction.prepare_cached(
        "SELECT kind, instance_id, enabled, schedule_at, updated_at_ms FROM autoscan
         WHERE ?1 IS NULL OR kind = ?1 AND instance_id = ?2 ORDER BY instance_id, kind",
    )?;
    let rows = select.query_map(params![kind, instance_id], |row| {
        Ok(Autoscan {
            kind: TaskKind::of(row.get_ref(0)?.as_str()?),
            instance_id: row.get(1)?,
            enable_auto_scan: row.get(2)?,
            schedule_at: row.get_ref(3)?.as_str()?.split_whitespace().map(str::to_owned).collect(),
            updated_at: Timestamp::from_millisecond(row.get(4)?).ok(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
