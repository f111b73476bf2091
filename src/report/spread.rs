//! How a figure is spread over keys: percentiles with an error of at most 1 %, from counts that merge in any grouping.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tally::Sizes;

/// Smaller values have a bucket each; above, each power of two has [`PARTS`].
const EXACT: u64 = 128;

/// Buckets of a power of two: the middle of one is off by at most one in 128.
const PARTS_LOG: u32 = 6;
const PARTS: u64 = 1 << PARTS_LOG;

/// How many keys have which value, in buckets of at most one part in 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Keys by bucket; as many as the largest value needs.
    counts: Vec<u64>,
    max: u64,
}

/// A bucket: the least value in it, and how many keys have one in it.
type Bucket = (u64, u64);

impl Spread {
    pub(super) fn bucket(value: u64) -> usize {
        let bucket = match value.checked_ilog2() {
            Some(log) if value >= EXACT => {
                let part = value >> (log - PARTS_LOG) & (PARTS - 1);
                EXACT + u64::from(log - EXACT.ilog2()) * PARTS + part
            }
            _ => value,
        };
        usize::try_from(bucket).unwrap_or(usize::MAX)
    }

    /// The least value in a bucket, and the largest.
    fn ends(bucket: usize) -> (u64, u64) {
        let bucket = bucket as u64;
        let Some(above) = bucket.checked_sub(EXACT) else { return (bucket, bucket) };
        let width = 1_u64 << (above / PARTS + u64::from(EXACT.ilog2() - PARTS_LOG));
        let least = (PARTS + above % PARTS) * width;
        (least, least + (width - 1))
    }

    #[inline]
    pub(super) fn add(&mut self, value: u64, keys: u64) {
        self.max = self.max.max(value);
        let bucket = Self::bucket(value);
        match self.counts.get_mut(bucket) {
            Some(count) => *count = count.saturating_add(keys),
            None => self.grow(bucket, keys),
        }
    }

    #[cold]
    fn grow(&mut self, bucket: usize, keys: u64) {
        self.counts.resize(bucket.saturating_add(1), 0);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = keys;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.max = self.max.max(other.max);
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// One of buckets, each with its number and keys.
    pub(super) fn of_buckets(buckets: impl Iterator<Item = (usize, u64)>, max: u64) -> Self {
        let mut spread = Self { counts: Vec::new(), max };
        for (bucket, keys) in buckets {
            spread.grow(bucket, keys);
        }
        spread
    }

    /// The numbers of the buckets that have keys, in their order, and how many.
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, keys)| *keys > 0)
    }

    /// How many keys.
    pub fn keys(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The largest value.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that so many in a thousand keys do not exceed, off by at most 1 %; 0 without keys.
    pub fn permille(&self, permille: u64) -> u64 {
        let place = (u128::from(self.keys()) * u128::from(permille)).div_ceil(1000).max(1);
        let mut keys = 0_u128;
        let reached = self.counts.iter().position(|count| {
            keys += u128::from(*count);
            keys >= place
        });
        let (least, largest) = reached.map_or((0, 0), Self::ends);
        (least + (largest - least) / 2).min(self.max)
    }

    fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.filled().map(|(bucket, keys)| (Self::ends(bucket).0, keys))
    }

    /// The keys by powers of two.
    pub(super) fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        self.buckets().for_each(|(least, keys)| sizes.add(least, keys));
        sizes
    }
}

/// A spread as it is written; the percentiles follow from the buckets.
#[derive(Serialize, Deserialize)]
struct Written {
    keys: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p99_9: u64,
    max: u64,
    buckets: Vec<Bucket>,
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [p50, p90, p99, p99_9] = [500, 900, 990, 999].map(|permille| self.permille(permille));
        let buckets = self.buckets().collect();
        Written { keys: self.keys(), p50, p90, p99, p99_9, max: self.max, buckets }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { max, buckets, .. } = Written::deserialize(deserializer)?;
        let mut spread = Self::default();
        for (least, keys) in buckets {
            spread.add(least, keys);
        }
        spread.max = max;
        Ok(spread)
    }
}

/// The spreads of the keys of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindSpreads {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes of memory, of keys for which they are known.
    pub memory_bytes: Spread,
    /// Elements; a string is one.
    pub elements: Spread,
    /// Bytes of values as clients see them, of keys for which they are known: not of packed ones.
    pub value_bytes: Spread,
    /// Bytes of names.
    pub name_bytes: Spread,
}

impl KindSpreads {
    pub(super) fn merge(&mut self, other: &Self) {
        self.memory_bytes.merge(&other.memory_bytes);
        self.elements.merge(&other.elements);
        self.value_bytes.merge(&other.value_bytes);
        self.name_bytes.merge(&other.name_bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        for bucket in 0..Spread::bucket(u64::MAX) {
            let ((_, largest), (least, _)) = (Spread::ends(bucket), Spread::ends(bucket + 1));
            assert_eq!(largest + 1, least, "{bucket}");
            assert_eq!((Spread::bucket(largest), Spread::bucket(least)), (bucket, bucket + 1));
        }
        assert_eq!(Spread::ends(Spread::bucket(u64::MAX)).1, u64::MAX);
    }

    fn spread(values: &[u64]) -> Spread {
        let mut spread = Spread::default();
        for value in values {
            spread.add(*value, 1);
        }
        spread
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_sorted_values(
            mut values in prop::collection::vec((0_u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift), 1..300),
            cut in 0_usize..300,
        ) {
            let (first, second) = values.split_at(cut.min(values.len()));
            let mut merged = spread(first);
            merged.merge(&spread(second));
            prop_assert_eq!(&merged, &spread(&values));
            let read: Spread = serde_json::from_str(&serde_json::to_string(&merged).unwrap()).unwrap();
            prop_assert_eq!(&read, &merged);
            values.sort_unstable();
            prop_assert_eq!(merged.max(), *values.last().unwrap());
            for permille in [0, 1, 500, 900, 990, 999, 1000] {
                let place = (values.len() * permille).div_ceil(1000).max(1) - 1;
                let exact = values[place];
                let found = merged.permille(permille as u64);
                prop_assert!(found.abs_diff(exact) <= exact / 100, "{permille}: {found} for {exact}");
            }
        }
    }
}
