//! The report for a person: a summary that fits a screen, then sections, in any width from 60 columns.

use std::fmt::Write as _;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::human::{bar, bytes, count, counted, date, duration, left, moment, name, right, share};
use super::{findings, server};
use crate::report::{
    BeginningsFound, Breakdown, ClassWeight, DumpInfo, GroupTally, KindSpreads, LargestKey, LargestKeys, NameTally,
    Report, Sizes, Sort, Tally,
};

/// Narrower than this nothing is laid out.
const WIDTH_MIN: usize = 60;

/// Wider than this no name needs.
const WIDTH_MAX: usize = 300;

/// Names get a third of a line of this width, and more where a bar can spare it.
const USUAL_WIDTH: usize = 120;

/// Narrower lists of keys have no shares.
const SHARE_WIDTH_MIN: usize = 72;

/// A bar keeps so many columns, however long names are.
const BAR_WIDTH_MIN: usize = 10;

/// What [`Table::columns`] takes.
const COLUMNS_WIDTH: usize = 31;

/// Hash tags and databases, and prefixes on each level.
const KEYS_MAX: usize = 15;
const PREFIXES_MAX: usize = 10;

/// Columns of a key's type and database.
const ABOUT_WIDTH_MAX: usize = 24;

/// Dumps with a line each at the top.
const DUMPS_MAX: usize = 8;

/// Columns of a dump's name, where what is said of it needs much room.
const NAME_WIDTH_MIN: usize = 14;

/// Columns of what is said of a dump beside its name and whether it is sound.
const FACTS_WIDTH_MAX: usize = 50;

/// The five columns of a breakdown's percentiles, and of its classes.
const SPREAD_WIDTHS: [usize; 5] = [9; 5];
const CLASS_WIDTHS: [usize; 5] = [10, 8, 8, 10, 10];

/// Sentences about the memory model; dumps of many servers have as many.
const MODEL_NOTES_MAX: usize = 6;

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours and weights may be used.
    pub has_colour: bool,
}

/// Writes the report as a table.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, look: Look, to: &mut dyn Write) -> io::Result<()> {
    let look = Look { width: look.width.clamp(WIDTH_MIN, WIDTH_MAX), ..look };
    let mut table = Table { look, text: String::new() };
    table.dumps(report);
    table.findings(report);
    table.totals(report);
    table.types(report);
    table.databases(report);
    table.keys(report);
    table.prefixes(report);
    table.beginnings(report);
    table.groups(report);
    table.breakdowns(report);
    table.ttls(report);
    table.percentiles(report);
    table.sizes(report);
    table.access(report);
    table.shards(report);
    table.slots(report);
    table.rest(report);
    to.write_all(table.text.as_bytes())
}

/// A table in the making.
struct Table {
    look: Look,
    text: String,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const BARS: &str = "36";
const ALARM: &str = "31";

impl Table {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Lines of words, indented.
    fn paragraph(&mut self, style: &str, text: &str) {
        let width = self.look.width - 2;
        let mut line = String::new();
        for word in text.split(' ') {
            // A word that is longer than a line, such as a path, is cut.
            let word = if word.is_empty() { String::new() } else { name(word.as_bytes(), width) };
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                let full = format!("  {}", self.styled(style, &std::mem::take(&mut line)));
                self.line(&full);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        let last = format!("  {}", self.styled(style, &line));
        self.line(&last);
    }

    fn styled(&self, style: &str, text: &str) -> String {
        if self.look.has_colour && !style.is_empty() && !text.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn heading(&mut self, title: &str, columns: &str) {
        let space = self.look.width.saturating_sub(title.width());
        let line = format!("{}{}", self.styled(BOLD, title), self.styled(DIM, &right(columns, space)));
        self.text.push('\n');
        self.line(&line);
    }

    /// A label, a bar of `element` in `whole`, and columns on the right; the bar takes what they leave.
    fn bar_line(&mut self, label: &str, label_width: usize, (element, whole): (u64, u64), columns: &str) {
        let label = &name(label.as_bytes(), label_width);
        let bar_width = self.look.width.saturating_sub(2 + label_width + 1 + columns.width() + 1);
        let bar = left(&bar(element, whole, bar_width), bar_width);
        let line = format!("  {} {} {columns}", left(label, label_width), self.styled(BARS, &bar));
        self.line(&line);
    }

    /// Columns of labels, each with what stands around its name: what the longest needs, `least` at least, and no more than leaves a bar.
    fn label_width<'n>(&self, least: usize, labels: impl Iterator<Item = (usize, &'n [u8])>) -> usize {
        let most = self.look.width.saturating_sub(2 + 1 + BAR_WIDTH_MIN + 1 + COLUMNS_WIDTH).max(least);
        // A name of megabytes needs as much room as there is.
        let needed =
            |(around, label): (usize, &[u8])| around + name(label.get(..=most).unwrap_or(label), usize::MAX).width();
        labels.map(needed).max().unwrap_or(0).clamp(least, most)
    }

