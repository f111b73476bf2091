//! Several dumps into one answer: each is opened, scanned over a map or over a stream, and judged by how its scan ended.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::accumulated::{Accumulated, Damaged};
use super::options::{Dump, Options};
use super::outcome::{Ending, Outcome};
use super::progress::Progress;
use super::together::Turns;
use super::{resync, segments, stream};
use crate::analysis::accumulator::{Accumulator, Query};
use crate::analysis::filter::{Expired, Filter};
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes, Company, Input};
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind, checksum};

/// Several dumps on their way into one answer.
pub(super) struct Dumps<'o, A: Query> {
    options: &'o Options,
    ask: A,
    pub(super) accumulated: A::Accumulator,
    opened: u32,
    pub(super) notes: Vec<String>,
    pub(super) damage: Vec<Error>,
    pub(super) read: Vec<Read>,
    /// The files (`.dfs`) that belong to a snapshot of Dragonfly: name, the snapshot's ID, and how many shards it says there are.
    snapshots: Vec<(String, String, Option<u64>)>,
}

/// A dump that was read, as far as it could be.
pub(super) struct Read {
    /// What its start says; of a file that is no dump, nothing.
    pub(super) context: Option<Context>,
    pub(super) bytes: u64,
    pub(super) checksum: Option<u64>,
    /// Why it was not read to its end, or is not sound.
    pub(super) damage: Option<String>,
    /// Whether it was scanned in a mapped file, which can be scanned again.
    pub(super) is_mapped: bool,
}

impl<'o, A: Query> Dumps<'o, A> {
    pub(super) fn new(options: &'o Options, ask: A) -> Result<Self, Error> {
        let accumulated = ask.begin(0, None).map_err(|cause| Error::new("", cause))?;
        Ok(Self {
            options,
            ask,
            accumulated,
            opened: 0,
            notes: Vec::new(),
            damage: Vec::new(),
            read: Vec::new(),
            snapshots: Vec::new(),
        })
    }

    /// Takes in files, unless one of them cannot be opened: then none.
    pub(super) fn add_files(&mut self, dumps: &[Dump], progress: &Arc<Progress>) -> Result<(), Error> {
        let mut sizes = Vec::with_capacity(dumps.len());
        for dump in dumps {
            sizes.push(input::look_at(&dump.path)?.stored_bytes);
        }
        progress.expect(sizes.iter().copied().sum());
        let mut turns = Turns::new(self.options.workers());
        let (mut dumps, mut sizes) = (dumps, sizes.as_slice());
        while !dumps.is_empty() {
            let left = dumps.iter().map(|dump| dump.path.as_path()).zip(sizes.iter().copied());
            let count = if A::IS_SIDE_BY_SIDE { turns.next_dumps(left) } else { 1 };
            let next = dumps.get(..count).unwrap_or_default();
            let (first, options, ask) = (self.opened, self.options, &self.ask);
            let number = |at| first.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let look_at = |at, dump: &Dump, company: &_| look(open(dump, company), number(at), options, ask, progress);
            let looked = turns.read_next(next, progress, look_at)?;
            dumps = dumps.get(looked.len()..).unwrap_or_default();
            sizes = sizes.get(looked.len()..).unwrap_or_default();
            for looked in looked {
                self.take(looked?);
            }
            if progress.is_cancelled() {
                break;
            }
        }
        self.check_snapshots();
        Ok(())
    }

