//! What is drawn, as commands to a terminal: of styles those that the explorer uses.

use std::io::{self, Stdout, Write};

use crossterm::cursor::{Hide, MoveTo, Show, position};
use crossterm::style::{Attribute, Color as TerminalColor, Print, SetAttribute, SetForegroundColor};
use crossterm::terminal::{Clear, ClearType as TerminalClear, size, window_size};
use crossterm::{execute, queue};
use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

/// Standard output, if that is a terminal.
#[derive(Debug)]
pub(super) struct TerminalBackend(Stdout);

impl TerminalBackend {
    pub(super) fn new() -> Self {
        Self(io::stdout())
    }
}

impl Backend for TerminalBackend {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut next = None;
        let mut style = (Modifier::empty(), Color::Reset);
        for (column, row, cell) in content {
            if next != Some((column, row)) {
                queue!(self.0, MoveTo(column, row))?;
            }
            // After a wide character comes a cell that is not drawn, and so no cell that is next.
            next = Some((column.saturating_add(1), row));
            if style != (cell.modifier, cell.fg) {
                style = (cell.modifier, cell.fg);
                queue!(self.0, SetAttribute(Attribute::Reset))?;
                for (modifier, attribute) in ATTRIBUTES {
                    if cell.modifier.contains(modifier) {
                        queue!(self.0, SetAttribute(attribute))?;
                    }
                }
                if let Some(color) = terminal_color(cell.fg) {
                    queue!(self.0, SetForegroundColor(color))?;
                }
            }
            queue!(self.0, Print(cell.symbol()))?;
        }
        queue!(self.0, SetAttribute(Attribute::Reset))
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        execute!(self.0, Hide)
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        execute!(self.0, Show)
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        position().map(|(x, y)| Position { x, y })
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        execute!(self.0, MoveTo(x, y))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        let region = match region {
            ClearType::All => TerminalClear::All,
            ClearType::AfterCursor => TerminalClear::FromCursorDown,
            ClearType::BeforeCursor => TerminalClear::FromCursorUp,
            ClearType::CurrentLine => TerminalClear::CurrentLine,
            ClearType::UntilNewLine => TerminalClear::UntilNewLine,
        };
        execute!(self.0, Clear(region))
    }

    fn size(&self) -> io::Result<Size> {
        size().map(|(width, height)| Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        let window = window_size()?;
        let columns_rows = Size { width: window.columns, height: window.rows };
        Ok(WindowSize { columns_rows, pixels: Size { width: window.width, height: window.height } })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The modifiers that the screen has.
const ATTRIBUTES: [(Modifier, Attribute); 3] =
    [(Modifier::BOLD, Attribute::Bold), (Modifier::DIM, Attribute::Dim), (Modifier::REVERSED, Attribute::Reverse)];

/// The colours that the screen has; none for the terminal's own.
fn terminal_color(color: Color) -> Option<TerminalColor> {
    match color {
        Color::Cyan => Some(TerminalColor::DarkCyan),
        Color::Green => Some(TerminalColor::DarkGreen),
        Color::Yellow => Some(TerminalColor::DarkYellow),
        _ => None,
    }
}
