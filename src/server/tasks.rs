//! Tasks: create, list, show, cancel, delete. The operations are the same for big and hot keys; a route says which kind it is about.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Serialize;

use super::app::App;
use super::backups::NoBackup;
use super::config::Shard;
use super::details::{self, Detailed, Parameters};
use super::errors::ApiError;
use super::extract::{Asked, Ids, InstanceIds, Json, Who, instance_of, json, task_of, written};
use super::work::{look, read, write};
use crate::engine::Dump;
use crate::task::{
    self, GIVEN_UP, Listing, NewTask, Once, ScanType, Settled, Status, StoreError, Task, TaskKind, TaskRecord,
};

/// How many tasks a page has if nobody says how many.
const LIMIT: u64 = 10;

/// How many it can have.
const LIMIT_MAX: u64 = 1000;

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: InstanceIds,
) -> Result<Json<Task>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let new = look(&app, &asked, move |app| new_task(app, &instance_id, kind, ScanType::Manual));
    create_one(&app, &asked, new.await?).await.map(Json)
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let (query, wants_details) = query(kind, instance_id, parameters)?;
    read(&app, &asked, move |app| {
        // Asked before the list is made: one that is newer than this number is made again, never the other way round.
        let changes = app.store.task_changes()?;
        if !wants_details && let Some(answer) = app.rendered_lists.get(changes, &query) {
            return Ok(written(answer));
        }
        let Listing { instance_id, count, records } = app.store.list(&query)?;
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let details = details::of(app, &ids, wants_details)?;
        let records = records.into_iter().zip(details).map(|(task, details)| Detailed { task, details }).collect();
        let answer = json(&ListAnswer { instance_id, count, records })?;
        if !wants_details {
            app.rendered_lists.keep(changes, query, &answer);
        }
        Ok(written(answer))
    })
    .await
}

/// The published list, whose records have details where they were asked for.
#[derive(Serialize)]
struct ListAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    count: u64,
    records: Vec<Detailed<TaskRecord>>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: Ids,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let (instance_id, id) = task_of(&app, &asked, ids)?;
    let wants_details = details::are_wanted(parameters)?;
    read(&app, &asked, move |app| {
        if !wants_details
            && let Some(answer) = app.rendered.get(&id)
            && app.store.has_ended(kind, &instance_id, &id)?
        {
            return Ok(written(answer));
        }
        let task = app.store.show(kind, Some(&instance_id), &id).map_err(|error| refusal(kind, error))?;
        let has_ended = task.finished_at.is_some();
        let details = details::of(app, &[&id], wants_details)?.pop().flatten();
        let answer = json(&Detailed { task, details })?;
        if has_ended && !wants_details {
            app.rendered.keep(&id, &answer);
        }
        Ok(written(answer))
    })
    .await
}

/// Cancels a task: an extension of the published operations.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<Task>, ApiError> {
    let ids = task_of(&app, &asked, ids)?;
    cancel_one(&app, &asked, kind, ids).await.map(Json)
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: Ids,
) -> Result<Json<Task>, ApiError> {
    let ids = task_of(&app, &asked, ids)?;
    delete_one(&app, &asked, kind, ids).await.map(Json)
}

/// Creates a task for a request, and wakes who works on it.
///
/// # Errors
/// What the store says.
pub(super) async fn create_one(app: &Arc<App>, asked: &Asked, new: NewTask) -> Result<Task, ApiError> {
    let once = asked.caller.once().cloned();
    write(app, asked, move |app| {
        let task = app.store.create_once(&new, once.as_ref()).map_err(|error| refusal(new.kind, error))?;
        app.runner.wake();
        tracing::info!(task_id = task.id, instance_id = task.instance_id, kind = new.kind.name(), "created");
        Ok(task)
    })
    .await
}

/// Lets a task of an instance fail for a request: one that waits, or that is being worked on, which takes a moment.
///
/// # Errors
/// What the store says.
pub(super) async fn cancel_one(
    app: &Arc<App>,
    asked: &Asked,
    kind: TaskKind,
    (instance_id, id): (String, String),
) -> Result<Task, ApiError> {
    let once = asked.caller.once().cloned();
    write(app, asked, move |app| {
        let cancelled = try_cancel(app, kind, &instance_id, &id, once.as_ref());
        let cancelled = cancelled.map_err(|error| refusal(kind, error))?;
        tracing::info!(task_id = id, instance_id, kind = kind.name(), "cancelled");
        Ok(cancelled)
    })
    .await
}

fn try_cancel(app: &App, kind: TaskKind, instance_id: &str, id: &str, once: Option<&Once>) -> Result<Task, StoreError> {
    let task = app.store.show(kind, Some(instance_id), id)?;
    if task.status == Status::Running && app.runner.give_up(id) {
        return Ok(task);
    }
    app.store.give_up(kind, instance_id, id, GIVEN_UP, once)
}

