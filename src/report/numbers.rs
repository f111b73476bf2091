//! The numbers of a report while keys are added to them. They merge in any grouping.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Names, hash};
use super::prefix::{Padded, Prefixes};
use super::rank::{By, List};
use super::shorts::{Shape, Shorts};
use super::tally::{Expiry, Sizes, Tally};
use super::{KeyRow, QueryPlan, slots};
use crate::memory::{Basis, Encoding, Footprint};
use crate::rdb::short::{PADDED_BYTES, Short};
use crate::rdb::{Context, Entry, Kind, ParseErrorKind, ValueType};

/// Bytes that top lists may take in memory, with their names, and for each key that is asked for. Tallies by name are
/// bounded by their number.
const HELD_BYTES: u64 = 24 << 20;
const HELD_BYTES_PER_TOP: u64 = 16 << 10;

/// Numbers over entries.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By database; `None` is the one that a scan from the middle of a dump began in.
    pub(super) databases: BTreeMap<Option<u64>, Database>,
    current: Database,
    current_db: Option<u64>,
    /// Strings that are not among the current database's classes yet.
    shorts: Shorts,
    /// Keys of the dumps that were merged, by the dump's number; those that were added here are in no dump yet.
    pub(super) dumps: BTreeMap<u32, Tally>,
    pub(super) memory_unknown_keys: u64,
    pub(super) memory_lower_bound_keys: u64,
    pub(super) memory_estimated_keys: u64,
    /// By kind in the order of [`Kind::ALL`].
    pub(super) sizes: [SizesOfKind; Kind::ALL.len()],
    pub(super) idle: Sizes,
    pub(super) frequencies: Vec<u64>,
    pub(super) prefixes: Prefixes,
    pub(super) modules: Names,
    pub(super) slots: slots::Slots,
    pub(super) streams: Streams,
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
    is_wanted: bool,
    pub(super) kinds: [OfKind; Kind::ALL.len()],
}

/// The numbers of one kind of keys.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    pub(super) classes: Vec<(Class, Tally)>,
    /// All keys, then those without TTL, by each of [`By::ALL`].
    pub(super) tops: [[List; By::ALL.len()]; 2],
}

/// What keys of one kind are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// How they are stored in the dump.
    pub(super) stored: ValueType,
    /// How they are held by the server that loaded them.
    pub(super) held: Encoding,
    /// How soon they expire.
    pub(super) expiry: Expiry,
}

/// How many keys of one kind have which sizes, in all databases.
#[derive(Debug, Default)]
pub(super) struct SizesOfKind {
    pub(super) memory: Sizes,
    pub(super) serialized: Sizes,
    pub(super) elements: Sizes,
}

impl Numbers {
    /// None yet; the first entries are in database `db`, or in one that is not known.
    pub(super) fn new(asked: &QueryPlan, db: Option<u64>) -> Self {
        let current = Database { is_wanted: asked.filter.wants_database(db), ..Database::default() };
        Self { current, current_db: db, prefixes: Prefixes::within(asked.late.get()), ..Self::default() }
    }

    /// The database of the entries that come next.
    pub(super) fn db(&self) -> Option<u64> {
        self.current_db
    }

    pub(super) fn select(&mut self, asked: &QueryPlan, db: u64) {
        if self.current_db == Some(db) {
            return;
        }
        let next = self.databases.remove(&Some(db)).unwrap_or_else(|| {
            self.held_bytes += size_of::<Database>() as u64;
            Database { is_wanted: asked.filter.wants_database(Some(db)), ..Database::default() }
        });
        self.count_shorts(asked);
        let last = std::mem::replace(&mut self.current, next);
        self.databases.insert(self.current_db.replace(db), last);
    }

    /// Puts the current database among the others, when no more keys come.
    pub(super) fn put_away(&mut self, asked: &QueryPlan) {
        self.count_shorts(asked);
        let last = std::mem::take(&mut self.current);
        self.databases.insert(self.current_db, last);
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes + self.prefixes.held_bytes() + self.modules.held_bytes() + self.slots.held_bytes()
    }

