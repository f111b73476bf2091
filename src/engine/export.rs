//! The scan that hands values on: each key with its value, in the order of the dumps.

use std::path::Path;
use std::sync::Arc;

use super::dumps::{Dumps, filter};
use super::options::{Dump, Options};
use super::progress::Progress;
use super::recorded::Recorded;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::analysis::filter::Filter;
use crate::error::{Error, ErrorKind, Quoted, words};
use crate::input::{self, Bytes, Lookup};
use crate::memory::{Allocator, Model, Target, walk};
use crate::rdb::entry::{Damage, KeyRef, PartialValue, Step, step_with};
use crate::rdb::record::KeyHeader;
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::{Context, Dialect, Entry, FormatElement, Measure, ParseError, ParseErrorKind, header, value};
use crate::values::{Fault, Form, Inherited, KeyEntry, Value, find};

/// The longest value of a stream that is handed on: it is held in memory meanwhile.
pub const STREAMED_VALUE_BYTES_MAX: u64 = 128 << 20;

/// Pieces wait for those before them, and what keys are written as may take several times what they take in the dump.
const SEGMENT_BYTES: usize = 1 << 20;

/// All that may come before a value, for forms that need it: a name, metadata, and what is between keys.
const LEAD_BYTES_MAX: usize = 32 << 20;

/// Keys that were left out are told one by one up to this number, and while their names take at most so many bytes.
const FAULTS_MAX: usize = 100;
const FAULT_BYTES_MAX: usize = 1 << 20;

/// What came of an export.
#[derive(Debug, Default)]
pub struct Exported {
    /// How many keys were asked for.
    pub keys: u64,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
    /// What was wrong with the dumps, and which keys were left out.
    pub errors: Vec<Error>,
}

/// Hands the keys that pass `filter` to a form, each with its value, in the order of the dumps. For each dump `form` gives
/// one that hands its bytes on, by what the start of the dump says. [`Options::question`] is not looked at. To be given no more, whoever takes the bytes may
/// call [`Progress::cancel`].
///
/// A key whose value cannot be decoded, or written in this form, is left out or ends early, and is told as an error; so
/// is one of a stream whose value has more than [`STREAMED_VALUE_BYTES_MAX`] bytes.
///
/// # Errors
/// As [`super::analyze_all`].
pub fn export_all<F: Form>(
    dumps: &[Dump],
    wanted: &Filter,
    options: &Options,
    progress: &Arc<Progress>,
    form: impl Fn(&Context) -> F + Sync,
) -> Result<Exported, Error> {
    exported(dumps, options, progress, Ask { wanted, form })
}

/// As [`export_all`], and before the first key of each dump `start` gets what the dump begins with, up to
/// [`Context::start`]; none if that is too long to be held.
///
/// # Errors
/// As [`export_all`].
pub(crate) fn export_with_starts<F: Form>(
    dumps: &[Dump],
    wanted: &Filter,
    options: &Options,
    progress: &Arc<Progress>,
    start: impl Fn(&Context, Option<&[u8]>) + Sync,
    form: impl Fn(&Context) -> F + Sync,
) -> Result<Exported, Error> {
    exported(dumps, options, progress, WithStarts { ask: Ask { wanted, form }, start })
}

fn exported<F: Form, A: Query<Accumulator = Values<F>>>(
    dumps: &[Dump],
    options: &Options,
    progress: &Arc<Progress>,
    ask: A,
) -> Result<Exported, Error> {
    let mut options = options.clone();
    if options.segment_bytes == 0 {
        options.segment_bytes = SEGMENT_BYTES;
    }
    let mut all = Dumps::new(&options, ask)?;
    all.add_files(dumps, progress)?;
    let Dumps { accumulated, notes, damage, .. } = all;
    let mut errors = damage;
    let more = accumulated.faults.more;
    for listed in accumulated.faults.listed {
        let name = usize::try_from(listed.dump).ok().and_then(|dump| dumps.get(dump));
        let name = name.map_or_else(String::new, |dump| input::shown(&dump.path));
        errors.push(Error::new(name, listed.cause));
    }
    if more > 0 {
        let what = format!("{more} more keys could not be written, or not to their ends");
        errors.push(Error::new("all dumps", ErrorKind::Refused(what)));
    }
    Ok(Exported { keys: accumulated.exported, notes, errors })
}

