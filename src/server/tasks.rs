//! Big key analysis tasks: create, list, show, delete.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::App;
use super::config::{Instance, Shard};
use super::errors::ApiError;
use super::extract::{Ids, InstanceIds, Json, Who, blocking, instance_of, task_of};
use crate::engine::Dump;
use crate::task::{self, Listing, NewTask, ScanType, Status, Task, TaskKind};

/// How many tasks a page has if nobody says how many.
const LIMIT: u64 = 10;

/// How many it can have.
const LIMIT_MAX: u64 = 1000;

/// The parameters of a query, as they were sent.
pub(super) type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: InstanceIds,
) -> Result<Json<Task>, ApiError> {
    let (instance_id, _) = instance_of(&app, &caller, ids)?;
    blocking(move || new_task(&app, &instance_id, ScanType::Manual).map(Json)).await
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Json<Listing>, ApiError> {
    let (instance_id, _) = instance_of(&app, &caller, ids)?;
    let query = query(TaskKind::BigKeys, instance_id, parameters)?;
    blocking(move || Ok(Json(app.store.list(&query)?))).await
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: Ids,
) -> Result<Json<Task>, ApiError> {
    let (instance_id, id) = task_of(&app, &caller, ids)?;
    blocking(move || Ok(Json(app.store.show(TaskKind::BigKeys, Some(&instance_id), &id)?))).await
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Who,
    ids: Ids,
) -> Result<Json<Task>, ApiError> {
    let (instance_id, id) = task_of(&app, &caller, ids)?;
    blocking(move || {
        let deleted = app.store.delete(TaskKind::BigKeys, Some(&instance_id), &id)?;
        tracing::info!(task_id = deleted.id, instance_id, "deleted");
        Ok(Json(deleted))
    })
    .await
}

/// Creates a task for an instance that is configured.
///
/// # Errors
/// [`ApiError::CANNOT_ANALYZE`] if a shard has no dump, [`ApiError::ANALYSIS_RUNS`].
pub(super) fn new_task(app: &App, instance_id: &str, scan_type: ScanType) -> Result<Task, ApiError> {
    let instance = app.config.instances.get(instance_id).ok_or(ApiError::NO_INSTANCE)?;
    let dumps = dumps(instance_id, instance)?;
    let task = app.store.create(&NewTask { instance_id: instance_id.to_owned(), scan_type, dumps, offline: None })?;
    app.runner.wake();
    tracing::info!(task_id = task.id, instance_id, name = instance.name, scan_type = scan_type.name(), "created");
    Ok(task)
}

/// The newest dump of each of an instance's shards.
fn dumps(instance_id: &str, instance: &Instance) -> Result<Vec<Dump>, ApiError> {
    let newest = |shard: &Shard| Ok(dump(instance_id, shard, None)?.1);
    instance.shards.iter().map(newest).collect()
}

/// A shard's newest dump, or the one with this name, and its name.
///
/// # Errors
/// [`ApiError::CANNOT_ANALYZE`] if there is none.
pub(super) fn dump(instance_id: &str, shard: &Shard, name: Option<&str>) -> Result<(String, Dump), ApiError> {
    let address = shard.address.clone();
    let found = shard.backups.newest(name).map_err(|reason| reason.to_string()).and_then(|backup| {
        let dump = task::settled(&Dump { path: backup.path, shard: address.clone(), payload_key: None });
        Ok((backup.id, dump.map_err(|error| error.to_string())?))
    });
    found.map_err(|reason| {
        tracing::warn!(instance_id, shard = address, reason, "no dump can be analyzed");
        ApiError::CANNOT_ANALYZE
    })
}

/// The page that a query asks for. An empty value is as good as none: a client's kit sends one for an empty text.
///
/// # Errors
/// [`ApiError::parameter`] for the first one that is wrong; unknown ones are none of ours.
pub(super) fn query(kind: TaskKind, instance_id: String, parameters: Parameters) -> Result<task::Query, ApiError> {
    let Query(parameters) = parameters.map_err(|_| ApiError::parameter("query"))?;
    let (mut offset, mut limit, mut status) = (None, None, None);
    for (name, value) in &parameters {
        let place = match name.as_str() {
            "offset" => &mut offset,
            "limit" => &mut limit,
            "status" => &mut status,
            _ => continue,
        };
        if place.replace(value.as_str()).is_some() {
            return Err(ApiError::parameter(name));
        }
    }
    let number = |name, value: Option<&str>, default: u64| match value {
        None | Some("") => Ok(default),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // The document says int64.
            text.parse::<i64>().map(i64::cast_unsigned).map_err(|_| ApiError::parameter(name))
        }
        Some(_) => Err(ApiError::parameter(name)),
    };
    let offset = number("offset", offset, 0)?;
    let limit = number("limit", limit, LIMIT)?;
    if limit == 0 || limit > LIMIT_MAX {
        return Err(ApiError::parameter("limit"));
    }
    let status = match status {
        None | Some("") => None,
        Some(name) => {
            let known = Status::ALL.into_iter().find(|status| status.name() == name);
            Some(known.ok_or_else(|| ApiError::parameter("status"))?)
        }
    };
    Ok(task::Query { kind, instance_id: Some(instance_id), status, offset, limit })
}
