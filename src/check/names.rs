//! Keys of one name in one database, of which servers refuse a dump.
//!
//! Over a stream, which is read once, the first names are held and all others compared with them. Over a map each name sets
//! eight bits of a filter of at most 20 MiB (a split block Bloom filter, as in Parquet's specification): a name whose bits are
//! set already is suspect, whether it was there before or others set them. [`super::again`] then reads the dump again, without
//! its values, for the suspects alone: so what is reported is exact, for as long as there are no more suspects than are held.
//! Two million names leave about none, twenty million some hundred thousand, which cost a second pass of the time of a task.

use crate::rdb::deep::Distinct;

/// Bytes of a block: eight words of 32 bits.
const BLOCK_BYTES: usize = 32;

/// Blocks of a filter, 20 MiB: with 8 bits a name, 20 million names make less than one suspect in a hundred.
const BLOCKS_MAX: usize = (20 << 20) / BLOCK_BYTES;

/// Names whose blocks are fetched together.
const BLOCKS_AT_A_TIME: usize = 32;

/// Suspects that are held, 4 MiB; half as many where they come again and again.
const SUSPECTS_MAX: usize = 1 << 18;

/// The names of the keys so far.
#[derive(Debug, Default)]
pub(super) enum Names {
    /// Nobody asks for them.
    #[default]
    Unwanted,
    /// As many as can be held.
    Held(Distinct),
    /// A bit of each.
    Filtered(Filter),
}

/// The name of a key in its database, from the digest of the name.
#[inline]
pub(super) fn in_database(digest: u128, db: u64) -> u128 {
    // A product with an odd number: different databases give different ones.
    digest
        ^ u128::from(db.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
        ^ u128::from(db.wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
}

/// Bits of names, and the names whose bits were set before.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<[u32; 8]>,
    /// Their digests, without their databases; some of them several times.
    suspects: Vec<u128>,
    /// No more are held; those that are, are in order.
    is_full: bool,
    /// Suspects that are not held, being too many.
    pub(super) unheld: u64,
}

impl Filter {
    /// A filter for a dump of so many bytes, which takes no more itself.
    pub(super) fn new(dump_bytes: usize) -> Self {
        let blocks = (dump_bytes / BLOCK_BYTES).clamp(1, BLOCKS_MAX);
        Self { blocks: vec![[0; 8]; blocks], suspects: Vec::new(), is_full: false, unheld: 0 }
    }

    /// Takes in names of one database.
    pub(super) fn add(&mut self, digests: &[u128], db: u64) {
        for digests in digests.chunks(BLOCKS_AT_A_TIME) {
            // Blocks come from memory side by side where nothing is done with them but to look.
            let touched = digests.iter().filter_map(|digest| self.blocks.get(self.block(in_database(*digest, db))));
            std::hint::black_box(touched.fold(0, |all, [first, ..]| all | first));
            for digest in digests {
                self.add_one(*digest, db);
            }
        }
    }

    #[inline]
    fn block(&self, id: u128) -> usize {
        let blocks = (id >> 64) * self.blocks.len() as u128;
        usize::try_from(blocks >> 64).unwrap_or(0)
    }

    #[inline]
    fn add_one(&mut self, digest: u128, db: u64) {
        let id = in_database(digest, db);
        let at = self.block(id);
        let Some(block) = self.blocks.get_mut(at) else { return };
        #[allow(clippy::cast_possible_truncation, reason = "the lower half, five bits for each word")]
        let mut low = id as u64;
        let mut missing = 0;
        for word in block {
            let bit = 1 << (low & 31);
            missing |= !*word & bit;
            *word |= bit;
            low >>= 5;
        }
        if missing == 0 {
            self.suspect(digest);
        }
    }

    #[cold]
    fn suspect(&mut self, digest: u128) {
        if self.is_full {
            self.unheld += u64::from(self.suspects.binary_search(&digest).is_err());
            return;
        }
        self.suspects.push(digest);
        if self.suspects.len() == SUSPECTS_MAX {
            self.suspects.sort_unstable();
            self.suspects.dedup();
            // Sorting again for each of a few that come would take for ever.
            self.is_full = self.suspects.len() > SUSPECTS_MAX / 2;
        }
    }

    /// The suspects, each once.
    pub(super) fn into_suspects(self) -> Distinct {
        let Self { blocks, suspects: listed, .. } = self;
        drop(blocks);
        let mut suspects = Distinct::new(SUSPECTS_MAX);
        for digest in listed {
            _ = suspects.add_id(digest);
        }
        suspects
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::digest_of_name;
    use super::*;

    fn digest(name: u32) -> u128 {
        digest_of_name(format!("key:{name}").as_bytes())
    }

    #[test]
    fn what_was_there_before_is_suspect() {
        let mut filter = Filter::new(1 << 20);
        let names: Vec<u128> = (0..20_000).map(digest).collect();
        filter.add(&names, 0);
        filter.add(&names, 1);
        assert_eq!((filter.suspects.len(), filter.unheld), (0, 0));
        filter.add(&[digest(7), digest(20_000)], 1);
        filter.add(&[digest(9)], 0);
        assert_eq!(filter.suspects, [digest(7), digest(9)]);
    }

    /// However full it is, no name that was there goes unnoticed.
    #[test]
    fn suspects_that_are_too_many_are_counted() {
        let mut filter = Filter::new(64);
        let names: Vec<u128> = (0..u32::try_from(SUSPECTS_MAX).unwrap() + 1000).map(digest).collect();
        filter.add(&names, 0);
        filter.add(&names, 0);
        assert_eq!(filter.suspects.len(), SUSPECTS_MAX);
        assert!((1000..3000).contains(&filter.unheld), "{}", filter.unheld);
    }
}
