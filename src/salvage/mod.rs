//! What can be saved of a damaged dump, as a dump that servers load.
//!
//! The walk of a check, with a sink that copies: the header, auxiliary fields, and every sound key byte for byte, each
//! database in front of its keys; then a fresh end. What only hints at sizes is left out, since it is no longer true. The
//! last records wait before they are written, until no damage behind them gives reason to doubt them.
//!
//! A map is read twice: a check on every core finds the records in which something is wrong, then one thread copies, and looks
//! into the values of those alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use crate::check::Checksum;
use crate::check::flawed::{FlawedRecords, flawed_records};
use crate::check::recent::{RECENT_MAX, Recent};
use crate::check::record::{Record, Sink, What};
use crate::check::walk::Walk;
use crate::check::watched::Watched;
use crate::engine::Progress;
use crate::engine::resync::Resyncs;
use crate::error::{Error, ErrorKind, name_text, words};
use crate::input::tail::Tail;
use crate::input::{self, Bytes, Input};
use crate::rdb::deep::{Distinct, is_tolerated};
use crate::rdb::entry::Damage;
use crate::rdb::packed::Text;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::writer::Writer;
use crate::rdb::{Context, Dialect, FormatElement, ParseError, ParseErrorKind, ValueType, checksum, header};

/// Losses that are listed; more than these are counted.
const LOST_MAX: usize = 10_000;

/// Bytes of all names in the list.
const LOST_BYTES_MAX: usize = 8 << 20;

/// Databases whose keys are compared with what the dump says of them.
const DATABASES_MAX: usize = 10_000;

/// What was saved, and what was not.
#[derive(Debug, Default, Serialize)]
pub struct SalvageReport {
    /// The dump as the caller named it.
    pub dump: String,
    /// Whether the dump was sound, so that nothing was lost.
    pub complete: bool,
    /// Keys that were written.
    pub keys_written: u64,
    /// Those of them that stand behind a stretch that was skipped: their database is the last one known.
    pub keys_resynchronized: u64,
    /// Keys, functions and other records that were read but are damaged or doubtful, so they were left out.
    pub records_lost: u64,
    /// Bytes of the dump.
    pub dump_bytes: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// What the dump's own checksum says.
    pub checksum: Checksum,
    /// Stretches that could not be read, or not be trusted; what was in them is lost.
    pub skipped: Vec<SkippedRange>,
    /// What was left out, in the dump's order.
    pub lost: Vec<LostRecord>,
    /// How many more losses there are.
    pub lost_unlisted: u64,
    /// Bytes after the dump's end, which are not copied.
    pub trailing_bytes: u64,
    /// Of a dump that is cut: how many bytes are missing at least, which are the rest of the record that it ends in and the
    /// end record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_missing_min: Option<u64>,
    /// Databases of which fewer keys were written than the dump says they have (RESIZEDB, since version 7), by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases_short: Vec<ShortDatabase>,
    /// What else is not in what was saved, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip)]
    lost_bytes: usize,
}

/// A stretch that could not be read, or not be trusted.
#[derive(Debug, Serialize)]
pub struct SkippedRange {
    /// Offset of its first byte.
    pub from: u64,
    /// Offset of the next record that looks right, or of the end.
    pub to: u64,
    /// How many bytes that is.
    pub bytes: u64,
    /// What is wrong in it.
    pub why: String,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u64>,
    /// The name of the key that was being read, escaped as in [`LostRecord`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name without loss, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
}

/// A database of which keys are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShortDatabase {
    /// Its number.
    pub db: u64,
    /// How many keys the dump says it has.
    pub keys_stated: u64,
    /// How many were written.
    pub keys_written: u64,
    /// How many are missing.
    pub keys_missing: u64,
}

/// Something that was left out.
#[derive(Debug, Serialize)]
pub struct LostRecord {
    /// Where its record begins.
    pub offset: u64,
    /// How many bytes it takes.
    pub bytes: u64,
    /// Why it was left out.
    pub why: String,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u64>,
    /// The name of the key; where it is not UTF-8, each offending byte is written as `\xff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name without loss, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    /// Kind and encoding of the key's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
}

