//! Many dumps in turn, the small ones among them side by side.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Options, Report, check_in};
use crate::engine::Progress;
use crate::engine::together::Turns;
use crate::error::Error;

/// Dumps on their way through a check.
///
/// ```
/// # fn main() -> Result<(), bigkeys::Error> {
/// let dumps = ["fixtures/mixed_all_v12.rdb".into(), "fixtures/empty_v09.rdb".into()];
/// let options = bigkeys::check::Options::default();
/// let mut checks = bigkeys::check::Checks::new(&dumps, &options);
/// while checks.left() > 0 {
///     for report in checks.check_next(&Default::default())? {
///         println!("{}", report?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Checks<'d> {
    left: &'d [PathBuf],
    options: &'d Options,
    turns: Turns<Result<Report, Error>>,
}

impl<'d> Checks<'d> {
    /// Checks to come, of these dumps in this order.
    pub fn new(dumps: &'d [PathBuf], options: &'d Options) -> Self {
        Self { left: dumps, options, turns: Turns::new(options.workers()) }
    }

    /// How many dumps have not been checked yet.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Checks the next dump as [`super::check_watched`] does, or the next few small ones side by side, and returns what came of
    /// each, in their order. Where `progress` is cancelled, those that had not begun stay [left](Self::left).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the threads cannot be started.
    pub fn check_next(&mut self, progress: &Arc<Progress>) -> Result<Vec<Result<Report, Error>>, Error> {
        let Self { left, options, turns } = self;
        turns.read_off(left, PathBuf::as_path, progress, |path, company| check_in(company, path, options, progress))
    }
}
