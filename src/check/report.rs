//! What a check found: what the dump is, what is in it, and what is wrong with it; as JSON and as text.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::log::{self, Event, Flaw, Keys, Log, digest_of_name};
use super::names::{Filter, Names, in_database};
use super::recent::Recent;
use super::record::{Record, Sink, What};
use crate::error::{Quoted, Visible, name_text, words};
use crate::rdb::deep::{Distinct, is_tolerated};
use crate::rdb::dragonfly;
use crate::rdb::entry::Damage;
use crate::rdb::{Context, Dialect, FormatElement, ParseError, ParseErrorKind, ValueType};

/// Findings that are listed; more than these are counted.
const FINDINGS_MAX: usize = 1000;

/// Bytes of all names in the findings, so that long ones do not fill the memory.
const FINDINGS_BYTES_MAX: usize = 1 << 20;

/// Auxiliary fields that are listed: `lua` alone may come thousands of times.
const AUX_MAX: usize = 64;

/// Module types that are listed; servers have a few.
const MODULES_MAX: usize = 1024;

/// Databases with keys that are listed; servers have 16 unless they are told otherwise.
const DATABASES_MAX: usize = 1 << 16;

/// All that a check found in one dump.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The dump as the caller named it.
    pub dump: String,
    /// Whether nothing is wrong that a server would refuse.
    pub sound: bool,
    /// What the file as a whole could not be read for: it is no dump, it changed, a read failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Offset at which the check was interrupted: nothing is known of what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_at: Option<u64>,
    /// Offset at which a limit of this program ended the check, which is no damage: nothing is known of what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_at: Option<u64>,
    /// What the dump was wrapped in, the outermost first, such as `gzip`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrapped_in: Vec<&'static str>,
    /// What the header and the auxiliary fields say, if they can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Bytes of the (inflated) dump, as far as it was read.
    pub dump_bytes: u64,
    /// What the checksum says.
    pub checksum: Checksum,
    /// Auxiliary fields by name, the last value of each; long values are cut.
    pub aux: BTreeMap<String, String>,
    /// Keys that were read to their end, damaged ones included.
    pub keys: u64,
    /// Those of them that have an expiry time.
    pub keys_expiring: u64,
    /// Those that had expired when the dump was made, if it says when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_expired: Option<u64>,
    /// Keys with a value or name that is damaged.
    pub keys_damaged: u64,
    /// Those that have keys or say so, by number.
    pub databases: Vec<Database>,
    /// Keys of databases that are not listed, being too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub keys_in_other_databases: u64,
    /// Keys with names of more than 8 MiB, which were stepped over.
    #[serde(skip_serializing_if = "is_zero")]
    pub oversized_names: u64,
    /// By type byte.
    pub encodings: Vec<Encoding>,
    /// Function libraries.
    pub functions: u64,
    /// Module types, in keys or in records of their own: how often each occurs.
    pub modules: BTreeMap<String, u64>,
    /// How often those occur that are not listed, being too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub modules_unlisted: u64,
    /// Values of which not every element was looked at: too long, or too many to find one that is there twice.
    #[serde(skip_serializing_if = "is_zero")]
    pub values_not_looked_through: u64,
    /// Keys whose names could not be compared with all others, to find one that is there twice: of a stream those behind the
    /// first ones, of a file those that may have been there, if these are very many.
    #[serde(skip_serializing_if = "is_zero")]
    pub keys_not_compared: u64,
    /// What is wrong, in the dump's order.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub findings_unlisted: u64,
    /// Stretches that were skipped to find the next record, with [`super::Options::resync`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// What was noticed that is no damage, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the damage that ended the check may have begun: what was read from there on may be misread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubtful_from: Option<u64>,
    #[serde(skip)]
    pub(super) recent: Recent,
    /// Parts of entries that Dragonfly cut.
    #[serde(skip_serializing_if = "is_zero")]
    pub tagged_chunks: u64,
    #[serde(skip)]
    dialect: Option<Dialect>,
    #[serde(skip)]
    version: u32,
    /// Names of the keys so far, unless values are only stepped over.
    #[serde(skip)]
    names: Names,
    /// What the record at hand comes to.
    #[serde(skip)]
    log: Log,
    #[serde(skip)]
    names_bytes: usize,
    /// The database of the keys that come next.
    #[serde(skip)]
    pub(super) db: u64,
    /// What becomes of `databases`, by number.
    #[serde(skip)]
    by_number: BTreeMap<u64, Database>,
    #[serde(skip)]
    has_errors: bool,
}