    /// Columns of names, where none needs more.
    fn third(&self) -> usize {
        self.look.width.min(USUAL_WIDTH) / 3
    }

    /// What the dumps are, whether they are sound, and what of them this is about.
    fn dumps(&mut self, report: &Report) {
        for dump in report.dumps.iter().take(DUMPS_MAX) {
            let server = dump.aux.iter().find(|(name, _)| name.ends_with("-ver")).map_or("", |(_, version)| version);
            let facts = format!("{} {server} (RDB {}), {}", dump.dialect, dump.rdb_version, bytes(dump.bytes));
            let verdict = if dump.is_complete { "sound" } else { "incomplete" };
            let room = self.look.width.saturating_sub(NAME_WIDTH_MIN + 2 + 2 + verdict.len());
            let facts = format!("{}, {verdict}", name(facts.as_bytes(), room.min(FACTS_WIDTH_MAX)));
            let room = self.look.width.saturating_sub(facts.width() + 2);
            let name = name(dump.name.as_bytes(), room.max(NAME_WIDTH_MIN));
            let line = format!("{}  {facts}", self.styled(BOLD, &name));
            self.line(&line);
            if let Some(damage) = &dump.damage {
                self.paragraph(ALARM, &format!("incomplete: {damage}"));
            }
        }
        if let Some(more) = report.dumps.get(DUMPS_MAX..).filter(|more| !more.is_empty()) {
            let broken = more.iter().filter(|dump| !dump.is_complete).count();
            let verdict = if broken == 0 { "all sound".to_owned() } else { format!("{broken} incomplete") };
            self.line(&format!("and {} more dumps, {verdict}", more.len()));
        }
        let filtered = (!report.filters.is_of_all()).then(|| format!("only keys that pass {}", report.filters));
        let said: Vec<String> = filtered.into_iter().chain(report.notes()).collect();
        if !said.is_empty() {
            self.paragraph("", &said.join("; "));
        }
        if let Some(mark) = &report.redacted {
            self.paragraph("", &format!("names are stand-ins (redacted: {mark})"));
        }
    }

    fn totals(&mut self, report: &Report) {
        let totals = &report.totals;
        let mut facts = vec![
            ("keys", count(totals.keys)),
            ("elements", count(totals.elements)),
            ("in the dump", bytes(totals.serialized_bytes)),
            ("in memory", bytes(totals.memory_bytes)),
            ("never expire", share(totals.keys_without_ttl, totals.keys)),
        ];
        let used: Option<u64> = report.dumps.iter().map(|dump| dump.used_memory_bytes).sum();
        if let Some(used) = used.filter(|used| *used > 0) {
            facts.push(("used-mem", bytes(used)));
        }
        self.heading("Totals", "");
        let per_line = if self.look.width >= 90 { 3 } else { 2 };
        let column = self.look.width / per_line - 2;
        for facts in facts.chunks(per_line) {
            let mut line = String::new();
            for (label, value) in facts {
                _ = write!(line, "  {} {}", self.styled(DIM, &left(label, 13)), left(value, column.saturating_sub(14)));
            }
            self.line(&line);
        }
        let mut models: Vec<String> =
            report.dumps.iter().map(|dump| format!("{} with {}", dump.target, dump.allocator)).collect();
        models.dedup();
        self.paragraph(DIM, &format!("memory as MEMORY USAGE of {}", models.join(", ")));
        if let Some(sentence) = server::sentence(report) {
            self.paragraph(DIM, &sentence);
        }
        let mut notes: Vec<&String> = Vec::new();
        for note in report.dumps.iter().flat_map(|dump| &dump.model_notes) {
            if notes.len() <= MODEL_NOTES_MAX && !notes.contains(&note) {
                notes.push(note);
            }
        }
        for note in notes.iter().take(MODEL_NOTES_MAX) {
            self.paragraph(DIM, note);
        }
        if notes.len() > MODEL_NOTES_MAX {
            self.paragraph(DIM, "there are more such notes, see model_notes in the JSON");
        }
        if report.memory_unknown_keys > 0 {
            let keys = count(report.memory_unknown_keys);
            self.paragraph(DIM, &format!("unknown for {keys} keys of modules or newer types, which count with none"));
        }
        if report.memory_lower_bound_keys > 0 {
            let keys = count(report.memory_lower_bound_keys);
            self.paragraph(
                DIM,
                &format!("a lower bound for {keys} keys, such as hashes without their template's share"),
            );
        }
    }

