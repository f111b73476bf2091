//! A task of any kind: what it is, its keys beside those of the task before, and the report of its dumps.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::frame::page;
use super::key_table::{Table, gone, summary};
use super::keys::{Filter, Key, compare};
use super::parts::{moment, name, state};
use super::problem::Problem;
use super::task_rows::took;
use super::visitor::{CSRF, TaskPath, Visitor};
use super::words::{Words, words};
use crate::output::human::{bytes, count};
use crate::server::app::App;
use crate::server::errors::ApiError;
use crate::server::work::read;
use crate::task::{Details, OfflineNumbers, StoreError, Task, TaskKind};

/// Tasks that one can be compared with.
const EARLIER_MAX: u32 = 100;

/// Prefixes that are shown.
const PREFIXES_MAX: usize = 100;

/// A task, and the one that it is compared with.
pub(super) struct Shown {
    pub(super) task: Task,
    pub(super) details: Option<Details>,
    /// Of an offline key analysis that has ended.
    pub(super) numbers: Option<OfflineNumbers>,
    /// With their sizes before.
    pub(super) keys: Vec<Key>,
    pub(super) gone: Vec<Key>,
    /// The task that it is compared with.
    pub(super) other: Option<String>,
    earlier: Vec<(String, Timestamp)>,
}

pub(super) type Parameters = Query<Vec<(String, String)>>;

/// The value of a parameter.
pub(super) fn parameter<'p>(parameters: &'p [(String, String)], name: &str) -> &'p str {
    parameters.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value)
}

/// A task with its keys, compared with the task whose ID is `other`, with the one before if that is empty, or with none.
///
/// # Errors
/// What the store says.
pub(super) fn find(app: &App, kind: TaskKind, instance_id: &str, id: &str, other: &str) -> Result<Shown, StoreError> {
    let (task, numbers, mut keys) = keys_of(app, kind, instance_id, id)?;
    let details = app.store.details(&[id])?.pop().flatten();
    let earlier = app.store.before(kind, instance_id, id, EARLIER_MAX)?;
    let other = match other {
        "" => earlier.first(),
        other => earlier.iter().find(|(id, _)| id == other),
    };
    let other = other.map(|(id, _)| id.clone());
    let gone = match &other {
        Some(other) if !keys.is_empty() => compare(&mut keys, keys_of(app, kind, instance_id, other)?.2),
        _ => Vec::new(),
    };
    Ok(Shown { task, details, numbers, keys, gone, other, earlier })
}

fn keys_of(
    app: &App,
    kind: TaskKind,
    instance_id: &str,
    id: &str,
) -> Result<(Task, Option<OfflineNumbers>, Vec<Key>), StoreError> {
    Ok(match kind {
        TaskKind::BigKeys | TaskKind::HotKeys | TaskKind::ExpiredKeys => {
            let mut task = app.store.show(kind, Some(instance_id), id)?;
            let keys = task.keys.take().unwrap_or_default().into_iter().map(Key::from).collect();
            (task, None, keys)
        }
        TaskKind::Offline => {
            let (task, _, numbers) = app.store.offline(instance_id, id)?;
            let keys = numbers.iter().flat_map(|numbers| numbers.largest_keys.iter().cloned()).map(Key::from).collect();
            (task, numbers, keys)
        }
    })
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<TaskKind>,
    Extension(visitor): Extension<Visitor>,
    path: TaskPath,
    Query(parameters): Parameters,
) -> Result<Response, Problem> {
    let (instance_id, id) = visitor.task_of(path)?;
    let (wanted, compare) = ((instance_id.clone(), id.clone()), parameter(&parameters, "compare").to_owned());
    let other = compare.clone();
    let found = read(&app, &visitor.asked, move |app| {
        let (instance_id, id) = wanted;
        Ok::<_, ApiError>(find(app, kind, &instance_id, &id, &other)?)
    });
    let found = found.await?;
    let Words { folder, one, keys, .. } = words(kind);
    let path = format!("/instances/{instance_id}/{folder}/{id}");
    let filter = Filter::new(&parameters);
    let shown = filter.apply(found.keys.clone());
    let page_number = parameter(&parameters, "page").parse().unwrap_or(0);
    let is_compared = found.other.is_some();
    let table = Table { path: &path, filter: &filter, page: page_number, compare: &compare, is_compared };
    let has_ended = found.task.finished_at.is_some();
    let main = html! {
        (facts(&found))
        @if has_ended {
            div.tools {
                form method="post" action={ (path) "/report" } {
                    input type="hidden" name=(CSRF) value=(visitor.csrf);
                    button { "Report of the dumps" }
                }
                span.note { "Reads the dumps again, which takes as long as the task did or longer" }
            }
            @if let Some(numbers) = &found.numbers { (totals(numbers)) }
            section aria-labelledby="keys-title" {
                h2 #keys-title { (keys) }
                @if kind == TaskKind::ExpiredKeys { p.note { (count(found.task.num as u64)) " keys had expired when the dumps were written." } }
                (comparison(&path, &found))
                (table.keys(&found.keys, &shown))
                (gone(&found.gone))
            }
            @if let Some(numbers) = &found.numbers { (prefixes(numbers)) }
        }
    };
    let instance = visitor.instance(&instance_id)?;
    let of = if instance.name.is_empty() { &instance_id } else { &instance.name };
    let crumbs = [("Instances".to_owned(), "/".to_owned()), (of.clone(), format!("/instances/{instance_id}"))];
    Ok(page(Some(&visitor), one, &crumbs, &main))
}

