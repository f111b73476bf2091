//! Keys by the minute in which they expire, as far as that is within a week: on which minutes of a dump most of them fall.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;

/// Minutes that are told apart: a week's.
const MINUTES: usize = 7 * 24 * 60;

/// Minutes of a dump that are listed, and the least share of the keys that expire which each must have: one in a hundred, and
/// no fewer than a hundred keys.
const PEAKS_MAX: usize = 20;
const PEAK_SHARE: u64 = 100;
const PEAK_KEYS_MIN: u64 = 100;

/// A minute in which many keys of a dump expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryPeak {
    /// When it begins, in milliseconds since 1970.
    pub begins_at_ms: i64,
    /// Keys that expire in it.
    pub keys: u64,
    /// Their memory.
    pub memory_bytes: u64,
}

/// Keys of a dump by minute; of dumps that are complete only the peaks are held.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    dump: u32,
    /// The minute that the first of [`Self::minutes`] is, since 1970.
    first_minute: i64,
    minutes: Vec<Minute>,
    /// All keys of the dump that expire.
    keys: u64,
    peaks: BTreeMap<u32, Vec<ExpiryPeak>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    keys: u64,
    memory_bytes: u64,
}

impl Minute {
    fn add(&mut self, other: Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
    }
}

impl Expiries {
    /// Adds a key that expires at `at_ms` of a dump whose times to live are measured from `now_ms`.
    #[inline]
    pub(super) fn add(&mut self, dump: u32, now_ms: Option<i64>, at_ms: i64, memory_bytes: u64) {
        self.dump = dump;
        self.keys += 1;
        let Some(now_ms) = now_ms.filter(|now_ms| *now_ms <= at_ms) else { return };
        if self.minutes.is_empty() {
            self.begin(now_ms);
        }
        let place = at_ms.div_euclid(MINUTE_MS) - self.first_minute;
        if let Some(minute) = usize::try_from(place).ok().and_then(|place| self.minutes.get_mut(place)) {
            minute.add(Minute { keys: 1, memory_bytes });
        }
    }

    #[cold]
    fn begin(&mut self, now_ms: i64) {
        self.first_minute = now_ms.div_euclid(MINUTE_MS);
        self.minutes = vec![Minute::default(); MINUTES];
    }

    pub(super) fn held_bytes(&self) -> u64 {
        (self.minutes.len() * size_of::<Minute>()) as u64
    }

    /// Takes over those of what follows. What belongs to another dump ends this one.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.peaks.append(&mut other.peaks);
        if other.keys == 0 {
            return;
        }
        if self.keys == 0 || self.dump != other.dump {
            self.end_dump();
            other.peaks = std::mem::take(&mut self.peaks);
            *self = other;
            return;
        }
        self.keys += other.keys;
        if self.minutes.is_empty() {
            (self.first_minute, self.minutes) = (other.first_minute, other.minutes);
            return;
        }
        for (mine, theirs) in self.minutes.iter_mut().zip(other.minutes) {
            mine.add(theirs);
        }
    }

    fn end_dump(&mut self) {
        let least = (self.keys / PEAK_SHARE).max(PEAK_KEYS_MIN);
        let minutes = (self.first_minute..).zip(std::mem::take(&mut self.minutes));
        let high = minutes.filter(|(_, minute)| minute.keys >= least);
        let peak = |(at, Minute { keys, memory_bytes }): (i64, Minute)| ExpiryPeak {
            begins_at_ms: at.saturating_mul(MINUTE_MS),
            keys,
            memory_bytes,
        };
        let mut peaks: Vec<ExpiryPeak> = high.map(peak).collect();
        peaks.sort_by_key(|peak| (std::cmp::Reverse(peak.keys), peak.begins_at_ms));
        peaks.truncate(PEAKS_MAX);
        if !peaks.is_empty() {
            self.peaks.insert(self.dump, peaks);
        }
        self.keys = 0;
    }

    /// The peaks of each dump, the highest first.
    pub(super) fn finish(mut self) -> BTreeMap<u32, Vec<ExpiryPeak>> {
        self.end_dump();
        self.peaks
    }
}
