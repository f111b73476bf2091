//! The service's pages for people: their instances, tasks and schedules in a browser, by the same store and the same checks
//! as the API. Nothing is shown before a login.
//!
//! `gate.rs` is what every page is behind, `session.rs` and `login.rs` how to get through it; `frame.rs` has the policy that lets the
//! service's own script run and nothing else. Pages are whole without the script, which only looks again for what changes.

mod act;
mod download;
mod frame;
mod gate;
mod instance;
mod key_table;
mod keys;
mod login;
mod overview;
mod parts;
mod problem;
mod report;
pub(super) mod session;
mod task;
mod task_rows;
mod visitor;
mod words;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::app::App;
use crate::task::TaskKind;
use words::words;

/// The pages.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let of_kind = |kind: TaskKind| {
        let folder = format!("/instances/{{instance_id}}/{}", words(kind).folder);
        let task = format!("{folder}/{{task_id}}");
        let changes = Router::new()
            .route(&folder, post(act::create))
            .route(&format!("{task}/cancel"), post(act::cancel))
            .route(&format!("{task}/delete"), post(act::delete))
            .route_layer(from_fn(gate::allow_changes));
        Router::new()
            .route(&task, get(task::show))
            .route(&format!("{task}/keys.csv"), get(download::csv))
            .route(&format!("{task}/keys.json"), get(download::json))
            .route(&format!("{task}/report"), post(report::make))
            .merge(changes)
            .route_layer(Extension(kind))
    };
    let schedule = post(act::schedule).route_layer(from_fn(gate::allow_changes));
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/logout", post(login::leave))
        .route("/instances/{instance_id}", get(instance::show))
        .route("/instances/{instance_id}/schedule", schedule);
    let pages = TaskKind::ALL
        .into_iter()
        .fold(pages, |pages, kind| pages.merge(of_kind(kind)))
        .route_layer(from_fn_with_state(app.clone(), gate::enter));
    Router::new().route("/login", get(login::show).post(login::enter)).merge(pages)
}
