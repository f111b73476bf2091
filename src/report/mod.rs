//! The report: what a dump holds, what it costs a server, and which keys, prefixes and shards that is.
//!
//! A scan gathers a `census`, which merges in any grouping; at its end it becomes a [`Report`], the one type that all
//! formats are written from, and that is read again to be merged with others ([`Report::merge`]). Its JSON is described by
//! `schema/report.schema.json`.

mod cache;
pub(crate) mod census;
mod filters;
pub(crate) mod largest;
pub(crate) mod model_notes;
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
pub(crate) mod unlike;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use filters::{FilteredExpired, Filters};
pub use names::{NameTally, NamesFound};
pub use numbers::Streams;
pub use rank::By;
pub use rows::Row;
pub use server::ServerMemory;
pub use slots::{SlotTally, SlotsFound};
pub use tally::{SizeBucket, Sizes, Tally, Ttls};
pub use text::Name;

use crate::analysis::filter::Filter;
use crate::analysis::room::{Cut, Held};
use crate::memory::{Allocator, Footprint, Model, Target};
use crate::rdb::{self, Kind};
use census::Census;
use names::Rank;
use numbers::{Database, Encodings, SizesOfKind, TALLIES_MAX, room};
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
    /// The moment that TTLs are seen from, in milliseconds since 1970, if it is known.
    pub(crate) now_ms: Option<i64>,
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
    /// Which keys it is about.
    pub filters: Filters,
    /// All keys together.
    pub totals: Tally,
    /// Keys whose memory is not known: values of modules, and of types that no model has. They count with none.
    pub memory_unknown_keys: u64,
    /// Keys with names of more than 8 MiB, which are in no prefix and no slot.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub oversized_names: u64,
    /// Keys whose memory is a lower bound: hashes in templates, without their share of the template.
    #[serde(default)]
    pub memory_lower_bound_keys: u64,
    /// Keys whose memory is an estimate: what the server leaves to chance, and rules that were not checked on it.
    #[serde(default)]
    pub memory_estimated_keys: u64,
    /// By database, type and encoding.
    pub databases: Vec<DatabaseTally>,
    /// The keys of all databases above these, if there are too many to have tallies each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_databases: Option<OtherDatabases>,
    /// The top keys of each database and type.
    pub top: Vec<TopKeys>,
    /// How many keys a list has at most.
    pub top_keys_max: usize,
    /// What was cut of the lists, if they would have held too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_cut: Option<TopCut>,
    /// Whether the listed keys were looked into for their largest elements, of one dump at least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_largest_elements: bool,
    /// Keys by how soon they expire, seen from [`DumpInfo::ttl_measured_at_ms`].
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
    /// The CRC-64 at its end in hexadecimal, or where it has none, that of its bytes, if it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
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
    /// What to know of the memory figures, a sentence each: how far the server that wrote the dump is from the modelled one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_notes: Vec<String>,
    /// The moment that times to live are measured from, in milliseconds since 1970: the one that was given, or when the dump
    /// was made. Where neither is known, they are in no class but `unknown`.
    pub ttl_measured_at_ms: Option<i64>,
    /// Whether that moment was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_now_given: bool,
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

/// The keys of the databases that have no tallies of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherDatabases {
    /// The first of these databases: all from this number on are among them.
    pub from_db: u64,
    /// All their keys.
    #[serde(flatten)]
    pub tally: Tally,
    /// Their keys by type.
    pub types: Vec<TypeTally>,
}

