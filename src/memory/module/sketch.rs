//! Bloom and cuckoo filters, count-min sketches, top-k lists and t-digests of `RedisBloom`: fixed parts and what was asked
//! for when they were made.

use crate::memory::Target;
use crate::rdb::packed::module::Head;

/// A value of `RedisBloom` while its tagged values are read.
pub(super) struct Sketch {
    kind: Kind,
    /// The first three numbers, which are counts of what the value is made of.
    counts: [u64; 3],
    counts_found: usize,
    /// The first real number.
    real: Option<f64>,
    strings: u64,
    strings_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bloom,
    Cuckoo,
    CountMin,
    TopK,
    TDigest,
}

impl Sketch {
    /// That of this module type, if it is one.
    pub(super) fn of(name: &[u8; 9]) -> Option<Self> {
        let kind = match name {
            b"MBbloom--" => Kind::Bloom,
            b"MBbloomCF" => Kind::Cuckoo,
            b"CMSk-TYPE" => Kind::CountMin,
            b"TopK-TYPE" => Kind::TopK,
            b"TDIS-TYPE" => Kind::TDigest,
            _ => return None,
        };
        Some(Self { kind, counts: [0; 3], counts_found: 0, real: None, strings: 0, strings_bytes: 0 })
    }

    /// Takes the next value.
    pub(super) fn add(&mut self, value: Head) {
        match value {
            Head::Unsigned(count) => {
                if let Some(place) = self.counts.get_mut(self.counts_found) {
                    *place = count;
                    self.counts_found += 1;
                }
            }
            Head::Double(real) => _ = self.real.get_or_insert(real),
            Head::String(header) => {
                self.strings += 1;
                self.strings_bytes = self.strings_bytes.saturating_add(header.value_bytes());
            }
            Head::End | Head::Signed(_) | Head::Float(_) => {}
        }
    }

    /// What it takes without its key, if its numbers are there.
    pub(super) fn finish(&self, target: Target) -> Option<u64> {
        let [first, second, third] = self.counts;
        let product = |a: u64, b: u64| a.saturating_mul(b);
        // A chain's own part, and that of each filter before its bits.
        let filters =
            |own: u64, each| own.saturating_add(product(each, self.strings)).saturating_add(self.strings_bytes);
        match self.kind {
            Kind::Bloom => (self.strings > 0).then(|| filters(32, 64)),
            Kind::Cuckoo => (self.strings > 0).then(|| filters(40, 16)),
            // Up to 8.4 it counts its counters of four bytes as eight.
            Kind::CountMin if self.counts_found >= 2 => Some(if is_from_8_6(target) {
                product(product(first, second), 4).saturating_add(32)
            } else {
                product(product(first, second), 8).saturating_add(8)
            }),
            // How many are listed, then width and depth.
            Kind::TopK if self.counts_found == 3 => {
                Some(product(product(second, third), 8).saturating_add(product(first, 24)).saturating_add(2088))
            }
            Kind::TDigest => {
                let own = if target >= Target::Redis8_0 { T_DIGEST_BYTES } else { 8 };
                // Places for centroids: the server makes six times the compression, and ten more.
                let places = centroids(self.real?)?;
                Some(product(places, 16).saturating_add(own))
            }
            _ => None,
        }
    }
}

/// `td_histogram`, which versions since 8.0 count.
const T_DIGEST_BYTES: u64 = 80;

fn is_from_8_6(target: Target) -> bool {
    (Target::Redis8_6..Target::Valkey8_0).contains(&target)
}

/// How many centroids a t-digest of this compression has room for.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is checked to be in range")]
fn centroids(compression: f64) -> Option<u64> {
    (compression >= 1.0 && compression <= f64::from(u32::MAX)).then(|| 6 * compression as u64 + 10)
}