/// Hands the key whose record is at `offset` of a dump to a form, without a scan. Its database is not known.
///
/// # Errors
/// [`ErrorKind::Options`] for a dump that must be read from its beginning, [`ErrorKind::Refused`] if no key is there or it has
/// another name than `name`, and what [`super::analyze`] gives for one that cannot be opened or is damaged.
pub fn export_at<F: Form>(path: &Path, offset: u64, name: Option<&[u8]>, form: F) -> Result<(), Error> {
    if let Some(object) = input::look_up(path)? {
        let look = LookUp { dump: input::shown(path), dump_bytes: object.size(), offset, name };
        return look.fetch(&object, form);
    }
    let input = input::open(path)?;
    let dump = input.name;
    let Bytes::Mapped(map) = input.bytes else { return Err(Error::new(dump, not_by_offset())) };
    let look = LookUp { dump_bytes: map.bytes().len() as u64, dump, offset, name };
    let context = look.context(map.bytes())?;
    let looked_up = look.export(Slice::new(map.bytes(), offset).rest(), &context, form);
    map.check().map_err(|cause| Error::new(&look.dump, cause))?;
    looked_up
}

fn not_by_offset() -> ErrorKind {
    let what = "an offset can be looked up only in a file that is not compressed; leave --offset out";
    ErrorKind::Options(what.to_owned())
}

/// Bytes that are fetched at first of the start of an object in a store, and of a record in it.
const GLANCE_BYTES: u64 = 64 << 10;

/// A key that is looked up by its offset.
struct LookUp<'n> {
    dump: String,
    dump_bytes: u64,
    offset: u64,
    /// What its name must be.
    name: Option<&'n [u8]>,
}

impl LookUp<'_> {
    fn failed(&self, cause: ErrorKind) -> Error {
        Error::new(&self.dump, cause)
    }

    fn refused(&self, what: &str) -> Error {
        self.failed(ErrorKind::Refused(format!("at byte {}: {what}", self.offset)))
    }

    /// What the start of the dump says.
    fn context(&self, start: &[u8]) -> Result<Context, Error> {
        let damaged = |error: ParseError| ErrorKind::Damaged { damage: error.into(), dump_bytes: self.dump_bytes };
        let context = header::read(&mut Slice::new(start, 0)).map_err(|error| self.failed(damaged(error)))?;
        if context.dialect == Dialect::Dragonfly {
            let what = "keys of a Dragonfly dump may be in compressed blobs, which have no offsets; leave --offset out";
            return Err(self.failed(ErrorKind::Options(what.to_owned())));
        }
        Ok(context)
    }

    /// Hands the key to a form, given the bytes from its record on.
    fn export<F: Form>(&self, record: &[u8], context: &Context, mut form: F) -> Result<(), Error> {
        // What is said of an offset that is not a key's is not about the dump.
        let entry = find::at_start(record, context, self.offset).map_err(|damage| {
            let why = words(damage.error, self.dump_bytes);
            self.refused(&format!("no sound key's record begins here (at byte {}, {why})", damage.error.offset))
        })?;
        let entry = entry.ok_or_else(|| self.refused("no key's record begins here"))?;
        let mut buffer = Vec::new();
        let found = entry.key.decode(&mut buffer).map_err(|_| self.refused("the name of the key is damaged"))?;
        if self.name.is_some_and(|name| name != found) {
            return Err(self.refused(&format!("the key here is {}", Quoted(found))));
        }
        let stored = Slice::new(record, entry.value_offset - self.offset).first_bytes(entry.value_bytes);
        let lead = Slice::new(record, 0).first_bytes(entry.value_offset - self.offset);
        let key = KeyEntry { dump: 0, db: None, name: found, entry, lead };
        let added = form.add(&key, &Value::new(stored, entry.value_offset, entry.value_type, context));
        form.flush();
        added.map_err(|fault| self.failed(cause(fault, &key, self.dump_bytes)))
    }

    /// As [`LookUp::export`] from an object, of which only the start and the record are fetched.
    fn fetch<F: Form>(&self, object: &Lookup, form: F) -> Result<(), Error> {
        let start = self.bytes(object, 0, |start| {
            header::read(&mut Slice::new(start, 0)).is_err_and(|error| error.kind == ParseErrorKind::Eof)
        })?;
        if header::magic(&start).is_err() {
            return Err(self.failed(not_by_offset()));
        }
        let context = self.context(&start)?;
        let record = self.bytes(object, self.offset, |record| {
            let found = find::at_start(record, &context, self.offset);
            found.is_err_and(|damage| damage.error.kind == ParseErrorKind::Eof)
        })?;
        self.export(&record, &context, form)
    }

    /// As many bytes from `from` on as there must be for `is_cut` to say no, or as there are.
    fn bytes(&self, object: &Lookup, from: u64, is_cut: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut end = from.saturating_add(GLANCE_BYTES);
        loop {
            let range = from.saturating_add(bytes.len() as u64)..end;
            let fetched = object.bytes(range).map_err(|failure| self.failed(failure.cause("read it")))?;
            bytes.extend_from_slice(&fetched);
            if end >= self.dump_bytes || !is_cut(&bytes) {
                return Ok(bytes);
            }
            let held = bytes.len() as u64;
            if held >= STREAMED_VALUE_BYTES_MAX {
                return Err(self.failed(ErrorKind::Options(format!(
                    "at byte {from}: this takes more than {STREAMED_VALUE_BYTES_MAX} bytes, and of an object no more are held: \
                     download it first"
                ))));
            }
            end = end.saturating_add(held);
        }
    }
}

