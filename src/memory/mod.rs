//! What a key costs a server's memory: what `MEMORY USAGE key SAMPLES 0` answers on the server that would load the dump.
//!
//! A [`Model`] is a server and an allocator. [`walk::measure`] steps over a value as [`crate::rdb::value`] does, and on
//! the way adds up what the model needs: strings' lengths, packed values' sizes, counts. Nothing is inflated for it but
//! modules' JSON texts: a packed value's size is in its head. The sums are in pieces that merge (`table::Table`, `list::Nodes`), and become
//! bytes when the value ends, since some of it depends on how many elements there were.
//!
//! One file a structure: `sds` strings, `dict` and `hashtable` tables of Redis and of Valkey, `table` what is in
//! them, `list`, `packed`, `rax` and `stream`, `array`, `template` and `vector_set` for newer types, `module` for those of
//! modules; `basis` says what a figure rests on. The rules were found in the servers' sources and checked against
//! the servers (`tests/memory_oracle.rs`, which keeps `fixtures/memory_accuracy.md`).
//!
//! Limits of packed encodings are taken to be the servers' defaults, or higher where the dump shows it. What a table
//! takes depends on its hash, and a skiplist on chance: for both it is what one can expect.

mod allocator;
mod array;
mod basis;
mod dict;
mod hashtable;
mod list;
mod module;
mod packed;
mod rax;
mod sds;
mod stream;
mod table;
mod target;
mod template;
mod vector_set;
pub mod walk;

pub use allocator::Allocator;
pub use basis::Basis;
pub(crate) use packed::may_be_int;
pub use stream::Streamed;
pub use target::Target;
pub use walk::{Footprint, Largest};

use crate::rdb::primitives::StringHeader;
use crate::rdb::short::Short;
use sds::{noted, sds, sds_8};

/// Bytes of a value's object.
const OBJECT_BYTES: u64 = 16;

/// Bytes of an entry in a Redis table that has a value.
const ENTRY_BYTES: u64 = 24;

/// From this length on a key in one allocation with its object has a place for an expiry even if it has none.
const LONG_KEY_BYTES: u64 = 128;

/// A server and an allocator: how memory is counted.
#[derive(Clone, Debug)]
pub struct Model {
    target: Target,
    allocator: Allocator,
    costs: table::Costs,
}

/// How a value is held by the server that loaded it, as `OBJECT ENCODING` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each name is the server's own")]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
    Intset,
    Ziplist,
    Listpack,
    ListpackEx,
    Hashtable,
    Skiplist,
    Quicklist,
    Stream,
    SlicedArray,
    TemplateListpack,
    TemplateArray,
    /// Held by a module, or in a way that is not modelled.
    Other,
}

impl Encoding {
    /// The name that `OBJECT ENCODING` answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
            Self::Intset => "intset",
            Self::Ziplist => "ziplist",
            Self::Listpack => "listpack",
            Self::ListpackEx => "listpackex",
            Self::Hashtable => "hashtable",
            Self::Skiplist => "skiplist",
            Self::Quicklist => "quicklist",
            Self::Stream => "stream",
            Self::SlicedArray => "sliced-array",
            Self::TemplateListpack => "template-listpack",
            Self::TemplateArray => "template-array",
            Self::Other => "other",
        }
    }
}

impl Model {
    /// The model of a server built with this allocator.
    pub fn new(target: Target, allocator: Allocator) -> Self {
        Self { target, allocator, costs: table::Costs::new(target, allocator) }
    }

    /// The server.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The allocator.
    pub fn allocator(&self) -> Allocator {
        self.allocator
    }

    /// What a key takes with its object, without what the object leads to.
    #[inline]
    fn key_and_object(&self, key_bytes: u64, expires: bool) -> u64 {
        let [lasting, expiring] = &self.costs.keys;
        table::known(if expires { expiring } else { lasting }, key_bytes)
            .unwrap_or_else(|| key_and_object_bytes(self.target, self.allocator, key_bytes, expires))
    }

    /// What a key takes with its object if its value is a module's: `MEMORY USAGE` counts the object from Redis 8.2 and
    /// Valkey 8.1 on, and as the allocator gave it.
    fn key_of_module(&self, key_bytes: u64, expires: bool) -> u64 {
        match self.target {
            target if target < Target::Redis8_2 || target == Target::Valkey8_0 => {
                self.key_and_object(key_bytes, expires) - OBJECT_BYTES
            }
            target if target.keeps_books() => self.usable(key_object_bytes(key_bytes, expires)),
            _ => self.key_and_object(key_bytes, expires),
        }
    }

