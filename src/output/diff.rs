//! A difference for a person: totals and pace first, then what changed most.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::human::{bytes, count, duration, left, moment, name, right, share, signed_bytes, signed_count};
use crate::compare::{Amount, Change, ChangedKey, Counts, Difference, ExpiryChange, KeyChanges, Moved, Pace, Side};

/// Columns: what changed, keys, their change, memory, its change, keys without TTL on both sides.
const COLUMNS: [usize; 5] = [12, 12, 10, 11, 16];

/// Narrower than this nothing is laid out, and wider lines are hard to read.
const WIDTH_MIN: usize = 60;
const WIDTH_MAX: usize = 120;

/// Writes the difference as a table of `width` columns, with at most `top` lines a list.
///
/// # Errors
/// The writer's.
pub fn write(difference: &Difference, width: usize, top: usize, to: &mut dyn Write) -> io::Result<()> {
    let mut table = Table { width: width.clamp(WIDTH_MIN, WIDTH_MAX), top, to };
    table.side("old", &difference.old)?;
    table.side("new", &difference.new)?;
    if let Some(only) = &difference.only {
        let only = name(only.as_bytes(), table.width.saturating_sub("only keys that pass ".len()));
        writeln!(table.to, "only keys that pass {only}")?;
    }
    if let Some(mark) = &difference.redacted {
        writeln!(table.to, "names are stand-ins (redacted: {mark})")?;
    }
    if let Some(pace) = &difference.pace {
        table.pace(pace)?;
    }
    table.heading("")?;
    table.change("all keys", &difference.totals)?;
    for of_type in &difference.types {
        table.change(&of_type.kind, &of_type.change)?;
    }
    for database in difference.databases.iter().take(top) {
        table.change(&format!("database {}", database.db), &database.change)?;
    }
    if !difference.groups.is_empty() {
        table.heading("Groups")?;
    }
    for group in &difference.groups {
        table.change(group.group.as_deref().unwrap_or("unclassified"), &group.change)?;
    }
    if !difference.prefixes.is_empty() {
        table.heading("Prefixes")?;
    }
    for prefix in difference.prefixes.iter().take(top) {
        let label = name(prefix.name.bytes(), table.label_width());
        table.change(&label, &prefix.change)?;
    }
    if difference.prefixes_unknown > 0 {
        let unknown = count(difference.prefixes_unknown);
        writeln!(table.to, "  {unknown} prefixes are listed on one side only: their changes are not known")?;
    }
    match &difference.keys {
        Some(keys) => table.keys(keys),
        None => Ok(()),
    }
}

struct Table<'t> {
    width: usize,
    top: usize,
    to: &'t mut dyn Write,
}

