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

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::app::App;

/// The pages.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let changes = Router::new()
        .route("/instances/{instance_id}/tasks", post(act::create))
        .route("/instances/{instance_id}/tasks/{task_id}/cancel", post(act::cancel))
        .route("/instances/{instance_id}/tasks/{task_id}/delete", post(act::delete))
        .route("/instances/{instance_id}/offline", post(act::create_offline))
        .route("/instances/{instance_id}/offline/{task_id}/cancel", post(act::cancel_offline))
        .route("/instances/{instance_id}/offline/{task_id}/delete", post(act::delete_offline))
        .route("/instances/{instance_id}/schedule", post(act::schedule))
        .route_layer(from_fn(gate::allow_changes));
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/logout", post(login::leave))
        .route("/instances/{instance_id}", get(instance::show))
        .route("/instances/{instance_id}/tasks/{task_id}", get(task::show_big_keys))
        .route("/instances/{instance_id}/tasks/{task_id}/keys.csv", get(download::big_keys_csv))
        .route("/instances/{instance_id}/tasks/{task_id}/keys.json", get(download::big_keys_json))
        .route("/instances/{instance_id}/tasks/{task_id}/report", post(report::make))
        .route("/instances/{instance_id}/offline/{task_id}", get(task::show_offline))
        .route("/instances/{instance_id}/offline/{task_id}/keys.csv", get(download::offline_csv))
        .route("/instances/{instance_id}/offline/{task_id}/keys.json", get(download::offline_json))
        .route("/instances/{instance_id}/offline/{task_id}/report", post(report::make))
        .merge(changes)
        .route_layer(from_fn_with_state(app.clone(), gate::enter));
    Router::new().route("/login", get(login::show).post(login::enter)).merge(pages)
}
