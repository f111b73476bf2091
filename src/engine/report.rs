//! The scan that makes a report.

use std::sync::Arc;

use super::dumps::{Dumps, Read, filter};
use super::options::{Dump, Options};
use super::progress::Progress;
use crate::analysis::accumulator::Query;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes};
use crate::memory::Target;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Dialect, Kind, header};
use crate::report::census::Census;
use crate::report::first_look::FirstLook;
use crate::report::name_sample::NameSample;
use crate::report::recount::{Recount, Wanted};
use crate::report::{DumpInfo, KeyRow, QueryPlan, Question, Report, Tally, largest, model_notes, unlike};

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
    let mut all = Dumps::new(options, ReportQuery(question))?;
    all.add_files(dumps, progress)?;
    let Dumps { accumulated, read, mut notes, damage, .. } = all;
    let mut counted = accumulated.close();
    let can_be_read_again = read.iter().all(|read| read.is_mapped) && !progress.is_cancelled();
    if can_be_read_again && counted.may_lack_prefixes() && options.threads != 1 {
        // What pieces of a scan may miss adds up; one thread misses less, and the same every time.
        let options = Options { threads: 1, ..options.clone() };
        return report_all(dumps, question, &options, progress);
    }
    if question.has_breakdown && !can_be_read_again {
        let stream = dumps.iter().zip(&read).find(|(_, read)| !read.is_mapped);
        let name = stream.map_or_else(String::new, |(dump, _)| format!("{}: ", input::shown(&dump.path)));
        notes.push(format!("{name}skipped the breakdown of prefixes and groups, which needs uncompressed files"));
    }
    let wanted = if question.has_breakdown { counted.candidate_prefixes() } else { counted.uncounted_prefixes() };
    if can_be_read_again && (!wanted.is_empty() || question.has_breakdown) {
        let wanted = Wanted::new(wanted, &question.separators, question.has_breakdown);
        let options = Options { verify: false, ..options.clone() };
        let mut again = Dumps::new(&options, RecountQuery { question, wanted })?;
        again.add_files(dumps, progress)?;
        // A file that changed meanwhile, or a scan that was ended, leaves the bounds as they are.
        let is_same = again.read.len() == read.len()
            && again.read.iter().zip(&read).all(|(again, read)| again.bytes == read.bytes);
        if is_same && !progress.is_cancelled() {
            counted.set_counted_again(again.accumulated);
        } else if question.has_breakdown {
            notes.push(
                "skipped the breakdown of prefixes and groups: the second scan did not end as the first".to_owned(),
            );
        }
    }
    notes.extend(notes_on_bits(dumps, &read));
    let infos = dumps.iter().zip(read).map(|(dump, read)| info(question, dump, read)).collect();
    let report = Report::new(question, infos, counted);
    for (number, dump) in report.dumps.iter().enumerate() {
        if let Some(first) = unlike::copy_of(dump, report.dumps.get(..number).unwrap_or_default()) {
            notes.push(format!("{}: the same dump as {}: its keys count again", dump.name, first.name));
        }
    }
    notes.extend(report.notes());
    // The table says it beside the prefixes; of those that are merely too long no one needs to be told aloud.
    notes.extend(report.prefixes.note().filter(|_| report.prefixes.heavy.is_some()));
    Ok((report, notes, damage))
}

/// Notes on dumps that no model is of.
pub(super) fn notes_on_bits(dumps: &[Dump], read: &[Read]) -> Vec<String> {
    let of_32_bits = |read: &Read| read.context.as_ref().is_some_and(model_notes::is_32_bit);
    let dumps = dumps.iter().zip(read).filter(|(_, read)| of_32_bits(read));
    dumps.map(|(dump, _)| format!("{}: {}", input::shown(&dump.path), model_notes::BITS_32)).collect()
}