fn facts(Shown { task, details, .. }: &Shown) -> Markup {
    let is_active = task.finished_at.is_none();
    html! {
        dl.facts #facts data-live data-poll=[is_active.then_some("1")] data-whole[is_active] data-state=(task.status.name()) data-said="Task" {
            div { dt { "Task" } dd { code { (task.id) } } }
            div { dt { "State" } dd { (state(task.status)) ", " (task.scan_type.name()) } }
            div { dt { "Created" } dd { (moment(task.created_at)) } }
            @if let (Some(from), Some(to)) = (task.started_at, task.finished_at) {
                div { dt { "Took" } dd { (took(from, to)) } }
            }
            @if let Some(details) = details {
                @if let Some(reason) = &details.reason { div { dt { "Why it failed" } dd.broken { (name(reason)) } } }
                @for dump in &details.dumps {
                    div {
                        dt { "Dump" @if let Some(shard) = &dump.shard { " of " (name(shard)) } }
                        dd { (name(&dump.name)) @if let Some(at) = dump.written_at { ", " (moment(at)) } }
                    }
                }
            }
        }
    }
}

/// Which task this one is compared with, and what came of that.
fn comparison(path: &str, found: &Shown) -> Markup {
    html! {
        @if found.earlier.is_empty() {
            p.note { "No earlier task to compare with." }
        } @else {
            form.tools method="get" action=(path) {
                label {
                    "Compared with "
                    select name="compare" {
                        @for (id, at) in &found.earlier {
                            option value=(id) selected[found.other.as_ref() == Some(id)] {
                                (at.strftime("%Y-%m-%d %H:%M:%S").to_string())
                            }
                        }
                        option value="none" selected[found.other.is_none()] { "none" }
                    }
                }
                button { "Compare" }
                @if found.other.is_some() { span #compared { (summary(&found.keys)) ", " (found.gone.len()) " no longer listed" } }
            }
        }
    }
}

fn totals(numbers: &OfflineNumbers) -> Markup {
    html! {
        section aria-labelledby="totals-title" {
            h2 #totals-title { "Totals" }
            div.scroll tabindex="0" role="group" aria-label="Totals by type" {
                table {
                    thead { tr { th scope="col" { "Type" } th.number scope="col" { "Bytes" } th.number scope="col" { "Keys" } } }
                    tbody {
                        @for (of_bytes, of_num) in numbers.type_bytes.iter().zip(&numbers.type_num) {
                            tr {
                                th scope="row" { (name(&of_bytes.type_name)) }
                                td.number { (bytes(of_bytes.bytes)) }
                                td.number { (count(of_num.num)) }
                            }
                        }
                        tr {
                            th scope="row" { "All" }
                            td.number { (bytes(numbers.total_bytes)) }
                            td.number { (count(numbers.total_num)) }
                        }
                    }
                }
            }
        }
    }
}

fn prefixes(numbers: &OfflineNumbers) -> Markup {
    html! {
        section aria-labelledby="prefixes-title" {
            h2 #prefixes-title { "Largest prefixes" }
            div.scroll tabindex="0" role="group" aria-label="Largest prefixes" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Prefix" }
                            th scope="col" { "Type" }
                            th.number scope="col" { "Bytes" }
                            th.number scope="col" { "Keys" }
                        }
                    }
                    tbody {
                        @for prefix in numbers.largest_key_prefixes.iter().take(PREFIXES_MAX) {
                            tr {
                                th scope="row" { (name(&prefix.key_prefix)) }
                                td { (name(&prefix.type_name)) }
                                td.number { (bytes(prefix.bytes)) }
                                td.number { (count(prefix.num)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
