//! Two dumps compared: the digest that says whether they, or a server, hold the same keys.
//!
//! [`digest`](digest()) is the server's own `DEBUG DIGEST` of a whole dump, [`Rules`] that of a value, with `double` for the
//! numbers in it.

mod digest;
mod double;
mod value_digest;

pub use digest::{DatabaseDigest, DumpDigest, digest};
pub use value_digest::{Rules, Sum, value_digest};
