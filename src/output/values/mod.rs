//! Values written out, one file a form.
//!
//! # No byte is lost
//!
//! A text of a value (a string, field, member, element) is a JSON string or a CSV field. One that is not UTF-8 is
//! written as `base64:` and its bytes in standard Base64; so is one that begins with `base64:` itself, so that every text
//! can be read back: what begins with `base64:` is Base64, everything else is the text. In CSV, texts that a spreadsheet would run as
//! a formula are Base64 as well: those that begin with `=`, `+`, `-`, `@`, a tab or a carriage return and are not plain numbers.
//! Names of keys are as everywhere in this program: escaped (`\xff`) in `name`, and in `name_base64` where `name` is not the
//! name to the byte.

mod card;
mod digests;
#[cfg(feature = "columnar")]
mod element_batch;
mod elements;
mod events;
mod lines;
mod matches;
mod objects;
mod out;
mod page;
mod resp;
mod restore;
mod review;
mod text;
mod vocabulary;

pub use card::Cards;
pub use digests::Digests;
#[cfg(feature = "columnar")]
pub use element_batch::{ElementColumns, ElementFile, element_schema};
pub use elements::{CSV_HEADER, ElementLines, ElementText};
pub use events::{EventText, L2T_HEADER};
pub use lines::Lines;
pub use matches::MatchText;
pub use objects::Objects;
pub use out::Drain;
pub use page::{ElementPage, LARGEST_MAX, Look};
pub use resp::Commands;
pub use restore::Restores;
pub use review::Review;
