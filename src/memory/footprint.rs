//! What a value is, and what it costs: the answer of every walk over it.

use super::packed::IfPacked;
use super::stream::Streamed;
use super::table::Table;
use super::{Basis, Cost, Encoding};
use crate::rdb::{Kind, Measure};

/// What a value is, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// What the value is, and how large.
    pub measure: Measure,
    /// How the loaded value is held.
    pub encoding: Encoding,
    /// What `MEMORY USAGE` answers for the key; unknown for modules' values and for types that no model has.
    pub memory_bytes: Option<u64>,
    /// What the allocator gives out for the key; known if that is.
    pub allocated_bytes: Option<u64>,
    /// What that rests on, where it is known.
    pub basis: Option<Basis>,
    /// Bytes of the value's texts as clients see them, unless they are packed.
    pub value_bytes: Option<u64>,
    /// The largest element, unless elements are packed.
    pub largest: Option<Largest>,
    /// Bytes of packed structures as they are stored, inflated.
    pub packed_bytes: Option<u64>,
    /// What a stream's groups hold.
    pub streamed: Option<Streamed>,
    /// What a table of up to 2,048 elements of up to 256 bytes would take packed.
    pub if_packed: Option<IfPacked>,
}

/// The largest element of a value; of several, the first in the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    /// Its bytes, of a hash's pair those of field and value.
    pub bytes: u64,
    /// Its place among the elements, in the dump's order, from 0.
    pub index: u64,
}

impl AsRef<Measure> for Footprint {
    fn as_ref(&self) -> &Measure {
        &self.measure
    }
}

impl Footprint {
    pub(super) fn new(kind: Kind, size: u64, held: (Encoding, Cost)) -> Self {
        let (encoding, Cost { memory_bytes, allocated_bytes }) = held;
        let (memory_bytes, allocated_bytes) = (Some(memory_bytes), Some(allocated_bytes));
        Self { encoding, memory_bytes, allocated_bytes, ..Self::unknown(Measure { kind, size, module: None }) }
    }

    pub(super) fn unknown(measure: Measure) -> Self {
        Self {
            measure,
            encoding: Encoding::Other,
            memory_bytes: None,
            allocated_bytes: None,
            basis: None,
            value_bytes: None,
            largest: None,
            packed_bytes: None,
            streamed: None,
            if_packed: None,
        }
    }

    pub(super) fn of_table(kind: Kind, table: &Table, held: (Encoding, Cost)) -> Self {
        let largest = table.largest.map(|(bytes, index)| Largest { bytes, index });
        let value_bytes = largest.map(|_| table.value_bytes);
        Self { value_bytes, largest, ..Self::new(kind, table.elements, held) }
    }
}