    fn findings(&mut self, report: &Report) {
        let (shown, more) = findings::shown(report, self.look.width);
        if shown.is_empty() {
            return;
        }
        self.heading("Findings", "");
        for finding in shown {
            self.paragraph(if finding.is_high { ALARM } else { BOLD }, &finding.what);
            self.paragraph("", finding.action);
            for command in finding.commands {
                let line = self.styled(DIM, &format!("    {command}"));
                self.line(&line);
            }
        }
        if more > 0 {
            let line = self.styled(DIM, &format!("  and {more} more findings in the JSON"));
            self.line(&line);
        }
    }

    /// Keys, memory and its share.
    fn columns(tally: &Tally, totals: &Tally) -> String {
        let memory = right(&bytes(tally.memory_bytes), 9);
        format!(
            "{} {memory} {}",
            right(&count(tally.keys), 13),
            right(&share(tally.memory_bytes, totals.memory_bytes), 7)
        )
    }

    const COLUMNS: &str = "keys    memory   share";

    fn types(&mut self, report: &Report) {
        if report.databases.is_empty() {
            return;
        }
        self.heading("Types", Self::COLUMNS);
        let mut types: Vec<(&str, Tally)> = Vec::new();
        let mut encodings: Vec<(&str, &str, Tally)> = Vec::new();
        let others = report.other_databases.iter().flat_map(|other| &other.types);
        for of_type in report.databases.iter().flat_map(|database| &database.types).chain(others) {
            add_to(&mut types, &of_type.kind, &of_type.tally);
            for encoding in &of_type.encodings {
                match encodings.iter_mut().find(|(kind, held, _)| *kind == of_type.kind && *held == encoding.loaded_as)
                {
                    Some((_, _, tally)) => tally.merge(&encoding.tally),
                    None => encodings.push((&of_type.kind, &encoding.loaded_as, encoding.tally)),
                }
            }
        }
        types.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.memory_bytes));
        encodings.sort_by_key(|(_, _, tally)| std::cmp::Reverse(tally.memory_bytes));
        for (kind, tally) in &types {
            let element = (tally.memory_bytes, report.totals.memory_bytes);
            self.bar_line(kind, 13, element, &Self::columns(tally, &report.totals));
            let held: Vec<_> = encodings.iter().filter(|(of, _, _)| of == kind).collect();
            for (_, encoding, tally) in held.iter().filter(|_| held.len() > 1) {
                let label = format!("  {encoding}");
                let element = (tally.memory_bytes, report.totals.memory_bytes);
                self.bar_line(&label, 13, element, &Self::columns(tally, &report.totals));
            }
        }
    }

    fn databases(&mut self, report: &Report) {
        if report.databases.len() < 2 && report.other_databases.is_none() {
            return;
        }
        self.heading("Databases", Self::COLUMNS);
        for database in report.databases.iter().take(KEYS_MAX) {
            let element = (database.tally.memory_bytes, report.totals.memory_bytes);
            let columns = Self::columns(&database.tally, &report.totals);
            self.bar_line(&format!("db {}", database.db), 13, element, &columns);
        }
        self.more(report.databases.len(), KEYS_MAX, "databases");
        if let Some(other) = &report.other_databases {
            let element = (other.tally.memory_bytes, report.totals.memory_bytes);
            let columns = Self::columns(&other.tally, &report.totals);
            self.bar_line(&format!("from {}", other.from_db), 13, element, &columns);
        }
    }

    fn more(&mut self, all: usize, shown: usize, what: &str) {
        if all > shown {
            let line = format!("  {} of {} {what} listed", count(shown as u64), count(all as u64));
            let line = self.styled(DIM, &line);
            self.line(&line);
        }
    }

    fn keys(&mut self, report: &Report) {
        let LargestKeys { by, keys } = &report.largest_keys;
        if keys.is_empty() {
            if matches!(by, Sort::Idle | Sort::Frequency) {
                self.heading("Largest keys", "");
                let what = if *by == Sort::Idle { "idle times" } else { "LFU counters" };
                self.paragraph(DIM, &format!("none: the keys have no {what} in the dump"));
            }
            return;
        }
        let (title, column) = match by {
            Sort::Memory => ("Largest keys", ""),
            Sort::Serialized => ("Largest keys in the dump", "in the dump"),
            Sort::Elements => ("Keys with most elements", ""),
            Sort::Idle => ("Keys unused for longest", "unused"),
            Sort::Frequency => ("Most used keys", "counter"),
        };
        let column_heading = if column.is_empty() { String::new() } else { format!("{} ", right(column, 11)) };
        // Where there is little room, names need it more than shares do.
        let has_share = self.look.width >= SHARE_WIDTH_MIN;
        let share_heading = if has_share { "   share" } else { "" };
        self.heading(title, &format!("{column_heading}elements    memory{share_heading}"));
        for LargestKey { db, kind, key } in keys {
            let memory = key.memory_bytes.map_or_else(|| "?".to_owned(), bytes);
            let share = share(key.memory_bytes.unwrap_or(0), report.totals.memory_bytes);
            let value = match by {
                Sort::Memory | Sort::Elements => String::new(),
                Sort::Serialized => bytes(key.serialized_bytes),
                Sort::Idle => key.idle_seconds.map(duration).unwrap_or_default(),
                Sort::Frequency => key.frequency.map(|frequency| frequency.to_string()).unwrap_or_default(),
            };
            let value = if column.is_empty() { String::new() } else { right(&value, 11) };
            let elements = right(&count(key.elements), if column.is_empty() { 13 } else { 9 });
            let columns = format!(
                "{value}{elements} {}{}",
                right(&memory, 9),
                if has_share { right(&share, 8) } else { String::new() }
            );
            let about = if report.databases.len() > 1 { format!("{kind} db {db}") } else { kind.clone() };
            let about = name(about.as_bytes(), ABOUT_WIDTH_MAX);
            let about_width = about.width().max(if report.databases.len() > 1 { 13 } else { 7 });
            let name_width = self.look.width.saturating_sub(2 + about_width + 1 + columns.width() + 1);
            let shown = left(&name(key.name.bytes(), name_width), name_width);
            let line = format!("  {} {shown} {columns}", self.styled(DIM, &left(&about, about_width)));
            self.line(&line);
            // Of many dumps each key says which it is from.
            let dump = usize::try_from(key.dump).ok().and_then(|dump| report.dumps.get(dump));
            if let Some(dump) = dump.filter(|_| report.dumps.len() > 1) {
                let width = self.look.width.saturating_sub(2 + about_width + 1);
                let dump = name(dump.shard.as_deref().unwrap_or(&dump.name).as_bytes(), width.saturating_sub(3));
                let line = format!("  {} in {dump}", left("", about_width));
                let line = self.styled(DIM, &line);
                self.line(&line);
            }
            let found = (key.largest_element_bytes, key.largest_element_index);
            if let (true, (Some(element_bytes), Some(index))) = (report.has_largest_elements, found) {
                let columns = format!("{} {}", right(&bytes(element_bytes), 9), right("", 7));
                let width = self.look.width.saturating_sub(2 + about_width + 1 + columns.width() + 1);
                // Elements of lists have no name, and long names are not kept.
                let element = match &key.largest_element {
                    Some(element) => format!("largest element {}", name(element.bytes(), width.saturating_sub(16))),
                    None => name(format!("largest element at index {index}").as_bytes(), width),
                };
                let line = format!("  {} {} {columns}", left("", about_width), left(&element, width));
                let line = self.styled(DIM, line.trim_end());
                self.line(&line);
            }
        }
        self.more(usize::try_from(report.totals.keys).unwrap_or(usize::MAX), keys.len(), "keys");
    }

    fn prefixes(&mut self, report: &Report) {
        let prefixes = &report.prefixes;
        let note = prefixes.are_separators_found.then(|| separators_note(report));
        if prefixes.found.names.is_empty() {
            if let Some(note) = note {
                self.heading("Prefixes", "");
                self.paragraph(DIM, &note);
            }
            return;
        }
        match &prefixes.under {
            None => self.heading("Prefixes", Self::COLUMNS),
            Some(under) => {
                let width = self.look.width.saturating_sub(Self::COLUMNS.len() + 20);
                self.heading(&format!("Prefixes below {}", name(under.bytes(), width)), Self::COLUMNS);
            }
        }
        if let Some(note) = note {
            self.paragraph(DIM, &note);
        }
        let (lines, tops) = shown_prefixes(report);
        let parts = lines
            .iter()
            .map(|(found, said)| (if *said > 0 { 2 } else { 0 }, found.name.bytes().get(*said..).unwrap_or_default()));
        let width = self.label_width(self.third(), parts);
        for (found, said) in lines {
            self.prefix(report, found, said, width);
        }
        self.more(tops, PREFIXES_MAX, "prefixes");
        let other = &prefixes.other;
        if other.keys > 0 {
            let element = (other.memory_bytes, report.totals.memory_bytes);
            self.bar_line("(no or other prefix)", width, element, &Self::columns(other, &report.totals));
        }
        if let Some(note) = prefixes.note() {
            self.paragraph(DIM, &note);
        }
    }

    fn prefix(&mut self, report: &Report, found: &NameTally, indent: usize, width: usize) {
        let shown = found.name.bytes().get(indent..).unwrap_or_default();
        let space = if indent > 0 { "  " } else { "" };
        let label = format!("{space}{}", name(shown, width.saturating_sub(space.len())));
        let element = (found.tally.memory_bytes, report.totals.memory_bytes);
        self.bar_line(&label, width, element, &Self::columns(&found.tally, &report.totals));
    }

    /// What names begin with that no separator cuts.
    fn beginnings(&mut self, report: &Report) {
        let BeginningsFound(found) = &report.beginnings;
        if found.is_empty() {
            return;
        }
        self.heading("Beginnings of names without separators", Self::COLUMNS);
        let mut found: Vec<&NameTally> = found.iter().collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.tally.memory_bytes));
        let all = found.len();
        found.truncate(KEYS_MAX);
        let width = self.label_width(self.third(), found.iter().map(|found| (0, found.name.bytes())));
        for found in found {
            self.prefix(report, found, 0, width);
        }
        self.more(all, KEYS_MAX, "beginnings");
    }

    fn groups(&mut self, report: &Report) {
        let Some(found) = &report.groups else { return };
        self.heading("Groups", Self::COLUMNS);
        let width = self.label_width(self.third(), found.groups.iter().map(|found| (0, found.group.name.as_bytes())));
        for GroupTally { group, tally, .. } in &found.groups {
            let element = (tally.memory_bytes, report.totals.memory_bytes);
            self.bar_line(&group.name, width, element, &Self::columns(tally, &report.totals));
        }
        let rest = &found.unclassified;
        let element = (rest.memory_bytes, report.totals.memory_bytes);
        self.bar_line("(unclassified)", width, element, &Self::columns(rest, &report.totals));
    }

    /// Percentiles and classes of the prefixes and groups that are shown, if they were asked for.
    fn breakdowns(&mut self, report: &Report) {
        let of_prefixes = shown_prefixes(report).0.into_iter().map(|(found, _)| (found.name.bytes(), &found.breakdown));
        let groups = report.groups.iter().flat_map(|found| &found.groups);
        let of_groups = groups.map(|found| (found.group.name.as_bytes(), &found.breakdown));
        let all = of_prefixes.chain(of_groups);
        let all: Vec<(&[u8], &Breakdown)> =
            all.filter_map(|(name, breakdown)| breakdown.as_deref().map(|breakdown| (name, breakdown))).collect();
        if all.is_empty() {
            return;
        }
        self.heading("Memory of a key by prefix and group", "");
        self.columns_line(b"", SPREAD_WIDTHS, ["p50", "p90", "p99", "p99.9", "max"]);
        for (name, breakdown) in &all {
            let memory = breakdown.memory_bytes.spread();
            let [p50, p90, p99, p99_9] = [500, 900, 990, 999].map(|permille| bytes(memory.permille(permille)));
            self.columns_line(name, SPREAD_WIDTHS, [&p50, &p90, &p99, &p99_9, &bytes(memory.max())]);
        }
        self.heading("Keys by prefix and group", "");
        self.columns_line(b"", CLASS_WIDTHS, ["main type", "", "no TTL", "TTL < 1 d", "idle 30 d"]);
        for (name, Breakdown { types, ttl, idle, .. }) in &all {
            let keys: u64 = types.iter().map(|class| class.weight.keys).sum();
            let of = |classes: &[ClassWeight], wanted: &[&str]| {
                let found = classes.iter().filter(|class| wanted.contains(&&*class.class));
                share(found.map(|class| class.weight.keys).sum(), keys)
            };
            // Of equal ones the first.
            let main = types.iter().rev().max_by_key(|class| class.weight.keys);
            let kind = main.map_or("", |class| &class.class);
            let unused = if idle.is_empty() { "?".to_owned() } else { of(idle, &["later"]) };
            let soon = of(ttl, &["expired", "under_1_hour", "under_1_day"]);
            self.columns_line(name, CLASS_WIDTHS, [kind, &of(types, &[kind]), &of(ttl, &["never"]), &soon, &unused]);
        }
    }

    /// A name, and what is said of it in five columns; without a name, what the columns are.
    fn columns_line(&mut self, of: &[u8], widths: [usize; 5], values: [&str; 5]) {
        let values: String = values.iter().zip(widths).map(|(value, width)| right(value, width)).collect();
        let width = self.look.width.saturating_sub(2 + values.width());
        let line = if of.is_empty() {
            self.styled(DIM, &format!("  {}{values}", left("", width)))
        } else {
            format!("  {}{values}", left(&name(of, width.saturating_sub(1)), width))
        };
        self.line(&line);
    }

    fn ttls(&mut self, report: &Report) {
        if report.totals.keys == 0 {
            return;
        }
        self.heading("Time to live", Self::COLUMNS);
        if report.ttl.never.keys < report.totals.keys {
            self.moments(report);
        }
        if let Some(day) = report.expiry_days.iter().flat_map(|found| &found.days).max_by_key(|day| day.memory_bytes) {
            let (day_name, keys) = (date(day.begins_at_ms), counted(day.keys, "key expires", "keys expire"));
            self.paragraph(
                DIM,
                &format!("{keys} on {day_name}, more memory than on other days: {}", bytes(day.memory_bytes)),
            );
        }
        for (label, tally) in report.ttl.all() {
            if tally.keys > 0 {
                let element = (tally.memory_bytes, report.totals.memory_bytes);
                self.bar_line(label, 13, element, &Self::columns(tally, &report.totals));
            }
        }
    }

    /// What times to live are measured from.
    fn moments(&mut self, report: &Report) {
        let known = report.dumps.iter().filter_map(|dump| dump.ttl_measured_at_ms.map(|at_ms| (at_ms, dump)));
        let first = known.clone().min_by_key(|(at_ms, _)| *at_ms);
        let last = known.max_by_key(|(at_ms, _)| *at_ms);
        if let (Some((first_ms, dump)), Some((last_ms, _))) = (first, last) {
            let whose = match (first_ms == last_ms, dump.is_now_given) {
                (_, true) => "the given time",
                (true, false) => "when the dump was made",
                (false, false) => "when each dump was made",
            };
            let from = moment(first_ms);
            let to = if first_ms == last_ms { String::new() } else { format!(" to {}", moment(last_ms)) };
            self.paragraph(DIM, &format!("measured from {whose}, {from}{to}"));
        }
        if report.ttl.unknown.keys > 0 {
            let why = "unknown where a dump does not say when it was made; use --now to give the time";
            self.paragraph(DIM, why);
        }
    }

    fn sizes(&mut self, report: &Report) {
        let mut all = Sizes::default();
        for of_kind in &report.sizes {
            all.merge(&of_kind.memory_bytes);
        }
        self.histogram(
            "Keys by memory",
            all.buckets().map(|bucket| (format!("from {}", bytes(bucket.at_least)), bucket.keys)),
        );
    }

    fn percentiles(&mut self, report: &Report) {
        if report.percentiles.is_empty() {
            return;
        }
        let line = |kind: &str, values: [String; 5]| {
            let values: Vec<String> = values.iter().map(|value| right(value, 8)).collect();
            format!("  {} {}", left(kind, 10), values.join(" "))
        };
        self.heading("Memory of a key", "");
        let headings = line("", ["p50", "p90", "p99", "p99.9", "max"].map(str::to_owned));
        let headings = self.styled(DIM, &headings);
        self.line(&headings);
        for KindSpreads { kind, memory_bytes: memory, .. } in &report.percentiles {
            let values = [memory.permille(500), memory.permille(900), memory.permille(990), memory.permille(999)];
            let [p50, p90, p99, p99_9] = values.map(bytes);
            self.line(&line(kind, [p50, p90, p99, p99_9, bytes(memory.max())]));
        }
    }

    fn histogram(&mut self, title: &str, buckets: impl Iterator<Item = (String, u64)>) {
        let buckets: Vec<(String, u64)> = buckets.collect();
        let most = buckets.iter().map(|(_, keys)| *keys).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.heading(title, "keys");
        for (label, keys) in buckets {
            self.bar_line(&label, 13, (keys, most), &right(&count(keys), 13));
        }
    }

    fn access(&mut self, report: &Report) {
        let idle =
            report.idle_seconds.iter().map(|bucket| (format!("from {}", duration(bucket.at_least)), bucket.keys));
        self.histogram("Keys by time unused", idle);
        let mut frequencies: Vec<(String, u64)> = Vec::new();
        for of in &report.frequencies {
            let from = of.frequency / 32 * 32;
            let label = format!("{from} to {}", from + 31);
            match frequencies.iter_mut().find(|(known, _)| *known == label) {
                Some((_, keys)) => *keys += of.keys,
                None => frequencies.push((label, of.keys)),
            }
        }
        self.histogram("Keys by LFU counter", frequencies.into_iter());
    }

    fn shards(&mut self, report: &Report) {
        if report.dumps.len() < 2 {
            return;
        }
        self.heading("Dumps", Self::COLUMNS);
        let label = |dump: &DumpInfo| dump.shard.clone().unwrap_or_else(|| dump.name.clone());
        let labels: Vec<String> = report.dumps.iter().take(64).map(label).collect();
        let width = self.label_width(self.third(), labels.iter().map(|label| (0, label.as_bytes())));
        for (dump, label) in report.dumps.iter().zip(labels) {
            let element = (dump.keys.memory_bytes, report.totals.memory_bytes);
            self.bar_line(&label, width, element, &Self::columns(&dump.keys, &report.totals));
        }
        self.more(report.dumps.len(), 64, "dumps");
    }

    fn slots(&mut self, report: &Report) {
        let Some(found) = &report.slots else { return };
        let mut slots = found.slots.clone();
        slots.sort_by_key(|slot| (std::cmp::Reverse(slot.memory_bytes), slot.slot));
        self.heading("Slots", Self::COLUMNS);
        let mean = report.totals.memory_bytes / (slots.len() as u64).max(1);
        let most = slots.first().map_or(0, |slot| slot.memory_bytes);
        #[allow(clippy::cast_precision_loss, reason = "for reading")]
        let skew = most as f64 / mean.max(1) as f64;
        self.paragraph(
            "",
            &format!(
                "{} slots with keys; the largest takes {skew:.1} times the mean of {}",
                count(slots.len() as u64),
                bytes(mean)
            ),
        );
        for slot in slots.iter().take(5) {
            let tally = Tally { keys: slot.keys, memory_bytes: slot.memory_bytes, ..Tally::default() };
            let element = (slot.memory_bytes, report.totals.memory_bytes);
            self.bar_line(&format!("slot {}", slot.slot), 13, element, &Self::columns(&tally, &report.totals));
        }
        let mut tags: Vec<&NameTally> = found.tags.names.iter().collect();
        tags.sort_by_key(|tag| std::cmp::Reverse(tag.tally.memory_bytes));
        if !tags.is_empty() {
            self.heading("Hash tags", Self::COLUMNS);
        }
        tags.truncate(KEYS_MAX);
        let width = self.label_width(self.third(), tags.iter().map(|tag| (2, tag.name.bytes())));
        for tag in tags {
            let label = format!("{{{}}}", name(tag.name.bytes(), width.saturating_sub(2)));
            let element = (tag.tally.memory_bytes, report.totals.memory_bytes);
            self.bar_line(&label, width, element, &Self::columns(&tag.tally, &report.totals));
        }
        if !found.tags.is_complete {
            let cut = if found.tags.has_longer {
                "longer hash tags are left out: of more than 128 bytes"
            } else {
                "there are more hash tags than there was room for; others may gather more"
            };
            let line = self.styled(DIM, &format!("  {cut}"));
            self.line(&line);
        }
    }

    fn rest(&mut self, report: &Report) {
        let streams = &report.streams;
        if streams.groups > 0 {
            self.heading("Streams", "");
            self.paragraph(
                "",
                &format!(
                    "{}, {} with groups: {}, {} pending",
                    counted(streams.streams, "stream", "streams"),
                    count(streams.with_groups),
                    counted(streams.groups, "group", "groups"),
                    counted(streams.pending, "entry", "entries")
                ),
            );
        }
        if !report.modules.names.is_empty() {
            self.heading("Modules", "keys   in the dump");
            for module in &report.modules.names {
                let columns = format!(
                    "{} {}",
                    right(&count(module.tally.keys), 13),
                    right(&bytes(module.tally.serialized_bytes), 12)
                );
                let element = (module.tally.serialized_bytes, report.totals.serialized_bytes);
                self.bar_line(&name(module.name.bytes(), 13), 13, element, &columns);
            }
        }
        let functions: u64 = report.dumps.iter().map(|dump| dump.functions).sum();
        if functions > 0 {
            let functions_bytes = report.dumps.iter().map(|dump| dump.functions_bytes).sum();
            self.heading("Functions", "");
            self.line(&format!("  {}, {}", counted(functions, "library", "libraries"), bytes(functions_bytes)));
        }
    }
}

