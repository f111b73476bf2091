//! The keys of two dumps, one by one: which came, went and changed, in bounded memory for any number of them.
//!
//! 1. Both dumps are scanned once. What each key is (name, value, expiry) is added to one of many sums if it is in the old
//!    dump, and taken away if it is in the new one. Keys that are in both cancel out: the names whose sums are zero
//!    need no further look.
//! 2. The others are looked at in as many passes as memory asks for, each for its share of the names: the old dump's keys go into
//!    a table, the new dump's are compared with it, and those of the table that the new dump has not are looked for in the
//!    old one once more, for their names.
//!
//! A sum is zero by chance, or two names are taken for one, less than once in 10^12 runs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::changes::{self, Counts, Gathered, PrefixCounts, State, TopChanges};
use super::fingerprint::Fingerprints;
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Options, Progress, export_all};
use crate::error::{Error, ErrorKind};
use crate::input::shown;
use crate::memory::{Allocator, Model, Target, walk};
use crate::rdb::source::Slice;
use crate::values::{Fault, KeyEntry, Make, Ordered, OrderedRow, Take, Value};

/// Sums that keys are added to: 32 MiB.
const SUMS: usize = 1 << 22;

/// Keys that a pass holds: what fits a table of 2^18 places, 21 MiB, and half as much again while it grows.
const HELD_MAX: usize = 225_000;

/// How two dumps are compared.
#[derive(Clone, Debug)]
pub struct KeyQuestion {
    /// Which keys.
    pub filter: Filter,
    /// Bytes that end a prefix.
    pub separators: Vec<u8>,
    /// How many keys each list has.
    pub top: usize,
    /// The server whose memory is modelled; by default the one that wrote the dump.
    pub target: Option<Target>,
    /// The allocator of that server.
    pub allocator: Allocator,
    /// Keys that a pass holds at most; 0 for what fits into memory. For tests.
    #[doc(hidden)]
    pub held_max: usize,
}

/// What became of the keys.
#[derive(Clone, Debug, Serialize)]
pub struct KeyChanges {
    /// How many keys are in both dumps with the same value, type and expiry.
    pub unchanged: u64,
    /// What became of the others.
    #[serde(flatten)]
    pub counts: Counts,
    /// The same by prefix, most keys first; of too many prefixes those that were met first.
    pub prefixes: Vec<PrefixCounts>,
    /// Whether every prefix is among these: those of more than eight parts or 128 bytes are not.
    pub has_all_prefixes: bool,
    /// The keys that changed most.
    pub top: TopChanges,
    /// Keys whose values cannot be decoded, so that their bytes were compared, of those that may have changed.
    pub compared_as_stored: u64,
    /// In how many passes the names were compared, each for its share.
    pub passes: u64,
    /// How many times a dump was read.
    pub scans: u64,
}

impl KeyChanges {
    /// Writes names of keys and prefixes as `map` has them; prefixes that get the same one are counted together.
    pub fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        self.prefixes = changes::mapped(std::mem::take(&mut self.prefixes), map);
        self.top.map_names(map);
    }
}

