//! Where an instance's dumps lie: a path or a glob below the configured root, or a URL, of whose matches the newest is
//! analyzed.
//!
//! No path comes from a request: a request can name a backup only by the file name of one that the pattern found.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::walk::{Part, walk};
use crate::error::{Error, ErrorKind};
use crate::input::{self, Listed, Look};

/// Files that a pattern may match: looking at more would take many seconds.
const MATCHES_MAX: usize = 1_000_000;

/// Paths that were passed over and are named.
const SKIPPED_MAX: usize = 8;

/// A path or a glob below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

/// The dumps of a node.
#[derive(Debug)]
pub(super) enum Backups {
    /// Files below a root.
    Files(PathBuf, Pattern),
    /// What is at a URL, which may be a pattern of a bucket.
    Url(String),
}

/// A dump that was found.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    /// Its file name, by which requests may name it.
    pub(super) id: String,
    /// Its path, through no symbolic link, or its URL.
    pub(super) path: PathBuf,
    pub(super) stored_bytes: u64,
    /// When it was written.
    pub(super) modified_at: SystemTime,
    /// What was passed over, and why: folders that may not be read, links that lead nowhere or out of the root.
    pub(super) skipped: Vec<String>,
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
    /// Nothing is left after what had to be passed over.
    Skipped(Vec<String>),
    /// The system's answer.
    Io(PathBuf, io::Error),
    /// A web server does not say when its file was written.
    NoTime,
    /// What is wrong with the URL, or the store's answer.
    Url(Error),
}

impl NoBackup {
    /// Whether the system may answer otherwise a moment later: it has no descriptors or no memory left, or a disk does not
    /// answer.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Io(_, error) => is_passing(error),
            Self::Url(Error { cause: ErrorKind::Io { source, .. }, .. }) => source.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }
}

/// As [`NoBackup::is_passing`].
fn is_passing(error: &io::Error) -> bool {
    const PASSING: [i32; 7] =
        [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN, libc::ESTALE, libc::ETIMEDOUT, libc::EIO];
    error.raw_os_error().is_some_and(|code| PASSING.contains(&code))
}

impl fmt::Display for NoBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "no file matches"),
            Self::NoSuchName => write!(f, "no file of this name matches"),
            Self::TooMany => write!(f, "more than {MATCHES_MAX} files match"),
            Self::Skipped(skipped) => write!(f, "no other file matches; passed over: {}", skipped.join("; ")),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoTime => f.write_str("the server does not say when the file was written: it sends no Last-Modified"),
            Self::Url(error) => error.fmt(f),
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
        let mut parts = Vec::new();
        for component in below.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) => {
                    let name = name.to_str().ok_or("a glob is UTF-8")?;
                    parts.push(Part::new(name).map_err(|error| format!("not a glob: {}", error.msg))?);
                }
                _ => return Err("dumps are below the root: a path or a glob without `..`".to_owned()),
            }
        }
        if parts.is_empty() {
            return Err("dumps are below the root: a path or a glob without `..`".to_owned());
        }
        Ok(Self(parts))
    }
}

impl Backups {
    /// The newest dump that matches, by its time of change, then by its name; with a name, only that one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn newest(&self, name: Option<&str>) -> Result<Backup, NoBackup> {
        match self {
            Self::Files(root, pattern) => pattern.newest(root, name),
            Self::Url(url) => newest_at(url, name),
        }
    }
}

fn newest_at(url: &str, name: Option<&str>) -> Result<Backup, NoBackup> {
    let id = |path: &Path| String::from_utf8_lossy(&input::file_name(path)).into_owned();
    let mut found = Vec::new();
    for Listed { path, look: Look { stored_bytes, written_at } } in
        input::listed(Path::new(url)).map_err(NoBackup::Url)?
    {
        if name.is_none_or(|name| id(&path) == name) {
            found.push((written_at.ok_or(NoBackup::NoTime)?, path, stored_bytes));
        }
    }
    let (modified_at, path, stored_bytes) = found.into_iter().max().ok_or(NoBackup::NoSuchName)?;
    Ok(Backup { id: id(&path), path, stored_bytes: stored_bytes.unwrap_or(0), modified_at, skipped: Vec::new() })
}