    /// A string, its key included.
    #[inline]
    pub(crate) fn short_string(&self, short: &Short<'_>) -> (Encoding, u64) {
        self.string(short.name.len() as u64, short.expires_at.is_some(), short.header.value_bytes(), is_int(short))
    }

    /// A string of `bytes`, its key included.
    #[inline]
    pub(crate) fn string(&self, key_bytes: u64, expires: bool, bytes: u64, is_int: bool) -> (Encoding, u64) {
        let base = self.key_and_object(key_bytes, expires);
        if is_int {
            return (Encoding::Int, base);
        }
        let embedded = if bytes <= EMBEDDED_BYTES_MAX { self.embedded(base, key_bytes, expires, bytes) } else { None };
        match embedded {
            Some(bytes) => (Encoding::Embstr, bytes),
            None => (Encoding::Raw, base.saturating_add(self.raw(bytes))),
        }
    }

    /// A string in one allocation with its object, its key included, if it is short enough for that.
    fn embedded(&self, base: u64, key_bytes: u64, expires: bool, bytes: u64) -> Option<u64> {
        match self.target {
            Target::Redis6_2 => (bytes <= 44).then(|| base + bytes + 2),
            target if target < Target::Redis8_2 || target == Target::Valkey8_0 => {
                (bytes <= 44).then(|| base - OBJECT_BYTES + self.usable(OBJECT_BYTES + 3 + bytes + 1))
            }
            // Key and value in one allocation, if that is small; a place for the expiry comes later. Valkey 9 puts the
            // value where its pointer would be.
            target => {
                let (most, pointer) = if target == Target::Valkey9_1 { (EMBEDDED_BYTES_MAX, 8) } else { (64, 0) };
                let all =
                    |expires| (key_object_bytes(key_bytes, expires) - pointer).saturating_add(bytes).saturating_add(4);
                (all(expires && target == Target::Redis8_2) <= most).then(|| self.usable(all(expires)))
            }
        }
    }

    /// The text of a value that has an allocation of its own.
    #[inline]
    fn raw(&self, bytes: u64) -> u64 {
        table::known(&self.costs.raws, bytes).map_or_else(|| raw(self.target, self.allocator, bytes), u64::from)
    }
}

/// The largest allocation that a server shares between a string and its object: Valkey 9's.
const EMBEDDED_BYTES_MAX: u64 = 128;

/// The text of a value that has an allocation of its own. Short ones, under names too long to share an allocation with, get
/// the shortest header from Redis 8.2 and Valkey 8.1 on.
fn raw(target: Target, allocator: Allocator, bytes: u64) -> u64 {
    match target {
        target if target == Target::Redis8_2 && bytes > 0 || target.has_bucket_tables() => allocator.usable(sds(bytes)),
        target if target.keeps_books() && bytes > 0 => noted(bytes, |bytes| allocator.usable(bytes)),
        _ => allocator.usable(sds_8(bytes)),
    }
}

/// Whether servers hold a string as a number.
#[inline(always)]
pub(crate) fn is_int(short: &Short<'_>) -> bool {
    match short.text() {
        Some(text) => packed::canonical_int(text).is_some(),
        None => matches!(short.header, StringHeader::Int(_)),
    }
}

fn key_and_object_bytes(target: Target, allocator: Allocator, key_bytes: u64, expires: bool) -> u64 {
    match target {
        Target::Valkey8_0 => OBJECT_BYTES + allocator.usable(17_u64.saturating_add(sds(key_bytes))),
        Target::Redis8_4 | Target::Redis8_8 => key_object_bytes(key_bytes, expires),
        Target::Redis8_2 | Target::Redis8_6 | Target::Valkey8_1 | Target::Valkey9_1 => {
            allocator.usable(key_object_bytes(key_bytes, expires))
        }
        _ => ENTRY_BYTES + allocator.usable(sds(key_bytes)) + OBJECT_BYTES,
    }
}

/// An object, the header size of the key in it, the key, and a place for an expiry.
fn key_object_bytes(key_bytes: u64, expires: bool) -> u64 {
    let expiry = if expires || key_bytes >= LONG_KEY_BYTES { 8 } else { 0 };
    (OBJECT_BYTES + 1 + expiry).saturating_add(sds(key_bytes))
}
