//! The scan that makes a report.

use std::sync::Arc;

use super::{All, Dump, Options, Progress, Read, filter};
use crate::analysis::gather::Ask;
use crate::error::{Cause, Error};
use crate::memory::Target;
use crate::rdb::{Context, Dialect};
use crate::report::census::Census;
use crate::report::{Asked, DumpInfo, Question, Report, Tally};

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
    let All { gathered, read, notes, damage, .. } = all;
    let infos = dumps.iter().zip(read).map(|(dump, read)| info(question, dump, read)).collect();
    Ok((Report::new(question, infos, gathered), notes, damage))
}

struct ReportAsk<'q>(&'q Question);

impl Ask for ReportAsk<'_> {
    type Gather = Census;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Census, Cause> {
        Ok(Census::new(asked(self.0, number, context)?, Some(0)))
    }
}

/// The question as it is put to one dump.
///
/// # Errors
/// As [`filter`].
pub(super) fn asked(question: &Question, number: u32, context: Option<&Context>) -> Result<Arc<Asked>, Cause> {
    let mut for_dump = question.filter.clone();
    let mut now_ms = question.filter.now_ms;
    if let Some(context) = context {
        for_dump = filter(for_dump, context)?;
        now_ms = now_ms.or_else(|| context.aux.created_at_seconds.map(|seconds| seconds.saturating_mul(1000)));
    }
    let target = question.target.or(context.map(Target::of)).unwrap_or(Target::Redis8_8);
    Ok(Asked::new(question, for_dump, number, now_ms.unwrap_or(0), target))
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
        functions: context.functions,
        functions_bytes: context.functions_bytes,
        used_memory_bytes: context.aux.used_memory_bytes,
        aux: context.aux.fields,
        is_complete: read.damage.is_none(),
        damage: read.damage,
        keys: Tally::default(),
    }
}
