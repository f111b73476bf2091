//! Counts of keys and what they take, and histograms of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::memory::{Cost, Footprint};
use crate::rdb::{Entry, Kind};

/// Keys, and sums over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many keys.
    pub keys: u64,
    /// Their elements; a string is one.
    pub elements: u64,
    /// Bytes of their records in the dump.
    pub serialized_bytes: u64,
    /// Bytes of memory as `MEMORY USAGE` counts them, of those for which it is known.
    pub memory_bytes: u64,
    /// Bytes that the allocator gives out for them, of the same keys.
    pub allocated_bytes: u64,
    /// How many never expire.
    pub keys_without_ttl: u64,
    /// Bytes of memory of those that never expire.
    pub memory_bytes_without_ttl: u64,
}

impl Tally {
    #[inline]
    pub(super) fn of_key(elements: u64, serialized_bytes: u64, cost: Cost, never_expires: bool) -> Self {
        let Cost { memory_bytes, allocated_bytes } = cost;
        Self {
            keys: 1,
            elements,
            serialized_bytes,
            memory_bytes,
            allocated_bytes,
            keys_without_ttl: u64::from(never_expires),
            memory_bytes_without_ttl: if never_expires { memory_bytes } else { 0 },
        }
    }

    /// That of an entry.
    #[inline]
    pub(super) fn of_entry(entry: &Entry<'_>, found: &Footprint) -> Self {
        let memory_bytes = found.memory_bytes.unwrap_or(0);
        let cost = Cost { memory_bytes, allocated_bytes: found.allocated_bytes.unwrap_or(0) };
        let elements = if matches!(entry.kind, Kind::String | Kind::Module) { 1 } else { entry.size };
        let serialized_bytes = entry.value_offset - entry.offset + entry.value_bytes;
        Self::of_key(elements, serialized_bytes, cost, entry.expires_at_ms.is_none())
    }

    /// Adds another.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.elements = self.elements.saturating_add(other.elements);
        self.serialized_bytes = self.serialized_bytes.saturating_add(other.serialized_bytes);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
        self.keys_without_ttl = self.keys_without_ttl.saturating_add(other.keys_without_ttl);
        self.memory_bytes_without_ttl = self.memory_bytes_without_ttl.saturating_add(other.memory_bytes_without_ttl);
    }

    /// What is left without a part of it.
    #[must_use]
    pub fn without(&self, element: &Self) -> Self {
        Self {
            keys: self.keys.saturating_sub(element.keys),
            elements: self.elements.saturating_sub(element.elements),
            serialized_bytes: self.serialized_bytes.saturating_sub(element.serialized_bytes),
            memory_bytes: self.memory_bytes.saturating_sub(element.memory_bytes),
            allocated_bytes: self.allocated_bytes.saturating_sub(element.allocated_bytes),
            keys_without_ttl: self.keys_without_ttl.saturating_sub(element.keys_without_ttl),
            memory_bytes_without_ttl: self.memory_bytes_without_ttl.saturating_sub(element.memory_bytes_without_ttl),
        }
    }
}

/// How many keys have a size between two powers of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes([u64; 65]);

impl Default for Sizes {
    fn default() -> Self {
        Self([0; 65])
    }
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeBucket {
    /// The least size in it: 0, or a power of two.
    pub at_least: u64,
    /// How many keys.
    pub keys: u64,
}

impl Sizes {
    #[inline]
    fn bucket(size: u64) -> usize {
        size.checked_ilog2().map_or(0, |log| log as usize + 1)
    }

