//! What is asked of a check.

use crate::engine;

/// How a dump is checked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Step over values instead of looking into them.
    pub quick: bool,
    /// After damage that loses a record's end, look for the next record and go on. For files that are not compressed.
    pub resync: bool,
    /// The key, if this is no dump but a DUMP command's answer.
    pub payload_key: Option<Vec<u8>>,
    /// How many threads walk over a file, or inflate a compressed one if it can be inflated in parts; 0 for one a core.
    pub threads: usize,
    /// Bytes of a segment of such a file; 0 for the usual. For tests.
    #[doc(hidden)]
    pub segment_bytes: usize,
    /// Bytes of a window over a stream; 0 for the usual. For tests.
    #[doc(hidden)]
    pub window_bytes: usize,
}

impl Options {
    /// How many threads that is.
    pub(super) fn workers(&self) -> usize {
        engine::Options { threads: self.threads, ..engine::Options::default() }.workers()
    }
}
