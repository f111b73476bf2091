//! A second count of prefixes: of those that the first scan did not hold from their first key on; and, where a breakdown is asked
//! for, of all that are listed, and of groups.

use std::sync::Arc;

use hashbrown::HashTable;

use super::breakdown::{Breakdown, Classes, Figures};
use super::levels::{Levels, Padded, Separators};
use super::names::{NAME_BYTES_MAX, Rank};
use super::prefix::CountedPrefix;
use super::question::QueryPlan;
use super::tally::{Expiry, Tally};
use super::weight::Weight;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::accumulator::Accumulator;
use crate::memory::{Footprint, walk};
use crate::rdb::entry::{Damage, Key, PartialValue, Step, step_with};
use crate::rdb::record::KeyHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, FormatElement, Kind, Measure, ParseErrorKind, value};

/// The prefixes that are counted again.
#[derive(Debug)]
pub(crate) struct Wanted {
    names: Vec<Box<[u8]>>,
    /// Their places, by their hashes.
    places: HashTable<(Rank, usize)>,
    /// A bit for each hash's first bits: most names have no such prefix.
    filter: Vec<u64>,
    /// Whether the keys of each, and of groups, are counted by classes too.
    has_breakdown: bool,
}

const FILTER_BITS: u32 = 12;

impl Wanted {
    /// Prefixes in the order of their bytes.
    pub(crate) fn new(names: Vec<Box<[u8]>>, separators: &[u8], has_breakdown: bool) -> Arc<Self> {
        let separators = Separators::new(separators);
        let (mut places, mut filter) = (HashTable::new(), vec![0; 1 << (FILTER_BITS - 6)]);
        for (place, name) in names.iter().enumerate() {
            let rank = separators.rank(name);
            places.insert_unique(rank.1, (rank, place), |(rank, _)| rank.1);
            if let Some(bits) = filter.get_mut(Self::bit(rank) / 64) {
                *bits |= 1 << (Self::bit(rank) % 64);
            }
        }
        Arc::new(Self { names, places, filter, has_breakdown })
    }

    fn bit((_, hash): Rank) -> usize {
        usize::try_from(hash >> (64 - FILTER_BITS)).unwrap_or(0)
    }

    fn place(&self, prefix: &[u8], rank: Rank) -> Option<usize> {
        let bit = Self::bit(rank);
        if self.filter.get(bit / 64).is_none_or(|bits| bits >> (bit % 64) & 1 == 0) {
            return None;
        }
        let is_same =
            |(of, place): &(Rank, usize)| *of == rank && self.names.get(*place).is_some_and(|name| **name == *prefix);
        self.places.find(rank.1, is_same).map(|(_, place)| *place)
    }
}

/// The place of the longest wanted prefix of a name, and whether no longer prefix follows it.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    is_own: bool,
}

/// What a key is counted with.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    prefix: Option<Place>,
    /// The number of its group, where groups are broken down.
    group: Option<usize>,
}

impl Places {
    fn are_any(self) -> bool {
        self.prefix.is_some() || self.group.is_some()
    }
}

/// What the keys of a wanted prefix have, without those of longer wanted ones.
#[derive(Clone, Debug, Default)]
struct Sum {
    tally: Tally,
    own: Weight,
    classes: Option<Box<Classes>>,
}

/// Sums by wanted prefix, and classes by group.
#[derive(Clone, Debug, Default)]
struct Sums {
    prefixes: Vec<Sum>,
    groups: Vec<Option<Box<Classes>>>,
    /// What the classes take.
    classes_bytes: u64,
}

impl Sums {
    fn add(&mut self, wanted: &Wanted, places: Places, tally: &Tally, key: &Figures) {
        if let Some(place) = places.prefix {
            self.prefixes.resize_with(wanted.names.len(), Sum::default);
            if let Some(sum) = self.prefixes.get_mut(place.at) {
                sum.tally.merge(tally);
                if place.is_own {
                    sum.own = sum.own.and(Weight::of(tally));
                }
                if wanted.has_breakdown {
                    self.classes_bytes += taken_up(&mut sum.classes, |classes| classes.add(key));
                }
            }
        }
        if let Some(group) = places.group {
            if self.groups.len() <= group {
                self.groups.resize_with(group + 1, || None);
            }
            if let Some(classes) = self.groups.get_mut(group) {
                self.classes_bytes += taken_up(classes, |classes| classes.add(key));
            }
        }
    }

    fn merge(&mut self, other: Self) {
        if self.prefixes.len() < other.prefixes.len() {
            self.prefixes.resize_with(other.prefixes.len(), Sum::default);
        }
        if self.groups.len() < other.groups.len() {
            self.groups.resize_with(other.groups.len(), || None);
        }
        for (mine, theirs) in self.prefixes.iter_mut().zip(&other.prefixes) {
            mine.tally.merge(&theirs.tally);
            mine.own = mine.own.and(theirs.own);
        }
        let mine = self.prefixes.iter_mut().map(|sum| &mut sum.classes);
        let theirs = other.prefixes.into_iter().map(|sum| sum.classes);
        let of_groups = self.groups.iter_mut().zip(other.groups);
        for (mine, theirs) in mine.zip(theirs).chain(of_groups) {
            if let Some(theirs) = theirs {
                self.classes_bytes += taken_up(mine, |mine| mine.merge(&theirs));
            }
        }
    }

