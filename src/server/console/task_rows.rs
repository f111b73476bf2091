//! The table of an instance's tasks of one kind: how far each is, why it failed, what can be done with it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{button, guarded, moment, name, state};
use super::visitor::Visitor;
use super::words::{Words, words};
use crate::output::human::{bytes, count, duration};
use crate::server::app::App;
use crate::task::{self, Status, StoreError, TaskKind, TaskRecord};

/// A task, and what the list does not say of it.
pub(super) struct TaskLine {
    task: TaskRecord,
    reason: Option<String>,
    dumps: Vec<String>,
    progress: Option<Progress>,
}

/// How far a task is.
#[derive(Clone, Copy)]
struct Progress {
    done_bytes: u64,
    total_bytes: Option<u64>,
    keys: u64,
}

impl TaskLine {
    /// Whether the task has yet to end.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.task.status, Status::Waiting | Status::Running)
    }
}

/// A page of an instance's tasks, newest first, and how many there are in all.
///
/// # Errors
/// What the store says.
pub(super) fn lines(
    app: &App,
    kind: TaskKind,
    instance_id: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<TaskLine>, u64), StoreError> {
    let query = task::Query { kind, instance_id: Some(instance_id.to_owned()), status: None, offset, limit };
    let listing = app.store.list(&query)?;
    let ids: Vec<&str> = listing.records.iter().map(|task| task.id.as_str()).collect();
    let details = app.store.details(&ids)?;
    let lines = listing.records.into_iter().zip(details).map(|(task, details)| {
        let progress = app.runner.progress(&task.id).map(|progress| Progress {
            done_bytes: progress.done_bytes(),
            total_bytes: progress.total_bytes(),
            keys: progress.keys(),
        });
        let (reason, dumps) = details.map_or((None, Vec::new()), |details| (details.reason, details.dumps));
        TaskLine { task, reason, dumps: dumps.into_iter().map(|dump| dump.name).collect(), progress }
    });
    Ok((lines.collect(), listing.count))
}

/// The table. Where a task has yet to end it is looked at each second.
pub(super) fn rows(
    visitor: &Visitor,
    instance_id: &str,
    kind: TaskKind,
    lines: &[TaskLine],
    is_active: bool,
) -> Markup {
    let Words { folder: id, several, .. } = words(kind);
    let caption = format!("{several}, newest first");
    html! {
        div.scroll id={ (id) "-list" } tabindex="0" role="group" aria-label=(caption)
            data-poll=(if is_active { "1" } else { "10" }) data-list {
            @if lines.is_empty() { p.note { "None yet." } } @else {
                table {
                    caption.offscreen { (caption) }
                    thead {
                        tr {
                            th scope="col" { "Task" }
                            th scope="col" { "State" }
                            th scope="col" { "Created" }
                            th scope="col" { "Took" }
                            @if kind != TaskKind::Offline { th.number scope="col" { "Keys" } }
                            th scope="col" { "Dumps" }
                            @if visitor.may_change() { th scope="col" { span.offscreen { "Actions" } } }
                        }
                    }
                    tbody { @for line in lines { (row(visitor, instance_id, kind, id, line)) } }
                }
            }
        }
    }
}

fn row(visitor: &Visitor, instance_id: &str, kind: TaskKind, folder: &str, line: &TaskLine) -> Markup {
    let task = &line.task;
    let path = format!("/instances/{instance_id}/{folder}/{}", task.id);
    html! {
        tr id={ "t-" (task.id) } data-live data-state=(task.status.name()) data-said={ "Task " (task.id) } {
            th scope="row" {
                a href=(path) { code { (task.id) } }
                br;
                span.note { (task.scan_type.name()) }
            }
            td {
                (state(task.status))
                @if let Some(progress) = line.progress { (how_far(task, progress)) }
                @if let Some(reason) = &line.reason { p.reason { (name(reason)) } }
            }
            td { (moment(task.created_at)) }
            td { @if let (Some(from), Some(to)) = (task.started_at, task.finished_at) { (took(from, to)) } }
            @if kind != TaskKind::Offline {
                td.number { @if task.finished_at.is_some() { (count(task.num)) } }
            }
            td { @for dump in &line.dumps { (name(dump)) br; } }
            @if visitor.may_change() {
                td {
                    @if line.is_active() { (button(visitor, &format!("{path}/cancel"), "Cancel", &task.id)) }
                    @if task.status != Status::Running { (guarded(visitor, &format!("{path}/delete"), "Delete", &task.id)) }
                }
            }
        }
    }
}

/// A bar, the bytes, and how much longer it takes if it goes on like this.
fn how_far(task: &TaskRecord, Progress { done_bytes, total_bytes, keys }: Progress) -> Markup {
    let elapsed_ms = task.started_at.map_or(0, |at| Timestamp::now().as_millisecond() - at.as_millisecond());
    let left = total_bytes.zip(u128::try_from(elapsed_ms).ok()).and_then(|(total, elapsed_ms)| {
        let left = u128::from(total.saturating_sub(done_bytes)) * elapsed_ms;
        u64::try_from(left.checked_div(u128::from(done_bytes))?.div_ceil(1000)).ok()
    });
    html! {
        @if let Some(total) = total_bytes { progress max=(total) value=(done_bytes) aria-label="Bytes read" {} }
        p.note {
            (bytes(done_bytes)) @if let Some(total) = total_bytes { " of " (bytes(total)) }
            ", " (count(keys)) " keys"
            @if let Some(left) = left { ", " (duration(left)) " left" }
        }
    }
}

/// How long a task took.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0);
    if milliseconds < 10_000 {
        format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
    } else {
        duration(milliseconds / 1000)
    }
}
