//! What keys of the keyboard do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::app::{App, End};
use super::finding::Target;
use super::list::{List, Move};
use super::place::Place;
use super::typing::typed;
use super::view::{Asks, Prompt, View};
use crate::rdb::Kind;

/// A key of the keyboard.
pub(super) fn press(app: &mut App, key: KeyEvent) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    if is_control && key.code == KeyCode::Char('c') {
        app.end = Some(End::Interrupted);
        return;
    }
    let before = app.message.take();
    if let Some(prompt) = app.prompt.take() {
        app.prompt = typed(app, prompt, key);
    } else if let Some(to) = movement(key, app.rows) {
        go(app, to);
    } else if !is_control {
        act(app, key.code, before.as_deref());
    }
    app.ask();
}

/// What is said when the reader leaves while marks are written.
const STILL_WRITING: &str = "still writing; q again stops it, and leaves the file incomplete";

fn act(app: &mut App, code: KeyCode, said: Option<&str>) {
    match code {
        KeyCode::Char('q') if app.writing.is_some() && said != Some(STILL_WRITING) => {
            app.message = Some(STILL_WRITING.to_owned());
        }
        KeyCode::Char('q') => app.end = Some(End::Left),
        KeyCode::Char('h') | KeyCode::Left | KeyCode::Esc | KeyCode::Backspace => app.back(),
        KeyCode::Char('l') | KeyCode::Right | KeyCode::Enter => enter(app),
        KeyCode::Char('?') => show(app, View::Help(List::default())),
        KeyCode::Char('f') => show(app, View::Findings(List::default())),
        KeyCode::Char('a') => show(app, View::Marks(List::default())),
        KeyCode::Char('i') => show(app, View::Notes(List::default())),
        KeyCode::Char('d') if app.source.difference().is_some() => show(app, View::Grown(List::default())),
        KeyCode::Char('d') => app.message = Some("what grew is known of two reports: browse NEW OLD".to_owned()),
        KeyCode::Char('w') if app.marks.is_empty() => {
            app.message = Some("nothing is marked; Space marks the selected line".to_owned());
        }
        KeyCode::Char('w') if app.writing.is_some() => app.message = Some("still writing".to_owned()),
        KeyCode::Char('w') => app.prompt = Some(Prompt { asks: Asks::Form, text: String::new() }),
        KeyCode::Char(' ') => mark(app),
        KeyCode::Char('L') => {
            if let Some(View::Card(card)) = app.views.last_mut() {
                card.toggle_largest();
            }
        }
        KeyCode::Char(char) if app.views.is_empty() => narrow(app, char),
        _ => {}
    }
}

/// What is seen of the tree, and how.
fn narrow(app: &mut App, char: char) {
    match char {
        '/' => app.prompt = Some(Prompt { asks: Asks::Text, text: app.lens.text.clone() }),
        't' | 'T' => {
            let at = app.lens.kind.and_then(|kind| Kind::ALL.iter().position(|of_all| *of_all == kind));
            let next = match (at, char) {
                (None, 't') => Some(0),
                (None, _) => Some(Kind::ALL.len() - 1),
                (Some(at), 't') => Some(at + 1),
                (Some(at), _) => at.checked_sub(1),
            };
            app.lens.kind = next.and_then(|at| Kind::ALL.get(at)).copied();
        }
        'n' => app.lens.is_without_ttl = !app.lens.is_without_ttl,
        'm' => {
            app.order.measure = app.order.measure.next();
            app.sort();
        }
        's' => {
            app.order.is_by_name = !app.order.is_by_name;
            app.sort();
        }
        _ => {}
    }
}

/// Shows a view, or no longer if it is what is shown.
fn show(app: &mut App, view: View) {
    let is_shown = app.views.last().is_some_and(|shown| std::mem::discriminant(shown) == std::mem::discriminant(&view));
    if is_shown {
        app.views.pop();
    } else {
        // Each is shown once at most.
        app.views.retain(|shown| std::mem::discriminant(shown) != std::mem::discriminant(&view));
        app.views.push(view);
    }
}