    fn held_bytes(&self) -> u64 {
        (self.prefixes.len() * size_of::<Sum>()) as u64 + self.classes_bytes
    }
}

/// Adds to classes, which there may be none of yet; gives how many bytes of memory that took.
fn taken_up(classes: &mut Option<Box<Classes>>, add: impl FnOnce(&mut Classes) -> u64) -> u64 {
    let new_bytes = if classes.is_none() { size_of::<Classes>() as u64 } else { 0 };
    new_bytes + add(classes.get_or_insert_default())
}

/// Finds the longest wanted prefix of names.
#[derive(Debug)]
struct Finder {
    wanted: Arc<Wanted>,
    levels: Levels,
    buffer: Vec<u8>,
}

impl Finder {
    /// What a key of this name is counted with.
    fn places(&mut self, asked: &QueryPlan, name: &[u8]) -> Places {
        Places { prefix: self.find_below(asked, name), group: self.group(asked, name) }
    }

    fn group(&self, asked: &QueryPlan, name: &[u8]) -> Option<usize> {
        asked.groups.as_ref().filter(|_| self.wanted.has_breakdown)?.find(name)
    }

    fn find_below(&mut self, asked: &QueryPlan, name: &[u8]) -> Option<Place> {
        let name = asked.below(name)?;
        self.find(&asked.separators, Padded::new(name, &mut [0; NAME_BYTES_MAX]))
    }

    fn find(&mut self, separators: &Separators, name: Padded<'_>) -> Option<Place> {
        let Self { wanted, levels, .. } = self;
        separators.find(name, levels);
        let mut all = levels.all(name).enumerate().rev();
        all.find_map(|(at, (prefix, rank))| {
            wanted.place(prefix, rank).map(|place| Place { at: place, is_own: at + 1 == levels.depth })
        })
    }

    /// What a key is counted with by its name: one that cannot be decoded, with nothing.
    fn places_of_key(&mut self, asked: &QueryPlan, key: Key<'_>) -> Places {
        if key.is_oversized() {
            return Places::default();
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let name = key.decode(&mut buffer).ok();
        let places = name.map(|name| self.places(asked, name)).unwrap_or_default();
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        places
    }
}

/// Sums by wanted prefix as keys come by.
#[derive(Debug)]
struct Counts {
    /// The database of the keys that come next.
    db: Option<u64>,
    sums: Sums,
    /// Those of the database that a scan from the middle of a dump began in.
    sums_of_unknown: Sums,
    keys: u64,
    buffer: Vec<u8>,
}

impl Counts {
    fn add(&mut self, wanted: &Wanted, places: Places, tally: &Tally, key: &Figures) {
        let sums = if self.db.is_some() { &mut self.sums } else { &mut self.sums_of_unknown };
        sums.add(wanted, places, tally, key);
    }

    /// Adds an entry, if it passes the filter.
    ///
    /// # Errors
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged.
    fn add_entry(
        &mut self,
        asked: &QueryPlan,
        wanted: &Wanted,
        entry: &Entry<'_>,
        found: Option<(Places, &Footprint)>,
    ) -> Result<(), ParseErrorKind> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let passes = entry
            .key
            .decode(&mut buffer)
            .map(|name| asked.filter.wants_database(self.db) && (asked.takes_all || asked.filter.passes(entry, name)));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        if let (true, Some((places, footprint))) = (passes?, found)
            && asked.filter.wants_memory(footprint.memory_bytes)
        {
            let tally = Tally::of_entry(entry, footprint);
            let figures = Figures::of_entry(entry, footprint, tally.elements, asked.now_ms);
            self.add(wanted, places, &tally, &figures);
        }
        Ok(())
    }
}

/// Counts the keys under wanted prefixes.
#[derive(Debug)]
pub(crate) struct Recount {
    asked: Arc<QueryPlan>,
    finder: Finder,
    counts: Counts,
}

impl Recount {
    pub(crate) fn new(asked: Arc<QueryPlan>, wanted: Arc<Wanted>, db: Option<u64>) -> Self {
        let finder = Finder { wanted, levels: Levels::default(), buffer: Vec::new() };
        let (sums, sums_of_unknown) = (Sums::default(), Sums::default());
        Self { asked, finder, counts: Counts { db, sums, sums_of_unknown, keys: 0, buffer: Vec::new() } }
    }