/// Why a key was left out, or ends early.
fn cause(fault: Fault, key: &KeyEntry<'_>, dump_bytes: u64) -> ErrorKind {
    let entry = &key.entry;
    match fault {
        Fault::Damaged(error) => {
            let name = Some((key.name.to_vec(), entry.value_type));
            let damage = Box::new(Damage { error, key: name, record_offset: entry.offset });
            ErrorKind::Damaged { damage, dump_bytes }
        }
        Fault::Unsupported(why) => {
            let (offset, name) = (entry.offset, Quoted(key.name));
            ErrorKind::Refused(format!("at byte {offset}, key {name}: {why}"))
        }
    }
}

struct Ask<'q, M> {
    wanted: &'q Filter,
    form: M,
}

impl<F: Form, M: Fn(&Context) -> F + Sync> Query for Ask<'_, M> {
    type Accumulator = Values<F>;

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Values<F>, ErrorKind> {
        let wanted = match context {
            Some(context) => filter(self.wanted.clone(), context)?,
            None => self.wanted.clone(),
        };
        // Where there is no dump yet, or none that can be read, nothing will be written.
        let form = match context {
            Some(context) => (self.form)(context),
            None => (self.form)(&Context::new(Dialect::Redis, 0)).piece(),
        };
        let needs_memory = context.filter(|_| wanted.needs_memory());
        let model = needs_memory.map(|context| Arc::new(Model::new(Target::of(context), Allocator::default())));
        Ok(Values::new(Arc::new(wanted), number, Some(0), form, model))
    }
}

/// A question that also takes what dumps begin with.
struct WithStarts<A, T> {
    ask: A,
    start: T,
}

impl<A: Query, T: Fn(&Context, Option<&[u8]>) + Sync> Query for WithStarts<A, T> {
    type Accumulator = A::Accumulator;

    const NEEDS_START: bool = true;

    fn start(&self, context: &Context, stored: Option<&[u8]>) {
        (self.start)(context, stored);
    }

    fn begin(&self, number: u32, context: Option<&Context>) -> Result<Self::Accumulator, ErrorKind> {
        self.ask.begin(number, context)
    }
}

/// Keys on their way into a form.
struct Values<F> {
    wanted: Arc<Filter>,
    dump: u32,
    /// The database of the keys that come next.
    db: Option<u64>,
    form: F,
    /// For filters that depend on memory: the server that wrote the dump.
    model: Option<Arc<Model>>,
    keys: u64,
    exported: u64,
    /// How many of these are of the database that is not known.
    unknown: u64,
    faults: Faults,
    name: Vec<u8>,
}

/// Keys that were left out, in the dump's order.
#[derive(Default)]
struct Faults {
    listed: Vec<Listed>,
    listed_bytes: usize,
    more: u64,
    /// How many more are of the database that is not known.
    more_unknown: u64,
}

