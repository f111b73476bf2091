//! Looks for new dumps, on a thread of its own because a network disk may let it wait: for the metrics, and to analyze those of
//! instances that want that.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::app::App;
use super::survey::NodeDump;
use super::tasks::new_task;
use crate::task::{ScanType, StoreError, TaskKind};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(30);

/// The newest dumps of an instance's nodes, and when they were written; none if a node has no dump.
type Newest = Option<Vec<(PathBuf, SystemTime)>>;

/// What was found when it looked last, by instance.
#[derive(Debug, Default)]
pub(super) struct Seen {
    found: HashMap<String, Newest>,
    /// For which dumps a task was created: that it was deleted since is no reason for another one.
    created: HashMap<String, Newest>,
}

/// Looks for ever.
pub(super) fn watch(app: &App) {
    let mut seen = Seen::default();
    loop {
        look(app, &mut seen);
        std::thread::sleep(EVERY);
    }
}

/// Looks once.
pub(super) fn look(app: &App, seen: &mut Seen) {
    let config = app.config();
    let mut by_instance: BTreeMap<String, Newest> = BTreeMap::new();
    for NodeDump { instance_id, dump, .. } in config.dumps() {
        let newest = by_instance.entry(instance_id).or_insert_with(|| Some(Vec::new()));
        match (newest.as_mut(), dump) {
            (Some(dumps), Ok(dump)) => dumps.push(dump),
            _ => *newest = None,
        }
    }
    for (instance_id, newest) in by_instance {
        let oldest = newest.iter().flatten().map(|(_, written_at)| *written_at).min();
        app.metrics.found_dumps(&instance_id, oldest);
        #[cfg(feature = "console")]
        app.found.set(&instance_id, newest.as_deref());
        // One that is still being written changes between two looks.
        let is_settled = newest.is_some() && seen.found.get(&instance_id) == Some(&newest);
        let is_wanted = config.instances.get(&instance_id).is_some_and(|instance| instance.analyzes_new_dumps);
        if is_wanted && is_settled && seen.created.get(&instance_id) != Some(&newest) {
            match create(app, &instance_id, &newest) {
                Ok(()) => _ = seen.created.insert(instance_id.clone(), newest.clone()),
                Err(StoreError::Active) => {}
                Err(error) => {
                    tracing::error!(instance_id, %error, "a new dump could not be analyzed; it is tried again");
                }
            }
        }
        seen.found.insert(instance_id, newest);
    }
}

/// Creates a task unless the instance's last one was about these dumps, as after a restart.
fn create(app: &App, instance_id: &str, newest: &Newest) -> Result<(), StoreError> {
    let store = app.runner.store();
    let milliseconds = |at: SystemTime| Timestamp::try_from(at).ok().map(Timestamp::as_millisecond);
    let newest: Vec<_> = newest.iter().flatten().map(|(path, at)| (path.clone(), milliseconds(*at))).collect();
    if store.last_dumps(instance_id)? == newest {
        return Ok(());
    }
    // What speaks against it was logged.
    let Ok(new) = new_task(app, instance_id, TaskKind::BigKeys, ScanType::Auto) else { return Ok(()) };
    let task = store.create(&new)?;
    app.runner.wake();
    tracing::info!(task_id = task.id, instance_id, scan_type = "auto", "created for a new dump");
    Ok(())
}
