//! What a dump takes on a server as a whole, in a sentence for a person.

use super::human::bytes;
use crate::report::{Report, ServerMemory};

/// A sentence for the dumps of a report together; none where that is not known of each.
pub(super) fn sentence(report: &Report) -> Option<String> {
    let mut servers = Vec::new();
    for dump in &report.dumps {
        servers.push(dump.server?);
    }
    let sum = |of: fn(&ServerMemory) -> u64| servers.iter().map(of).fold(0, u64::saturating_add);
    let who = match servers.len() {
        0 => return None,
        1 => "a server that loads it uses",
        _ => "servers that load them use together",
    };
    Some(format!(
        "{who} {} (keys {}, their tables {}, empty {}), and up to {} while it saves or feeds a replica under writes",
        bytes(sum(|server| server.used_memory_bytes)),
        bytes(sum(|server| server.keys_bytes)),
        bytes(sum(|server| server.tables_bytes)),
        bytes(sum(|server| server.empty_bytes)),
        bytes(sum(ServerMemory::forked_bytes_max))
    ))
}
