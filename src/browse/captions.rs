//! What is said around a list: where the reader is, what is shown, what is going on, and which keys there are.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::columns::what_it_is;
use super::job::Job;
use super::place::Place;
use super::source::Written;
use super::view::{Asks, View};
use crate::error::Visible;
use crate::output::human;
use crate::output::values::Review;

pub(super) fn title(app: &App, width: usize) -> String {
    let mut title = format!("bigkeys  {}", human::name(app.source.title().as_bytes(), width / 2));
    let Some(here) = app.here() else { return title };
    if let Place::Names { db, prefix } = &here.place {
        title += &db.map_or(" › all databases".to_owned(), |db| format!(" › db {db}"));
        if !prefix.is_empty() {
            let left = width.saturating_sub(title.width() + 3);
            _ = write!(title, " › {}", human::name(prefix, left));
        }
    }
    title
}

pub(super) fn subtitle(app: &App) -> String {
    let mut parts = Vec::new();
    match app.views.last() {
        Some(View::Findings(_) | View::Finding { .. }) => {
            parts.push("findings: severity, bytes saved, what".to_owned());
        }
        Some(View::Grown(_)) => parts.push("what grew: memory before, now, change".to_owned()),
        Some(View::Marks(_)) => parts.push(format!("marks: {}", app.marks.len())),
        Some(View::Help(_)) => parts.push("keys".to_owned()),
        Some(View::Notes(_)) => parts.push("what is to be known of the figures".to_owned()),
        Some(View::Card(card)) => {
            let kind = human::name(card.key.kind.as_bytes(), 20);
            parts.push(
                card.key.key.memory_bytes.map_or(kind.clone(), |bytes| format!("{kind} · {}", human::bytes(bytes))),
            );
        }
        None => {
            if let Some(level) = app.here().and_then(|here| here.level(&app.lens)) {
                let keys = what_it_is(None, &level.total);
                parts.push(if level.is_partial { format!("so far {keys}") } else { keys });
                parts.push(human::bytes(level.total.memory_bytes));
            }
            let by = app.order.measure.name();
            parts.push(if app.order.is_by_name { format!("by name, bars by {by}") } else { format!("by {by}") });
            if let Some(kind) = app.lens.kind {
                parts.push(format!("{} only", kind.name()));
            }
            if app.lens.is_without_ttl {
                parts.push("without TTL".to_owned());
            }
            if !app.lens.text.is_empty() {
                parts.push(format!("/{}", human::name(app.lens.text.as_bytes(), 20)));
            }
        }
    }
    if app.source.is_report() && app.views.is_empty() {
        parts.insert(0, "from a report".to_owned());
    }
    if !app.marks.is_empty() && !matches!(app.views.last(), Some(View::Marks(_))) {
        parts.push(format!("{} marked", app.marks.len()));
    }
    parts.join(" · ")
}

/// What is to be known of the level.
pub(super) fn notes(app: &App) -> Vec<String> {
    let mut notes = Vec::new();
    if app.source.is_report() {
        notes.push("from a report: the prefixes and keys that it lists; others are summed up".to_owned());
    }
    let level = app.here().and_then(|here| here.level(&app.lens));
    notes.extend(level.iter().flat_map(|level| &level.notes).map(|note| Visible(note.as_bytes()).to_string()));
    notes
}

pub(super) fn status(app: &App) -> String {
    if let Some(prompt) = &app.prompt {
        let text = human::name(prompt.text.as_bytes(), app.columns.saturating_sub(32));
        let text = if prompt.text.is_empty() { "" } else { &text };
        return match prompt.asks {
            Asks::Text => format!("names that contain: {text}_"),
            Asks::Form => "write the marks as: l list, u UNLINK, e EXPIRE, f filter".to_owned(),
            Asks::Seconds => format!("EXPIRE after so many seconds: {text}_"),
            Asks::File(Written::Commands(Review::Delete)) => format!("write UNLINK commands to: {text}_"),
            Asks::File(Written::Commands(Review::Expire { .. })) => format!("write EXPIRE commands to: {text}_"),
            Asks::File(Written::List) => format!("write the list to: {text}_"),
            Asks::File(Written::Filter) => format!("write the filter to: {text}_"),
        };
    }
    if let Some(message) = &app.message {
        return Visible(message.as_bytes()).to_string();
    }
    let running: Vec<String> = [&app.job, &app.writing].into_iter().flatten().map(Job::progress).collect();
    if !running.is_empty() {
        return running.join("; ");
    }
    if app.is_held_back {
        return "ending the scans before…".to_owned();
    }
    match (&notes(app)[..], app.views.last()) {
        ([note, more @ ..], None) if !more.is_empty() => format!("i: {} notes: {note}", more.len() + 1),
        ([note], None) => format!("i: {note}"),
        _ => String::new(),
    }
}

pub(super) fn hints(app: &App, width: usize) -> String {
    let hints: &[&str] = match (&app.prompt, app.views.last()) {
        (Some(_), _) => &["Enter done", "Esc cancel"],
        (_, None) => &[
            "Enter open",
            "Esc back",
            "? keys",
            "m measure",
            "/ filter",
            "t type",
            "n no TTL",
            "f findings",
            "Space mark",
            "q quit",
        ],
        (_, Some(View::Card(_))) => &["↓ ↑ page", "L largest first", "Esc back", "? keys", "q quit"],
        (_, Some(View::Findings(_) | View::Finding { .. } | View::Grown(_))) => {
            &["Enter open", "Esc back", "? keys", "q quit"]
        }
        (_, Some(View::Marks(_))) => &["Space take away", "w write", "Esc back", "? keys", "q quit"],
        (_, Some(View::Help(_) | View::Notes(_))) => &["↓ ↑ scroll", "Esc back", "q quit"],
    };
    let mut text = String::new();
    for hint in hints {
        let gap = if text.is_empty() { "" } else { "  " };
        if text.width() + gap.len() + hint.width() > width {
            break;
        }
        text += gap;
        text += hint;
    }
    text
}
