//! The numbers of a report while keys are added to them, in bounded memory: a database without keys takes none, and where
//! there are too many with keys, the highest are counted together. They merge in any grouping.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::beginnings::BeginningSums;
use super::compression::{Compression, Looked};
use super::expiry::Expiries;
use super::groups::GroupSums;
use super::key_row::KeyRow;
use super::largest_keys::{self, ByUse};
use super::names::{Names, hash};
use super::prefix::Prefixes;
use super::question::QueryPlan;
use super::rank::{By, List};
use super::shorts::{Shape, Shorts};
use super::slots;
use super::spread::Spread;
use super::suspects::{Seen, Suspects, may_be_suspect};
use super::tally::{Expiry, Sizes, Tally, Ttls};
use super::what_if::WhatIf;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::room::{Cut, Held, Room};
use crate::memory::{Basis, Encoding, Footprint};
use crate::rdb::short::{PADDED_BYTES, Short};
use crate::rdb::{Context, Entry, Kind, ParseErrorKind, ValueType};

/// What all lists may hold: a key of 10,240 databases of strings, which have four lists each. Such keys take 24 MiB.
const ROOM: Room = Room { keys: 4 * 10_240, name_bytes: 8 << 20 };

/// What lists of so many keys each may hold together.
pub(super) fn room(top: usize) -> Room {
    ROOM.for_top(top)
}

/// Tallies by database, type and encoding that are held. In a report each takes some 400 bytes.
pub(super) const TALLIES_MAX: usize = 51_200;

/// What a tally takes with its share of a database and its empty lists, and a listed key without its name, near enough.
const TALLY_BYTES: u64 = 640;
const LISTED_BYTES: u64 = 400;

/// Keys of a database that are added one by one: where databases have no more, counting them by shapes costs more.
const KEYS_ADDED_SINGLY: u32 = 64;

/// Numbers over entries.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Databases that have keys; `None` is the one that a scan from the middle of a dump began in. Of the keys in the current
    /// one only those are here that came before it was left.
    pub(super) databases: BTreeMap<Option<u64>, Database>,
    /// How many tallies these have.
    tallies: usize,
    /// The first database that there was no room for, and the tallies of all from there on.
    pub(super) other_from: Option<u64>,
    pub(super) other: Encodings,
    /// Keys of databases that are not the current one.
    pub(super) ttl: Ttls,
    current: Current,
    current_db: Option<u64>,
    room: Room,
    pub(super) cut: Cut,
    held: Held,
    /// Strings that are not among the current database's classes yet.
    shorts: Shorts,
    /// Keys of the dumps that were merged, by the dump's number; those that were added here are in no dump yet.
    pub(super) dumps: BTreeMap<u32, Tally>,
    pub(super) memory_unknown_keys: u64,
    pub(super) oversized_names: u64,
    pub(super) memory_lower_bound_keys: u64,
    pub(super) memory_estimated_keys: u64,
    /// By kind in the order of [`Kind::ALL`].
    pub(super) sizes: [SizesOfKind; Kind::ALL.len()],
    pub(super) idle: Sizes,
    pub(super) frequencies: Vec<u64>,
    pub(super) prefixes: Prefixes,
    pub(super) modules: Names,
    pub(super) slots: slots::Slots,
    pub(super) groups: GroupSums,
    pub(super) beginnings: BeginningSums,
    pub(super) streams: Streams,
    /// The first keys by when they were used, if that was asked for.
    pub(super) by_use: ByUse,
    pub(super) suspects: Suspects,
    pub(super) what_if: WhatIf,
    pub(super) expiries: Expiries,
    pub(super) compression: Compression,
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

/// The numbers of the current database, by kind in the order of [`Kind::ALL`].
#[derive(Debug, Default)]
struct Current {
    is_wanted: bool,
    /// How many keys its lists may have; 0 if it has none.
    list_keys_max: usize,
    keys_added: u32,
    kinds: [OfKind; Kind::ALL.len()],
}

/// All keys, then those without TTL, by each of [`By::ALL`].
type Lists = [[List; By::ALL.len()]; 2];

/// The numbers of one kind of keys in the current database.
#[derive(Debug, Default)]
struct OfKind {
    classes: Vec<(Class, Tally)>,
    tops: Lists,
}

/// The numbers of a database that is not the current one.
#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) encodings: Encodings,
    /// Of the kinds that have any.
    pub(super) lists: Vec<(Kind, Box<Lists>)>,
}