    /// # Errors
    /// [`ParseErrorKind::Held`] if the lists hold too much.
    pub(super) fn check_held(&self, asked: &QueryPlan) -> Result<(), ParseErrorKind> {
        let most = HELD_BYTES.saturating_add(HELD_BYTES_PER_TOP.saturating_mul(asked.top as u64));
        if self.held_bytes > most { Err(ParseErrorKind::Held) } else { Ok(()) }
    }

    /// Whether short strings can be added as they are found: whether all keys count.
    pub(super) fn takes_short(&self, asked: &QueryPlan) -> bool {
        self.current.is_wanted && asked.takes_all
    }

    /// Adds a short string, unless it may have a place on a list.
    #[inline(always)]
    pub(super) fn add_short(&mut self, asked: &QueryPlan, context: &Context, short: Short<'_>) -> bool {
        let Some(shape) = Shape::of(&short) else { return self.add_shapeless(asked, context, short) };
        let Some(memory_bytes) = asked.shorts.memory_bytes(shape) else { return false };
        if !self.keeps_out(asked, &short, memory_bytes) {
            return false;
        }
        self.shorts.add(shape);
        if asked.needs_names {
            let tally = Tally::of_key(1, short.record.len() as u64, memory_bytes, true);
            self.place_short(asked, short.padded_name, short.name.len(), &tally);
        }
        true
    }

    /// Counts a short string under its prefixes, and in its slot.
    #[inline(never)]
    fn place_short(&mut self, asked: &QueryPlan, padded_name: &[u8; PADDED_BYTES], name_bytes: usize, tally: &Tally) {
        self.prefixes.add_padded(&asked.separators, Padded::of_short(padded_name, name_bytes), tally);
        if asked.has_slots {
            self.slots.add(padded_name.get(..name_bytes).unwrap_or_default(), tally);
        }
    }

    /// As [`Numbers::add_short`], of strings that have no shape.
    #[inline(never)]
    fn add_shapeless(&mut self, asked: &QueryPlan, context: &Context, short: Short<'_>) -> bool {
        let (held, memory_bytes) = asked.model.short_string(&short);
        if !self.keeps_out(asked, &short, memory_bytes) {
            return false;
        }
        let Some(sizes) = self.sizes.get_mut(Kind::String as usize) else { return false };
        let serialized_bytes = short.record.len() as u64;
        sizes.serialized.add(serialized_bytes, 1);
        sizes.memory.add(memory_bytes, 1);
        let expiry = Expiry::of(short.expires_at.map(|stored| context.time_ms(stored)), asked.now_ms);
        self.shorts.add_shapeless(held, expiry, serialized_bytes, memory_bytes);
        if asked.needs_names {
            let tally = Tally::of_key(1, serialized_bytes, memory_bytes, short.expires_at.is_none());
            self.place_short(asked, short.padded_name, short.name.len(), &tally);
        }
        true
    }

    /// Whether a short string has no place on a list.
    #[inline(always)]
    fn keeps_out(&self, asked: &QueryPlan, short: &Short<'_>, memory_bytes: u64) -> bool {
        if asked.top == 0 {
            return true;
        }
        let Some(of_kind) = self.current.kinds.get(Kind::String as usize) else { return false };
        let [by_serialized, by_memory, _] = of_kind.lists(short.expires_at.is_some());
        let (name, serialized_bytes) = (short.name, short.record.len() as u64);
        // Both floors before any list, and neither by a branch: what they say of a tiny key nothing foretells.
        let at_once = |first: &_| {
            by_serialized.floor.keeps_out_at_once(serialized_bytes, *first)
                & by_memory.floor.keeps_out_at_once(memory_bytes, *first)
        };
        name.first_chunk().is_some_and(at_once)
            || by_serialized.keeps_out(serialized_bytes, name, asked.top)
                && by_memory.keeps_out(memory_bytes, name, asked.top)
    }

