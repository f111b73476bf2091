//! Entries into numbers: `add` each entry, `merge` what others added, `finish` into a report.
//!
//! An `Analysis` holds counters and the top keys of each kind in each database, never more. Merging is associative and
//! does not depend on who added what, so one worker and many give the same report.

pub(crate) mod accumulator;
pub mod filter;
pub(crate) mod floor;
mod pattern;
pub mod report;
mod top;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rdb::entry::{self, Damage, KeyRef, PartialValue, Step};
use crate::rdb::primitives::StringHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::value::Measure;
use crate::rdb::{Context, Entry, FormatElement, Kind, ParseErrorKind};
use accumulator::Accumulator;
use filter::Filter;
use floor::Floor;
pub use pattern::Pattern;
pub use report::{BigKey, Report};
use top::{Candidate, Top};

/// Bytes of key names that the top lists hold before a scan is refused, for each key that is asked for and for all.
///
/// A name may have 8 MiB; twenty of each kind in each of many databases must still not fill the memory.
const HELD_BYTES: u64 = 8 << 20;
const HELD_BYTES_PER_TOP: u64 = 4096;

/// What is asked of an analysis.
#[derive(Clone, Debug)]
pub struct Question {
    /// How many keys of each kind in each database.
    pub top: usize,
    /// Which keys.
    pub filter: Filter,
    /// Whether streams, modules' values and other kinds outside the published enumeration are ranked too.
    pub all_kinds: bool,
}

impl Default for Question {
    /// The task's own: the top 20 of each of the five kinds in each database.
    fn default() -> Self {
        Self { top: 20, filter: Filter::default(), all_kinds: false }
    }
}

/// Counters and top keys over entries.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    question: Arc<Question>,
    /// Which of the dumps the entries come from, to tell equal keys of several apart.
    dump: u32,
    /// By database; `None` is the one that a scan from the middle of a file began in.
    databases: BTreeMap<Option<u64>, Database>,
    current: Database,
    current_db: Option<u64>,
    buffer: Vec<u8>,
    held_bytes: u64,
}

/// The top lists and counters of one database.
#[derive(Clone, Debug, Default)]
struct Database {
    is_wanted: bool,
    /// One list a kind, in the order of [`Kind::ALL`].
    tops: [Top; Kind::ALL.len()],
    /// What keeps smaller keys out of each list.
    floors: [Floor; Kind::ALL.len()],
    /// Keys seen of each kind.
    keys: [u64; Kind::ALL.len()],
    /// Keys that a filter let pass, of each kind.
    passed: [u64; Kind::ALL.len()],
}

