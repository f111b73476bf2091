//! The screen: a head of two lines, a list or a text, and a foot of two.
//!
//! Every name passes `human::name` or [`Visible`] first, which leave nothing in it that a terminal would act on.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::captions::{hints, notes, status, subtitle, title};
use super::card::{Card, facts};
use super::columns::{BYTES, Columns, KEYS, SHARE, finding_line, grown_line, line_name, what_it_is};
use super::finding::target_line;
use super::help::HELP;
use super::keys::lines;
use super::level::{Measure, What};
use super::list::List;
use super::tree;
use super::view::{LIST_MARGIN, LIST_ROW, View};
use super::wrap::wrap;
use crate::error::Visible;
use crate::output::human;

/// The least screen that everything is shown on.
const COLUMNS_MIN: u16 = 60;
const ROWS_MIN: u16 = 16;

/// Columns of the keys in the help.
const HELP_COLUMNS: usize = 25;

/// Rows of a message.
const MESSAGE_ROWS_MAX: usize = 4;

/// Draws what is shown; what depends on the room for it is noted.
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>, has_colour: bool) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let sentence = format!("bigkeys browse needs a window of {COLUMNS_MIN} columns and {ROWS_MIN} rows; q leaves");
        let lines = wrap(&sentence, usize::from(area.width));
        for (row, line) in (area.y..area.bottom()).zip(lines) {
            buffer.set_string(area.x, row, line, Style::new());
        }
        return;
    }
    let mut paint = Paint { buffer, area, has_colour };
    app.columns = usize::from(area.width);
    app.rows = usize::from(area.height) - 2 * usize::from(LIST_ROW);
    paint.head(app);
    match app.views.pop() {
        None => paint.tree(app),
        Some(mut view) => {
            paint.view(app, &mut view);
            app.views.push(view);
        }
    }
    paint.foot(app);
}

struct Paint<'b> {
    buffer: &'b mut Buffer,
    area: Rect,
    has_colour: bool,
}

