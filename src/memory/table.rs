//! What tables hold: sets' members, hashes' pairs, sorted sets' members with their nodes in a skiplist.
//!
//! What an element costs follows from its lengths alone, so that most are one look into a list made beforehand.

use super::sds::{noted, sds, sds_8};
use super::{Allocator, ENTRY_BYTES, Encoding, Model, Target, dict, hashtable};

/// Costs of shorter texts are looked up.
const KNOWN_BYTES: usize = 512;

/// Costs are held in parts of a byte, since a skiplist's node is an expectation.
const PARTS: u64 = 1 << 16;

/// A Redis table, as counted; 96 in 6.2.
const DICT_BYTES: u64 = 56;

/// A pair of a hash lies in one allocation if that is no larger (Redis since 8.6, Valkey since 8.1).
const PAIR_BYTES_MAX: u64 = 128;

/// Costs by length: in bytes, those of members in [`PARTS`] of a byte.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    /// Allocations.
    usable: Box<[u32]>,
    /// Keys with their objects, those that never expire and those that do.
    pub(super) keys: [Box<[u64]>; 2],
    /// Strings' texts that have an allocation of their own.
    pub(super) raws: Box<[u32]>,
    members: Box<[u64]>,
    scored: Box<[u64]>,
    /// Pairs in one allocation without a TTL, by the bytes of all of it; empty where servers make none.
    pairs: Box<[u32]>,
    /// Fields without a TTL and values that have allocations of their own.
    fields: Box<[u32]>,
    values: Box<[u32]>,
}

impl Costs {
    pub(super) fn new(target: Target, allocator: Allocator) -> Self {
        let lengths = || 0..KNOWN_BYTES as u64;
        let narrow = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            usable: lengths().map(|bytes| narrow(allocator.usable(bytes))).collect(),
            keys: [false, true].map(|expires| {
                lengths().map(|bytes| super::key_and_object_bytes(target, allocator, bytes, expires)).collect()
            }),
            raws: lengths().map(|bytes| narrow(super::raw(target, allocator, bytes))).collect(),
            members: lengths().map(|bytes| member(target, allocator, bytes)).collect(),
            scored: lengths().map(|bytes| scored(target, allocator, bytes)).collect(),
            pairs: (0..=PAIR_BYTES_MAX).map_while(|bytes| pair_in_one(target, allocator, bytes)).map(narrow).collect(),
            fields: lengths().map(|bytes| narrow(field(target, allocator, bytes, false))).collect(),
            values: lengths().map(|bytes| narrow(value(target, allocator, bytes))).collect(),
        }
    }
}

#[inline]
pub(super) fn known<T: Copy>(costs: &[T], bytes: u64) -> Option<T> {
    costs.get(usize::try_from(bytes).ok()?).copied()
}

/// A member of a set.
fn member(target: Target, allocator: Allocator, bytes: u64) -> u64 {
    let cost = match target {
        _ if target.has_bucket_tables() => allocator.usable(sds(bytes)),
        _ if target.keeps_books() => ENTRY_BYTES.saturating_add(noted(bytes, |bytes| allocator.usable(bytes))),
        _ => ENTRY_BYTES.saturating_add(allocator.usable(sds(bytes))),
    };
    cost.saturating_mul(PARTS)
}

/// A member of a sorted set: in the table and in the skiplist.
fn scored(target: Target, allocator: Allocator, bytes: u64) -> u64 {
    let entry = match target {
        _ if target.has_bucket_tables() => 0,
        Target::Redis8_2 => 16,
        _ => ENTRY_BYTES,
    };
    let text = match target {
        // The member lies in its node.
        Target::Redis8_6 | Target::Redis8_8 | Target::Valkey9_1 => None,
        Target::Redis8_4 => Some(noted(bytes, |bytes| allocator.usable(bytes))),
        _ => Some(allocator.usable(sds(bytes))),
    };
    let node = match (text, target) {
        (Some(_), _) => 24,
        (None, Target::Valkey9_1) => 17_u64.saturating_add(sds(bytes)),
        (None, _) => 16_u64.saturating_add(sds(bytes)),
    };
    // A node has another level with a chance of one in four.
    let (mut expected, mut chance) = (0_u64, PARTS * 3 / 4);
    for levels in 1..=8 {
        let level = if levels == 8 { chance * 4 / 3 } else { chance };
        expected = expected.saturating_add(allocator.usable(node.saturating_add(16 * levels)).saturating_mul(level));
        chance /= 4;
    }
    text.unwrap_or(0).saturating_add(entry).saturating_mul(PARTS).saturating_add(expected)
}

