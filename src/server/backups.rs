//! Where an instance's dumps lie: a path or a glob below the configured root, of whose matches the newest is analyzed.
//!
//! No path comes from a request: a request can name a backup only by the file name of one that the pattern found.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// Files that a pattern may match: a listing of more would take seconds.
const MATCHES_MAX: usize = 10_000;

/// A path or a glob below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(String);

/// The dumps of a node.
#[derive(Debug)]
pub(super) struct Backups {
    root: PathBuf,
    pattern: Pattern,
}

/// A dump that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backup {
    /// Its file name, by which requests may name it.
    pub(super) id: String,
    /// Its path, through no symbolic link.
    pub(super) path: PathBuf,
}

/// Why no dump is to be had.
#[derive(Debug)]
pub(super) enum NoBackup {
    /// The pattern matches no file.
    None,
    /// The pattern matches no file of this name.
    NoSuchName,
    /// It matches more files than are looked at.
    TooMany,
    /// A symbolic link leads out of the root.
    Outside(PathBuf),
    /// The system's answer.
    Io(PathBuf, io::Error),
}

impl fmt::Display for NoBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "no file matches"),
            Self::NoSuchName => write!(f, "no file of this name matches"),
            Self::TooMany => write!(f, "more than {MATCHES_MAX} files match"),
            Self::Outside(path) => write!(f, "{}: a symbolic link leads out of the root", path.display()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Pattern {
    /// A pattern below `root`, which is absolute and has no symbolic links.
    ///
    /// # Errors
    /// The sentence that says what is wrong with it.
    pub(super) fn new(root: &Path, text: &str) -> Result<Self, String> {
        let below = Path::new(text);
        let below = if below.is_absolute() {
            below.strip_prefix(root).map_err(|_| format!("this path is not below the root {}", root.display()))?
        } else {
            below
        };
        let mut components = below.components();
        if text.is_empty() || !components.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err("dumps lie below the root: a path or a glob without `..`".to_owned());
        }
        let (Some(root), Some(below)) = (root.to_str(), below.to_str()) else {
            return Err("the root's path is not UTF-8".to_owned());
        };
        let pattern = format!("{}/{below}", glob::Pattern::escape(root.trim_end_matches('/')));
        glob::Pattern::new(&pattern).map_err(|error| format!("not a glob: {}", error.msg))?;
        Ok(Self(pattern))
    }
}

impl Backups {
    pub(super) fn new(root: PathBuf, pattern: Pattern) -> Self {
        Self { root, pattern }
    }

    /// The newest file that matches, by its time of change, then by its name; with a name, only that one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn newest(&self, name: Option<&str>) -> Result<Backup, NoBackup> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        // The pattern was parsed when the configuration was read.
        let matches = glob::glob_with(&self.pattern.0, options).map_err(|_| NoBackup::None)?;
        let mut newest: Option<(SystemTime, PathBuf)> = None;
        for (number, found) in matches.enumerate() {
            if number >= MATCHES_MAX {
                return Err(NoBackup::TooMany);
            }
            let path = found.map_err(|error| NoBackup::Io(error.path().to_owned(), error.into()))?;
            if name.is_some_and(|name| path.file_name().is_none_or(|found| found != name)) {
                continue;
            }
            let metadata = match fs::metadata(&path) {
                // Backups come and go while they are looked through.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(|error| NoBackup::Io(path.clone(), error))?,
            };
            if metadata.is_file() {
                let modified_at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                newest = newest.max(Some((modified_at, path)));
            }
        }
        let Some((_, path)) = newest else {
            return Err(if name.is_some() { NoBackup::NoSuchName } else { NoBackup::None });
        };
        let settled = fs::canonicalize(&path).map_err(|error| NoBackup::Io(path.clone(), error))?;
        if !settled.starts_with(&self.root) {
            return Err(NoBackup::Outside(path));
        }
        let id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Backup { id, path: settled })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    /// A root with files in it, each a minute newer than the one before.
    fn root(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap().join("ro[o]t");
        fs::create_dir(&root).unwrap();
        for (minute, name) in files.iter().enumerate() {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let modified_at = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * (1_000_000 + minute as u64));
            File::create(path).unwrap().set_modified(modified_at).unwrap();
        }
        (folder, root)
    }

    fn newest(root: &Path, pattern: &str, name: Option<&str>) -> Result<Backup, NoBackup> {
        Backups::new(root.to_owned(), Pattern::new(root, pattern).unwrap()).newest(name)
    }

    #[test]
    fn the_newest_match() {
        let (_folder, root) = root(&["c.rdb", "b.rdb", "a/x.rdb", "a.txt", ".hidden.rdb"]);
        fs::create_dir(root.join("z.rdb")).unwrap();
        std::os::unix::fs::symlink("gone", root.join("y.rdb")).unwrap();
        assert_eq!(newest(&root, "*.rdb", None).unwrap().path, root.join("b.rdb"), "a folder is no dump");
        assert_eq!(newest(&root, "**/*.rdb", None).unwrap().id, "x.rdb");
        assert_eq!(newest(&root, "c.rdb", None).unwrap().id, "c.rdb");
        let absolute = glob::Pattern::escape(root.to_str().unwrap());
        assert!(Pattern::new(&root, &absolute).is_err(), "an absolute path is one, not a glob of one");
        assert!(matches!(newest(&root, "*.gz", None), Err(NoBackup::None)));
        assert_eq!(newest(&root, "*.rdb", Some("c.rdb")).unwrap().path, root.join("c.rdb"));
        for name in ["a.txt", "x.rdb", "../c.rdb", "/etc/passwd", "*.rdb", ""] {
            assert!(matches!(newest(&root, "*.rdb", Some(name)), Err(NoBackup::NoSuchName)), "{name}");
        }
        let equal = File::open(root.join("c.rdb")).unwrap().metadata().unwrap().modified().unwrap();
        File::options().write(true).open(root.join("b.rdb")).unwrap().set_modified(equal).unwrap();
        assert_eq!(newest(&root, "[bc].rdb", None).unwrap().id, "c.rdb", "of equal age the later name");
    }

    #[test]
    fn nothing_outside_the_root() {
        let (folder, root) = root(&["in/a.rdb"]);
        let outside = folder.path().join("outside.rdb");
        File::create(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("in/link.rdb")).unwrap();
        std::os::unix::fs::symlink(folder.path(), root.join("folder")).unwrap();
        std::os::unix::fs::symlink("a.rdb", root.join("in/inside.rdb")).unwrap();
        assert!(matches!(newest(&root, "in/*.rdb", None), Err(NoBackup::Outside(path)) if path.ends_with("link.rdb")));
        assert!(matches!(newest(&root, "folder/*.rdb", None), Err(NoBackup::Outside(_))));
        assert_eq!(newest(&root, "in/inside.rdb", None).unwrap().path, root.join("in/a.rdb"));
        for pattern in ["../outside.rdb", "in/../../outside.rdb", "/etc/passwd", "", "in/[", "***"] {
            assert!(Pattern::new(&root, pattern).is_err(), "{pattern}");
        }
        let absolute = Pattern::new(&root, root.join("in/*.rdb").to_str().unwrap()).unwrap();
        assert_eq!(absolute, Pattern::new(&root, "in/*.rdb").unwrap());
    }
}