/// How lists of keys were cut so that they fit into memory together. Which keys are listed depends on nothing but the dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopCut {
    /// How many keys of each list were asked for.
    pub keys_asked: usize,
    /// The first database without lists, if some have none: neither have all above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_databases_from: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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
    /// Its name; of one that is too long to be held, the first bytes or none.
    #[serde(flatten)]
    pub name: Name,
    /// The length of the whole name, if it is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_bytes: Option<u64>,
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
    /// What those rest on: `exact`, `lower_bound` or `estimate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_basis: Option<Cow<'static, str>>,
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
    /// The row of a key whose `name` is held so far.
    pub(crate) fn new(dump: u32, entry: &rdb::Entry<'_>, footprint: &Footprint, tally: &Tally, name: &[u8]) -> Self {
        Self {
            name: Name::new(name),
            name_bytes: Some(entry.key.bytes()).filter(|bytes| *bytes > name.len() as u64),
            dump,
            offset: entry.offset,
            stored_as: entry.value_type.label().into(),
            loaded_as: footprint.encoding.name().into(),
            size: entry.size,
            elements: tally.elements,
            serialized_bytes: tally.serialized_bytes,
            memory_bytes: footprint.memory_bytes,
            allocated_bytes: footprint.allocated_bytes,
            memory_basis: footprint.basis.map(|basis| basis.name().into()),
            value_bytes: footprint.value_bytes,
            largest_element_bytes: footprint.largest.map(|largest| largest.bytes),
            largest_element_index: footprint.largest.map(|largest| largest.index),
            largest_element: None,
            expires_at_ms: entry.expires_at_ms,
        }
    }

    fn cut_name(&mut self, cut: &Cut) {
        let bytes = self.name.bytes().len() as u64;
        self.name_bytes = self.name_bytes.or(Some(bytes));
        self.name = Name::new(cut.name(self.name.bytes()));
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
        let separators = Separators::new(&question.separators);
        let mut report = Self {
            format: FORMAT.to_owned(),
            is_complete: dumps.iter().all(|dump| dump.is_complete),
            dumps,
            filters: Filters::of(&question.filter),
            totals,
            memory_unknown_keys: numbers.memory_unknown_keys,
            oversized_names: numbers.oversized_names,
            memory_lower_bound_keys: numbers.memory_lower_bound_keys,
            memory_estimated_keys: numbers.memory_estimated_keys,
            databases: Vec::new(),
            other_databases: None,
            top: Vec::new(),
            top_keys_max: question.top,
            top_cut: None,
            has_largest_elements: false,
            ttl: numbers.ttl,
            sizes: kind_sizes(numbers.sizes),
            idle_seconds: numbers.idle.buckets().collect(),
            frequencies: frequencies(&numbers.frequencies),
            prefixes: Prefixes::new(&question.separators, numbers.prefixes.finish(&separators), totals),
            slots: question.has_slots.then(|| numbers.slots.finish()),
            streams: numbers.streams,
            modules: numbers.modules.finish(),
        };
        report.set_cut(&numbers.cut, question.top);
        for (db, database) in numbers.databases {
            report.add_database(db.unwrap_or(0), database);
        }
        report.other_databases = numbers.other_from.map(|from_db| {
            let (tally, types) = by_type(numbers.other);
            OtherDatabases { from_db, tally, types }
        });
        if question.filter.is_of_all() && !question.filter.names_databases() {
            report.add_servers();
        }
        report
    }

    /// Adds what each dump takes on its server. Databases are told apart where there is one dump; of several dumps, which
    /// are the nodes of a cluster as a rule, each counts as one database.
    fn add_servers(&mut self) {
        let is_one = self.dumps.len() == 1;
        for dump in &mut self.dumps {
            let (Ok(target), Ok(allocator)) = (dump.target.parse(), dump.allocator.parse()) else { continue };
            let model = Model::new(target, allocator);
            dump.server = Some(if is_one {
                let databases = self.databases.iter().map(|database| &database.tally);
                let server = ServerMemory::new(&model, &dump.keys, databases);
                self.slots.iter().fold(server, |server, slots| server.in_cluster(&model, &slots.slots))
            } else {
                ServerMemory::new(&model, &dump.keys, std::iter::once(&dump.keys))
            });
        }
    }

    fn add_database(&mut self, db: u64, database: Database) {
        let (tally, types) = by_type(database.encodings);
        if tally.keys > 0 {
            self.databases.push(DatabaseTally { db, tally, types });
        }
        let mut of_kinds = database.lists;
        of_kinds.sort_unstable_by_key(|(kind, _)| *kind);
        for (kind, lists) in of_kinds {
            for (lists, is_without_ttl) in lists.into_iter().zip([false, true]) {
                for (list, by) in lists.into_iter().zip(By::ALL) {
                    let keys = list.into_keys();
                    if !keys.is_empty() {
                        self.top.push(TopKeys { db, kind: kind.name().to_owned(), by, is_without_ttl, keys });
                    }
                }
            }
        }
    }

    /// How far the lists are cut, and how many keys were asked for.
    fn cut(&self) -> (Cut, usize) {
        let asked = self.top_cut.as_ref().map_or(self.top_keys_max, |cut| cut.keys_asked);
        let mut cut = Cut::none(self.top_keys_max);
        if let Some(TopCut { without_databases_from, .. }) = self.top_cut {
            let room = room(asked);
            cut.name_bytes_max = room.name_bytes / room.keys;
            cut.first_unlisted_db = without_databases_from;
        }
        (cut, asked)
    }

    fn set_cut(&mut self, cut: &Cut, asked: usize) {
        self.top_keys_max = cut.keys_max;
        let is_cut = cut.keys_max < asked || cut.first_unlisted_db.is_some();
        self.top_cut = is_cut.then_some(TopCut { keys_asked: asked, without_databases_from: cut.first_unlisted_db });
    }

    /// What is not in the report for want of room, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let (cut, asked) = self.cut();
        let listed = self.top.iter().flat_map(|list| &list.keys);
        let mut cut_names: Vec<(u32, u64)> =
            listed.filter(|key| key.name_bytes.is_some()).map(|key| (key.dump, key.offset)).collect();
        cut_names.sort_unstable();
        cut_names.dedup();
        let mut notes = cut.notes(room(asked), asked, cut_names.len());
        if let Some(OtherDatabases { from_db, tally, .. }) = &self.other_databases {
            notes.push(format!(
                "the {} keys of databases from {from_db} on are counted together (limit: {TALLIES_MAX} tallies by \
                 database, type and encoding); use --db to count them apart",
                tally.keys
            ));
        }
        if self.oversized_names > 0 {
            notes.push(oversized_note(self.oversized_names, "not in prefixes and slots"));
        }
        notes
    }

    /// Adds another report, whose dumps come after the ones of this: `(a + b) + c` is `a + (b + c)`, to the byte.
    ///
    /// Lists have as many keys as the shorter of both, and no more than there is room for. Prefixes and other names that either report had no room for are
    /// missing, those that it lists are exact.
    ///
    /// # Errors
    /// A sentence if they cannot be merged (their JSON is of another version, or they tell prefixes apart otherwise), or
    /// should not be: they are of different filters, they measure times to live from different moments that were given
    /// ([`Question::filter`]'s `now_ms`), or a dump is in both.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        other.check()?;
        unlike::obstacle(self, &other).map_or(Ok(()), Err)?;
        self.merge_anyway(other)
    }

    /// As [`Report::merge`], of reports that should not be merged too; [`Filters::is_mixed`] then says so of filters.
    ///
    /// # Errors
    /// A sentence if they cannot be merged.
    pub fn merge_anyway(&mut self, other: Self) -> Result<(), String> {
        other.check()?;
        if self.prefixes.separators != other.prefixes.separators {
            return Err(format!(
                "it was made with --separators {}, the ones before with {}",
                other.prefixes.separators, self.prefixes.separators
            ));
        }
        let dumps_before = u32::try_from(self.dumps.len()).map_err(|_| "there are too many dumps".to_owned())?;
        let ((mut cut, asked), (their_cut, their_asked)) = (self.cut(), other.cut());
        self.is_complete &= other.is_complete;
        self.dumps.extend(other.dumps);
        self.filters.merge(&other.filters);
        self.has_largest_elements |= other.has_largest_elements;
        self.totals.merge(&other.totals);
        self.memory_unknown_keys += other.memory_unknown_keys;
        self.oversized_names += other.oversized_names;
        cut.lower(&their_cut);
        self.memory_lower_bound_keys += other.memory_lower_bound_keys;
        self.memory_estimated_keys += other.memory_estimated_keys;
        self.merge_databases(other.databases);
        self.merge_other_databases(other.other_databases);
        self.merge_top(other.top, dumps_before, cut, asked.min(their_asked));
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
            Err(format!("unknown report format {} (expected {FORMAT})", self.format))
        }
    }

    fn merge_databases(&mut self, others: Vec<DatabaseTally>) {
        let mut all: BTreeMap<u64, DatabaseTally> =
            std::mem::take(&mut self.databases).into_iter().map(|database| (database.db, database)).collect();
        for other in others {
            match all.entry(other.db) {
                Entry::Vacant(place) => _ = place.insert(other),
                Entry::Occupied(mine) => {
                    let mine = mine.into_mut();
                    mine.tally.merge(&other.tally);
                    merge_types(&mut mine.types, other.types);
                }
            }
        }
        self.databases = all.into_values().collect();
    }

    /// Counts the databases together that either report has no tallies of, or that there is no room for now.
    fn merge_other_databases(&mut self, other: Option<OtherDatabases>) {
        let mut tallies = 0;
        let too_many = self.databases.iter().find(|database| {
            tallies += database.types.iter().map(|of_type| of_type.encodings.len()).sum::<usize>();
            tallies > TALLIES_MAX
        });
        let too_many = too_many.map(|database| database.db);
        let all: Vec<OtherDatabases> = self.other_databases.take().into_iter().chain(other).collect();
        let Some(from_db) = all.iter().map(|other| other.from_db).chain(too_many).min() else { return };
        let mut together = OtherDatabases { from_db, tally: Tally::default(), types: Vec::new() };
        let cut = self.databases.partition_point(|database| database.db < from_db);
        let of_databases = self.databases.drain(cut..).map(|database| (database.tally, database.types));
        for (tally, types) in all.into_iter().map(|other| (other.tally, other.types)).chain(of_databases) {
            together.tally.merge(&tally);
            merge_types(&mut together.types, types);
        }
        self.other_databases = Some(together);
    }

    fn merge_top(&mut self, others: Vec<TopKeys>, dumps_before: u32, mut cut: Cut, asked: usize) {
        let id = |list: &TopKeys| (list.db, kind_order(&list.kind), list.kind.clone(), list.is_without_ttl, list.by);
        let mut all: BTreeMap<_, TopKeys> =
            std::mem::take(&mut self.top).into_iter().map(|list| (id(&list), list)).collect();
        for mut theirs in others {
            for key in &mut theirs.keys {
                key.dump = key.dump.saturating_add(dumps_before);
            }
            match all.entry(id(&theirs)) {
                Entry::Vacant(place) => _ = place.insert(theirs),
                Entry::Occupied(mut mine) => mine.get_mut().keys.append(&mut theirs.keys),
            }
        }
        let lists: Vec<(u64, usize)> = all.values().map(|list| (list.db, list.keys.len().min(cut.keys_max))).collect();
        cut.fit(room(asked), &lists);
        self.top = all.into_values().filter(|list| cut.lists(Some(list.db))).collect();
        for top in &mut self.top {
            let mut list = List::of_keys(top.by, std::mem::take(&mut top.keys), cut.keys_max);
            list.cut(&cut, &mut Held::default());
            top.keys = list.into_keys();
        }
        self.set_cut(&cut, asked);
    }
}

