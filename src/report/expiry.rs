//! Keys by the minute in which they expire, as far as that is within a week: on which minutes of a dump most of them fall; and by
//! the day, as far as that is within a good year.

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

const DAY_MS: i64 = 86_400_000;

/// Days that are told apart, from that of the dump on.
const DAYS: i64 = 400;

/// The keys that expire on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryDay {
    /// When it begins in UTC, in milliseconds since 1970.
    pub begins_at_ms: i64,
    /// Keys that expire on it.
    pub keys: u64,
    /// Their memory.
    pub memory_bytes: u64,
}

/// Keys by the day on which they expire, of those that had not expired yet, in dumps of a known time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryDays {
    /// The days that have keys, the first one first.
    pub days: Vec<ExpiryDay>,
    /// Up to when days are told apart, in milliseconds since 1970: 400 days after the first dump.
    pub until_ms: i64,
    /// Keys that expire later.
    pub later_keys: u64,
    /// Their memory.
    pub later_memory_bytes: u64,
}

impl ExpiryDays {
    /// Adds the keys of other dumps. Days that either side does not tell apart are later ones.
    pub(super) fn merge(&mut self, other: Self) {
        let mut days: BTreeMap<i64, Minute> = BTreeMap::new();
        for ExpiryDay { begins_at_ms, keys, memory_bytes } in self.days.drain(..).chain(other.days) {
            days.entry(begins_at_ms).or_default().add(Minute { keys, memory_bytes });
        }
        self.until_ms = self.until_ms.min(other.until_ms);
        let mut later = Minute { keys: self.later_keys, memory_bytes: self.later_memory_bytes };
        later.add(Minute { keys: other.later_keys, memory_bytes: other.later_memory_bytes });
        days.split_off(&self.until_ms).into_values().for_each(|day| later.add(day));
        (self.later_keys, self.later_memory_bytes) = (later.keys, later.memory_bytes);
        let day = |(begins_at_ms, Minute { keys, memory_bytes })| ExpiryDay { begins_at_ms, keys, memory_bytes };
        self.days = days.into_iter().map(day).collect();
    }
}

/// The calendar of either side, or of both.
pub(super) fn merged(mine: Option<ExpiryDays>, theirs: Option<ExpiryDays>) -> Option<ExpiryDays> {
    match (mine, theirs) {
        (Some(mut mine), Some(theirs)) => {
            mine.merge(theirs);
            Some(mine)
        }
        (mine, theirs) => mine.or(theirs),
    }
}

