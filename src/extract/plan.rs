//! What an extract writes, and where keys go.

use std::collections::BTreeMap;

use super::format::Format;
use super::slots::Masters;

/// What is written, and where keys go.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The format; by default that of the first dump.
    pub format: Option<Format>,
    /// New numbers of databases.
    pub databases: BTreeMap<u64, u64>,
    /// The masters that have an output each; without them there is one output.
    pub masters: Option<Masters>,
}

impl Plan {
    /// The number that a database has in the output.
    pub(super) fn database(&self, db: u64) -> u64 {
        self.databases.get(&db).copied().unwrap_or(db)
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.masters.as_ref().map_or(1, |masters| masters.ids.len())
    }
}
