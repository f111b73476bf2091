//! Valkey's hash table since 8.1: buckets of 64 bytes with seven elements, the last of which may be another bucket.

use super::{Allocator, Cost};

const BUCKET_BYTES: u64 = 64;

/// Elements of a bucket that has no bucket behind it.
const BUCKET_ELEMENTS: u64 = 7;

/// Buckets of a table that was made for so many elements: at least five for each 32 of them, a power of two.
pub(super) fn buckets(elements: u64) -> u64 {
    if elements == 0 {
        return 0;
    }
    ((elements.saturating_mul(5) - 1) / 32 + 1).checked_next_power_of_two().unwrap_or(1 << 63)
}

/// Buckets of a table that had so many and grew element by element: more are made when all seven places of each are taken.
pub(super) fn buckets_grown(elements: u64, buckets: u64) -> u64 {
    let filled = elements.div_ceil(BUCKET_ELEMENTS).checked_next_power_of_two().unwrap_or(1 << 63);
    filled.max(buckets)
}

/// What the buckets take, those behind others included.
pub(super) fn cost(allocator: Allocator, elements: u64, buckets: u64) -> Cost {
    of_buckets(allocator, buckets, behind(elements, buckets))
}

/// One allocation of buckets, and one for each of those behind them.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn of_buckets(allocator: Allocator, buckets: u64, behind: f64) -> Cost {
    let expected = |bytes| (behind * bytes as f64).round() as u64;
    let Cost { memory_bytes, allocated_bytes } = allocator.requested(BUCKET_BYTES);
    let of_behind = Cost { memory_bytes: expected(memory_bytes), allocated_bytes: expected(allocated_bytes) };
    allocator.requested(buckets.saturating_mul(BUCKET_BYTES)) + of_behind
}

/// How many buckets there are behind others: as many as one can expect of a good hash.
#[allow(clippy::cast_precision_loss)]
#[allow(clippy::suboptimal_flops, reason = "it reads as the law of the binomial distribution does")]
fn behind(elements: u64, buckets: u64) -> f64 {
    let (n, b) = (elements as f64, buckets as f64);
    if buckets <= 1 {
        return if elements <= BUCKET_ELEMENTS { 0.0 } else { ((elements - 2) / (BUCKET_ELEMENTS - 1)) as f64 };
    }
    // How many elements a bucket gets is binomial. One more bucket behind it is needed above 7, above 13, 19 …
    let (chance, mut behind) = (1.0 / b, 0.0);
    let mut exactly = (n * (1.0 - chance).ln()).exp();
    let mut above = 1.0 - exactly;
    for k in 1..64_u32 {
        let k = f64::from(k);
        if k > n {
            break;
        }
        exactly *= (n - k + 1.0) / k * chance / (1.0 - chance);
        above -= exactly;
        if k >= 7.0 && (k - 7.0) % 6.0 == 0.0 {
            behind += above.max(0.0);
        }
    }
    b * behind
}

/// The tables of a hash that was loaded as a listpack until its pair `packed` (from 0) was too long for one: as rdb.c goes,
/// made for those so far, and after that pair expanded for those to come if they are as many. While elements move over, one
/// bucket with each insertion, both tables are there.
pub(super) fn cost_after_conversion(allocator: Allocator, packed: u64, elements: u64) -> Cost {
    let mut tables = Tables { buckets: buckets(packed).max(1), used: packed, next: None };
    tables.add();
    let to_come = elements - packed - 1;
    if to_come >= tables.used {
        tables.expand(buckets(to_come));
    }
    for _ in 0..to_come {
        tables.add();
    }
    tables.cost(allocator)
}

/// A table, and the one that its elements move to.
struct Tables {
    buckets: u64,
    used: u64,
    next: Option<Next>,
}

struct Next {
    buckets: u64,
    /// Buckets of the old table that have not moved yet.
    left: u64,
    /// Elements of the old table when they began to move.
    moving: u64,
}

impl Tables {
    fn add(&mut self) {
        if let Some(next) = &mut self.next {
            next.left -= 1;
            if next.left == 0 {
                self.buckets = next.buckets;
                self.next = None;
            }
        }
        if self.used + 1 > BUCKET_ELEMENTS * self.buckets {
            self.expand(buckets(self.used + 1));
        }
        self.used += 1;
    }

    fn expand(&mut self, buckets: u64) {
        if self.next.is_some() || buckets == self.buckets || buckets == 0 {
            return;
        }
        if self.used == 0 {
            self.buckets = buckets;
        } else {
            self.next = Some(Next { buckets, left: self.buckets, moving: self.used });
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "over at most 512 elements")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    fn cost(&self, allocator: Allocator) -> Cost {
        let Some(Next { buckets, left, moving }) = self.next else {
            return cost(allocator, self.used, self.buckets);
        };
        // The old buckets stay until all have moved; those behind them go with what they hold.
        let share = left as f64 / self.buckets as f64;
        let still = (moving as f64 * share).round() as u64;
        of_buckets(allocator, self.buckets, behind(moving, self.buckets) * share)
            + cost(allocator, self.used - still, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_for_elements() {
        assert_eq!([0, 1, 6, 7, 12, 13, 25, 26, 1000].map(buckets), [0, 1, 1, 2, 2, 4, 4, 8, 256]);
    }

    #[test]
    fn buckets_behind_buckets() {
        let bytes = |elements, buckets| cost(Allocator::Jemalloc, elements, buckets).memory_bytes;
        assert_eq!([1, 7, 8, 13, 14].map(|elements| bytes(elements, 1)), [64, 64, 128, 128, 192]);
        assert_eq!(bytes(1, 2), 128);
        // A Poisson distribution of mean 3.9 and of 6: a twentieth and a quarter of the buckets have one behind them.
        assert_eq!(bytes(998, 256) / 64, 256 + 11);
        assert_eq!(bytes(1_572_864, 262_144) / 64, 262_144 + 68_066);
        // glibc gives 72 bytes for one behind.
        let libc = cost(Allocator::Libc, 14, 1);
        assert_eq!((libc.memory_bytes, libc.allocated_bytes), (192, 72 + 2 * 72));
    }

    #[test]
    fn a_table_that_was_a_listpack() {
        let buckets = |packed, elements| cost_after_conversion(Allocator::Jemalloc, packed, elements).memory_bytes / 64;
        // The first pair is too long: one bucket, which moves with the second pair.
        assert_eq!(buckets(0, 6), 1);
        assert_eq!(buckets(0, 20), 4);
        // The last is: the table of those before it has room.
        assert_eq!(buckets(11, 12), 2);
        // It grows at 57 elements, and three more move three of its eight buckets: two old ones still have others behind them.
        assert_eq!(buckets(40, 60), 8 + 16 + 2);
    }
}
