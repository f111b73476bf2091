//! What a dump takes on the server that loads it: its keys, the tables that find them, and what the server takes empty.

use serde::{Deserialize, Serialize};

use super::slots::SlotTally;
use super::tally::Tally;
use crate::memory::Model;
use crate::memory::server::KeyCount;

/// The memory of a server that has loaded a dump and nothing else, as its `INFO memory` has it. Replication backlogs, clients'
/// buffers, functions and modules come on top, and so do keys whose memory is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMemory {
    /// Bytes that the allocator gives out for keys and values.
    pub keys_bytes: u64,
    /// Bytes of the tables of keys and of those that expire.
    pub tables_bytes: u64,
    /// The same where the server is a node of a cluster, if the slots of one dump are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_tables_bytes: Option<u64>,
    /// What the server takes empty.
    pub empty_bytes: u64,
    /// All of it, without cluster mode: `used_memory`.
    pub used_memory_bytes: u64,
}

impl KeyCount {
    fn of(tally: &Tally) -> Self {
        Self { keys: tally.keys, expiring_keys: tally.keys.saturating_sub(tally.keys_without_ttl) }
    }
}

impl ServerMemory {
    /// Of a dump with these keys, in these databases.
    pub(super) fn new<'t>(model: &Model, keys: &Tally, databases: impl Iterator<Item = &'t Tally>) -> Self {
        let tables = databases.map(|tally| model.tables_bytes(KeyCount::of(tally)));
        let (keys_bytes, tables_bytes) = (keys.allocated_bytes, tables.fold(0, u64::saturating_add));
        let empty_bytes = model.empty_bytes();
        let used_memory_bytes = keys_bytes.saturating_add(tables_bytes).saturating_add(empty_bytes);
        Self { keys_bytes, tables_bytes, cluster_tables_bytes: None, empty_bytes, used_memory_bytes }
    }

    /// With the tables that a node of a cluster has for these slots.
    pub(super) fn in_cluster(self, model: &Model, slots: &[SlotTally]) -> Self {
        let of_slot = |slot: &SlotTally| {
            let expiring_keys = slot.keys.saturating_sub(slot.keys_without_ttl);
            model.slot_tables_bytes(KeyCount { keys: slot.keys, expiring_keys })
        };
        let all = slots.iter().try_fold(0, |sum: u64, slot| Some(sum.saturating_add(of_slot(slot)?)));
        Self { cluster_tables_bytes: all, ..self }
    }
}
