//! A form that is bytes: keys one after the other, with what must stand where the database changes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::out::{Drain, Out};
use crate::values::{Fault, Form, Inherited, KeyEntry, Value};

/// How one key is written.
pub(super) trait Line: Clone + Send {
    /// Writes a key; what it writes before it fails stays.
    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault>;

    /// Writes what must stand before keys of another database than that of the key before.
    fn select(&self, _db: u64, _out: &mut Out<'_>) {}
}

/// No database; one of this number is selected anew for each key.
const NONE: u64 = u64::MAX;

/// Keys as bytes. A piece has first the keys whose database it did not know, then those of `first_db`, then others.
#[derive(Clone, Debug)]
pub struct Lines<'o, L> {
    line: L,
    out: Out<'o>,
    /// How many bytes the keys of the unknown database take.
    unknown_bytes: usize,
    has_unknown: bool,
    /// The database of the first key whose database is known; a piece leaves it to whoever joins it to select it.
    first_db: Option<u64>,
    /// The database that is selected, shared with those that follow; [`NONE`] at first.
    selected: Arc<AtomicU64>,
}

impl<'o, L> Lines<'o, L> {
    /// The first piece of a dump: what is written goes to `drain`.
    pub(super) fn of(line: L, drain: Drain<'o>) -> Self {
        Self::with(line, Some(drain))
    }

    fn with(line: L, drain: Option<Drain<'o>>) -> Self {
        let out = Out::new(drain);
        Self {
            line,
            out,
            unknown_bytes: 0,
            has_unknown: false,
            first_db: None,
            selected: Arc::new(AtomicU64::new(NONE)),
        }
    }
}

#[allow(private_bounds, reason = "the forms that there are have constructors of their own")]
impl<L: Line> Lines<'_, L> {
    fn select(&mut self, db: u64) {
        if self.selected.swap(db, Relaxed) == db && db != NONE {
            return;
        }
        if self.first_db.is_none() && self.out.is_piece() {
            self.unknown_bytes = self.out.bytes.len();
        } else {
            self.line.select(db, &mut self.out);
        }
        self.first_db = self.first_db.or(Some(db));
    }
}

#[allow(private_bounds, reason = "the forms that there are have constructors of their own")]
impl<L: Line> Form for Lines<'_, L> {
    fn piece(&self) -> Self {
        Self::with(self.line.clone(), None)
    }

    fn following(&self) -> Self {
        let mut following = self.piece();
        following.out = self.out.following();
        if !self.out.is_piece() {
            following.selected = self.selected.clone();
        }
        following
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        if let Some(db) = key.db {
            self.select(db);
        }
        let written = self.line.key(key, value, &mut self.out);
        if key.db.is_none() {
            self.has_unknown = true;
            self.unknown_bytes = self.out.bytes.len();
        }
        self.out.room();
        written
    }

    fn join(&mut self, mut piece: Self, inherited: Inherited) {
        if !piece.out.is_piece() {
            // It has written already what must stand between databases.
            self.out.flush();
            piece.out.flush();
            return;
        }
        let Lines { out: Out { bytes, places, is_over, .. }, unknown_bytes, has_unknown, first_db, selected, .. } =
            piece;
        self.out.is_over |= is_over;
        let (unknown, known) = bytes.split_at_checked(unknown_bytes).unwrap_or((&bytes, &[]));
        match inherited {
            Inherited::Db(db) if has_unknown => {
                self.select(db);
                let mut from = 0;
                for place in places {
                    self.out.put(unknown.get(from..place).unwrap_or_default());
                    self.out.number(db);
                    from = place;
                }
                self.out.put(unknown.get(from..).unwrap_or_default());
            }
            Inherited::Unknown if has_unknown => {
                let before = self.out.bytes.len();
                self.out.places.extend(places.into_iter().map(|place| before + place));
                self.out.put(unknown);
                self.has_unknown = true;
                self.unknown_bytes = self.out.bytes.len();
            }
            _ => {}
        }
        if let Some(db) = first_db {
            self.select(db);
            self.out.put(known);
            self.selected.store(selected.load(Relaxed), Relaxed);
        }
        self.out.room();
    }

    fn flush(&mut self) {
        self.out.flush();
    }

    fn held_bytes(&self) -> u64 {
        self.out.held_bytes()
    }
}
