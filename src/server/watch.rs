//! Looks every few seconds whether the service can do its work, and mends what it can: takes up tasks that nobody works on,
//! keeps room on a full disk, reads certificates that have changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::App;
use super::log;
use super::notify::notify;
use super::survey::NodeDump;
use super::tls::TlsFiles;

/// How often it looks whether the store can be changed, and whether certificates have changed.
const LOOK: Duration = Duration::from_secs(2);

/// How often it looks for new dumps: that reads folders.
const DUMPS: Duration = Duration::from_secs(60);

/// Watches for ever.
pub(super) fn watch(app: &Arc<App>, tls: Option<&TlsFiles>) {
    let mut dumps_at = None;
    let mut dropped = log::dropped();
    loop {
        look_at_store(app);
        if let Some(tls) = tls {
            refresh(tls);
        }
        if dumps_at.is_none_or(|at: Instant| at.elapsed() >= DUMPS) {
            dumps_at = Some(Instant::now());
            look_for_dumps(app);
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

/// Notes when each instance's newest dump was written: of a cluster, of the node whose newest is the oldest.
fn look_for_dumps(app: &App) {
    let mut by_instance = BTreeMap::new();
    for NodeDump { instance_id, dump, .. } in app.config().dumps() {
        let written_at = dump.ok().map(|(_, written_at)| written_at);
        let oldest = by_instance.entry(instance_id).or_insert(written_at);
        // None, of a node without a dump, is less than any.
        *oldest = (*oldest).min(written_at);
    }
    for (instance_id, written_at) in by_instance {
        app.metrics.found_dumps(&instance_id, written_at);
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
        match problem {
            Some(problem) => tracing::error!(problem, free_bytes, "the store cannot be changed"),
            None => tracing::info!(free_bytes, "the store can be changed again"),
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
            tracing::error!(%error, "the certificate and its key cannot be read again; the old ones stay in use")
        }
    }
}
