//! A server and an allocator: how memory is counted, and what a key and a string take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::costs::{Costs, known, one_bytes, pair};
use super::int::int;
use super::key::{OBJECT_BYTES, key_and_object, key_object_bytes, raw};
use super::{Allocator, Cost, Encoding, Target};
use crate::rdb::short::Short;
use crate::rdb::source::Source;
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// A server and an allocator: how memory is counted.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) target: Target,
    pub(super) allocator: Allocator,
    pub(super) costs: Arc<Costs>,
    /// Set when walks over values are to end.
    stop: Option<Arc<AtomicBool>>,
}

impl Model {
    /// The model of a server built with this allocator.
    pub fn new(target: Target, allocator: Allocator) -> Self {
        Self { target, allocator, costs: Costs::known(target, allocator), stop: None }
    }

    /// The same model; walks over tables and long lists end soon after `stop` is set, with
    /// [`ParseErrorKind::Read`].
    pub(crate) fn until(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Whether a walk may go on, where `source` stands.
    ///
    /// # Errors
    /// [`ParseErrorKind::Read`] if it is to end.
    pub(super) fn go_on<S: Source>(&self, source: &S) -> Result<(), ParseError> {
        match &self.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => {
                Err(source.error(FormatElement::Element, ParseErrorKind::Read, 0))
            }
            _ => Ok(()),
        }
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
    pub(super) fn key_and_object(&self, key_bytes: u64, expires: bool) -> Cost {
        let [lasting, expiring] = &self.costs.keys;
        known(if expires { expiring } else { lasting }, key_bytes)
            .unwrap_or_else(|| key_and_object(self.target, self.allocator, key_bytes, expires))
    }

    /// What a key takes with its object if its value is a module's: `MEMORY USAGE` counts the object from Redis 8.2 and
    /// Valkey 8.1 on, and as the allocator gave it.
    pub(super) fn key_of_module(&self, key_bytes: u64, expires: bool) -> Cost {
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
    pub(super) fn raw(&self, bytes: u64) -> Cost {
        known(&self.costs.raws, bytes).unwrap_or_else(|| raw(self.target, self.allocator, bytes))
    }

    #[inline]
    pub(super) fn usable(&self, bytes: u64) -> u64 {
        known(&self.costs.usable, bytes).map_or_else(|| self.allocator.usable(bytes), u64::from)
    }

    /// As [`Allocator::given`].
    #[inline]
    pub(super) fn given(&self, bytes: u64) -> Cost {
        Cost::same(self.usable(bytes))
    }

    /// As [`Allocator::requested`].
    #[inline]
    pub(super) fn requested(&self, bytes: u64) -> Cost {
        Cost { memory_bytes: bytes, allocated_bytes: self.usable(bytes) }
    }

    /// A pair of a hash.
    #[inline(always)]
    pub(super) fn pair(&self, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> Cost {
        let Costs { pairs, fields, values, .. } = &*self.costs;
        if !has_ttl && let (Some(field), Some(value)) = (known(fields, field_bytes), known(values, value_bytes)) {
            let one = known(pairs, one_bytes(self.target, field_bytes, value_bytes, false));
            return one.unwrap_or(field + value);
        }
        pair(self.target, self.allocator, field_bytes, value_bytes, has_ttl)
    }
}

/// Integers that have an object which all strings share (`OBJ_SHARED_INTEGERS`).
pub(crate) const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;

/// The largest allocation that a server shares between a string and its object: Valkey 9.1's.
const EMBEDDED_BYTES_MAX: u64 = 128;

/// That of the servers before.
const CACHE_LINE_BYTES: u64 = 64;

const POINTER_BYTES: u64 = 8;
