//! What a server needs besides its keys: the tables that find them, and what an empty one takes.
//!
//! The tables are those of a server that has loaded a dump, which makes them for as many keys as the dump says each database
//! has. One that grew key by key has the same or twice as many slots. Replication backlogs, clients' buffers, functions and
//! modules come on top.

use super::key::ENTRY_BYTES;
use super::{Cost, Model, Target, dict, hashtable};

/// Bytes of an entry that has no value in a table of keys, where the key is in the object.
const KEY_ENTRY_BYTES: u64 = 16;

/// Bytes of a bucket of Valkey's tables.
const BUCKET_BYTES: u64 = 64;

/// How many keys a table finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCount {
    /// All of them.
    pub keys: u64,
    /// Those that expire.
    pub expiring_keys: u64,
}

impl Model {
    /// The tables of a database: that of its keys, as far as it is not in their figures, and that of those that expire.
    pub fn tables_bytes(&self, count: KeyCount) -> u64 {
        self.main_bytes(count.keys).saturating_add(self.expires_bytes(count.expiring_keys))
    }

    /// What the tables of a database take more while they grow: the next ones, twice as large, are there with the present ones
    /// until all keys have moved.
    pub fn rehash_bytes(&self, count: KeyCount) -> u64 {
        let next = |keys: u64| match keys {
            0 => 0,
            _ if self.target.has_bucket_tables() => {
                self.usable(hashtable::buckets(keys).saturating_mul(2 * BUCKET_BYTES))
            }
            _ => self.usable(dict::slots(keys).saturating_mul(2 * 8)),
        };
        next(count.keys).saturating_add(next(count.expiring_keys))
    }

    /// The tables of a slot of a cluster's node, with what the node has for a slot in use; `None` for Redis 6.2, which has
    /// a radix tree of all names instead.
    pub fn slot_tables_bytes(&self, count: KeyCount) -> Option<u64> {
        if count.keys == 0 {
            return Some(0);
        }
        let header_bytes = match self.target {
            Target::Redis6_2 => return None,
            // One table a database, whose entries link the keys of each slot. Not by slots, so that its size is left out here.
            Target::Redis7_0 | Target::Redis7_2 | Target::Valkey7_2 => {
                return Some(count.keys.saturating_mul(self.entry_in_cluster_bytes()));
            }
            Target::Redis7_4 => self.usable(56 + 8) + self.usable(56 + 8),
            Target::Redis8_10 => self.usable(56 + 8 + 32) + self.usable(56 + 8),
            // A histogram of sizes for each of five types (`keysizes_hist`).
            target if target.is_redis_since(Target::Redis8_0) => self.usable(56 + 8 + 5 * 60 * 8) + self.usable(56 + 8),
            Target::Valkey8_0 => 2 * self.usable(80),
            _ => 2 * self.usable(96),
        };
        Some(self.tables_bytes(count).saturating_add(header_bytes))
    }

    /// Two pointers, to the keys before and after it in its slot.
    fn entry_in_cluster_bytes(&self) -> u64 {
        self.usable(ENTRY_BYTES + 16) - self.usable(ENTRY_BYTES)
    }

    fn main_bytes(&self, keys: u64) -> u64 {
        match self.target {
            _ if keys == 0 => 0,
            target if target.has_bucket_tables() => self.bucket_bytes(keys),
            target if target.is_redis_since(Target::Redis8_2) => self.chained_bytes(keys),
            // The entries are in the keys' figures.
            _ => self.slots_bytes(keys),
        }
    }

    fn expires_bytes(&self, keys: u64) -> u64 {
        match self.target {
            _ if keys == 0 => 0,
            target if target.has_bucket_tables() => self.bucket_bytes(keys),
            target if target.is_redis_since(Target::Redis8_2) => self.chained_bytes(keys),
            _ => self.slots_bytes(keys).saturating_add(self.usable(ENTRY_BYTES).saturating_mul(keys)),
        }
    }

    fn slots_bytes(&self, keys: u64) -> u64 {
        self.usable(dict::slots(keys).saturating_mul(8))
    }

    fn chained_bytes(&self, keys: u64) -> u64 {
        self.slots_bytes(keys).saturating_add(dict::chained_bytes(keys, self.usable(KEY_ENTRY_BYTES)))
    }

    fn bucket_bytes(&self, keys: u64) -> u64 {
        let Cost { allocated_bytes, .. } = hashtable::cost(self.allocator, keys, hashtable::buckets(keys));
        allocated_bytes
    }

    /// What a server takes when it starts (`used_memory_startup`), near enough for what it is part of: it varies by some tens
    /// of kilobytes with the build. In cluster mode it is 0.7 to 1.8 MB more.
    pub fn empty_bytes(&self) -> u64 {
        match self.target {
            Target::Redis6_2 => 810_000,
            Target::Redis7_0 | Target::Redis7_2 | Target::Valkey7_2 => 870_000,
            Target::Redis7_4 => 950_000,
            Target::Redis8_0 | Target::Redis8_2 => 660_000,
            Target::Redis8_4 | Target::Redis8_6 | Target::Redis8_8 | Target::Redis8_10 => 730_000,
            Target::Valkey8_0 | Target::Valkey8_1 => 910_000,
            Target::Valkey9_0 | Target::Valkey9_1 => 960_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Allocator;
    use super::*;

    fn bytes(target: Target, keys: u64, expiring_keys: u64) -> u64 {
        Model::new(target, Allocator::Jemalloc).tables_bytes(KeyCount { keys, expiring_keys })
    }

    #[test]
    fn tables_of_a_database() {
        assert_eq!(bytes(Target::Redis7_2, 0, 0), 0);
        assert_eq!(bytes(Target::Redis7_2, 1000, 0), 8 * 1024);
        assert_eq!(bytes(Target::Redis7_2, 1000, 100), 8 * 1024 + 8 * 128 + 24 * 100);
        assert_eq!(bytes(Target::Redis8_10, 1000, 0), 8 * 1024 + dict::chained_bytes(1000, 16));
        let b = hashtable::cost(Allocator::Jemalloc, 1000, 256).allocated_bytes;
        assert_eq!(bytes(Target::Valkey9_1, 1000, 1000), 2 * b);
    }

    #[test]
    fn tables_of_a_slot() {
        let slot = |target, keys| {
            Model::new(target, Allocator::Jemalloc).slot_tables_bytes(KeyCount { keys, expiring_keys: 0 })
        };
        assert_eq!(slot(Target::Redis6_2, 5), None);
        assert_eq!(slot(Target::Redis7_2, 5), Some(5 * 16));
        assert_eq!(slot(Target::Redis8_0, 0), Some(0));
        assert_eq!(slot(Target::Redis8_0, 1), Some(2560 + 64 + 4 * 8));
        assert_eq!(slot(Target::Redis8_10, 1), Some(96 + 64 + 4 * 8));
    }
}
