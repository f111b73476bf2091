//! Ctrl-C: the first ends the work that is being watched, the second ends the program.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bigkeys::Progress;

use super::exit::Exit;

/// The progress that Ctrl-C cancels.
static CANCELLED_BY_SIGNAL: Mutex<Weak<Progress>> = Mutex::new(Weak::new());

/// How long after Ctrl-C the first bytes may still come: a scan that has read any checks for it twenty times a second.
const SILENCE: Duration = Duration::from_millis(500);

/// Lets Ctrl-C cancel `progress` from now on.
pub(super) fn cancel_on_signal(progress: &Arc<Progress>) {
    *CANCELLED_BY_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(progress);
    // The first of several calls sets the handler for all. Without a handler Ctrl-C ends the program, as usual.
    _ = ctrlc::set_handler(|| {
        let progress = CANCELLED_BY_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        match progress {
            Some(progress) if !progress.is_cancelled() => {
                progress.cancel();
                // Before the first bytes there is nothing to report, and a pipe may never send them.
                std::thread::sleep(SILENCE);
                if progress.done_bytes() == 0 {
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
            _ => std::process::exit(Exit::Interrupted as i32),
        }
    });
}
