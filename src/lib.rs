//! wip
pub mod analysis;
pub mod engine;
pub mod error;
pub mod input;
pub mod rdb;
pub mod task;
pub use analysis::{BigKey, Pattern, Question, Report};
pub use engine::{Dump, Options, Progress, analyze, analyze_all, analyze_reader};
pub use error::{Cause, Error};
