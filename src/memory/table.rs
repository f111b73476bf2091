//! What tables hold: sets' members, hashes' pairs, sorted sets' members with their nodes in a skiplist.
//!
//! What an element costs follows from its lengths alone, so that most are one look into a list made beforehand.

use super::costs::{ENTRY_NO_VALUE_BYTES, Holds, PARTS, known, member, scored};
use super::dict::Conversion;
use super::model::Model;
use super::vset::Expiries;
use super::{Cost, Encoding, Target, dict, hashtable};

/// A Redis table, as counted; 96 in 6.2.
const DICT_BYTES: u64 = 56;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Allocator;
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