/// What a dump says of its origin.
#[derive(Clone, Debug, Serialize)]
pub struct Format {
    /// `Redis`, `Valkey` or `Dragonfly`: whose numbers the types and opcodes are.
    pub dialect: String,
    /// The version in the header.
    pub version: u32,
    /// The version of the server that wrote the dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// When the dump was begun, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The server's memory then, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
}

/// What came of comparing the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// The end was not reached.
    #[default]
    NotReached,
    /// It is that of the bytes.
    Verified,
    /// It is not.
    Mismatch,
    /// The dump says that none was computed.
    Disabled,
    /// Dumps of this version have none.
    Absent,
}

/// A database of a dump.
#[derive(Clone, Debug, Serialize)]
pub struct Database {
    /// Its number.
    pub db: u64,
    /// Keys in it.
    pub keys: u64,
    /// Those of them that have an expiry time.
    pub keys_expiring: u64,
    /// How many keys the dump says it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_stated: Option<u64>,
}

/// A type byte and its keys.
#[derive(Clone, Debug, Serialize)]
pub struct Encoding {
    /// The type byte.
    #[serde(rename = "type")]
    pub value_type: u8,
    /// What it is called.
    pub encoding: &'static str,
    /// Keys that have it.
    pub keys: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Offset of what is wrong, or of the string that it is in.
    pub offset: u64,
    /// `error` where servers refuse the dump or leave the key out, `warning` where those that it was written for load it.
    pub severity: Severity,
    /// What kind of damage it is, in one word.
    pub kind: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The database that it is in.
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
    #[serde(skip)]
    pub(super) name: Option<Vec<u8>>,
    /// Where the record begins that it is in.
    #[serde(skip)]
    pub(super) record_start: u64,
}

/// A key whose name another one has that comes before it in the database.
pub(super) struct Duplicate {
    pub(super) db: u64,
    pub(super) name: Vec<u8>,
    pub(super) value_type: ValueType,
    pub(super) record_start: u64,
    pub(super) record_end: u64,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A server refuses the dump for it.
    Error,
    /// The servers that the dump was written for read on over it.
    Warning,
    /// Not damage: this program holds no more of it, and cannot read on.
    Limit,
}

