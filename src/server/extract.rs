//! What every operation takes out of a request and puts into an answer: who asks, the instance and task of the path, JSON.

use std::net::IpAddr;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use super::app::App;
use super::auth::Caller;
use super::config::is_id;
use super::errors::ApiError;

/// An answer's body, as JSON.
pub(super) struct Json<T>(pub(super) T);

/// What the path of a task's operation names.
pub(super) type Ids = Result<Path<(String, String, String)>, PathRejection>;

/// What the path of an instance's operation names.
pub(super) type InstanceIds = Result<Path<(String, String)>, PathRejection>;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

/// Who asks, and how long that may take.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) caller: Caller,
    pub(super) deadline: Instant,
}

/// Who asks, as the request's credentials say.
pub(super) type Who = Extension<Asked>;

/// Looks whether the caller may ask for an instance.
///
/// # Errors
/// The published answers to IDs that are malformed, unknown, or another project's.
fn check(app: &App, asked: &Asked, project_id: &str, instance_id: &str) -> Result<(), ApiError> {
    if !is_id(project_id) {
        return Err(ApiError::PROJECT_FORMAT);
    }
    asked.caller.check_project(project_id)?;
    if !is_id(instance_id) {
        return Err(ApiError::INSTANCE_FORMAT);
    }
    let config = app.config();
    let instance = config.instances.get(instance_id).ok_or(ApiError::NO_INSTANCE)?;
    if instance.project_id == project_id { Ok(()) } else { Err(ApiError::OTHER_PROJECT) }
}

/// The ID of the instance out of a path.
pub(super) fn instance_of(app: &App, asked: &Asked, ids: InstanceIds) -> Result<String, ApiError> {
    let Path((project_id, instance_id)) = ids.map_err(|_| ApiError::INSTANCE_FORMAT)?;
    check(app, asked, &project_id, &instance_id)?;
    Ok(instance_id)
}

/// The IDs of the instance and the task out of a path.
pub(super) fn task_of(app: &App, asked: &Asked, ids: Ids) -> Result<(String, String), ApiError> {
    let Path((project_id, instance_id, task_id)) = ids.map_err(|_| ApiError::TASK_FORMAT)?;
    check(app, asked, &project_id, &instance_id)?;
    if is_id(&task_id) { Ok((instance_id, task_id)) } else { Err(ApiError::TASK_FORMAT) }
}

/// A value as JSON.
///
/// # Errors
/// [`ApiError::INTERNAL`].
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, ApiError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        ApiError::INTERNAL
    })
}

/// An answer whose body is JSON already.
pub(super) fn written(json: Bytes) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(CONTENT_TYPE, content_type)], json).into_response()
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        json(&self.0).map(written).into_response()
    }
}
