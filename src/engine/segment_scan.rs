//! What a worker makes of a segment before the chain has come to it.

use std::ops::Range;

use super::element_marks::{self, ElementMarks};
use super::guess;
use super::scan::Walk;
use super::segmented::SegmentedDump;
use crate::analysis::accumulator::Accumulator;
use crate::rdb::Context;
use crate::rdb::checksum::Checksum;
use crate::rdb::source::{Slice, Source};

/// Bytes that are summed and scanned at a time, so that the second of the two finds them in the core's own cache.
pub(super) const STRIDE_BYTES: usize = 128 << 10;

/// Bytes after which a scan looks how much it holds: few enough that what it gathers from them is little, whatever they are.
pub(super) const STEP_BYTES: u64 = 64 << 10;

/// Searches for a record start once every so many strides.
const STRIDES_A_LOOK: usize = 4;

/// What was found in a segment.
pub(super) struct SegmentScan<'a, G> {
    /// Elements of a value that began before the segment, if it looks like that.
    pub(super) marks: Option<ElementMarks<'a>>,
    /// None if no entry's start could be guessed.
    pub(super) guess: Option<Guess<'a, G>>,
    /// The checksum of the segment's bytes; zero if none is wanted.
    pub(super) checksum: u64,
}

/// A scan that began at a guessed offset.
pub(super) struct Guess<'a, G> {
    pub(super) start: u64,
    pub(super) walk: Walk<Slice<'a>, G>,
}

/// A segment cut into strides.
pub(super) fn strides(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(STRIDE_BYTES).map(move |start| start..start.saturating_add(STRIDE_BYTES).min(end))
}

impl<'a, G: Accumulator> SegmentScan<'a, G> {
    pub(super) fn of(dump: &SegmentedDump<'a, G>, range: Range<usize>) -> Self {
        let mut checksum = dump.verify.then(Checksum::default);
        let mut segment_scan = SegmentScan { marks: None, guess: None, checksum: 0 };
        let mut marks_go_on = true;
        let mut budget = guess::SearchBudget::default();
        let mut items_left = element_marks::ITEMS_MAX;
        let mut holds_too_much = false;
        for (number, stride) in strides(range.clone()).enumerate() {
            if let Some(checksum) = &mut checksum {
                checksum.update(dump.slice(stride.clone()));
            }
            if let Some(guess) = &mut segment_scan.guess {
                holds_too_much = !guess.until(dump.context, stride.end as u64);
                if holds_too_much {
                    segment_scan.guess = None;
                }
                continue;
            }
            if holds_too_much || dump.has_passed(range.end) {
                continue;
            }
            let is_time_to_look = number % STRIDES_A_LOOK == 0 || !marks_go_on;
            if is_time_to_look
                && let Some(start) = guess::boundary(dump.bytes, dump.context, stride.start..range.end, &mut budget)
            {
                let walk = Walk::new(Slice::new(dump.bytes, start), dump.empty(None));
                let mut guess = Guess { start, walk };
                holds_too_much = !guess.until(dump.context, stride.end as u64);
                segment_scan.guess = Some(guess).filter(|_| !holds_too_much);
                continue;
            }
            if segment_scan.marks.is_none() && G::LEAVES_OPEN {
                segment_scan.marks = ElementMarks::guess(dump.bytes, stride.start, &mut items_left);
            }
            if let Some(marks) = &mut segment_scan.marks
                && marks_go_on
            {
                marks_go_on = marks.count(stride.end as u64);
            }
        }
        segment_scan.checksum = checksum.map_or(0, |checksum| checksum.value());
        segment_scan
    }

    /// What it takes in memory, near enough.
    pub(super) fn held_bytes(&self) -> u64 {
        self.guess.as_ref().map_or(0, |guess| guess.walk.found.held_bytes())
    }
}

impl<G: Accumulator> Guess<'_, G> {
    /// Scans on to `until`; false if that is more than a piece may hold.
    fn until(&mut self, context: &Context, until: u64) -> bool {
        while self.walk.source.offset() < until && self.walk.ending.is_none() {
            let step = self.walk.source.offset().saturating_add(STEP_BYTES);
            self.walk.until(context, until.min(step));
            if self.walk.found.held_bytes() > G::PIECE_HELD_BYTES_MAX {
                return false;
            }
        }
        true
    }
}
