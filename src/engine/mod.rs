//! Who works when: a dump's bytes to a report, over a map on every core or over a stream in windows.

mod accumulated;
mod chain;
pub(crate) mod chunked;
pub(crate) mod dragonfly;
mod element_marks;
mod export;
mod guess;
mod progress;
mod recorded;
mod report;
pub(crate) mod resync;
mod scan;
mod segment_scan;
mod segmented;
mod segments;
mod stream;
pub(crate) mod tagged;
pub(crate) mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use accumulated::{Accumulated, Damaged};
pub use export::{Exported, STREAMED_VALUE_BYTES_MAX, export_all, export_at};
pub use progress::Progress;
pub use report::{look_into, report_all, rows_all};

use crate::analysis::accumulator::{Accumulator, Query};
use crate::analysis::filter::{Expired, Filter};
use crate::analysis::{Analysis, Question, Report};
use crate::error::{Error, ErrorKind};
use crate::input::commands::Commands;
use crate::input::{self, Bytes, Input};
use crate::rdb::entry::Damage;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Dialect, FormatElement, ParseError, ParseErrorKind, checksum};

/// How a dump is analyzed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What is asked.
    pub question: Question,
    /// Whether the checksum at the dump's end is verified.
    pub verify: bool,
    /// Whether to look for the next record behind damage that hides it, and go on. For files that are not compressed.
    pub resync: bool,
    /// How many threads scan a mapped file; 0 for one a core.
    pub threads: usize,
    /// Bytes of a segment of a mapped file; 0 for what suits its size and the threads. For tests.
    #[doc(hidden)]
    pub segment_bytes: usize,
    /// Bytes of a window over a stream. For tests.
    #[doc(hidden)]
    pub window_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            question: Question::default(),
            verify: true,
            resync: false,
            threads: 0,
            segment_bytes: 0,
            window_bytes: stream::WINDOW_BYTES,
        }
    }
}

/// A dump to be analyzed, and the shard it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Where it lies; `-` is standard input.
    pub path: PathBuf,
    /// `ip:port`, if it is one of a cluster's.
    pub shard: Option<String>,
    /// The key, if this is no dump but a DUMP command's answer.
    pub payload_key: Option<Vec<u8>>,
}

impl<P: AsRef<Path>> From<P> for Dump {
    fn from(path: P) -> Self {
        Self { path: path.as_ref().to_owned(), shard: None, payload_key: None }
    }
}

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
    let mut all = All::new(options, TaskAsk(options))?;
    all.add_files(dumps, progress)?;
    let shards: Vec<_> = dumps.iter().map(|dump| dump.shard.clone()).collect();
    Ok(all.report(&shards))
}

/// Analyzes a dump that comes out of any reader; `name` stands for it in messages.
///
/// # Errors
/// As [`analyze`].
pub fn analyze_reader(name: &str, reader: Box<dyn std::io::Read + Send>, options: &Options) -> Result<Report, Error> {
    let mut all = All::new(options, TaskAsk(options))?;
    all.add(input::from_reader(name, reader), &Arc::default())?;
    Ok(all.report(&[None]))
}

/// The question of the task, as the options have it.
struct TaskAsk<'o>(&'o Options);

impl Query for TaskAsk<'_> {
    type Accumulator = Analysis;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Analysis, ErrorKind> {
        let mut question = self.0.question.clone();
        if let Some(context) = context {
            question.filter = filter(question.filter, context)?;
        }
        Ok(Analysis::new(Arc::new(question), number, Some(0)))
    }
}

/// Several dumps on their way into one answer.
struct All<'o, A: Query> {
    options: &'o Options,
    ask: A,
    accumulated: A::Accumulator,
    dumps: u32,
    notes: Vec<String>,
    damage: Vec<Error>,
    read: Vec<Read>,
    /// The files (`.dfs`) that belong to a snapshot of Dragonfly: name, the snapshot's ID, and how many shards it says there are.
    snapshots: Vec<(String, String, Option<u64>)>,
}

