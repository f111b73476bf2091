//! What a scan gathers from the keys it comes by, whatever that is: the part that the engine knows.

use crate::error::ErrorKind;
use crate::rdb::entry::{Damage, PartialValue, Step};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, ParseErrorKind};

/// Something that keys are added to, and that merges with what was gathered from the keys that follow.
pub(crate) trait Accumulator: Sized + Send {
    /// A piece of a scan that holds more bytes than this is thrown away and scanned again, so that pieces which wait stay
    /// small whatever the dump has in it.
    const PIECE_HELD_BYTES_MAX: u64;

    /// How many pieces may wait, for each thread.
    const PIECES_AHEAD: usize;

    /// An empty one about the same question and dump, for a scan that begins in database `db`, or in one not known yet.
    fn empty(&self, db: Option<u64>) -> Self;

    /// An empty one for the keys that come right after those of this one, in database `db`. It is merged before others are.
    fn following(&self, db: Option<u64>) -> Self {
        self.empty(db)
    }

    /// Whether [`Accumulator::step`] ever leaves a value open.
    const LEAVES_OPEN: bool;

    /// Goes on with the key that was left open, or else reads the next record, or several that begin before `until`. Keys
    /// are added; one whose value reaches beyond `until` may be left open.
    ///
    /// # Errors
    /// The [`Damage`] met; what came before has been added.
    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>>;

    /// The entries that follow are in database `db`.
    fn select(&mut self, db: u64);

    /// The database of the entries that were added last.
    fn db(&self) -> Option<u64>;

    /// How many keys were added.
    fn keys(&self) -> u64;

    /// What it takes in memory, near enough.
    fn held_bytes(&self) -> u64;

    /// Takes over what was added to `other`, which comes later. Entries whose database `other` did not know are in this
    /// one's current database.
    ///
    /// # Errors
    /// Why it cannot be taken over.
    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind>;
}

/// A question that is put to dumps one by one.
pub(crate) trait Query: Sync {
    /// What answers it.
    type Accumulator: Accumulator;

    /// Whether [`Query::start`] is called.
    const NEEDS_START: bool = false;

    /// Whether dumps may be read side by side: what [`Query::begin`] gives depends on no dump before, and goes nowhere else.
    const IS_SIDE_BY_SIDE: bool = false;

    /// Takes the start of a dump as it is stored, up to [`Context::start`]; none if it is too long to be held.
    fn start(&self, _context: &Context, _stored: Option<&[u8]>) {}

    /// The gatherer for a dump, the `number`th; without a context, for one whose start cannot be read.
    ///
    /// # Errors
    /// [`ErrorKind::Options`] if the question cannot be put to this dump.
    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Self::Accumulator, ErrorKind>;
}
