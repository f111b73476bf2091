//! Entries into the numbers of a report: what a scan gathers, in bounded memory, in any order and grouping.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{NameHash, Names};
use super::rank::{By, List};
use super::tally::{Sizes, Tally, Ttls};
use super::{Asked, EncodingTally, KeyRow, prefix, slots};
use crate::analysis::gather::Gather;
use crate::memory::{Footprint, walk};
use crate::rdb::entry::{Damage, Open, Step, step_with};
use crate::rdb::source::Keep;
use crate::rdb::{Context, Entry, Fault, Kind};

/// Bytes that top lists may take in memory, with their names, and for each key that is asked for. Tallies by name are
/// bounded by their number.
const HELD_BYTES: u64 = 24 << 20;
const HELD_BYTES_PER_TOP: u64 = 16 << 10;

impl Asked {
    fn held_bytes_max(&self) -> u64 {
        HELD_BYTES.saturating_add(HELD_BYTES_PER_TOP.saturating_mul(self.top as u64))
    }
}

/// Numbers over entries, with the question they answer.
#[derive(Debug)]
pub(crate) struct Census {
    asked: Arc<Asked>,
    pub(super) numbers: Numbers,
}

/// Numbers over entries.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By database; `None` is the one that a scan from the middle of a dump began in.
    pub(super) databases: BTreeMap<Option<u64>, Database>,
    pub(super) current: Database,
    pub(super) current_db: Option<u64>,
    /// Keys and what they take, of the dump at hand.
    own: Tally,
    /// Those of the dumps that were merged, by their number.
    pub(super) dumps: BTreeMap<u32, Tally>,
    pub(super) memory_unknown_keys: u64,
    pub(super) ttls: Ttls,
    /// By kind in the order of [`Kind::ALL`].
    pub(super) sizes: [SizesOfKind; Kind::ALL.len()],
    pub(super) idle: Sizes,
    pub(super) frequencies: Vec<u64>,
    pub(super) prefixes: Names,
    pub(super) modules: Names,
    pub(super) slots: slots::Slots,
    pub(super) streams: Streams,
    seen: u64,
    held_bytes: u64,
    buffer: Vec<u8>,
}

/// What streams hold besides entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Streams {
    /// Streams.
    pub streams: u64,
    /// Streams that have groups.
    pub with_groups: u64,
    /// Groups.
    pub groups: u64,
    /// Entries that were delivered and not acknowledged.
    pub pending: u64,
}

impl Streams {
    pub(super) fn merge(&mut self, other: &Self) {
        self.streams += other.streams;
        self.with_groups += other.with_groups;
        self.groups += other.groups;
        self.pending += other.pending;
    }
}

/// The numbers of one database, by kind in the order of [`Kind::ALL`].
#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) is_wanted: bool,
    pub(super) kinds: [OfKind; Kind::ALL.len()],
}

/// The numbers of one kind of keys.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    pub(super) encodings: Vec<EncodingTally>,
    /// All keys, then those without TTL, by each of [`By::ALL`].
    pub(super) tops: [[List; By::ALL.len()]; 2],
}

/// How many keys of one kind have which sizes, in all databases.
#[derive(Debug, Default)]
pub(super) struct SizesOfKind {
    pub(super) memory: Sizes,
    pub(super) serialized: Sizes,
    pub(super) elements: Sizes,
}

impl Census {
    pub(crate) fn new(asked: Arc<Asked>, db: Option<u64>) -> Self {
        let current = Database { is_wanted: asked.filter.wants_database(db), ..Database::default() };
        Self { asked, numbers: Numbers { current, current_db: db, ..Numbers::default() } }
    }

    /// All databases, those without a number as the first.
    pub(super) fn into_numbers(self) -> Numbers {
        let mut numbers = self.numbers;
        numbers.dumps.entry(self.asked.dump).or_default().merge(&numbers.own);
        let last = std::mem::take(&mut numbers.current);
        numbers.databases.insert(numbers.current_db, last);
        numbers
    }
}

