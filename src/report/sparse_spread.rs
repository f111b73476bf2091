//! A [`Spread`] in little memory, of which there may be thousands: most of them have few buckets.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::spread::Spread;

/// How many keys have which value, as in a [`Spread`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseSpread {
    /// The buckets that have keys, in their order.
    buckets: Vec<(u16, u64)>,
    max: u64,
}

impl SparseSpread {
    /// What a bucket takes in memory.
    const BUCKET_BYTES: u64 = size_of::<(u16, u64)>() as u64;

    /// Adds a key's value; gives how many bytes of memory that took.
    pub(super) fn add(&mut self, value: u64) -> u64 {
        self.max = self.max.max(value);
        self.add_to(u16::try_from(Spread::bucket(value)).unwrap_or(u16::MAX), 1)
    }

    fn add_to(&mut self, bucket: u16, keys: u64) -> u64 {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => {
                if let Some((_, count)) = self.buckets.get_mut(at) {
                    *count = count.saturating_add(keys);
                }
                0
            }
            Err(at) => {
                self.buckets.insert(at, (bucket, keys));
                Self::BUCKET_BYTES
            }
        }
    }

    /// Adds another; gives how many bytes of memory that took.
    pub(super) fn merge(&mut self, other: &Self) -> u64 {
        self.max = self.max.max(other.max);
        other.buckets.iter().map(|(bucket, keys)| self.add_to(*bucket, *keys)).sum()
    }

    /// The spread, for its percentiles.
    pub fn spread(&self) -> Spread {
        Spread::of_buckets(self.buckets.iter().map(|(bucket, keys)| (usize::from(*bucket), *keys)), self.max)
    }
}

impl Serialize for SparseSpread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.spread().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SparseSpread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spread = Spread::deserialize(deserializer)?;
        let mut sparse = Self { buckets: Vec::new(), max: spread.max() };
        for (bucket, keys) in spread.filled() {
            sparse.add_to(u16::try_from(bucket).unwrap_or(u16::MAX), keys);
        }
        Ok(sparse)
    }
}
