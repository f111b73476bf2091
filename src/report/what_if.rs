//! What tables would take packed, if the server's limits were higher: by type, for three limits of elements and three of bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::finding::SavingBasis;
use crate::memory::{Basis, Footprint, IfPacked};
use crate::rdb::Kind;

/// Limits of elements, and of bytes of each.
const ELEMENTS: [u64; 3] = [512, 1024, 2048];
const TEXT_BYTES: [u64; 3] = [64, 128, 256];

/// Types that are held as tables.
const KINDS: [Kind; 3] = [Kind::Set, Kind::Zset, Kind::Hash];

/// Tables by the least limits that would have them packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WhatIf([[[Sum; TEXT_BYTES.len()]; ELEMENTS.len()]; KINDS.len()]);

/// Tables that would be packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    keys: u64,
    table_allocated_bytes: u64,
    packed_allocated_bytes: u64,
    longest_packed_bytes: u64,
    basis: SavingBasis,
}

impl Sum {
    fn merge(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.table_allocated_bytes = self.table_allocated_bytes.saturating_add(other.table_allocated_bytes);
        self.packed_allocated_bytes = self.packed_allocated_bytes.saturating_add(other.packed_allocated_bytes);
        self.longest_packed_bytes = self.longest_packed_bytes.max(other.longest_packed_bytes);
        self.basis = self.basis.max(other.basis);
    }
}

impl WhatIf {
    pub(super) fn add(&mut self, found: &Footprint, if_packed: &IfPacked) {
        let place = |limits: [u64; 3], value: u64| limits.into_iter().position(|most| value <= most);
        let (Some(kind), Some(elements), Some(bytes)) = (
            KINDS.into_iter().position(|kind| kind == found.measure.kind),
            place(ELEMENTS, found.measure.size),
            place(TEXT_BYTES, if_packed.longest_text_bytes),
        ) else {
            return;
        };
        let cells = self.0.get_mut(kind).and_then(|of_kind| of_kind.get_mut(elements));
        if let Some(cell) = cells.and_then(|cells| cells.get_mut(bytes)) {
            cell.merge(&Sum {
                keys: 1,
                table_allocated_bytes: if_packed.table_allocated_bytes,
                packed_allocated_bytes: if_packed.allocated_bytes,
                longest_packed_bytes: if_packed.packed_bytes,
                basis: if found.basis == Some(Basis::Exact) { SavingBasis::Exact } else { SavingBasis::Estimate },
            });
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let cells = self.0.iter_mut().flatten().flatten();
        for (mine, theirs) in cells.zip(other.0.iter().flatten().flatten()) {
            mine.merge(theirs);
        }
    }

    /// For each type and pair of limits the tables that would be packed, if there are any.
    pub(super) fn finish(&self) -> Vec<PackedIf> {
        let mut all = Vec::new();
        for (kind, cells) in KINDS.into_iter().zip(&self.0) {
            for (row, elements) in ELEMENTS.into_iter().enumerate() {
                for (column, text_bytes) in TEXT_BYTES.into_iter().enumerate() {
                    let mut sum = Sum::default();
                    cells
                        .iter()
                        .take(row + 1)
                        .flat_map(|cells| cells.iter().take(column + 1))
                        .for_each(|cell| sum.merge(cell));
                    if sum.keys > 0 {
                        let Sum { keys, table_allocated_bytes, packed_allocated_bytes, longest_packed_bytes, basis } =
                            sum;
                        all.push(PackedIf {
                            kind: kind.name().into(),
                            elements,
                            text_bytes,
                            keys,
                            table_allocated_bytes,
                            packed_allocated_bytes,
                            longest_packed_bytes,
                            basis,
                        });
                    }
                }
            }
        }
        all
    }
}

/// The tables of a type that would be packed if both limits were so high.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedIf {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The limit of elements, of intsets too.
    pub elements: u64,
    /// The limit of bytes of an element.
    pub text_bytes: u64,
    /// How many tables.
    pub keys: u64,
    /// Bytes that the allocator gives out for them now, without keys and objects.
    pub table_allocated_bytes: u64,
    /// Bytes that it would give out if they were packed.
    pub packed_allocated_bytes: u64,
    /// Bytes of the longest of them when it is packed.
    pub longest_packed_bytes: u64,
    /// What those figures rest on.
    pub basis: SavingBasis,
}

impl PackedIf {
    /// What packing saves.
    pub fn bytes_saved(&self) -> u64 {
        self.table_allocated_bytes.saturating_sub(self.packed_allocated_bytes)
    }
}

/// Adds those of another report.
pub(super) fn merge(all: &mut Vec<PackedIf>, others: Vec<PackedIf>) {
    let order = |of: &PackedIf| (KINDS.iter().position(|kind| kind.name() == of.kind), of.elements, of.text_bytes);
    for theirs in others {
        match all.iter_mut().find(|mine| order(mine) == order(&theirs)) {
            Some(mine) => {
                mine.keys = mine.keys.saturating_add(theirs.keys);
                mine.table_allocated_bytes = mine.table_allocated_bytes.saturating_add(theirs.table_allocated_bytes);
                mine.packed_allocated_bytes = mine.packed_allocated_bytes.saturating_add(theirs.packed_allocated_bytes);
                mine.longest_packed_bytes = mine.longest_packed_bytes.max(theirs.longest_packed_bytes);
                mine.basis = mine.basis.max(theirs.basis);
            }
            None => all.push(theirs),
        }
    }
    all.sort_by_key(order);
}
