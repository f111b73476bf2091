//! The report: what a dump holds, what it costs a server, and which keys, prefixes and shards that is.
//!
//! A scan gathers a `census`, which merges in any grouping; at its end it becomes a [`Report`], the one type that all
//! formats are written from, and that is read again to be merged with others ([`Report::merge`]). Its JSON is described by
//! `schema/report.schema.json`.

mod cache;
pub(crate) mod census;
pub(crate) mod largest;
mod names;
mod numbers;
mod prefix;
mod rank;
pub(crate) mod rows;
mod server;
mod shorts;
mod slots;
mod tally;
mod text;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use names::{NameTally, NamesFound};
pub use numbers::Streams;
pub use rank::By;
pub use rows::Row;
pub use server::ServerMemory;
pub use slots::{SlotTally, SlotsFound};
pub use tally::{SizeBucket, Sizes, Tally, Ttls};
pub use text::Name;

use crate::analysis::filter::Filter;
use crate::memory::{Allocator, Footprint, Model, Target};
use crate::rdb::{Entry, Kind};
use census::Census;
use names::Rank;
use numbers::{Database, SizesOfKind};
use prefix::Separators;
use rank::List;

/// What is asked of a report.
#[derive(Clone, Debug)]
pub struct Question {
    /// How many keys on each list.
    pub top: usize,
    /// Which keys.
    pub filter: Filter,
    /// The server whose memory is modelled; by default the one that wrote the dump.
    pub target: Option<Target>,
    /// The allocator of that server.
    pub allocator: Allocator,
    /// Bytes that end a prefix.
    pub separators: Vec<u8>,
    /// Whether keys are told apart by their cluster slot.
    pub has_slots: bool,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            top: 20,
            filter: Filter::default(),
            target: None,
            allocator: Allocator::default(),
            separators: b":".to_vec(),
            has_slots: false,
        }
    }
}

/// A question as it is put to one dump.
#[derive(Debug)]
pub(crate) struct QueryPlan {
    pub(crate) top: usize,
    pub(crate) filter: Filter,
    /// Whether the filter lets all keys pass.
    takes_all: bool,
    separators: Separators,
    late: Late,
    pub(crate) has_slots: bool,
    /// Whether keys are counted by their names: under prefixes or in slots.
    needs_names: bool,
    /// The number of the dump.
    pub(crate) dump: u32,
    /// The moment that TTLs are seen from.
    pub(crate) now_ms: i64,
    pub(crate) model: Model,
    shorts: shorts::Costs,
}

/// The rank from which on prefixes will find no room in the end, as far as the scan from the dump's first record tells:
/// pieces need not hold what would be dropped. Of a million prefixes each, they would spend their time on holding them.
#[derive(Debug, Default)]
struct Late(Mutex<Option<Rank>>);

impl Late {
    fn get(&self) -> Option<Rank> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lower(&self, limit: Option<Rank>) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *late = late.into_iter().chain(limit).min();
    }
}

/// The version of the report's JSON: the schema's.
const FORMAT: &str = "bigkeys-report/1";

/// What one or several dumps hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What this JSON is: `bigkeys-report/1`.
    pub format: String,
    /// Whether every dump was read to its end and found sound.
    pub is_complete: bool,
    /// The dumps, in the order in which they were read.
    pub dumps: Vec<DumpInfo>,
    /// All keys together.
    pub totals: Tally,
    /// Keys whose memory is not known: values of modules, and of types that no model has. They count with none.
    pub memory_unknown_keys: u64,
    /// By database, type and encoding.
    pub databases: Vec<DatabaseTally>,
    /// The top keys of each database and type.
    pub top: Vec<TopKeys>,
    /// How many keys a list has at most.
    pub top_keys_max: usize,
    /// Keys by how soon they expire, seen from when their dump was made.
    pub ttl: Ttls,
    /// Keys by their sizes.
    pub sizes: Vec<KindSizes>,
    /// Keys by how many seconds they have not been used, if the dump has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle_seconds: Vec<SizeBucket>,
    /// Keys by their LFU counter, if the dump has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequencies: Vec<FrequencyTally>,
    /// Prefixes of names.
    pub prefixes: Prefixes,
    /// Slots and hash tags, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsFound>,
    /// What streams hold besides entries.
    pub streams: Streams,
    /// Values of modules, by module type.
    pub modules: NamesFound,
}

