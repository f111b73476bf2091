//! What was marked: prefixes and keys, each with the filter under which it was seen, and what they are written as.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::place::{Lens, glob};
use crate::analysis::Pattern;
use crate::analysis::filter::Filter;
use crate::findings::command::{glob_of_name, glob_of_prefix, word};
use crate::input::shown;

/// A prefix or a key that was marked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The database; none for all.
    pub(super) db: Option<u64>,
    pub(super) name: Vec<u8>,
    /// Whether all names are meant that begin with the name.
    pub(super) is_prefix: bool,
    /// Which of the keys are meant.
    pub(super) lens: Lens,
}

impl Mark {
    /// The glob of its names, of visible characters alone.
    pub(super) fn glob(&self) -> String {
        if self.is_prefix { glob_of_prefix(&self.name) } else { glob_of_name(&self.name) }
    }

    /// Its database and its filter in words.
    pub(super) fn scope(&self) -> String {
        let mut scope = self.db.map_or("all databases".to_owned(), |db| format!("db {db}"));
        let Lens { kind, is_without_ttl, text } = &self.lens;
        if let Some(kind) = kind {
            _ = write!(scope, ", {} only", kind.name());
        }
        if *is_without_ttl {
            scope.push_str(", without TTL");
        }
        if !text.is_empty() {
            _ = write!(scope, ", matching {}", word(&self.lens.regex()));
        }
        scope
    }
}

/// Marks of the same database and filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    db: Option<u64>,
    lens: Lens,
    marks: Vec<Mark>,
}

/// The marks in groups, each of which is one filter.
pub(super) fn groups(marks: &BTreeSet<Mark>) -> Vec<Group> {
    let mut groups: BTreeMap<(Option<u64>, &Lens), Vec<Mark>> = BTreeMap::new();
    for mark in marks {
        groups.entry((mark.db, &mark.lens)).or_default().push(mark.clone());
    }
    groups.into_iter().map(|((db, lens), marks)| Group { db, lens: lens.clone(), marks }).collect()
}

impl Group {
    /// The filter that lets the marked keys pass.
    ///
    /// # Errors
    /// A sentence if a name is too long to be searched for.
    pub(super) fn filter(&self) -> Result<Filter, String> {
        let too_long = |_| "a marked name is too long to be searched for".to_owned();
        let mut patterns = Vec::new();
        for mark in &self.marks {
            let tail: &[u8] = if mark.is_prefix { b"*" } else { b"" };
            patterns.push(Pattern::glob_bytes(&[&glob(&mark.name)[..], tail].concat()).map_err(too_long)?);
        }
        if !self.lens.text.is_empty() {
            patterns.push(Pattern::regex(&self.lens.regex()).map_err(too_long)?);
        }
        Ok(Filter { databases: self.db.into_iter().collect(), patterns, ..self.lens.filter_of_types() })
    }

    /// The same filter as a command that extracts the keys; `number` tells its output from that of other groups.
    fn command(&self, dumps: &str, number: usize) -> String {
        let mut command = format!("bigkeys extract {dumps}");
        if let Some(db) = self.db {
            _ = write!(command, " --db {db}");
        }
        if let Some(kind) = self.lens.kind {
            _ = write!(command, " --type {}", kind.name());
        }
        if self.lens.is_without_ttl {
            command.push_str(" --ttl none");
        }
        if !self.lens.text.is_empty() {
            _ = write!(command, " --regex {}", word(&self.lens.regex()));
        }
        for mark in &self.marks {
            // A glob that begins with a hyphen is no option.
            _ = write!(command, " --match={}", mark.glob());
        }
        _ = write!(command, " -o marked-{number}.rdb");
        command
    }
}

/// The marks as a list: the database, a tab, the glob, and of those that a filter belongs to, a tab and the filter.
pub(super) fn list(marks: &BTreeSet<Mark>) -> String {
    let mut list = String::new();
    for mark in marks {
        let db = mark.db.map_or("all".to_owned(), |db| db.to_string());
        _ = write!(list, "{db}\t{}", mark.glob());
        if !mark.lens.is_of_all() {
            _ = write!(list, "\t{}", mark.scope());
        }
        list.push('\n');
    }
    list
}

/// The marks as commands that extract them, one for each database and filter.
pub(super) fn filters(marks: &BTreeSet<Mark>, dumps: &str) -> String {
    let mut lines = String::new();
    for (number, group) in groups(marks).iter().enumerate() {
        lines.push_str(&group.command(dumps, number + 1));
        lines.push('\n');
    }
    lines
}

/// A file that was not there before.
///
/// # Errors
/// A sentence if it is there already, or cannot be written.
pub(super) fn new_file(path: &Path) -> Result<File, String> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{}: this file is there already; choose another name", shown(path)),
        _ => format!("{}: could not write it: {error}", shown(path)),
    })
}

/// Writes text to a new file; says so.
///
/// # Errors
/// As [`new_file`].
pub(super) fn write_new(path: &Path, text: &str) -> Result<String, String> {
    let written = new_file(path)?.write_all(text.as_bytes());
    written.map_err(|error| format!("{}: could not write it: {error}", shown(path)))?;
    let lines = text.lines().count();
    let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
    Ok(format!("wrote {lines} to {}", shown(path)))
}
