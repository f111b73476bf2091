//! For examiners: what may be shown of a dump to others.

pub mod redact;

pub use redact::{Redact, Redaction};
