//! What a key costs a server's memory: what `MEMORY USAGE key SAMPLES 0` answers on the server that would load the dump, and
//! what that server's allocator gives out for the key, which is not the same ([`Cost`]).
//!
//! A [`Model`] is a server and an allocator. [`walk::measure`] steps over a value as [`crate::rdb::value`] does, and on
//! the way adds up what the model needs: strings' lengths, packed values' sizes, counts. Nothing is inflated for it but
//! modules' JSON texts: a packed value's size is in its head. The sums are in pieces that merge (`table::Table`, `list::Nodes`), and become
//! bytes when the value ends, since some of it depends on how many elements there were.
//!
//! One file a structure: `sds` strings, `dict` and `hashtable` tables of Redis and of Valkey, `table` what is in
//! them, `vset` fields that expire, `list`, `packed`, `rax` and `stream`; `array`, `template` and `vector_set` for newer types,
//! `module` for those of modules; `basis` says what a figure rests on, and [`server`] is what a server needs besides. The rules
//! were found in the servers' sources and checked against
//! the servers (`tests/memory_oracle.rs`, which keeps `fixtures/memory_accuracy.md`).
//!
//! Limits of packed encodings are taken to be the servers' defaults, or higher where the dump shows it. What a table
//! takes depends on its hash, and a skiplist on chance: for both it is what one can expect.

mod allocator;
mod array;
mod basis;
mod cost;
mod dict;
mod distinct;
mod hashtable;
mod list;
mod module;
mod packed;
mod rax;
mod sds;
pub mod server;
mod stream;
mod table;
mod target;
mod template;
mod vector_set;
mod vset;
pub mod walk;

pub use allocator::Allocator;
pub use basis::Basis;
pub use cost::Cost;
pub(crate) use packed::may_be_int;
pub use stream::Streamed;
pub use target::Target;
pub use walk::{Footprint, Largest};

use crate::rdb::primitives::StringHeader;
use crate::rdb::short::Short;

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
    fn key_and_object(&self, key_bytes: u64, expires: bool) -> Cost {
        let [lasting, expiring] = &self.costs.keys;
        table::known(if expires { expiring } else { lasting }, key_bytes)
            .unwrap_or_else(|| key_and_object(self.target, self.allocator, key_bytes, expires))
    }

    /// What a key takes with its object if its value is a module's: `MEMORY USAGE` counts the object from Redis 8.2 and
    /// Valkey 8.1 on, and as the allocator gave it.
    fn key_of_module(&self, key_bytes: u64, expires: bool) -> Cost {
        match self.target {
            target if target < Target::Redis8_2 || target == Target::Valkey8_0 => {
                self.key_and_object(key_bytes, expires) - Cost::only_counted(OBJECT_BYTES)
            }
            target if target.keeps_books() => self.given(key_object_bytes(target, key_bytes, expires)),
            _ => self.key_and_object(key_bytes, expires),
        }
    }

    /// A string, its key included.
    #[inline]
    pub(crate) fn short_string(&self, short: &Short<'_>) -> (Encoding, Cost) {
        self.string(short.name.len() as u64, short.expires_at.is_some(), short.header.value_bytes(), int(short))
    }

    /// A string of `bytes`, its key included; `int` is its value if it is an integer.
    #[inline]
    pub(crate) fn string(&self, key_bytes: u64, expires: bool, bytes: u64, int: Option<i64>) -> (Encoding, Cost) {
        let base = self.key_and_object(key_bytes, expires);
        if let Some(int) = int {
            let is_shared = SHARED_INTEGERS.contains(&int) && self.target.shares_integers();
            // `MEMORY USAGE` counts the shared object with each key.
            let shared_bytes = if is_shared { self.usable(OBJECT_BYTES) } else { 0 };
            return (Encoding::Int, base - Cost::only_allocated(shared_bytes));
        }
        let embedded = if bytes <= EMBEDDED_BYTES_MAX { self.embedded(base, key_bytes, expires, bytes) } else { None };
        match embedded {
            Some(cost) => (Encoding::Embstr, cost),
            None => (Encoding::Raw, base + self.raw(bytes)),
        }
    }

    /// A string in one allocation with its object, its key included, if it is short enough for that.
    fn embedded(&self, base: Cost, key_bytes: u64, expires: bool, bytes: u64) -> Option<Cost> {
        // Objects that do not hold their key: up to 44 bytes, `OBJ_ENCODING_EMBSTR_SIZE_LIMIT`.
        let beside_key = |counted_bytes| {
            let allocated_bytes = self.usable(OBJECT_BYTES + 3 + bytes + 1);
            let object = Cost { memory_bytes: counted_bytes, allocated_bytes };
            (bytes <= 44).then(|| base - self.requested(OBJECT_BYTES) + object)
        };
        match self.target {
            Target::Redis6_2 => beside_key(OBJECT_BYTES + bytes + 2),
            target if target < Target::Redis8_2 || target == Target::Valkey8_0 => {
                beside_key(self.usable(OBJECT_BYTES + 3 + bytes + 1))
            }
            Target::Valkey9_1 => self.embedded_at_pointer(key_bytes, expires, bytes),
            // Key and value in one allocation, if that is small. The limit takes the key's header for that of a short one
            // (`kvobjSet` of Redis, `createStringObjectWithKeyAndExpire` of Valkey) and leaves the expiry out, but for 8.2.
            target => {
                let ttl_bytes = if expires && target == Target::Redis8_2 { 8 } else { 0 };
                let estimated_bytes = key_bytes.saturating_add(OBJECT_BYTES + 3 + bytes + 4 + ttl_bytes);
                let is_embedded = estimated_bytes <= CACHE_LINE_BYTES;
                is_embedded.then(|| self.given(key_object_bytes(target, key_bytes, expires) + bytes + 4))
            }
        }
    }

    /// A string that Valkey 9.1 embeds where the pointer to it would be.
    fn embedded_at_pointer(&self, key_bytes: u64, expires: bool, bytes: u64) -> Option<Cost> {
        let all_bytes = |expires| {
            let object_bytes = key_object_bytes(self.target, key_bytes, expires) - POINTER_BYTES;
            object_bytes.saturating_add(bytes).saturating_add(4)
        };
        // The place is never smaller than the pointer, so that the value can be moved out again.
        let requested_bytes = |expires| all_bytes(expires).saturating_add(POINTER_BYTES.saturating_sub(bytes + 4));
        if all_bytes(false) > EMBEDDED_BYTES_MAX {
            return None;
        }
        let lasting = self.given(requested_bytes(false));
        // The object is made before its expiry is known (`dbAddRDBLoad`), and made anew only if there is no room left for that.
        if !expires || lasting.memory_bytes >= requested_bytes(false) + 8 {
            return Some(lasting);
        }
        (all_bytes(true) <= EMBEDDED_BYTES_MAX).then(|| self.given(requested_bytes(true)))
    }

    /// The text of a value that has an allocation of its own.
    #[inline]
    fn raw(&self, bytes: u64) -> Cost {
        table::known(&self.costs.raws, bytes).unwrap_or_else(|| raw(self.target, self.allocator, bytes))
    }
}

