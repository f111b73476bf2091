//! What tables hold: sets' members, hashes' pairs, sorted sets' members with their nodes in a skiplist.
//!
//! What an element costs follows from its lengths alone, so that most are one look into a list made beforehand.

use super::dict::Conversion;
use super::vset::Expiries;
use super::{Allocator, Cost, ENTRY_BYTES, Encoding, Model, Target, dict, hashtable};

/// Costs of shorter texts are looked up.
const KNOWN_BYTES: usize = 512;

/// Costs are held in parts of a byte, since a skiplist's node is an expectation.
const PARTS: u64 = 1 << 16;

/// A Redis table, as counted; 96 in 6.2.
const DICT_BYTES: u64 = 56;

/// An entry without a value (`dictEntryNoValue`).
const ENTRY_NO_VALUE_BYTES: u64 = 16;

/// A pair of a hash lies in one allocation if that is no larger (Redis since 8.6, Valkey since 8.1).
const PAIR_BYTES_MAX: u64 = 128;

/// Costs by length, those of members in [`PARTS`] of a byte.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    /// Allocations.
    usable: Box<[u32]>,
    /// Keys with their objects, those that never expire and those that do.
    pub(super) keys: [Box<[Cost]>; 2],
    /// Strings' texts that have an allocation of their own.
    pub(super) raws: Box<[Cost]>,
    members: Box<[Cost]>,
    scored: Box<[Cost]>,
    /// Pairs in one allocation without a TTL, by the bytes of all of it; empty where servers make none.
    pairs: Box<[Cost]>,
    /// Fields without a TTL and values that have allocations of their own.
    fields: Box<[Cost]>,
    values: Box<[Cost]>,
}

