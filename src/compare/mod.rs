//! Two reports, two dumps, or a dump and a server: what differs, and whether anything does.
//!
//! [`digest`](digest()) is the server's own `DEBUG DIGEST` of a whole dump, [`Rules`] that of a value, with `double` for the
//! numbers in it. A [`Difference`] is what two reports differ in; of two dumps [`compare_keys`] adds the single keys, which
//! `fingerprint` makes numbers of and `changes` counts.

mod changes;
mod digest;
mod double;
mod fingerprint;
mod keys;
mod reports;
mod value_digest;
mod vector_set;

pub use changes::{ChangedKey, Counts, ExpiryChange, Moved, PrefixCounts, TopChanges};
pub use digest::{DatabaseDigest, DumpDigest, digest};
pub use keys::{KeyChanges, KeyQuestion, compare_keys};
pub use reports::{
    Amount, Change, DatabaseChange, Difference, FileDigest, GroupChange, Pace, PrefixChange, Side, TypeChange,
};
pub use value_digest::{Rules, Sum, value_digest};
