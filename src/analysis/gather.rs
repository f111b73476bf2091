//! What a scan gathers from the keys it comes by, whatever that is: the part that the engine knows.

use crate::error::Cause;
use crate::rdb::entry::{Damage, Open, Step};
use crate::rdb::source::Keep;
use crate::rdb::{Context, Fault};

/// Something that keys are added to, and that merges with what was gathered from the keys that follow.
pub(crate) trait Gather: Sized + Send {
    /// A piece of a scan that holds more bytes than this is thrown away and scanned again, so that pieces which wait stay
    /// small whatever the dump has in it.
    const PIECE_HELD_BYTES_MAX: u64;

    /// How many pieces may wait, for each thread.
    const PIECES_AHEAD: usize;

    /// An empty one about the same question and dump, for a scan that begins in database `db`, or in one not known yet.
    fn empty(&self, db: Option<u64>) -> Self;

    /// Whether [`Gather::step`] ever leaves a value open.
    const LEAVES_OPEN: bool;

    /// Goes on with the key that was left open, or else reads the next record, or several that begin before `until`. Keys
    /// are added; one whose value reaches beyond `until` may be left open.
    ///
    /// # Errors
    /// The [`Damage`] met; what came before has been added.
    fn step<S: Keep>(
        &mut self,
        source: &mut S,
        context: &Context,
        open: Option<Box<Open>>,
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
    /// [`Fault::Held`] if it holds too much.
    fn merge(&mut self, other: Self) -> Result<(), Fault>;
}

/// A question that is put to dumps one by one.
pub(crate) trait Ask: Sync {
    /// What answers it.
    type Gather: Gather;

    /// The gatherer for a dump, the `number`th; without a context, for one whose start cannot be read.
    ///
    /// # Errors
    /// [`Cause::Options`] if the question cannot be put to this dump.
    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Self::Gather, Cause>;
}
