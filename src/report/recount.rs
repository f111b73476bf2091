//! A second count of a few prefixes that the first scan did not hold from their first key on.

use std::sync::Arc;

use hashbrown::HashTable;

use super::levels::{Levels, Padded, Separators};
use super::names::{NAME_BYTES_MAX, Rank};
use super::question::QueryPlan;
use super::tally::Tally;
use super::weight::Weight;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::accumulator::Accumulator;
use crate::memory::{Footprint, walk};
use crate::rdb::entry::{Damage, Key, PartialValue, Step, step_with};
use crate::rdb::record::KeyHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, FormatElement, Measure, ParseErrorKind, value};

/// The prefixes that are counted again.
#[derive(Debug)]
pub(crate) struct Wanted {
    names: Vec<Box<[u8]>>,
    /// Their places, by their hashes.
    places: HashTable<(Rank, usize)>,
    /// A bit for each hash's first bits: most names have no such prefix.
    filter: Vec<u64>,
}

const FILTER_BITS: u32 = 12;

impl Wanted {
    /// Prefixes in the order of their bytes.
    pub(crate) fn new(names: Vec<Box<[u8]>>, separators: &[u8]) -> Arc<Self> {
        let separators = Separators::new(separators);
        let (mut places, mut filter) = (HashTable::new(), vec![0; 1 << (FILTER_BITS - 6)]);
        for (place, name) in names.iter().enumerate() {
            let rank = separators.rank(name);
            places.insert_unique(rank.1, (rank, place), |(rank, _)| rank.1);
            if let Some(bits) = filter.get_mut(Self::bit(rank) / 64) {
                *bits |= 1 << (Self::bit(rank) % 64);
            }
        }
        Arc::new(Self { names, places, filter })
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

/// Sums by wanted prefix, each without those of longer wanted ones.
#[derive(Clone, Debug, Default)]
struct Sums(Vec<(Tally, Weight)>);

impl Sums {
    fn add(&mut self, place: Place, tally: &Tally, names: usize) {
        self.0.resize(names, Default::default());
        if let Some((sum, own)) = self.0.get_mut(place.at) {
            sum.merge(tally);
            if place.is_own {
                *own = own.and(Weight::of(tally));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for ((mine, my_own), (theirs, own)) in self.0.iter_mut().zip(&other.0) {
            mine.merge(theirs);
            *my_own = my_own.and(*own);
        }
    }
}

/// Finds the longest wanted prefix of names.
#[derive(Debug)]
struct Finder {
    wanted: Arc<Wanted>,
    levels: Levels,
    buffer: Vec<u8>,
}

impl Finder {
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

    /// The place of a key by its name; one that cannot be decoded has none.
    fn find_key(&mut self, asked: &QueryPlan, key: Key<'_>) -> Option<Place> {
        if key.is_oversized() {
            return None;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let name = key.decode(&mut buffer).ok();
        let place = name.and_then(|name| self.find_below(asked, name));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        place
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
    fn add(&mut self, wanted: &Wanted, place: Place, tally: &Tally) {
        let sums = if self.db.is_some() { &mut self.sums } else { &mut self.sums_of_unknown };
        sums.add(place, tally, wanted.names.len());
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
        found: Option<(Place, &Footprint)>,
    ) -> Result<(), ParseErrorKind> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let passes = entry
            .key
            .decode(&mut buffer)
            .map(|name| asked.filter.wants_database(self.db) && (asked.takes_all || asked.filter.passes(entry, name)));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        if let (true, Some((place, footprint))) = (passes?, found)
            && asked.filter.wants_memory(footprint.memory_bytes)
        {
            self.add(wanted, place, &Tally::of_entry(entry, footprint));
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

    /// The sums of each prefix with those of longer ones, in the order of their bytes.
    pub(super) fn finish(mut self) -> Vec<(Box<[u8]>, Tally, Weight)> {
        let names = &self.finder.wanted.names;
        self.counts.sums.0.resize(names.len(), Default::default());
        let counted = names.iter().zip(&self.counts.sums.0);
        let mut all: Vec<(Box<[u8]>, Tally, Weight)> =
            counted.map(|(name, (tally, own))| (name.clone(), *tally, *own)).collect();
        for at in (0..all.len()).rev() {
            let Some((longer, tally, _)) = all.get(at).cloned() else { continue };
            let shorter = all.iter_mut().take(at).rev().find(|(name, ..)| longer.starts_with(name));
            if let Some((_, sum, _)) = shorter {
                sum.merge(&tally);
            }
        }
        all
    }
}

/// Passes over short strings, and counts those under a wanted prefix.
struct Shorts<'s> {
    asked: &'s QueryPlan,
    finder: &'s mut Finder,
    counts: &'s mut Counts,
}

impl Visitor for Shorts<'_> {
    #[inline]
    fn take(&mut self, short: Short<'_>) -> bool {
        let Self { asked, finder, counts } = self;
        let place = if asked.under.is_empty() {
            finder.find(&asked.separators, Padded::of_chunk(short.padded_name, short.name.len()))
        } else {
            finder.find_below(asked, short.name)
        };
        if let Some(place) = place {
            let (_, cost) = asked.model.short_string(&short);
            let tally = Tally::of_key(1, short.record.len() as u64, cost, short.expires_at.is_none());
            counts.add(&finder.wanted, place, &tally);
        }
        true
    }
}

/// What a value is; and what the key costs, if it is under a wanted prefix.
enum Walked {
    Measure(Measure),
    Footprint(Place, Box<Footprint>),
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
            let passed = short::skip_short_strings(source.ahead(), left, &mut Shorts { asked, finder, counts });
            counts.keys += passed.keys;
            source.skip(FormatElement::Key, passed.bytes as u64)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        let wanted = finder.wanted.clone();
        let walk =
            |source: &mut S, header: &KeyHeader| match finder.find_key(asked, Key::new(header.key, source.kept())) {
                Some(place) => {
                    let footprint = walk::measure(source, header, context, &asked.model)?;
                    Ok(Walked::Footprint(place, Box::new(footprint)))
                }
                None => value::measure(source, header.value_type, context).map(Walked::Measure),
            };
        step_with(source, context, walk, |source, found, walked| {
            counts.keys += 1;
            counts.db = found.header.selected_db.or(counts.db);
            let placed = match walked {
                Walked::Measure(_) => None,
                Walked::Footprint(place, footprint) => Some((*place, &**footprint)),
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
        let Counts { sums, sums_of_unknown, .. } = &self.counts;
        ((sums.0.len() + sums_of_unknown.0.len()) * size_of::<(Tally, Weight)>()) as u64
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let Counts { db, sums, sums_of_unknown, keys, .. } = other.counts;
        let inherited = self.counts.db;
        self.counts.keys += keys;
        self.counts.sums.merge(&sums);
        match inherited {
            None => self.counts.sums_of_unknown.merge(&sums_of_unknown),
            Some(_) if self.asked.filter.wants_database(inherited) => self.counts.sums.merge(&sums_of_unknown),
            Some(_) => {}
        }
        self.counts.db = db.or(inherited);
        Ok(())
    }
}
