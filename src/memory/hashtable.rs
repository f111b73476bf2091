//! Valkey's hash table since 8.1: buckets of 64 bytes with seven elements, the last of which may be another bucket.

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

/// Buckets of a hash that was loaded as a listpack until its pair `packed` (from 0) was too long for one: made for those
/// so far, and then for those to come.
pub(super) fn buckets_after_conversion(packed: u64, elements: u64) -> u64 {
    let to_come = elements - packed - 1;
    buckets_grown(elements, buckets(packed).max(buckets(to_come)))
}

/// Bytes of the buckets, those behind others included: as many of these as one can expect of a good hash.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[allow(clippy::suboptimal_flops, reason = "it reads as the law of the binomial distribution does")]
pub(super) fn bytes(elements: u64, buckets: u64) -> u64 {
    let (n, b) = (elements as f64, buckets as f64);
    if buckets <= 1 {
        let behind = if elements <= BUCKET_ELEMENTS { 0 } else { (elements - 2) / (BUCKET_ELEMENTS - 1) };
        return buckets.saturating_add(behind).saturating_mul(BUCKET_BYTES);
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
    ((b * (1.0 + behind)) * BUCKET_BYTES as f64).round() as u64
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
        assert_eq!([1, 7, 8, 13, 14].map(|elements| bytes(elements, 1)), [64, 64, 128, 128, 192]);
        assert_eq!(bytes(1, 2), 128);
        // A Poisson distribution of mean 3.9 and of 6: a twentieth and a quarter of the buckets have one behind them.
        assert_eq!(bytes(998, 256) / 64, 256 + 11);
        assert_eq!(bytes(1_572_864, 262_144) / 64, 262_144 + 68_066);
    }
}
