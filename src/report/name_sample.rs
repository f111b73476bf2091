//! A first look at names: which of them are chosen follows from the names alone, so that every scan of a dump chooses the same.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::names::{NAME_BYTES_MAX, hash};
use super::question::QueryPlan;
use crate::analysis::BUFFER_BYTES_MAX;
use crate::analysis::accumulator::Accumulator;
use crate::memory::{Footprint, walk};
use crate::rdb::entry::{Damage, PartialValue, Step, step_with};
use crate::rdb::record::KeyHeader;
use crate::rdb::short::{self, Short, Visitor};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, Entry, FormatElement, ParseErrorKind};

/// Names in a sample.
const NAMES_MAX: usize = 10_000;

/// A name that is chosen: the first by rank are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chosen {
    rank: u64,
    name: Box<[u8]>,
    serialized_bytes: u64,
}

/// The names with the lowest ranks.
#[derive(Clone, Debug, Default)]
struct Sample(BinaryHeap<Chosen>);

impl Sample {
    fn takes(&self, rank: u64) -> bool {
        self.0.len() < NAMES_MAX || self.0.peek().is_some_and(|last| rank <= last.rank)
    }

    fn add(&mut self, chosen: Chosen) {
        self.0.push(chosen);
        if self.0.len() > NAMES_MAX {
            self.0.pop();
        }
    }

    fn merge(&mut self, other: Self) {
        for chosen in other.0 {
            if self.takes(chosen.rank) {
                self.add(chosen);
            }
        }
    }

    fn held_bytes(&self) -> u64 {
        (self.0.len() * (size_of::<Chosen>() + NAME_BYTES_MAX / 4)) as u64
    }
}

/// Some names of keys, each as likely as any other, and some that are the likelier the more their records take.
#[derive(Clone, Debug, Default)]
struct Samples {
    of_keys: Sample,
    of_bytes: Sample,
}

impl Samples {
    #[inline]
    fn add(&mut self, name: &[u8], serialized_bytes: u64) {
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        let hash = hash(name);
        let by_bytes = priority(hash, serialized_bytes);
        for (sample, rank) in [(&mut self.of_keys, hash), (&mut self.of_bytes, by_bytes)] {
            if sample.takes(rank) {
                sample.add(Chosen { rank, name: name.into(), serialized_bytes });
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.of_keys.merge(other.of_keys);
        self.of_bytes.merge(other.of_bytes);
    }
}

/// The rank of a name in a sample by priority (Duffield, Lund, Thorup 2007): the lower, the larger its weight is over a number
/// between 0 and 1 that its hash gives.
#[expect(clippy::cast_precision_loss, reason = "the bits that a float does not hold change no one's chances")]
fn priority(hash: u64, weight: u64) -> u64 {
    let chance = ((hash >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    // The bits of floats above zero are in the order of their values.
    u64::MAX - (weight.max(1) as f64 / chance).to_bits()
}

/// A name of a sample by weight, with what it stands for.
pub(super) type WeightedName = (Box<[u8]>, u64);

/// Chooses names as keys come by.
#[derive(Debug)]
pub(crate) struct NameSample {
    asked: Arc<QueryPlan>,
    db: Option<u64>,
    samples: Samples,
    /// Those of the database that a scan from the middle of a dump began in.
    of_unknown_db: Samples,
    keys: u64,
    buffer: Vec<u8>,
}

impl NameSample {
    pub(crate) fn new(asked: Arc<QueryPlan>, db: Option<u64>) -> Self {
        let (samples, of_unknown_db) = (Samples::default(), Samples::default());
        Self { asked, db, samples, of_unknown_db, keys: 0, buffer: Vec::new() }
    }

    /// The names, each as likely as any other, in the order of their bytes.
    pub(super) fn names(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = self.samples.of_keys.0.iter().map(|chosen| &*chosen.name).collect();
        names.sort_unstable();
        names
    }

    /// The names that bytes are estimated from, in the order of their bytes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, of a number above zero")]
    pub(super) fn weighted(self) -> Vec<WeightedName> {
        let sample = self.samples.of_bytes.0;
        // What is chosen stands for as much as the last one's priority at the least, where not all were.
        let is_full = sample.len() >= NAMES_MAX;
        let last = sample.peek().filter(|_| is_full).map_or(0, |last| f64::from_bits(u64::MAX - last.rank) as u64);
        let weight = |chosen: Chosen| (chosen.name, chosen.serialized_bytes.max(last));
        let mut names: Vec<WeightedName> = sample.into_iter().map(weight).collect();
        names.sort_unstable();
        names
    }

    fn add(&mut self, name: &[u8], serialized_bytes: u64) {
        if let Some(name) = self.asked.below(name) {
            let samples = if self.db.is_some() { &mut self.samples } else { &mut self.of_unknown_db };
            samples.add(name, serialized_bytes);
        }
    }

    /// # Errors
    /// [`ParseErrorKind::Lzf`] if its name is compressed and damaged.
    fn add_entry(&mut self, entry: &Entry<'_>, found: &Footprint) -> Result<(), ParseErrorKind> {
        let asked = self.asked.clone();
        let mut buffer = std::mem::take(&mut self.buffer);
        let name = entry.key.decode(&mut buffer)?;
        let passes = asked.filter.wants_database(self.db)
            && (asked.takes_all || asked.filter.passes(entry, name))
            && asked.filter.wants_memory(found.memory_bytes);
        if passes && !entry.key.is_oversized() {
            self.add(name, entry.value_offset - entry.offset + entry.value_bytes);
        }
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        Ok(())
    }
}

impl Visitor for NameSample {
    #[inline]
    fn take(&mut self, short: Short<'_>) -> bool {
        self.add(short.name, short.record.len() as u64);
        true
    }
}

impl Accumulator for NameSample {
    const PIECE_HELD_BYTES_MAX: u64 = 4 << 20;
    const PIECES_AHEAD: usize = 8;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, db: Option<u64>) -> Self {
        Self::new(self.asked.clone(), db)
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        if self.asked.takes_all && self.asked.filter.wants_database(self.db) {
            let left = usize::try_from(until - source.offset()).unwrap_or(usize::MAX);
            let passed = short::skip_short_strings(source.ahead(), left, self);
            self.keys += passed.keys;
            source.skip(FormatElement::Key, passed.bytes as u64)?;
            if source.offset() >= until {
                return Ok(Step::Key);
            }
        }
        let asked = self.asked.clone();
        let walk = |source: &mut S, header: &KeyHeader| walk::measure(source, header, context, &asked.model);
        step_with(source, context, walk, |source, found, footprint| {
            self.keys += 1;
            self.db = found.header.selected_db.or(self.db);
            self.add_entry(&found.entry(source.kept()), footprint)
        })
    }

    fn select(&mut self, db: u64) {
        self.db = Some(db);
    }

    fn db(&self) -> Option<u64> {
        self.db
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn held_bytes(&self) -> u64 {
        let Samples { of_keys, of_bytes } = &self.samples;
        [of_keys, of_bytes, &self.of_unknown_db.of_keys, &self.of_unknown_db.of_bytes]
            .map(Sample::held_bytes)
            .iter()
            .sum()
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        let inherited = self.db;
        self.keys += other.keys;
        self.samples.merge(other.samples);
        match inherited {
            None => self.of_unknown_db.merge(other.of_unknown_db),
            Some(_) if self.asked.filter.wants_database(inherited) => self.samples.merge(other.of_unknown_db),
            Some(_) => {}
        }
        self.db = other.db.or(inherited);
        Ok(())
    }
}
