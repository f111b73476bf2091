//! Instances and their backups, as far as clients ask for them before they ask for tasks: published shapes, of which only the
//! members are there that a configuration and a folder of dumps can answer.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Serialize;

use super::app::App;
use super::config::{Instance, is_id};
use super::errors::ApiError;
use super::extract::{InstanceIds, Json, Who, instance_of};
use super::work::look;

/// All instances of a project.
#[derive(Serialize)]
pub(super) struct Instances {
    instance_num: usize,
    instances: Vec<InstanceInfo>,
}

#[derive(Serialize)]
pub(super) struct InstanceInfo {
    instance_id: String,
    name: String,
    engine: &'static str,
    /// Dumps can always be analyzed.
    status: &'static str,
    cache_mode: &'static str,
    sharding_count: usize,
}

/// The newest backup of each node.
#[derive(Serialize)]
pub(super) struct Backups {
    total_num: usize,
    backup_record_response: Vec<BackupInfo>,
}

#[derive(Serialize)]
struct BackupInfo {
    backup_id: String,
    backup_name: String,
    instance_id: String,
    size: u64,
    backup_type: &'static str,
    backup_format: &'static str,
    status: &'static str,
    created_at: String,
    updated_at: String,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    project: Result<Path<String>, PathRejection>,
) -> Result<Json<Instances>, ApiError> {
    let Path(project_id) = project.map_err(|_| ApiError::PROJECT_FORMAT)?;
    if !is_id(&project_id) {
        return Err(ApiError::PROJECT_FORMAT);
    }
    asked.caller.check_project(&project_id)?;
    let config = app.config();
    let of_project = config.instances.iter().filter(|(_, instance)| instance.project_id == project_id);
    let instances: Vec<_> = of_project.map(|(id, instance)| info(id, instance)).collect();
    Ok(Json(Instances { instance_num: instances.len(), instances }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: InstanceIds,
) -> Result<Json<InstanceInfo>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let config = app.config();
    let instance = config.instances.get(&instance_id).ok_or(ApiError::NO_INSTANCE)?;
    Ok(Json(info(&instance_id, instance)))
}

pub(super) async fn backups(
    State(app): State<Arc<App>>,
    Extension(asked): Who,
    ids: InstanceIds,
) -> Result<Json<Backups>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    look(&app, &asked, move |app| {
        let config = app.config();
        let instance = config.instances.get(&instance_id).ok_or(ApiError::NO_INSTANCE)?;
        let newest = instance.shards.iter().filter_map(|shard| shard.backups.newest(None).ok());
        let records: Vec<_> = newest
            .map(|found| {
                let at = Timestamp::try_from(found.modified_at).unwrap_or(Timestamp::UNIX_EPOCH);
                BackupInfo {
                    backup_id: found.id.clone(),
                    backup_name: found.id,
                    instance_id: instance_id.clone(),
                    size: found.stored_bytes,
                    backup_type: "auto",
                    backup_format: "rdb",
                    status: "succeed",
                    created_at: format!("{at:.3}"),
                    updated_at: format!("{at:.3}"),
                }
            })
            .collect();
        Ok(Json(Backups { total_num: records.len(), backup_record_response: records }))
    })
    .await
}

fn info(instance_id: &str, instance: &Instance) -> InstanceInfo {
    let is_cluster = instance.shards.iter().any(|shard| shard.address.is_some());
    InstanceInfo {
        instance_id: instance_id.to_owned(),
        name: instance.name.clone(),
        engine: "Redis",
        status: "RUNNING",
        cache_mode: if is_cluster { "cluster" } else { "single" },
        sharding_count: instance.shards.len(),
    }
}
