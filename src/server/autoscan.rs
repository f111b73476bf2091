//! The settings of an instance's automatic analyses: show and update.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::app::App;
use super::errors::ApiError;
use super::extract::{InstanceIds, Json, Who, instance_of};
use super::schedule::minute_of_day;
use super::work::{read, write};
use crate::task::{Autoscan, TaskKind};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: InstanceIds,
) -> Result<Json<Autoscan>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    read(&app, &asked, move |app| Ok(Json(app.store.autoscan(kind, &instance_id)?))).await
}

pub(super) async fn update(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(asked): Who,
    ids: InstanceIds,
    body: Bytes,
) -> Result<Json<Autoscan>, ApiError> {
    let instance_id = instance_of(&app, &asked, ids)?;
    let object = object(&body)?;
    let enable: bool = member(&object, "enable_auto_scan")?;
    let schedule_at: Vec<String> = member(&object, "schedule_at")?;
    let minutes: HashSet<Option<u16>> = schedule_at.iter().map(|text| minute_of_day(text)).collect();
    // Each a minute of the day, and none twice.
    if minutes.contains(&None) || minutes.len() != schedule_at.len() {
        return Err(ApiError::member("schedule_at"));
    }
    let once = asked.caller.once().cloned();
    write(&app, &asked, move |app| {
        let settings = app.store.set_autoscan(kind, &instance_id, enable, &schedule_at, once.as_ref())?;
        tracing::info!(instance_id, enable, schedule_at = schedule_at.join(" "), "automatic analyses set");
        Ok(Json(settings))
    })
    .await
}

/// A body that is a JSON object.
///
/// # Errors
/// The published answers to bodies that are empty or no JSON.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.trim_ascii().is_empty() {
        return Err(ApiError::EMPTY_BODY);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ApiError::NOT_JSON),
    }
}

/// A member that must be there.
///
/// # Errors
/// [`ApiError::member`] if it is missing or of another type.
pub(super) fn member<'o, T: Deserialize<'o>>(object: &'o Map<String, Value>, name: &str) -> Result<T, ApiError> {
    let value = object.get(name).ok_or_else(|| ApiError::member(name))?;
    T::deserialize(value).map_err(|_| ApiError::member(name))
}
