//! Why something that is not a file could not be read or written.

use std::fmt;
use std::io;

use crate::error::ErrorKind;

/// Why an object in a store, or an answer of a web server, could not be had.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(super) kind: Kind,
    pub(super) sentence: String,
}

/// What can be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may be gone the next time.
    #[cfg(feature = "cloud")]
    Transient,
    /// It may be gone the next time, but no byte of the server was seen yet: its name may be wrong.
    #[cfg(feature = "cloud")]
    NoConnection,
    /// The object is another one than before.
    #[cfg(feature = "cloud")]
    Changed,
    /// Asking again changes nothing.
    Final,
}

impl Failure {
    pub(super) fn last(sentence: impl Into<String>) -> Self {
        Self { kind: Kind::Final, sentence: sentence.into() }
    }

    /// What is told of the dump.
    pub(crate) fn cause(self, doing: &'static str) -> ErrorKind {
        match self.kind {
            #[cfg(feature = "cloud")]
            Kind::Changed => ErrorKind::Changed(self.sentence),
            #[cfg(feature = "cloud")]
            Kind::Transient | Kind::NoConnection => {
                ErrorKind::Io { doing, source: io::Error::new(io::ErrorKind::TimedOut, self.sentence) }
            }
            Kind::Final => ErrorKind::Io { doing, source: io::Error::other(self.sentence) },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::other(failure)
    }
}