/// A stretch of a dump that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Offset of the record that is damaged.
    pub from: u64,
    /// Offset of the next one that looks right.
    pub to: u64,
    /// How many bytes that is.
    pub bytes: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Report {
    pub(super) fn new(dump: String, is_deep: bool) -> Self {
        let names = if is_deep { Names::Held(Distinct::default()) } else { Names::Unwanted };
        Self { dump, names, ..Self::default() }
    }

    /// A report of nothing yet, on the same file.
    pub(super) fn anew(&self, is_deep: bool) -> Self {
        let (wrapped_in, notes) = (self.wrapped_in.clone(), self.notes.clone());
        let (error, has_errors) = (self.error.clone(), self.has_errors);
        Self { error, wrapped_in, notes, has_errors, ..Self::new(self.dump.clone(), is_deep) }
    }

    /// From now on names are compared in a second pass over the dump, which has so many bytes.
    pub(super) fn filter_names(&mut self, dump_bytes: usize) {
        if matches!(self.names, Names::Held(_)) {
            self.names = Names::Filtered(Filter::new(dump_bytes));
        }
    }

    /// The names that have to be compared.
    pub(super) fn take_suspects(&mut self) -> Option<Distinct> {
        let Names::Filtered(filter) = std::mem::take(&mut self.names) else { return None };
        self.keys_not_compared += filter.unheld;
        Some(filter.into_suspects()).filter(|suspects| !suspects.is_empty())
    }

    /// The dump is no dump, or could not be read.
    pub(super) fn refuse(&mut self, sentence: String) {
        self.has_errors = true;
        // What came first may be why the rest is wrong.
        self.error.get_or_insert(sentence);
    }

    pub(super) fn find_damage(&mut self, damage: &Damage, dump_bytes: u64) {
        let key = damage.key.as_ref().map(|(name, value_type)| (name.as_slice(), *value_type));
        self.find(damage.error, key, damage.record_offset, dump_bytes);
    }

    /// Takes in what is wrong in the record that begins at `record_start`, of a dump that goes on to `dump_bytes` at least.
    pub(super) fn find(
        &mut self,
        error: ParseError,
        key: Option<(&[u8], ValueType)>,
        record_start: u64,
        dump_bytes: u64,
    ) {
        let severity = match error.kind {
            ParseErrorKind::Limit => Severity::Limit,
            _ if self.is_tolerated(&error) => Severity::Warning,
            _ => Severity::Error,
        };
        match severity {
            Severity::Error => self.has_errors = true,
            Severity::Limit => _ = self.limited_at.get_or_insert(error.offset),
            Severity::Warning => {}
        }
        let name = key.map(|(name, _)| name);
        if !self.has_room(name) {
            return;
        }
        let (text, key_base64) = name.map(|name| name_text(name.to_vec())).unzip();
        let has_db = key.is_some() || error.kind == ParseErrorKind::KeyCount;
        self.findings.push(Finding {
            offset: error.offset,
            severity,
            kind: error.kind.name(),
            what: words(error, dump_bytes),
            db: has_db.then_some(self.db),
            key: text,
            key_base64: key_base64.flatten(),
            encoding: key
                .filter(|_| error.kind != ParseErrorKind::UnknownType)
                .map(|(_, value_type)| self.label(value_type)),
            name: name.map(<[u8]>::to_vec),
            record_start,
        });
    }

    /// Whether one more finding is listed; if not, it is counted.
    fn has_room(&mut self, name: Option<&[u8]>) -> bool {
        let names_bytes = self.names_bytes + name.map_or(0, <[u8]>::len);
        if self.findings.len() >= FINDINGS_MAX || names_bytes > FINDINGS_BYTES_MAX {
            self.findings_unlisted += 1;
            return false;
        }
        self.names_bytes = names_bytes;
        true
    }

    fn find_duplicate(&mut self, key: (&[u8], ValueType), record_start: u64, record_end: u64) {
        let (kind, element) = (ParseErrorKind::DuplicateKey, FormatElement::Key);
        let error = ParseError { offset: record_start, kind, element, declared: 0 };
        self.find(error, Some(key), record_start, record_end);
    }

    /// Puts keys of one name, and `unlisted` more behind them, where they are found in a single pass: in front of what else is
    /// wrong with each.
    pub(super) fn insert_duplicates(&mut self, duplicates: Vec<Duplicate>, unlisted: u64) {
        let mut found = std::mem::take(&mut self.findings).into_iter().peekable();
        self.names_bytes = 0;
        let db = self.db;
        for Duplicate { db, name, value_type, record_start, record_end } in duplicates {
            while let Some(finding) = found.next_if(|finding| finding.record_start < record_start) {
                self.list_again(finding);
            }
            self.db = db;
            self.find_duplicate((&name, value_type), record_start, record_end);
        }
        found.for_each(|finding| self.list_again(finding));
        self.db = db;
        self.findings_unlisted += unlisted;
    }

    fn list_again(&mut self, finding: Finding) {
        if self.has_room(finding.name.as_deref()) {
            self.findings.push(finding);
        }
    }

    fn is_tolerated(&self, error: &ParseError) -> bool {
        self.dialect.is_some_and(|dialect| is_tolerated(error, dialect, self.version))
    }

    fn label(&self, value_type: ValueType) -> &'static str {
        let own = if self.dialect == Some(Dialect::Dragonfly) { dragonfly::label(value_type) } else { None };
        own.unwrap_or_else(|| value_type.label())
    }

    fn database(&mut self) -> Option<&mut Database> {
        if self.by_number.len() >= DATABASES_MAX && !self.by_number.contains_key(&self.db) {
            return None;
        }
        let new = Database { db: self.db, keys: 0, keys_expiring: 0, keys_stated: None };
        Some(self.by_number.entry(self.db).or_insert(new))
    }

    fn count_module(&mut self, name: String, records: u64) {
        if self.modules.len() < MODULES_MAX || self.modules.contains_key(&name) {
            *self.modules.entry(name).or_default() += records;
        } else {
            self.modules_unlisted += records;
        }
    }

    /// Compares what databases say with what is in them; it says nothing where keys were lost anyway.
    pub(super) fn compare_key_counts(&mut self, end: u64) {
        if self.has_errors || self.limited_at.is_some() {
            return;
        }
        let wrong: Vec<(u64, u64)> = self
            .by_number
            .values()
            .filter_map(|database| Some((database.db, database.keys_stated.filter(|keys| *keys != database.keys)?)))
            .collect();
        for (db, declared) in wrong {
            self.db = db;
            let error =
                ParseError { offset: end, kind: ParseErrorKind::KeyCount, element: FormatElement::Database, declared };
            self.find(error, None, end, end);
        }
    }

    /// Compares the names of keys of the database, as far as that can be done yet; false if one of them was there before.
    fn are_new(&mut self, digests: &[u128]) -> bool {
        let db = self.db;
        match &mut self.names {
            Names::Unwanted => true,
            Names::Filtered(filter) => {
                filter.add(digests, db);
                true
            }
            Names::Held(names) => digests.iter().fold(true, |are_new, digest| {
                let is_new = names.add_id(in_database(*digest, db));
                self.keys_not_compared += u64::from(names.is_partial());
                are_new && is_new
            }),
        }
    }

    /// Takes in what records came to that follow those before.
    pub(super) fn take_over(&mut self, context: &Context, log: Log) {
        (self.dialect, self.version) = (Some(context.dialect), context.version);
        self.recent.append(&log.recent);
        for (value_type, keys) in (0..).zip(log.types).filter(|(_, keys)| *keys > 0) {
            self.count_type(ValueType(value_type), keys);
        }
        for (id, records) in log.modules {
            self.count_module(id.to_string(), records);
        }
        let mut names = log.names.as_slice();
        for event in log.events {
            match event {
                Event::Keys(keys) => {
                    self.count(context, keys);
                    let count = usize::try_from(keys.named).unwrap_or(usize::MAX);
                    let (these, behind) = names.split_at_checked(count).unwrap_or((names, &[]));
                    self.are_new(these);
                    names = behind;
                }
                Event::SelectDb(db) => self.db = db,
                Event::ResizeDb(keys) => {
                    // Dragonfly repeats it with each flush, of what is in the shard by then.
                    let keys = (context.dialect != Dialect::Dragonfly).then_some(keys);
                    // One that says it is empty, and is, takes no place.
                    if (keys != Some(0) || self.by_number.contains_key(&self.db))
                        && let Some(database) = self.database()
                    {
                        database.keys_stated = keys;
                    }
                }
                Event::Aux(field) => {
                    let (name, value) = *field;
                    if self.aux.len() < AUX_MAX || self.aux.contains_key(&name) {
                        self.aux.insert(name, value);
                    }
                }
                Event::Function => self.functions += 1,
                Event::TaggedChunk => self.tagged_chunks += 1,
                Event::Flaw(flaw) => {
                    let Flaw { error, key, record_start, record_end } = *flaw;
                    let key = key.as_ref().map(|(name, value_type)| (name.as_slice(), *value_type));
                    self.find(error, key, record_start, record_end);
                }
            }
        }
    }

    fn count(&mut self, context: &Context, counted: Keys) {
        let Keys { keys, expiring, expired, damaged, oversized, named: _ } = counted;
        self.keys += keys;
        self.keys_expiring += expiring;
        self.keys_damaged += damaged;
        self.oversized_names += oversized;
        if context.aux.created_at_seconds.is_some() {
            *self.keys_expired.get_or_insert(0) += expired;
        }
        match self.database() {
            Some(database) => {
                database.keys += keys;
                database.keys_expiring += expiring;
            }
            None => self.keys_in_other_databases += keys,
        }
    }

    fn count_type(&mut self, value_type: ValueType, keys: u64) {
        let number = value_type.0;
        match self.encodings.binary_search_by_key(&number, |encoding| encoding.value_type) {
            Ok(at) => self.encodings.get_mut(at).into_iter().for_each(|encoding| encoding.keys += keys),
            Err(at) => {
                let encoding = self.label(value_type);
                self.encodings.insert(at, Encoding { value_type: number, encoding, keys });
            }
        }
    }

    pub(super) fn conclude(&mut self, context: Option<&Context>) {
        self.sound = !self.has_errors && self.interrupted_at.is_none() && self.limited_at.is_none();
        self.databases = std::mem::take(&mut self.by_number).into_values().collect();
        if self.oversized_names > 0 {
            let keys =
                if self.oversized_names == 1 { "1 name".to_owned() } else { format!("{} names", self.oversized_names) };
            self.notes.push(format!("{keys} of more than 8 MiB: stepped over, neither looked into nor compared"));
        }
        let Some(context) = context else { return };
        self.format = Some(Format {
            dialect: context.dialect.to_string(),
            version: context.version,
            server_version: context.aux.server_version.clone(),
            created_at: context
                .aux
                .created_at_seconds
                .and_then(|seconds| Timestamp::from_second(seconds).ok().map(|at| at.to_string())),
            used_memory_bytes: context.aux.used_memory_bytes,
        });
        if self.is_of_keydb() {
            self.notes.push("KeyDB wrote it: fields or values are in it that only KeyDB has".to_owned());
        }
    }

    /// Whether it has what no other server writes (format section 15); its header is that of Redis.
    fn is_of_keydb(&self) -> bool {
        self.aux.keys().any(|name| name == "mvcc-tstamp" || name.starts_with("keydb-"))
            || self.encodings.iter().any(|encoding| encoding.value_type == ValueType::CRON.0)
    }
}

