//! A multi-part append-only file (Redis 7.0 and later, format section 6.4): a folder of files and a manifest that names
//! them. The base is a dump, or a file of commands; the incremental files are commands.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A manifest longer than this is none: it has a line for each file.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The files that a manifest names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The base file, if there is one.
    pub(super) base: Option<PathBuf>,
    /// Incremental files, in the order in which they are loaded.
    pub(super) incremental: Vec<PathBuf>,
}

/// The one manifest in a folder.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn find(folder: &Path) -> Result<PathBuf, String> {
    let unreadable = |error| format!("this is a directory that cannot be read: {error}");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "manifest") {
            found.push(path);
        }
    }
    match (found.pop(), found.len()) {
        (Some(path), 0) => Ok(path),
        (None, _) => Err("this is a directory; name a dump in it".to_owned()),
        (Some(_), more) => Err(format!("this is a directory with {} manifests; name the one to read", more + 1)),
    }
}

/// Reads a manifest; its files lie beside it.
///
/// # Errors
/// A sentence if it is none.
pub(super) fn read(path: &Path) -> Result<Manifest, String> {
    let unreadable = |error| format!("the manifest {} could not be read: {error}", path.display());
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(format!("the manifest {} is too long to be one", path.display()));
    }
    let text = String::from_utf8(text).map_err(|_| format!("the manifest {} is not text", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut manifest = Manifest { base: None, incremental: Vec::new() };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || format!("line {} of the manifest {} names no file", number + 1, path.display());
        let words = words(line).ok_or_else(wrong)?;
        let value = |name: &str| words.chunks(2).find_map(|pair| (pair.first()? == name).then(|| pair.get(1))?);
        let (file, kind) = value("file").zip(value("type")).ok_or_else(wrong)?;
        // A server takes no path here either: the files of a manifest lie beside it.
        if file.contains('/') {
            return Err(wrong());
        }
        match kind.as_str() {
            "b" if manifest.base.is_some() => {
                return Err(format!("the manifest {} names two base files", path.display()));
            }
            "b" => manifest.base = Some(folder.join(file)),
            "i" => manifest.incremental.push(folder.join(file)),
            "h" => {}
            _ => return Err(wrong()),
        }
    }
    if manifest == (Manifest { base: None, incremental: Vec::new() }) {
        return Err(format!("the manifest {} names no file that is in use", path.display()));
    }
    Ok(manifest)
}

/// The words of a line; one with blanks in it stands in quotes, with `\` before a quote or another `\`.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = line.chars().peekable();
    while letters.peek().is_some() {
        if letters.next_if(char::is_ascii_whitespace).is_some() {
            continue;
        }
        let mut word = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => word.push(letters.next()?),
                    letter => word.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| !letter.is_ascii_whitespace()) {
                word.push(letter);
            }
        }
        words.push(word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        let split = |line| words(line).map(|words| words.join("|"));
        assert_eq!(split("file a.rdb seq 1  type b"), Some("file|a.rdb|seq|1|type|b".to_owned()));
        assert_eq!(split(r#"file "a \"b\".rdb" type b"#), Some(r#"file|a "b".rdb|type|b"#.to_owned()));
        assert_eq!(split(r#"file "a"#), None);
    }
}
