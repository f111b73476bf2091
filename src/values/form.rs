//! What keys are written as: piece by piece, in the dump's order.

use super::fault::Fault;
use super::value::Value;
use crate::rdb::{Context, Entry};

/// A key on its way out.
#[derive(Clone, Copy, Debug)]
pub struct KeyEntry<'a> {
    /// The number of the dump, from 0, in the order they were given.
    pub dump: u32,
    /// The database; a piece from the middle of a dump does not know that of its first keys.
    pub db: Option<u64>,
    /// The name.
    pub name: &'a [u8],
    /// What the key is, and where.
    pub entry: Entry<'a>,
    /// All before its value, from [`Entry::offset`] on, as it is stored; for forms that ask for it ([`Form::NEEDS_LEAD`]).
    pub lead: &'a [u8],
}

/// What becomes of the keys of a piece whose database it did not know, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    /// It is not known yet.
    Unknown,
    /// They are in this database.
    Db(u64),
    /// They are in one that is not wanted: they go.
    Unwanted,
}

/// A form that keys are written in. Pieces are made side by side and joined in the dump's order; the first one of a dump
/// hands its bytes on as it goes, the others hold them until they are joined.
pub trait Form: Send + Sized {
    /// Whether keys come with what is before their values.
    const NEEDS_LEAD: bool = false;

    /// An empty piece, to be joined later.
    #[must_use]
    fn piece(&self) -> Self;

    /// An empty form that hands its bytes on as this one does, and goes on where this one is. It is joined before others are.
    #[must_use]
    fn following(&self) -> Self;

    /// Adds a key.
    ///
    /// # Errors
    /// Why it was left out, or ends too early.
    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault>;

    /// Adds records that no key follows, the first at `offset` of the dump; for forms that need what is before values.
    fn between(&mut self, _offset: u64, _stored: &[u8], _context: &Context) {}

    /// Takes over a piece that comes next. Keys whose database it did not know come first in it.
    fn join(&mut self, piece: Self, inherited: Inherited);

    /// Hands on what waits, if this is the first piece of a dump.
    fn flush(&mut self);

    /// Bytes that wait; `u64::MAX` if they became too many and were dropped, so that the piece must be made anew.
    fn held_bytes(&self) -> u64;
}
