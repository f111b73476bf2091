//! Offline key analyses, which read a node's backup: create, list, report, delete.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::App;
use super::autoscan::{member, object};
use super::config::{Instance, Shard};
use super::errors::ApiError;
use super::extract::{Ids, InstanceIds, Json, Who, blocking, instance_of, task_of};
use super::tasks::{Parameters, dump, query};
use crate::task::{NewTask, OfflineNumbers, OfflineRequest, ScanType, Status, StoreError, Task, TaskKind, TaskRecord};

/// The answer to what was created or deleted.
#[derive(Serialize)]
pub(super) struct TaskId {
    task_id: String,
}

/// A page of the list. Unlike with big key tasks its count is called `total`.
#[derive(Serialize)]
pub(super) struct OfflineListing {
    instance_id: String,
    total: u64,
    records: Vec<OfflineRecord>,
}

#[derive(Serialize)]
struct OfflineRecord {
    id: String,
    status: Status,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

/// What an analysis found; before its end only what was asked.
#[derive(Serialize)]
pub(super) struct OfflineReport {
    id: String,
    instance_id: String,
    node_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_ip: Option<String>,
    /// Always of a backup that is there: none is made.
    analysis_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// What was found; before the end nothing.
    #[serde(flatten)]
    numbers: Option<OfflineNumbers>,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: InstanceIds,
    body: Bytes,
) -> Result<Json<TaskId>, ApiError> {
    let (instance_id, _) = instance_of(&app, &caller, ids)?;
    let object = object(&body)?;
    let node_id: String = member(&object, "node_id")?;
    let backup_id: Option<String> = match object.get("backup_id") {
        None => None,
        // As with answers, null is as good as nothing.
        Some(_) => member(&object, "backup_id")?,
    };
    blocking(move || {
        let instance = app.config.instances.get(&instance_id).ok_or(ApiError::NO_INSTANCE)?;
        let (_, shard) = node(&instance_id, instance, &node_id).ok_or_else(|| ApiError::member("node_id"))?;
        let (backup_id, dump) = dump(&instance_id, shard, backup_id.as_deref())
            .map_err(|error| if backup_id.is_some() { ApiError::member("backup_id") } else { error })?;
        let new = NewTask {
            instance_id,
            scan_type: ScanType::Manual,
            dumps: vec![dump],
            offline: Some(OfflineRequest { node_id, backup_id: Some(backup_id) }),
        };
        let task = app.store.create(&new).map_err(|error| match error {
            StoreError::Active => ApiError::OFFLINE_RUNS,
            error => error.into(),
        })?;
        app.runner.wake();
        tracing::info!(task_id = task.id, instance_id = new.instance_id, "offline key analysis created");
        Ok(Json(TaskId { task_id: task.id }))
    })
    .await
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Json<OfflineListing>, ApiError> {
    let (instance_id, _) = instance_of(&app, &caller, ids)?;
    let query = query(TaskKind::Offline, instance_id.clone(), parameters)?;
    let listing = blocking(move || Ok(app.store.list(&query)?)).await?;
    let record = |TaskRecord { id, status, created_at, started_at, finished_at, .. }| OfflineRecord {
        id,
        status,
        created_at: text(created_at),
        started_at: started_at.map(text),
        finished_at: finished_at.map(text),
    };
    let records = listing.records.into_iter().map(record).collect();
    Ok(Json(OfflineListing { instance_id, total: listing.count, records }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: Ids,
) -> Result<Json<OfflineReport>, ApiError> {
    let (instance_id, id) = task_of(&app, &caller, ids)?;
    blocking(move || {
        let (task, request, numbers) = app.store.offline(&instance_id, &id).map_err(offline_error)?;
        let Task { id, started_at, finished_at, .. } = task;
        let OfflineRequest { node_id, backup_id } = request;
        // A node that has left the configuration since is still known by its ID.
        let found = app.config.instances.get(&instance_id).and_then(|instance| node(&instance_id, instance, &node_id));
        let node_ip = found.and_then(|(_, shard)| shard.address.as_deref()?.rsplit_once(':'));
        Ok(Json(OfflineReport {
            id,
            instance_id,
            group_name: found.map(|(number, _)| format!("group-{number}")),
            node_ip: node_ip.map(|(ip, _)| ip.trim_matches(['[', ']']).to_owned()),
            node_id,
            backup_id,
            analysis_type: "old_backup",
            started_at: started_at.map(text),
            finished_at: finished_at.map(text),
            numbers,
        }))
    })
    .await
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: Ids,
) -> Result<Json<TaskId>, ApiError> {
    let (instance_id, id) = task_of(&app, &caller, ids)?;
    blocking(move || {
        let deleted = app.store.delete(TaskKind::Offline, Some(&instance_id), &id).map_err(offline_error)?;
        tracing::info!(task_id = deleted.id, instance_id, "offline key analysis deleted");
        Ok(Json(TaskId { task_id: deleted.id }))
    })
    .await
}

/// A node of an instance, and which of its shards it is. A node's ID is its `ip:port`; the only node of a single
/// instance has the instance's.
fn node<'a>(instance_id: &str, instance: &'a Instance, node_id: &str) -> Option<(usize, &'a Shard)> {
    let is_named = |shard: &Shard| shard.address.as_deref().unwrap_or(instance_id) == node_id;
    instance.shards.iter().enumerate().find(|(_, shard)| is_named(shard))
}

fn offline_error(error: StoreError) -> ApiError {
    match error {
        StoreError::NoTask => ApiError::NO_OFFLINE_TASK,
        error => error.into(),
    }
}

fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}
