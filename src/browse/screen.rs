//! The screen: a head of two lines, a list or a text, and a foot of two.
//!
//! Every name passes `human::name` or [`Visible`] first, which leave nothing in it that a terminal would act on.

use std::fmt::Write;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::app::{App, Asks, Card, LIST_MARGIN, View};
use super::card::facts;
use super::finding::target_line;
use super::job::Job;
use super::keys::{HELP, LIST_ROW, lines};
use super::level::{Measure, What};
use super::list::List;
use super::place::Place;
use super::source::Written;
use super::tree;
use super::wrap::wrap;
use crate::compare::Change;
use crate::error::Visible;
use crate::output::human;
use crate::output::values::Review;
use crate::report::{Finding, Tally};

/// The least screen that everything is shown on.
const COLUMNS_MIN: u16 = 60;
const ROWS_MIN: u16 = 16;

/// Columns of a share, of a number of bytes, and of a number of keys.
const SHARE: usize = 7;
const BYTES: usize = 9;
const KEYS: usize = 14;

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
    fn entry(&mut self, row: usize, line: Line<'_>, is_selected: bool) {
        let row = usize::from(LIST_ROW) + row;
        self.line(row, &line);
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
        let status = status(app);
        let status = wrap(&status, width).into_iter().next().unwrap_or_default();
        self.text(last - 1, &status, self.colour(Color::Yellow));
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
        if here.lines.is_empty() {
            self.text(usize::from(LIST_ROW), "no keys here", Style::new());
        }
        let heaviest = here.lines.iter().filter(|line| matches!(line, tree::Line::Child(_)));
        let heaviest = heaviest.filter_map(|line| here.child(*line)).map(|(_, tally)| order.measure.of(&tally)).max();
        let whole = order.measure.of(&level.total);
        for (row, (place, line)) in here.lines.iter().enumerate().skip(first).take(rows).enumerate() {
            let Some((what, tally)) = here.child(*line) else { continue };
            let is_marked = app.mark_of(*line).is_some_and(|mark| app.marks.contains(&mark));
            let weight = order.measure.of(&tally);
            let columns = Columns::new(width);
            let name = match (line, what) {
                (tree::Line::AllDatabases, _) => "all databases".to_owned(),
                (tree::Line::Others(others), _) => match others.count {
                    Some(count) => format!("and {} others", human::count(count)),
                    None => "and others".to_owned(),
                },
                (_, what) => child_name(what, here.place.prefix().len(), columns.name),
            };
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
                Span::raw(human::left(&name, columns.name)),
                Span::raw(" "),
                Span::styled(human::left(&bar, columns.bar), self.colour(colour)),
                Span::raw(human::right(&human::share(weight, whole), SHARE + 1)),
                Span::raw(human::right(&amount, BYTES + 1)),
            ];
            if columns.has_keys {
                spans.push(Span::raw(human::right(&what_it_is(what, &tally), KEYS + 1)));
            }
            self.entry(row, Line::from(spans), place == at);
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
                    self.paragraphs(&[Visible(error.as_bytes()).to_string()], &mut List::default(), rows)
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
                let lines: Vec<String> = HELP.iter().map(|(keys, what)| format!("{keys:<24}{what}")).collect();
                self.paragraphs(&lines, list, rows);
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
            self.entry(row, Line::raw(format!("{:LIST_MARGIN$}{line}", "")), place == at);
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
        let elements = match &card.elements {
            Some((_, Ok(lines))) => lines.clone(),
            Some((_, Err(error))) => wrap(&Visible(error.as_bytes()).to_string(), width),
            None if app.source.is_report() => {
                wrap("A report does not have elements: browse the dump, or use `bigkeys get` with the offset.", width)
            }
            None => Vec::new(),
        };
        for (row, line) in elements.iter().take(left).enumerate() {
            self.text(top + row, &Visible(line.as_bytes()).to_string(), Style::new());
        }
    }
}

/// How the columns of a line share its width.
struct Columns {
    name: usize,
    bar: usize,
    has_keys: bool,
}

impl Columns {
    fn new(width: usize) -> Self {
        let has_keys = width >= 80;
        // A mark, three gaps, and one column that stays free.
        let fixed = 2 + 1 + 1 + SHARE + 1 + BYTES + if has_keys { KEYS + 1 } else { 0 };
        let left = width.saturating_sub(fixed);
        // Names come first: a bar has a quarter of the room, and no more than thirty columns.
        let bar = (left / 4).min(30);
        Self { name: left - bar, bar, has_keys }
    }
}

