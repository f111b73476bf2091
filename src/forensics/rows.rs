//! A form of as many rows a key as there are, each of a part of fixed size and of bytes, handed on in the dump's order and
//! with their database.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::rdb::Context;
use crate::values::{Fault, Form, Inherited, KeyEntry, Value};

/// A piece that holds more is given up.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Takes a row and its bytes, in parts that are put together.
pub(super) type Put<'p, R> = &'p mut dyn FnMut(R, &[&[u8]]);

/// What finds the rows of keys, and of the records between them.
pub(super) trait Source: Clone + Send {
    /// The part of fixed size.
    type Row: Copy + Send;

    /// Puts the rows of a key.
    ///
    /// # Errors
    /// Why they are not all there are.
    fn key(&self, key: &KeyEntry<'_>, value: &Value<'_>, put: Put<'_, Self::Row>) -> Result<(), Fault>;

    /// Puts the rows of records between keys, the first of which is at `offset`. Nothing of them is of a database.
    fn between(&self, offset: u64, stored: &[u8], context: &Context, put: Put<'_, Self::Row>);
}

/// Where rows go: the database, which says nothing of what is not a key's, the row, and its bytes.
pub(super) type Take<'o, R> = Arc<Mutex<dyn FnMut(u64, R, &[u8]) + Send + 'o>>;

/// Rows on their way out. The first piece of a dump hands them on at once, others hold them until they are joined.
pub(super) struct Rows<'o, S: Source> {
    source: S,
    out: Out<'o, S::Row>,
}

impl<'o, S: Source> Rows<'o, S> {
    /// The first piece of a dump.
    pub(super) fn new(source: S, take: Take<'o, S::Row>) -> Self {
        Self { source, out: Out::new(Some(take)) }
    }
}

struct Out<'o, R> {
    /// None in a piece that is joined later.
    take: Option<Take<'o, R>>,
    held: Vec<Held<R>>,
    bytes: Vec<u8>,
    is_over: bool,
}

/// A row of a piece.
struct Held<R> {
    db: Option<u64>,
    row: R,
    /// Where its bytes end.
    end: usize,
}

impl<'o, R: Copy> Out<'o, R> {
    fn new(take: Option<Take<'o, R>>) -> Self {
        Self { take, held: Vec::new(), bytes: Vec::new(), is_over: false }
    }

    fn held_bytes(&self) -> usize {
        self.bytes.len() + self.held.len() * size_of::<Held<R>>()
    }

    /// Hands a row on or holds it.
    fn put(&mut self, db: Option<u64>, row: R, parts: &[&[u8]]) {
        if let Some(take) = &self.take {
            self.bytes.clear();
            for part in parts {
                self.bytes.extend_from_slice(part);
            }
            return (take.lock().unwrap_or_else(PoisonError::into_inner))(db.unwrap_or(0), row, &self.bytes);
        }
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if self.is_over || self.held_bytes().saturating_add(bytes) > HELD_BYTES_MAX {
            self.is_over = true;
            self.held.clear();
            self.bytes.clear();
            return;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.held.push(Held { db, row, end: self.bytes.len() });
    }
}

impl<S: Source> fmt::Debug for Rows<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("held", &self.out.held.len()).finish_non_exhaustive()
    }
}

impl<S: Source> Form for Rows<'_, S> {
    /// For what is between keys.
    const NEEDS_LEAD: bool = true;

    fn piece(&self) -> Self {
        Self { source: self.source.clone(), out: Out::new(None) }
    }

    fn following(&self) -> Self {
        Self { source: self.source.clone(), out: Out::new(self.out.take.clone()) }
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        let Self { source, out } = self;
        source.between(key.entry.offset, key.lead, value.context(), &mut |row, parts| out.put(Some(0), row, parts));
        source.key(key, value, &mut |row, parts| out.put(key.db, row, parts))
    }

    fn between(&mut self, offset: u64, stored: &[u8], context: &Context) {
        let Self { source, out } = self;
        source.between(offset, stored, context, &mut |row, parts| out.put(Some(0), row, parts));
    }

    fn join(&mut self, piece: Self, inherited: Inherited) {
        let piece = piece.out;
        self.out.is_over |= piece.is_over;
        let mut start = 0;
        for Held { db, row, end } in piece.held {
            let bytes = piece.bytes.get(start..end).unwrap_or_default();
            start = end;
            let db = match (db, inherited) {
                (None, Inherited::Unwanted) => continue,
                (None, Inherited::Db(db)) => Some(db),
                (db, _) => db,
            };
            self.out.put(db, row, &[bytes]);
        }
    }

    fn flush(&mut self) {}

    fn held_bytes(&self) -> u64 {
        if self.out.is_over { u64::MAX } else { self.out.held_bytes() as u64 }
    }
}