/// Saves what can be saved of the dump at `path` to `out`.
///
/// # Errors
/// [`ErrorKind::Refused`] if it is no dump, [`ErrorKind::Options`] if it is compressed or comes through a pipe, [`ErrorKind::Io`] if
/// it cannot be read or `out` cannot be written, [`ErrorKind::Changed`] if it changed meanwhile.
pub fn salvage(path: impl AsRef<Path>, out: &mut dyn Write) -> Result<SalvageReport, Error> {
    salvage_watched(path, out, &Progress::default())
}

/// Saves what can be saved as [`salvage`] does, and says meanwhile how far it is.
///
/// # Errors
/// As [`salvage`], and [`ErrorKind::Cancelled`] if `progress` was cancelled: then what was written is not a whole dump.
pub fn salvage_watched(
    path: impl AsRef<Path>,
    out: &mut dyn Write,
    progress: &Progress,
) -> Result<SalvageReport, Error> {
    let input = input::open_for_any_order(path.as_ref(), || !progress.is_cancelled())?;
    let failed = |cause| Error::new(&input.name, cause);
    let Bytes::Mapped(map) = &input.bytes else {
        return Err(failed(ErrorKind::Options(not_mapped(&input))));
    };
    if header::read(&mut Slice::new(map.bytes(), 0)).is_ok_and(|context| context.dialect == Dialect::Dragonfly) {
        let what = "a dump of Dragonfly cannot be salvaged: its records lie in compressed blobs";
        return Err(failed(ErrorKind::Options(what.to_owned())));
    }
    let flawed = flawed_records(map, progress).map_err(failed)?;
    let account = copy_sound(map.bytes(), flawed, out, &progress.uncounted());
    map.check().map_err(failed)?;
    if account.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) && progress.is_cancelled() {
        return Err(failed(ErrorKind::Cancelled { offset: progress.done_bytes() }));
    }
    let mut account = account.map_err(|source| failed(ErrorKind::Io { doing: "write what was saved", source }))?;
    account.dump.clone_from(&input.name);
    account.complete &= input.notes.is_empty() && input.kind.is_none();
    account.notes.extend(input.notes.iter().map(|note| format!("{note}; they are not saved")));
    account.notes.extend(input.kind);
    Ok(account)
}

/// Why a dump that is not mapped is not salvaged, and how to come by one that is.
fn not_mapped(input: &Input) -> String {
    let what = "only a dump in a file of its own can be salvaged";
    match input.inflate_command {
        Some(command) => format!("{what}: inflate it first: {command} FILE > dump.rdb"),
        None => format!("{what}: store it as one, not compressed, first"),
    }
}

/// Saves what can be saved of a dump in memory to `out`. Bytes without a dump's magic give an account of nothing.
///
/// # Errors
/// Those of `out`.
pub fn salvage_bytes(dump: &[u8], out: &mut dyn Write) -> io::Result<SalvageReport> {
    copy_sound(dump, None, out, &Progress::default())
}

