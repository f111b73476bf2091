//! The loop that all scans share: records of a source into an analysis.

use crate::analysis::Analysis;
use crate::rdb::Context;
use crate::rdb::entry::{Damage, Step, step};
use crate::rdb::primitives::StringHead;
use crate::rdb::source::Keep;
use crate::rdb::value::Measure;

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
        let step = step(source, context, |source, found| {
            let Measure { kind, size, .. } = found.measure;
            // A compressed name is always decoded, so that a damaged one is found whatever the top lists hold.
            if analysis.count(kind, size) || matches!(found.lead.key, StringHead::Lzf { .. }) {
                analysis.add(&found.entry(source.kept()))
            } else {
                Ok(())
            }
        });
        match step? {
            Step::Key => {}
            Step::SelectDb(db) => analysis.select(db),
            Step::End => return Ok(true),
        }
    }
    Ok(false)
}
