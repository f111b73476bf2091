//! The scan that makes a report.

use std::sync::{Arc, Mutex};

use super::{All, Dump, Options, Progress, Read, filter};
use crate::analysis::accumulator::Query;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes};
use crate::memory::Target;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Dialect, Kind, header};
use crate::report::census::Census;
use crate::report::rows::{OnRow, Row, Rows};
use crate::report::{DumpInfo, KeyRow, QueryPlan, Question, Report, Tally, largest};

/// A report about dumps, with the notes and errors that belong to it. [`Options::question`] is not looked at.
///
/// # Errors
/// As [`super::analyze_all`].
pub fn report_all(
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(Report, Vec<String>, Vec<Error>), Error> {
    let mut all = All::new(options, ReportAsk(question))?;
    all.add_files(dumps, progress)?;
    let All { accumulated, read, notes, damage, .. } = all;
    let infos = dumps.iter().zip(read).map(|(dump, read)| info(question, dump, read)).collect();
    Ok((Report::new(question, infos, accumulated), notes, damage))
}

/// Looks into the values of the keys that a report lists, and says what their largest elements are, packed ones too. `dumps`
/// are those that the report was made of; gives notes on those that cannot be read twice.
///
/// # Errors
/// As [`super::analyze_all`] of those that can no longer be read.
pub fn look_into(report: &mut Report, dumps: &[Dump]) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for (number, dump) in dumps.iter().enumerate() {
        let name = dump.path.display();
        let lists = report.top.iter_mut().filter(|list| list.kind != Kind::String.name());
        let listed = lists.flat_map(|list| &mut list.keys).filter(|key| usize::try_from(key.dump) == Ok(number));
        let mut listed: Vec<&mut KeyRow> = listed.collect();
        if listed.is_empty() {
            continue;
        }
        let can_be_read_twice = dump.payload_key.is_none() && (dump.path.is_file() || dump.path.is_dir());
        let Some(Bytes::Mapped(map)) =
            can_be_read_twice.then(|| input::open(&dump.path)).transpose()?.map(|input| input.bytes)
        else {
            notes.push(format!("{name}: its keys were not looked into, which needs a dump in a file, not compressed"));
            continue;
        };
        let Ok(context) = header::read(&mut Slice::new(map.bytes(), 0)) else { continue };
        // A key is on up to six lists.
        listed.sort_by_key(|key| key.offset);
        let mut looked_into: Option<KeyRow> = None;
        for key in listed {
            match &looked_into {
                Some(same) if same.offset == key.offset => key.clone_from(same),
                _ => {
                    largest::look_into(map.bytes(), &context, key);
                    looked_into = Some(key.clone());
                }
            }
        }
        map.check().map_err(|cause| Error::new(name.to_string(), cause))?;
    }
    Ok(notes)
}

struct ReportAsk<'q>(&'q Question);

impl Query for ReportAsk<'_> {
    type Accumulator = Census;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Census, ErrorKind> {
        Ok(Census::new(asked(self.0, number, context)?, Some(0)))
    }
}

/// The question as it is put to one dump.
///
/// # Errors
/// As [`filter`].
pub(super) fn asked(question: &Question, number: u32, context: Option<&Context>) -> Result<Arc<QueryPlan>, ErrorKind> {
    let mut for_dump = question.filter.clone();
    let mut now_ms = question.filter.now_ms;
    if let Some(context) = context {
        for_dump = filter(for_dump, context)?;
        now_ms = now_ms.or_else(|| context.aux.created_at_seconds.map(|seconds| seconds.saturating_mul(1000)));
    }
    let target = question.target.or(context.map(Target::of)).unwrap_or(Target::Redis8_10);
    Ok(QueryPlan::new(question, for_dump, number, now_ms.unwrap_or(0), target))
}

fn info(question: &Question, dump: &Dump, read: Read) -> DumpInfo {
    let context = read.context.unwrap_or_else(|| Context::new(Dialect::Redis, 0));
    DumpInfo {
        name: dump.path.display().to_string(),
        shard: dump.shard.clone(),
        bytes: read.bytes,
        sha256: None,
        dialect: context.dialect.to_string(),
        rdb_version: context.version,
        target: question.target.unwrap_or_else(|| Target::of(&context)).to_string(),
        allocator: question.allocator.to_string(),
        server: None,
        functions: context.functions,
        functions_bytes: context.functions_bytes,
        used_memory_bytes: context.aux.used_memory_bytes,
        aux: context.aux.fields,
        is_complete: read.damage.is_none(),
        damage: read.damage,
        keys: Tally::default(),
    }
}

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
    on_row: impl FnMut(&Row) + Send,
) -> Result<(Vec<String>, Vec<Error>), Error> {
    // Rows wait in memory for those before them; where a record takes four bytes, those of a segment take sixty times that.
    let mut options = options.clone();
    if options.segment_bytes == 0 {
        options.segment_bytes = ROWS_SEGMENT_BYTES;
    }
    let on_row: OnRow<'_> = Arc::new(Mutex::new(on_row));
    let mut all = All::new(&options, RowsAsk { question, on_row })?;
    all.add_files(dumps, progress)?;
    Ok((all.notes, all.damage))
}

const ROWS_SEGMENT_BYTES: usize = 256 << 10;

struct RowsAsk<'q> {
    question: &'q Question,
    on_row: OnRow<'q>,
}

impl<'q> Query for RowsAsk<'q> {
    type Accumulator = Rows<'q>;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Rows<'q>, ErrorKind> {
        let on_row = context.map(|_| self.on_row.clone());
        Ok(Rows::new(asked(self.question, number, context)?, Some(0), on_row))
    }
}