/// Tallies by kind and encoding.
#[derive(Debug, Default)]
pub(super) struct Encodings(Vec<(Form, Tally)>);

/// How keys of a kind are stored in the dump, and held by the server that loaded them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: Kind,
    pub(super) stored: ValueType,
    pub(super) held: Encoding,
}

impl Encodings {
    fn add(&mut self, form: Form, tally: &Tally) {
        if let Some((_, of)) = self.0.iter_mut().find(|(of, _)| *of == form) {
            of.merge(tally);
        } else {
            // Most databases have few.
            self.0.reserve_exact(1);
            self.0.push((form, *tally));
        }
    }

    fn merge(&mut self, other: &Self) {
        for (form, tally) in &other.0 {
            self.add(*form, tally);
        }
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        for (_, tally) in &self.0 {
            total.merge(tally);
        }
        total
    }

    /// The tallies in the order of their kinds.
    pub(super) fn into_sorted(mut self) -> impl Iterator<Item = (Form, Tally)> {
        self.0.sort_by_key(|(form, _)| form.kind);
        self.0.into_iter()
    }
}

/// What keys of one kind are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    /// How they are stored in the dump.
    stored: ValueType,
    /// How they are held by the server that loaded them.
    held: Encoding,
    /// How soon they expire.
    expiry: Expiry,
}

/// How many keys of one kind have which sizes, in all databases.
#[derive(Debug, Default)]
pub(super) struct SizesOfKind {
    pub(super) memory: Spread,
    pub(super) serialized: Sizes,
    pub(super) elements: Spread,
    pub(super) value_bytes: Spread,
    pub(super) name_bytes: Spread,
}

impl Numbers {
    /// None yet; the first entries are in database `db`, or in one that is not known.
    pub(super) fn new(asked: &QueryPlan, db: Option<u64>) -> Self {
        let mut numbers = Self {
            databases: BTreeMap::new(),
            tallies: 0,
            other_from: None,
            other: Encodings::default(),
            ttl: Ttls::default(),
            current: Current::default(),
            current_db: None,
            room: room(asked.top),
            cut: Cut::none(asked.top),
            held: Held::default(),
            shorts: Shorts::default(),
            dumps: BTreeMap::new(),
            memory_unknown_keys: 0,
            memory_lower_bound_keys: 0,
            memory_estimated_keys: 0,
            oversized_names: 0,
            sizes: Default::default(),
            idle: Sizes::default(),
            frequencies: Vec::new(),
            prefixes: Prefixes::within(asked.late.get()),
            modules: Names::default(),
            slots: slots::Slots::default(),
            groups: GroupSums::default(),
            beginnings: BeginningSums::default(),
            streams: Streams::default(),
            by_use: ByUse::new(asked.sort),
            suspects: Suspects::default(),
            what_if: WhatIf::default(),
            expiries: Expiries::default(),
            compression: Compression::default(),
            buffer: Vec::new(),
        };
        numbers.take_up(asked, db);
        numbers
    }

    /// The database of the entries that come next.
    pub(super) fn db(&self) -> Option<u64> {
        self.current_db
    }

    pub(super) fn select(&mut self, asked: &QueryPlan, db: u64) {
        if self.current_db != Some(db) {
            self.put_away(asked);
            if self.holds_too_much() {
                self.fit();
            }
            self.take_up(asked, Some(db));
        }
    }

    /// Puts the current database among the others.
    fn put_away(&mut self, asked: &QueryPlan) {
        self.count_shorts(asked);
        if self.current.kinds.iter().all(|of_kind| of_kind.classes.is_empty() && of_kind.has_no_lists()) {
            return;
        }
        let (db, mut encodings, mut lists) = (self.current_db, Encodings::default(), Vec::new());
        for (kind, of_kind) in Kind::ALL.into_iter().zip(&mut self.current.kinds) {
            for (Class { stored, held, expiry }, tally) in std::mem::take(&mut of_kind.classes) {
                self.ttl.of(expiry).merge(&tally);
                encodings.add(Form { kind, stored, held }, &tally);
            }
            if !of_kind.has_no_lists() {
                let mut tops = Box::new(std::mem::take(&mut of_kind.tops));
                tops.iter_mut().flatten().for_each(List::shrink);
                lists.push((kind, tops));
            }
        }
        lists.shrink_to_fit();
        self.add_encodings(db, &encodings);
        if !lists.is_empty() {
            self.databases.entry(db).or_default().lists = lists;
        }
    }