struct Listed {
    dump: u32,
    db: Option<u64>,
    name_bytes: usize,
    cause: ErrorKind,
}

impl Faults {
    fn add(&mut self, listed: Listed) {
        let bytes = self.listed_bytes + listed.name_bytes;
        if self.more + self.more_unknown == 0 && self.listed.len() < FAULTS_MAX && bytes <= FAULT_BYTES_MAX {
            self.listed_bytes = bytes;
            self.listed.push(listed);
        } else if listed.db.is_some() {
            self.more += 1;
        } else {
            self.more_unknown += 1;
        }
    }
}

impl<F: Form> Values<F> {
    fn new(wanted: Arc<Filter>, dump: u32, db: Option<u64>, form: F, model: Option<Arc<Model>>) -> Self {
        let (faults, name) = (Faults::default(), Vec::new());
        Self { wanted, dump, db, form, model, keys: 0, exported: 0, unknown: 0, faults, name }
    }

    /// Takes the value that comes next, whose key's name the source has kept.
    fn take<S: KeepsKey>(
        &mut self,
        source: &mut S,
        header: &KeyHeader,
        context: &Context,
        (offset, lead): (u64, Option<&[u8]>),
    ) -> Result<Measure, ParseError> {
        self.db = header.selected_db.or(self.db);
        let value_offset = source.offset();
        let mut ahead = Slice::at(source.ahead(), value_offset);
        match value::measure(&mut ahead, header.value_type, context) {
            Ok(measure) => {
                let end = ahead.offset();
                let entry = KeyRef { header, measure, offset, value_offset, end }.entry(source.kept());
                let stored = Slice::at(source.ahead(), value_offset).first_bytes(entry.value_bytes);
                let added = self.add(&entry, lead, Some(stored), context);
                source.skip(FormatElement::Element, end - value_offset)?;
                added?;
                Ok(measure)
            }
            // What lies ready may be all there is, or less than the value.
            Err(error) if error.kind == ParseErrorKind::Eof => {
                let bytes_max = usize::try_from(STREAMED_VALUE_BYTES_MAX).unwrap_or(usize::MAX);
                let mut recorded = Recorded::new(source, bytes_max);
                let measure = value::measure(&mut recorded, header.value_type, context)?;
                let end = recorded.offset();
                let stored = recorded.into_kept();
                let entry = KeyRef { header, measure, offset, value_offset, end }.entry(source.kept());
                self.add(&entry, lead, stored.as_deref(), context)?;
                Ok(measure)
            }
            // The source must stand where it would have without us.
            Err(_) => value::measure(source, header.value_type, context),
        }
    }

    /// Adds a key, whose value is there unless it was too long to be held.
    fn add(
        &mut self,
        entry: &Entry<'_>,
        lead: Option<&[u8]>,
        stored: Option<&[u8]>,
        context: &Context,
    ) -> Result<(), ParseError> {
        self.keys += 1;
        let (offset, element) = (entry.offset, FormatElement::Key);
        let refused = |kind| ParseError { offset, kind, element, declared: entry.key.bytes() };
        let name = entry.key.decode(&mut self.name).map_err(refused)?;
        if !self.wanted.wants_database(self.db)
            || !self.wanted.passes(entry, name)
            || self.wanted.needs_memory()
                && !self.wanted.wants_memory(memory_bytes(self.model.as_deref(), entry, stored, context))
        {
            // What is between its record and the one before is not the key's own.
            if let Some(lead) = lead.filter(|_| F::NEEDS_LEAD) {
                self.form.between(entry.offset, lead, context);
            }
            return Ok(());
        }
        self.exported += 1;
        self.unknown += u64::from(self.db.is_none());
        let key = KeyEntry { dump: self.dump, db: self.db, name, entry: *entry, lead: lead.unwrap_or_default() };
        let added = match stored {
            _ if F::NEEDS_LEAD && lead.is_none() => {
                Err(Fault::Unsupported(format!("its record begins with more than {LEAD_BYTES_MAX} bytes").into()))
            }
            Some(stored) => self.form.add(&key, &Value::new(stored, entry.value_offset, entry.value_type, context)),
            None => Err(Fault::Unsupported(
                format!(
                    "its value takes {} bytes; from a stream at most {STREAMED_VALUE_BYTES_MAX} are held: \
                     store the dump as a file that is not compressed",
                    entry.value_bytes
                )
                .into(),
            )),
        };
        if let Err(fault) = added {
            let cause = cause(fault, &key, entry.value_offset + entry.value_bytes);
            self.faults.add(Listed { dump: self.dump, db: self.db, name_bytes: name.len(), cause });
        }
        Ok(())
    }
}

