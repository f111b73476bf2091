//! Rows into a level, in bounded memory and exact.
//!
//! A key is a child of its own, and enters the list of the heaviest or does not. A prefix is counted until the scan's end:
//! of more prefixes than there is room for, a scan counts the share that their hashes choose, and further scans count the
//! others. So every figure is exact, and what many prefixes cost is time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::level::{Child, Heaviest, Level, What};
use super::place::{Place, first_part};
use crate::rdb::Kind;
use crate::report::{KeyRow, LargestKey, Name, RowBlock, RowCells, Tally};

/// Bytes that prefixes and their tallies may take.
const HELD_BYTES_MAX: usize = 40 << 20;

/// What a prefix takes besides its name, near enough.
const PREFIX_BYTES: usize = size_of::<(Box<[u8]>, Tally)>() * 2;

/// Longer prefixes are counted among the others, and longer names of keys are cut: each may have megabytes.
pub(super) const NAME_BYTES_MAX: usize = 4096;

/// Some of the prefixes, by the last bits of their hashes.
#[derive(Clone, Copy, Debug)]
struct Share {
    bits: u32,
    value: u64,
}

impl Share {
    fn has(self, hash: u64) -> bool {
        hash & ((1 << self.bits) - 1) == self.value
    }
}

/// A level that is being gathered.
#[derive(Debug)]
pub(super) struct Gather<'p> {
    place: &'p Place,
    separators: &'p [u8],
    held_bytes_max: usize,
    hasher: RandomState,
    total: Tally,
    count: u64,
    heaviest: Heaviest,
    prefixes: HashMap<Box<[u8]>, Tally>,
    held_bytes: usize,
    share: Share,
    /// Shares that are counted by further scans.
    waiting: Vec<Share>,
    /// Whether this is the scan that counts keys.
    is_first: bool,
    has_long_prefixes: bool,
}

impl<'p> Gather<'p> {
    pub(super) fn new(place: &'p Place, separators: &'p [u8], children_max: usize) -> Self {
        Self {
            place,
            separators,
            held_bytes_max: HELD_BYTES_MAX,
            hasher: RandomState::new(),
            total: Tally::default(),
            count: 0,
            heaviest: Heaviest::new(children_max),
            prefixes: HashMap::new(),
            held_bytes: 0,
            share: Share { bits: 0, value: 0 },
            waiting: Vec::new(),
            is_first: true,
            has_long_prefixes: false,
        }
    }

    #[cfg(test)]
    pub(super) fn with_held_bytes_max(self, held_bytes_max: usize) -> Self {
        Self { held_bytes_max, ..self }
    }

    pub(super) fn add(&mut self, rows: &RowBlock) {
        for (cells, name) in rows.rows() {
            self.add_row(cells, name);
        }
    }

    fn add_row(&mut self, cells: &RowCells, name: &[u8]) {
        let tally = tally(cells);
        if self.is_first {
            self.total.merge(&tally);
        }
        let db = cells.db().to_be_bytes();
        let child = match self.place {
            Place::Instance => Some(&db[..]),
            Place::Names { prefix, .. } => {
                let below = name.get(prefix.len()..).unwrap_or_default();
                let part = first_part(below, self.separators);
                part.and_then(|part| name.get(..prefix.len() + part.len()))
            }
        };
        match child {
            Some(child) if child.len() > NAME_BYTES_MAX => self.has_long_prefixes = true,
            Some(child) => self.count(child, &tally),
            None if self.is_first => {
                self.count += 1;
                if self.heaviest.wants(&tally, name) {
                    let what = What::Key(Box::new(key(cells, name)));
                    self.heaviest.add(Child { what, tally });
                }
            }
            None => {}
        }
    }

    fn count(&mut self, child: &[u8], tally: &Tally) {
        if self.share.bits > 0 && !self.share.has(self.hasher.hash_one(child)) {
            return;
        }
        if let Some(held) = self.prefixes.get_mut(child) {
            held.merge(tally);
            return;
        }
        self.prefixes.insert(child.into(), *tally);
        self.held_bytes += PREFIX_BYTES + child.len();
        while self.held_bytes > self.held_bytes_max && self.share.bits < u64::BITS - 1 {
            self.halve();
        }
    }