    /// Takes in the only file, which is read in this company.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn add_file(&mut self, dump: &Dump, company: &Company, progress: &Arc<Progress>) -> Result<(), Error> {
        self.add(open(dump, company), progress)?;
        self.check_snapshots();
        Ok(())
    }

    /// Takes in the next dump, or why it is none.
    ///
    /// # Errors
    /// Those that are not about the dump.
    pub(super) fn add(&mut self, input: Result<Input, Error>, progress: &Arc<Progress>) -> Result<(), Error> {
        let looked = look(input, self.opened, self.options, &self.ask, progress)?;
        self.take(looked);
        Ok(())
    }

    fn take(&mut self, looked: Result<Looked<A::Accumulator>, Error>) {
        self.opened += 1;
        let Looked { name, is_mapped, scanned } = match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.read.push(Read {
                    context: None,
                    bytes: 0,
                    checksum: None,
                    damage: Some(error.to_string()),
                    is_mapped: true,
                });
                self.damage.push(error);
                return;
            }
        };
        let Scanned { mut context, bytes, checksum, .. } = scanned;
        // Of many dumps with many templates, those of the one at hand are enough.
        context.template_fields = HashMap::new();
        let damage = scanned.damage.last().map(ToString::to_string);
        self.read.push(Read { context: Some(context), bytes, checksum, damage, is_mapped });
        self.notes.extend(scanned.notes);
        // A snapshot in one file, an RDB, has no others.
        let is_of_many = Path::new(&name).extension().is_some_and(|extension| extension == "dfs");
        let snapshot = scanned.snapshot.filter(|_| is_of_many);
        self.snapshots.extend(snapshot.map(|(id, shards)| (name.clone(), id, shards)));
        self.damage.extend(scanned.damage);
        if let Err(kind) = self.accumulated.merge(scanned.accumulated) {
            let damage = ParseError { offset: 0, kind, element: FormatElement::Key, declared: 0 }.into();
            self.damage.push(Error::new(name, ErrorKind::Damaged { damage, dump_bytes: 0 }));
        }
    }

    /// Whether the files of Dragonfly's snapshots make one snapshot, and all of it.
    fn check_snapshots(&mut self) {
        let Some((_, first_id, _)) = self.snapshots.first() else { return };
        for (name, id, shards) in &self.snapshots {
            let files = self.snapshots.len() as u64 - 1;
            let what = if id != first_id {
                "this file is of another snapshot than the first one given".to_owned()
            } else if let Some(shards) = shards.filter(|shards| *shards != files) {
                format!("the snapshot has {shards} shard files beside this summary, {files} are given: give them all")
            } else {
                continue;
            };
            self.damage.push(Error::new(name, ErrorKind::Refused(what)));
        }
    }
}

fn open(dump: &Dump, company: &Company) -> Result<Input, Error> {
    match &dump.payload_key {
        Some(key) => input::open_payload(&dump.path, key),
        None => input::open_with(&dump.path, company),
    }
}

/// A dump that was scanned.
struct Looked<G> {
    name: String,
    is_mapped: bool,
    scanned: Scanned<G>,
}

/// Scans a dump, or says why it is none.
///
/// # Errors
/// Those that are not about the dump.
fn look<A: Query>(
    input: Result<Input, Error>,
    number: u32,
    options: &Options,
    ask: &A,
    progress: &Arc<Progress>,
) -> Result<Result<Looked<A::Accumulator>, Error>, Error> {
    let input = match input {
        Err(error) if error.is_about_dump() => return Ok(Err(error)),
        input => input?,
    };
    let (name, is_mapped) = (input.name.clone(), matches!(input.bytes, Bytes::Mapped(_)));
    Ok(Ok(Looked { name, is_mapped, scanned: analyze_input(input, number, options, ask, progress)? }))
}

/// What came of one dump.
pub(super) struct Scanned<G> {
    accumulated: G,
    context: Context,
    bytes: u64,
    /// The checksum that stands at its end, or the one of its bytes where that is zero or missing.
    checksum: Option<u64>,
    pub(super) notes: Vec<String>,
    pub(super) damage: Vec<Error>,
    /// The ID of the snapshot of Dragonfly that it belongs to, and the number of shards it states.
    snapshot: Option<(String, Option<u64>)>,
}

fn analyze_input<A: Query>(
    input: Input,
    number: u32,
    options: &Options,
    ask: &A,
    progress: &Arc<Progress>,
) -> Result<Scanned<A::Accumulator>, Error> {
    let Input { name, bytes, burst_bytes, read_bytes, late_note, notes: input_notes, kind, .. } = input;
    let notes = input_notes.into_iter().map(|note| format!("{name}: {note}; they are not analyzed"));
    let notes: Vec<String> = notes.chain(kind.map(|what| format!("{name}: {what}"))).collect();
    match bytes {
        Bytes::Mapped(map) => {
            let scan = segments::Scan { map: &map, number, options, progress, ask };
            let (context, mut outcome) = scan.run().map_err(|cause| Error::new(&name, cause))?;
            let skipped = if options.resync && outcome.cancelled_at.is_none() {
                resync::go_on(map.bytes(), &context, &mut outcome, options.verify)
            } else {
                Vec::new()
            };
            // Damage in a file that changed is not the dump's: the change is what to tell.
            let mut scanned = conclude(&name, context, outcome, map.check().err());
            scanned.damage.splice(..0, skipped.into_iter().map(|cause| Error::new(&name, cause)));
            scanned.notes.splice(..0, notes);
            Ok(scanned)
        }
        Bytes::Stream(_) if options.resync => {
            let what = "only a file that is not compressed can be resynchronized: store it as one first";
            Err(Error::new(&name, ErrorKind::Options(what.to_owned())))
        }
        Bytes::Stream(reader) => {
            let scan = stream::Scan { reader, burst_bytes, number, options, progress, read_bytes, ask };
            let (context, outcome, failure) = scan.run().map_err(|cause| Error::new(&name, cause))?;
            let read_bytes = outcome.dump_bytes;
            let broken_input = failure.map(|source| input::read_error(source, read_bytes));
            let mut scanned = conclude(&name, context, outcome, broken_input);
            scanned.notes.splice(..0, notes);
            scanned.notes.extend(late_note.get().map(|note| format!("{name}: {note}")));
            Ok(scanned)
        }
    }
}