/// Keys of a dump by minute and by day; of dumps that are complete only the peaks and the calendar are held.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    dump: u32,
    /// The day that the first of [`Self::days`] is, since 1970.
    first_day: i64,
    days: Vec<Minute>,
    /// Those after the last of these days.
    later: Minute,
    calendar: Option<ExpiryDays>,
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
        let one = Minute { keys: 1, memory_bytes };
        if let Some(minute) = usize::try_from(place).ok().and_then(|place| self.minutes.get_mut(place)) {
            minute.add(one);
        }
        let day = at_ms.div_euclid(DAY_MS) - self.first_day;
        usize::try_from(day).ok().and_then(|day| self.days.get_mut(day)).unwrap_or(&mut self.later).add(one);
    }

    #[cold]
    fn begin(&mut self, now_ms: i64) {
        self.first_minute = now_ms.div_euclid(MINUTE_MS);
        self.minutes = vec![Minute::default(); MINUTES];
        self.first_day = now_ms.div_euclid(DAY_MS);
        self.days = (0..DAYS).map(|_| Minute::default()).collect();
    }

    pub(super) fn held_bytes(&self) -> u64 {
        ((self.minutes.len() + self.days.len()) * size_of::<Minute>()) as u64
    }

    /// Takes over those of what follows. What belongs to another dump ends this one.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.peaks.append(&mut other.peaks);
        self.calendar = merged(self.calendar.take(), other.calendar.take());
        if other.keys == 0 {
            return;
        }
        if self.keys == 0 || self.dump != other.dump {
            self.end_dump();
            other.peaks = std::mem::take(&mut self.peaks);
            other.calendar = self.calendar.take();
            *self = other;
            return;
        }
        self.keys += other.keys;
        if self.minutes.is_empty() {
            (self.first_minute, self.minutes) = (other.first_minute, other.minutes);
            (self.first_day, self.days, self.later) = (other.first_day, other.days, other.later);
            return;
        }
        for (mine, theirs) in self.days.iter_mut().zip(other.days) {
            mine.add(theirs);
        }
        self.later.add(other.later);
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
        self.end_days();
    }

    fn end_days(&mut self) {
        let later = std::mem::take(&mut self.later);
        let days = std::mem::take(&mut self.days);
        if days.is_empty() {
            return;
        }
        let days = (self.first_day..).zip(days).filter(|(_, day)| day.keys > 0);
        let day = |(day, Minute { keys, memory_bytes }): (i64, Minute)| ExpiryDay {
            begins_at_ms: day.saturating_mul(DAY_MS),
            keys,
            memory_bytes,
        };
        let of_dump = ExpiryDays {
            days: days.map(day).collect(),
            until_ms: self.first_day.saturating_add(DAYS).saturating_mul(DAY_MS),
            later_keys: later.keys,
            later_memory_bytes: later.memory_bytes,
        };
        self.calendar = merged(self.calendar.take(), Some(of_dump));
    }

    /// The peaks of each dump, the highest first, and the calendar of all.
    pub(super) fn finish(mut self) -> (BTreeMap<u32, Vec<ExpiryPeak>>, Option<ExpiryDays>) {
        self.end_dump();
        (self.peaks, self.calendar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 1_795_132_800_000 + DAY_MS / 2;

    fn of_keys(dump: u32, now_ms: i64, keys: &[(i64, u64)]) -> Expiries {
        let mut expiries = Expiries::default();
        for (at_ms, memory_bytes) in keys {
            expiries.add(dump, Some(now_ms), *at_ms, *memory_bytes);
        }
        expiries
    }

    /// In whatever pieces keys are counted, and in whatever groups reports are merged.
    #[test]
    fn days_are_the_same_in_any_pieces() {
        let keys = [
            (NOON_MS - 1, 1),
            (NOON_MS, 2),
            (NOON_MS + DAY_MS / 2 - 1, 3),
            (NOON_MS + DAY_MS / 2, 4),
            (NOON_MS + 399 * DAY_MS, 5),
            (NOON_MS + 400 * DAY_MS, 6),
            (i64::MAX, 7),
        ];
        let day = |day: i64, keys, memory_bytes| ExpiryDay {
            begins_at_ms: NOON_MS - DAY_MS / 2 + day * DAY_MS,
            keys,
            memory_bytes,
        };
        let expected = ExpiryDays {
            days: vec![day(0, 2, 5), day(1, 1, 4), day(399, 1, 5)],
            until_ms: NOON_MS - DAY_MS / 2 + 400 * DAY_MS,
            later_keys: 2,
            later_memory_bytes: 13,
        };
        for at in 0..=keys.len() {
            let (before, after) = keys.split_at(at);
            let mut whole = of_keys(0, NOON_MS, before);
            whole.merge(of_keys(0, NOON_MS, after));
            assert_eq!(whole.finish().1.as_ref(), Some(&expected), "{at}");
        }
        // Another dump, of a later day: what is after the horizon of the first is later.
        let second = || of_keys(1, NOON_MS + 300 * DAY_MS, &[(NOON_MS + 398 * DAY_MS, 1), (NOON_MS + 500 * DAY_MS, 1)]);
        let mut both = of_keys(0, NOON_MS, &keys);
        both.merge(second());
        let both = both.finish().1.expect("a calendar");
        let [first, second] = [of_keys(0, NOON_MS, &keys), second()].map(|of_dump| of_dump.finish().1);
        assert_eq!(Some(&both), merged(second.clone(), first.clone()).as_ref());
        assert_eq!(Some(&both), merged(first, second).as_ref());
        assert_eq!(both.days, [day(0, 2, 5), day(1, 1, 4), day(398, 1, 1), day(399, 1, 5)]);
        assert_eq!((both.until_ms, both.later_keys, both.later_memory_bytes), (expected.until_ms, 3, 14));
    }
}