    /// Leaves half of the prefixes to a further scan.
    fn halve(&mut self) {
        let Share { bits, value } = self.share;
        self.share = Share { bits: bits + 1, value };
        self.waiting.push(Share { bits: bits + 1, value: value | 1 << bits });
        let Self { prefixes, hasher, share, .. } = self;
        prefixes.retain(|child, _| share.has(hasher.hash_one(&**child)));
        self.held_bytes = self.prefixes.keys().map(|child| PREFIX_BYTES + child.len()).sum();
    }

    /// Ends a scan; says how many more there are to be, of the same rows.
    pub(super) fn end_scan(&mut self) -> usize {
        self.is_first = false;
        self.count += self.prefixes.len() as u64;
        self.held_bytes = 0;
        for (child, tally) in std::mem::take(&mut self.prefixes) {
            if self.heaviest.wants(&tally, &child) {
                self.heaviest.add(Child { what: self.what(&child), tally });
            }
        }
        let left = self.waiting.len();
        if let Some(next) = self.waiting.pop() {
            self.share = next;
        }
        left
    }

    /// The level.
    pub(super) fn finish(self) -> Level {
        let mut notes = Vec::new();
        if self.has_long_prefixes {
            notes.push(format!("prefixes of more than {NAME_BYTES_MAX} bytes are counted among the others"));
        }
        // Of prefixes that are too long the number is not known.
        let count = (!self.has_long_prefixes).then_some(self.count);
        Level { total: self.total, children: self.heaviest.finish(), count, notes, ..Level::default() }
    }

    /// What the first scan has come to.
    pub(super) fn so_far(&self) -> Level {
        let mut heaviest = self.heaviest.clone();
        for (child, tally) in &self.prefixes {
            if heaviest.wants(tally, child) {
                heaviest.add(Child { what: self.what(child), tally: *tally });
            }
        }
        Level { total: self.total, children: heaviest.finish(), is_partial: true, ..Level::default() }
    }

    /// How many prefixes or databases are held.
    pub(super) fn held(&self) -> usize {
        self.prefixes.len()
    }

    fn what(&self, child: &[u8]) -> What {
        match (self.place, <[u8; 8]>::try_from(child)) {
            (Place::Instance, Ok(db)) => What::Database(u64::from_be_bytes(db)),
            _ => What::Prefix(child.into()),
        }
    }
}

fn tally(cells: &RowCells) -> Tally {
    let memory_bytes = cells.memory_bytes().unwrap_or(0);
    let is_without_ttl = cells.expires_at_ms().is_none();
    Tally {
        keys: 1,
        elements: elements(cells),
        serialized_bytes: cells.serialized_bytes(),
        memory_bytes,
        allocated_bytes: cells.allocated_bytes().unwrap_or(0),
        keys_without_ttl: u64::from(is_without_ttl),
        memory_bytes_without_ttl: if is_without_ttl { memory_bytes } else { 0 },
    }
}

fn elements(cells: &RowCells) -> u64 {
    if matches!(cells.kind(), Kind::String | Kind::Module) { 1 } else { cells.size() }
}

fn key(cells: &RowCells, name: &[u8]) -> LargestKey {
    let row = cells.row(Name::new(name.get(..NAME_BYTES_MAX).unwrap_or(name)));
    let kind = row.type_name().into_owned();
    LargestKey {
        db: row.db,
        kind,
        key: KeyRow {
            name_bytes: Some(name.len() as u64).filter(|_| name.len() > NAME_BYTES_MAX),
            name: row.name,
            dump: row.dump,
            offset: row.offset,
            stored_as: row.stored.label().into(),
            loaded_as: row.loaded.name().into(),
            size: row.size,
            elements: elements(cells),
            serialized_bytes: row.serialized_bytes,
            memory_bytes: row.memory_bytes,
            allocated_bytes: row.allocated_bytes,
            memory_basis: row.memory_basis.map(|basis| basis.name().into()),
            value_bytes: row.value_bytes,
            largest_element_bytes: row.largest_element_bytes,
            largest_element_index: row.largest_element_index,
            largest_element: None,
            expires_at_ms: row.expires_at_ms,
            idle_seconds: row.idle_seconds,
            frequency: row.frequency,
        },
    }
}
