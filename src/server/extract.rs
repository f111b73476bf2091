//! What every operation takes out of a request and puts into an answer: who asks, the instance and task of the path, JSON.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::auth::Caller;
use super::config::{Instance, is_id};
use super::errors::ApiError;

/// An answer's body, as JSON.
pub(super) struct Json<T>(pub(super) T);

/// What the path of a task's operation names.
pub(super) type Ids = Result<Path<(String, String, String)>, PathRejection>;

/// What the path of an instance's operation names.
pub(super) type InstanceIds = Result<Path<(String, String)>, PathRejection>;

/// Who asks, as the request's credentials say.
pub(super) type Who = Extension<Caller>;

/// The instance that a path names, if the caller may ask for it.
///
/// # Errors
/// The published answers to IDs that are malformed, unknown, or another project's.
fn instance<'a>(app: &'a App, caller: &Caller, project_id: &str, instance_id: &str) -> Result<&'a Instance, ApiError> {
    if !is_id(project_id) {
        return Err(ApiError::PROJECT_FORMAT);
    }
    caller.check_project(project_id)?;
    if !is_id(instance_id) {
        return Err(ApiError::INSTANCE_FORMAT);
    }
    let instance = app.config.instances.get(instance_id).ok_or(ApiError::NO_INSTANCE)?;
    if instance.project_id == project_id { Ok(instance) } else { Err(ApiError::OTHER_PROJECT) }
}

/// The instance and its ID out of a path.
pub(super) fn instance_of<'a>(
    app: &'a App,
    caller: &Caller,
    ids: InstanceIds,
) -> Result<(String, &'a Instance), ApiError> {
    let Path((project_id, instance_id)) = ids.map_err(|_| ApiError::INSTANCE_FORMAT)?;
    let instance = instance(app, caller, &project_id, &instance_id)?;
    Ok((instance_id, instance))
}

/// The IDs of the instance and the task out of a path.
pub(super) fn task_of(app: &App, caller: &Caller, ids: Ids) -> Result<(String, String), ApiError> {
    let Path((project_id, instance_id, task_id)) = ids.map_err(|_| ApiError::TASK_FORMAT)?;
    instance(app, caller, &project_id, &instance_id)?;
    if is_id(&task_id) { Ok((instance_id, task_id)) } else { Err(ApiError::TASK_FORMAT) }
}

/// Runs what waits for the disk on a thread that may wait.
///
/// # Errors
/// What the work says, and [`ApiError::INTERNAL`] if it breaks off.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a request broke off");
        Err(ApiError::INTERNAL)
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let content_type = HeaderValue::from_static("application/json");
                (StatusCode::OK, [(CONTENT_TYPE, content_type)], Bytes::from(body)).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written");
                ApiError::INTERNAL.into_response()
            }
        }
    }
}