/// The elements of a table, as far as their memory goes; those of parts of a table merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Members, or pairs.
    pub(super) elements: u64,
    cost: u64,
    /// Fields that have a TTL.
    with_ttl: u64,
    /// Texts' bytes as a client sees them.
    pub(super) value_bytes: u64,
    /// Bytes of the largest element and its place.
    pub(super) largest: Option<(u64, u64)>,
}

impl Table {
    #[inline(always)]
    fn add(&mut self, bytes: u64, cost: u64) {
        if self.largest.is_none_or(|(largest, _)| bytes > largest) {
            self.largest = Some((bytes, self.elements));
        }
        self.elements += 1;
        self.cost = self.cost.saturating_add(cost);
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
        self.with_ttl += u64::from(has_ttl);
        let cost = model.pair(field_bytes, value_bytes, has_ttl).saturating_mul(PARTS);
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
        self.cost = self.cost.saturating_add(next.cost);
        self.with_ttl += next.with_ttl;
        self.value_bytes = self.value_bytes.saturating_add(next.value_bytes);
    }

    fn contents(&self) -> u64 {
        self.cost.saturating_add(PARTS / 2) / PARTS
    }

    /// A set as a table.
    pub(super) fn finish_set(self, model: &Model) -> (Encoding, u64) {
        let header_bytes = if model.target == Target::Valkey8_1 { 72 } else { 80 };
        self.finish(model, header_bytes, Made::AtOnce)
    }

    /// A hash as a table.
    pub(super) fn finish_hash(self, model: &Model, made: Made) -> (Encoding, u64) {
        // Valkey 9 has a place for the fields that expire.
        let header_bytes = if model.target == Target::Valkey8_1 { 72 } else { 88 };
        let header_bytes = header_bytes + if model.target.has_bucket_tables() { self.expiries(model) } else { 0 };
        self.finish(model, header_bytes, made)
    }

    /// What Valkey 9 finds the fields by that expire: a list of them, or of many, buckets in a tree by time. How many share
    /// a bucket of some seconds is not known before the times are; it is taken that none do.
    fn expiries(&self, model: &Model) -> u64 {
        match self.with_ttl {
            0 | 1 => 0,
            fields @ 2..=127 => model.usable(8 + 8 * fields),
            fields => fields.saturating_mul(58),
        }
    }

    fn finish(self, model: &Model, header_bytes: u64, made: Made) -> (Encoding, u64) {
        let table_bytes = table_bytes(model, self.elements, header_bytes, made);
        (Encoding::Hashtable, self.contents().saturating_add(table_bytes))
    }

    /// A sorted set as table and skiplist.
    pub(super) fn finish_scored(self, model: &Model) -> (Encoding, u64) {
        let target = model.target;
        // The set, the list, and its first node, which has 32 levels.
        let frame = match target {
            Target::Redis8_4 => 16 + 40 + model.allocator.usable(24 + 16 * 32),
            Target::Redis8_6 | Target::Redis8_8 => 16 + 40 + model.allocator.usable(16 + 16 * 32),
            Target::Valkey9_1 => 16 + model.allocator.usable(16 + 16 * 32),
            _ => 16 + 32 + model.allocator.usable(24 + 16 * 32),
        };
        let header_bytes = if target == Target::Valkey8_1 { 72 } else { 80 };
        let table_bytes = table_bytes(model, self.elements, header_bytes, Made::AtOnce);
        (Encoding::Skiplist, self.contents().saturating_add(frame + table_bytes))
    }
}

/// How a table came to its size while it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// For all its elements.
    AtOnce,
    /// Out of a listpack, up to this pair (from 0), which was too long for one.
    FromListpack(u64),
    /// Element by element.
    Grown,
}