/// Copies what is sound of a dump in memory. If it is not known in which records something is wrong, all are looked into.
///
/// # Errors
/// Those of `out`, and [`io::ErrorKind::Interrupted`] if `progress` was cancelled.
fn copy_sound(
    dump: &[u8],
    flawed: Option<FlawedRecords>,
    out: &mut dyn Write,
    progress: &Progress,
) -> io::Result<SalvageReport> {
    let mut source = Slice::new(dump, 0);
    let account = SalvageReport { dump_bytes: dump.len() as u64, ..SalvageReport::default() };
    let Ok(mut walk) = Walk::start(&mut source, flawed.is_none()) else { return Ok(account) };
    let names = match flawed {
        None => KeyNames::All(Distinct::default()),
        Some(FlawedRecords { all, names_of_two }) => {
            walk.look_into(all);
            let untaken = |names: BTreeSet<Vec<u8>>| names.into_iter().map(|name| (name, false)).collect();
            KeyNames::OfTwo(names_of_two.into_iter().map(|(db, names)| (db, untaken(names))).collect())
        }
    };
    let mut copier = Copier::new(dump, out, account, names);
    copier.put(0..source.offset())?;
    let mut resyncs = Resyncs::new(true);
    let is_ended = loop {
        let mut watched = Watched::over_memory(&mut copier, progress, source.offset());
        let stop = walk.run(&mut source, &mut watched);
        let is_cancelled = watched.is_cancelled;
        drop(watched);
        if let Some(error) = copier.error.take() {
            return Err(error);
        }
        if is_cancelled {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let judged = resyncs.judge(dump, &walk.context, stop, walk.record_start + 1);
        let Err((damage, next)) = judged else { break true };
        let from = copier.recent.doubtful_from(&damage, walk.record_start);
        copier.doubt(from, damage.error);
        copier.recent.clear();
        copier.flush(0)?;
        let to = next.unwrap_or(dump.len() as u64);
        copier.skip(from, to, &damage);
        copier.is_resynchronized = true;
        if next.is_none() {
            copier.account.bytes_missing_min = missing_bytes(&damage.error, dump.len(), &walk.context);
            break false;
        }
        source = Slice::new(dump, to);
    };
    copier.flush(0)?;
    let mut account = copier.account;
    account.databases_short = short_databases(&copier.databases);
    if copier.databases.len() >= DATABASES_MAX {
        let what = "the numbers of keys were compared with what the dump says of the first";
        account.notes.push(format!("{what} {DATABASES_MAX} databases, not of others"));
    }
    if is_ended && walk.context.has_checksum() {
        let end = usize::try_from(source.offset()).unwrap_or(usize::MAX);
        let computed = dump.get(..end).map(checksum::of);
        account.checksum = match source.parse(FormatElement::Checksum, u64_le) {
            Ok(0) => Checksum::Disabled,
            Ok(stored) if Some(stored) == computed => Checksum::Verified,
            Ok(_) => Checksum::Mismatch,
            Err(error) => {
                account.bytes_missing_min = missing_bytes(&error, dump.len(), &walk.context);
                Checksum::NotReached
            }
        };
    } else if is_ended {
        account.checksum = Checksum::Absent;
    }
    let mut is_tail_lost = true;
    if is_ended {
        let tail = Tail::of(source.rest());
        account.trailing_bytes = tail.bytes;
        if let Some(commands) = tail.commands(walk.context.aux.is_aof_preamble) {
            account.notes.push(format!("{}; they are not saved", commands.say()));
        } else if let Some(what) = tail.harmless() {
            is_tail_lost = false;
            account.notes.extend((!tail.is_empty()).then(|| format!("ignored {what} after the end of the dump")));
        }
    }
    account.notes.extend(account.bytes_missing_min.map(|bytes| say_missing(bytes, &account)));
    account.bytes_written = copier.out.end(walk.context.has_checksum())?;
    let has_end = !matches!(account.checksum, Checksum::NotReached | Checksum::Mismatch);
    account.complete = has_end && account.skipped.is_empty() && account.records_lost == 0 && !is_tail_lost;
    Ok(account)
}

/// How many bytes are missing at least where a dump of `dump_bytes` bytes ends with this error; none if it is not cut.
fn missing_bytes(error: &ParseError, dump_bytes: usize, context: &Context) -> Option<u64> {
    if error.kind != ParseErrorKind::Eof {
        return None;
    }
    let checksum_bytes = if context.has_checksum() { checksum::BYTES } else { 0 };
    let left = (dump_bytes as u64).saturating_sub(error.offset);
    Some(match error.element {
        FormatElement::Checksum => checksum_bytes.saturating_sub(left),
        // Where nothing says how much should follow, a byte does at least.
        _ => error.declared.saturating_sub(left).max(u64::from(left > 0)).saturating_add(1 + checksum_bytes),
    })
}

fn short_databases(databases: &BTreeMap<u64, Keys>) -> Vec<ShortDatabase> {
    let short = databases.iter().filter(|(_, keys)| keys.written < keys.stated);
    let short = short.map(|(db, Keys { stated, written })| ShortDatabase {
        db: *db,
        keys_stated: *stated,
        keys_written: *written,
        keys_missing: stated - written,
    });
    short.collect()
}

fn say_missing(bytes: u64, account: &SalvageReport) -> String {
    let keys = account.databases_short.iter().fold(0_u64, |sum, database| sum.saturating_add(database.keys_missing));
    let keys = match keys {
        0 => "how many keys are missing is not known".to_owned(),
        1 => "1 key is missing of the databases that it begins, and any databases after them".to_owned(),
        keys => format!("{keys} keys are missing of the databases that it begins, and any databases after them"),
    };
    let (dump_bytes, plural) = (account.dump_bytes, if bytes == 1 { "byte" } else { "bytes" });
    format!("the dump is cut at byte {dump_bytes}: at least {bytes} more {plural} should follow; {keys}")
}

/// How many keys a database has.
#[derive(Clone, Copy, Debug, Default)]
struct Keys {
    /// As the dump says.
    stated: u64,
    /// In what was written.
    written: u64,
}

/// A record that waits to be written.
struct Waiting {
    span: Range<u64>,
    db: u64,
    /// Its name and type, if it is a key.
    key: Option<(Vec<u8>, ValueType)>,
    /// Where its expiry and access data are, if they are in front of other records.
    apart: Vec<Range<u64>>,
    is_template: bool,
}

/// The names of the keys so far: servers refuse a dump that has one twice in a database.
enum KeyNames {
    /// All of them, each behind its database's number.
    All(Distinct),
    /// Of the names that are known to be there twice, by database: whether a key that has it was taken.
    OfTwo(BTreeMap<u64, BTreeMap<Vec<u8>, bool>>),
}

impl KeyNames {
    /// Adds a name; false if it was there.
    fn add(&mut self, db: u64, name: &[u8]) -> bool {
        match self {
            Self::All(names) => names.add(Text::Bytes(&[&db.to_be_bytes(), name].concat())),
            Self::OfTwo(names) => {
                let is_taken = names.get_mut(&db).and_then(|names| names.get_mut(name));
                !is_taken.is_some_and(|is_taken| std::mem::replace(is_taken, true))
            }
        }
    }
}

/// Copies sound records.
struct Copier<'a, 'o> {
    dump: &'a [u8],
    out: Writer<&'o mut dyn Write>,
    account: SalvageReport,
    recent: Recent,
    waiting: VecDeque<Waiting>,
    names: KeyNames,
    /// The databases that state a number of keys.
    databases: BTreeMap<u64, Keys>,
    db: u64,
    is_resynchronized: bool,
    /// Whether the key read last was left out, and with it the fields that follow it.
    is_last_key_lost: bool,
    /// Whether a hash template was left out: no hash that refers to one is sure to have its own.
    is_template_lost: bool,
    error: Option<io::Error>,
}

impl<'a, 'o> Copier<'a, 'o> {
    fn new(dump: &'a [u8], out: &'o mut dyn Write, account: SalvageReport, names: KeyNames) -> Self {
        Self {
            dump,
            out: Writer::new(out),
            account,
            recent: Recent::default(),
            waiting: VecDeque::new(),
            names,
            databases: BTreeMap::new(),
            db: 0,
            is_resynchronized: false,
            is_last_key_lost: false,
            is_template_lost: false,
            error: None,
        }
    }

    /// Copies a stretch of the dump.
    fn put(&mut self, span: Range<u64>) -> io::Result<()> {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.dump.get(at(span.start)..at(span.end)).unwrap_or_default();
        self.out.put(bytes)
    }

    /// Writes the records that wait, but for the last `keep`.
    fn flush(&mut self, keep: usize) -> io::Result<()> {
        while self.waiting.len() > keep {
            let Some(Waiting { span, db, key, apart, .. }) = self.waiting.pop_front() else { break };
            if key.is_some() {
                self.out.select(db)?;
                self.account.keys_written += 1;
                if let Some(keys) = self.databases.get_mut(&db) {
                    keys.written += 1;
                }
                self.account.keys_resynchronized += u64::from(self.is_resynchronized);
            }
            for part in apart {
                self.put(part)?;
            }
            self.put(span)?;
        }
        Ok(())
    }

    /// Takes back the records from offset `from` on.
    fn doubt(&mut self, from: u64, error: ParseError) {
        let first = self.waiting.iter().position(|waiting| waiting.span.start >= from).unwrap_or(self.waiting.len());
        let doubtful: Vec<Waiting> = self.waiting.drain(first..).collect();
        let why = format!("doubtful, since damage follows at byte {}: {}", error.offset, self.say(error));
        for Waiting { span, db, key, is_template, .. } in doubtful {
            self.is_template_lost |= is_template;
            let key = key.as_ref().map(|(name, value_type)| (name.as_slice(), *value_type));
            self.lose(&span, key.map(|_| db), key, why.clone());
        }
    }

    fn say(&self, error: ParseError) -> String {
        words(error, self.dump.len() as u64)
    }

    fn lose(&mut self, span: &Range<u64>, db: Option<u64>, key: Option<(&[u8], ValueType)>, why: String) {
        self.account.records_lost += 1;
        let name = key.map(|(name, _)| name);
        let bytes = self.account.lost_bytes + name.map_or(0, <[u8]>::len);
        if self.account.lost.len() >= LOST_MAX || bytes > LOST_BYTES_MAX {
            self.account.lost_unlisted += 1;
            return;
        }
        self.account.lost_bytes = bytes;
        let (text, key_base64) = name.map(|name| name_text(name.to_vec())).unzip();
        self.account.lost.push(LostRecord {
            offset: span.start,
            bytes: span.end - span.start,
            why,
            db,
            key: text,
            key_base64: key_base64.flatten(),
            encoding: key.map(|(_, value_type)| value_type.label()),
        });
    }

    fn skip(&mut self, from: u64, to: u64, damage: &Damage) {
        let bytes = self.account.lost_bytes + damage.key.as_ref().map_or(0, |(name, _)| name.len());
        let name = damage.key.as_ref().map(|(name, _)| name.as_slice()).filter(|_| bytes <= LOST_BYTES_MAX);
        if name.is_some() {
            self.account.lost_bytes = bytes;
        }
        let (key, key_base64) = name.map(|name| name_text(name.to_vec())).unzip();
        self.account.skipped.push(SkippedRange {
            from,
            to,
            bytes: to - from,
            why: format!("at byte {}: {}", damage.error.offset, self.say(damage.error)),
            db: name.map(|_| self.db),
            key,
            key_base64: key_base64.flatten(),
        });
    }

    fn wait(&mut self, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        let (key, apart) = match &record.what {
            What::Key(key) => (Some((key.name.to_vec(), key.value_type)), key.apart.to_vec()),
            _ => (None, Vec::new()),
        };
        let is_template = matches!(record.what, What::HashTemplate);
        self.waiting.push_back(Waiting { span: record.span.clone(), db: self.db, key, apart, is_template });
        let flushed = self.flush(RECENT_MAX);
        flushed.map_err(|error| {
            self.error = Some(error);
            ParseErrorKind::GaveUp
        })
    }
}

fn refers_to_template(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::HASH_TEMPLATE_LISTPACK_REF | ValueType::HASH_TEMPLATE_ARRAY_REF)
}

