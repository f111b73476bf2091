//! Groups of arguments that several commands share, one file each, and what their values mean.

pub(super) mod budget;
pub(super) mod filter;
pub(super) mod input;
pub(super) mod memory;
pub(super) mod output;
pub(super) mod redact;
pub(super) mod rules;
pub(super) mod run;
pub(super) mod value;
