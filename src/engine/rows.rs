//! The scan that makes rows.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::dumps::Dumps;
use super::options::{Dump, Options};
use super::progress::Progress;
use super::report::{asked, notes_on_bits};
use crate::analysis::accumulator::Query;
use crate::error::{Error, ErrorKind};
use crate::rdb::Context;
use crate::report::rows::{Outlet, Rows};
use crate::report::{Name, Question, Row, RowBlock, oversized_note};

/// Rows wait in memory for those before them; where a record takes four bytes, those of a segment take thirty times that.
const SEGMENT_BYTES: usize = 128 << 10;

/// Rows of a block that are handed on one by one.
const ROWS_MAX: usize = 1024;

/// Hands each key of the dumps to `on_row`, in the order of the dumps; gives the notes and errors that belong to them.
/// [`Options::question`] is not looked at. To be given no more, `on_row` may call [`Progress::cancel`].
///
/// # Errors
/// As [`super::analyze_all`].
pub fn rows_all(
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
    mut on_row: impl FnMut(&Row) + Send,
) -> Result<(Vec<String>, Vec<Error>), Error> {
    let mut name = Name::default();
    row_blocks_all(dumps, question, options, progress, ROWS_MAX, |block| {
        for (cells, bytes) in block.rows() {
            let row = cells.row(std::mem::take(&mut name).refilled(bytes));
            on_row(&row);
            name = row.name;
        }
    })
}

/// As [`rows_all`], in blocks of `rows_max` rows: of fewer where their names take more than 2 MiB, and in the last. The blocks are
/// the same for any number of threads.
///
/// # Errors
/// As [`rows_all`].
pub fn row_blocks_all(
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
    rows_max: usize,
    on_block: impl FnMut(RowBlock) + Send,
) -> Result<(Vec<String>, Vec<Error>), Error> {
    let mut options = options.clone();
    if options.segment_bytes == 0 {
        options.segment_bytes = SEGMENT_BYTES;
    }
    let outlet = Arc::new(Mutex::new(Outlet::new(rows_max, on_block)));
    let mut all = Dumps::new(&options, RowsQuery { question, outlet: outlet.clone(), stop: progress.stop() })?;
    let added = all.add_files(dumps, progress);
    // What was found before a dump that cannot be opened counts.
    outlet.lock().unwrap_or_else(PoisonError::into_inner).flush();
    added?;
    let Dumps { accumulated, read, mut notes, damage, .. } = all;
    notes.extend(notes_on_bits(dumps, &read));
    if accumulated.oversized_names() > 0 {
        notes.push(oversized_note(accumulated.oversized_names(), "without a row"));
    }
    Ok((notes, damage))
}

struct RowsQuery<'q> {
    question: &'q Question,
    outlet: Arc<Mutex<Outlet<'q>>>,
    stop: Arc<AtomicBool>,
}

impl<'q> Query for RowsQuery<'q> {
    type Accumulator = Rows<'q>;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Rows<'q>, ErrorKind> {
        let plan = asked(self.question, number, context)?;
        Ok(Rows::new(plan, Some(0), Some(self.outlet.clone())).until(self.stop.clone()))
    }
}