/// A dump that was read, as far as it could be.
struct Read {
    /// What its start says; of a file that is no dump, nothing.
    context: Option<Context>,
    bytes: u64,
    /// Why it was not read to its end, or is not sound.
    damage: Option<String>,
}

impl<'o, A: Query> All<'o, A> {
    fn new(options: &'o Options, ask: A) -> Result<Self, Error> {
        let accumulated = ask.begin(0, None).map_err(|cause| Error::new("", cause))?;
        Ok(Self {
            options,
            ask,
            accumulated,
            dumps: 0,
            notes: Vec::new(),
            damage: Vec::new(),
            read: Vec::new(),
            snapshots: Vec::new(),
        })
    }

    /// Takes in files, unless one of them cannot be opened: then none.
    fn add_files(&mut self, dumps: &[Dump], progress: &Arc<Progress>) -> Result<(), Error> {
        let mut total_bytes = Some(0);
        for dump in dumps {
            let bytes = input::look_at(&dump.path)?;
            total_bytes = total_bytes.zip(bytes).map(|(total, bytes)| total + bytes);
        }
        progress.expect(total_bytes);
        for dump in dumps {
            let input = match &dump.payload_key {
                Some(key) => input::open_payload(&dump.path, key),
                None => input::open(&dump.path),
            };
            self.add(input, progress)?;
            if progress.is_cancelled() {
                break;
            }
        }
        self.check_snapshots();
        Ok(())
    }

    /// Takes in the next dump, or why it is none.
    ///
    /// # Errors
    /// Those that are not about the dump.
    fn add(&mut self, input: Result<Input, Error>, progress: &Arc<Progress>) -> Result<(), Error> {
        let number = self.dumps;
        self.dumps += 1;
        let input = match input {
            Err(error) if error.is_about_dump() => {
                self.read.push(Read { context: None, bytes: 0, damage: Some(error.to_string()) });
                self.damage.push(error);
                return Ok(());
            }
            input => input?,
        };
        let name = input.name.clone();
        let scanned = analyze_input(input, number, self.options, &self.ask, progress)?;
        let Scanned { context, bytes, .. } = scanned;
        let damage = scanned.damage.last().map(ToString::to_string);
        self.read.push(Read { context: Some(context), bytes, damage });
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
        Ok(())
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

impl All<'_, TaskAsk<'_>> {
    fn report(self, shards: &[Option<String>]) -> Report {
        let mut report = self.accumulated.finish(shards);
        report.notes = self.notes;
        report.damage = self.damage;
        report
    }
}

/// What came of one dump.
struct Scanned<G> {
    accumulated: G,
    context: Context,
    bytes: u64,
    notes: Vec<String>,
    damage: Vec<Error>,
    /// The ID of the snapshot of Dragonfly that it belongs to, and the number of shards it states.
    snapshot: Option<(String, Option<u64>)>,
}

/// How a scan over a dump's bytes ended.
struct Outcome<G> {
    found: Accumulated<G>,
    /// The end, or the damage that came before it.
    ending: Result<Ending, Box<Damage>>,
    /// How many bytes the dump has, inflated; where it was not read to its end, as far as it was.
    dump_bytes: u64,
    /// Where the scan was told to end, if it was.
    cancelled_at: Option<u64>,
}

impl<G: Accumulator> Outcome<G> {
    /// What comes of a dump whose start cannot be read, with a context that says nothing of it.
    fn without_start<A: Query<Accumulator = G>>(
        ask: &A,
        number: u32,
        error: ParseError,
        dump_bytes: u64,
    ) -> Result<(Context, Self), ErrorKind> {
        let outcome = Self {
            found: Accumulated::new(ask.begin(number, None)?),
            ending: Err(error.into()),
            dump_bytes,
            cancelled_at: None,
        };
        Ok((Context::new(Dialect::Redis, 0), outcome))
    }
}

/// What stands at a dump's end.
struct Ending {
    /// Offset behind the EOF opcode.
    offset: u64,
    /// The checksum of all before it, if it was to be computed.
    computed: Option<u64>,
    /// The bytes that follow: the checksum if the version has one, then what should not be there.
    stored: Option<u64>,
    trailing_bytes: u64,
    /// The commands in them, if they may be an append-only file's.
    commands: Commands,
}

impl Ending {
    /// What stands behind the EOF opcode of a dump in memory, of whose bytes up to `offset` the checksum may be computed.
    fn in_memory(dump: &[u8], context: &Context, offset: u64, computed: Option<u64>) -> Self {
        let mut rest = Slice::new(dump, offset);
        let stored = if context.has_checksum() { rest.parse(FormatElement::Checksum, u64_le).ok() } else { None };
        let trailing_bytes = rest.rest().len() as u64;
        let commands = Commands::behind(context.aux.is_aof_preamble, rest.rest());
        Self { offset, computed, stored, trailing_bytes, commands }
    }
}

fn analyze_input<A: Query>(
    input: Input,
    number: u32,
    options: &Options,
    ask: &A,
    progress: &Arc<Progress>,
) -> Result<Scanned<A::Accumulator>, Error> {
    let Input { name, bytes, burst_bytes, read_bytes, notes: input_notes, kind, .. } = input;
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
            Ok(scanned)
        }
    }
}