    fn add_encodings(&mut self, db: Option<u64>, encodings: &Encodings) {
        if db.zip(self.other_from).is_some_and(|(db, other_from)| db >= other_from) {
            return self.other.merge(encodings);
        }
        if !encodings.0.is_empty() {
            let mine = &mut self.databases.entry(db).or_default().encodings;
            let before = mine.0.len();
            mine.merge(encodings);
            self.tallies += mine.0.len() - before;
        }
    }

    /// Makes a database the current one, which has none.
    fn take_up(&mut self, asked: &QueryPlan, db: Option<u64>) {
        self.current_db = db;
        self.current.is_wanted = asked.filter.wants_database(db);
        self.current.list_keys_max = if self.cut.lists(db) { self.cut.keys_max } else { 0 };
        self.current.keys_added = 0;
        let Some(database) = self.databases.get_mut(&db) else { return };
        for (kind, lists) in std::mem::take(&mut database.lists) {
            if let Some(of_kind) = self.current.kinds.get_mut(kind as usize) {
                of_kind.tops = *lists;
            }
        }
        if database.encodings.0.is_empty() {
            self.databases.remove(&db);
        }
    }

    /// Puts away all that is in hand, and cuts it to what there is room for.
    pub(super) fn finish(&mut self, asked: &QueryPlan) {
        self.put_away(asked);
        self.fit();
    }

    pub(super) fn held_bytes(&self) -> u64 {
        let lists = self.held.keys as u64 * LISTED_BYTES + self.held.name_bytes as u64;
        let tallies = self.tallies as u64 * TALLY_BYTES;
        let names = self.prefixes.held_bytes() + self.modules.held_bytes() + self.slots.held_bytes();
        let keys = self.suspects.held_bytes() + self.expiries.held_bytes() + self.by_use.held_bytes();
        lists + tallies + names + keys + self.compression.held_bytes()
    }

    fn holds_too_much(&self) -> bool {
        self.tallies > TALLIES_MAX + TALLIES_MAX / 4 || self.room.is_exceeded_by(self.held)
    }

    /// Cuts what is put away to what there is room for. What a database without a number has may turn out to be another's, and
    /// counts twice until then; it is in pieces alone, which are small.
    fn fit(&mut self) {
        if self.databases.contains_key(&None) {
            return;
        }
        let mut tallies = 0;
        let too_many = self.databases.iter().find(|(_, database)| {
            tallies += database.encodings.0.len();
            tallies > TALLIES_MAX
        });
        self.lower_other(too_many.and_then(|(db, _)| *db));
        let lists = self.databases.iter().flat_map(|(db, database)| {
            let lists = database.lists.iter().flat_map(|(_, tops)| tops.iter().flatten());
            lists.map(List::len).filter(|keys| *keys > 0).map(|keys| (db.unwrap_or(0), keys))
        });
        let lists: Vec<(u64, usize)> = lists.collect();
        self.cut.fit(self.room, &lists);
        self.trim();
    }

    /// Counts the databases from one on together.
    fn lower_other(&mut self, from: Option<u64>) {
        let Some(from) = from.filter(|from| self.other_from.is_none_or(|other_from| *from < other_from)) else {
            return;
        };
        self.other_from = Some(from);
        for (_, database) in self.databases.range_mut(Some(from)..) {
            self.tallies -= database.encodings.0.len();
            self.other.merge(&std::mem::take(&mut database.encodings));
        }
        self.databases.retain(|_, database| !database.is_empty());
    }

    /// Drops what is cut from the lists that are put away.
    fn trim(&mut self) {
        self.held = Held::default();
        let Self { databases, cut, held, .. } = self;
        databases.retain(|db, database| {
            if !cut.lists(*db) {
                database.lists = Vec::new();
            }
            let lists = database.lists.iter_mut().flat_map(|(_, tops)| tops.iter_mut().flatten());
            lists.for_each(|list| list.cut(cut, held));
            !database.is_empty()
        });
    }

    /// Whether short strings can be added as they are found: whether all keys count, and there are enough of them.
    pub(super) fn takes_short(&self, asked: &QueryPlan) -> bool {
        self.current.is_wanted && asked.takes_all && self.current.keys_added >= KEYS_ADDED_SINGLY
    }

