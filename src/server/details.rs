//! An extension of the published answers, which a client gets that asks for it by `?details=true`: why a task failed, how far it
//! is, which dumps it is about.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Serialize;

use super::app::App;
use super::errors::ApiError;
use crate::task;

/// The parameter that asks for details.
pub(super) const PARAMETER: &str = "details";

/// The parameters of a query, as they were sent.
pub(super) type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// A published answer, with details where they were asked for.
#[derive(Serialize)]
pub(super) struct Detailed<T> {
    #[serde(flatten)]
    pub(super) task: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Details>,
}

#[derive(Serialize)]
pub(super) struct Details {
    #[serde(flatten)]
    stored: task::Details,
    /// Of a task that is being worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

#[derive(Serialize)]
struct Progress {
    done_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    keys: u64,
}

/// Details of tasks, in their order; none where they are not wanted.
///
/// # Errors
/// What the store says.
pub(super) fn of(app: &App, ids: &[&str], are_wanted: bool) -> Result<Vec<Option<Details>>, ApiError> {
    if !are_wanted {
        return Ok(ids.iter().map(|_| None).collect());
    }
    let progress = |id: &str| {
        let progress = app.runner.progress(id)?;
        let (done_bytes, total_bytes, keys) = (progress.done_bytes(), progress.total_bytes(), progress.keys());
        Some(Progress { done_bytes, total_bytes, keys })
    };
    let stored = app.store.details(ids)?;
    let with_progress =
        |(stored, id): (Option<task::Details>, &&str)| stored.map(|stored| Details { stored, progress: progress(id) });
    Ok(stored.into_iter().zip(ids).map(with_progress).collect())
}

/// Whether a query that has no other parameter of ours asks for details.
///
/// # Errors
/// [`ApiError::parameter`].
pub(super) fn are_wanted(parameters: Parameters) -> Result<bool, ApiError> {
    let Query(parameters) = parameters.map_err(|_| ApiError::parameter("query"))?;
    let mut values = parameters.iter().filter(|(name, _)| name == PARAMETER).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (value, None) => is_yes(value),
        _ => Err(ApiError::parameter(PARAMETER)),
    }
}

/// The meaning of a value.
///
/// # Errors
/// [`ApiError::parameter`] if it has none.
pub(super) fn is_yes(value: Option<&str>) -> Result<bool, ApiError> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ApiError::parameter(PARAMETER)),
    }
}