/// What a child is called: of a long prefix what follows that of the level.
fn child_name(what: Option<&What>, prefix: usize, width: usize) -> String {
    match what {
        None => String::new(),
        Some(What::Database(db)) => format!("db {db}"),
        Some(What::Prefix(name)) => human::name(name.get(prefix..).unwrap_or_default(), width),
        Some(What::Key(key)) => {
            // A name that is no longer than the prefix is shown whole.
            let name = key.key.name.bytes();
            human::name(name.get(prefix..).filter(|below| !below.is_empty()).unwrap_or(name), width)
        }
    }
}

/// How many keys there are, or the type of the only one.
fn what_it_is(what: Option<&What>, tally: &Tally) -> String {
    match what {
        Some(What::Key(key)) => human::name(key.kind.as_bytes(), KEYS),
        _ if tally.keys == 1 => "1 key".to_owned(),
        _ => format!("{} keys", human::count(tally.keys)),
    }
}

fn title(app: &App, width: usize) -> String {
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

fn subtitle(app: &App) -> String {
    let mut parts = Vec::new();
    match app.views.last() {
        Some(View::Findings(_) | View::Finding { .. }) => parts.push("findings, of all keys".to_owned()),
        Some(View::Grown(_)) => parts.push("what grew: memory before, now, and the change".to_owned()),
        Some(View::Marks(_)) => parts.push(format!("marks: {}", app.marks.len())),
        Some(View::Help(_)) => parts.push("keys".to_owned()),
        Some(View::Notes(_)) => parts.push("what is to be known of the figures".to_owned()),
        Some(View::Card(_)) => parts.push("key".to_owned()),
        None => {
            if let Some(level) = app.here().and_then(|here| here.level(&app.lens)) {
                parts.push(what_it_is(None, &level.total));
                parts.push(human::bytes(level.total.memory_bytes));
            }
            let by = app.order.measure.name();
            parts.push(if app.order.is_by_name { format!("{by}, by name") } else { format!("by {by}") });
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
    if app.source.is_report() {
        parts.insert(0, "from a report".to_owned());
    }
    if !app.marks.is_empty() && !matches!(app.views.last(), Some(View::Marks(_))) {
        parts.push(format!("{} marked", app.marks.len()));
    }
    parts.join(" · ")
}

/// What is to be known of the level.
fn notes(app: &App) -> Vec<String> {
    let mut notes = Vec::new();
    if app.source.is_report() {
        notes.push("from a report: the prefixes and keys that it lists; others are summed up".to_owned());
    }
    let level = app.here().and_then(|here| here.level(&app.lens));
    notes.extend(level.iter().flat_map(|level| &level.notes).map(|note| Visible(note.as_bytes()).to_string()));
    notes
}

fn status(app: &App) -> String {
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
    match (&notes(app)[..], app.views.last()) {
        ([note, more @ ..], None) if !more.is_empty() => format!("i: {} notes: {note}", more.len() + 1),
        ([note], None) => note.clone(),
        _ => String::new(),
    }
}

fn hints(app: &App, width: usize) -> String {
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
        (_, Some(View::Help(_) | View::Notes(_))) => &["Esc back", "q quit"],
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

fn finding_line(finding: &Finding, width: usize) -> String {
    let saves = finding.bytes_saved.map_or(String::new(), |saving| human::bytes(saving.bytes));
    let what = Visible(finding.what.as_bytes()).to_string();
    let what = human::name(what.as_bytes(), width.saturating_sub(20));
    format!("{:<7}{}  {what}", finding.severity.name(), human::right(&saves, BYTES))
}

fn grown_line(name: &str, change: &Change, width: usize) -> String {
    let by = change.memory_bytes_change;
    let sign = match by {
        0 => "",
        ..0 => "-",
        _ => "+",
    };
    let by = format!("{sign}{}", human::bytes(by.unsigned_abs()));
    let [old, new] = [change.old, change.new].map(|amount| human::right(&human::bytes(amount.memory_bytes), BYTES + 1));
    // Two blanks before a line, and one column that stays free.
    let name = human::left(name, width.saturating_sub(2 * (BYTES + 1) + BYTES + 2 + 3));
    format!("{name}{old}{new}{}", human::right(&by, BYTES + 2))
}
