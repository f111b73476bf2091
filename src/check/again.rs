//! The second pass over a map, which finds out which of the names that [`super::names`] suspects are there twice. It steps
//! over values, on every core, and holds the places of those names alone.

use std::sync::{Arc, Mutex, PoisonError};

use super::log::{digest_of_name, has_place};
use super::names::in_database;
use super::pieces::Stretch;
use super::record::{Record, Sink, What};
use super::report::Duplicate;
use super::walk::Walk;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::engine::segments::Scan;
use crate::error::ErrorKind;
use crate::rdb::deep::Distinct;
use crate::rdb::entry::{Damage, PartialValue, Step};
use crate::rdb::short::{self, Short};
use crate::rdb::source::{KeepsKey, Slice};
use crate::rdb::{Context, FormatElement, ParseErrorKind};

/// Keys that are told one by one: no more findings are listed.
const LISTED_MAX: usize = 1000;

/// What was found of the suspects.
#[derive(Default)]
pub(super) struct Again {
    /// Their names, with their databases.
    seen: Distinct,
    /// Keys whose names were there before: where their records begin, and in which database.
    listed: Vec<(u64, u64)>,
    pub(super) unlisted: u64,
    /// Keys with names that could not be held.
    pub(super) not_compared: u64,
    /// The database of the keys that come next.
    pub(super) db: u64,
}

impl Again {
    /// Looks for the suspects in a stretch, up to the record at offset `end`.
    ///
    /// # Errors
    /// As [`Scan::run_from`].
    pub(super) fn look(self, stretch: &Stretch<'_>, suspects: &Arc<Distinct>, end: u64) -> Result<Self, ErrorKind> {
        let Stretch { map, context, options, progress, .. } = *stretch;
        let ask = Ask { context, suspects, end, again: Mutex::new(Some(self)) };
        let outcome = Scan { map, number: 0, options, progress, ask: &ask }.run_from(context)?;
        Ok(outcome.found.accumulated.again.map(|again| *again).unwrap_or_default())
    }

    fn take_over(&mut self, hits: Vec<Hit>) {
        for hit in hits {
            match hit {
                Hit::SelectDb(db) => self.db = db,
                Hit::Name { digest, record_start } => {
                    let is_new = self.seen.add_id(in_database(digest, self.db));
                    self.not_compared += u64::from(is_new && self.seen.is_partial());
                    if is_new {
                        continue;
                    }
                    if self.listed.len() < LISTED_MAX {
                        self.listed.push((record_start, self.db));
                    } else {
                        self.unlisted += 1;
                    }
                }
            }
        }
    }

    /// The keys whose names were there before, read from the dump.
    pub(super) fn duplicates(&self, dump: &[u8], context: &Arc<Context>) -> Vec<Duplicate> {
        let read = |(start, db): &(u64, u64)| {
            let mut found = One { db: *db, duplicate: None };
            let walked = Walk::going_on(context.clone(), false).step(&mut Slice::new(dump, *start), &mut found);
            found.duplicate.filter(|_| walked.is_ok())
        };
        self.listed.iter().filter_map(read).collect()
    }
}

/// Takes the key that a record is.
struct One {
    db: u64,
    duplicate: Option<Duplicate>,
}

impl Sink for One {
    fn record(&mut self, _context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        if let What::Key(key) = &record.what {
            let (name, value_type) = (key.name.to_vec(), key.value_type);
            let (record_start, record_end) = (record.span.start, record.span.end);
            self.duplicate = Some(Duplicate { db: self.db, name, value_type, record_start, record_end });
        }
        Ok(())
    }
}

struct Ask<'s> {
    context: &'s Arc<Context>,
    suspects: &'s Arc<Distinct>,
    end: u64,
    again: Mutex<Option<Again>>,
}

impl Query for Ask<'_> {
    type Accumulator = Piece;

    fn begin(&self, _number: u32, _context: Option<&Context>) -> Result<Piece, ErrorKind> {
        let walk = Walk::going_on(self.context.clone(), false);
        let hits = Hits { suspects: self.suspects.clone(), list: Vec::new() };
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Piece { walk, hits, end: self.end, keys: 0, again: again.map(Box::new) })
    }
}

/// What was found in a piece; or, in all of them, what it comes to.
struct Piece {
    walk: Walk,
    hits: Hits,
    end: u64,
    keys: u64,
    again: Option<Box<Again>>,
}

/// Suspects, in the order of their keys.
struct Hits {
    suspects: Arc<Distinct>,
    list: Vec<Hit>,
}

enum Hit {
    SelectDb(u64),
    Name { digest: u128, record_start: u64 },
}

impl Hits {
    #[inline]
    fn compare(&mut self, name: &[u8], record_start: u64) {
        let digest = digest_of_name(name);
        if self.suspects.has_id(digest) {
            self.list.push(Hit::Name { digest, record_start });
        }
    }
}

impl Sink for Hits {
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        match &record.what {
            What::SelectDb(db) => self.list.push(Hit::SelectDb(*db)),
            What::Key(key) if has_place(context, key, record.flaws) => self.compare(key.name, record.span.start),
            _ => {}
        }
        Ok(())
    }
}

impl Accumulator for Piece {
    const PIECE_HELD_BYTES_MAX: u64 = 2 << 20;
    const PIECES_AHEAD: usize = 2;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, _db: Option<u64>) -> Self {
        let walk = Walk::going_on(self.walk.context.clone(), false);
        let hits = Hits { suspects: self.hits.suspects.clone(), list: Vec::new() };
        Self { walk, hits, end: self.end, keys: 0, again: None }
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        _context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        let offset = source.offset();
        let until = until.min(self.end);
        let left = usize::try_from(until.saturating_sub(offset)).unwrap_or(usize::MAX);
        let passed = short::skip_short_strings(source.ahead(), left, &mut Shorts { hits: &mut self.hits, offset });
        self.keys += passed.keys;
        source.skip(FormatElement::Key, passed.bytes as u64)?;
        // What comes behind was not read before.
        let is_end =
            source.offset() >= self.end || source.offset() < until && self.walk.step(source, &mut self.hits)?;
        Ok(if is_end { Step::End } else { Step::Key })
    }

    /// Hits do not ask which database it is.
    fn select(&mut self, _db: u64) {}

    fn db(&self) -> Option<u64> {
        None
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn held_bytes(&self) -> u64 {
        size_of_val(&self.hits.list[..]) as u64
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        self.keys += other.keys;
        match &mut self.again {
            Some(again) => again.take_over(other.hits.list),
            None => self.hits.list.extend(other.hits.list),
        }
        Ok(())
    }
}

/// Short strings whose names are compared with the suspects.
struct Shorts<'p> {
    hits: &'p mut Hits,
    /// Offset of the next record.
    offset: u64,
}

impl short::Visitor for Shorts<'_> {
    #[inline(always)]
    fn take(&mut self, short: Short<'_>) -> bool {
        self.hits.compare(short.name, self.offset);
        self.offset += short.record.len() as u64;
        true
    }
}
