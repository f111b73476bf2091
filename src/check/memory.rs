//! The walk over a dump in memory on one thread, and where any walk over one goes on behind damage.

use std::sync::Arc;

use super::ending::judge_ending;
use super::options::Options;
use super::report::{Report, Skipped};
use super::walk::Walk;
use super::watched::Watched;
use crate::engine::Progress;
use crate::engine::accumulated::Stop;
use crate::engine::resync::Resyncs;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, checksum};

/// Checks a dump in memory; returns what its start says, if that can be read.
pub(super) fn check_slice(dump: &[u8], options: &Options, progress: &Progress, report: &mut Report) -> Option<Context> {
    report.dump_bytes = dump.len() as u64;
    let mut source = Slice::new(dump, 0);
    let walk = Walk::start(&mut source, !options.quick);
    let mut walk = walk.map_err(|damage| report.find_damage(&damage, report.dump_bytes)).ok()?;
    let mut resyncs = Resyncs::new(options.resync);
    let end = loop {
        let mut watched = Watched::over_memory(report, progress, source.offset());
        let mut stop = walk.run(&mut source, &mut watched);
        let is_cancelled = watched.is_cancelled;
        drop(watched);
        if is_cancelled {
            report.interrupted_at = Some(source.offset());
            break None;
        }
        if let Err(damage) = &mut stop {
            damage.record_offset = walk.record_start;
        }
        match go_on(dump, &walk.context, stop, &mut resyncs, report) {
            Next::Record(offset) => source = Slice::new(dump, offset),
            Next::End(end) => break Some(end),
            Next::Nothing => break None,
        }
    };
    report.values_not_looked_through = walk.deep.unseen;
    if let Some(end) = end {
        let computed = usize::try_from(end).ok().and_then(|end| dump.get(..end)).map(checksum::of);
        judge_ending(&walk.context, report, &mut source, computed);
    }
    Some(Arc::unwrap_or_clone(walk.context))
}

/// What follows where a walk has stopped.
pub(super) enum Next {
    /// The dump's end is at this offset, behind the EOF opcode.
    End(u64),
    /// Records go on at this offset, behind damage.
    Record(u64),
    /// Damage ends the dump.
    Nothing,
}

/// Says where a walk goes on that has stopped, and takes in the damage that stopped it.
pub(super) fn go_on(dump: &[u8], context: &Context, stop: Stop, resyncs: &mut Resyncs, report: &mut Report) -> Next {
    let record_start = stop.as_ref().map_or_else(|damage| damage.record_offset, |end| end - 1);
    let (damage, next) = match resyncs.judge(dump, context, stop, record_start + 1) {
        Ok(end) => return Next::End(end),
        Err(found) => found,
    };
    report.find_damage(&damage, dump.len() as u64);
    let from = report.recent.doubtful_from(&damage, record_start);
    report.recent.clear();
    if let Some(to) = next {
        report.skipped.push(Skipped { from, to, bytes: to - from });
        return Next::Record(to);
    }
    report.doubtful_from = (from < record_start).then_some(from);
    Next::Nothing
}
