//! A sink that moves the counters of a [`Progress`] and ends the walk when that is cancelled.

use super::record::{Record, Sink, What};
use crate::engine::Progress;
use crate::rdb::{Context, ParseErrorKind};

/// Bytes of records between two updates of the counters, which other threads read.
const UPDATE_BYTES: u64 = 64 << 10;

/// A sink in front of another one.
pub(crate) struct Watched<'s, S> {
    sink: &'s mut S,
    progress: &'s Progress,
    /// Whether records move the counter of bytes; over a stream its reader does.
    counts_bytes: bool,
    /// Offset of the end of the records that the counters include.
    counted_to: u64,
    /// Offset of the end of the records so far.
    end: u64,
    /// Keys that the counters do not include yet.
    keys: u64,
    /// Whether the walk was ended because the progress was cancelled.
    pub(crate) is_cancelled: bool,
}

impl<'s, S: Sink> Watched<'s, S> {
    /// Watches records of a dump in memory from offset `start` on.
    pub(crate) fn over_memory(sink: &'s mut S, progress: &'s Progress, start: u64) -> Self {
        Self { sink, progress, counts_bytes: true, counted_to: start, end: start, keys: 0, is_cancelled: false }
    }

    /// Watches records of a stream whose reader counts the bytes.
    pub(crate) fn over_stream(sink: &'s mut S, progress: &'s Progress) -> Self {
        let mut watched = Self::over_memory(sink, progress, 0);
        watched.counts_bytes = false;
        watched
    }
}

impl<S> Watched<'_, S> {
    fn update(&mut self) {
        let bytes = if self.counts_bytes { self.end - self.counted_to } else { 0 };
        self.progress.add(bytes, std::mem::take(&mut self.keys));
        self.counted_to = self.end;
    }
}

impl<S> Drop for Watched<'_, S> {
    fn drop(&mut self) {
        self.update();
    }
}

impl<S: Sink> Sink for Watched<'_, S> {
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        self.sink.record(context, record)?;
        self.keys += u64::from(matches!(record.what, What::Key(_)));
        // Records of a compressed blob have offsets within it.
        self.end = self.end.max(record.span.end);
        if self.end - self.counted_to >= UPDATE_BYTES {
            self.update();
        }
        self.is_cancelled = self.progress.is_cancelled();
        if self.is_cancelled { Err(ParseErrorKind::Read) } else { Ok(()) }
    }
}