/// A dump that a report is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpInfo {
    /// Where it lay.
    pub name: String,
    /// The shard it came from, `ip:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// How many bytes were read of it, inflated.
    pub bytes: u64,
    /// The SHA-256 of the file, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// `Redis`, `Valkey` or `Dragonfly`.
    pub dialect: String,
    /// The version of the format.
    pub rdb_version: u32,
    /// The auxiliary fields.
    pub aux: Vec<(String, String)>,
    /// The server's memory when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
    /// The server whose memory is modelled.
    pub target: String,
    /// The allocator of that server.
    pub allocator: String,
    /// What the dump takes on that server as a whole, unless only some of its keys were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerMemory>,
    /// Function libraries.
    pub functions: u64,
    /// Bytes of their code.
    pub functions_bytes: u64,
    /// Whether it was read to its end and found sound.
    pub is_complete: bool,
    /// Where and how it broke, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Its keys.
    pub keys: Tally,
}

/// The keys of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseTally {
    /// The database.
    pub db: u64,
    /// All its keys.
    #[serde(flatten)]
    pub tally: Tally,
    /// Its keys by type.
    pub types: Vec<TypeTally>,
}

/// The keys of one type in a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeTally {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// All keys of the type.
    #[serde(flatten)]
    pub tally: Tally,
    /// By encoding.
    pub encodings: Vec<EncodingKeys>,
}

/// The keys of one encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodingKeys {
    /// How they are stored in the dump.
    pub stored_as: String,
    /// How they are held by the server that loaded them.
    pub loaded_as: String,
    /// The keys.
    #[serde(flatten)]
    pub tally: Tally,
}

/// A list of the largest keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopKeys {
    /// The database.
    pub db: u64,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What they are ranked by.
    pub by: By,
    /// Whether only keys that never expire are listed.
    pub is_without_ttl: bool,
    /// The keys, largest first.
    pub keys: Vec<KeyRow>,
}

/// How many keys of a type have which sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSizes {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// By bytes of memory.
    pub memory_bytes: Sizes,
    /// By bytes in the dump.
    pub serialized_bytes: Sizes,
    /// By elements.
    pub elements: Sizes,
}

/// Keys of one LFU counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequencyTally {
    /// The counter.
    pub frequency: u8,
    /// How many keys.
    pub keys: u64,
}

/// Prefixes of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prefixes {
    /// Bytes that end a prefix.
    pub separators: Name,
    /// Keys under none of the prefixes: with those of the shortest ones they are all keys.
    pub other: Tally,
    /// The prefixes, each with all keys under it, those of longer prefixes included.
    #[serde(flatten)]
    pub found: NamesFound,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its name.
    #[serde(flatten)]
    pub name: Name,
    /// The number of its dump, from 0, in the order of the report's dumps.
    pub dump: u32,
    /// Offset of its record in the (inflated) dump.
    pub offset: u64,
    /// How it is stored in the dump.
    pub stored_as: Cow<'static, str>,
    /// How it is held by the server that loaded it.
    pub loaded_as: Cow<'static, str>,
    /// STRLEN of a string, a collection's number of elements, a module value's stored bytes.
    pub size: u64,
    /// Elements; a string is one.
    pub elements: u64,
    /// Bytes of its record.
    pub serialized_bytes: u64,
    /// Bytes of memory as `MEMORY USAGE` counts them, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes that the allocator gives out for it, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
    /// Bytes of its texts as clients see them, where they are not packed or were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes: Option<u64>,
    /// Bytes of its largest element, where elements are not packed or were looked for: of a hash's pair those of field and
    /// value, of a stream's entry those of all its fields and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element_bytes: Option<u64>,
    /// The place of that among the elements, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element_index: Option<u64>,
    /// What that is called, if it was looked for and is no longer than 1,024 bytes: a hash's field, a set's or sorted set's
    /// member, the ID of a stream's entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_element: Option<Name>,
    /// When it expires, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
}