impl Gather for Census {
    // Names take most of it: 2,048 prefixes, twice as many while they are added.
    const PIECE_HELD_BYTES_MAX: u64 = 2 << 20;
    const PIECES_AHEAD: usize = 8;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.asked.clone(), db)
    }

    #[inline]
    fn step<S: Keep>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<Open>>,
        _until: u64,
    ) -> Result<Step, Box<Damage>> {
        let Self { asked, numbers } = self;
        let walk = |source: &mut S, lead: &_| {
            let footprint = walk::measure(source, lead, context, &asked.model)?;
            Ok((footprint.measure, footprint))
        };
        step_with(source, context, walk, |source, found, footprint| {
            numbers.add(asked, &found.entry(source.kept()), &footprint)
        })
    }

    fn select(&mut self, db: u64) {
        let numbers = &mut self.numbers;
        if numbers.current_db == Some(db) {
            return;
        }
        let next = numbers.databases.remove(&Some(db)).unwrap_or_else(|| {
            numbers.held_bytes += size_of::<Database>() as u64;
            Database { is_wanted: self.asked.filter.wants_database(Some(db)), ..Database::default() }
        });
        let last = std::mem::replace(&mut numbers.current, next);
        numbers.databases.insert(numbers.current_db.replace(db), last);
    }

    fn db(&self) -> Option<u64> {
        self.numbers.current_db
    }

    fn keys(&self) -> u64 {
        self.numbers.seen
    }

    fn held_bytes(&self) -> u64 {
        let numbers = &self.numbers;
        numbers.held_bytes + numbers.prefixes.held_bytes() + numbers.modules.held_bytes() + numbers.slots.held_bytes()
    }

    fn merge(&mut self, other: Self) -> Result<(), Fault> {
        let mut theirs = other.numbers;
        let inherited = self.numbers.current_db;
        let last_db = theirs.current_db.or(inherited);
        let last = std::mem::take(&mut theirs.current);
        theirs.databases.insert(theirs.current_db, last);
        for (db, database) in std::mem::take(&mut theirs.databases) {
            if let Some(db) = db.or(inherited) {
                self.select(db);
            }
            let change = self.numbers.current.merge(database, self.asked.top);
            self.numbers.held_bytes = self.numbers.held_bytes.saturating_add_signed(change);
        }
        if let Some(db) = last_db {
            self.select(db);
        }
        theirs.dumps.entry(other.asked.dump).or_default().merge(&theirs.own);
        self.numbers.merge_all_but_databases(theirs);
        if self.numbers.held_bytes > self.asked.held_bytes_max() { Err(Fault::Held) } else { Ok(()) }
    }
}

impl Numbers {
    fn add(&mut self, asked: &Asked, entry: &Entry<'_>, footprint: &Footprint) -> Result<(), Fault> {
        self.seen += 1;
        let name = entry.key.decode(&mut self.buffer)?;
        if !self.current.is_wanted || !asked.filter.passes(entry, name) {
            return Ok(());
        }
        let never_expires = entry.expires_at_ms.is_none();
        let elements = if matches!(entry.kind, Kind::String | Kind::Module) { 1 } else { entry.size };
        let memory_bytes = footprint.memory_bytes.unwrap_or(0);
        let tally = Tally {
            keys: 1,
            elements,
            serialized_bytes: entry.value_offset - entry.offset + entry.value_bytes,
            memory_bytes,
            keys_without_ttl: u64::from(never_expires),
            memory_bytes_without_ttl: if never_expires { memory_bytes } else { 0 },
        };
        self.memory_unknown_keys += u64::from(footprint.memory_bytes.is_none());
        self.own.merge(&tally);
        self.ttls.of(entry.expires_at_ms, asked.now_ms).merge(&tally);
        if let Some(seconds) = entry.idle_seconds {
            self.idle.add(seconds, 1);
        }
        if let Some(frequency) = entry.frequency {
            self.frequencies.resize(256, 0);
            if let Some(keys) = self.frequencies.get_mut(usize::from(frequency)) {
                *keys += 1;
            }
        }
        prefix::add(&mut self.prefixes, &asked.bytes, name, &tally);
        if asked.has_slots {
            self.slots.add(name, &tally);
        }
        if let Some(module) = entry.module {
            let name = module.to_string();
            self.modules.add(name.as_bytes(), (0, NameHash::of(name.as_bytes())), &tally);
        }
        if let Some(streamed) = footprint.streamed {
            self.streams.merge(&Streams {
                streams: 1,
                with_groups: u64::from(streamed.groups > 0),
                groups: streamed.groups,
                pending: streamed.pending,
            });
        }
        if let Some(sizes) = self.sizes.get_mut(entry.kind as usize) {
            if let Some(bytes) = footprint.memory_bytes {
                sizes.memory.add(bytes, 1);
            }
            sizes.serialized.add(tally.serialized_bytes, 1);
            sizes.elements.add(tally.elements, 1);
        }
        let Some(of_kind) = self.current.kinds.get_mut(entry.kind as usize) else { return Ok(()) };
        of_kind.count(entry, footprint, &tally);
        let change = of_kind.rank(asked, entry, footprint, &tally, name);
        self.held_bytes = self.held_bytes.saturating_add_signed(change);
        if self.held_bytes > asked.held_bytes_max() { Err(Fault::Held) } else { Ok(()) }
    }