/// Compares two dumps key by key; gives what was wrong with them too.
///
/// # Errors
/// As [`export_all`], and [`ErrorKind::Options`] for a dump that can be read only once.
pub fn compare_keys(
    old: &Dump,
    new: &Dump,
    question: &KeyQuestion,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(KeyChanges, Vec<Error>), Error> {
    for dump in [old, new] {
        if dump.path == Path::new("-") || !(dump.path.is_file() || dump.path.is_dir()) {
            let what = "comparing keys reads each dump several times: store this one as a file first";
            return Err(Error::new(shown(&dump.path), ErrorKind::Options(what.to_owned())));
        }
    }
    let fingerprints = Fingerprints::default();
    let mut comparison = Comparison { old, new, question, options, progress, fingerprints, scans: 0 };
    let (suspects, old_keys, errors) = comparison.suspects()?;
    let held_max = if question.held_max == 0 { HELD_MAX } else { question.held_max };
    let share = suspects.names as u128 + suspects.names as u128 * u128::from(old_keys) / SUMS as u128;
    let mut passes = u64::try_from(share / (held_max as u128 * 9 / 10).max(1)).unwrap_or(u64::MAX - 1) + 1;
    let suspects = Arc::new(suspects);
    loop {
        let mut found = Found { gathered: Gathered::new(&question.separators, question.top), both: 0, as_stored: 0 };
        let mut fits = true;
        for pass in 0..passes {
            let is_needed = suspects.names > 0 && !progress.is_cancelled();
            fits = !is_needed || comparison.pass(&suspects, (pass, passes), held_max, &mut found)?;
            if !fits {
                break;
            }
        }
        if !fits {
            passes = passes.saturating_mul(2);
            continue;
        }
        let has_all_prefixes = found.gathered.has_all_prefixes;
        let (counts, prefixes, top) = found.gathered.finish();
        let changes = KeyChanges {
            unchanged: old_keys.saturating_sub(counts.went.keys + found.both),
            counts,
            prefixes,
            has_all_prefixes,
            top,
            compared_as_stored: found.as_stored,
            passes: if suspects.names > 0 { passes } else { 0 },
            scans: comparison.scans,
        };
        return Ok((changes, errors));
    }
}

/// Names that may have changed, by the sums that they are added to.
#[derive(Debug)]
struct Suspects {
    /// A bit a sum.
    bits: Vec<u64>,
    /// How many sums are not zero.
    names: usize,
}

impl Suspects {
    fn has(&self, name: u128) -> bool {
        let at = sum_of(name);
        self.bits.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }
}

/// The sum that a name is added to.
fn sum_of(name: u128) -> usize {
    usize::try_from(name % SUMS as u128).unwrap_or(0)
}

/// What a pass looks for in the keys of both dumps.
struct Found<'s> {
    gathered: Gathered<'s>,
    /// How many keys are in both dumps and changed.
    both: u64,
    as_stored: u64,
}

struct Comparison<'c> {
    old: &'c Dump,
    new: &'c Dump,
    question: &'c KeyQuestion,
    options: &'c Options,
    progress: &'c Arc<Progress>,
    fingerprints: Fingerprints,
    scans: u64,
}