/// Deletes a task of an instance for a request. One that the store has as running and that nobody works on is taken up first.
///
/// # Errors
/// What the store says.
pub(super) async fn delete_one(
    app: &Arc<App>,
    asked: &Asked,
    kind: TaskKind,
    (instance_id, id): (String, String),
) -> Result<Task, ApiError> {
    let once = asked.caller.once().cloned();
    write(app, asked, move |app| {
        let mut deleted = app.store.delete_once(kind, Some(&instance_id), &id, once.as_ref());
        if matches!(deleted, Err(StoreError::Running)) && app.runner.progress(&id).is_none() {
            app.runner.recover_lost()?;
            deleted = app.store.delete_once(kind, Some(&instance_id), &id, once.as_ref());
        }
        let deleted = deleted.map_err(|error| refusal(kind, error))?;
        tracing::info!(task_id = id, instance_id, kind = kind.name(), "deleted");
        Ok(deleted)
    })
    .await
}

/// What is answered to what the store says of a task of this kind.
pub(super) fn refusal(kind: TaskKind, error: StoreError) -> ApiError {
    match (error, kind) {
        (StoreError::NoTask, TaskKind::HotKeys) => ApiError::NO_HOT_TASK,
        (StoreError::NoTask, TaskKind::Offline) => ApiError::NO_OFFLINE_TASK,
        (StoreError::Active, TaskKind::Offline) => ApiError::OFFLINE_RUNS,
        (error, _) => error.into(),
    }
}

/// A new task over the newest dumps of an instance that is configured.
///
/// # Errors
/// [`ApiError::CANNOT_ANALYZE`] if a shard has no dump, or hot keys are asked for and one has no access counters.
pub(super) fn new_task(app: &App, instance_id: &str, kind: TaskKind, scan_type: ScanType) -> Result<NewTask, ApiError> {
    let config = app.config();
    let instance = config.instances.get(instance_id).ok_or(ApiError::NO_INSTANCE)?;
    let newest = |shard: &Shard| Ok(dump(instance_id, shard, None)?.1);
    let dumps: Vec<Settled> = instance.shards.iter().map(newest).collect::<Result<_, ApiError>>()?;
    if kind == TaskKind::HotKeys {
        for Settled { dump, .. } in &dumps {
            // What is wrong with a dump that cannot be read is the task's to say.
            if matches!(task::has_counters(dump), Ok(false)) {
                let shard = dump.shard.as_deref();
                tracing::warn!(
                    instance_id,
                    shard,
                    "the dump has no access counters: the server's policy is not an LFU one"
                );
                return Err(ApiError::CANNOT_ANALYZE);
            }
        }
    }
    Ok(NewTask { instance_id: instance_id.to_owned(), scan_type, dumps, kind, offline: None })
}

/// A shard's newest dump, or the one with this name, and its name.
///
/// # Errors
/// [`ApiError::CANNOT_ANALYZE`] if there is none; [`ApiError::NO_LOOK`] if the system could not look for it.
pub(super) fn dump(instance_id: &str, shard: &Shard, name: Option<&str>) -> Result<(String, Settled), ApiError> {
    let address = shard.address.clone();
    let found = shard.backups.newest(name);
    let is_passing = found.as_ref().is_err_and(NoBackup::is_passing);
    let found = found.map_err(|reason| reason.to_string()).and_then(|found| {
        for skipped in &found.skipped {
            tracing::warn!(instance_id, shard = address, skipped, "passed over while a dump was looked for");
        }
        let dump = task::settled(&Dump { path: found.path, shard: address.clone(), payload_key: None });
        Ok((found.id, dump.map_err(|error| error.to_string())?))
    });
    found.map_err(|reason| {
        tracing::warn!(instance_id, shard = address, reason, "no dump can be analyzed");
        if is_passing { ApiError::NO_LOOK } else { ApiError::CANNOT_ANALYZE }
    })
}

/// The page that a query asks for, and whether with details. An empty value is as good as none: a client's kit sends one for an empty text.
///
/// # Errors
/// [`ApiError::parameter`] for the first one that is wrong; unknown ones are none of ours.
pub(super) fn query(
    kind: TaskKind,
    instance_id: String,
    parameters: Parameters,
) -> Result<(task::Query, bool), ApiError> {
    let Query(parameters) = parameters.map_err(|_| ApiError::parameter("query"))?;
    let (mut offset, mut limit, mut status, mut details) = (None, None, None, None);
    for (name, value) in &parameters {
        let place = match name.as_str() {
            "offset" => &mut offset,
            "limit" => &mut limit,
            "status" => &mut status,
            details::PARAMETER => &mut details,
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
    Ok((task::Query { kind, instance_id: Some(instance_id), status, offset, limit }, details::is_yes(details)?))
}
