//! Many dumps in turn, the small ones among them side by side.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::{Options, Report, check_watched};
use crate::engine::Progress;
use crate::engine::segments::pool;
use crate::engine::together::side_by_side;
use crate::error::Error;
use crate::input::stored_bytes;

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
    /// Started with the first dumps that are checked side by side.
    pool: Option<ThreadPool>,
}

impl<'d> Checks<'d> {
    /// Checks to come, of these dumps in this order.
    pub fn new(dumps: &'d [PathBuf], options: &'d Options) -> Self {
        Self { left: dumps, options, pool: None }
    }

    /// How many dumps have not been checked yet.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Checks the next dump as [`check_watched`] does, or the next few small ones side by side, and returns what came of each,
    /// in their order. Where `progress` is cancelled, those that had not begun stay [left](Self::left).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the threads cannot be started.
    pub fn check_next(&mut self, progress: &Arc<Progress>) -> Result<Vec<Result<Report, Error>>, Error> {
        let workers = self.options.workers();
        let mut sizes = Vec::new();
        let asked = self.left.iter().map(|path| {
            let bytes = stored_bytes(path);
            sizes.push(bytes);
            (path.as_path(), bytes)
        });
        let together = side_by_side(asked, workers);
        let batch = self.left.get(..together).unwrap_or_default();
        // For one thread no size was asked for.
        sizes.extend(batch.iter().skip(sizes.len()).map(|path| stored_bytes(path)));
        progress.expect(sizes.iter().take(batch.len()).copied().sum());
        let options = self.options;
        let checked = match batch {
            [path] => vec![check_watched(path, options, progress)],
            batch => {
                let pool = match self.pool.take() {
                    Some(started) => self.pool.insert(started),
                    None => self.pool.insert(pool(workers).map_err(|cause| Error::new("", cause))?),
                };
                let check = |(at, path)| {
                    let is_wanted = at == 0 || !progress.is_cancelled();
                    is_wanted.then(|| check_watched(path, options, progress))
                };
                let checked: Vec<_> = pool.install(|| batch.par_iter().enumerate().map(check).collect());
                checked.into_iter().map_while(|checked| checked).collect()
            }
        };
        self.left = self.left.get(checked.len()..).unwrap_or_default();
        Ok(checked)
    }
}