impl Sink for Copier<'_, '_> {
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        self.recent.add(context, record);
        let Record { span, what, flaws } = record;
        let flaw = flaws.iter().find(|flaw| !is_tolerated(flaw, context.dialect, context.version));
        match what {
            What::SelectDb(db) => {
                self.db = *db;
                Ok(())
            }
            What::ResizeDb { keys } => {
                if self.databases.len() < DATABASES_MAX && *keys > 0 {
                    self.databases.entry(self.db).or_default().stated = *keys;
                }
                Ok(())
            }
            What::End | What::Slot | What::TaggedChunk => Ok(()),
            // A slot's key count, or a field of a key that is lost.
            What::Aux { name, .. } if *name == "slot-info" || name.starts_with("keydb-") && self.is_last_key_lost => {
                Ok(())
            }
            What::Key(key) => {
                let found = Some((key.name, key.value_type));
                let why = if let Some(flaw) = flaw {
                    Some(self.say(*flaw))
                } else if self.is_template_lost && refers_to_template(key.value_type) {
                    Some("it refers to a hash template, and one was lost".to_owned())
                } else if !key.is_oversized && !self.names.add(self.db, key.name) {
                    Some("a key of this name is in the database already".to_owned())
                } else {
                    None
                };
                self.is_last_key_lost = why.is_some();
                if let Some(why) = why {
                    self.lose(span, Some(self.db), found, why);
                    return Ok(());
                }
                self.wait(record)
            }
            What::Aux { .. } | What::Function | What::ModuleAux(_) | What::HashTemplate => match flaw {
                Some(flaw) => {
                    self.is_template_lost |= matches!(what, What::HashTemplate);
                    self.lose(span, None, None, self.say(*flaw));
                    Ok(())
                }
                None => self.wait(record),
            },
        }
    }
}
