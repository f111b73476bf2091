//! A form whose rows are handed on one by one, in the dump's order and each with its database: what is made of keys side by
//! side and used in one place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use super::form::{Form, Inherited, KeyEntry};
use super::value::Value;

/// A piece that holds more is given up.
const HELD_BYTES_MAX: usize = 8 << 20;

/// What is made of each key.
pub trait Make: Clone + Send {
    /// The part of fixed size.
    type Row: Send;

    /// Makes the row of a key, if it has one. Its bytes are those added to `bytes`, and after them those returned.
    ///
    /// # Errors
    /// Why the key was left out.
    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        value: &Value<'v>,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(Self::Row, &'v [u8])>, Fault>;
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
        match &self.take {
            Some(take) => {
                let row = OrderedRow { db: key.db.unwrap_or(0), row, bytes: [&self.bytes, last] };
                (take.lock().unwrap_or_else(PoisonError::into_inner))(row);
                self.bytes.clear();
            }
            None => self.hold(key.db, row, last),
        }
        Ok(())
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