impl Report {
    /// Whether something is wrong that a server would refuse, rather than unknown.
    pub fn is_damaged(&self) -> bool {
        self.has_errors
    }

    /// Writes the names of keys as `name` has them, and sentences as `sentence` has them.
    pub fn map_names(&mut self, name: &dyn Fn(&[u8]) -> Vec<u8>, sentence: &dyn Fn(&str) -> String) {
        self.error = self.error.as_deref().map(sentence);
        for finding in &mut self.findings {
            if let Some(found) = &mut finding.name {
                *found = name(found);
                let (text, base64) = name_text(found.clone());
                (finding.key, finding.key_base64) = (Some(text), base64);
            }
        }
    }
}

impl Sink for Report {
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        self.dialect = Some(context.dialect);
        self.version = context.version;
        if let What::Key(key) = &record.what
            && log::has_place(context, key, record.flaws)
            && !self.are_new(&[digest_of_name(key.name)])
        {
            self.find_duplicate((key.name, key.value_type), record.span.start, record.span.end);
        }
        let mut log = std::mem::take(&mut self.log);
        log.record(context, record)?;
        self.take_over(context, log);
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if let Some(db) = self.db {
            write!(f, ", db {db}")?;
        }
        if let Some(name) = &self.name {
            write!(f, ", key {}", Quoted(name))?;
        }
        if let Some(encoding) = self.encoding {
            write!(f, " ({encoding})")?;
        }
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, ": {warning}{}", self.what)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.interrupted_at, self.limited_at) {
            _ if self.has_errors => "DAMAGED",
            (Some(_), _) => "interrupted",
            (None, Some(_)) => "not checked to its end",
            (None, None) => "sound",
        };
        writeln!(f, "{}: {verdict}", Visible(self.dump.as_bytes()))?;
        if let Some(offset) = self.interrupted_at {
            writeln!(f, "  interrupted at byte {offset}; the rest was not checked")?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "  {}", Visible(error.as_bytes()))?;
        }
        if let Some(format) = &self.format {
            self.about(f, format)?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {}", Visible(note.as_bytes()))?;
        }
        for skipped in &self.skipped {
            let Skipped { from, to, bytes } = skipped;
            writeln!(f, "  skipped: bytes {from} to {to} ({bytes} bytes); what follows is resynchronized")?;
        }
        if let Some(from) = self.doubtful_from {
            writeln!(f, "  doubtful: what was read from byte {from} on may be misread")?;
        }
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        if self.findings_unlisted > 0 {
            writeln!(f, "  {} more findings are not listed", self.findings_unlisted)?;
        }
        Ok(())
    }
}