fn mark(app: &mut App) {
    match app.views.last() {
        None => {
            app.mark();
            go(app, Move::Down(1));
        }
        Some(View::Marks(list)) => {
            let mark = app.marks.iter().nth(list.at).cloned();
            if let Some(mark) = mark {
                app.marks.remove(&mark);
            }
        }
        Some(View::Card(_)) => go(app, Move::Down(app.rows)),
        Some(_) => {}
    }
}

/// Opens what is selected.
pub(super) fn enter(app: &mut App) {
    let target = match app.views.last() {
        None => return app.open(),
        Some(View::Findings(list)) => {
            let at = list.at;
            return app.open_finding(at);
        }
        Some(View::Finding { at, list }) => app.finding(*at).and_then(|(text, targets)| {
            let at = list.at.checked_sub(text.len())?;
            targets.get(at).cloned()
        }),
        Some(View::Grown(list)) => {
            let (databases, prefixes) = app.grown();
            let only = if let [only] = databases { Some(only.db) } else { None };
            match (databases.get(list.at), list.at.checked_sub(databases.len())) {
                (Some(database), _) => Some(Target::Place(Place::names(Some(database.db), &[]))),
                (None, Some(at)) => {
                    prefixes.get(at).map(|prefix| Target::Place(Place::names(only, prefix.name.bytes())))
                }
                (None, None) => None,
            }
        }
        Some(View::Card(_) | View::Marks(_) | View::Help(_) | View::Notes(_)) => None,
    };
    if let Some(target) = target {
        app.jump(&target);
    }
}

/// How a key moves the selection, of a list that has so many rows on the screen.
fn movement(key: KeyEvent, rows: usize) -> Option<Move> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('d') if is_control => Move::Down(rows / 2),
        KeyCode::Char('u') if is_control => Move::Up(rows / 2),
        KeyCode::Char('f') if is_control => Move::Down(rows),
        KeyCode::Char('b') if is_control => Move::Up(rows),
        _ if is_control => return None,
        KeyCode::Char('j') | KeyCode::Down => Move::Down(1),
        KeyCode::Char('k') | KeyCode::Up => Move::Up(1),
        KeyCode::PageDown => Move::Down(rows),
        KeyCode::PageUp => Move::Up(rows),
        KeyCode::Char('g') | KeyCode::Home => Move::First,
        KeyCode::Char('G') | KeyCode::End => Move::Last,
        _ => return None,
    })
}

/// Moves the selection, or turns pages.
pub(super) fn go(app: &mut App, to: Move) {
    let lines = lines(app);
    match app.views.last_mut() {
        None => {
            if let Some(here) = app.here_mut() {
                here.list.go(to, lines);
            }
        }
        Some(View::Card(card)) => match to {
            Move::Down(_) => card.turn(true),
            Move::Up(_) => card.turn(false),
            Move::First => card.turn_to_first(),
            Move::Last => card.turn_to_last(),
        },
        // Pages of text have no selected line, and move as a whole.
        Some(View::Help(list) | View::Notes(list)) => {
            list.first = match to {
                Move::Down(by) => list.first.saturating_add(by),
                Move::Up(by) => list.first.saturating_sub(by),
                Move::First => 0,
                Move::Last => usize::MAX,
            };
        }
        Some(View::Findings(list) | View::Finding { list, .. } | View::Grown(list) | View::Marks(list)) => {
            list.go(to, lines);
        }
    }
}

/// Lines of the list that is shown.
pub(super) fn lines(app: &App) -> usize {
    match app.views.last() {
        None => app.here().map_or(0, |here| here.lines.len()),
        Some(View::Findings(_)) => match &app.findings {
            Some(Ok(report)) => report.findings.len(),
            _ => 0,
        },
        Some(View::Finding { at, .. }) => app.finding(*at).map_or(0, |(text, targets)| text.len() + targets.len()),
        Some(View::Grown(_)) => {
            let (databases, prefixes) = app.grown();
            databases.len() + prefixes.len()
        }
        Some(View::Marks(_)) => app.marks.len(),
        Some(View::Card(_) | View::Help(_) | View::Notes(_)) => 0,
    }
}
