//! An instance: its tasks of both kinds, what can be done with them, and its schedule.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::page;
use super::overview::{biggest, newest_dump, pages};
use super::parts::{button, line, name};
use super::problem::Problem;
use super::task_rows::{TaskLine, lines, rows};
use super::visitor::{CSRF, Visitor};
use crate::output::human::bytes;
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::work::read;
use crate::task::{Autoscan, NodeBytes, TaskKind};

/// Tasks of a kind on a page.
const PAGE: u64 = 20;

/// Tasks that the lines go over.
const POINTS: u32 = 50;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    path: Result<Path<String>, PathRejection>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|_| ApiError::NO_INSTANCE)?;
    let instance = visitor.instance(&id)?;
    let number = |of: &str| {
        let found = parameters.iter().find(|(name, _)| name == of).and_then(|(_, value)| value.parse::<u32>().ok());
        u64::from(found.unwrap_or(0))
    };
    let (tasks_page, offline_page) = (number("page"), number("offline"));
    let instance_id = id.clone();
    let found = read(&app, &visitor.asked, move |app| {
        Ok::<_, ApiError>((
            lines(app, TaskKind::BigKeys, &instance_id, tasks_page * PAGE, PAGE)?,
            lines(app, TaskKind::Offline, &instance_id, offline_page * PAGE, PAGE)?,
            app.store.autoscan(&instance_id)?,
            app.store.biggest_keys(&instance_id, POINTS)?,
            app.store.node_bytes(&instance_id, POINTS)?,
        ))
    });
    let ((tasks, all_tasks), (offline, all_offline), schedule, points, memory) = found.await?;
    let is_active = tasks.iter().chain(&offline).any(TaskLine::is_active);
    let pages_of = |all: u64| usize::try_from(all.div_ceil(PAGE)).unwrap_or(usize::MAX);
    let place = |page: u64| usize::try_from(page).unwrap_or(usize::MAX);
    let nodes: Vec<&str> = instance.shards.iter().map(|shard| shard.address.as_deref().unwrap_or(&id)).collect();
    let main = html! {
        p.note { "Instance " code { (id) } }
        dl.facts {
            div { dt { "Newest dump" } dd #newest data-live { (newest_dump(app.found.of(&id).as_ref())) } }
            div.wide { dt { "Over time" } dd #over-time data-live { (biggest(&points)) (node_lines(&memory)) } }
        }
        section aria-labelledby="tasks-title" {
            h2 #tasks-title { "Big key tasks" }
            @if visitor.may_change() {
                div.tools { (button(&visitor, &format!("/instances/{id}/tasks"), "Analyze now", "")) }
            }
            (rows(&visitor, &id, TaskKind::BigKeys, &tasks, is_active))
            (pages(pages_of(all_tasks), place(tasks_page), |page| format!("/instances/{id}?page={page}")))
        }
        section aria-labelledby="schedule-title" {
            h2 #schedule-title { "Automatic tasks" }
            (schedule_editor(&visitor, &id, &schedule))
        }
        section aria-labelledby="offline-title" {
            h2 #offline-title { "Offline key analyses" }
            @if visitor.may_change() {
                form.tools method="post" action={ "/instances/" (id) "/offline" } {
                    input type="hidden" name=(CSRF) value=(visitor.csrf);
                    label { "Node " select name="node_id" { @for node in &nodes { option { (node) } } } }
                    button { "Analyze the node's newest dump" }
                }
            }
            (rows(&visitor, &id, TaskKind::Offline, &offline, is_active))
            (pages(pages_of(all_offline), place(offline_page), |page| format!("/instances/{id}?offline={page}")))
        }
    };
    let title = if instance.name.is_empty() { &id } else { &instance.name };
    Ok(page(Some(&visitor), title, &[("Instances".to_owned(), "/".to_owned())], &main))
}

/// Lines of what the keys of each node take.
fn node_lines(memory: &[NodeBytes]) -> Markup {
    let mut nodes: Vec<&str> = memory.iter().map(|point| point.node_id.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let of = |node: &str| -> Vec<u64> {
        memory.iter().filter(|point| point.node_id == node).map(|point| point.total_bytes).collect()
    };
    html! { @for node in nodes { (line(&format!("Memory of {node}"), &of(node), bytes)) } }
}

fn schedule_editor(visitor: &Visitor, id: &str, schedule: &Autoscan) -> Markup {
    let times = schedule.schedule_at.join(", ");
    html! {
        @if visitor.may_change() {
            form.tools method="post" action={ "/instances/" (id) "/schedule" } {
                input type="hidden" name=(CSRF) value=(visitor.csrf);
                label {
                    input type="checkbox" name="enabled" value="true" checked[schedule.enable_auto_scan];
                    " Each day at "
                }
                label {
                    span.offscreen { "Times, in UTC" }
                    input name="times" value=(times) placeholder="21:00, 03:30" size="24" aria-describedby="times-form";
                }
                button { "Save" }
                span.note #times-form { "Times of the day in UTC, HH:MM, separated by commas" }
            }
        } @else if schedule.enable_auto_scan && !times.is_empty() {
            p { "Each day at " (name(&times)) " UTC" }
        } @else {
            p.note { "None" }
        }
    }
}
