//! Entries into numbers: `add` each entry, `merge` what others added, `finish` into a report.
//!
//! An `Analysis` holds counters and the top keys of each kind in each database, as far as there is room (`room`); a database
//! without keys takes none. Merging is associative and does not depend on who added what, so one worker and many give the
//! same report.

pub(crate) mod accumulator;
pub mod filter;
pub(crate) mod floor;
mod pattern;
pub mod report;
pub(crate) mod room;
mod top;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::memory::{Allocator, Model, Target, walk};
use crate::rdb::entry::{self, Damage, KeyRef, PartialValue, Step};
use crate::rdb::measure::Measure;
use crate::rdb::primitives::StringHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, FormatElement, Kind, ParseErrorKind};
use accumulator::Accumulator;
use filter::Filter;
use floor::Floor;
pub use pattern::Pattern;
pub use report::{BigKey, Report};
use room::{Cut, Held, Room};
use top::{Candidate, Ranked, Top};

/// What all lists may hold: a key of five kinds for 12,288 databases, and 204 bytes of each name where there are so many.
/// Held and written, such keys take less than 64 MiB.
const ROOM: Room = Room { keys: 5 * 12_288, name_bytes: 12 << 20 };

/// A larger buffer for compressed names is given back: pieces that wait have one each.
pub(crate) const BUFFER_BYTES_MAX: usize = 64 << 10;

/// What a database takes besides its keys, near enough.
const DATABASE_BYTES: u64 = 128;

/// What is asked of an analysis.
#[derive(Clone, Debug)]
pub struct Question {
    /// How many keys of each kind in each database.
    pub top: usize,
    /// Which keys.
    pub filter: Filter,
    /// Whether streams, modules' values and other kinds outside the published enumeration are ranked too.
    pub all_kinds: bool,
    /// What keys take in memory, for filters that depend on it; by default on the server that wrote the dump.
    pub model: Option<Model>,
}

impl Default for Question {
    /// The task's own: the top 20 of each of the five kinds in each database.
    fn default() -> Self {
        Self { top: 20, filter: Filter::default(), all_kinds: false, model: None }
    }
}

/// Counters and top keys over entries.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    question: Arc<Question>,
    /// Which of the dumps the entries come from, to tell equal keys of several apart.
    dump: u32,
    /// The lists of databases other than the current one that have keys on any; `None` is the database that a scan from the
    /// middle of a file began in.
    databases: BTreeMap<Option<u64>, Vec<(Kind, Top)>>,
    /// Keys of the databases whose numbers are known, and of the one whose number is not.
    counts: Counts,
    counts_of_unknown: Counts,
    current: Database,
    current_db: Option<u64>,
    buffer: Vec<u8>,
    room: Room,
    cut: Cut,
    held: Held,
}

/// How many keys there are, by kind in the order of [`Kind::ALL`].
#[derive(Clone, Debug, Default)]
struct Counts {
    /// Keys seen.
    keys: [u64; Kind::ALL.len()],
    /// Keys that a filter let pass.
    passed: [u64; Kind::ALL.len()],
}

/// The top lists and counters of the current database.
#[derive(Clone, Debug, Default)]
struct Database {
    is_wanted: bool,
    /// One list a kind, in the order of [`Kind::ALL`].
    tops: [Top; Kind::ALL.len()],
    /// What keeps smaller keys out of each list.
    floors: [Floor; Kind::ALL.len()],
    counts: Counts,
}

impl Analysis {
    /// An analysis whose first entries are in database `db`, or in one that is not known yet.
    pub(crate) fn new(question: Arc<Question>, dump: u32, db: Option<u64>) -> Self {
        let (room, cut) = (ROOM.for_top(question.top), Cut::none(question.top));
        let current = Database { is_wanted: question.filter.wants_database(db), ..Database::default() };
        Self {
            question,
            dump,
            databases: BTreeMap::new(),
            counts: Counts::default(),
            counts_of_unknown: Counts::default(),
            current,
            current_db: db,
            buffer: Vec::new(),
            room,
            cut,
            held: Held::default(),
        }
    }

    /// Counts a key, and says whether it must be added: a key that is too small for its list need not, and nearly every
    /// key of a large dump is.
    #[inline(always)]
    pub(crate) fn count(&mut self, kind: Kind, size: u64) -> bool {
        self.count_all(kind, 1);
        self.current.floors.get(kind as usize).is_some_and(|floor| size >= floor.size)
    }

    /// Counts keys of which none must be added.
    #[inline(always)]
    pub(crate) fn count_all(&mut self, kind: Kind, keys: u64) {
        if let Some(counted) = self.current.counts.keys.get_mut(kind as usize) {
            *counted += keys;
        }
    }

    /// Whether a key would find no place in its list in the current database.
    #[inline(always)]
    pub(crate) fn keeps_out(&self, kind: Kind, size: u64, name: &[u8]) -> bool {
        let Database { floors, tops, .. } = &self.current;
        let kind = kind as usize;
        let last = || tops.get(kind).and_then(Top::last_name);
        floors.get(kind).is_some_and(|floor| floor.keeps_out(size, name, last))
    }

