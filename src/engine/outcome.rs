//! How a scan over a dump's bytes ended.

use super::accumulated::Accumulated;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::error::ErrorKind;
use crate::input::tail::Tail;
use crate::rdb::entry::Damage;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Dialect, FormatElement, ParseError};

/// How a scan over a dump's bytes ended.
pub(crate) struct Outcome<G> {
    pub(crate) found: Accumulated<G>,
    /// The end, or the damage that came before it.
    pub(crate) ending: Result<Ending, Box<Damage>>,
    /// How many bytes the dump has, inflated; where it was not read to its end, as far as it was.
    pub(super) dump_bytes: u64,
    /// Where the scan was told to end, if it was.
    pub(crate) cancelled_at: Option<u64>,
}

impl<G: Accumulator> Outcome<G> {
    /// What comes of a dump whose start cannot be read, with a context that says nothing of it.
    pub(super) fn without_start<A: Query<Accumulator = G>>(
        ask: &A,
        number: u32,
        error: ParseError,
        dump_bytes: u64,
    ) -> Result<(Context, Self), ErrorKind> {
        let outcome = Self {
            found: Accumulated::new(ask.begin(number, None)?),
            ending: Err(error.into()),
            dump_bytes,
            cancelled_at: None,
        };
        Ok((Context::new(Dialect::Redis, 0), outcome))
    }
}

/// What stands at a dump's end.
pub(crate) struct Ending {
    /// Offset behind the EOF opcode.
    pub(crate) offset: u64,
    /// The checksum of all before it, if it was to be computed.
    pub(crate) computed: Option<u64>,
    /// The bytes that follow: the checksum if the version has one, then what should not be there.
    pub(super) stored: Option<u64>,
    pub(super) tail: Tail,
}

impl Ending {
    /// What stands behind the EOF opcode of a dump in memory, of whose bytes up to `offset` the checksum may be computed.
    pub(super) fn in_memory(dump: &[u8], context: &Context, offset: u64, computed: Option<u64>) -> Self {
        let mut rest = Slice::new(dump, offset);
        let stored = if context.has_checksum() { rest.parse(FormatElement::Checksum, u64_le).ok() } else { None };
        Self { offset, computed, stored, tail: Tail::of(rest.rest()) }
    }
}
