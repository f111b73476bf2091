//! What elements of tables cost, by their lengths: a list made beforehand, and the rules that it is made of.

use std::sync::{Arc, Mutex, PoisonError};

use super::key::{ENTRY_BYTES, key_and_object, raw};
use super::{Allocator, Cost, Target};

/// Costs of shorter texts are looked up.
pub(super) const KNOWN_BYTES: usize = 512;

/// Costs are held in parts of a byte, since a skiplist's node is an expectation.
pub(super) const PARTS: u64 = 1 << 16;

/// An entry without a value (`dictEntryNoValue`).
pub(super) const ENTRY_NO_VALUE_BYTES: u64 = 16;

/// A pair of a hash lies in one allocation if that is no larger (Redis since 8.6, Valkey since 8.1).
pub(super) const PAIR_BYTES_MAX: u64 = 128;

/// Costs by length, those of members in [`PARTS`] of a byte.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    /// Allocations.
    pub(super) usable: Box<[u32]>,
    /// Keys with their objects, those that never expire and those that do.
    pub(super) keys: [Box<[Cost]>; 2],
    /// Strings' texts that have an allocation of their own.
    pub(super) raws: Box<[Cost]>,
    pub(super) members: Box<[Cost]>,
    pub(super) scored: Box<[Cost]>,
    /// Pairs in one allocation without a TTL, by the bytes of all of it; empty where servers make none.
    pub(super) pairs: Box<[Cost]>,
    /// Fields without a TTL and values that have allocations of their own.
    pub(super) fields: Box<[Cost]>,
    pub(super) values: Box<[Cost]>,
}

impl Costs {
    /// Those of a server and its allocator, which are made once: to make them takes longer than to read a small dump.
    pub(super) fn known(target: Target, allocator: Allocator) -> Arc<Self> {
        static KNOWN: Mutex<Vec<(Target, Allocator, Arc<Costs>)>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., costs)) = known.iter().find(|(of, with, _)| (*of, *with) == (target, allocator)) {
            return costs.clone();
        }
        let costs = Arc::new(Self::new(target, allocator));
        known.push((target, allocator, costs.clone()));
        costs
    }

    fn new(target: Target, allocator: Allocator) -> Self {
        let lengths = || 0..KNOWN_BYTES as u64;
        let narrow = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            usable: lengths().map(|bytes| narrow(allocator.usable(bytes))).collect(),
            keys: [false, true]
                .map(|expires| lengths().map(|bytes| key_and_object(target, allocator, bytes, expires)).collect()),
            raws: lengths().map(|bytes| raw(target, allocator, bytes)).collect(),
            members: lengths().map(|bytes| member(target, allocator, bytes)).collect(),
            scored: lengths().map(|bytes| scored(target, allocator, bytes)).collect(),
            pairs: (0..=PAIR_BYTES_MAX).map_while(|bytes| pair_in_one(target, allocator, bytes)).collect(),
            fields: lengths().map(|bytes| field(target, allocator, bytes, false)).collect(),
            values: lengths().map(|bytes| value(target, allocator, bytes)).collect(),
        }
    }
}

#[inline]
pub(super) fn known<T: Copy>(costs: &[T], bytes: u64) -> Option<T> {
    costs.get(usize::try_from(bytes).ok()?).copied()
}

/// What a table holds, by how much of an entry it allocates for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Members,
    Scored,
    Pairs,
}

impl Holds {
    /// Whether the table's elements have no values, so that an entry is allocated only for those that share a bucket
    /// (`no_value` of their `dictType`): [`dict::chained_bytes`] are added in the end.
    pub(super) fn has_no_values(self, target: Target) -> bool {
        match self {
            Self::Members => target >= Target::Redis7_2 && !target.has_bucket_tables(),
            Self::Scored | Self::Pairs => target.is_redis_since(Target::Redis8_6),
        }
    }

    /// What a table has for each element besides the element itself.
    pub(super) fn entry(self, target: Target, allocator: Allocator) -> Cost {
        let counted_bytes = match (self, target) {
            _ if target.has_bucket_tables() => return Cost::ZERO,
            // dict.c: `dictEntryMemUsage` of an entry that is the key itself is nothing. `finish` adds the others.
            (Self::Members, Target::Valkey8_0) => 0,
            (Self::Scored, Target::Redis8_2) | (_, Target::Redis8_10) => ENTRY_NO_VALUE_BYTES,
            _ => ENTRY_BYTES,
        };
        if self.has_no_values(target) {
            Cost::only_counted(counted_bytes)
        } else {
            Cost { memory_bytes: counted_bytes, allocated_bytes: allocator.usable(ENTRY_BYTES) }
        }
    }
}

