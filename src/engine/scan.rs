//! The loop that all scans share: records of a source into an analysis.

use crate::analysis::Analysis;
use crate::rdb::entry::{Damage, Step, step};
use crate::rdb::source::Keep;
use crate::rdb::{Context, Part, Trouble};

/// Adds the records that begin before offset `until`; true if the end of the dump was among them.
///
/// # Errors
/// The damage that ended the scan; what came before it has been added.
pub(super) fn scan_until<S: Keep>(
    source: &mut S,
    context: &Context,
    analysis: &mut Analysis,
    until: u64,
) -> Result<bool, Box<Damage>> {
    while source.offset() < until {
        match step(source, context)? {
            Step::Entry(entry) => {
                if let Err(fault) = analysis.add(&entry) {
                    let claim = entry.key.bytes();
                    return Err(Trouble { offset: entry.offset, fault, part: Part::Key, claim }.into());
                }
            }
            Step::SelectDb(db) => analysis.select(db),
            Step::End => return Ok(true),
        }
    }
    Ok(false)
}