/// The filter as it is put to one dump: what depends on the dump's own time is filled in.
///
/// # Errors
/// [`ErrorKind::Options`] if expired keys are to be told from others and the dump does not say when it was made.
fn filter(mut filter: Filter, context: &Context) -> Result<Filter, ErrorKind> {
    if filter.expired != Expired::Keep && filter.now_ms.is_none() {
        let Some(seconds) = context.aux.created_at_seconds else {
            let what =
                "the dump does not say when it was made, so no key can be called expired: give the time with --now";
            return Err(ErrorKind::Options(what.to_owned()));
        };
        filter.now_ms = Some(seconds.saturating_mul(1000));
    }
    Ok(filter)
}

/// Judges how a scan ended.
fn conclude<G>(name: &str, context: Context, outcome: Outcome<G>, broken_input: Option<ErrorKind>) -> Scanned<G> {
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
    let cause = match (cancelled.or(broken_input), ending) {
        (Some(cause), _) => Some(cause),
        (None, Err(damage)) => Some(ErrorKind::Damaged { damage, dump_bytes }),
        (None, Ok(ending)) => judge_ending(name, &context, &ending, &mut notes),
    };
    // Zeros in the place of lost pages are damage to each value that had them, and none of the dump's.
    let damaged = if is_broken { Damaged::default() } else { damaged };
    let keys = damaged.listed.into_iter().map(|damage| ErrorKind::Damaged { damage: Box::new(damage), dump_bytes });
    let unlisted = (damaged.unlisted > 0).then_some(ErrorKind::DamagedKeys { more: damaged.unlisted });
    let damage = keys.chain(unlisted).chain(cause).map(|cause| Error::new(name, cause)).collect();
    let snapshot = context.aux.snapshot_id.clone().map(|id| (id, context.aux.shard_count));
    Scanned { accumulated, context, bytes: dump_bytes, notes, damage, snapshot }
}

fn judge_ending(name: &str, context: &Context, ending: &Ending, notes: &mut Vec<String>) -> Option<ErrorKind> {
    let Ending { offset, computed, stored, trailing_bytes: bytes, ref commands } = *ending;
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
    if let Some(what) = commands.say().filter(|_| context.aux.is_aof_preamble) {
        notes.push(format!("{name}: {what}; they are not analyzed"));
        return None;
    }
    (bytes > 0).then_some(ErrorKind::Trailing { offset: dump_end, bytes })
}