impl Report {
    fn about(&self, f: &mut fmt::Formatter<'_>, format: &Format) -> fmt::Result {
        write!(f, "  format: {} RDB {}", format.dialect, format.version)?;
        if let Some(version) = &format.server_version {
            write!(f, ", written by version {}", Visible(version.as_bytes()))?;
        }
        if let Some(at) = &format.created_at {
            write!(f, " at {at}")?;
        }
        for wrapping in &self.wrapped_in {
            write!(f, ", in {wrapping}")?;
        }
        writeln!(f)?;
        let checksum = match self.checksum {
            Checksum::NotReached => "its end was not reached",
            Checksum::Verified => "checksum verified",
            Checksum::Mismatch => "the checksum does not match",
            Checksum::Disabled => "written without a checksum",
            Checksum::Absent => "of a version without checksums",
        };
        writeln!(f, "  bytes: {}, {checksum}", self.dump_bytes)?;
        write!(f, "  keys: {}", self.keys)?;
        if self.keys_expiring > 0 {
            write!(f, ", {} expire", self.keys_expiring)?;
        }
        if let Some(expired @ 1..) = self.keys_expired {
            write!(f, ", {expired} had expired when it was made")?;
        }
        if self.keys_damaged > 0 {
            write!(f, ", {} damaged", self.keys_damaged)?;
        }
        writeln!(f)?;
        for Database { db, keys, keys_expiring, .. } in &self.databases {
            writeln!(f, "    db {db}: {keys}, {keys_expiring} expire")?;
        }
        if self.keys_in_other_databases > 0 {
            writeln!(f, "    other databases: {}", self.keys_in_other_databases)?;
        }
        for Encoding { encoding, keys, .. } in &self.encodings {
            writeln!(f, "    {encoding}: {keys}")?;
        }
        if self.functions > 0 {
            writeln!(f, "  function libraries: {}", self.functions)?;
        }
        for (module, records) in &self.modules {
            writeln!(f, "  module {}: {records}", Visible(module.as_bytes()))?;
        }
        if self.modules_unlisted > 0 {
            writeln!(f, "  other modules: {}", self.modules_unlisted)?;
        }
        let aux: Vec<String> = self
            .aux
            .iter()
            .map(|(name, value)| format!("{}={}", Visible(name.as_bytes()), Visible(value.as_bytes())))
            .collect();
        if !aux.is_empty() {
            writeln!(f, "  aux: {}", aux.join(" "))?;
        }
        if self.tagged_chunks > 0 {
            writeln!(f, "  tagged chunks: {}", self.tagged_chunks)?;
        }
        if self.values_not_looked_through > 0 {
            writeln!(f, "  values too large to be looked through: {}", self.values_not_looked_through)?;
        }
        if self.keys_not_compared > 0 {
            let keys = self.keys_not_compared;
            writeln!(f, "  keys whose names were not compared with all others: {keys}")?;
        }
        Ok(())
    }
}