    /// Ranks an entry that was counted.
    ///
    /// # Errors
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged.
    pub(crate) fn add(&mut self, entry: &Entry<'_>, memory_bytes: Option<u64>) -> Result<(), ParseErrorKind> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let added = entry.key.decode(&mut buffer).map(|name| self.add_named(entry, name, memory_bytes));
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        added
    }

    fn add_named(&mut self, entry: &Entry<'_>, name: &[u8], memory_bytes: Option<u64>) {
        let database = &mut self.current;
        let kind = entry.kind as usize;
        let (Some(passed), Some(top), Some(floor)) =
            (database.counts.passed.get_mut(kind), database.tops.get_mut(kind), database.floors.get_mut(kind))
        else {
            return;
        };
        let candidate = Candidate {
            size: entry.size,
            name,
            name_bytes: entry.key.bytes(),
            dump: self.dump,
            offset: entry.offset,
            module: entry.module,
        };
        let ranks = self.question.ranks(entry.kind);
        let has_list = self.cut.lists(self.current_db);
        // The list before the filter, which costs more.
        if ranks && (!has_list || top.has_no_place_for(self.cut.keys_max, &candidate))
            || !database.is_wanted
            || !self.question.filter.passes(entry, name)
            || !self.question.filter.wants_memory(memory_bytes)
        {
            return;
        }
        *passed += 1;
        if !ranks {
            return;
        }
        top.insert(self.cut.keys_max, candidate.to_ranked(&self.cut), &mut self.held);
        *floor = top.floor(self.cut.keys_max);
        if self.room.is_exceeded_by(self.held) {
            self.put_away();
            self.fit();
            self.take_up(self.current_db);
        }
    }

    /// Reads the next record with what its key takes in memory.
    #[cold]
    fn step_measured<S: KeepsKey>(&mut self, source: &mut S, context: &Context) -> Result<Step, Box<Damage>> {
        let question = self.question.clone();
        let of_writer = || Model::new(Target::of(context), Allocator::default());
        let model = question.model.as_ref().map_or_else(|| Cow::Owned(of_writer()), Cow::Borrowed);
        let walk = |source: &mut S, header: &_| walk::measure(source, header, context, &model);
        entry::step_with(source, context, walk, |source, found, footprint| {
            found.header.selected_db.into_iter().for_each(|db| self.select(db));
            self.count_all(found.measure.kind, 1);
            self.add(&found.entry(source.kept()), footprint.memory_bytes)
        })
    }

    /// Puts the current database's lists among the others, and counts its keys.
    fn put_away(&mut self) {
        let Database { tops, counts, .. } = std::mem::take(&mut self.current);
        let all = if self.current_db.is_some() { &mut self.counts } else { &mut self.counts_of_unknown };
        all.merge(&counts, true);
        let mut lists: Vec<(Kind, Top)> = Kind::ALL.into_iter().zip(tops).filter(|(_, top)| top.len() > 0).collect();
        if !lists.is_empty() {
            for (_, top) in &mut lists {
                top.shrink();
            }
            self.databases.insert(self.current_db, lists);
        }
    }

    /// Makes a database the current one, which has none.
    fn take_up(&mut self, db: Option<u64>) {
        self.current_db = db;
        self.current.is_wanted = self.question.filter.wants_database(db);
        let has_lists = self.cut.lists(db);
        for (kind, floor) in Kind::ALL.into_iter().zip(&mut self.current.floors) {
            if self.question.ranks(kind) && !has_lists {
                *floor = Floor::CLOSED;
            }
        }
        for (kind, top) in self.databases.remove(&db).unwrap_or_default() {
            if let Some(floor) = self.current.floors.get_mut(kind as usize) {
                *floor = top.floor(self.cut.keys_max);
            }
            if let Some(place) = self.current.tops.get_mut(kind as usize) {
                *place = top;
            }
        }
    }

    /// Cuts the lists of databases that are put away to what there is room for. Those of a database without a number may turn
    /// out to be another's, and count twice until then; they are in pieces alone, which are small.
    fn fit(&mut self) {
        let lists = self.databases.iter().map(|(db, lists)| db.zip(Some(lists)));
        let Some(lists) = lists.collect::<Option<Vec<_>>>() else { return };
        let lists: Vec<(u64, usize)> =
            lists.into_iter().flat_map(|(db, lists)| lists.iter().map(move |(_, top)| (db, top.len()))).collect();
        self.cut.fit(self.room, &lists);
        self.trim();
    }

    /// Drops what is cut from the databases that are put away.
    fn trim(&mut self) {
        self.held = Held::default();
        let Self { databases, cut, held, .. } = self;
        databases.retain(|db, lists| {
            let is_listed = cut.lists(*db);
            if is_listed {
                for (_, top) in lists {
                    top.cut(cut, held);
                }
            }
            is_listed
        });
    }

