//! How far a scan is, for whoever wants to show it or to end it early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that a scan moves and anyone may read meanwhile.
#[derive(Debug, Default)]
pub struct Progress {
    done_bytes: AtomicU64,
    keys: AtomicU64,
    /// Zero while it is not known.
    total_bytes: AtomicU64,
    is_cancelled: Arc<AtomicBool>,
}

impl Progress {
    /// Bytes of the files that have been read.
    pub fn done_bytes(&self) -> u64 {
        self.done_bytes.load(Ordering::Relaxed)
    }

    /// Keys that have been found.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// Bytes of all files; unknown for a pipe.
    pub fn total_bytes(&self) -> Option<u64> {
        Some(self.total_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    /// Ends the scan soon, at a record's end, that for rows within a long value too: what was found before is reported.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`Progress::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// What [`Progress::cancel`] sets, for who walks over long values.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        self.is_cancelled.clone()
    }

    /// Sets how many more bytes there are to read; `None` if that is not known.
    pub fn expect(&self, total_bytes: Option<u64>) {
        let total_bytes = total_bytes.map_or(0, |bytes| self.done_bytes().saturating_add(bytes));
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
    }

    /// Counters of their own that are cancelled together with these, for a second look at the same bytes.
    pub(crate) fn uncounted(&self) -> Self {
        Self { is_cancelled: self.is_cancelled.clone(), ..Self::default() }
    }

    /// Adds bytes that have been read and keys that have been found.
    pub fn add(&self, bytes: u64, keys: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.keys.fetch_add(keys, Ordering::Relaxed);
    }
}
