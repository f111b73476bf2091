//! What an examiner asks of a dump, and of what a dump may be inside of.
//!
//! In reading order: `rows` is a form of as many rows a key as there are, handed on in the dump's order whatever the number
//! of threads; `between` reads the records that are not keys. [`grep()`] searches names and decoded values, [`timeline()`] has
//! everything that carries a time. [`carve()`] finds dumps inside other files.
//! [`redact`] is what may be shown of a dump to others: names and texts replaced by stand-ins,
//! in matches and events by `stand_ins`.

mod between;
mod carve;
mod grep;
pub mod redact;
mod rows;
mod stand_ins;
mod timeline;

pub use carve::{Carved, FINDS_MAX, RUN_RECORDS_MIN, carve};
pub use grep::{CONTEXT_BYTES, MATCH_BYTES_MAX, Match, Place, SPLIT_MATCH_BYTES_MAX, Search, grep};
pub use redact::{Redact, Redaction};
pub use stand_ins::{redacted_event, redacted_match};
pub use timeline::{Event, Moment, timeline};
