//! The chain: the scan that began at the dump's first record, and that decides which pieces count.

use std::ops::Range;

use super::accumulated::Accumulated;
use super::element_marks::ElementMarks;
use super::outcome::{Ending, Outcome};
use super::scan::Walk;
use super::segment_scan::{Guess, STEP_BYTES, SegmentScan, strides};
use super::segmented::SegmentedDump;
use crate::analysis::accumulator::Accumulator;
use crate::rdb::checksum::{self, Checksum};
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, FormatElement, ParseErrorKind};

/// Where keys lie further apart than this, one thread that skips what is between them needs no help: 16 GB/s and more.
const LEAP_BYTES: u64 = 16 << 10;

/// The scan that began at the first record, in between segments.
pub(super) struct Chain<'a, G> {
    /// Where it stands; what it gathered came from the segment in hand.
    walk: Walk<Slice<'a>, G>,
    /// What all segments before gave.
    found: Accumulated<G>,
    /// The segment it comes to next.
    pub(super) next: usize,
    /// Keys in the last segment.
    last_keys: u64,
    /// The checksum of all segments before `next`.
    checksum: u64,
    /// The checksum of all before the ending.
    computed: Option<u64>,
}

impl<'a, G: Accumulator> Chain<'a, G> {
    /// The chain before the segment `next`, where `found` is still empty.
    pub(super) fn new(dump: &'a [u8], context: &Context, found: Accumulated<G>, next: usize) -> Self {
        let walk = Walk::new(Slice::new(dump, context.start), found.following(found.accumulated.db()));
        Self { walk, found, next, last_keys: 0, checksum: 0, computed: None }
    }

    /// The offset that it has reached.
    pub(super) fn offset(&self) -> u64 {
        self.walk.source.offset()
    }

    /// Whether the end or damage was found.
    pub(super) fn has_ended(&self) -> bool {
        self.walk.ending.is_some()
    }

    /// Whether passing through a segment takes longer than leaps from key to key, a page fault each.
    pub(super) fn has_much_to_do(&self, segment_bytes: usize) -> bool {
        self.walk.open.is_some() || self.last_keys > segment_bytes as u64 / LEAP_BYTES
    }

    /// Passes through the next segment, by its piece where there is one and where it fits.
    pub(super) fn join(&mut self, dump: &SegmentedDump<'a, G>, segment_scan: Option<SegmentScan<'a, G>>) {
        let range = dump.range(self.next);
        let keys = self.found.accumulated.keys();
        let checksum = match segment_scan {
            Some(segment_scan) => {
                segment_scan.marks.into_iter().for_each(|marks| self.leap(dump, &marks));
                segment_scan.guess.into_iter().for_each(|guess| self.take_over(dump, guess));
                self.walk_until(dump, range.end as u64);
                segment_scan.checksum
            }
            None => self.pass(dump, range.clone()),
        };
        self.keep_found(dump);
        if dump.verify {
            if let Some(Ok(end)) = self.walk.ending {
                let last = dump.slice(range.start..usize::try_from(end).unwrap_or(usize::MAX));
                self.computed = Some(checksum::combine(self.checksum, checksum::of(last), last.len() as u64));
            }
            self.checksum = checksum::combine(self.checksum, checksum, range.len() as u64);
        }
        self.next += 1;
        self.last_keys = self.found.accumulated.keys() - keys;
        dump.progress.add(range.len() as u64, self.last_keys);
    }

    /// Scans a segment without help; returns its checksum.
    fn pass(&mut self, dump: &SegmentedDump<'a, G>, range: Range<usize>) -> u64 {
        let mut checksum = dump.verify.then(Checksum::default);
        for stride in strides(range) {
            if let Some(checksum) = &mut checksum {
                checksum.update(dump.slice(stride.clone()));
            }
            self.walk_until(dump, stride.end as u64);
        }
        checksum.map_or(0, |checksum| checksum.value())
    }

    /// Scans on to `until`. What was found is kept as soon as it is as much as a piece may hold, so that it is not held twice
    /// over.
    fn walk_until(&mut self, dump: &SegmentedDump<'a, G>, until: u64) {
        while self.offset() < until && !self.has_ended() {
            self.walk.until(dump.context, until.min(self.offset().saturating_add(STEP_BYTES)));
            if self.walk.found.held_bytes() > G::PIECE_HELD_BYTES_MAX {
                self.keep_found(dump);
            }
        }
    }

    /// Leaps over elements that were counted, if it comes to stand before the first of them in a value that has such.
    fn leap(&mut self, dump: &SegmentedDump<'a, G>, marks: &ElementMarks<'a>) {
        if self.walk.open.is_none() {
            return;
        }
        self.walk_until(dump, marks.start);
        let Walk { source, open: Some(open), ending: None, .. } = &mut self.walk else { return };
        if source.offset() != marks.start || open.run.item != marks.item {
            return;
        }
        if let Some(mark) = marks.last_within(open.run.left)
            && source.skip(FormatElement::Element, mark.offset - marks.start).is_ok()
        {
            open.run.left -= mark.items;
        }
    }

    /// Goes on where a guess ended, if it comes to stand where the guess began.
    fn take_over(&mut self, dump: &SegmentedDump<'a, G>, guess: Guess<'a, G>) {
        self.walk_until(dump, guess.start);
        let Walk { ending: None, open: None, .. } = &self.walk else { return };
        if self.offset() != guess.start {
            return;
        }
        let Walk { source, found, open, ending } = guess.walk;
        (self.walk.source, self.walk.open, self.walk.ending) = (source, open, ending);
        if let Err(kind) = self.walk.found.merge(found) {
            self.break_off(kind);
        }
    }

    /// Keeps what was found last, unless the file lost a page meanwhile: then it may be made of zeros.
    fn keep_found(&mut self, dump: &SegmentedDump<'a, G>) {
        if dump.map.is_lost() {
            return self.break_off(ParseErrorKind::Read);
        }
        let next = self.found.following(self.walk.found.accumulated.db());
        let found = std::mem::replace(&mut self.walk.found, next);
        if let Err(kind) = self.found.merge(found) {
            self.break_off(kind);
        }
    }

    fn break_off(&mut self, kind: ParseErrorKind) {
        self.walk.ending = Some(Err(self.walk.source.error(FormatElement::Key, kind, 0).into()));
    }

    pub(super) fn finish(mut self, dump: &SegmentedDump<'a, G>) -> Outcome<G> {
        let SegmentedDump { bytes, context, .. } = dump;
        // A walk that is told to end within a value says that it cannot read on.
        let is_cut = match &self.walk.ending {
            Some(Err(damage)) => damage.error.kind == ParseErrorKind::Read,
            ending => ending.is_none(),
        };
        let cancelled_at = Some(self.offset()).filter(|_| dump.progress.is_cancelled() && is_cut);
        // Where the file ends too early, going on tells what is missing.
        if cancelled_at.is_none() {
            self.walk_until(dump, u64::MAX);
            self.keep_found(dump);
        }
        let missing = || self.walk.source.error(FormatElement::Opcode, ParseErrorKind::Eof, 0).into();
        let ending = self.walk.ending.take().unwrap_or_else(|| Err(missing()));
        let ending = ending.map(|offset| Ending::in_memory(bytes, context, offset, self.computed));
        Outcome { found: self.found, ending, dump_bytes: bytes.len() as u64, cancelled_at }
    }
}
