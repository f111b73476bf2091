//! What a dump takes on a server as a whole, in a sentence for a person.

use super::human::bytes;
use crate::report::Report;

/// A sentence for the dumps of a report together; none where that is not known of each.
pub(super) fn sentence(report: &Report) -> Option<String> {
    let mut servers = Vec::new();
    for dump in &report.dumps {
        servers.push(dump.server?);
    }
    let sum = |of: fn(&crate::report::ServerMemory) -> u64| servers.iter().map(of).fold(0, u64::saturating_add);
    let who = match servers.len() {
        0 => return None,
        1 => "a server that loads it uses",
        _ => "servers that load them use",
    };
    Some(format!(
        "{who} {}: {} for keys, {} for their tables, {} empty; up to {} while tables grow, and up to {} while it saves or \
         feeds a replica, by how much is written meanwhile",
        bytes(sum(|server| server.used_memory_bytes)),
        bytes(sum(|server| server.keys_bytes)),
        bytes(sum(|server| server.tables_bytes)),
        bytes(sum(|server| server.empty_bytes)),
        bytes(sum(|server| server.used_memory_bytes.saturating_add(server.rehash_bytes))),
        bytes(sum(crate::report::ServerMemory::forked_bytes_max))
    ))
}
