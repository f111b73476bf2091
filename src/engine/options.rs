//! What is asked of which dumps, and how it is found out.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use super::window::WINDOW_BYTES;
use crate::analysis::Question;

/// How a dump is analyzed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What is asked.
    pub question: Question,
    /// Whether the checksum at the dump's end is verified.
    pub verify: bool,
    /// Whether to look for the next record behind damage that hides it, and go on. For files that are not compressed.
    pub resync: bool,
    /// How many threads scan a mapped file, or inflate a compressed one if it can be inflated in parts; 0 for one a core.
    pub threads: usize,
    /// Bytes of a segment of a mapped file; 0 for what suits its size and the threads. For tests.
    #[doc(hidden)]
    pub segment_bytes: usize,
    /// Bytes of a window over a stream. For tests.
    #[doc(hidden)]
    pub window_bytes: usize,
}

impl Options {
    /// How many threads that is.
    pub(crate) fn workers(&self) -> usize {
        // The system is asked once: its answer takes as long as a small dump.
        static CORES: OnceLock<usize> = OnceLock::new();
        match self.threads {
            0 => *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)),
            threads => threads,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            question: Question::default(),
            verify: true,
            resync: false,
            threads: 0,
            segment_bytes: 0,
            window_bytes: WINDOW_BYTES,
        }
    }
}

/// A dump to be analyzed, and the shard it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Where it lies; `-` is standard input.
    pub path: PathBuf,
    /// `ip:port`, if it is one of a cluster's.
    pub shard: Option<String>,
    /// The key, if this is no dump but a DUMP command's answer.
    pub payload_key: Option<Vec<u8>>,
}

impl<P: AsRef<Path>> From<P> for Dump {
    fn from(path: P) -> Self {
        Self { path: path.as_ref().to_owned(), shard: None, payload_key: None }
    }
}