/// The question with the separators of the dumps' own names: a look at ten thousand of them finds which bytes cut names into few
/// beginnings with many keys, and what names begin with that have none of these ([`Question::beginnings`]). What is wrong with the
/// dumps is not said: it is when the report is made.
///
/// # Errors
/// As [`super::analyze_all`]; [`ErrorKind::Options`] of a dump that can be read only once.
pub fn look_at_names(
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Question, Error> {
    let can_be_read_twice = |dump: &Dump| dump.path.is_file() || dump.path.is_dir() || input::is_url(&dump.path);
    if let Some(dump) = dumps.iter().find(|dump| !can_be_read_twice(dump)) {
        let what = "it can be read only once, and a first look at names reads it too; give the separators".to_owned();
        return Err(Error::new(input::shown(&dump.path), ErrorKind::Options(what)));
    }
    let options = Options { verify: false, ..options.clone() };
    let mut all = Dumps::new(&options, NamesQuery(question))?;
    all.add_files(dumps, progress)?;
    let FirstLook { separators, beginnings } = FirstLook::of(all.accumulated);
    Ok(Question { separators, beginnings, are_separators_found: true, ..question.clone() })
}

/// Looks into the values of the keys that a report lists, and says what their largest elements are, packed ones too. `dumps`
/// are those that the report was made of; gives notes on those that cannot be read twice.
///
/// # Errors
/// As [`super::analyze_all`] of those that can no longer be read.
pub fn look_into(report: &mut Report, dumps: &[Dump]) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for (number, dump) in dumps.iter().enumerate() {
        let name = input::shown(&dump.path);
        let is_other = |kind: &str| kind != Kind::String.name();
        let lists = report.top.iter_mut().filter(|list| is_other(&list.kind)).flat_map(|list| &mut list.keys);
        let largest = report.largest_keys.keys.iter_mut().filter(|key| is_other(&key.kind)).map(|key| &mut key.key);
        let listed = lists.chain(largest).filter(|key| usize::try_from(key.dump) == Ok(number));
        let mut listed: Vec<&mut KeyRow> = listed.collect();
        if listed.is_empty() {
            continue;
        }
        let can_be_read_twice = dump.payload_key.is_none() && (dump.path.is_file() || dump.path.is_dir());
        let Some(Bytes::Mapped(map)) =
            can_be_read_twice.then(|| input::open(&dump.path)).transpose()?.map(|input| input.bytes)
        else {
            notes.push(format!("{name}: skipped the search for largest elements, which needs an uncompressed file"));
            continue;
        };
        let Ok(context) = header::read(&mut Slice::new(map.bytes(), 0)) else { continue };
        // A key is on up to seven lists.
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
        map.check().map_err(|cause| Error::new(&name, cause))?;
    }
    report.has_largest_elements = true;
    Ok(notes)
}

struct ReportQuery<'q>(&'q Question);

impl Query for ReportQuery<'_> {
    const IS_SIDE_BY_SIDE: bool = true;

    type Accumulator = Census;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Census, ErrorKind> {
        Ok(Census::new(asked(self.0, number, context)?, Some(0)))
    }
}

/// Chooses some names of keys.
struct NamesQuery<'q>(&'q Question);

impl Query for NamesQuery<'_> {
    type Accumulator = NameSample;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<NameSample, ErrorKind> {
        Ok(NameSample::new(asked(self.0, number, context)?, Some(0)))
    }
}

/// Counts the keys under some prefixes once more.
struct RecountQuery<'q> {
    question: &'q Question,
    wanted: Arc<Wanted>,
}

impl Query for RecountQuery<'_> {
    const IS_SIDE_BY_SIDE: bool = true;

    type Accumulator = Recount;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Recount, ErrorKind> {
        Ok(Recount::new(asked(self.question, number, context)?, self.wanted.clone(), Some(0)))
    }
}

/// The question as it is put to one dump.
///
/// # Errors
/// As [`filter`].
pub(super) fn asked(question: &Question, number: u32, context: Option<&Context>) -> Result<Arc<QueryPlan>, ErrorKind> {
    let mut for_dump = question.filter.clone();
    if let Some(context) = context {
        for_dump = filter(for_dump, context)?;
    }
    let target = question.target.or(context.map(Target::of)).unwrap_or(Target::Redis8_10);
    let now_ms = moment(question, context);
    QueryPlan::new(question, for_dump, number, now_ms, target).map_err(ErrorKind::Options)
}

/// What times to live are measured from, in milliseconds since 1970, if it was given or the dump says when it was made.
fn moment(question: &Question, context: Option<&Context>) -> Option<i64> {
    let created_at = || context?.aux.created_at_seconds.map(|seconds| seconds.saturating_mul(1000));
    question.filter.now_ms.or_else(created_at)
}

fn info(question: &Question, dump: &Dump, read: Read) -> DumpInfo {
    let ttl_measured_at_ms = moment(question, read.context.as_ref());
    let target = |context: &Context| question.target.unwrap_or_else(|| Target::of(context));
    let of_model = |context: &Context| model_notes::of(context, target(context), question.allocator);
    let model_notes = read.context.as_ref().map(of_model).unwrap_or_default();
    let context = read.context.unwrap_or_else(|| Context::new(Dialect::Redis, 0));
    DumpInfo {
        name: input::shown(&dump.path),
        shard: dump.shard.clone(),
        bytes: read.bytes,
        sha256: None,
        checksum: read.checksum.map(|checksum| format!("{checksum:016x}")),
        dialect: context.dialect.to_string(),
        rdb_version: context.version,
        target: target(&context).to_string(),
        allocator: question.allocator.to_string(),
        model_notes,
        ttl_measured_at_ms,
        is_now_given: question.filter.now_ms.is_some(),
        server: None,
        functions: context.functions,
        functions_bytes: context.functions_bytes,
        used_memory_bytes: context.aux.used_memory_bytes,
        aux: context.aux.fields,
        is_complete: read.damage.is_none(),
        damage: read.damage,
        keys: Tally::default(),
        expiry_peaks: Vec::new(),
    }
}