/// The table itself; `header_bytes` is that of a table of buckets.
fn table_bytes(model: &Model, elements: u64, header_bytes: u64, made: Made) -> u64 {
    if model.target.has_bucket_tables() {
        let buckets = match made {
            Made::AtOnce => hashtable::buckets(elements),
            Made::FromListpack(pair) => hashtable::buckets_after_conversion(pair, elements),
            Made::Grown => hashtable::buckets_grown(elements, 1),
        };
        return hashtable::bytes(elements, buckets).saturating_add(header_bytes);
    }
    let slots = match made {
        Made::AtOnce => dict::slots(elements),
        Made::FromListpack(pair) => dict::slots_after_conversion(pair, elements),
        Made::Grown => dict::slots_grown(elements),
    };
    let header_bytes = if model.target == Target::Redis6_2 { 96 } else { DICT_BYTES };
    slots.saturating_mul(8).saturating_add(header_bytes)
}

impl Model {
    #[inline]
    pub(super) fn usable(&self, bytes: u64) -> u64 {
        known(&self.costs.usable, bytes).map_or_else(|| self.allocator.usable(bytes), u64::from)
    }

    /// A pair of a hash.
    #[inline(always)]
    fn pair(&self, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> u64 {
        let Costs { pairs, fields, values, .. } = &self.costs;
        if !has_ttl && let (Some(field), Some(value)) = (known(fields, field_bytes), known(values, value_bytes)) {
            let one = known(pairs, one_bytes(self.target, field_bytes, value_bytes, false));
            return one.unwrap_or(field.saturating_add(value)).into();
        }
        pair(self.target, self.allocator, field_bytes, value_bytes, has_ttl)
    }
}

/// A pair of a hash, with its entry in the table where there is one.
#[inline(never)]
fn pair(target: Target, allocator: Allocator, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> u64 {
    let apart = || field(target, allocator, field_bytes, has_ttl).saturating_add(value(target, allocator, value_bytes));
    pair_in_one(target, allocator, one_bytes(target, field_bytes, value_bytes, has_ttl)).unwrap_or_else(apart)
}

/// Bytes of a pair in one allocation.
#[inline(always)]
fn one_bytes(target: Target, field_bytes: u64, value_bytes: u64, has_ttl: bool) -> u64 {
    // In a table of buckets a field that expires says so in its header, which the shortest has no room for.
    let is_marked = has_ttl && target.has_bucket_tables();
    let field = if is_marked { sds_8(field_bytes) } else { sds(field_bytes) };
    field.saturating_add(ttl_bytes(target, has_ttl)).saturating_add(value_bytes).saturating_add(4)
}

/// An expiry before the field; Redis links fields that expire together.
fn ttl_bytes(target: Target, has_ttl: bool) -> u64 {
    match (has_ttl, target.has_bucket_tables()) {
        (false, _) => 0,
        (true, true) => 8,
        (true, false) => 18,
    }
}

/// A pair in one allocation of `bytes`, where the server makes such.
fn pair_in_one(target: Target, allocator: Allocator, bytes: u64) -> Option<u64> {
    match target {
        _ if bytes > PAIR_BYTES_MAX => None,
        _ if target.has_bucket_tables() => Some(allocator.usable(bytes)),
        Target::Redis8_6 | Target::Redis8_8 => Some(bytes + ENTRY_BYTES),
        _ => None,
    }
}

/// A field that shares no allocation with its value, and what leads to both.
fn field(target: Target, allocator: Allocator, bytes: u64, has_ttl: bool) -> u64 {
    let ttl_bytes = ttl_bytes(target, has_ttl);
    let with_pointer = sds_8(bytes).saturating_add(8 + ttl_bytes);
    match target {
        _ if target.has_bucket_tables() => allocator.usable(with_pointer),
        Target::Redis8_6 | Target::Redis8_8 => with_pointer.saturating_add(ENTRY_BYTES),
        _ => allocator.usable(sds(bytes).saturating_add(ttl_bytes)).saturating_add(ENTRY_BYTES),
    }
}

/// A value that shares no allocation with its field.
fn value(target: Target, allocator: Allocator, bytes: u64) -> u64 {
    match target {
        _ if target.has_bucket_tables() => allocator.usable(sds_8(bytes)),
        _ if target.keeps_books() => noted(bytes, |bytes| allocator.usable(bytes)),
        _ => allocator.usable(sds(bytes)),
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
