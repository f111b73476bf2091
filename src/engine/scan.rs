//! A scan on its way: records of a source into what gathers them, as far as it is told to go.

use super::accumulated::{Accumulated, Stop};
use super::dragonfly;
use crate::analysis::accumulator::Accumulator;
use crate::rdb::entry::{PartialValue, Step};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Dialect};

/// Where a scan stands and what it has found.
pub(super) struct Walk<S, G> {
    pub(super) source: S,
    pub(super) found: Accumulated<G>,
    /// The key in the midst of whose value the source stands.
    pub(super) open: Option<Box<PartialValue>>,
    /// None while the dump goes on.
    pub(super) ending: Option<Stop>,
}

impl<S: KeepsKey, G: Accumulator> Walk<S, G> {
    /// A scan that stands between two records.
    pub(super) fn new(source: S, found: Accumulated<G>) -> Self {
        Self { source, found, open: None, ending: None }
    }

    /// Adds the records that begin before offset `until`, the last of them perhaps without those elements of its value that
    /// do not. What came before damage has been added; damage inside a value that can be stepped over costs that key alone.
    pub(super) fn until(&mut self, context: &Context, until: u64) {
        let Self { source, found, open, ending } = self;
        // Its blobs and chunks cannot be taken apart: it is scanned as one, however far that goes.
        if context.dialect == Dialect::Dragonfly && ending.is_none() {
            *ending = Some(dragonfly::scan(source, context, found));
        }
        while ending.is_none() && source.offset() < until {
            match found.accumulated.step(source, context, open.take(), until) {
                Ok(Step::Key) => {}
                other => match found.take_in(source, other) {
                    Ok(key) => *open = key,
                    Err(stop) => *ending = Some(stop),
                },
            }
        }
    }
}