impl Prefixes {
    fn new(separators: &[u8], found: NamesFound, totals: Tally) -> Self {
        let mut prefixes = Self { separators: Name::new(separators), other: Tally::default(), found };
        prefixes.set_other(totals);
        prefixes
    }

    fn set_other(&mut self, totals: Tally) {
        self.other = self.shortest().fold(totals, |other, prefix| other.without(&prefix.tally));
    }

    /// The prefixes of one part, which all others lie under.
    pub fn shortest(&self) -> impl Iterator<Item = &NameTally> {
        self.found.names.iter().filter(|prefix| self.depth(prefix) == 1)
    }

    /// How many parts a prefix has.
    pub fn depth(&self, prefix: &NameTally) -> usize {
        prefix.name.bytes().iter().filter(|byte| self.separators.bytes().contains(byte)).count()
    }

    /// The prefixes with one part more than this one has, in the order of their bytes.
    pub fn below<'p>(&'p self, prefix: &'p NameTally) -> impl Iterator<Item = &'p NameTally> {
        let (name, depth) = (prefix.name.bytes(), self.depth(prefix) + 1);
        // In the order of their bytes, what lies under a prefix follows it.
        let at = self.found.names.partition_point(|other| other.name.bytes() <= name);
        let under = self.found.names.get(at..).unwrap_or_default().iter();
        let under = under.take_while(move |other| other.name.bytes().starts_with(name));
        under.filter(move |other| self.depth(other) == depth)
    }
}

impl KeyRow {
    pub(crate) fn new(dump: u32, entry: &Entry<'_>, footprint: &Footprint, tally: &Tally, name: &[u8]) -> Self {
        Self {
            name: Name::new(name),
            dump,
            offset: entry.offset,
            stored_as: entry.value_type.label().into(),
            loaded_as: footprint.encoding.name().into(),
            size: entry.size,
            elements: tally.elements,
            serialized_bytes: tally.serialized_bytes,
            memory_bytes: footprint.memory_bytes,
            allocated_bytes: footprint.allocated_bytes,
            value_bytes: footprint.value_bytes,
            largest_element_bytes: footprint.largest.map(|largest| largest.bytes),
            largest_element_index: footprint.largest.map(|largest| largest.index),
            largest_element: None,
            expires_at_ms: entry.expires_at_ms,
        }
    }

    pub(crate) fn held_bytes(&self) -> i64 {
        (size_of::<Self>() + self.name.bytes().len() + 64).cast_signed() as i64
    }
}

impl Report {
    /// The report about dumps, the keys of which are in a census.
    pub(crate) fn new(question: &Question, mut dumps: Vec<DumpInfo>, census: Census) -> Self {
        let numbers = census.into_numbers();
        let mut totals = Tally::default();
        for (dump, tally) in &numbers.dumps {
            totals.merge(tally);
            if let Some(info) = usize::try_from(*dump).ok().and_then(|dump| dumps.get_mut(dump)) {
                info.keys = *tally;
            }
        }
        let mut ttl = Ttls::default();
        for (class, tally) in numbers.databases.values().flat_map(Database::classes) {
            ttl.of(class.expiry).merge(tally);
        }
        let separators = Separators::new(&question.separators);
        let mut report = Self {
            format: FORMAT.to_owned(),
            is_complete: dumps.iter().all(|dump| dump.is_complete),
            dumps,
            totals,
            memory_unknown_keys: numbers.memory_unknown_keys,
            databases: Vec::new(),
            top: Vec::new(),
            top_keys_max: question.top,
            ttl,
            sizes: kind_sizes(numbers.sizes),
            idle_seconds: numbers.idle.buckets().collect(),
            frequencies: frequencies(&numbers.frequencies),
            prefixes: Prefixes::new(&question.separators, numbers.prefixes.finish(&separators), totals),
            slots: question.has_slots.then(|| numbers.slots.finish()),
            streams: numbers.streams,
            modules: numbers.modules.finish(),
        };
        for (db, database) in numbers.databases {
            report.add_database(db.unwrap_or(0), database);
        }
        if question.filter.is_of_all() && !question.filter.names_databases() {
            report.add_servers();
        }
        report
    }