/// Which separators were found.
fn separators_note(report: &Report) -> String {
    let separators = report.prefixes.separators.bytes();
    let separators: Vec<String> = separators.iter().map(|byte| format!("'{}'", char::from(*byte))).collect();
    match &separators[..] {
        [] => "names have no separators: none cuts them into few beginnings with many keys".to_owned(),
        _ => format!("found to separate: {}", separators.join(" ")),
    }
}

/// The prefixes that are shown, each with how much of its name the one above it has said; and how many of one part there are.
fn shown_prefixes(report: &Report) -> (Vec<(&NameTally, usize)>, usize) {
    let mut tops: Vec<&NameTally> = report.prefixes.shortest().collect();
    tops.sort_by_key(|found| std::cmp::Reverse(found.tally.memory_bytes));
    let mut lines: Vec<(&NameTally, usize)> = Vec::new();
    for found in tops.iter().take(PREFIXES_MAX) {
        lines.push((*found, 0));
        let mut below: Vec<&NameTally> = report.prefixes.below(found).collect();
        below.sort_by_key(|child| std::cmp::Reverse(child.tally.memory_bytes));
        // What takes less than a twentieth of its parent is not worth a line.
        let worth = |child: &&&NameTally| child.tally.memory_bytes >= found.tally.memory_bytes / 20;
        for child in below.iter().filter(worth).take(4) {
            lines.push((*child, found.name.bytes().len()));
        }
    }
    (lines, tops.len())
}

fn add_to<'r>(tallies: &mut Vec<(&'r str, Tally)>, name: &'r str, tally: &Tally) {
    match tallies.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => known.merge(tally),
        None => tallies.push((name, *tally)),
    }
}
