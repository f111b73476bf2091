//! The settings of automatic analyses: at which minutes of the day, in UTC, an instance gets a task.

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;

use super::once::{self, Once};
use super::{Store, StoreError, now_ms};
use crate::task::model::milliseconds_of;

/// How far a clock may be set back without a minute that was taken being taken again.
const CLOCK_MINUTES_MAX: i64 = 120;

/// An instance's settings; by default there are no automatic analyses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Autoscan {
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
    pub fn autoscan(&self, instance_id: &str) -> Result<Autoscan, StoreError> {
        let none = || Autoscan { instance_id: instance_id.to_owned(), ..Autoscan::default() };
        let all = self.autoscans(Some(instance_id))?;
        Ok(all.into_iter().next().unwrap_or_else(none))
    }

    /// Changes an instance's settings and returns them as they are kept; for a signed request, if its signature has changed
    /// nothing before.
    ///
    /// # Errors
    /// [`StoreError::Replayed`] if it has, and the settings are others now; what SQLite answers.
    pub fn set_autoscan(
        &self,
        instance_id: &str,
        enable_auto_scan: bool,
        schedule_at: &[String],
        signature: Option<&Once>,
    ) -> Result<Autoscan, StoreError> {
        self.write(|transaction| {
            let settings = autoscans(transaction, Some(instance_id))?.pop();
            let is_same = settings.is_some_and(|settings| {
                settings.enable_auto_scan == enable_auto_scan && settings.schedule_at == schedule_at
            });
            match once::take(transaction, signature) {
                // What was sent again changes nothing.
                Err(StoreError::Replayed) if is_same => return Ok(()),
                taken => taken?,
            }
            // No minute has a blank in it.
            let values = params![instance_id, enable_auto_scan, schedule_at.join(" "), now_ms()];
            transaction.execute(
                "INSERT INTO autoscan (instance_id, enabled, schedule_at, updated_at_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (instance_id) DO UPDATE SET
                 enabled = excluded.enabled, schedule_at = excluded.schedule_at, updated_at_ms = excluded.updated_at_ms",
                values,
            )?;
            Ok(())
        })?;
        self.autoscan(instance_id)
    }

    /// The settings of all instances that have any, or of one.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn autoscans(&self, instance_id: Option<&str>) -> Result<Vec<Autoscan>, StoreError> {
        self.read(|transaction| autoscans(transaction, instance_id))
    }
}

/// Takes a minute (since 1970) of an instance's schedule; false if it was taken before. What was taken far in the future was so
/// by a clock that was wrong, and does not count.
pub(super) fn take_minute(transaction: &Transaction<'_>, instance_id: &str, minute: i64) -> Result<bool, StoreError> {
    let changed = transaction.execute(
        "UPDATE autoscan SET last_minute = ?1 WHERE instance_id = ?2 AND (last_minute < ?1 OR last_minute > ?1 + ?3)",
        params![minute, instance_id, CLOCK_MINUTES_MAX],
    )?;
    Ok(changed == 1)
}

fn autoscans(transaction: &Transaction<'_>, instance_id: Option<&str>) -> Result<Vec<Autoscan>, StoreError> {
    let mut select = transaction.prepare_cached(
        "SELECT instance_id, enabled, schedule_at, updated_at_ms FROM autoscan
         WHERE ?1 IS NULL OR instance_id = ?1 ORDER BY instance_id",
    )?;
    let rows = select.query_map([instance_id], |row| {
        Ok(Autoscan {
            instance_id: row.get(0)?,
            enable_auto_scan: row.get(1)?,
            schedule_at: row.get_ref(2)?.as_str()?.split_whitespace().map(str::to_owned).collect(),
            updated_at: Timestamp::from_millisecond(row.get(3)?).ok(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
