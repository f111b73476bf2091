//! A scan on its way: records of a source into an analysis, as far as it is told to go.

use crate::analysis::Analysis;
use crate::rdb::entry::{Damage, Found, Open, Step, resume, step};
use crate::rdb::primitives::StringHead;
use crate::rdb::source::Keep;
use crate::rdb::value::Measure;
use crate::rdb::{Context, Kind, Part, short};

/// How a scan ended: at the offset behind the EOF opcode, or with the damage before it.
pub(super) type Stop = Result<u64, Box<Damage>>;

/// Where a scan stands and what it has found.
pub(super) struct Walk<S> {
    pub(super) source: S,
    pub(super) analysis: Analysis,
    /// The key in the midst of whose value the source stands.
    pub(super) open: Option<Box<Open>>,
    /// None while the dump goes on.
    pub(super) ending: Option<Stop>,
}

impl<S: Keep> Walk<S> {
    /// A scan that stands between two records.
    pub(super) fn new(source: S, analysis: Analysis) -> Self {
        Self { source, analysis, open: None, ending: None }
    }

    /// Adds the records that begin before offset `until`, the last of them without those elements of its value that do not.
    /// What came before damage has been added.
    pub(super) fn until(&mut self, context: &Context, until: u64) {
        let Self { source, analysis, open, ending } = self;
        while ending.is_none() && source.offset() < until {
            if open.is_none() {
                let left = usize::try_from(until - source.offset()).unwrap_or(usize::MAX);
                let passed =
                    short::pass(source.ahead(), left, |name, size| analysis.keeps_out(Kind::String, size, name));
                analysis.count_all(Kind::String, passed.keys);
                if source.skip(Part::Key, passed.bytes as u64).is_err() || source.offset() >= until {
                    break;
                }
            }
            let on_key = |source: &S, found: Found<'_>| {
                let Measure { kind, size, .. } = found.measure;
                // A compressed name is always decoded, so that a damaged one is found whatever the top lists hold.
                if analysis.count(kind, size) || matches!(found.lead.key, StringHead::Lzf { .. }) {
                    analysis.add(&found.entry(source.kept()))
                } else {
                    Ok(())
                }
            };
            let step = match open.take() {
                None => step(source, context, until, on_key),
                Some(open) => resume(source, *open, until, on_key),
            };
            match step {
                Ok(Step::Key) => {}
                Ok(Step::Open(key)) => *open = Some(key),
                Ok(Step::SelectDb(db)) => analysis.select(db),
                Ok(Step::End) => *ending = Some(Ok(source.offset())),
                Err(damage) => *ending = Some(Err(damage)),
            }
        }
    }
}
