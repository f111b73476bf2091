//! What a visitor can change: create, cancel, delete, the schedule. Each answer leads back to the instance.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;

use super::problem::Problem;
use super::visitor::{Fields, InstancePath, TaskPath, Visitor};
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::offline::new_offline_task;
use crate::server::schedule::minute_of_day;
use crate::server::tasks::{cancel_one, create_one, delete_one, new_task};
use crate::server::work::{look, write};
use crate::task::{ScanType, TaskKind};

type Done = Result<Redirect, Problem>;

/// Why there is no hot key task.
const NO_COUNTERS: &str = "A shard has no dump, or one without access counters: servers write them if their maxmemory-policy is an LFU policy.";

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    path: InstancePath,
) -> Done {
    let instance_id = visitor.instance_of(path)?;
    let to = back(&instance_id);
    let node_id = fields.get("node_id").unwrap_or_default().to_owned();
    let new = look(&app, &visitor.asked, move |app| match kind {
        TaskKind::Offline => new_offline_task(app, instance_id, node_id, None),
        kind => new_task(app, &instance_id, kind, ScanType::Manual),
    });
    let new = new.await.map_err(|error| match kind {
        // The published message is about big keys.
        TaskKind::HotKeys if error == ApiError::CANNOT_ANALYZE => Problem::bad(NO_COUNTERS),
        _ => error.into(),
    })?;
    create_one(&app, &visitor.asked, new).await?;
    Ok(to)
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
) -> Done {
    let ids = visitor.task_of(path)?;
    let to = back(&ids.0);
    cancel_one(&app, &visitor.asked, kind, ids).await?;
    Ok(to)
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
) -> Done {
    let ids = visitor.task_of(path)?;
    let to = back(&ids.0);
    delete_one(&app, &visitor.asked, kind, ids).await?;
    Ok(to)
}

pub(super) async fn schedule(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    path: InstancePath,
) -> Done {
    let instance_id = visitor.instance_of(path)?;
    let times = fields.get("times").unwrap_or_default().split([',', ' ']).filter(|time| !time.is_empty());
    let times: Vec<String> = times.map(str::to_owned).collect();
    if let Some(wrong) = times.iter().find(|time| minute_of_day(time).is_none()) {
        let wrong = crate::error::Visible(wrong.as_bytes());
        return Err(Problem::bad(format!("'{wrong}' is not a time of the day such as 03:30")));
    }
    if times.iter().collect::<HashSet<_>>().len() < times.len() {
        return Err(Problem::bad("A time of the day is there twice."));
    }
    let is_enabled = fields.get("enabled").is_some();
    let to = back(&instance_id);
    write(&app, &visitor.asked, move |app| {
        app.store.set_autoscan(TaskKind::BigKeys, &instance_id, is_enabled, &times, None)?;
        tracing::info!(instance_id, enable = is_enabled, schedule_at = times.join(" "), "automatic analyses set");
        Ok(())
    })
    .await?;
    Ok(to)
}

fn back(instance_id: &str) -> Redirect {
    Redirect::to(&format!("/instances/{instance_id}"))
}
