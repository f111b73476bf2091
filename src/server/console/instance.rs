//! An instance: its tasks of all kinds, what can be done with them, and its schedule.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::frame::page;
use super::overview::{biggest, newest_dump, pages};
use super::parts::{button, line, name};
use super::problem::Problem;
use super::task_rows::{TaskLine, lines, rows};
use super::visitor::{CSRF, InstancePath, Visitor};
use super::words::{Words, words};
use crate::output::human::bytes;
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::work::read;
use crate::task::{Autoscan, NodeBytes, StoreError, TaskKind};

/// Tasks of a kind on a page.
const PAGE: u64 = 20;

/// Tasks that the lines go over.
const POINTS: u32 = 50;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    path: InstancePath,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let id = visitor.instance_of(path)?;
    let instance = visitor.instance(&id)?;
    let instance_id = id.clone();
    let found = read(&app, &visitor.asked, move |app| {
        let of_kind = |kind| of_kind(app, kind, &instance_id, &parameters);
        Ok::<_, ApiError>((
            TaskKind::ALL.into_iter().map(of_kind).collect::<Result<Vec<_>, _>>()?,
            app.store.autoscan(TaskKind::BigKeys, &instance_id)?,
            app.store.biggest_keys(&instance_id, POINTS)?,
            app.store.node_bytes(&instance_id, POINTS)?,
        ))
    });
    let (tasks, schedule, points, memory) = found.await?;
    let is_active = tasks.iter().flat_map(|of_kind| &of_kind.lines).any(TaskLine::is_active);
    let nodes: Vec<&str> = instance.shards.iter().map(|shard| shard.address.as_deref().unwrap_or(&id)).collect();
    let main = html! {
        p.note { "Instance " code { (id) } }
        dl.facts {
            div { dt { "Newest dump" } dd #newest data-live { (newest_dump(app.found.of(&id).as_ref())) } }
            div.wide { dt { "Over time" } dd #over-time data-live { (biggest(&points)) (node_lines(&memory)) } }
        }
        @for of_kind in &tasks {
            (section(&visitor, &id, of_kind, &nodes, is_active))
            @if of_kind.kind == TaskKind::BigKeys {
                section aria-labelledby="schedule-title" {
                    h2 #schedule-title { "Automatic tasks" }
                    (schedule_editor(&visitor, &id, &schedule))
                }
            }
        }
    };
    let title = if instance.name.is_empty() { &id } else { &instance.name };
    Ok(page(Some(&visitor), title, &[("Instances".to_owned(), "/".to_owned())], &main))
}

/// A page of an instance's tasks of a kind.
struct OfKind {
    kind: TaskKind,
    lines: Vec<TaskLine>,
    /// How many there are on all pages.
    count: u64,
    page: u32,
}

/// The tasks of a kind, on the page that the parameter with its name says.
///
/// # Errors
/// What the store says.
fn of_kind(
    app: &App,
    kind: TaskKind,
    instance_id: &str,
    parameters: &[(String, String)],
) -> Result<OfKind, StoreError> {
    let wanted = parameters.iter().find(|(name, _)| name == words(kind).folder);
    let page = wanted.and_then(|(_, value)| value.parse().ok()).unwrap_or(0_u32);
    let (lines, count) = lines(app, kind, instance_id, u64::from(page) * PAGE, PAGE)?;
    Ok(OfKind { kind, lines, count, page })
}

/// The tasks of a kind, and what creates another one.
fn section(visitor: &Visitor, id: &str, of_kind: &OfKind, nodes: &[&str], is_active: bool) -> Markup {
    let OfKind { kind, lines, count, page } = of_kind;
    let Words { folder, several, create, .. } = words(*kind);
    let path = format!("/instances/{id}/{folder}");
    let pages_of_all = usize::try_from(count.div_ceil(PAGE)).unwrap_or(usize::MAX);
    let place = usize::try_from(*page).unwrap_or(usize::MAX);
    html! {
        section aria-labelledby={ (folder) "-title" } {
            h2 id={ (folder) "-title" } { (several) }
            @if visitor.may_change() {
                @if *kind == TaskKind::Offline {
                    form.tools method="post" action=(path) {
                        input type="hidden" name=(CSRF) value=(visitor.csrf);
                        label { "Node " select name="node_id" { @for node in nodes { option { (node) } } } }
                        button { (create) }
                    }
                } @else {
                    div.tools { (button(visitor, &path, create, "")) }
                }
            }
            (rows(visitor, id, *kind, lines, is_active))
            (pages(pages_of_all, place, |page| format!("/instances/{id}?{folder}={page}")))
        }
    }
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
