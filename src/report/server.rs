//! What a dump takes on the server that loads it: its keys, the tables that find them, and what the server takes empty.

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::memory::Model;
use crate::memory::server::KeyCount;

/// The memory of a server that has loaded a dump and nothing else, as its `INFO memory` has it. Replication backlogs, clients'
/// buffers, functions and modules come on top, and so do keys whose memory is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMemory {
    /// Bytes that the allocator gives out for keys and values.
    pub keys_bytes: u64,
    /// Bytes of the tables of keys and of those that expire, as if all were in one database.
    pub tables_bytes: u64,
    /// What the server takes empty.
    pub empty_bytes: u64,
    /// All of it: `used_memory`.
    pub used_memory_bytes: u64,
    /// Bytes that come on top while the tables of keys grow.
    #[serde(default)]
    pub rehash_bytes: u64,
}

impl ServerMemory {
    /// What the server needs at the most while it saves or feeds a replica, which forks it: as much again, if every page is
    /// written to meanwhile, and tables that grow. At the least it is `used_memory` alone.
    pub fn forked_bytes_max(&self) -> u64 {
        self.used_memory_bytes.saturating_mul(2).saturating_add(self.rehash_bytes)
    }

    /// Of a dump with these keys.
    pub(super) fn new(model: &Model, keys: &Tally) -> Self {
        let expiring_keys = keys.keys.saturating_sub(keys.keys_without_ttl);
        let count = KeyCount { keys: keys.keys, expiring_keys };
        let (tables_bytes, rehash_bytes) = (model.tables_bytes(count), model.rehash_bytes(count));
        let (keys_bytes, empty_bytes) = (keys.allocated_bytes, model.empty_bytes());
        let used_memory_bytes = keys_bytes.saturating_add(tables_bytes).saturating_add(empty_bytes);
        Self { keys_bytes, tables_bytes, empty_bytes, used_memory_bytes, rehash_bytes }
    }
}
