//! The threads that work: those of the runner, and others that must not end before the program does. One that dies by a fault
//! of this program says so and is started again.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::app::App;
use super::webhook::PAUSES;
use crate::task::{StoreError, Worked};

/// How long a thread that died rests before it is started again: a fault that comes at once must not fill the log.
const REST: Duration = Duration::from_secs(1);

/// Starts the runner's threads.
///
/// # Errors
/// The system's answer if there is no thread to be had.
pub(super) fn start(app: &Arc<App>) -> io::Result<()> {
    for worker in 0..app.config().analysis.workers {
        let app = app.clone();
        spawn(format!("bigkeys-task-{worker}"), REST, move || {
            let _alive = app.health.worker();
            app.runner.work_until_stopped(|worked| tell(&app, worked));
        })?;
    }
    Ok(())
}

/// Runs `work` on a thread of its own until it returns; if it panics, again.
///
/// # Errors
/// The system's answer if there is no thread to be had.
pub(super) fn spawn(name: String, rest: Duration, mut work: impl FnMut() + Send + 'static) -> io::Result<()> {
    let keep_on = {
        let name = name.clone();
        move || {
            while catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
                tracing::error!(thread = name, "a thread died by a fault of this program; it is started again");
                std::thread::sleep(rest);
            }
        }
    };
    std::thread::Builder::new().name(name).spawn(keep_on).map(|_| ())
}

/// Tells the webhook of ends of tasks for ever.
pub(super) fn tell_webhook(app: &App) {
    loop {
        app.webhooks.tell_next(|| app.config().webhook.clone(), &PAUSES);
    }
}

/// Says how a task went, and counts it.
fn tell(app: &App, worked: Result<Worked, StoreError>) {
    if let Ok(worked) = &worked
        && worked.is_kept
        && app.config().webhook.is_some()
    {
        app.webhooks.add(worked);
    }
    match worked {
        Ok(Worked { claim, reason, notes, elapsed, is_kept }) => {
            if is_kept {
                app.metrics.worked(&claim.instance_id, claim.kind, reason.is_none(), elapsed);
            }
            let (task_id, instance_id, seconds) = (claim.id, claim.instance_id, elapsed.as_secs_f64());
            for note in notes {
                tracing::info!(task_id, note, "noticed");
            }
            match reason {
                _ if !is_kept => tracing::info!(task_id, instance_id, "given up"),
                None => tracing::info!(task_id, instance_id, seconds, "success"),
                Some(reason) => tracing::warn!(task_id, instance_id, seconds, reason, "failed"),
            }
        }
        Err(error) => tracing::error!(%error, "the store does not answer; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_dies_is_started_again() {
        let (sender, receiver) = channel();
        let mut starts = 0;
        spawn("test".to_owned(), Duration::ZERO, move || {
            starts += 1;
            sender.send(starts).unwrap();
            assert!(starts > 2, "a fault");
        })
        .unwrap();
        assert_eq!(receiver.iter().collect::<Vec<i32>>(), [1, 2, 3]);
    }
}