impl Costs {
    pub(super) fn new(target: Target, allocator: Allocator) -> Self {
        let lengths = || 0..KNOWN_BYTES as u64;
        let narrow = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            usable: lengths().map(|bytes| narrow(allocator.usable(bytes))).collect(),
            keys: [false, true].map(|expires| {
                lengths().map(|bytes| super::key_and_object(target, allocator, bytes, expires)).collect()
            }),
            raws: lengths().map(|bytes| super::raw(target, allocator, bytes)).collect(),
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
enum Holds {
    Members,
    Scored,
    Pairs,
}

impl Holds {
    /// Whether the table's elements have no values, so that an entry is allocated only for those that share a bucket
    /// (`no_value` of their `dictType`): [`dict::chained_bytes`] are added in the end.
    fn has_no_values(self, target: Target) -> bool {
        match self {
            Self::Members => target >= Target::Redis7_2 && !target.has_bucket_tables(),
            Self::Scored | Self::Pairs => target.is_redis_since(Target::Redis8_6),
        }
    }

    /// What a table has for each element besides the element itself.
    fn entry(self, target: Target, allocator: Allocator) -> Cost {
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
fn member(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    let text = if target.keeps_books() { target.noted(allocator, bytes) } else { allocator.given(target.sds(bytes)) };
    (Holds::Members.entry(target, allocator) + text).times(PARTS)
}

/// A member of a sorted set: in the table and in the skiplist.
fn scored(target: Target, allocator: Allocator, bytes: u64) -> Cost {
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

/// The elements of a table, as far as their memory goes; those of parts of a table merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Members, or pairs.
    pub(super) elements: u64,
    cost: Cost,
    /// Texts' bytes as a client sees them.
    pub(super) value_bytes: u64,
    /// Bytes of the largest element and its place.
    pub(super) largest: Option<(u64, u64)>,
}

impl Table {
    #[inline(always)]
    fn add(&mut self, bytes: u64, cost: Cost) {
        if self.largest.is_none_or(|(largest, _)| bytes > largest) {
            self.largest = Some((bytes, self.elements));
        }
        self.elements += 1;
        self.cost = self.cost + cost;
        self.value_bytes = self.value_bytes.saturating_add(bytes);
    }

    /// Adds a set's member.
    #[inline(always)]
    pub(super) fn add_member(&mut self, model: &Model, bytes: u64) {
        let cost = known(&model.costs.members, bytes);
        self.add(bytes, cost.unwrap_or_else(|| member(model.target, model.allocator, bytes)));
    }

    /// Adds a sorted set's member.
    #[inline(always)]
    pub(super) fn add_scored(&mut self, model: &Model, bytes: u64) {
        let cost = known(&model.costs.scored, bytes);
        self.add(bytes, cost.unwrap_or_else(|| scored(model.target, model.allocator, bytes)));
    }

    /// Adds a hash's pair.
    #[inline(always)]
    pub(super) fn add_pair(&mut self, model: &Model, field_bytes: u64, value_bytes: u64, has_ttl: bool) {
        let cost = model.pair(field_bytes, value_bytes, has_ttl).times(PARTS);
        self.add(field_bytes.saturating_add(value_bytes), cost);
    }

    /// Takes over the elements that follow, for who walks a table in parts.
    #[cfg(test)]
    pub(super) fn merge(&mut self, next: Self) {
        if let Some((bytes, place)) =
            next.largest.filter(|(bytes, _)| self.largest.is_none_or(|(mine, _)| *bytes > mine))
        {
            self.largest = Some((bytes, self.elements + place));
        }
        self.elements += next.elements;
        self.cost = self.cost + next.cost;
        self.value_bytes = self.value_bytes.saturating_add(next.value_bytes);
    }

    fn contents(&self) -> Cost {
        let whole = |parts: u64| parts.saturating_add(PARTS / 2) / PARTS;
        let Cost { memory_bytes, allocated_bytes } = self.cost;
        Cost { memory_bytes: whole(memory_bytes), allocated_bytes: whole(allocated_bytes) }
    }

    /// A set as a table.
    pub(super) fn finish_set(self, model: &Model) -> (Encoding, Cost) {
        let header_bytes = if model.target >= Target::Valkey9_1 { 80 } else { 72 };
        let chained_bytes = match model.target {
            Target::Valkey8_0 => dict::chained_bytes(self.elements, ENTRY_NO_VALUE_BYTES),
            _ => 0,
        };
        let table = table(model, Holds::Members, self.elements, header_bytes, Made::AtOnce);
        (Encoding::Hashtable, self.contents() + table + Cost::only_counted(chained_bytes))
    }

    /// A hash as a table, with what finds the fields that expire.
    pub(super) fn finish_hash(self, model: &Model, made: Made, expiries: Expiries) -> (Encoding, Cost) {
        // Valkey 9 has a place for the fields that expire.
        let header_bytes = match model.target {
            Target::Valkey8_1 => 72,
            Target::Valkey9_0 => 80,
            _ => 88,
        };
        let expiries = if model.target.has_bucket_tables() { expiries.finish(model) } else { Cost::ZERO };
        let table = table(model, Holds::Pairs, self.elements, header_bytes, made);
        (Encoding::Hashtable, self.contents() + table + expiries)
    }

    /// A sorted set as table and skiplist.
    pub(super) fn finish_scored(self, model: &Model) -> (Encoding, Cost) {
        // The set, the list, and its first node, which has 32 levels.
        let (list, first_node) = match model.target {
            Target::Redis8_4 => (model.requested(40), model.given(24 + 16 * 32)),
            target if target.is_redis_since(Target::Redis8_6) => (model.requested(40), model.given(16 + 16 * 32)),
            // The list is its first node, counted as it was asked for (`zslGetAllocSize`).
            Target::Valkey9_1 => (Cost::ZERO, model.requested(16 + 16 * 32)),
            _ => (model.requested(32), model.given(24 + 16 * 32)),
        };
        let header_bytes = if model.target >= Target::Valkey9_1 { 80 } else { 72 };
        let table = table(model, Holds::Scored, self.elements, header_bytes, Made::AtOnce);
        (Encoding::Skiplist, self.contents() + model.requested(16) + list + first_node + table)
    }
}

/// How a table came to its size while it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// For all its elements.
    AtOnce,
    /// Out of a listpack, up to this pair (from 0), which was too long for one.
    FromListpack(u64),
    /// The same, where fields may have TTLs.
    FromListpackEx(u64),
    /// Element by element.
    Grown,
}

impl Made {
    /// How a Redis comes from a listpack to a table.
    fn conversion(self, target: Target) -> Option<Conversion> {
        let for_all = target.is_redis_since(Target::Redis8_4);
        match self {
            Self::FromListpack(pair) => Some(Conversion { pair, for_all, is_before_pair: false }),
            Self::FromListpackEx(pair) => Some(Conversion { pair, for_all, is_before_pair: true }),
            Self::AtOnce | Self::Grown => None,
        }
    }
}

/// The table itself; `header_bytes` is that of a table of buckets.
fn table(model: &Model, holds: Holds, elements: u64, header_bytes: u64, made: Made) -> Cost {
    if model.target.has_bucket_tables() {
        let allocator = model.allocator;
        let buckets = match made {
            Made::AtOnce => hashtable::cost(allocator, elements, hashtable::buckets(elements)),
            Made::FromListpack(pair) | Made::FromListpackEx(pair) => {
                hashtable::cost_after_conversion(allocator, pair, elements)
            }
            Made::Grown => hashtable::cost(allocator, elements, hashtable::buckets_grown(elements, 1)),
        };
        return model.requested(header_bytes) + buckets;
    }
    let slots = match (made.conversion(model.target), made) {
        (Some(conversion), _) => dict::slots_after_conversion(elements, conversion),
        (None, Made::Grown) => dict::slots_grown(elements),
        (None, _) => dict::slots(elements),
    };
    let header = match model.target {
        Target::Redis6_2 => model.requested(96),
        // Sets and hashes keep the sum of what they hold.
        target if target.keeps_books() && holds != Holds::Scored => {
            Cost { memory_bytes: DICT_BYTES, allocated_bytes: model.usable(DICT_BYTES + 8) }
        }
        _ => model.requested(DICT_BYTES),
    };
    let chained_bytes = if holds.has_no_values(model.target) {
        dict::chained_bytes(elements, model.usable(ENTRY_NO_VALUE_BYTES))
    } else {
        0
    };
    header + model.requested(slots.saturating_mul(8)) + Cost::only_allocated(chained_bytes)
}

impl Model {
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
    fn pair(&self, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> Cost {
        let Costs { pairs, fields, values, .. } = &self.costs;
        if !has_ttl && let (Some(field), Some(value)) = (known(fields, field_bytes), known(values, value_bytes)) {
            let one = known(pairs, one_bytes(self.target, field_bytes, value_bytes, false));
            return one.unwrap_or(field + value);
        }
        pair(self.target, self.allocator, field_bytes, value_bytes, has_ttl)
    }
}

/// A pair of a hash, with its entry in the table where there is one.
#[inline(never)]
fn pair(target: Target, allocator: Allocator, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> Cost {
    let apart = || field(target, allocator, field_bytes, has_ttl) + value(target, allocator, value_bytes);
    pair_in_one(target, allocator, one_bytes(target, field_bytes, value_bytes, has_ttl)).unwrap_or_else(apart)
}

/// Whether field and value may be in one allocation (entry.c of both families).
fn joins_pairs(target: Target) -> bool {
    target.has_bucket_tables() || target.is_redis_since(Target::Redis8_6)
}

/// Bytes of a pair in one allocation.
#[inline(always)]
fn one_bytes(target: Target, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> u64 {
    // A field that expires says so in its header, which the shortest has no room for.
    let field = if has_ttl { target.sds_8(field_bytes) } else { target.sds(field_bytes) };
    field.saturating_add(ttl_bytes(target, has_ttl)).saturating_add(value_bytes).saturating_add(4)
}

/// An expiry before the field; Redis links fields that expire together (`ExpireMeta` of ebuckets.h).
fn ttl_bytes(target: Target, has_ttl: bool) -> u64 {
    match target {
        _ if !has_ttl => 0,
        _ if target.has_bucket_tables() => 8,
        _ if joins_pairs(target) => 16,
        // Two bytes more say what is before the field (mstr.c).
        _ => 18,
    }
}

/// A pair in one allocation of `bytes`, where the server makes such.
fn pair_in_one(target: Target, allocator: Allocator, bytes: u64) -> Option<Cost> {
    if bytes > PAIR_BYTES_MAX || !joins_pairs(target) {
        return None;
    }
    let pair = if target.has_bucket_tables() { allocator.given(bytes) } else { allocator.requested(bytes) };
    Some(pair + Holds::Pairs.entry(target, allocator))
}

/// A field that shares no allocation with its value, and what leads to both.
fn field(target: Target, allocator: Allocator, bytes: u64, has_ttl: bool) -> Cost {
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
fn value(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    match target {
        _ if target.has_bucket_tables() => allocator.given(target.sds_8(bytes)),
        _ if target.keeps_books() => target.noted(allocator, bytes),
        _ => allocator.given(target.sds(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_of_a_table_are_the_table(
            pairs in prop::collection::vec((0_u64..700, 0_u64..70_000, any::<bool>()), 0..40),
            cut in 0_usize..40,
            target in prop::sample::select(&Target::ALL[..]),
        ) {
            let model = Model::new(target, Allocator::Jemalloc);
            let table = |pairs: &[(u64, u64, bool)]| {
                let mut table = Table::default();
                for (field, value, ttl) in pairs {
                    table.add_pair(&model, *field, *value, *ttl);
                }
                table
            };
            let (first, second) = pairs.split_at(cut.min(pairs.len()));
            let mut merged = table(first);
            merged.merge(table(second));
            prop_assert_eq!(merged, table(&pairs));
        }
    }
}
