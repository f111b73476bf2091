//! Signatures of requests that changed something: each may do so once, for as long as it is valid. It is taken in the
//! transaction of the change itself, so a request that was refused or that failed has used nothing up.

use rusqlite::{Transaction, params};

use super::{StoreError, now_ms};

/// A signature that may change something once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The signature.
    pub signature: String,
    /// Until when it can be sent again, in milliseconds since 1970.
    pub until_ms: i64,
}

/// Takes a signature, and forgets those that are too old to be sent again.
///
/// # Errors
/// [`StoreError::Replayed`] if it was taken before.
pub(super) fn take(transaction: &Transaction<'_>, once: Option<&Once>) -> Result<(), StoreError> {
    let Some(Once { signature, until_ms }) = once else { return Ok(()) };
    transaction.execute("DELETE FROM used_signature WHERE until_ms < ?1", [now_ms()])?;
    let values = params![signature, until_ms];
    let inserted = transaction.execute("INSERT OR IGNORE INTO used_signature VALUES (?1, ?2)", values)?;
    if inserted == 1 { Ok(()) } else { Err(StoreError::Replayed) }
}