impl Comparison<'_> {
    /// Hands what `make` makes of the keys of a dump to `take`, in the dump's order.
    fn scan<M: Make + Sync>(
        &mut self,
        dump: &Dump,
        make: impl Fn(Model) -> M + Sync,
        take: impl FnMut(OrderedRow<'_, M::Row>) + Send,
    ) -> Result<Vec<Error>, Error> {
        self.scans += 1;
        let take: Take<'_, M::Row> = Arc::new(Mutex::new(take));
        let Self { question, options, progress, .. } = self;
        let dumps = std::slice::from_ref(dump);
        let exported = export_all(dumps, &question.filter, options, progress, |context| {
            let target = question.target.unwrap_or_else(|| Target::of(context));
            Ordered::new(make(Model::new(target, question.allocator)), take.clone())
        })?;
        Ok(exported.errors)
    }

    /// The names that need a look, how many keys the old dump has, and what is wrong with the dumps.
    fn suspects(&mut self) -> Result<(Suspects, u64, Vec<Error>), Error> {
        let mut sums = vec![0_u64; SUMS];
        let mut keys = [0_u64; 2];
        let mut errors = Vec::new();
        for (dump, keys) in [self.old, self.new].into_iter().zip(&mut keys) {
            let is_old = std::ptr::eq(dump, self.old);
            let fingerprints = self.fingerprints.clone();
            let make = |_| States(fingerprints.clone());
            errors.append(&mut self.scan(dump, make, |row| {
                *keys += 1;
                let (name, state) = row.row;
                // In which database it is matters as much as what it is.
                let state = state.wrapping_mul(row.db.wrapping_mul(2).wrapping_add(1)).rotate_left(17) ^ row.db;
                if let Some(sum) = sums.get_mut(sum_of(name)) {
                    *sum = if is_old { sum.wrapping_add(state) } else { sum.wrapping_sub(state) };
                }
            })?);
        }
        let bits = sums
            .chunks(64)
            .map(|chunk| (0..64).zip(chunk).fold(0_u64, |bits, (at, sum)| bits | u64::from(*sum != 0) << at));
        let bits: Vec<u64> = bits.collect();
        let names = bits.iter().map(|bits| bits.count_ones() as usize).sum();
        Ok((Suspects { bits, names }, keys[0], errors))
    }

    /// One pass; false if its share of the names is more than a table holds.
    fn pass(
        &mut self,
        suspects: &Arc<Suspects>,
        (pass, passes): (u64, u64),
        held_max: usize,
        found: &mut Found<'_>,
    ) -> Result<bool, Error> {
        let fingerprints = self.fingerprints.clone();
        let make = |model| Suspected {
            fingerprints: fingerprints.clone(),
            suspects: suspects.clone(),
            pass,
            passes,
            model: Arc::new(model),
        };
        let mut table = HashMap::new();
        let mut fits = true;
        self.scan(self.old, make, |OrderedRow { db, row, .. }| {
            fits &= table.len() < held_max;
            found.as_stored += u64::from(row.is_as_stored && fits);
            if fits {
                table.insert((row.name, db), row.state);
            }
        })?;
        if !fits {
            return Ok(false);
        }
        self.scan(self.new, make, |OrderedRow { db, row, bytes: [name, _] }| {
            let old = table.remove(&(row.name, db));
            let is_other =
                old.is_some_and(|old| (old.value, old.expires_at_ms) != (row.state.value, row.state.expires_at_ms));
            found.both += u64::from(is_other);
            found.gathered.add(db, name, old, Some(row.state));
        })?;
        if !table.is_empty() && !self.progress.is_cancelled() {
            self.scan(self.old, make, |OrderedRow { db, row, bytes: [name, _] }| {
                if let Some(old) = table.remove(&(row.name, db)) {
                    found.gathered.add(db, name, Some(old), None);
                }
            })?;
        }
        Ok(true)
    }
}

/// The number of each name, and that of what the key is.
#[derive(Clone)]
struct States(Fingerprints);

impl Make for States {
    type Row = (u128, u64);

    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        value: &Value<'v>,
        _bytes: &mut Vec<u8>,
    ) -> Result<Option<(Self::Row, &'v [u8])>, Fault> {
        let name = self.0.name(key.name);
        let (hash, _) = self.0.value(&key.entry, value);
        Ok(Some(((name, self.0.state(name, hash, key.entry.expires_at_ms)), &[])))
    }
}

/// Keys that may have changed, of one pass's share.
#[derive(Clone)]
struct Suspected {
    fingerprints: Fingerprints,
    suspects: Arc<Suspects>,
    pass: u64,
    passes: u64,
    model: Arc<Model>,
}

/// A key that may have changed; its bytes are its name.
struct Suspect {
    name: u128,
    state: State,
    is_as_stored: bool,
}

impl Make for Suspected {
    type Row = Suspect;

    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        value: &Value<'v>,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(Suspect, &'v [u8])>, Fault> {
        let name = self.fingerprints.name(key.name);
        if !self.suspects.has(name) || (name >> 64) % u128::from(self.passes) != u128::from(self.pass) {
            return Ok(None);
        }
        bytes.extend_from_slice(key.name);
        let (hash, is_as_stored) = self.fingerprints.value(&key.entry, value);
        let mut source = Slice::at(value.stored(), key.entry.value_offset);
        let footprint = walk::measure(&mut source, &key.entry.header(), value.context(), &self.model)?;
        let state = State {
            value: hash,
            memory_bytes: footprint.memory_bytes.unwrap_or(0),
            expires_at_ms: key.entry.expires_at_ms,
            kind: key.entry.kind,
        };
        Ok(Some((Suspect { name, state, is_as_stored }, &[])))
    }
}
