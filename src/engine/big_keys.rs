//! The scan that makes a big key analysis.

use std::path::Path;
use std::sync::Arc;

use super::dumps::{Dumps, filter};
use super::options::{Dump, Options};
use super::progress::Progress;
use super::together::Turns;
use crate::analysis::accumulator::Query;
use crate::analysis::{Analysis, Report};
use crate::error::{Error, ErrorKind};
use crate::input::{self, Company};
use crate::memory::{Allocator, Model, Target};
use crate::rdb::Context;

/// Analyzes one dump; `-` is standard input.
///
/// A dump that is damaged, or that is no dump at all, is a [`Report`] with [`Report::damage`] and the keys that were
/// found before it.
///
/// ```
/// # fn main() -> Result<(), bigkeys::Error> {
/// let report = bigkeys::analyze("fixtures/mixed_all_v10.rdb", &bigkeys::Options::default())?;
/// assert!(report.is_complete());
/// let biggest = report.keys.first().expect("the dump has keys");
/// println!("{}: {} {}", biggest.type_name(), biggest.size, biggest.unit().name());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened, [`ErrorKind::Options`] if the question cannot be put to this dump.
pub fn analyze(path: impl AsRef<Path>, options: &Options) -> Result<Report, Error> {
    analyze_all(&[Dump::from(path)], options, &Arc::default())
}

/// Analyzes several dumps as one, such as the shards of a cluster.
///
/// # Errors
/// As [`analyze`]; where a dump cannot be opened, none has been scanned.
pub fn analyze_all(dumps: &[Dump], options: &Options, progress: &Arc<Progress>) -> Result<Report, Error> {
    let mut all = Dumps::new(options, TaskQuery(options))?;
    all.add_files(dumps, progress)?;
    let shards: Vec<_> = dumps.iter().map(|dump| dump.shard.clone()).collect();
    Ok(all.report(&shards))
}

/// Dumps on their way through an analysis each.
///
/// ```
/// # fn main() -> Result<(), bigkeys::Error> {
/// let dumps = ["fixtures/mixed_all_v12.rdb", "fixtures/empty_v09.rdb"].map(bigkeys::Dump::from);
/// let options = bigkeys::Options::default();
/// let mut analyses = bigkeys::engine::Analyses::new(&dumps, &options);
/// while analyses.left() > 0 {
///     for report in analyses.analyze_next(&Default::default())? {
///         println!("{}", report?.keys.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Analyses<'d> {
    left: &'d [Dump],
    options: &'d Options,
    turns: Turns<Result<Report, Error>>,
}

impl<'d> Analyses<'d> {
    /// Analyses to come, of these dumps in this order.
    pub fn new(dumps: &'d [Dump], options: &'d Options) -> Self {
        Self { left: dumps, options, turns: Turns::new(options.workers()) }
    }

    /// How many dumps have not been analyzed yet.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Analyzes the next dump as [`analyze_all`] does, or the next few small ones side by side, and returns what came of each, in
    /// their order. Where `progress` is cancelled, those that had not begun stay [left](Self::left).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the threads cannot be started.
    pub fn analyze_next(&mut self, progress: &Arc<Progress>) -> Result<Vec<Result<Report, Error>>, Error> {
        let Self { left, options, turns } = self;
        let analyze = |dump: &Dump, company: &_| analyze_in(company, dump, options, progress);
        turns.read_off(left, |dump| &dump.path, progress, analyze)
    }
}

/// Analyzes one dump in this company.
fn analyze_in(company: &Company, dump: &Dump, options: &Options, progress: &Arc<Progress>) -> Result<Report, Error> {
    let mut one = Dumps::new(options, TaskQuery(options))?;
    one.add_file(dump, company, progress)?;
    Ok(one.report(std::slice::from_ref(&dump.shard)))
}

/// Analyzes a dump that comes out of any reader; `name` stands for it in messages.
///
/// # Errors
/// As [`analyze`].
pub fn analyze_reader(name: &str, reader: Box<dyn std::io::Read + Send>, options: &Options) -> Result<Report, Error> {
    let mut all = Dumps::new(options, TaskQuery(options))?;
    all.add(input::from_reader(name, reader), &Arc::default())?;
    Ok(all.report(&[None]))
}

/// The question of the task, as the options have it.
struct TaskQuery<'o>(&'o Options);

impl Query for TaskQuery<'_> {
    const IS_SIDE_BY_SIDE: bool = true;

    type Accumulator = Analysis;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Analysis, ErrorKind> {
        let mut question = self.0.question.clone();
        if let Some(context) = context {
            question.filter = filter(question.filter, context)?;
            if question.filter.needs_memory() && question.model.is_none() {
                question.model = Some(Model::new(Target::of(context), Allocator::default()));
            }
        }
        Ok(Analysis::new(Arc::new(question), number, Some(0)))
    }
}

impl Dumps<'_, TaskQuery<'_>> {
    fn report(self, shards: &[Option<String>]) -> Report {
        let mut report = self.accumulated.finish(shards);
        report.notes.splice(..0, self.notes);
        report.damage = self.damage;
        report
    }
}
