//! Expired key scans: how they are created and listed as the cloud's kits do it. What they found is asked for as with other tasks,
//! which is an extension of the published operations.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::Serialize;

use super::app::App;
use super::details::Parameters;
use super::errors::ApiError;
use super::extract::{InstanceIds, Json, Who, instance_of};
use super::tasks::{create_one, new_task, query};
use super::work::{look, read};
use crate::task::{Listing, ScanType, Task, TaskKind, TaskRecord};

/// A scan, without its keys.
#[derive(Serialize)]
pub(super) struct Scan {
    instance_id: String,
    /// How many keys had expired; only in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    num: Option<u64>,
    #[serde(flatten)]
    task: TaskRecord,
}

/// A page of the list. Its count has both of the names that other lists have for it.
#[derive(Serialize)]
pub(super) struct Scans {
    instance_id: String,
    total: u64,
    count: u64,
    records: Vec<Scan>,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: InstanceIds,
) -> Result<Json<Scan>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let new = look(&app, &asked, move |app| new_task(app, &instance_id, TaskKind::ExpiredKeys, ScanType::Manual));
    let task = create_one(&app, &asked, new.await?).await?;
    let Task { id, instance_id, status, scan_type, created_at, started_at, finished_at, .. } = task;
    let (num, scanned) = (0, instance_id.clone());
    let task = TaskRecord { id, instance_id, status, scan_type, created_at, started_at, finished_at, num };
    Ok(Json(Scan { instance_id: scanned, num: None, task }))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Json<Scans>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let (query, _) = query(TaskKind::ExpiredKeys, instance_id.clone(), parameters)?;
    let Listing { count, records, .. } = read(&app, &asked, move |app| Ok(app.store.list(&query)?)).await?;
    let scan = |task: TaskRecord| Scan { instance_id: task.instance_id.clone(), num: Some(task.num), task };
    Ok(Json(Scans { instance_id, total: count, count, records: records.into_iter().map(scan).collect() }))
}
