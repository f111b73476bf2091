//! The files that a glob matches, folder by folder. `**` enters no symbolic link, so a link that leads back costs nothing; a
//! folder that cannot be read is reported, and the others are read all the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A component of a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A name.
    Name(String),
    /// Names that match.
    Names(glob::Pattern),
    /// `**`: folders, any number deep.
    Folders,
}

/// What was found: a path, or one that cannot be looked at.
pub(super) type Found = Result<PathBuf, (PathBuf, io::Error)>;

impl Part {
    /// # Errors
    /// What is wrong with the glob.
    pub(super) fn new(text: &str) -> Result<Self, glob::PatternError> {
        match text {
            "**" => Ok(Self::Folders),
            text if text.contains(['*', '?', '[']) => glob::Pattern::new(text).map(Self::Names),
            name => Ok(Self::Name(name.to_owned())),
        }
    }
}

/// Calls `visit` with each path that matches; a path of names alone is not looked for.
///
/// # Errors
/// The first that `visit` returns.
pub(super) fn walk<E>(folder: &Path, parts: &[Part], visit: &mut impl FnMut(Found) -> Result<(), E>) -> Result<(), E> {
    let Some((part, rest)) = parts.split_first() else { return visit(Ok(folder.to_owned())) };
    if let Part::Name(name) = part {
        return walk(&folder.join(name), rest, visit);
    }
    if matches!(part, Part::Folders) && !rest.is_empty() {
        walk(folder, rest, visit)?;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return visit(Err((folder.to_owned(), error))),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                visit(Err((folder.to_owned(), error)))?;
                continue;
            }
        };
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        match part {
            Part::Names(pattern) if pattern.matches_with(&name, OPTIONS) => match rest {
                [] => visit(Ok(path))?,
                // A file in the place of a folder is no match.
                rest if path.is_dir() => walk(&path, rest, visit)?,
                _ => {}
            },
            Part::Folders if !name.starts_with('.') => match entry.file_type() {
                Ok(kind) if kind.is_dir() => walk(&path, parts, visit)?,
                Ok(_) if rest.is_empty() => visit(Ok(path))?,
                Ok(_) => {}
                Err(error) => visit(Err((path, error)))?,
            },
            _ => {}
        }
    }
    Ok(())
}

const OPTIONS: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
