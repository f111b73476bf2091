//! Where a task's dumps lie: settled when it is created, looked at again when it is started.

use std::fs;
use std::io;

use jiff::Timestamp;

use crate::engine::Dump;
use crate::error::{Error, ErrorKind};
use crate::input;

/// A dump of a task that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its path is absolute and leads through no symbolic link, or it is a URL.
    pub dump: Dump,
    /// When the dump was written; of a URL in whole seconds, none if the server does not say.
    pub written_at: Option<Timestamp>,
}

/// The dump by a path that stays right wherever the program is started, and leads through no symbolic link. A URL is kept as it
/// is, if there is something at it.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be found, [`ErrorKind::Options`] if it is no regular file: a task may be started more than once.
pub fn settled(dump: &Dump) -> Result<Settled, Error> {
    let name = || input::shown(&dump.path);
    if input::is_url(&dump.path) {
        let written_at = input::look_at(&dump.path)?.written_at.and_then(|at| Timestamp::try_from(at).ok());
        return Ok(Settled { dump: dump.clone(), written_at });
    }
    let path = fs::canonicalize(&dump.path)
        .map_err(|source| Error::new(name(), ErrorKind::Io { doing: "open it", source }))?;
    if !path.is_file() {
        let what = "a task's dump must be a regular file".to_owned();
        return Err(Error::new(name(), ErrorKind::Options(what)));
    }
    let written_at = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
    let written_at = written_at.and_then(|at| Timestamp::try_from(at).ok());
    Ok(Settled { dump: Dump { path, shard: dump.shard.clone(), payload_key: None }, written_at })
}

/// Looks whether a settled dump is still where it was: a link that was put in its place since could lead anywhere.
///
/// # Errors
/// [`ErrorKind::Io`] if it is gone or has become a link.
pub(super) fn still_settled(dump: &Dump) -> Result<(), Error> {
    if input::is_url(&dump.path) {
        return Ok(());
    }
    let source = match fs::canonicalize(&dump.path) {
        Ok(path) if path == dump.path => return Ok(()),
        Ok(_) => io::Error::other("a symbolic link has taken its place since the task was created"),
        Err(error) => error,
    };
    Err(Error::new(input::shown(&dump.path), ErrorKind::Io { doing: "open it", source }))
}
