//! A form whose rows are handed on one by one, in the dump's order and each with its database: what is made of keys side by
//! side and used in one place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use super::form::{Form, Inherited, KeyEntry};
use super::value::Value;
use crate::rdb::Context;

/// A piece that holds more is given up.
const HELD_BYTES_MAX: usize = 8 << 20;

/// A row and its last bytes, if a key has one, or why it was left out.
pub type Made<'v, T> = Result<Option<(T, &'v [u8])>, Fault>;

/// What is made of each key.
pub trait Make: Clone + Send {
    /// The part of fixed size.
    type Row: Send;

    /// As [`Form::NEEDS_LEAD`].
    const NEEDS_LEAD: bool = false;

    /// Makes the row of a key, if it has one. Its bytes are those added to `bytes`, and after them those returned.
    ///
    /// # Errors
    /// Why the key was left out.
    fn make<'v>(&mut self, key: &KeyEntry<'_>, value: &Value<'v>, bytes: &mut Vec<u8>) -> Made<'v, Self::Row>;

    /// The row of records that no key follows, as [`Form::between`] has them.
    fn between(&mut self, _stored: &[u8], _context: &Context, _bytes: &mut Vec<u8>) -> Option<Self::Row> {
        None
    }
}

/// A row as it is handed on.
#[derive(Debug)]
pub struct OrderedRow<'r, T> {
    /// The database.
    pub db: u64,
    /// The part of fixed size.
    pub row: T,
    /// Its bytes, in two parts.
    pub bytes: [&'r [u8]; 2],
}

/// Where rows go, in their order.
pub type Take<'o, T> = Arc<Mutex<dyn FnMut(OrderedRow<'_, T>) + Send + 'o>>;

/// Rows that are handed on in their order.
pub struct Ordered<'o, M: Make> {
    make: M,
    /// None in a piece that is joined later.
    take: Option<Take<'o, M::Row>>,
    held: Vec<Held<M::Row>>,
    bytes: Vec<u8>,
    is_over: bool,
}

/// A row of a piece.
struct Held<T> {
    db: Option<u64>,
    row: T,
    /// Where its bytes end.
    end: usize,
}

impl<M: Make> fmt::Debug for Ordered<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

impl<'o, M: Make> Ordered<'o, M> {
    /// The first piece of a dump: what `make` makes of each key goes to `take`.
    pub fn new(make: M, take: Take<'o, M::Row>) -> Self {
        Self::with(make, Some(take))
    }

    fn with(make: M, take: Option<Take<'o, M::Row>>) -> Self {
        Self { make, take, held: Vec::new(), bytes: Vec::new(), is_over: false }
    }

    /// Hands a row on, whose first bytes have been added, or holds it.
    fn pass(&mut self, db: Option<u64>, row: M::Row, last: &[u8]) {
        match &self.take {
            Some(take) => {
                let row = OrderedRow { db: db.unwrap_or(0), row, bytes: [&self.bytes, last] };
                (take.lock().unwrap_or_else(PoisonError::into_inner))(row);
                self.bytes.clear();
            }
            None => self.hold(db, row, last),
        }
    }

    fn hold(&mut self, db: Option<u64>, row: M::Row, last: &[u8]) {
        let held_bytes = self.held.len() * size_of::<Held<M::Row>>() + self.bytes.len();
        if self.is_over || held_bytes.saturating_add(last.len()) > HELD_BYTES_MAX {
            self.is_over = true;
            self.held.clear();
            self.bytes.clear();
            return;
        }
        self.bytes.extend_from_slice(last);
        self.held.push(Held { db, row, end: self.bytes.len() });
    }
}

impl<M: Make> Form for Ordered<'_, M> {
    const NEEDS_LEAD: bool = M::NEEDS_LEAD;

    fn piece(&self) -> Self {
        Self::with(self.make.clone(), None)
    }

    fn following(&self) -> Self {
        Self::with(self.make.clone(), self.take.clone())
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        let start = self.bytes.len();
        let made = self.make.make(key, value, &mut self.bytes);
        let Ok(Some((row, last))) = made else {
            self.bytes.truncate(start);
            return made.map(|_| ());
        };
        self.pass(key.db, row, last);
        Ok(())
    }

    fn between(&mut self, _offset: u64, stored: &[u8], context: &Context) {
        if let Some(row) = self.make.between(stored, context, &mut self.bytes) {
            // It is of no database: the number says nothing.
            self.pass(Some(0), row, &[]);
        }
    }

    fn join(&mut self, piece: Self, inherited: Inherited) {
        self.is_over |= piece.is_over;
        let mut start = 0;
        for Held { db, row, end } in piece.held {
            let bytes = piece.bytes.get(start..end).unwrap_or_default();
            start = end;
            let db = match (db, inherited) {
                (None, Inherited::Unwanted) => continue,
                (None, Inherited::Db(db)) => Some(db),
                (db, _) => db,
            };
            match &self.take {
                Some(take) => {
                    let row = OrderedRow { db: db.unwrap_or(0), row, bytes: [bytes, &[]] };
                    (take.lock().unwrap_or_else(PoisonError::into_inner))(row);
                }
                None => self.hold(db, row, bytes),
            }
        }
    }

    fn flush(&mut self) {}

    fn held_bytes(&self) -> u64 {
        if self.is_over {
            return u64::MAX;
        }
        (self.bytes.len() + self.held.len() * size_of::<Held<M::Row>>()) as u64
    }
}
