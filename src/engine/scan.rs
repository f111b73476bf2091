//! A scan on its way: records of a source into what gathers them, as far as it is told to go.

use crate::analysis::gather::Gather;
use crate::rdb::Context;
use crate::rdb::entry::{Damage, Open, Step};
use crate::rdb::source::Keep;

/// How a scan ended: at the offset behind the EOF opcode, or with the damage before it.
pub(super) type Stop = Result<u64, Box<Damage>>;

/// Where a scan stands and what it has found.
pub(super) struct Walk<S, G> {
    pub(super) source: S,
    pub(super) gathered: G,
    /// The key in the midst of whose value the source stands.
    pub(super) open: Option<Box<Open>>,
    /// None while the dump goes on.
    pub(super) ending: Option<Stop>,
}

impl<S: Keep, G: Gather> Walk<S, G> {
    /// A scan that stands between two records.
    pub(super) fn new(source: S, gathered: G) -> Self {
        Self { source, gathered, open: None, ending: None }
    }

    /// Adds the records that begin before offset `until`, the last of them perhaps without those elements of its value that
    /// do not. What came before damage has been added.
    pub(super) fn until(&mut self, context: &Context, until: u64) {
        let Self { source, gathered, open, ending } = self;
        while ending.is_none() && source.offset() < until {
            match gathered.step(source, context, open.take(), until) {
                Ok(Step::Key) => {}
                Ok(Step::Open(key)) => *open = Some(key),
                Ok(Step::SelectDb(db)) => gathered.select(db),
                Ok(Step::End) => *ending = Some(Ok(source.offset())),
                Err(damage) => *ending = Some(Err(damage)),
            }
        }
    }
}