    fn merge_all_but_databases(&mut self, theirs: Self) {
        for (dump, tally) in theirs.dumps {
            self.dumps.entry(dump).or_default().merge(&tally);
        }
        self.memory_unknown_keys += theirs.memory_unknown_keys;
        self.ttls.merge(&theirs.ttls);
        for (mine, theirs) in self.sizes.iter_mut().zip(&theirs.sizes) {
            mine.memory.merge(&theirs.memory);
            mine.serialized.merge(&theirs.serialized);
            mine.elements.merge(&theirs.elements);
        }
        self.idle.merge(&theirs.idle);
        if !theirs.frequencies.is_empty() {
            self.frequencies.resize(256, 0);
        }
        for (mine, theirs) in self.frequencies.iter_mut().zip(theirs.frequencies) {
            *mine += theirs;
        }
        self.prefixes.merge(theirs.prefixes);
        self.modules.merge(theirs.modules);
        self.slots.merge(theirs.slots);
        self.streams.merge(&theirs.streams);
        self.seen += theirs.seen;
    }
}

impl OfKind {
    fn count(&mut self, entry: &Entry<'_>, footprint: &Footprint, tally: &Tally) {
        let (stored, held) = (entry.value_type, footprint.encoding);
        match self.encodings.iter_mut().find(|of| of.stored == stored && of.held == held) {
            Some(of) => of.tally.merge(tally),
            None => self.encodings.push(EncodingTally { stored, held, tally: *tally }),
        }
    }

    fn rank(&mut self, asked: &Asked, entry: &Entry<'_>, footprint: &Footprint, tally: &Tally, name: &[u8]) -> i64 {
        let values = [tally.serialized_bytes, tally.memory_bytes, tally.elements];
        let mut row: Option<Arc<KeyRow>> = None;
        let mut change = 0;
        let lists = if entry.expires_at_ms.is_none() { 2 } else { 1 };
        for lists in self.tops.iter_mut().take(lists) {
            for ((list, by), value) in lists.iter_mut().zip(By::ALL).zip(values) {
                // A string is one element: there is nothing to rank by.
                if by == By::Elements && entry.kind == Kind::String || !list.may_take(value, name, asked.top) {
                    continue;
                }
                let row = row.get_or_insert_with(|| Arc::new(KeyRow::new(asked.dump, entry, footprint, tally, name)));
                change += list.insert(by, row.clone(), asked.top);
            }
        }
        change
    }

    pub(super) fn merge(&mut self, other: Self, top: usize) -> i64 {
        for theirs in other.encodings {
            match self.encodings.iter_mut().find(|of| of.stored == theirs.stored && of.held == theirs.held) {
                Some(of) => of.tally.merge(&theirs.tally),
                None => self.encodings.push(theirs),
            }
        }
        let mut change = 0;
        for (mine, theirs) in self.tops.iter_mut().zip(other.tops) {
            for ((mine, theirs), by) in mine.iter_mut().zip(theirs).zip(By::ALL) {
                change += mine.merge(by, theirs, top);
            }
        }
        change
    }
}

impl Database {
    fn merge(&mut self, other: Self, top: usize) -> i64 {
        if !self.is_wanted {
            return 0;
        }
        self.kinds.iter_mut().zip(other.kinds).map(|(mine, theirs)| mine.merge(theirs, top)).sum()
    }
}
