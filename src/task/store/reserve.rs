//! A file beside the store that takes up room on its disk, so that there is some when the disk is full: for deletions, for the
//! ends of tasks that run, and for the files that SQLite makes when the store is opened.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Room for the shared memory of SQLite's log, and for a few hundred changes.
const RESERVE_BYTES: u64 = 4 << 20;

static BLOCK: [u8; 64 << 10] = [0; 64 << 10];

/// Sees to it that the reserve is there; one that was given is made again once the disk has room for twice as much.
///
/// # Errors
/// The system's answer; then there is no reserve.
pub(super) fn keep(store: &Path) -> io::Result<()> {
    let path = reserve_path(store);
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == RESERVE_BYTES) {
        return Ok(());
    }
    if free_bytes(store)? < 2 * RESERVE_BYTES {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let made = make(&path);
    if made.is_err() {
        _ = fs::remove_file(&path);
    }
    made
}

/// Room on the store's disk.
///
/// # Errors
/// The system's answer.
pub(super) fn free_bytes(store: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(store)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether the reserve was given, and the disk has had no room for another since.
pub(super) fn is_given(store: &Path) -> bool {
    given_path(store).exists()
}

/// Gives the reserve up; false if there is none.
pub(super) fn give(store: &Path) -> bool {
    // The mark takes no room: it is the reserve itself, emptied.
    let path = reserve_path(store);
    File::options().write(true).truncate(true).open(&path).is_ok() && fs::rename(&path, given_path(store)).is_ok()
}

/// Bytes are written, since a file that is only as long takes up no room.
fn make(path: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for _ in 0..RESERVE_BYTES / BLOCK.len() as u64 {
        file.write_all(&BLOCK)?;
    }
    file.sync_all()?;
    let mut given = path.as_os_str().to_owned();
    given.push(GIVEN);
    match fs::remove_file(given) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const GIVEN: &str = "-given";

fn reserve_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push("-reserve");
    path.into()
}

fn given_path(store: &Path) -> PathBuf {
    let mut path = reserve_path(store).into_os_string();
    path.push(GIVEN);
    path.into()
}