    /// Adds what each dump takes on its server.
    fn add_servers(&mut self) {
        for dump in &mut self.dumps {
            if let (Ok(target), Ok(allocator)) = (dump.target.parse(), dump.allocator.parse()) {
                dump.server = Some(ServerMemory::new(&Model::new(target, allocator), &dump.keys));
            }
        }
    }

    fn add_database(&mut self, db: u64, database: Database) {
        let mut types = Vec::new();
        let mut all = Tally::default();
        for (kind, of_kind) in Kind::ALL.into_iter().zip(database.kinds) {
            if of_kind.classes.is_empty() {
                continue;
            }
            let mut tally = Tally::default();
            let mut encodings = Vec::new();
            for (class, of_class) in of_kind.classes {
                tally.merge(&of_class);
                let (stored_as, loaded_as) = (class.stored.label().to_owned(), class.held.name().to_owned());
                merge_encoding(&mut encodings, EncodingKeys { stored_as, loaded_as, tally: of_class });
            }
            all.merge(&tally);
            types.push(TypeTally { kind: kind.name().to_owned(), tally, encodings });
            for (lists, is_without_ttl) in of_kind.tops.into_iter().zip([false, true]) {
                for (list, by) in lists.into_iter().zip(By::ALL) {
                    let keys = list.into_keys();
                    if !keys.is_empty() {
                        self.top.push(TopKeys { db, kind: kind.name().to_owned(), by, is_without_ttl, keys });
                    }
                }
            }
        }
        if all.keys > 0 {
            self.databases.push(DatabaseTally { db, tally: all, types });
        }
    }

    /// Adds another report, whose dumps come after the ones of this: `(a + b) + c` is `a + (b + c)`, to the byte.
    ///
    /// Lists have as many keys as the shorter of both. Prefixes and other names that either report had no room for are
    /// missing, those that it lists are exact.
    ///
    /// # Errors
    /// A sentence if they cannot be merged: their JSON is of another version, or they tell prefixes apart otherwise.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        other.check()?;
        if self.prefixes.separators != other.prefixes.separators {
            return Err(format!(
                "it was made with --separators {}, the ones before with {}",
                other.prefixes.separators, self.prefixes.separators
            ));
        }
        let dumps_before = u32::try_from(self.dumps.len()).map_err(|_| "there are too many dumps".to_owned())?;
        self.is_complete &= other.is_complete;
        self.dumps.extend(other.dumps);
        self.totals.merge(&other.totals);
        self.memory_unknown_keys += other.memory_unknown_keys;
        self.merge_databases(other.databases);
        self.top_keys_max = self.top_keys_max.min(other.top_keys_max);
        self.merge_top(other.top, dumps_before);
        self.ttl.merge(&other.ttl);
        for sizes in other.sizes {
            merge_sizes(&mut self.sizes, sizes);
        }
        self.sizes.sort_by_key(|sizes| kind_order(&sizes.kind));
        let mut idle = Sizes::default();
        for bucket in self.idle_seconds.iter().chain(&other.idle_seconds) {
            idle.add(bucket.at_least, bucket.keys);
        }
        self.idle_seconds = idle.buckets().collect();
        let mut counts = vec![0; 256];
        for FrequencyTally { frequency, keys } in self.frequencies.iter().chain(&other.frequencies) {
            if let Some(count) = counts.get_mut(usize::from(*frequency)) {
                *count += keys;
            }
        }
        self.frequencies = frequencies(&counts);
        let separators = Separators::new(self.prefixes.separators.bytes());
        self.prefixes.found.merge(other.prefixes.found, |name| separators.rank(name));
        self.prefixes.set_other(self.totals);
        self.modules.merge(other.modules, |name| (0, names::hash(name)));
        match (&mut self.slots, other.slots) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
        self.streams.merge(&other.streams);
        Ok(())
    }

    /// Whether this is a report that this version can merge.
    ///
    /// # Errors
    /// A sentence if its JSON is of another version.
    pub fn check(&self) -> Result<(), String> {
        if self.format == FORMAT {
            Ok(())
        } else {
            Err(format!("it is not of the format {FORMAT} but {}", self.format))
        }
    }

    fn merge_databases(&mut self, others: Vec<DatabaseTally>) {
        for other in others {
            let Some(mine) = self.databases.iter_mut().find(|mine| mine.db == other.db) else {
                self.databases.push(other);
                continue;
            };
            mine.tally.merge(&other.tally);
            for theirs in other.types {
                let Some(mine) = mine.types.iter_mut().find(|mine| mine.kind == theirs.kind) else {
                    mine.types.push(theirs);
                    continue;
                };
                mine.tally.merge(&theirs.tally);
                for encoding in theirs.encodings {
                    merge_encoding(&mut mine.encodings, encoding);
                }
            }
            mine.types.sort_by_key(|of_type| kind_order(&of_type.kind));
        }
        self.databases.sort_by_key(|database| database.db);
    }

    fn merge_top(&mut self, others: Vec<TopKeys>, dumps_before: u32) {
        for mut theirs in others {
            for key in &mut theirs.keys {
                key.dump = key.dump.saturating_add(dumps_before);
            }
            let id = |list: &TopKeys| (list.db, list.kind.clone(), list.by, list.is_without_ttl);
            match self.top.iter_mut().find(|mine| id(mine) == id(&theirs)) {
                Some(mine) => mine.keys.append(&mut theirs.keys),
                None => self.top.push(theirs),
            }
        }
        for list in &mut self.top {
            let keys = std::mem::take(&mut list.keys);
            list.keys = List::of_keys(list.by, keys, self.top_keys_max).into_keys();
        }
        self.top.sort_by_key(|list| (list.db, kind_order(&list.kind), list.is_without_ttl, list.by));
    }
}