/// What a key takes in memory, if its value is there and that is known.
fn memory_bytes(model: Option<&Model>, entry: &Entry<'_>, stored: Option<&[u8]>, context: &Context) -> Option<u64> {
    let mut value = Slice::new(stored?, 0);
    walk::measure(&mut value, &entry.header(), context, model?).ok()?.memory_bytes
}

impl<F: Form> Accumulator for Values<F> {
    const PIECE_HELD_BYTES_MAX: u64 = 4 << 20;
    const PIECES_AHEAD: usize = 2;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.wanted.clone(), self.dump, db, self.form.piece(), self.model.clone())
    }

    /// Hands its bytes on as they come: a value may be too large to be held.
    fn following(&self, db: Option<u64>) -> Self {
        Self::new(self.wanted.clone(), self.dump, db, self.form.following(), self.model.clone())
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        _until: u64,
    ) -> Result<Step, Box<Damage>> {
        let offset = source.offset();
        if !F::NEEDS_LEAD {
            let walk =
                |source: &mut S, header: &KeyHeader| self.take(source, header, context, (offset, None)).map(Walked);
            return step_with(source, context, walk, |_, _, _| Ok(()));
        }
        let mut recorded = Recorded::new(source, LEAD_BYTES_MAX);
        let walk = |recorded: &mut Recorded<'_, S>, header: &KeyHeader| {
            let (lead, source) = recorded.take_kept();
            self.take(source, header, context, (offset, lead.as_deref())).map(Walked)
        };
        let step = step_with(&mut recorded, context, walk, |_, _, _| Ok(()));
        if let (Ok(Step::SelectDb(_) | Step::End), Some(stored)) = (&step, recorded.into_kept()) {
            self.form.between(offset, &stored, context);
        }
        step
    }

    fn select(&mut self, db: u64) {
        self.db = Some(db);
    }

    fn db(&self) -> Option<u64> {
        self.db
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn held_bytes(&self) -> u64 {
        let faults = self.faults.listed.len() * size_of::<Listed>() + self.faults.listed_bytes;
        self.form.held_bytes().saturating_add(faults as u64)
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let inherited = match self.db {
            None => Inherited::Unknown,
            Some(_) if !self.wanted.wants_database(self.db) => Inherited::Unwanted,
            Some(db) => Inherited::Db(db),
        };
        self.keys += other.keys;
        self.exported += other.exported - if inherited == Inherited::Unwanted { other.unknown } else { 0 };
        self.unknown += if inherited == Inherited::Unknown { other.unknown } else { 0 };
        let is_wanted = |listed: &Listed| listed.db.is_some() || inherited != Inherited::Unwanted;
        for mut listed in other.faults.listed.into_iter().filter(is_wanted) {
            listed.db = listed.db.or(self.db);
            self.faults.add(listed);
        }
        self.faults.more += other.faults.more;
        match inherited {
            Inherited::Unknown => self.faults.more_unknown += other.faults.more_unknown,
            Inherited::Db(_) => self.faults.more += other.faults.more_unknown,
            Inherited::Unwanted => {}
        }
        self.db = other.db.or(self.db);
        // Of pieces that must be made anew none comes here, but the chunked entries of Dragonfly's cannot be.
        if other.form.held_bytes() == u64::MAX {
            let what = "entries in tagged chunks were left out: written, they take more memory than they may";
            let cause = ErrorKind::Refused(what.to_owned());
            self.faults.add(Listed { dump: other.dump, db: self.db, name_bytes: 0, cause });
            return Ok(());
        }
        self.form.join(other.form, inherited);
        Ok(())
    }
}

/// A measure, as steps ask for it.
struct Walked(Measure);

impl AsRef<Measure> for Walked {
    fn as_ref(&self) -> &Measure {
        &self.0
    }
}