/// The filter as it is put to one dump: what depends on the dump's own time is filled in.
///
/// # Errors
/// [`ErrorKind::Options`] if it depends on the time and the dump does not say when it was made.
pub(super) fn filter(mut filter: Filter, context: &Context) -> Result<Filter, ErrorKind> {
    if filter.needs_now() && filter.now_ms.is_none() {
        let Some(seconds) = context.aux.created_at_seconds else {
            let option = if filter.expired == Expired::Keep { "--ttl" } else { "--expired" };
            let what =
                format!("the dump does not say when it was made, which {option} needs; use --now to give the time");
            return Err(ErrorKind::Options(what));
        };
        filter.now_ms = Some(seconds.saturating_mul(1000));
    }
    Ok(filter)
}

/// The damage that cost one key each.
pub(super) fn damaged_keys(damaged: Damaged, dump_bytes: u64) -> impl Iterator<Item = ErrorKind> {
    let keys =
        damaged.listed.into_iter().map(move |damage| ErrorKind::Damaged { damage: Box::new(damage), dump_bytes });
    keys.chain((damaged.unlisted > 0).then_some(ErrorKind::DamagedKeys { more: damaged.unlisted }))
}

/// Judges how a scan ended.
pub(super) fn conclude<G>(
    name: &str,
    context: Context,
    outcome: Outcome<G>,
    broken_input: Option<ErrorKind>,
) -> Scanned<G> {
    let Outcome { found: Accumulated { accumulated, damaged }, ending, dump_bytes, cancelled_at } = outcome;
    let mut notes = Vec::new();
    if context.is_newer_than_known() {
        notes.push(format!(
            "{name}: version {} of the {} format is newer than this program; what it knows, it read",
            context.version, context.dialect
        ));
    }
    let cancelled = cancelled_at.map(|offset| ErrorKind::Cancelled { offset });
    let is_broken = broken_input.is_some();
    let checksum =
        ending.as_ref().ok().and_then(|ending| ending.stored.filter(|stored| *stored != 0).or(ending.computed));
    let cause = match (cancelled.or(broken_input), ending) {
        (Some(cause), _) => Some(cause),
        (None, Err(damage)) => Some(ErrorKind::Damaged { damage, dump_bytes }),
        (None, Ok(ending)) => judge_ending(name, &context, &ending, &mut notes),
    };
    // Zeros in the place of lost pages are damage to each value that had them, and none of the dump's.
    let damaged = if is_broken { Damaged::default() } else { damaged };
    let damage = damaged_keys(damaged, dump_bytes).chain(cause).map(|cause| Error::new(name, cause)).collect();
    let snapshot = context.aux.snapshot_id.clone().map(|id| (id, context.aux.shard_count));
    Scanned { accumulated, context, bytes: dump_bytes, checksum, notes, damage, snapshot }
}

fn judge_ending(name: &str, context: &Context, ending: &Ending, notes: &mut Vec<String>) -> Option<ErrorKind> {
    let Ending { offset, computed, stored, ref tail } = *ending;
    let bytes = tail.bytes;
    let dump_end = if context.has_checksum() { offset + checksum::BYTES } else { offset };
    match (stored, computed) {
        (None, _) if context.has_checksum() => {
            let error = ParseError {
                offset,
                kind: ParseErrorKind::Eof,
                element: FormatElement::Checksum,
                declared: checksum::BYTES,
            };
            return Some(ErrorKind::Damaged { damage: error.into(), dump_bytes: offset + bytes });
        }
        // A stored zero says that the server was told not to compute one.
        (Some(stored), Some(computed)) if stored != 0 && stored != computed => {
            return Some(ErrorKind::Checksum { stored, computed, offset });
        }
        _ => {}
    }
    if tail.is_empty() {
        return None;
    }
    if let Some(commands) = tail.commands(context.aux.is_aof_preamble) {
        notes.push(format!("{name}: {}; they are not analyzed", commands.say()));
        return None;
    }
    if let Some(what) = tail.harmless() {
        notes.push(format!("{name}: ignored {what} after the end of the dump"));
        return None;
    }
    Some(ErrorKind::Trailing { offset: dump_end, bytes })
}
