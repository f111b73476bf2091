//! Automatic analyses: a task for each instance at each minute of its schedule, every day, in UTC.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::App;
use super::errors::ApiError;
use super::tasks::new_task;
use crate::task::{ScanType, StoreError};

const MINUTES_A_DAY: i64 = 24 * 60;

/// Minutes that are caught up after a pause, such as a suspended machine's: what is older is no longer wanted.
const CAUGHT_UP_MINUTES_MAX: i64 = 60;

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
        let from = last.max(now - CAUGHT_UP_MINUTES_MAX);
        if from < now {
            let app = app.clone();
            let done = tokio::task::spawn_blocking(move || create_due(&app, from, now)).await;
            match done {
                Ok(Ok(())) => last = now,
                Ok(Err(error)) => tracing::error!(%error, "automatic analyses could not be looked up"),
                Err(error) => tracing::error!(%error, "automatic analyses broke off"),
            }
        }
        let into_minute = Timestamp::now().as_millisecond().rem_euclid(60_000);
        let left_ms = u64::try_from(60_000 - into_minute).unwrap_or(60_000);
        tokio::time::sleep(Duration::from_millis(left_ms)).await;
    }
}

/// Creates a task for each instance whose schedule has a minute after `from`, up to `now` (minutes since 1970).
pub(super) fn create_due(app: &App, from: i64, now: i64) -> Result<(), StoreError> {
    for settings in app.store.autoscans(None)? {
        let instance_id = &settings.instance_id;
        // An instance may have left the configuration since.
        if !settings.enable_auto_scan || !app.config.instances.contains_key(instance_id) {
            continue;
        }
        let times: Vec<u16> = settings.schedule_at.iter().filter_map(|text| minute_of_day(text)).collect();
        let due = (from + 1..=now).rev().find(|minute| {
            let of_day = minute.rem_euclid(MINUTES_A_DAY);
            times.iter().any(|time| i64::from(*time) == of_day)
        });
        let Some(due) = due else { continue };
        if !app.store.take_minute(instance_id, due)? {
            continue;
        }
        match new_task(app, instance_id, ScanType::Auto) {
            Ok(_) => {}
            Err(ApiError { code, message, .. }) => {
                tracing::warn!(instance_id, code, %message, "an automatic analysis was not created");
            }
        }
    }
    Ok(())
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