    #[inline]
    pub(super) fn add(&mut self, size: u64, keys: u64) {
        if let Some(bucket) = self.0.get_mut(Self::bucket(size)) {
            *bucket = bucket.saturating_add(keys);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// The buckets that have keys, smallest first.
    pub fn buckets(&self) -> impl Iterator<Item = SizeBucket> {
        let filled = self.0.iter().enumerate().filter(|(_, keys)| **keys > 0);
        filled.map(|(log, keys)| SizeBucket { at_least: if log == 0 { 0 } else { 1 << (log - 1) }, keys: *keys })
    }
}

impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.buckets())
    }
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sizes = Self::default();
        for SizeBucket { at_least, keys } in Vec::<SizeBucket>::deserialize(deserializer)? {
            sizes.add(at_least, keys);
        }
        Ok(sizes)
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Keys by how soon they expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ttls {
    /// Had expired at the moment that times to live are measured from.
    pub expired: Tally,
    /// In less than an hour.
    pub under_1_hour: Tally,
    /// In less than a day.
    pub under_1_day: Tally,
    /// In less than seven days.
    pub under_7_days: Tally,
    /// In less than thirty days.
    pub under_30_days: Tally,
    /// Later.
    pub later: Tally,
    /// At some time, of dumps that do not say when they were made, and where no moment was given instead.
    pub unknown: Tally,
    /// Never.
    pub never: Tally,
}

/// How soon a key expires: the class of [`Ttls`] that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    Expired,
    Under1Hour,
    Under1Day,
    Under7Days,
    Under30Days,
    Later,
    Unknown,
    Never,
}

impl Expiry {
    /// All of them, soonest first.
    pub(super) const ALL: [Self; 8] = [
        Self::Expired,
        Self::Under1Hour,
        Self::Under1Day,
        Self::Under7Days,
        Self::Under30Days,
        Self::Later,
        Self::Unknown,
        Self::Never,
    ];

    /// The class of keys that expire at a time, seen from another.
    #[inline]
    pub(super) fn of(expires_at_ms: Option<i64>, now_ms: Option<i64>) -> Self {
        let Some(at_ms) = expires_at_ms else { return Self::Never };
        match now_ms.map(|now_ms| at_ms.saturating_sub(now_ms)) {
            None => Self::Unknown,
            // A server expires a key once the moment has passed.
            Some(..0) => Self::Expired,
            Some(0..HOUR_MS) => Self::Under1Hour,
            Some(HOUR_MS..DAY_MS) => Self::Under1Day,
            Some(left) if left < 7 * DAY_MS => Self::Under7Days,
            Some(left) if left < 30 * DAY_MS => Self::Under30Days,
            Some(_) => Self::Later,
        }
    }
}

impl Ttls {
    /// The tally of a class.
    pub(super) fn of(&mut self, expiry: Expiry) -> &mut Tally {
        match expiry {
            Expiry::Expired => &mut self.expired,
            Expiry::Under1Hour => &mut self.under_1_hour,
            Expiry::Under1Day => &mut self.under_1_day,
            Expiry::Under7Days => &mut self.under_7_days,
            Expiry::Under30Days => &mut self.under_30_days,
            Expiry::Later => &mut self.later,
            Expiry::Unknown => &mut self.unknown,
            Expiry::Never => &mut self.never,
        }
    }

    /// What they are called in the JSON, soonest first.
    pub(super) const NAMES: [&'static str; 8] =
        ["expired", "under_1_hour", "under_1_day", "under_7_days", "under_30_days", "later", "unknown", "never"];

    /// All of them, soonest first, with what they are called.
    pub fn all(&self) -> [(&'static str, &Tally); 8] {
        [
            ("expired", &self.expired),
            ("under 1 hour", &self.under_1_hour),
            ("under 1 day", &self.under_1_day),
            ("under 7 days", &self.under_7_days),
            ("under 30 days", &self.under_30_days),
            ("later", &self.later),
            ("unknown", &self.unknown),
            ("never", &self.never),
        ]
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.expired.merge(&other.expired);
        self.under_1_hour.merge(&other.under_1_hour);
        self.under_1_day.merge(&other.under_1_day);
        self.under_7_days.merge(&other.under_7_days);
        self.under_30_days.merge(&other.under_30_days);
        self.later.merge(&other.later);
        self.unknown.merge(&other.unknown);
        self.never.merge(&other.never);
    }
}
