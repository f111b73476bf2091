//! What happens by the clock: a task for each instance at each minute of its schedule, every day, in UTC; and the end of tasks
//! that are no longer kept.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::app::App;
use super::config_instance::Keep;
use super::errors::ApiError;
use super::tasks::new_task;
use crate::task::{ScanType, StoreError};

const MINUTES_A_DAY: i64 = 24 * 60;

/// Minutes that are caught up after a pause, such as a suspended machine's: what is older is no longer wanted.
const CAUGHT_UP_MINUTES_MAX: i64 = 60;

/// How long it is until what the store did not take is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The minute of the day that `HH:MM` names.
pub(super) fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, most: u16| -> Option<u16> {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number <= most)
    };
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

/// Creates tasks as they fall due, until it is dropped.
pub(super) async fn run(app: Arc<App>) {
    let mut last = minute(Timestamp::now());
    // The minute in which the service starts may be one of a schedule; the store knows whether it was taken.
    last -= 1;
    loop {
        let now = minute(Timestamp::now());
        if last > now {
            tracing::warn!("the clock was set back; schedules go on from here");
            last = now - 1;
        }
        let mut pause = Duration::ZERO;
        let from = last.max(now - CAUGHT_UP_MINUTES_MAX);
        if from < now {
            let app = app.clone();
            let done =
                tokio::task::spawn_blocking(move || create_due(&app, from, now).and(prune(&app, Timestamp::now())))
                    .await;
            match done {
                Ok(Ok(())) => last = now,
                Ok(Err(error)) => {
                    tracing::error!(%error, "automatic analyses could not be created; it is tried again");
                    pause = RETRY;
                }
                Err(error) => {
                    tracing::error!(%error, "automatic analyses broke off");
                    last = now;
                }
            }
        }
        if pause.is_zero() {
            let into_minute = Timestamp::now().as_millisecond().rem_euclid(60_000);
            pause = Duration::from_millis(u64::try_from(60_000 - into_minute).unwrap_or(60_000));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Creates a task for each instance whose schedule has a minute after `from`, up to `now` (minutes since 1970).
///
/// # Errors
/// What the store answered first; the others were tried all the same, and a minute that was taken stays so.
pub(super) fn create_due(app: &App, from: i64, now: i64) -> Result<(), StoreError> {
    let config = app.config();
    let mut answer = Ok(());
    for settings in app.runner.store().autoscans()? {
        let instance_id = &settings.instance_id;
        // An instance may have left the configuration since.
        if !settings.enable_auto_scan || !config.instances.contains_key(instance_id) {
            continue;
        }
        let times: Vec<u16> = settings.schedule_at.iter().filter_map(|text| minute_of_day(text)).collect();
        let due = (from + 1..=now).rev().find(|minute| {
            let of_day = minute.rem_euclid(MINUTES_A_DAY);
            times.iter().any(|time| i64::from(*time) == of_day)
        });
        let Some(due) = due else { continue };
        let new = match new_task(app, instance_id, settings.kind, ScanType::Auto) {
            Ok(new) => new,
            Err(ApiError { code, message, .. }) => {
                tracing::warn!(instance_id, code, %message, "an automatic analysis was not created");
                continue;
            }
        };
        match app.runner.store().create_scheduled(&new, due) {
            Ok(None) => {}
            Ok(Some(task)) => {
                app.runner.wake();
                tracing::info!(task_id = task.id, instance_id, scan_type = "auto", "created");
            }
            Err(error @ StoreError::Active) => {
                tracing::warn!(instance_id, %error, "an automatic analysis was not created");
            }
            Err(error) => answer = answer.and(Err(error)),
        }
    }
    answer
}

/// Deletes tasks that their instances no longer keep.
///
/// # Errors
/// What the store answered first; the others were tried all the same.
pub(super) fn prune(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let mut answer = Ok(());
    for (instance_id, instance) in &app.config().instances {
        let Keep { tasks, days } = instance.keep;
        let before = (days > 0).then(|| now - SignedDuration::from_hours(24 * i64::from(days)));
        match app.runner.store().prune(instance_id, tasks, before) {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(instance_id, deleted, "tasks that are no longer kept were deleted"),
            Err(error) => answer = answer.and(Err(error)),
        }
    }
    answer
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_the_day() {
        assert_eq!(["00:00", "09:05", "23:59"].map(minute_of_day), [Some(0), Some(545), Some(1439)]);
        for text in ["24:00", "00:60", "9:05", "009:05", "0905", "+9:05", "09:5 ", "", ":", "09:05:00", "٠٩:٠٥"] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
    }
}