impl Analysis {
    /// An analysis whose first entries are in database `db`, or in one that is not known yet.
    pub(crate) fn new(question: Arc<Question>, dump: u32, db: Option<u64>) -> Self {
        let current = Database { is_wanted: question.filter.wants_database(db), ..Database::default() };
        Self { question, dump, databases: BTreeMap::new(), current, current_db: db, buffer: Vec::new(), held_bytes: 0 }
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
        if let Some(counted) = self.current.keys.get_mut(kind as usize) {
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
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged, [`ParseErrorKind::Held`] if the top lists hold too much.
    pub(crate) fn add(&mut self, entry: &Entry<'_>) -> Result<(), ParseErrorKind> {
        let name = entry.key.decode(&mut self.buffer)?;
        let database = &mut self.current;
        let kind = entry.kind as usize;
        let (Some(passed), Some(top), Some(floor)) =
            (database.passed.get_mut(kind), database.tops.get_mut(kind), database.floors.get_mut(kind))
        else {
            return Ok(());
        };
        let candidate =
            Candidate { size: entry.size, name, dump: self.dump, offset: entry.offset, module: entry.module };
        let ranks = self.question.ranks(entry.kind);
        // The list before the filter, which costs more.
        if ranks && top.has_no_place_for(self.question.top, &candidate)
            || !database.is_wanted
            || !self.question.filter.passes(entry, name)
        {
            return Ok(());
        }
        *passed += 1;
        if !ranks {
            return Ok(());
        }
        let change = top.insert(self.question.top, candidate.to_ranked());
        *floor = top.floor(self.question.top);
        self.held_bytes = self.held_bytes.saturating_add_signed(change);
        self.check_held()
    }

    fn check_held(&self) -> Result<(), ParseErrorKind> {
        let most = HELD_BYTES.saturating_add(HELD_BYTES_PER_TOP.saturating_mul(self.question.top as u64));
        if self.held_bytes > most { Err(ParseErrorKind::Held) } else { Ok(()) }
    }

    /// Gives the numbers out, ordered: database, kind, size falling, name.
    pub(crate) fn finish(mut self, shards: &[Option<String>]) -> Report {
        let last = std::mem::take(&mut self.current);
        self.databases.insert(self.current_db, last);
        let mut report = Report::default();
        for (db, database) in self.databases {
            let db = db.unwrap_or(0);
            for ((kind, top), (keys, passed)) in
                Kind::ALL.into_iter().zip(database.tops).zip(database.keys.into_iter().zip(database.passed))
            {
                report.count(keys, passed, self.question.ranks(kind));
                report.keys.extend(top.into_sorted().into_iter().map(|ranked| BigKey::new(ranked, kind, db, shards)));
            }
        }
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
        let on_key = |source: &S, found: KeyRef<'_>| {
            let Measure { kind, size, .. } = found.measure;
            found.header.selected_db.into_iter().for_each(|db| self.select(db));
            // A compressed name is always decoded, so that a damaged one is found whatever the top lists hold.
            if self.count(kind, size) || matches!(found.header.key, StringHeader::Lzf { .. }) {
                self.add(&found.entry(source.kept()))
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
        self.held_bytes
    }

    fn keys(&self) -> u64 {
        let databases = self.databases.values().chain([&self.current]);
        databases.flat_map(|database| database.keys).sum()
    }

    fn select(&mut self, db: u64) {
        if self.current_db == Some(db) {
            return;
        }
        let next = self.databases.remove(&Some(db)).unwrap_or_else(|| {
            self.held_bytes += size_of::<Database>() as u64;
            Database { is_wanted: self.question.filter.wants_database(Some(db)), ..Database::default() }
        });
        let last = std::mem::replace(&mut self.current, next);
        self.databases.insert(self.current_db.replace(db), last);
    }

    fn merge(&mut self, mut other: Self) -> Result<(), ParseErrorKind> {
        let inherited = self.current_db;
        let last_db = other.current_db.or(inherited);
        let last = std::mem::take(&mut other.current);
        other.databases.insert(other.current_db, last);
        for (db, database) in other.databases {
            if let Some(db) = db.or(inherited) {
                self.select(db);
            }
            let is_wanted = self.current.is_wanted;
            let change = self.current.merge(self.question.top, database, is_wanted);
            self.held_bytes = self.held_bytes.saturating_add_signed(change);
        }
        if let Some(db) = last_db {
            self.select(db);
        }
        self.check_held()
    }
}

impl Question {
    /// Whether keys of this kind are listed.
    #[inline]
    fn ranks(&self, kind: Kind) -> bool {
        kind.is_core() || self.all_kinds || self.filter.names_kind(kind)
    }
}

impl Database {
    /// Returns by how much the bytes held have changed.
    fn merge(&mut self, top: usize, other: Self, is_wanted: bool) -> i64 {
        for (mine, theirs) in self.keys.iter_mut().zip(other.keys) {
            *mine += theirs;
        }
        if !is_wanted {
            return 0;
        }
        for (mine, theirs) in self.passed.iter_mut().zip(other.passed) {
            *mine += theirs;
        }
        let mut change = 0;
        for ((mine, floor), theirs) in self.tops.iter_mut().zip(&mut self.floors).zip(other.tops) {
            change += mine.merge(top, theirs);
            *floor = mine.floor(top);
        }
        change
    }
}
