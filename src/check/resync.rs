//! Going on behind damage that loses a record's end: where the next records are, and which of those before the damage
//! are to be doubted.

use std::collections::VecDeque;

use super::walk::{Record, Sink, Walk, What, reads_as_zeros};
use crate::engine::guess;
use crate::rdb::entry::Damage;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Fault, Part};

/// Records of a run that are looked into before it is relied on.
const RECORDS_WANTED: usize = 8;

/// Runs that are looked into; behind so many that were none, the next is taken as it is.
const RUNS_MAX: usize = 4096;

/// Records before the damage that may be doubted.
const RECENT_MAX: usize = 64;

/// The next offset from `from` on where records begin that look right, and that are sound as far as can be seen.
pub(crate) fn next_record(dump: &[u8], context: &Context, from: u64) -> Option<u64> {
    let mut from = from;
    for _ in 0..RUNS_MAX {
        let start = guess::run(dump, context, from)?;
        let mut first = First(0);
        let walked = Walk::with_context(context.clone(), true).run(&mut Slice::new(dump, start), &mut first);
        if first.0 >= RECORDS_WANTED || walked.is_ok() {
            return Some(start);
        }
        from = start + 1;
    }
    guess::run(dump, context, from)
}

/// Counts sound records, and ends the walk when it has enough or meets one that is not.
struct First(usize);

impl Sink for First {
    fn record(&mut self, _: &Context, record: &Record<'_>) -> Result<(), Fault> {
        let is_sound = record.flaws.iter().all(super::Trouble::is_tolerated);
        if !is_sound || self.0 >= RECORDS_WANTED {
            return Err(Fault::GaveUp);
        }
        self.0 += 1;
        Ok(())
    }
}

/// The records read last, and whether each looks like what a server writes.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<(u64, bool)>);

impl Recent {
    /// Takes in a record.
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        const NAME_BYTES_MAX: usize = 1 << 16;
        const MS_IN_THE_YEAR_5138: i64 = 100_000_000_000_000;
        let looks_right = match &record.what {
            What::Key(key) => {
                let expiry_looks_right = key.expires_at_ms.is_none_or(|ms| (0..MS_IN_THE_YEAR_5138).contains(&ms));
                let name_looks_right = key.name.len() <= NAME_BYTES_MAX && !reads_as_zeros(key, &record.span);
                expiry_looks_right && name_looks_right && record.flaws.iter().all(super::Trouble::is_tolerated)
            }
            What::SelectDb(db) => *db < 1 << 20,
            What::ResizeDb { .. } => true,
            _ => record.flaws.is_empty(),
        };
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back((record.span.start, looks_right));
    }

    /// Forgets all records: those that come stand behind damage.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Where the records begin that the damage may have made: what it was met in, at the latest.
    ///
    /// A record in front of others that look wrong may have lost its end to them. So may the one before an unknown
    /// opcode or type: a length that is wrong in it leads to somewhere that is no record.
    pub(crate) fn doubtful_from(&self, damage: &Damage, record_start: u64) -> u64 {
        let trouble = damage.trouble;
        let is_no_record = trouble.part == Part::Opcode && trouble.fault != Fault::Eof;
        let first_wrong = self.0.iter().position(|(_, looks_right)| !looks_right);
        let first = match first_wrong {
            Some(at) => at.saturating_sub(1),
            None if is_no_record => self.0.len().saturating_sub(1),
            None => self.0.len(),
        };
        self.0.get(first).map_or(record_start, |(start, _)| *start)
    }
}