impl Paint<'_> {
    fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    /// Writes a line, cut at the right edge.
    fn line(&mut self, row: usize, line: &Line<'_>) {
        let row = self.area.y.saturating_add(u16::try_from(row).unwrap_or(u16::MAX));
        if row < self.area.bottom() {
            self.buffer.set_line(self.area.x, row, line, self.area.width);
        }
    }

    fn text(&mut self, row: usize, text: &str, style: Style) {
        self.line(row, &Line::styled(text.to_owned(), style));
    }

    fn colour(&self, colour: Color) -> Style {
        if self.has_colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// A line of a list: the selected one is shown as such from edge to edge.
    fn entry(&mut self, row: usize, line: &Line<'_>, is_selected: bool) {
        let row = usize::from(LIST_ROW) + row;
        self.line(row, line);
        if is_selected {
            let y = self.area.y.saturating_add(u16::try_from(row).unwrap_or(u16::MAX));
            let area = Rect { y, height: 1, ..self.area }.intersection(self.area);
            self.buffer.set_style(area, Style::new().add_modifier(Modifier::REVERSED));
        }
    }

    fn head(&mut self, app: &App) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        self.text(0, &human::left(&title(app, self.width()), self.width()), bold);
        self.text(1, &subtitle(app), Style::new());
    }

    fn foot(&mut self, app: &App) {
        let last = usize::from(self.area.height) - 1;
        let width = self.width();
        let mut status = wrap(&status(app), width);
        // What answers a key is shown whole, over the list; notes have a view of their own.
        let shown = if app.message.is_some() { MESSAGE_ROWS_MAX } else { 1 };
        if status.len() > shown {
            status.truncate(shown);
            let cut = status.last_mut().map(|line| human::name(format!("{line} …").as_bytes(), width));
            status.splice(shown - 1.., cut);
        }
        let first = last - status.len();
        for (row, line) in status.iter().enumerate() {
            self.text(first + row, &human::left(line, width), self.colour(Color::Yellow));
        }
        self.text(last, &hints(app, width), Style::new().add_modifier(Modifier::DIM));
    }

    fn tree(&mut self, app: &mut App) {
        let (order, rows, width) = (app.order, app.rows, self.width());
        let lines = lines(app);
        if let Some(here) = app.here_mut() {
            here.list.scroll(lines, rows);
        }
        let app = &*app;
        let Some(here) = app.here() else { return };
        let List { at, first } = here.list;
        if let Some(error) = here.error(&app.lens) {
            for (row, line) in wrap(&Visible(error.as_bytes()).to_string(), width).into_iter().enumerate() {
                self.text(usize::from(LIST_ROW) + row, &line, Style::new());
            }
            return;
        }
        let Some(level) = here.level(&app.lens) else { return };
        if here.lines.is_empty() && !level.is_partial {
            self.text(usize::from(LIST_ROW), "no keys here", Style::new());
        }
        let heaviest = here.lines.iter().filter(|line| matches!(line, tree::Line::Child(_)));
        let heaviest = heaviest.filter_map(|line| here.child(*line)).map(|(_, tally)| order.measure.of(&tally)).max();
        let whole = order.measure.of(&level.total);
        let name_max = Columns::name_max(width);
        let names = here.lines.iter().map(|line| {
            let what = here.child(*line).and_then(|(what, _)| what);
            line_name(*line, what, &here.place, name_max)
        });
        let names: Vec<String> = names.collect();
        let columns = Columns::new(width, names.iter().map(|name| name.width()).max().unwrap_or(0));
        let lines = here.lines.iter().zip(&names).enumerate();
        for (row, (place, (line, name))) in lines.skip(first).take(rows).enumerate() {
            let Some((what, tally)) = here.child(*line) else { continue };
            let is_marked = app.mark_of(*line).is_some_and(|mark| app.marks.contains(&mark));
            let weight = order.measure.of(&tally);
            let bar = match line {
                tree::Line::Child(_) => human::bar(weight, heaviest.unwrap_or(0), columns.bar),
                _ => String::new(),
            };
            let colour = if matches!(what, Some(What::Key(_))) { Color::Green } else { Color::Cyan };
            let amount = match order.measure {
                Measure::Keys => human::count(weight),
                _ => human::bytes(weight),
            };
            let mut spans = vec![
                Span::raw(if is_marked { "* " } else { "  " }),
                Span::raw(human::left(name, columns.name)),
                Span::raw(" "),
                Span::styled(human::left(&bar, columns.bar), self.colour(colour)),
                Span::raw(human::right(&human::share(weight, whole), SHARE + 1)),
                Span::raw(human::right(&amount, BYTES + 1)),
            ];
            if columns.has_keys {
                spans.push(Span::raw(human::right(&what_it_is(what, &tally), KEYS + 1)));
            }
            self.entry(row, &Line::from(spans), place == at);
        }
    }

    fn view(&mut self, app: &App, view: &mut View) {
        let (rows, width) = (app.rows, self.width());
        match view {
            View::Card(card) => self.card(app, card),
            View::Findings(list) => match &app.findings {
                Some(Ok(report)) if report.findings.is_empty() => {
                    self.text(
                        usize::from(LIST_ROW),
                        "no findings: nothing here is worth doing something about",
                        Style::new(),
                    );
                }
                Some(Ok(report)) => {
                    let lines: Vec<String> =
                        report.findings.iter().map(|finding| finding_line(finding, width)).collect();
                    self.list(list, rows, &lines);
                }
                Some(Err(error)) => {
                    self.paragraphs(&[Visible(error.as_bytes()).to_string()], &mut List::default(), rows);
                }
                None => {}
            },
            View::Finding { at, list } => {
                let Some((mut lines, targets)) = app.finding(*at) else { return };
                lines.extend(targets.iter().map(|target| target_line(target, width - LIST_MARGIN)));
                self.list(list, rows, &lines);
            }
            View::Grown(list) => {
                let (databases, prefixes) = app.grown();
                let of_databases = databases.iter().map(|of| (format!("db {}", of.db), &of.change));
                let name = |bytes: &[u8]| human::name(bytes, width.saturating_sub(40));
                let of_prefixes = prefixes.iter().map(|of| (name(of.name.bytes()), &of.change));
                let lines: Vec<String> =
                    of_databases.chain(of_prefixes).map(|(name, change)| grown_line(&name, change, width)).collect();
                if lines.is_empty() {
                    self.text(usize::from(LIST_ROW), "nothing grew or shrank", Style::new());
                }
                self.list(list, rows, &lines);
            }
            View::Marks(list) => {
                let lines: Vec<String> =
                    app.marks.iter().map(|mark| format!("{}  {}", mark.glob(), mark.scope())).collect();
                if lines.is_empty() {
                    self.text(usize::from(LIST_ROW), "nothing is marked; Space marks the selected line", Style::new());
                }
                self.list(list, rows, &lines);
            }
            View::Help(list) => {
                let lines = HELP.iter().flat_map(|(keys, what)| {
                    let what = wrap(what, width.saturating_sub(HELP_COLUMNS)).into_iter().enumerate();
                    what.map(|(at, line)| format!("{:<HELP_COLUMNS$}{line}", if at == 0 { *keys } else { "" }))
                });
                self.paragraphs(&lines.collect::<Vec<_>>(), list, rows);
            }
            View::Notes(list) => {
                let mut notes = notes(app);
                if notes.is_empty() {
                    notes.push("every figure of this level is exact".to_owned());
                }
                self.paragraphs(&notes, list, rows);
            }
        }
    }

    /// Lines of which one is selected.
    fn list(&mut self, list: &mut List, rows: usize, lines: &[String]) {
        list.scroll(lines.len(), rows);
        let List { at, first } = *list;
        for (row, (place, line)) in lines.iter().enumerate().skip(first).take(rows).enumerate() {
            self.entry(row, &Line::raw(format!("{:LIST_MARGIN$}{line}", "")), place == at);
        }
    }

    /// Text that scrolls as a whole.
    fn paragraphs(&mut self, paragraphs: &[String], list: &mut List, rows: usize) {
        let width = self.width();
        let lines: Vec<String> = paragraphs.iter().flat_map(|text| wrap(text, width)).collect();
        list.first = list.first.min(lines.len().saturating_sub(rows));
        for (row, line) in lines.iter().skip(list.first).take(rows).enumerate() {
            self.text(usize::from(LIST_ROW) + row, line, Style::new());
        }
    }

    fn card(&mut self, app: &App, card: &mut Card) {
        let (rows, width) = (app.rows, self.width());
        let facts = facts(&card.key, app.source.dump_of(&card.key).as_deref(), width);
        // Two lines of elements at least, below an empty one.
        let shown = facts.len().min(rows.saturating_sub(3));
        for (row, line) in facts.iter().take(shown).enumerate() {
            self.text(usize::from(LIST_ROW) + row, line, Style::new());
        }
        let left = rows - shown - 1;
        // The last line says how many there are.
        card.room = (left.saturating_sub(1) as u64, width);
        let top = usize::from(LIST_ROW) + shown + 1;
        let mut elements = match &card.elements {
            Some((_, Ok(elements))) => {
                let damage =
                    elements.damage.iter().flat_map(|error| wrap(&Visible(error.as_bytes()).to_string(), width));
                elements.page.lines.iter().cloned().chain(damage).collect()
            }
            Some((_, Err(error))) => wrap(&Visible(error.as_bytes()).to_string(), width),
            None if app.source.is_report() => {
                wrap("A report does not have elements: browse the dump, or use `bigkeys get` with the offset.", width)
            }
            None => Vec::new(),
        };
        elements.extend(card.position());
        for (row, line) in elements.iter().take(left).enumerate() {
            self.text(top + row, &Visible(line.as_bytes()).to_string(), Style::new());
        }
    }
}