    /// Counts the short strings among the current database's classes, and by sizes as far as they were not.
    fn count_shorts(&mut self, asked: &QueryPlan) {
        let shorts = std::mem::take(&mut self.shorts);
        let Some(of_kind) = self.current.kinds.get_mut(Kind::String as usize) else { return };
        let Some(sizes) = self.sizes.get_mut(Kind::String as usize) else { return };
        for (held, [serialized_bytes, memory_bytes], tally) in shorts.of_shapes(&asked.shorts) {
            of_kind.count(Class { stored: ValueType::STRING, held, expiry: Expiry::Never }, &tally);
            sizes.serialized.add(serialized_bytes, tally.keys);
            sizes.memory.add(memory_bytes, tally.keys);
            sizes.elements.add(1, tally.keys);
        }
        for (held, expiry, tally) in shorts.shapeless() {
            of_kind.count(Class { stored: ValueType::STRING, held, expiry }, &tally);
            sizes.elements.add(1, tally.keys);
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged, [`ParseErrorKind::Held`] if the lists hold too much.
    pub(super) fn add(
        &mut self,
        asked: &QueryPlan,
        entry: &Entry<'_>,
        footprint: &Footprint,
    ) -> Result<(), ParseErrorKind> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let added = entry.key.decode(&mut buffer).and_then(|name| self.add_named(asked, entry, name, footprint));
        self.buffer = buffer;
        added
    }

    fn add_named(
        &mut self,
        asked: &QueryPlan,
        entry: &Entry<'_>,
        name: &[u8],
        found: &Footprint,
    ) -> Result<(), ParseErrorKind> {
        if !self.current.is_wanted || !asked.takes_all && !asked.filter.passes(entry, name) {
            return Ok(());
        }
        let never_expires = entry.expires_at_ms.is_none();
        let memory_bytes = found.memory_bytes.unwrap_or(0);
        let elements = if matches!(entry.kind, Kind::String | Kind::Module) { 1 } else { entry.size };
        let serialized_bytes = entry.value_offset - entry.offset + entry.value_bytes;
        let tally = Tally::of_key(elements, serialized_bytes, memory_bytes, never_expires);
        self.count_sizes(entry.kind, &tally, found.memory_bytes);
        match found.basis {
            Some(Basis::LowerBound) => self.memory_lower_bound_keys += 1,
            Some(Basis::Estimate) => self.memory_estimated_keys += 1,
            Some(Basis::Exact) | None => {}
        }
        self.place(asked, name, &tally);
        if let Some(seconds) = entry.idle_seconds {
            self.idle.add(seconds, 1);
        }
        if let Some(frequency) = entry.frequency {
            self.frequencies.resize(256, 0);
            if let Some(keys) = self.frequencies.get_mut(usize::from(frequency)) {
                *keys += 1;
            }
        }
        if let Some(module) = entry.module {
            let name = module.to_string();
            self.modules.add(name.as_bytes(), (0, hash(name.as_bytes())), &tally);
        }
        if let Some(streamed) = found.streamed {
            self.streams.merge(&Streams {
                streams: 1,
                with_groups: u64::from(streamed.groups > 0),
                groups: streamed.groups,
                pending: streamed.pending,
            });
        }
        let Some(of_kind) = self.current.kinds.get_mut(entry.kind as usize) else { return Ok(()) };
        let expiry = Expiry::of(entry.expires_at_ms, asked.now_ms);
        of_kind.count(Class { stored: entry.value_type, held: found.encoding, expiry }, &tally);
        if asked.top == 0 || of_kind.keeps_out(entry.kind, &tally, name) {
            return Ok(());
        }
        let change = of_kind.rank(asked, entry, found, &tally, name);
        self.held_bytes = self.held_bytes.saturating_add_signed(change);
        if change == 0 { Ok(()) } else { self.check_held(asked) }
    }

    /// Counts a key under its prefixes, and in its slot.
    #[inline(always)]
    fn place(&mut self, asked: &QueryPlan, name: &[u8], tally: &Tally) {
        self.prefixes.add(&asked.separators, name, tally);
        if asked.has_slots {
            self.slots.add(name, tally);
        }
    }

    /// Counts a key by its sizes.
    #[inline(always)]
    fn count_sizes(&mut self, kind: Kind, tally: &Tally, memory_bytes: Option<u64>) {
        let Some(sizes) = self.sizes.get_mut(kind as usize) else { return };
        match memory_bytes {
            Some(bytes) => sizes.memory.add(bytes, 1),
            None => self.memory_unknown_keys += 1,
        }
        sizes.serialized.add(tally.serialized_bytes, 1);
        sizes.elements.add(tally.elements, 1);
    }

    /// Takes over what was found in what follows. Entries whose database `theirs` does not know are in the current one.
    pub(super) fn merge(&mut self, asked: &QueryPlan, mut theirs: Self) {
        let inherited = self.current_db;
        let last_db = theirs.current_db.or(inherited);
        theirs.put_away(asked);
        let mut own = Tally::default();
        for (db, database) in std::mem::take(&mut theirs.databases) {
            database.classes().for_each(|(_, tally)| own.merge(tally));
            if let Some(db) = db.or(inherited) {
                self.select(asked, db);
            }
            let change = self.current.merge(database, asked.top);
            self.held_bytes = self.held_bytes.saturating_add_signed(change);
        }
        if let Some(db) = last_db {
            self.select(asked, db);
        }
        for (dump, tally) in &theirs.dumps {
            own = own.without(tally);
            self.dumps.entry(*dump).or_default().merge(tally);
        }
        self.dumps.entry(asked.dump).or_default().merge(&own);
        self.memory_unknown_keys += theirs.memory_unknown_keys;
        self.memory_lower_bound_keys += theirs.memory_lower_bound_keys;
        self.memory_estimated_keys += theirs.memory_estimated_keys;
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
        self.prefixes.merge(&asked.separators, theirs.prefixes);
        self.modules.merge(theirs.modules);
        self.slots.merge(theirs.slots);
        self.streams.merge(&theirs.streams);
    }
}

impl OfKind {
    #[inline(always)]
    fn count(&mut self, class: Class, tally: &Tally) {
        match self.classes.iter_mut().find(|(of, _)| *of == class) {
            Some((_, of)) => of.merge(tally),
            None => self.classes.push((class, *tally)),
        }
    }

