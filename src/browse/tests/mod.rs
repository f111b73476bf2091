//! The explorer by its keys.

mod levels;
mod person;
mod picture;
mod records;
mod walks;
