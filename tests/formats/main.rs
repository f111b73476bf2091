//! What is read of a dump, and what is made of it: every type of every dialect, containers, damage, sizes, rows, values,
//! the laws that hold for any input. Most of it goes through the library; the program is started where its memory is measured.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod assembled;
mod basis;
mod breakdown;
mod checked;
#[cfg(feature = "columnar")]
mod columnar;
#[cfg(feature = "compress")]
mod containers;
mod converted;
mod corpus;
#[cfg(feature = "compress")]
mod dialects;
mod diff;
mod digest;
mod extract;
mod findings;
mod forensics;
mod hostile;
mod inflated;
mod laws;
mod level;
mod memory;
mod memory_models;
mod one_rule;
mod prefixes;
mod questions;
mod ranges;
mod report;
mod salvage;
mod shrink;
#[path = "../support/mod.rs"]
mod support;
mod validity;
mod values;
mod wrapped;
