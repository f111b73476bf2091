//! What the mouse does.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::app::App;
use super::keys::{enter, go, lines};
use super::list::Move;
use super::view::{LIST_ROW, View};

/// Lines that the wheel scrolls.
const WHEEL_LINES: usize = 3;

/// A mouse.
pub(super) fn point(app: &mut App, mouse: MouseEvent) {
    let acts = matches!(mouse.kind, MouseEventKind::ScrollDown | MouseEventKind::ScrollUp | MouseEventKind::Down(_));
    if !acts || app.prompt.is_some() {
        return;
    }
    app.message = None;
    match mouse.kind {
        MouseEventKind::ScrollDown => go(app, Move::Down(WHEEL_LINES)),
        MouseEventKind::ScrollUp => go(app, Move::Up(WHEEL_LINES)),
        MouseEventKind::Down(MouseButton::Left) => click(app, mouse.row),
        MouseEventKind::Down(MouseButton::Right) => app.back(),
        _ => {}
    }
    app.ask();
}

fn click(app: &mut App, row: u16) {
    let (rows, lines) = (app.rows, lines(app));
    let Some(row) = row.checked_sub(LIST_ROW).map(usize::from).filter(|row| *row < rows) else { return };
    let list = match app.views.last_mut() {
        None => app.levels.last_mut().map(|here| &mut here.list),
        Some(View::Findings(list) | View::Finding { list, .. } | View::Grown(list) | View::Marks(list)) => Some(list),
        Some(View::Card(_) | View::Help(_) | View::Notes(_)) => None,
    };
    let Some(list) = list else { return };
    let at = list.first + row;
    if at >= lines {
        return;
    }
    if std::mem::replace(&mut list.at, at) == at {
        enter(app);
    }
}
