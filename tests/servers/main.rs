//! The program beside real servers: which dumps they load, what they say of each key, and how much memory they take for it.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod agreement;
mod memory_oracle;
mod oracle;
#[path = "../support/mod.rs"]
mod support;
