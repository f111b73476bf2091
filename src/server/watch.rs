//! Looks every few seconds whether the service can do its work, and mends what it can: takes up tasks that nobody works on,
//! keeps room on a full disk, reads certificates that have changed.

use std::sync::Arc;
use std::time::Duration;

use super::app::App;
use super::log;
use super::notify::notify;
use super::tls::TlsFiles;

/// How often it looks whether the store can be changed, and whether certificates have changed.
const LOOK: Duration = Duration::from_secs(2);

/// Watches for ever.
pub(super) fn watch(app: &Arc<App>, tls: Option<&TlsFiles>) {
    let mut dropped = log::dropped();
    loop {
        look_at_store(app);
        if let Some(tls) = tls {
            refresh(tls);
        }
        if log::dropped() > dropped {
            dropped = log::dropped();
            notify("STATUS=log lines were dropped");
        }
        // That this thread runs says that the process does.
        notify("WATCHDOG=1");
        std::thread::sleep(LOOK);
    }
}

/// Looks whether the store can be changed, and mends what it can.
fn look_at_store(app: &App) {
    let store = app.runner.store();
    if let Err(error) = store.keep_reserve() {
        tracing::debug!(%error, "there is no room for the reserve");
    }
    let free_bytes = store.free_bytes().unwrap_or(0);
    let problem = store.check_writable().err().map(|error| error.to_string());
    if app.health.set_store(problem.clone(), free_bytes) {
        if let Some(problem) = problem {
            tracing::error!(problem, free_bytes, "the store cannot be changed");
        } else {
            tracing::info!(free_bytes, "the store can be changed again");
        }
    }
    match app.runner.recover_lost() {
        Ok(found) if found.waiting + found.failed > 0 => {
            let (waiting, failed) = (found.waiting, found.failed);
            tracing::warn!(waiting, failed, "tasks that nobody worked on were taken up");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "the store does not answer"),
    }
}

/// Reads certificate and key again if they have changed.
pub(super) fn refresh(tls: &TlsFiles) {
    match tls.refresh() {
        Ok(true) => tracing::info!("the certificate and its key were read again"),
        Ok(false) => {}
        Err(error) => {
            tracing::error!(%error, "the certificate and its key cannot be read again; the old ones stay in use");
        }
    }
}
