//! The walk over a mapped dump, on all cores.
//!
//! The start is read first, since it says how to read the rest. A stretch of sound records follows, or several with damage
//! between them; then the names that [`super::names`] suspects are compared; what stands at the end is judged last.

use std::sync::Arc;

use super::again::Again;
use super::ending::judge_ending;
use super::memory::{Next, check_slice, go_on};
use super::options::Options;
use super::pieces::Stretch;
use super::report::Report;
use super::walk::Walk;
use crate::engine::resync::Resyncs;
use crate::engine::{self, Progress};
use crate::error::ErrorKind;
use crate::input::map::Map;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Dialect, ParseErrorKind, checksum};

/// Names of a piece wait until those before them have been taken in: of tiny keys those of a megabyte take half of one.
const SEGMENT_BYTES: usize = 2 << 20;

/// Behind so many stretches that are shorter, one thread walks alone: what others walk behind damage is for nothing.
const SHORT_STRETCHES_MAX: usize = 16;
const SHORT_BYTES: u64 = 16 << 20;

/// Checks a mapped dump; returns what its start says, if that can be read.
///
/// # Errors
/// [`ErrorKind::Io`] if the threads cannot be started.
pub(super) fn check_map(
    map: &Map,
    options: &Options,
    progress: &Progress,
    report: &mut Report,
) -> Result<Option<Context>, ErrorKind> {
    let dump = map.bytes();
    let mut source = Slice::new(dump, 0);
    let mut started = report.anew(!options.quick);
    started.filter_names(dump.len());
    let walk = Walk::start(&mut source, !options.quick).ok();
    let walk = walk.and_then(|mut walk| match walk.read_start(&mut source, &mut started) {
        Ok(false) if walk.context.dialect != Dialect::Dragonfly => Some(walk),
        _ => None,
    });
    // Records of Dragonfly lie in blobs and chunks, one after the other; what is damaged at its start is as good as any dump.
    let Some(walk) = walk else { return Ok(check_slice(dump, options, progress, report)) };
    *report = started;
    report.dump_bytes = dump.len() as u64;
    report.values_not_looked_through = walk.deep.unseen;
    // Without names there is next to nothing to hold.
    let segment_bytes =
        if options.segment_bytes == 0 && !options.quick { SEGMENT_BYTES } else { options.segment_bytes };
    let asked = engine::Options { threads: options.threads, segment_bytes, ..engine::Options::default() };
    let start = Start { db: 0, record_start: walk.record_start, offset: source.offset() };
    let mut walking =
        Walking { map, is_deep: !options.quick, asked, progress, context: walk.context, walked: Vec::new() };
    let end = walking.walk_to_end(start, &mut Resyncs::new(options.resync), report)?;
    walking.compare_names(report)?;
    let Walking { context, .. } = walking;
    if let Some(End { offset, computed }) = end {
        judge_ending(&context, report, &mut Slice::new(dump, offset), computed);
    }
    Ok(Some(Arc::unwrap_or_clone(context)))
}

/// Where a stretch of records begins.
#[derive(Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "a record has a start too")]
struct Start {
    /// The database of its first key.
    db: u64,
    /// Where its first record begins, if that has been taken in already; else the offset.
    record_start: u64,
    offset: u64,
}

struct End {
    /// Behind the EOF opcode.
    offset: u64,
    /// The checksum of all before.
    computed: Option<u64>,
}

struct Walking<'a> {
    map: &'a Map,
    is_deep: bool,
    asked: engine::Options,
    progress: &'a Progress,
    context: Arc<Context>,
    /// The stretches so far, and where each ended.
    walked: Vec<(Start, u64)>,
}

impl Walking<'_> {
    /// Walks to the dump's end, or to damage or whatever else ends it before.
    fn walk_to_end(
        &mut self,
        start: Start,
        resyncs: &mut Resyncs,
        report: &mut Report,
    ) -> Result<Option<End>, ErrorKind> {
        let dump = self.map.bytes();
        let mut start = start;
        let mut short_stretches = 0;
        loop {
            Arc::make_mut(&mut self.context).start = start.offset;
            let Self { map, is_deep, progress, .. } = *self;
            let stretch = Stretch { map, context: &self.context, is_deep, options: &self.asked, progress };
            let walked = stretch.walk(report)?;
            if walked.cancelled_at.is_some() {
                report.interrupted_at = walked.cancelled_at;
                return Ok(None);
            }
            let stopped_at = match &walked.stop {
                Ok(end) => *end,
                // A page was lost: whoever has the file says so.
                Err(damage) if damage.error.kind == ParseErrorKind::Read => return Ok(None),
                Err(damage) => damage.record_offset,
            };
            self.walked.push((start, stopped_at));
            match go_on(dump, &self.context, walked.stop, resyncs, report) {
                Next::Nothing => return Ok(None),
                Next::End(offset) => {
                    let before = || usize::try_from(offset).ok().and_then(|end| dump.get(..end)).map(checksum::of);
                    return Ok(Some(End { offset, computed: walked.computed.or_else(before) }));
                }
                Next::Record(offset) => {
                    short_stretches += usize::from(stopped_at - start.offset < SHORT_BYTES);
                    start = Start { db: report.db, record_start: offset, offset };
                }
            }
            self.asked.verify = false;
            if short_stretches > SHORT_STRETCHES_MAX {
                self.asked.threads = 1;
            }
        }
    }

    /// Compares the names that were there before, perhaps, with those before them.
    fn compare_names(&mut self, report: &mut Report) -> Result<(), ErrorKind> {
        let suspects = report.take_suspects().map(Arc::new);
        let Some(suspects) = suspects.filter(|_| report.interrupted_at.is_none()) else { return Ok(()) };
        // What is read twice is done once.
        let progress = self.progress.uncounted();
        self.asked.verify = false;
        let mut again = Again::default();
        for (start, end) in std::mem::take(&mut self.walked) {
            Arc::make_mut(&mut self.context).start = start.record_start;
            again.db = start.db;
            let Self { map, is_deep, .. } = *self;
            let stretch = Stretch { map, context: &self.context, is_deep, options: &self.asked, progress: &progress };
            again = again.look(&stretch, &suspects, end)?;
        }
        report.interrupted_at = progress.is_cancelled().then_some(report.dump_bytes);
        report.keys_not_compared += again.not_compared;
        report.insert_duplicates(again.duplicates(self.map.bytes(), &self.context), again.unlisted);
        Ok(())
    }
}
