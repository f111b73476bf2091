//! Entries into the numbers of a report: what a scan gathers, in bounded memory, in any order and grouping.

use std::cell::Cell;
use std::sync::Arc;

use super::breakdown::Breakdown;
use super::compression;
use super::numbers::Numbers;
use super::prefix::ClosedPrefixes;
use super::question::QueryPlan;
use super::recount::Recount;
use super::tally::Tally;
use super::weight::Weight;
use crate::analysis::accumulator::Accumulator;
use crate::memory::walk;
use crate::rdb::entry::{Damage, PartialValue, Step, step_with};
use crate::rdb::record::KeyHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, FormatElement, ParseErrorKind, ValueType};

/// Numbers over entries, with the question they answer.
#[derive(Debug)]
pub(crate) struct Census {
    asked: Arc<QueryPlan>,
    /// Those of the database that a scan from the middle of a dump began in, kept apart from the others if databases were
    /// asked for: they count if that turns out to be one of these.
    of_unknown_db: Option<Box<Numbers>>,
    numbers: Box<Numbers>,
    keys: u64,
}

impl Census {
    pub(crate) fn new(asked: Arc<QueryPlan>, db: Option<u64>) -> Self {
        let numbers = Box::new(Numbers::new(&asked, db));
        Self { asked, of_unknown_db: None, numbers, keys: 0 }
    }

    /// What was counted, when nothing more comes.
    pub(crate) fn close(self) -> Counted {
        let mut numbers = Box::new(Numbers::new(&self.asked, None));
        numbers.merge(&self.asked, *self.numbers);
        numbers.finish(&self.asked);
        let mut totals = Tally::default();
        numbers.dumps.values().for_each(|tally| totals.merge(tally));
        let prefixes = std::mem::take(&mut numbers.prefixes).close(&self.asked.separators, Weight::of(&totals));
        Counted { numbers, prefixes, totals, group_breakdowns: Vec::new() }
    }
}

/// What was counted of all keys. Of some prefixes not all keys may have been.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(super) numbers: Box<Numbers>,
    pub(super) prefixes: ClosedPrefixes,
    pub(super) totals: Tally,
    /// By group, if that was asked for.
    pub(super) group_breakdowns: Vec<Option<Box<Breakdown>>>,
}

impl Counted {
    /// The prefixes that have to be counted again, in the order of their bytes: they may be heavy and lack keys.
    pub(crate) fn uncounted_prefixes(&self) -> Vec<Box<[u8]>> {
        self.prefixes.uncounted()
    }

    /// Whether prefixes may be heavy that are not even known.
    pub(crate) fn may_lack_prefixes(&self) -> bool {
        self.prefixes.may_lack_heavy()
    }

    /// All prefixes that will be listed, and perhaps some more, in the order of their bytes.
    pub(crate) fn candidate_prefixes(&self) -> Vec<Box<[u8]>> {
        self.prefixes.candidates()
    }

    /// Takes over what a second count of such prefixes, and of groups, gave.
    pub(crate) fn set_counted_again(&mut self, counted: Recount) {
        let (prefixes, groups) = counted.finish();
        self.prefixes.set_counted(prefixes);
        self.group_breakdowns = groups;
    }
}

/// Puts what comes next into database `db`.
fn select(asked: &QueryPlan, numbers: &mut Box<Numbers>, of_unknown_db: &mut Option<Box<Numbers>>, db: u64) {
    if numbers.db().is_none() && asked.filter.names_databases() {
        let of_db = Box::new(Numbers::new(asked, Some(db)));
        *of_unknown_db = Some(std::mem::replace(numbers, of_db));
    }
    numbers.select(asked, db);
}

/// Counts short strings that find no place on a list.
struct Counting<'c> {
    asked: &'c QueryPlan,
    context: &'c Context,
    numbers: &'c mut Numbers,
}

impl Visitor for Counting<'_> {
    #[inline(always)]
    fn take(&mut self, short: Short<'_>) -> bool {
        self.numbers.add_short(self.asked, self.context, short)
    }
}

impl Accumulator for Census {
    // Names take most of it: 4,096 early prefixes and 8,192 late ones, of up to 128 bytes, and the slots of the others. A piece that
    // held more would be read again by the thread that joins, and the report by that one alone.
    const PIECE_HELD_BYTES_MAX: u64 = 4 << 20;
    const PIECES_AHEAD: usize = 8;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.asked.clone(), db)
    }

    #[inline]
    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        let Self { asked, numbers, keys, of_unknown_db } = self;
        if numbers.takes_short(asked) {
            let left = usize::try_from(until - source.offset()).unwrap_or(usize::MAX);
            let passed = short::skip_short_strings(source.ahead(), left, &mut Counting { asked, context, numbers });
            *keys += passed.keys;
            source.skip(FormatElement::Key, passed.bytes as u64)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        // Seen before the value is stepped over, and added when it is known to count.
        let looked = Cell::new(None);
        let rank_max = numbers.compression.rank_max();
        let walk = |source: &mut S, header: &KeyHeader| {
            if header.value_type == ValueType::STRING {
                looked.set(compression::look(source, rank_max));
            }
            walk::measure(source, header, context, &asked.model)
        };
        step_with(source, context, walk, |source, found, footprint| {
            *keys += 1;
            if let Some(db) = found.header.selected_db {
                select(asked, numbers, of_unknown_db, db);
            }
            numbers.add(asked, &found.entry(source.kept()), footprint, looked.take())
        })
    }

    fn select(&mut self, db: u64) {
        select(&self.asked, &mut self.numbers, &mut self.of_unknown_db, db);
    }

    fn db(&self) -> Option<u64> {
        self.numbers.db()
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn held_bytes(&self) -> u64 {
        self.numbers.held_bytes() + self.of_unknown_db.as_ref().map_or(0, |numbers| numbers.held_bytes())
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let Self { asked, of_unknown_db, numbers, keys } = other;
        self.keys += keys;
        let is_wanted = self.asked.filter.wants_database(self.numbers.db());
        for theirs in of_unknown_db.into_iter().chain([numbers]) {
            if is_wanted || theirs.db().is_some() {
                self.numbers.merge(&asked, *theirs);
            }
        }
        self.asked.late.lower(self.numbers.prefixes.limit());
        Ok(())
    }
}
