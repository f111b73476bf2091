//! What a visitor can change: create, cancel, delete, the schedule. Each answer leads back to the instance.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Redirect;

use super::problem::Problem;
use super::task::TaskPath;
use super::visitor::{Fields, Visitor};
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::offline::node;
use crate::server::schedule::minute_of_day;
use crate::server::tasks::{cancel_task, delete_task, dump, new_task};
use crate::server::work::{look, write};
use crate::task::{NewTask, OfflineRequest, ScanType, TaskKind};

type Done = Result<Redirect, Problem>;
type InstancePath = Result<Path<String>, PathRejection>;

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    path: InstancePath,
) -> Done {
    let instance_id = instance(&visitor, path)?;
    let wanted = instance_id.clone();
    let new = look(&app, &visitor.asked, move |app| new_task(app, &wanted, ScanType::Manual)).await?;
    add(&app, &visitor, new).await
}

pub(super) async fn create_offline(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    path: InstancePath,
) -> Done {
    let instance_id = instance(&visitor, path)?;
    let node_id = fields.get("node_id").unwrap_or_default().to_owned();
    let new = look(&app, &visitor.asked, move |app| {
        let config = app.config();
        let instance = config.instances.get(&instance_id).ok_or(ApiError::NO_INSTANCE)?;
        let (_, shard) = node(&instance_id, instance, &node_id).ok_or_else(|| ApiError::member("node_id"))?;
        let (backup_id, dump) = dump(&instance_id, shard, None)?;
        let offline = Some(OfflineRequest { node_id, backup_id: Some(backup_id) });
        Ok(NewTask { instance_id, scan_type: ScanType::Manual, dumps: vec![dump], offline })
    });
    let new = new.await?;
    add(&app, &visitor, new).await
}

async fn add(app: &Arc<App>, visitor: &Visitor, new: NewTask) -> Done {
    let instance_id = new.instance_id.clone();
    write(app, &visitor.asked, move |app| {
        let task = app.store.create(&new)?;
        app.runner.wake();
        tracing::info!(task_id = task.id, instance_id = task.instance_id, "created");
        Ok(())
    })
    .await?;
    Ok(back(&instance_id))
}

pub(super) async fn cancel(State(app): State<Arc<App>>, visitor: Extension<Visitor>, path: TaskPath) -> Done {
    cancel_of(&app, &visitor, TaskKind::BigKeys, path).await
}

pub(super) async fn cancel_offline(State(app): State<Arc<App>>, visitor: Extension<Visitor>, path: TaskPath) -> Done {
    cancel_of(&app, &visitor, TaskKind::Offline, path).await
}

async fn cancel_of(app: &Arc<App>, visitor: &Visitor, kind: TaskKind, path: TaskPath) -> Done {
    let (instance_id, id) = task(visitor, path)?;
    let to = back(&instance_id);
    write(app, &visitor.asked, move |app| {
        let cancelled = cancel_task(app, kind, &instance_id, &id, None)?;
        tracing::info!(task_id = cancelled.id, instance_id, "cancelled");
        Ok(())
    })
    .await?;
    Ok(to)
}

pub(super) async fn delete(State(app): State<Arc<App>>, visitor: Extension<Visitor>, path: TaskPath) -> Done {
    delete_of(&app, &visitor, TaskKind::BigKeys, path).await
}

pub(super) async fn delete_offline(State(app): State<Arc<App>>, visitor: Extension<Visitor>, path: TaskPath) -> Done {
    delete_of(&app, &visitor, TaskKind::Offline, path).await
}

async fn delete_of(app: &Arc<App>, visitor: &Visitor, kind: TaskKind, path: TaskPath) -> Done {
    let (instance_id, id) = task(visitor, path)?;
    let to = back(&instance_id);
    write(app, &visitor.asked, move |app| {
        let deleted = delete_task(app, kind, &instance_id, &id, None)?;
        tracing::info!(task_id = deleted.id, instance_id, "deleted");
        Ok(())
    })
    .await?;
    Ok(to)
}

pub(super) async fn schedule(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    path: InstancePath,
) -> Done {
    let instance_id = instance(&visitor, path)?;
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
        app.store.set_autoscan(&instance_id, is_enabled, &times, None)?;
        tracing::info!(instance_id, enable = is_enabled, schedule_at = times.join(" "), "automatic analyses set");
        Ok(())
    })
    .await?;
    Ok(to)
}

fn instance(visitor: &Visitor, path: InstancePath) -> Result<String, Problem> {
    let Path(instance_id) = path.map_err(|_| ApiError::NO_INSTANCE)?;
    visitor.instance(&instance_id)?;
    Ok(instance_id)
}

fn task(visitor: &Visitor, path: TaskPath) -> Result<(String, String), Problem> {
    let Path((instance_id, id)) = path.map_err(|_| ApiError::TASK_FORMAT)?;
    visitor.task(&instance_id, &id)?;
    Ok((instance_id, id))
}

fn back(instance_id: &str) -> Redirect {
    Redirect::to(&format!("/instances/{instance_id}"))
}