/// A member of a set.
pub(super) fn member(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    let text = if target.keeps_books() { target.noted(allocator, bytes) } else { allocator.given(target.sds(bytes)) };
    (Holds::Members.entry(target, allocator) + text).times(PARTS)
}

/// A member of a sorted set: in the table and in the skiplist.
pub(super) fn scored(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    let is_in_node = target.is_redis_since(Target::Redis8_6) || target == Target::Valkey9_1;
    let (text, node_bytes) = if is_in_node {
        let frame_bytes = if target == Target::Valkey9_1 { 17_u64 } else { 16 };
        (Cost::ZERO, frame_bytes.saturating_add(target.sds(bytes)))
    } else if target.keeps_books() {
        (target.noted(allocator, bytes), 24)
    } else {
        (allocator.given(target.sds(bytes)), 24)
    };
    // A node has another level with a chance of one in four.
    let (mut expected, mut chance) = (Cost::ZERO, PARTS * 3 / 4);
    for levels in 1..=8 {
        let level = if levels == 8 { chance * 4 / 3 } else { chance };
        expected = expected + allocator.given(node_bytes.saturating_add(16 * levels)).times(level);
        chance /= 4;
    }
    (text + Holds::Scored.entry(target, allocator)).times(PARTS) + expected
}

/// A pair of a hash, with its entry in the table where there is one.
#[inline(never)]
pub(super) fn pair(target: Target, allocator: Allocator, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> Cost {
    let apart = || field(target, allocator, field_bytes, has_ttl) + value(target, allocator, value_bytes);
    pair_in_one(target, allocator, one_bytes(target, field_bytes, value_bytes, has_ttl)).unwrap_or_else(apart)
}

/// Whether field and value may be in one allocation (entry.c of both families).
pub(super) fn joins_pairs(target: Target) -> bool {
    target.has_bucket_tables() || target.is_redis_since(Target::Redis8_6)
}

/// Bytes of a pair in one allocation.
#[inline(always)]
pub(super) fn one_bytes(target: Target, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> u64 {
    // A field that expires says so in its header, which the shortest has no room for.
    let field = if has_ttl { target.sds_8(field_bytes) } else { target.sds(field_bytes) };
    field.saturating_add(ttl_bytes(target, has_ttl)).saturating_add(value_bytes).saturating_add(4)
}

/// An expiry before the field; Redis links fields that expire together (`ExpireMeta` of ebuckets.h).
pub(super) fn ttl_bytes(target: Target, has_ttl: bool) -> u64 {
    match target {
        _ if !has_ttl => 0,
        _ if target.has_bucket_tables() => 8,
        _ if joins_pairs(target) => 16,
        // Two bytes more say what is before the field (mstr.c).
        _ => 18,
    }
}

/// A pair in one allocation of `bytes`, where the server makes such.
pub(super) fn pair_in_one(target: Target, allocator: Allocator, bytes: u64) -> Option<Cost> {
    if bytes > PAIR_BYTES_MAX || !joins_pairs(target) {
        return None;
    }
    let pair = if target.has_bucket_tables() { allocator.given(bytes) } else { allocator.requested(bytes) };
    Some(pair + Holds::Pairs.entry(target, allocator))
}

/// A field that shares no allocation with its value, and what leads to both.
pub(super) fn field(target: Target, allocator: Allocator, bytes: u64, has_ttl: bool) -> Cost {
    let ttl_bytes = ttl_bytes(target, has_ttl);
    let with_pointer = target.sds_8(bytes).saturating_add(8 + ttl_bytes);
    let field = match target {
        _ if target.has_bucket_tables() => allocator.given(with_pointer),
        _ if joins_pairs(target) => allocator.requested(with_pointer),
        _ => allocator.given(target.sds(bytes).saturating_add(ttl_bytes)),
    };
    field + Holds::Pairs.entry(target, allocator)
}

/// A value that shares no allocation with its field.
pub(super) fn value(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    match target {
        _ if target.has_bucket_tables() => allocator.given(target.sds_8(bytes)),
        _ if target.keeps_books() => target.noted(allocator, bytes),
        _ => allocator.given(target.sds(bytes)),
    }
}