    /// Gives the numbers out, ordered: database, kind, size falling, name.
    pub(crate) fn finish(mut self, shards: &[Option<String>]) -> Report {
        self.put_away();
        self.fit();
        let mut report = Report::default();
        for ((kind, keys), passed) in Kind::ALL.into_iter().zip(self.counts.keys).zip(self.counts.passed) {
            report.count(keys, passed, self.question.ranks(kind));
        }
        report.keys.reserve_exact(self.held.keys);
        for (db, mut lists) in self.databases {
            let db = db.unwrap_or(0);
            lists.sort_unstable_by_key(|(kind, _)| *kind);
            for (kind, top) in lists {
                report.keys.extend(top.into_sorted().into_iter().map(|ranked| BigKey::new(ranked, kind, db, shards)));
            }
        }
        let cut_names = report.keys.iter().filter(|key| key.has_cut_name()).count();
        report.notes = self.cut.notes(self.room, self.question.top, cut_names);
        report
    }
}

/// Those that find no place in their list; they are only counted.
impl Visitor for Analysis {
    #[inline(always)]
    fn take(&mut self, short: Short<'_>) -> bool {
        self.keeps_out(Kind::String, short.header.value_bytes(), short.name)
    }
}

impl Accumulator for Analysis {
    const PIECE_HELD_BYTES_MAX: u64 = 512 << 10;

    // Pieces hold a few kilobytes each.
    const PIECES_AHEAD: usize = 32;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.question.clone(), self.dump, db)
    }

    const LEAVES_OPEN: bool = true;

    #[inline(always)]
    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        if open.is_none() {
            let left = usize::try_from(until - source.offset()).unwrap_or(usize::MAX);
            let passed = short::skip_short_strings(source.ahead(), left, self);
            self.count_all(Kind::String, passed.keys);
            source.skip(FormatElement::Key, passed.bytes as u64)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        if self.question.filter.needs_memory() {
            return self.step_measured(source, context);
        }
        let on_key = |source: &S, found: KeyRef<'_>| {
            let Measure { kind, size, .. } = found.measure;
            found.header.selected_db.into_iter().for_each(|db| self.select(db));
            // A compressed name is always decoded, so that a damaged one is found whatever the top lists hold.
            if self.count(kind, size) || matches!(found.header.key, StringHeader::Lzf { .. }) {
                self.add(&found.entry(source.kept()), None)
            } else {
                Ok(())
            }
        };
        match open {
            None => entry::step(source, context, until, on_key),
            Some(open) => entry::resume(source, *open, until, on_key),
        }
    }

    fn db(&self) -> Option<u64> {
        self.current_db
    }

    fn held_bytes(&self) -> u64 {
        let Held { keys, name_bytes } = self.held;
        (keys * size_of::<Ranked>() + name_bytes) as u64 + self.databases.len() as u64 * DATABASE_BYTES
    }

    fn keys(&self) -> u64 {
        let all = [&self.counts, &self.counts_of_unknown, &self.current.counts];
        all.into_iter().flat_map(|counts| counts.keys).sum()
    }

    fn select(&mut self, db: u64) {
        if self.current_db != Some(db) {
            self.put_away();
            self.take_up(Some(db));
        }
    }

    fn merge(&mut self, mut other: Self) -> Result<(), ParseErrorKind> {
        let inherited = self.current_db;
        self.put_away();
        other.put_away();
        self.counts.merge(&other.counts, true);
        let unknown = if inherited.is_some() { &mut self.counts } else { &mut self.counts_of_unknown };
        unknown.merge(&other.counts_of_unknown, self.question.filter.wants_database(inherited));
        if self.cut.lower(&other.cut) {
            self.trim();
        }
        for (db, lists) in other.databases {
            let db = db.or(inherited);
            if !self.question.filter.wants_database(db) || !self.cut.lists(db) {
                continue;
            }
            let mine = self.databases.entry(db).or_default();
            for (kind, theirs) in lists {
                if !mine.iter().any(|(of, _)| *of == kind) {
                    mine.push((kind, Top::default()));
                }
                let same = mine.iter_mut().find(|(of, _)| *of == kind);
                if let Some((_, top)) = same {
                    top.merge(&self.cut, theirs, &mut self.held);
                }
            }
        }
        if self.room.is_exceeded_by(self.held) {
            self.fit();
        }
        self.take_up(other.current_db.or(inherited));
        Ok(())
    }
}

impl Question {
    /// Whether keys of this kind are listed.
    #[inline]
    fn ranks(&self, kind: Kind) -> bool {
        kind.is_core() || self.all_kinds || self.filter.names_kind(kind)
    }
}

impl Counts {
    /// Adds others, and those that passed only if their database is wanted.
    fn merge(&mut self, other: &Self, is_wanted: bool) {
        for (mine, theirs) in self.keys.iter_mut().zip(other.keys) {
            *mine += theirs;
        }
        for (mine, theirs) in self.passed.iter_mut().zip(other.passed).filter(|_| is_wanted) {
            *mine += theirs;
        }
    }
}
