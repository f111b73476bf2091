//! The loop that all scans share: records of a source into what gathers them.

use crate::analysis::gather::Gather;
use crate::rdb::Context;
use crate::rdb::entry::{Damage, Step};
use crate::rdb::source::Keep;

/// How a scan ended: at the offset behind the EOF opcode, or with the damage before it.
pub(super) type Stop = Result<u64, Box<Damage>>;

/// Adds the records that begin before offset `until`; `None` if the dump goes on behind them. What came before damage has
/// been added.
pub(super) fn scan_until<S: Keep>(
    source: &mut S,
    context: &Context,
    gather: &mut impl Gather,
    until: u64,
) -> Option<Stop> {
    while source.offset() < until {
        match gather.step(source, context) {
            Ok(Step::Key) => {}
            Ok(Step::SelectDb(db)) => gather.select(db),
            Ok(Step::End) => return Some(Ok(source.offset())),
            Err(damage) => return Some(Err(damage)),
        }
    }
    None
}