    /// Each prefix with the keys of longer ones, in the order of their bytes, and the breakdown of each group.
    pub(super) fn finish(self) -> (Vec<CountedPrefix>, Vec<Option<Box<Breakdown>>>) {
        let names = &self.finder.wanted.names;
        let mut sums = self.counts.sums;
        sums.prefixes.resize_with(names.len(), Sum::default);
        let mut counted = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate().rev() {
            let Some(Sum { tally, own, classes }) = sums.prefixes.pop() else { break };
            let shorter = names.iter().take(at).rposition(|shorter| name.starts_with(shorter));
            if let Some(sum) = shorter.and_then(|shorter| sums.prefixes.get_mut(shorter)) {
                sum.tally.merge(&tally);
                if let Some(classes) = &classes {
                    taken_up(&mut sum.classes, |sum| sum.merge(classes));
                }
            }
            let breakdown = classes.map(|classes| Box::new(classes.finish()));
            counted.push(CountedPrefix { name: name.clone(), tally, own, breakdown });
        }
        counted.reverse();
        let groups = sums.groups.into_iter().map(|classes| classes.map(|classes| Box::new(classes.finish())));
        (counted, groups.collect())
    }
}

/// Passes over short strings, and counts those under a wanted prefix.
struct Shorts<'s> {
    asked: &'s QueryPlan,
    finder: &'s mut Finder,
    counts: &'s mut Counts,
    context: &'s Context,
}

impl Visitor for Shorts<'_> {
    #[inline]
    fn take(&mut self, short: Short<'_>) -> bool {
        let Self { asked, finder, counts, context } = self;
        let places = if asked.under.is_empty() {
            let name = Padded::of_chunk(short.padded_name, short.name.len());
            Places { prefix: finder.find(&asked.separators, name), group: finder.group(asked, short.name) }
        } else {
            finder.places(asked, short.name)
        };
        if places.are_any() {
            let (_, cost) = asked.model.short_string(&short);
            let tally = Tally::of_key(1, short.record.len() as u64, cost, short.expires_at.is_none());
            let expires_at_ms = short.expires_at.map(|stored| context.time_ms(stored));
            let figures = Figures {
                kind: Kind::String,
                expiry: Expiry::of(expires_at_ms, asked.now_ms),
                idle_seconds: None,
                memory_bytes: Some(cost.memory_bytes),
                elements: 1,
                value_bytes: Some(short.header.value_bytes()),
                name_bytes: short.name.len() as u64,
            };
            counts.add(&finder.wanted, places, &tally, &figures);
        }
        true
    }
}

/// What a value is; and what the key costs, if it is under a wanted prefix.
enum Walked {
    Measure(Measure),
    Footprint(Places, Box<Footprint>),
}

impl AsRef<Measure> for Walked {
    fn as_ref(&self) -> &Measure {
        match self {
            Self::Measure(measure) => measure,
            Self::Footprint(_, footprint) => &footprint.measure,
        }
    }
}

impl Accumulator for Recount {
    const PIECE_HELD_BYTES_MAX: u64 = 4 << 20;
    const PIECES_AHEAD: usize = 8;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.asked.clone(), self.finder.wanted.clone(), db)
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        let Self { asked, finder, counts } = self;
        if asked.takes_all && asked.filter.wants_database(counts.db) {
            let left = usize::try_from(until - source.offset()).unwrap_or(usize::MAX);
            let passed =
                short::skip_short_strings(source.ahead(), left, &mut Shorts { asked, finder, counts, context });
            counts.keys += passed.keys;
            source.skip(FormatElement::Key, passed.bytes as u64)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        let wanted = finder.wanted.clone();
        let walk = |source: &mut S, header: &KeyHeader| {
            let places = finder.places_of_key(asked, Key::new(header.key, source.kept()));
            if !places.are_any() {
                return value::measure(source, header.value_type, context).map(Walked::Measure);
            }
            let footprint = walk::measure(source, header, context, &asked.model)?;
            Ok(Walked::Footprint(places, Box::new(footprint)))
        };
        step_with(source, context, walk, |source, found, walked| {
            counts.keys += 1;
            counts.db = found.header.selected_db.or(counts.db);
            let placed = match walked {
                Walked::Measure(_) => None,
                Walked::Footprint(places, footprint) => Some((*places, &**footprint)),
            };
            counts.add_entry(asked, &wanted, &found.entry(source.kept()), placed)
        })
    }

    fn select(&mut self, db: u64) {
        self.counts.db = Some(db);
    }

    fn db(&self) -> Option<u64> {
        self.counts.db
    }

    fn keys(&self) -> u64 {
        self.counts.keys
    }

    fn held_bytes(&self) -> u64 {
        self.counts.sums.held_bytes() + self.counts.sums_of_unknown.held_bytes()
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let Counts { db, sums, sums_of_unknown, keys, .. } = other.counts;
        let inherited = self.counts.db;
        self.counts.keys += keys;
        self.counts.sums.merge(sums);
        match inherited {
            None => self.counts.sums_of_unknown.merge(sums_of_unknown),
            Some(_) if self.asked.filter.wants_database(inherited) => self.counts.sums.merge(sums_of_unknown),
            Some(_) => {}
        }
        self.counts.db = db.or(inherited);
        Ok(())
    }
}
