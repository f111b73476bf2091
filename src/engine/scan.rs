//! The loop that all scans share: records of a source into an analysis.

use super::dragonfly;
use crate::analysis::Analysis;
use crate::rdb::entry::{Damage, Step, step};
use crate::rdb::primitives::StringHead;
use crate::rdb::source::Keep;
use crate::rdb::value::Measure;
use crate::rdb::{Context, Dialect};

/// How a scan ended: at the offset behind the EOF opcode, or with the damage before it.
pub(super) type Stop = Result<u64, Box<Damage>>;

/// Adds the records that begin before offset `until`; `None` if the dump goes on behind them. What came before damage has
/// been added; damage inside a value that can be stepped over costs that key alone.
pub(super) fn scan_until<S: Keep>(
    source: &mut S,
    context: &Context,
    analysis: &mut Analysis,
    until: u64,
) -> Option<Stop> {
    // Its blobs and chunks cannot be taken apart: it is scanned as one, however far that goes.
    if context.dialect == Dialect::Dragonfly {
        return dragonfly::scan(source, context, analysis);
    }
    scan_plain(source, context, analysis, until)
}

/// As [`scan_until`], for records that are neither compressed nor cut into chunks.
#[inline]
pub(super) fn scan_plain<S: Keep>(
    source: &mut S,
    context: &Context,
    analysis: &mut Analysis,
    until: u64,
) -> Option<Stop> {
    while source.offset() < until {
        let step = step(source, context, |source, found| {
            let Measure { kind, size, .. } = found.measure;
            // A compressed name is always decoded, so that a damaged one is found whatever the top lists hold.
            if analysis.count(kind, size) || matches!(found.lead.key, StringHead::Lzf { .. }) {
                analysis.add(&found.entry(source.kept()))
            } else {
                Ok(())
            }
        });
        match step {
            Ok(Step::Key) => {}
            Ok(Step::SelectDb(db)) => analysis.select(db),
            Ok(Step::End) => return Some(Ok(source.offset())),
            Err(damage) if damage.trouble.costs_one_key() => analysis.add_damaged(*damage),
            Err(damage) => return Some(Err(damage)),
        }
    }
    None
}
