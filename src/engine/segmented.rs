//! A mapped dump cut into segments: what every worker and the chain look at, and none of them changes but for how far the
//! chain has come.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::accumulated::Accumulated;
use super::progress::Progress;
use crate::analysis::accumulator::Accumulator;
use crate::input::map::Map;
use crate::rdb::Context;

/// A dump in memory and its segments.
pub(super) struct SegmentedDump<'a, G> {
    pub(super) map: &'a Map,
    pub(super) bytes: &'a [u8],
    pub(super) context: &'a Context,
    pub(super) segment_bytes: usize,
    /// Whether the checksum is computed.
    pub(super) verify: bool,
    pub(super) progress: &'a Progress,
    /// What the empty accumulators of segments are made of.
    empty: Mutex<Accumulated<G>>,
    /// The offset that the chain has reached; one large string can bring it past many segments.
    reached: AtomicU64,
}

impl<'a, G: Accumulator> SegmentedDump<'a, G> {
    pub(super) fn new(
        map: &'a Map,
        context: &'a Context,
        segment_bytes: usize,
        verify: bool,
        progress: &'a Progress,
        empty: Accumulated<G>,
    ) -> Self {
        let (empty, reached) = (Mutex::new(empty), AtomicU64::new(0));
        Self { map, bytes: map.bytes(), context, segment_bytes, verify, progress, empty, reached }
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_bytes)
    }

    /// The segment that an offset is in.
    pub(super) fn segment_of(&self, offset: u64) -> usize {
        usize::try_from(offset).unwrap_or(usize::MAX) / self.segment_bytes.max(1)
    }

    /// Where a segment is.
    pub(super) fn range(&self, segment: usize) -> Range<usize> {
        let start = segment.saturating_mul(self.segment_bytes).min(self.bytes.len());
        start..start.saturating_add(self.segment_bytes).min(self.bytes.len())
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Says that the chain has come to `offset`.
    pub(super) fn set_reached(&self, offset: u64) {
        self.reached.store(offset, Ordering::Relaxed);
    }

    /// Whether the chain has come to `offset` already. An old answer costs time, and never changes what is found.
    pub(super) fn has_passed(&self, offset: usize) -> bool {
        self.reached.load(Ordering::Relaxed) >= offset as u64
    }

    /// An accumulator of nothing yet, whose first entries are in database `db`.
    pub(super) fn empty(&self, db: Option<u64>) -> Accumulated<G> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner).empty(db)
    }
}
