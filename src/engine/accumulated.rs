//! What a scan has found: what was gathered from keys, and the keys whose values are damaged.

use crate::analysis::accumulator::Accumulator;
use crate::rdb::entry::{Damage, PartialValue, Step};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, ParseErrorKind};

/// How a scan ended: at the offset behind the EOF opcode, or with the damage before it.
pub(crate) type Stop = Result<u64, Box<Damage>>;

/// What was gathered, and the damage that cost one key each.
pub(crate) struct Accumulated<G> {
    pub(crate) accumulated: G,
    pub(crate) damaged: Damaged,
}

impl<G: Accumulator> Accumulated<G> {
    pub(super) fn new(accumulated: G) -> Self {
        Self { accumulated, damaged: Damaged::default() }
    }

    /// An empty one about the same question and dump, for a scan that begins in database `db`.
    pub(super) fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.accumulated.empty(db))
    }

    /// As [`Accumulator::following`].
    pub(super) fn following(&self, db: Option<u64>) -> Self {
        Self::new(self.accumulated.following(db))
    }

    /// What it takes in memory, near enough.
    pub(super) fn held_bytes(&self) -> u64 {
        let Damaged { listed, listed_bytes, .. } = &self.damaged;
        self.accumulated.held_bytes() + (listed_bytes + listed.len() * size_of::<Damage>()) as u64
    }

    /// Takes over what was found in what follows.
    ///
    /// # Errors
    /// As [`Accumulator::merge`].
    pub(super) fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        self.damaged.merge(other.damaged);
        self.accumulated.merge(other.accumulated)
    }

    /// Reads one record, or several short ones, to their ends; says how the scan ended if that was its end.
    pub(super) fn record<S: KeepsKey>(&mut self, source: &mut S, context: &Context) -> Option<Stop> {
        // A gatherer that passes over short strings must stop behind the first: what follows may be a blob or a chunk.
        let mut step = self.accumulated.step(source, context, None, source.offset() + 1);
        if let Ok(Step::PartialValue(key)) = step {
            step = self.accumulated.step(source, context, Some(key), u64::MAX);
        }
        self.take_in(source, step).err()
    }

    /// Takes in what a step came to: a key that was left open, or how the scan ended.
    #[cold]
    pub(super) fn take_in<S: KeepsKey>(
        &mut self,
        source: &S,
        step: Result<Step, Box<Damage>>,
    ) -> Result<Option<Box<PartialValue>>, Stop> {
        match step {
            Ok(Step::Key) => {}
            Ok(Step::PartialValue(key)) => return Ok(Some(key)),
            Ok(Step::SelectDb(db)) => self.accumulated.select(db),
            Ok(Step::End) => return Err(Ok(source.offset())),
            Err(damage) if damage.error.costs_one_key() => self.damaged.add(*damage),
            Err(damage) => return Err(Err(damage)),
        }
        Ok(None)
    }
}

/// Keys whose values are damaged, but could be stepped over: the first of them, in the dump's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damaged {
    /// The first of them: always a run from the first on, so that it does not matter who listed them.
    pub(crate) listed: Vec<Damage>,
    listed_bytes: usize,
    /// How many more there are.
    pub(crate) unlisted: u64,
}

/// How many damaged keys are listed, enough to see what happened to a dump, and how many bytes their names may take.
const LISTED_MAX: usize = 100;
const LISTED_BYTES_MAX: usize = 1 << 20;

impl Damaged {
    #[cold]
    fn add(&mut self, damage: Damage) {
        let bytes = self.listed_bytes + damage.key.as_ref().map_or(0, |(name, _)| name.len());
        if self.unlisted == 0 && self.listed.len() < LISTED_MAX && bytes <= LISTED_BYTES_MAX {
            self.listed_bytes = bytes;
            self.listed.push(damage);
        } else {
            self.unlisted += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        other.listed.into_iter().for_each(|damage| self.add(damage));
        self.unlisted += other.unlisted;
    }
}
