//! What a memory figure rests on.

use super::{Encoding, Model, Target};

/// What a key's memory figure rests on, apart from the allocator: the C library's can give 16 bytes more to any block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The server's own rule over what the dump holds: what `MEMORY USAGE` answers after a load.
    Exact,
    /// A part is left out that the dump does not let one attribute to the key.
    LowerBound,
    /// The expectation where the server leaves it to chance (heights of skiplists, buckets of tables), or a rule that was
    /// not checked on this server.
    Estimate,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Exact, Self::LowerBound, Self::Estimate];

    /// Its name in reports and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::LowerBound => "lower_bound",
            Self::Estimate => "estimate",
        }
    }

    /// That of a value of Redis's own types held this way.
    pub(super) fn of(encoding: Encoding, model: &Model) -> Self {
        // Where Redis's tables count an entry for each element, their size follows from the count alone. Those of Valkey 8.0
        // leave out entries of sets by their buckets, later ones chain buckets.
        let depends_on_hash = model.target() >= Target::Valkey8_0;
        match encoding {
            Encoding::Skiplist => Self::Estimate,
            Encoding::Hashtable if depends_on_hash => Self::Estimate,
            _ => Self::Exact,
        }
    }
}
