//! Going on behind damage that loses a record's end: where the next records are, over a dump in memory.

use super::accumulated::Stop;
use super::guess;
use super::outcome::{Ending, Outcome};
use super::scan::Walk;
use crate::analysis::accumulator::Accumulator;
use crate::error::ErrorKind;
use crate::rdb::deep::{Deep, is_tolerated};
use crate::rdb::entry::{Damage, Step, step};
use crate::rdb::header::magic;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind, checksum};

/// Records of a run that are looked into before it is relied on.
const RECORDS_WANTED: usize = 8;

/// Runs that are looked into; behind so many that were none, the next is taken as it is.
const RUNS_MAX: usize = 4096;

/// How often one dump is resynchronized: more often, and it is no dump any more.
const RESYNCS_MAX: usize = 10_000;

/// Ends of a dump that are looked at again, since bytes follow; for each a checksum is computed.
const FALSE_ENDS_MAX: usize = 8;

/// A value longer than this is not looked into: thousands of starts may lead to the same one.
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// How often one dump may still be resynchronized.
#[derive(Debug)]
pub(crate) struct Resyncs {
    left: usize,
    false_ends_left: usize,
}

impl Resyncs {
    /// As often as is good for a dump, or never.
    pub(crate) fn new(are_wanted: bool) -> Self {
        Self { left: if are_wanted { RESYNCS_MAX } else { 0 }, false_ends_left: FALSE_ENDS_MAX }
    }

    /// Whether a scan that stopped has come to the dump's end, whose offset is behind the EOF opcode.
    ///
    /// # Errors
    /// The damage that it has come to, and the offset where records go on, if they do: behind a false end, or from offset
    /// `from` on.
    pub(crate) fn judge(
        &mut self,
        dump: &[u8],
        context: &Context,
        stop: Stop,
        from: u64,
    ) -> Result<u64, (Box<Damage>, Option<u64>)> {
        let may_go_on = self.left > 0;
        let (damage, next) = match stop {
            Err(damage) => (damage, may_go_on.then(|| next_record(dump, context, from)).flatten()),
            Ok(end) if may_go_on && self.false_ends_left > 0 => {
                let Some((damage, to)) = behind_false_end(dump, context, end) else { return Ok(end) };
                self.false_ends_left -= 1;
                (damage, Some(to))
            }
            Ok(end) => return Ok(end),
        };
        self.left -= usize::from(next.is_some());
        Err((damage, next))
    }
}

/// The next offset from `from` on where records begin that look right, and that are sound as far as can be seen.
fn next_record(dump: &[u8], context: &Context, from: u64) -> Option<u64> {
    let mut from = from;
    let run_from = |from: u64| guess::run(dump, context, from..dump.len() as u64, guess::RUN_WORDS);
    for _ in 0..RUNS_MAX {
        let start = run_from(from)?;
        if begins_soundly(dump, context, start) {
            return Some(start);
        }
        from = start + 1;
    }
    run_from(from)
}

/// Damage that looked like the dump's end, and the offset of the records behind it: the checksum there is not that of the
/// bytes before, and more follow, as where a page was lost to bytes that are all 0xff. `end` is behind the EOF opcode.
fn behind_false_end(dump: &[u8], context: &Context, end: u64) -> Option<(Box<Damage>, u64)> {
    let at = usize::try_from(end).ok()?;
    let mut rest = Slice::new(dump, end);
    let stored = rest.parse(FormatElement::Checksum, u64_le).ok()?;
    // Of two dumps in a row the second one is not looked into.
    if !context.has_checksum() || stored == 0 || rest.rest().is_empty() || magic(rest.rest()).is_ok() {
        return None;
    }
    let to = next_record(dump, context, end)?;
    let error = ParseError {
        offset: end - 1,
        kind: ParseErrorKind::Trailing,
        element: FormatElement::Opcode,
        declared: dump.len() as u64 - end,
    };
    (stored != checksum::of(dump.get(..at)?)).then(|| (error.into(), to))
}

fn begins_soundly(dump: &[u8], context: &Context, start: u64) -> bool {
    let mut source = Slice::new(dump, start);
    let mut deep = Deep::default();
    for _ in 0..RECORDS_WANTED {
        let mut value = None;
        let stepped = step(&mut source, context, u64::MAX, |_, key| {
            value = Some((key.value_offset, key.end - key.value_offset, key.header.value_type));
            Ok(())
        });
        match stepped {
            Ok(Step::End) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let Some((offset, bytes, value_type)) = value else { continue };
        if bytes > VALUE_BYTES_MAX {
            continue;
        }
        let walked = deep.value(&mut Slice::new(dump, offset), value_type, context);
        let is_loaded = |flaw: &ParseError| is_tolerated(flaw, context.dialect, context.version);
        if walked.is_err() || !deep.flaws.iter().all(is_loaded) {
            return false;
        }
    }
    true
}

/// Goes on behind the damage that ended a scan, and behind what damage follows; returns what was met and skipped.
pub(super) fn go_on<G: Accumulator>(
    dump: &[u8],
    context: &Context,
    outcome: &mut Outcome<G>,
    verify: bool,
) -> Vec<ErrorKind> {
    let mut causes = Vec::new();
    // The start of a dump says how to read the rest: without it there is nothing to go on with.
    let mut resyncs = Resyncs::new(context.version > 0);
    loop {
        let stop = outcome.ending.as_ref().map(|end| end.offset).map_err(Clone::clone);
        let from = stop.as_ref().map_or_else(|damage| damage.record_offset + 1, |end| *end);
        let Err((damage, Some(to))) = resyncs.judge(dump, context, stop, from) else { break };
        let from = damage.record_offset;
        causes.push(ErrorKind::Damaged { damage, dump_bytes: dump.len() as u64 });
        causes.push(ErrorKind::Skipped { from, to });
        let found = outcome.found.following(outcome.found.accumulated.db());
        let mut walk = Walk::new(Slice::new(dump, to), found);
        walk.until(context, u64::MAX);
        let Some(stop) = walk.ending else { break };
        outcome.ending = stop.map(|end| {
            let before = usize::try_from(end).ok().and_then(|end| dump.get(..end)).unwrap_or_default();
            Ending::in_memory(dump, context, end, verify.then(|| checksum::of(before)))
        });
        if let Err(kind) = outcome.found.merge(walk.found) {
            outcome.ending = Err(Slice::new(dump, to).error(FormatElement::Key, kind, 0).into());
            break;
        }
    }
    causes
}
