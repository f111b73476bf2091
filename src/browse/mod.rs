//! The explorer in the terminal: an instance, its databases, their prefixes and keys, as far down as one likes.
//!
//! In reading order: a `Place` is where a reader is, a `Level` what is there; `gather` makes one of rows, `of_dumps`
//! by a scan for just that place, `of_report` out of what a report lists; a [`Source`] is either. `job` asks it in the
//! background. `App` is the state that `keys`, `typing` and `mouse` change and `screen` shows; `terminal` and its `backend`
//! are the only files that know one.
//!
//! A level of a dump is exact: prefixes are counted by as many scans as their number takes, and of all children the heaviest
//! thousand by each measure are held, with the sum of the others.

mod app;
mod backend;
mod captions;
mod card;
mod columns;
mod elements;
mod finding;
mod gather;
mod help;
mod job;
mod keys;
mod level;
mod list;
mod marks;
mod mouse;
mod of_dumps;
mod of_report;
mod place;
mod screen;
mod source;
mod terminal;
#[cfg(test)]
mod tests;
mod tree;
mod typing;
mod view;
mod wrap;

pub use app::End;
pub use of_dumps::Dumps;
pub use source::Source;
pub use terminal::{browse, is_there};