impl Table<'_> {
    fn label_width(&self) -> usize {
        self.width.saturating_sub(2 + COLUMNS.iter().sum::<usize>()).max(12)
    }

    fn side(&mut self, which: &str, side: &Side) -> io::Result<()> {
        let at = side.created_at_ms.map_or_else(|| "at an unknown time".to_owned(), moment);
        let first = side.dumps.first().map_or("", String::as_str);
        let more = match side.dumps.len() {
            0 | 1 => String::new(),
            dumps => format!(" and {} more", dumps - 1),
        };
        let path = name(first.as_bytes(), self.width.saturating_sub(5 + at.len() + 2 + more.len()).max(12));
        writeln!(self.to, "{which}  {path}{more}  {at}")
    }

    fn pace(&mut self, pace: &Pace) -> io::Result<()> {
        let between = duration(pace.seconds.unsigned_abs());
        let basis = if pace.basis == "used_memory" { "memory of the server" } else { "memory of the keys" };
        let (memory, keys) = (signed_bytes(pace.memory_bytes_a_day), signed_count(pace.keys_a_day));
        writeln!(self.to, "{between} between them; a day: {memory} ({basis}), {keys} keys")?;
        match (pace.maxmemory_bytes, pace.full_at_ms) {
            (Some(limit), Some(at_ms)) => {
                writeln!(self.to, "{} is reached at this pace on {}", bytes(limit), moment(at_ms))
            }
            (Some(limit), None) => writeln!(self.to, "{} is never reached at this pace", bytes(limit)),
            (None, _) => Ok(()),
        }
    }

    fn heading(&mut self, title: &str) -> io::Result<()> {
        let names = ["keys", "change", "memory", "change", "without TTL"];
        let columns: String = names.iter().zip(COLUMNS).map(|(name, width)| right(name, width)).collect();
        writeln!(self.to)?;
        let line =
            format!("{}{columns}", left(&name(title.as_bytes(), self.label_width() + 2), self.label_width() + 2));
        writeln!(self.to, "{}", if title.is_empty() { line.replacen("\"\"", "  ", 1) } else { line })
    }

    fn change(&mut self, label: &str, change: &Change) -> io::Result<()> {
        let without_ttl = |amount: &Amount| share(amount.keys_without_ttl, amount.keys);
        let (was, is) = (without_ttl(&change.old), without_ttl(&change.new));
        let without_ttl = if was == is { is } else { format!("{} > {is}", was.trim_end_matches(" %")) };
        let columns = [
            count(change.new.keys),
            signed_count(change.keys_change),
            bytes(change.new.memory_bytes),
            signed_bytes(change.memory_bytes_change),
            without_ttl,
        ];
        let columns: String = columns.iter().zip(COLUMNS).map(|(text, width)| right(text, width)).collect();
        writeln!(self.to, "  {}{columns}", left(&name(label.as_bytes(), self.label_width()), self.label_width()))
    }

    fn keys(&mut self, keys: &KeyChanges) -> io::Result<()> {
        let passes = match keys.passes {
            0 => "no key changed".to_owned(),
            1 => "compared in 1 pass".to_owned(),
            passes => format!("compared in {passes} passes, each for its share of the names"),
        };
        writeln!(self.to, "\nKeys ({passes})")?;
        let counts = &keys.counts;
        let moved = |moved: &Moved, sign: &str| {
            format!("{}  {sign}{}", right(&count(moved.keys), 13), bytes(moved.memory_bytes))
        };
        let lines = [
            ("unchanged", right(&count(keys.unchanged), 13)),
            ("came", moved(&counts.came, "+")),
            ("went", moved(&counts.went, "-")),
            ("grew", moved(&counts.grew, "+")),
            ("shrank", moved(&counts.shrank, "-")),
            ("other value", right(&count(counts.value_changed), 13)),
            ("other type", right(&count(counts.type_changed), 13)),
            ("other expiry", right(&count(counts.ttl_changed), 13)),
        ];
        for (label, text) in lines {
            writeln!(self.to, "  {}{text}", left(label, 14))?;
        }
        if keys.compared_as_stored > 0 {
            let stored = count(keys.compared_as_stored);
            writeln!(self.to, "  {stored} keys were compared as they are stored: their values cannot be decoded")?;
        }
        self.prefixes(keys)?;
        let top = &keys.top;
        for (title, list) in [
            ("Largest keys that came", &top.came),
            ("Largest keys that went", &top.went),
            ("Keys that grew most", &top.grew),
            ("Keys that shrank most", &top.shrank),
            ("Largest keys with another value of the same size", &top.rewritten),
            ("Keys of another type", &top.retyped),
        ] {
            self.list(title, list, false)?;
        }
        self.list("Keys with another expiry", &top.expiry_changed, true)
    }

    fn prefixes(&mut self, keys: &KeyChanges) -> io::Result<()> {
        if keys.prefixes.is_empty() {
            return Ok(());
        }
        let columns = ["came", "went", "grew", "shrank", "value", "expiry"];
        let columns: String = columns.iter().map(|column| right(column, 10)).collect();
        let width = self.width.saturating_sub(62).max(12);
        writeln!(self.to, "\n{}{columns}", left(&name(b"Prefixes of keys", width + 2), width + 2))?;
        for prefix in keys.prefixes.iter().take(self.top) {
            let Counts { came, went, grew, shrank, value_changed, ttl_changed, .. } = &prefix.counts;
            let numbers = [came.keys, went.keys, grew.keys, shrank.keys, *value_changed, *ttl_changed];
            let numbers: String = numbers.iter().map(|number| right(&count(*number), 10)).collect();
            writeln!(self.to, "  {}{numbers}", left(&name(prefix.name.bytes(), width), width))?;
        }
        Ok(())
    }

    fn list(&mut self, title: &str, keys: &[ChangedKey], has_expiry: bool) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        writeln!(self.to, "\n{title}")?;
        for key in keys.iter().take(self.top) {
            let sizes = match (key.old_memory_bytes, key.new_memory_bytes) {
                (Some(old), Some(new)) if old != new => format!("{} > {}", bytes(old), bytes(new)),
                (one, other) => bytes(one.or(other).unwrap_or(0)),
            };
            let kind = key.old_type.map_or_else(|| key.kind.to_owned(), |old| format!("{old} > {}", key.kind));
            let about = left(&format!("{kind} db {} ", key.db), 18);
            let width = self.width.saturating_sub(2 + 22 + 2 + about.width()).max(12);
            let shown = name(key.name.bytes(), width);
            writeln!(self.to, "  {}  {about}{shown}", right(&sizes, 22))?;
            if let Some(ExpiryChange { old_expires_at_ms, new_expires_at_ms }) = key.expiry.filter(|_| has_expiry) {
                let [old, new] = [old_expires_at_ms, new_expires_at_ms].map(|at| at.map_or("never".to_owned(), moment));
                writeln!(self.to, "{}expires {new}, before: {old}", " ".repeat(26))?;
            }
        }
        Ok(())
    }
}
