//! Offline key analyses, which read a node's backup: create, list, report, delete.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::app::App;
use super::autoscan::{member, object};
use super::config::{Instance, Shard};
use super::details::Parameters;
use super::errors::ApiError;
use super::extract::{Ids, InstanceIds, Json, Who, instance_of, task_of};
use super::tasks::{cancel_one, create_one, delete_one, dump, query, refusal};
use super::work::{look, read};
use crate::task::{NewTask, OfflineNumbers, OfflineRequest, ScanType, Status, Task, TaskKind, TaskRecord};

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
    Extension(asked): Who,
    ids: InstanceIds,
    body: Bytes,
) -> Result<Json<TaskId>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let object = object(&body)?;
    let node_id: String = member(&object, "node_id")?;
    let backup_id: Option<String> = match object.get("backup_id") {
        None => None,
        // As with answers, null is as good as nothing.
        Some(_) => member(&object, "backup_id")?,
    };
    let new = look(&app, &asked, move |app| new_offline_task(app, instance_id, node_id, backup_id.as_deref()));
    let created = create_one(&app, &asked, new.await?).await?;
    Ok(Json(TaskId { task_id: created.id }))
}

/// A new analysis of a node's newest dump, or of the one with this name.
///
/// # Errors
/// [`ApiError::member`] if there is no such node or dump; as [`dump`].
pub(super) fn new_offline_task(
    app: &App,
    instance_id: String,
    node_id: String,
    backup_id: Option<&str>,
) -> Result<NewTask, ApiError> {
    let config = app.config();
    let instance = config.instances.get(&instance_id).ok_or(ApiError::NO_INSTANCE)?;
    let (_, shard) = node(&instance_id, instance, &node_id).ok_or_else(|| ApiError::member("node_id"))?;
    let (backup_id, dump) = dump(&instance_id, shard, backup_id).map_err(|error| {
        if backup_id.is_some() && error == ApiError::CANNOT_ANALYZE { ApiError::member("backup_id") } else { error }
    })?;
    Ok(NewTask {
        instance_id,
        scan_type: ScanType::Manual,
        kind: TaskKind::Offline,
        dumps: vec![dump],
        offline: Some(OfflineRequest { node_id, backup_id: Some(backup_id) }),
    })
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Json<OfflineListing>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let (query, _) = query(TaskKind::Offline, instance_id.clone(), parameters)?;
    let listing = read(&app, &asked, move |app| Ok(app.store.list(&query)?)).await?;
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
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<OfflineReport>, ApiError> {
    let (instance_id, id) = task_of(&app, &asked, ids)?;
    read(&app, &asked, move |app| {
        let (task, request, numbers) =
            app.store.offline(&instance_id, &id).map_err(|error| refusal(TaskKind::Offline, error))?;
        let Task { id, started_at, finished_at, .. } = task;
        let OfflineRequest { node_id, backup_id } = request;
        // A node that has left the configuration since is still known by its ID.
        let config = app.config();
        let found = config.instances.get(&instance_id).and_then(|instance| node(&instance_id, instance, &node_id));
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
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<TaskId>, ApiError> {
    let ids = task_of(&app, &asked, ids)?;
    let deleted = delete_one(&app, &asked, TaskKind::Offline, ids).await?;
    Ok(Json(TaskId { task_id: deleted.id }))
}

/// Cancels an analysis: an extension of the published operations.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<TaskId>, ApiError> {
    let ids = task_of(&app, &asked, ids)?;
    let cancelled = cancel_one(&app, &asked, TaskKind::Offline, ids).await?;
    Ok(Json(TaskId { task_id: cancelled.id }))
}

/// The nodes that an analysis is about: always the one whose backup it reads.
#[derive(Serialize)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
}

pub(super) async fn nodes(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<Nodes>, ApiError> {
    let (instance_id, id) = task_of(&app, &asked, ids)?;
    read(&app, &asked, move |app| {
        let (_, request, _) =
            app.store.offline(&instance_id, &id).map_err(|error| refusal(TaskKind::Offline, error))?;
        let config = app.config();
        let found =
            config.instances.get(&instance_id).and_then(|instance| node(&instance_id, instance, &request.node_id));
        let group_name = found.map(|(number, _)| format!("group-{number}"));
        Ok(Json(Nodes { nodes: vec![Node { name: request.node_id.clone(), id: request.node_id, group_name }] }))
    })
    .await
}

/// A node of an instance, and which of its shards it is. A node's ID is its `ip:port`; the only node of a single
/// instance has the instance's.
pub(super) fn node<'a>(instance_id: &str, instance: &'a Instance, node_id: &str) -> Option<(usize, &'a Shard)> {
    let is_named = |shard: &Shard| shard.address.as_deref().unwrap_or(instance_id) == node_id;
    instance.shards.iter().enumerate().find(|(_, shard)| is_named(shard))
}

fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}