impl Pattern {
    /// The newest file below `root` that matches.
    fn newest(&self, root: &Path, name: Option<&str>) -> Result<Backup, NoBackup> {
        let mut newest: Option<(SystemTime, u64, PathBuf, PathBuf)> = None;
        let mut skipped = Skipped::default();
        let mut matches = 0;
        walk(root, &self.0, &mut |found| {
            let path = match found {
                Ok(path) => path,
                Err((path, error)) => return skipped.pass_over(path, error),
            };
            matches += 1;
            if matches > MATCHES_MAX {
                return Err(NoBackup::TooMany);
            }
            if name.is_some_and(|name| path.file_name().is_none_or(|found| found != name)) {
                return Ok(());
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => return skipped.pass_over(path, error),
            };
            let modified_at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let is_newer = newest.as_ref().is_none_or(|(at, _, other, _)| (*at, other) < (modified_at, &path));
            if !metadata.is_file() || !is_newer {
                return Ok(());
            }
            match fs::canonicalize(&path) {
                Ok(settled) if settled.starts_with(root) => newest = Some((modified_at, metadata.len(), path, settled)),
                Ok(_) => skipped.note(&path, "a symbolic link leads out of the root"),
                Err(error) => return skipped.pass_over(path, error),
            }
            Ok(())
        })?;
        let Some((modified_at, stored_bytes, name_path, path)) = newest else {
            return Err(match skipped.0 {
                skipped if !skipped.is_empty() => NoBackup::Skipped(skipped),
                _ if name.is_some() => NoBackup::NoSuchName,
                _ => NoBackup::None,
            });
        };
        let id = name_path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Backup { id, path, stored_bytes, modified_at, skipped: skipped.0 })
    }
}

/// What was passed over, the first of it by name.
#[derive(Default)]
struct Skipped(Vec<String>);

impl Skipped {
    /// Passes over what is this path's own fault; other files may be good.
    ///
    /// # Errors
    /// What would keep others from being found as well.
    fn pass_over(&mut self, path: PathBuf, error: io::Error) -> Result<(), NoBackup> {
        if is_passing(&error) {
            return Err(NoBackup::Io(path, error));
        }
        // Backups come and go while they are looked through.
        if ![io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) {
            self.note(&path, &error.to_string());
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, why: &str) {
        if self.0.len() < SKIPPED_MAX {
            self.0.push(format!("{}: {why}", path.display()));
        }
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
        Backups::Files(root.to_owned(), Pattern::new(root, pattern).unwrap()).newest(name)
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
        assert!(Pattern::new(&root, &absolute).is_err(), "the root itself is no dump");
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
        let found = newest(&root, "in/*.rdb", None).unwrap();
        assert_eq!((found.path, found.skipped.len()), (root.join("in/a.rdb"), 1), "the older one is good");
        assert!(found.skipped[0].ends_with("link.rdb: a symbolic link leads out of the root"));
        assert!(matches!(newest(&root, "folder/*.rdb", None), Err(NoBackup::Skipped(_))));
        assert_eq!(newest(&root, "in/inside.rdb", None).unwrap().path, root.join("in/a.rdb"));
        for pattern in ["../outside.rdb", "in/../../outside.rdb", "/etc/passwd", "", "in/[", "***"] {
            assert!(Pattern::new(&root, pattern).is_err(), "{pattern}");
        }
        let absolute = Pattern::new(&root, root.join("in/*.rdb").to_str().unwrap()).unwrap();
        assert_eq!(absolute, Pattern::new(&root, "in/*.rdb").unwrap());
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let (path, error) = (PathBuf::from("x"), io::Error::from_raw_os_error);
        let mut skipped = Skipped::default();
        assert!(matches!(skipped.pass_over(path.clone(), error(libc::EMFILE)), Err(NoBackup::Io(..))));
        for code in [libc::EACCES, libc::ELOOP, libc::ENOENT] {
            skipped.pass_over(path.clone(), error(code)).unwrap();
        }
        assert_eq!(skipped.0.len(), 2, "what is gone is not worth a word");
    }

    #[test]
    fn what_is_beside_the_dumps_does_no_harm() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (_folder, root) = root(&["a/one.rdb", "lost+found/x"]);
        fs::set_permissions(root.join("lost+found"), fs::Permissions::from_mode(0o000)).unwrap();
        symlink("loop.rdb", root.join("loop.rdb")).unwrap();
        symlink(".", root.join("a/self")).unwrap();
        symlink("../a", root.join("a/b")).unwrap();
        symlink("a/one.rdb/x", root.join("file.rdb")).unwrap();
        assert_eq!(newest(&root, "**/*.rdb", None).unwrap().path, root.join("a/one.rdb"));
        assert!(newest(&root, "*.rdb", None).is_err_and(|error| error.to_string().contains("loop.rdb")));
        fs::set_permissions(root.join("lost+found"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}
