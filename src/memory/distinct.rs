//! Sampled sets: how many different things there are among many, in bounded memory.
//!
//! Things are kept as they are while they are few. Of more, only those are kept whose hash ends in so many zeros: one in
//! two, in four and so on, the same ones wherever they occur, so that a sample of a union is the union of the samples.

/// How many things a sample has at most: a mebibyte of the largest.
pub(super) const SAMPLE_MAX: usize = 1 << 16;

/// Which things are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sieve {
    /// One thing in two to the power of these is kept.
    log: u32,
}

impl Sieve {
    pub(super) fn keeps(self, thing: u64) -> bool {
        // A multiplication brings each bit of the thing into the highest of the product.
        self.log == 0 || thing.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - self.log) == 0
    }

    /// Keeps half of what it kept.
    pub(super) fn narrow(&mut self) {
        self.log = (self.log + 1).min(63);
    }

    /// How many things each stands for that is kept.
    pub(super) fn weight(self) -> u64 {
        1 << self.log
    }
}

/// IDs, each of which may come several times.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    sieve: Sieve,
    ids: Vec<[u8; 16]>,
}

/// An ID's lower half holds its sequence number, its upper one the milliseconds: both tell IDs apart.
fn folded(id: [u8; 16]) -> u64 {
    let id = u128::from_be_bytes(id);
    #[allow(clippy::cast_possible_truncation, reason = "each half in its turn")]
    let (high, low) = ((id >> 64) as u64, id as u64);
    high.rotate_left(32) ^ low.wrapping_mul(0xff51_afd7_ed55_8ccd)
}

impl Ids {
    /// Adds an ID.
    pub(super) fn add(&mut self, id: [u8; 16]) {
        if !self.sieve.keeps(folded(id)) {
            return;
        }
        self.ids.push(id);
        if self.ids.len() > 2 * SAMPLE_MAX {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        while self.ids.len() > SAMPLE_MAX {
            self.sieve.narrow();
            let sieve = self.sieve;
            self.ids.retain(|id| sieve.keeps(folded(*id)));
        }
    }

    /// The IDs in their order, and how many each stands for.
    pub(super) fn sampled(&mut self) -> (&[[u8; 16]], u64) {
        self.settle();
        (&self.ids, self.sieve.weight())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> [u8; 16] {
        (u128::from(1_700_000_000_000 + number / 7) << 64 | u128::from(number % 7)).to_be_bytes()
    }

    #[test]
    fn few_are_kept_as_they_are() {
        let mut ids = Ids::default();
        for list in [0..5_u64, 3..9, 0..0] {
            list.for_each(|number| ids.add(id(number)));
        }
        let all: Vec<[u8; 16]> = (0..9).map(id).collect();
        assert_eq!(ids.sampled(), (&all[..], 1));
    }

    #[test]
    fn many_are_sampled() {
        let mut ids = Ids::default();
        for list in [0..600_000_u64, 400_000..1_000_000] {
            list.for_each(|number| ids.add(id(number)));
        }
        let (sample, weight) = ids.sampled();
        assert!(sample.len() <= SAMPLE_MAX && weight > 1);
        let estimated = sample.len() as u64 * weight;
        assert!((970_000..1_030_000).contains(&estimated), "{estimated}");
    }
}