    /// Adds a short string, unless it may have a place on a list.
    #[inline(always)]
    pub(super) fn add_short(&mut self, asked: &QueryPlan, context: &Context, short: Short<'_>) -> bool {
        let Some(shape) = Shape::of(&short) else { return self.add_shapeless(asked, context, short) };
        let Some(cost) = asked.shorts.of(shape) else { return false };
        if !self.keeps_out(&short, cost.memory_bytes) {
            return false;
        }
        self.shorts.add(shape);
        if shape.is_stored_int() {
            self.shorts.add_stored_int(short.header.value_bytes());
        }
        if asked.needs_names {
            let tally = Tally::of_key(1, short.record.len() as u64, cost, true);
            self.place_short(asked, short.padded_name, short.name.len(), &tally);
        }
        true
    }

    /// Counts a short string under its prefixes and beside them.
    #[inline(never)]
    fn place_short(&mut self, asked: &QueryPlan, padded_name: &[u8; PADDED_BYTES], name_bytes: usize, tally: &Tally) {
        let name = padded_name.get(..name_bytes).unwrap_or_default();
        if asked.under.is_empty() {
            self.prefixes.add_within(&asked.separators, padded_name, name_bytes, tally);
        } else {
            self.place_below(asked, name, tally);
        }
        self.place_beside_prefixes(asked, name, tally);
    }

    /// As [`Numbers::add_short`], of strings that have no shape.
    #[inline(never)]
    fn add_shapeless(&mut self, asked: &QueryPlan, context: &Context, short: Short<'_>) -> bool {
        let (held, cost) = asked.model.short_string(&short);
        if may_be_suspect(cost.memory_bytes) || !self.keeps_out(&short, cost.memory_bytes) {
            return false;
        }
        self.compression.add_short(&asked.separator_bytes, &short);
        let Some(sizes) = self.sizes.get_mut(Kind::String as usize) else { return false };
        let serialized_bytes = short.record.len() as u64;
        sizes.serialized.add(serialized_bytes, 1);
        sizes.memory.add(cost.memory_bytes, 1);
        sizes.value_bytes.add(short.header.value_bytes(), 1);
        sizes.name_bytes.add(short.name.len() as u64, 1);
        let expires_at_ms = short.expires_at.map(|stored| context.time_ms(stored));
        if let Some(at_ms) = expires_at_ms {
            self.expiries.add(asked.dump, asked.now_ms, at_ms, cost.memory_bytes);
        }
        let expiry = Expiry::of(expires_at_ms, asked.now_ms);
        self.shorts.add_shapeless(held, expiry, serialized_bytes, cost);
        if asked.needs_names {
            let tally = Tally::of_key(1, serialized_bytes, cost, short.expires_at.is_none());
            self.place_short(asked, short.padded_name, short.name.len(), &tally);
        }
        true
    }