    /// The lists that keep out most: what those of keys without TTL keep out, those of all keys do.
    #[inline(always)]
    fn lists(&self, expires: bool) -> &[List; By::ALL.len()] {
        let [of_all, of_lasting] = &self.tops;
        if expires { of_all } else { of_lasting }
    }

    /// Whether a key is sure to have no place on any list, as far as one look at each tells.
    #[inline]
    fn keeps_out(&self, kind: Kind, tally: &Tally, name: &[u8]) -> bool {
        let Some(first) = name.first_chunk() else { return false };
        let lists = self.lists(tally.keys_without_ttl == 0).iter().zip(ranked(kind, tally));
        lists.fold(true, |out, (list, (_, value))| out & list.floor.keeps_out_at_once(value, *first))
    }

    fn rank(&mut self, asked: &QueryPlan, entry: &Entry<'_>, footprint: &Footprint, tally: &Tally, name: &[u8]) -> i64 {
        let top = asked.top;
        let mut row: Option<Arc<KeyRow>> = None;
        let mut change = 0;
        let lists = if entry.expires_at_ms.is_none() { 2 } else { 1 };
        for lists in self.tops.iter_mut().take(lists) {
            for (list, (by, value)) in lists.iter_mut().zip(ranked(entry.kind, tally)) {
                if !list.keeps_out(value, name, top) {
                    let new = || Arc::new(KeyRow::new(asked.dump, entry, footprint, tally, name));
                    change += list.insert(by, row.get_or_insert_with(new).clone(), top);
                }
            }
        }
        change
    }

    pub(super) fn merge(&mut self, other: Self, top: usize) -> i64 {
        for (class, tally) in other.classes {
            self.count(class, &tally);
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

/// What a key is ranked by. A string is one element: there is nothing to rank by.
fn ranked(kind: Kind, tally: &Tally) -> impl Iterator<Item = (By, u64)> {
    let values = [tally.serialized_bytes, tally.memory_bytes, tally.elements];
    let ranked_by = if kind == Kind::String { 2 } else { By::ALL.len() };
    By::ALL.into_iter().zip(values).take(ranked_by)
}

impl Database {
    /// The tallies of all classes of keys.
    pub(super) fn classes(&self) -> impl Iterator<Item = &(Class, Tally)> {
        self.kinds.iter().flat_map(|of_kind| &of_kind.classes)
    }

    fn merge(&mut self, other: Self, top: usize) -> i64 {
        if !self.is_wanted {
            return 0;
        }
        self.kinds.iter_mut().zip(other.kinds).map(|(mine, theirs)| mine.merge(theirs, top)).sum()
    }
}