/// Tallies by type and encoding, and all of them together.
fn by_type(encodings: Encodings) -> (Tally, Vec<TypeTally>) {
    let (mut all, mut types) = (Tally::default(), Vec::<TypeTally>::new());
    for (class, tally) in encodings.into_sorted() {
        all.merge(&tally);
        let kind = class.kind.name();
        if types.last().is_none_or(|of_type| of_type.kind != kind) {
            types.push(TypeTally { kind: kind.to_owned(), tally: Tally::default(), encodings: Vec::new() });
        }
        let Some(of_type) = types.last_mut() else { continue };
        of_type.tally.merge(&tally);
        let (stored_as, loaded_as) = (class.stored.label().to_owned(), class.held.name().to_owned());
        merge_encoding(&mut of_type.encodings, EncodingKeys { stored_as, loaded_as, tally });
    }
    // Of many databases, room for more would take most of the memory.
    for of_type in &mut types {
        of_type.encodings.shrink_to_fit();
    }
    types.shrink_to_fit();
    (all, types)
}

fn merge_types(types: &mut Vec<TypeTally>, others: Vec<TypeTally>) {
    for theirs in others {
        let Some(mine) = types.iter_mut().find(|mine| mine.kind == theirs.kind) else {
            types.push(theirs);
            continue;
        };
        mine.tally.merge(&theirs.tally);
        for encoding in theirs.encodings {
            merge_encoding(&mut mine.encodings, encoding);
        }
    }
    types.sort_by_key(|of_type| kind_order(&of_type.kind));
}

/// How many keys have names that are too long to be held, and what that means for them.
pub(crate) fn oversized_note(keys: u64, what: &str) -> String {
    match keys {
        1 => format!("1 key has a name of more than 8 MiB: {what}"),
        _ => format!("{keys} keys have names of more than 8 MiB: {what}"),
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
    pub(crate) fn new(
        question: &Question,
        filter: Filter,
        dump: u32,
        now_ms: Option<i64>,
        target: Target,
    ) -> Arc<Self> {
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