/// Integers that have an object which all strings share (`OBJ_SHARED_INTEGERS`).
pub(crate) const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;

/// The largest allocation that a server shares between a string and its object: Valkey 9.1's.
const EMBEDDED_BYTES_MAX: u64 = 128;

/// That of the servers before.
const CACHE_LINE_BYTES: u64 = 64;

const POINTER_BYTES: u64 = 8;

/// The text of a value that has an allocation of its own. Short ones, under names too long to share an allocation with, get
/// the shortest header from Redis 8.2 and Valkey 8.1 on.
fn raw(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    match target {
        _ if target == Target::Redis8_2 && bytes > 0 || target.has_bucket_tables() => {
            allocator.given(target.sds(bytes))
        }
        _ if target.keeps_books() && bytes > 0 => target.noted(allocator, bytes),
        _ => allocator.given(target.sds_8(bytes)),
    }
}

/// The value of a string that servers hold as a number.
#[inline(always)]
pub(crate) fn int(short: &Short<'_>) -> Option<i64> {
    match (short.text(), short.header) {
        (Some(text), _) => packed::canonical_int(text),
        (None, StringHeader::Int(int)) => Some(int.into()),
        (None, _) => None,
    }
}

fn key_and_object(target: Target, allocator: Allocator, key_bytes: u64, expires: bool) -> Cost {
    let object_bytes = key_object_bytes(target, key_bytes, expires);
    match target {
        Target::Valkey8_0 => {
            allocator.requested(OBJECT_BYTES) + allocator.given(17_u64.saturating_add(target.sds(key_bytes)))
        }
        Target::Redis8_4 | Target::Redis8_8 | Target::Redis8_10 => allocator.requested(object_bytes),
        _ if target >= Target::Redis8_2 => allocator.given(object_bytes),
        _ => {
            allocator.requested(ENTRY_BYTES)
                + allocator.given(target.sds(key_bytes))
                + allocator.requested(OBJECT_BYTES)
        }
    }
}

/// An object, the header size of the key in it, the key, and a place for an expiry.
fn key_object_bytes(target: Target, key_bytes: u64, expires: bool) -> u64 {
    let expiry = if expires || key_bytes >= LONG_KEY_BYTES { 8 } else { 0 };
    (OBJECT_BYTES + 1 + expiry).saturating_add(target.sds(key_bytes))
}