/// The place of a type in reports; unknown ones come last.
fn kind_order(name: &str) -> usize {
    Kind::ALL.iter().position(|kind| kind.name() == name).unwrap_or(Kind::ALL.len())
}

fn kind_sizes(sizes: [SizesOfKind; Kind::ALL.len()]) -> Vec<KindSizes> {
    let of_kind = |(kind, sizes): (Kind, SizesOfKind)| KindSizes {
        kind: kind.name().to_owned(),
        memory_bytes: sizes.memory,
        serialized_bytes: sizes.serialized,
        elements: sizes.elements,
    };
    let filled = |sizes: &KindSizes| sizes.serialized_bytes.buckets().next().is_some();
    Kind::ALL.into_iter().zip(sizes).map(of_kind).filter(filled).collect()
}

fn frequencies(counts: &[u64]) -> Vec<FrequencyTally> {
    let filled = (0..=u8::MAX).zip(counts).filter(|(_, keys)| **keys > 0);
    filled.map(|(frequency, keys)| FrequencyTally { frequency, keys: *keys }).collect()
}

fn merge_encoding(encodings: &mut Vec<EncodingKeys>, other: EncodingKeys) {
    let same = |mine: &&mut EncodingKeys| mine.stored_as == other.stored_as && mine.loaded_as == other.loaded_as;
    match encodings.iter_mut().find(same) {
        Some(mine) => mine.tally.merge(&other.tally),
        None => encodings.push(other),
    }
    encodings.sort_by(|a, b| (&a.stored_as, &a.loaded_as).cmp(&(&b.stored_as, &b.loaded_as)));
}

fn merge_sizes(all: &mut Vec<KindSizes>, other: KindSizes) {
    match all.iter_mut().find(|mine| mine.kind == other.kind) {
        Some(mine) => {
            mine.memory_bytes.merge(&other.memory_bytes);
            mine.serialized_bytes.merge(&other.serialized_bytes);
            mine.elements.merge(&other.elements);
        }
        None => all.push(other),
    }
}

impl QueryPlan {
    pub(crate) fn new(question: &Question, filter: Filter, dump: u32, now_ms: i64, target: Target) -> Arc<Self> {
        let model = Model::new(target, question.allocator);
        Arc::new(Self {
            top: question.top,
            takes_all: filter.is_of_all(),
            filter,
            separators: Separators::new(&question.separators),
            needs_names: question.has_slots || !question.separators.is_empty(),
            late: Late::default(),
            has_slots: question.has_slots,
            dump,
            now_ms,
            shorts: shorts::Costs::new(&model),
            model,
        })
    }
}