    /// Whether a short string has no place on a list.
    #[inline(always)]
    fn keeps_out(&self, short: &Short<'_>, memory_bytes: u64) -> bool {
        let most = self.current.list_keys_max;
        if most == 0 {
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
            || by_serialized.keeps_out(serialized_bytes, name, most) && by_memory.keeps_out(memory_bytes, name, most)
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
        for (name_bytes, value_bytes, keys) in shorts.lengths() {
            sizes.name_bytes.add(name_bytes, keys);
            if let Some(bytes) = value_bytes {
                sizes.value_bytes.add(bytes, keys);
            }
        }
        for (value_bytes, keys) in shorts.stored_ints() {
            sizes.value_bytes.add(value_bytes, keys);
        }
        for (held, expiry, tally) in shorts.shapeless() {
            of_kind.count(Class { stored: ValueType::STRING, held, expiry }, &tally);
            sizes.elements.add(1, tally.keys);
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged.
    pub(super) fn add(
        &mut self,
        asked: &QueryPlan,
        entry: &Entry<'_>,
        footprint: &Footprint,
        looked: Option<Looked>,
    ) -> Result<(), ParseErrorKind> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let added = entry.key.decode(&mut buffer).map(|name| self.add_named(asked, entry, name, footprint, looked));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        added
    }

    fn add_named(
        &mut self,
        asked: &QueryPlan,
        entry: &Entry<'_>,
        name: &[u8],
        found: &Footprint,
        looked: Option<Looked>,
    ) {
        self.current.keys_added = self.current.keys_added.saturating_add(1);
        let passes = || asked.filter.passes(entry, name) && asked.filter.wants_memory(found.memory_bytes);
        if !self.current.is_wanted || !asked.takes_all && !passes() {
            return;
        }
        let tally = Tally::of_entry(entry, found);
        self.count_sizes(entry, &tally, found);
        match found.basis {
            Some(Basis::LowerBound) => self.memory_lower_bound_keys += 1,
            Some(Basis::Estimate) => self.memory_estimated_keys += 1,
            Some(Basis::Exact) | None => {}
        }
        if entry.key.is_oversized() {
            self.oversized_names += 1;
        } else {
            self.place(asked, name, &tally);
        }
        let seen = Seen { dump: asked.dump, db: self.current_db, now_ms: asked.now_ms, target: asked.given_target };
        self.suspects.add(&seen, entry, name, found, &tally);
        if let Some(looked) = looked {
            self.compression.add_string(&asked.separator_bytes, name, looked);
        }
        if let Some(packed_bytes) = found.packed_bytes.filter(|bytes| *bytes > entry.value_bytes) {
            self.compression.add_compressed(&asked.separator_bytes, name, entry.value_bytes, packed_bytes);
        }
        if let Some(if_packed) = &found.if_packed {
            self.what_if.add(found, if_packed);
        }
        if let Some(at_ms) = entry.expires_at_ms {
            self.expiries.add(asked.dump, asked.now_ms, at_ms, tally.memory_bytes);
        }
        if let Some(seconds) = entry.idle_seconds {
            self.idle.add(seconds, 1);
        }
        if let Some(frequency) = entry.frequency {
            self.frequencies.resize(256, 0);
            if let Some(keys) = self.frequencies.get_mut(usize::from(frequency)) {
                *keys += 1;
            }
        }
        if self.by_use.wants(entry.idle_seconds, entry.frequency) {
            let name = name.get(..largest_keys::NAME_BYTES_MAX).unwrap_or(name);
            let row = KeyRow::new(asked.dump, entry, found, &tally, name);
            self.by_use.add(self.current_db, entry.kind, row, asked.top);
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
        let Some(of_kind) = self.current.kinds.get_mut(entry.kind as usize) else { return };
        let expiry = Expiry::of(entry.expires_at_ms, asked.now_ms);
        of_kind.count(Class { stored: entry.value_type, held: found.encoding, expiry }, &tally);
        if self.current.list_keys_max == 0 || of_kind.keeps_out(entry.kind, &tally, name) {
            return;
        }
        let row = || Arc::new(KeyRow::new(asked.dump, entry, found, &tally, self.cut.name(name)));
        of_kind.rank((entry.kind, &tally, name), row, &self.cut, &mut self.held);
        if self.room.is_exceeded_by(self.held) {
            self.put_away(asked);
            self.fit();
            self.take_up(asked, self.current_db);
        }
    }

    /// Counts a key under its prefixes, and in its slot.
    #[inline(always)]
    fn place(&mut self, asked: &QueryPlan, name: &[u8], tally: &Tally) {
        self.place_below(asked, name, tally);
        self.place_beside_prefixes(asked, name, tally);
    }

    /// Counts a key under its prefixes below the one that was asked for.
    fn place_below(&mut self, asked: &QueryPlan, name: &[u8], tally: &Tally) {
        if let Some(name) = asked.below(name) {
            self.prefixes.add(&asked.separators, name, tally);
        }
    }

    /// Counts a key in its slot and its group, and under its beginning.
    #[inline]
    fn place_beside_prefixes(&mut self, asked: &QueryPlan, name: &[u8], tally: &Tally) {
        if !asked.has_beside_prefixes {
            return;
        }
        if asked.has_slots {
            self.slots.add(asked.dump, name, tally);
        }
        if !asked.beginnings.is_empty()
            && let Some(name) = asked.below(name).filter(|name| !asked.separators.is_among(name))
        {
            self.beginnings.add(&asked.beginnings, name, tally);
        }
        if let Some(groups) = &asked.groups {
            self.groups.add(groups, name, tally);
        }
    }

    /// Counts a key by its sizes.
    #[inline(always)]
    fn count_sizes(&mut self, entry: &Entry<'_>, tally: &Tally, found: &Footprint) {
        let Some(sizes) = self.sizes.get_mut(entry.kind as usize) else { return };
        match found.memory_bytes {
            Some(bytes) => sizes.memory.add(bytes, 1),
            None => self.memory_unknown_keys += 1,
        }
        sizes.serialized.add(tally.serialized_bytes, 1);
        sizes.elements.add(tally.elements, 1);
        sizes.name_bytes.add(entry.key.bytes(), 1);
        if let Some(bytes) = found.value_bytes {
            sizes.value_bytes.add(bytes, 1);
        }
    }

    /// Takes over what was found in what follows. Entries whose database `theirs` does not know are in the current one.
    pub(super) fn merge(&mut self, asked: &QueryPlan, mut theirs: Self) {
        let inherited = self.current_db;
        self.put_away(asked);
        theirs.put_away(asked);
        let mut own = theirs.other.total();
        self.lower_other(theirs.other_from);
        self.other.merge(&theirs.other);
        if self.cut.lower(&theirs.cut) {
            self.trim();
        }
        for (db, Database { encodings, lists }) in theirs.databases {
            own.merge(&encodings.total());
            let db = db.or(inherited);
            self.add_encodings(db, &encodings);
            if self.cut.lists(db) && !lists.is_empty() {
                let mine = self.databases.entry(db).or_default();
                mine.merge_lists(lists, &self.cut, &mut self.held);
            }
        }
        self.ttl.merge(&theirs.ttl);
        for (dump, tally) in &theirs.dumps {
            own = own.without(tally);
            self.dumps.entry(*dump).or_default().merge(tally);
        }
        self.dumps.entry(asked.dump).or_default().merge(&own);
        if self.holds_too_much() {
            self.fit();
        }
        self.take_up(asked, theirs.current_db.or(inherited));
        self.oversized_names += theirs.oversized_names;
        self.memory_unknown_keys += theirs.memory_unknown_keys;
        self.memory_lower_bound_keys += theirs.memory_lower_bound_keys;
        self.memory_estimated_keys += theirs.memory_estimated_keys;
        for (mine, theirs) in self.sizes.iter_mut().zip(&theirs.sizes) {
            mine.memory.merge(&theirs.memory);
            mine.serialized.merge(&theirs.serialized);
            mine.elements.merge(&theirs.elements);
            mine.value_bytes.merge(&theirs.value_bytes);
            mine.name_bytes.merge(&theirs.name_bytes);
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
        self.groups.merge(theirs.groups);
        self.beginnings.merge(&theirs.beginnings);
        self.streams.merge(&theirs.streams);
        self.by_use.merge(theirs.by_use, inherited, asked.top);
        self.suspects.merge(theirs.suspects, inherited, 0);
        self.what_if.merge(&theirs.what_if);
        self.expiries.merge(theirs.expiries);
        self.compression.merge(theirs.compression);
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

    fn rank(
        &mut self,
        (kind, tally, name): (Kind, &Tally, &[u8]),
        new: impl Fn() -> Arc<KeyRow>,
        cut: &Cut,
        held: &mut Held,
    ) {
        let mut row: Option<Arc<KeyRow>> = None;
        let lists = if tally.keys_without_ttl == 0 { 1 } else { 2 };
        for lists in self.tops.iter_mut().take(lists) {
            for (list, (by, value)) in lists.iter_mut().zip(ranked(kind, tally)) {
                if !list.keeps_out(value, name, cut.keys_max) {
                    list.insert(by, row.get_or_insert_with(&new).clone(), cut.keys_max, held);
                }
            }
        }
    }

    fn has_no_lists(&self) -> bool {
        self.tops.iter().flatten().all(|list| list.len() == 0)
    }
}

/// What a key is ranked by. A string is one element: there is nothing to rank by.
fn ranked(kind: Kind, tally: &Tally) -> impl Iterator<Item = (By, u64)> {
    let values = [tally.serialized_bytes, tally.memory_bytes, tally.elements];
    let ranked_by = if kind == Kind::String { 2 } else { By::ALL.len() };
    By::ALL.into_iter().zip(values).take(ranked_by)
}

impl Database {
    fn is_empty(&self) -> bool {
        self.encodings.0.is_empty() && self.lists.is_empty()
    }

    fn merge_lists(&mut self, others: Vec<(Kind, Box<Lists>)>, cut: &Cut, held: &mut Held) {
        for (kind, theirs) in others {
            if !self.lists.iter().any(|(of, _)| *of == kind) {
                self.lists.push((kind, Box::default()));
            }
            let mine = self.lists.iter_mut().find(|(of, _)| *of == kind).into_iter().flat_map(|(_, tops)| &mut **tops);
            for (mine, theirs) in mine.zip(*theirs) {
                for ((mine, theirs), by) in mine.iter_mut().zip(theirs).zip(By::ALL) {
                    mine.merge(by, theirs, cut, held);
                }
            }
        }
    }
}
