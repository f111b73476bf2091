//! What is known of a dump before it is read.

use std::path::PathBuf;
#[cfg(feature = "cloud")]
use std::time::Duration;
use std::time::SystemTime;

/// A file or an object, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path or URL.
    pub path: PathBuf,
    /// What its store says of it.
    pub look: Look,
}

/// What can be said of a dump without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// How many bytes it stores; a pipe does not know.
    pub stored_bytes: Option<u64>,
    /// When it was written, of an object in whole seconds, since stores tell more only in some of their answers; a pipe and some
    /// web servers do not know.
    pub written_at: Option<SystemTime>,
}

/// The time that is so many seconds after 1970, or its first moment if that is before.
#[cfg(feature = "cloud")]
pub(super) fn seconds(since_1970: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(since_1970).unwrap_or(0))
}
