//! Hot key analysis tasks, whose operations are those of big key analysis tasks under other paths.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;

use super::app::App;
use super::autoscan;
use super::details::{Detailed, Parameters};
use super::errors::ApiError;
use super::extract::{Ids, InstanceIds, Json, Who};
use super::tasks::{ListAnswer, cancel_of, create_of, delete_of, list_of, show_of};
use crate::task::{Autoscan, Task, TaskKind};

const KIND: TaskKind = TaskKind::HotKeys;

pub(super) async fn create(app: State<Arc<App>>, asked: Who, ids: InstanceIds) -> Result<Json<Task>, ApiError> {
    create_of(KIND, app, asked, ids).await
}

pub(super) async fn list(
    app: State<Arc<App>>,
    asked: Who,
    ids: InstanceIds,
    parameters: Parameters,
) -> Result<Json<ListAnswer>, ApiError> {
    list_of(KIND, app, asked, ids, parameters).await
}

pub(super) async fn show(
    app: State<Arc<App>>,
    asked: Who,
    ids: Ids,
    parameters: Parameters,
) -> Result<Json<Detailed<Task>>, ApiError> {
    show_of(KIND, app, asked, ids, parameters).await
}

pub(super) async fn cancel(app: State<Arc<App>>, asked: Who, ids: Ids) -> Result<Json<Task>, ApiError> {
    cancel_of(KIND, app, asked, ids).await
}

pub(super) async fn delete(app: State<Arc<App>>, asked: Who, ids: Ids) -> Result<Json<Task>, ApiError> {
    delete_of(KIND, app, asked, ids).await
}

pub(super) async fn schedule(app: State<Arc<App>>, asked: Who, ids: InstanceIds) -> Result<Json<Autoscan>, ApiError> {
    autoscan::show_of(KIND, app, asked, ids).await
}

pub(super) async fn set_schedule(
    app: State<Arc<App>>,
    asked: Who,
    ids: InstanceIds,
    body: Bytes,
) -> Result<Json<Autoscan>, ApiError> {
    autoscan::update_of(KIND, app, asked, ids, body).await
}
