//! The prefixes that most keys lie under, in a direct-mapped cache: a key whose longest prefix is among them costs one
//! comparison, where finding it among all that are held costs a hash of it, a search and a call.
//!
//! A prefix has one slot, which its bytes tell. It takes that from another one when it has missed it more often than the
//! other has hit it; the other's sums are then counted where they belong.

use super::tally::Tally;
use super::weight::Weight;
use wide::u8x16;

/// Longer prefixes are not cached.
pub(super) const PREFIX_BYTES_MAX: usize = 32;

/// Six kilobytes of slots.
const SLOTS_LOG: u32 = 6;

/// Misses that a slot may have beyond its hits, so that sums are not moved for each key where prefixes are many.
const MISSES_MAX: u64 = 8;

/// The first bytes of a name: a prefix, and anything behind it.
type First = [u8; PREFIX_BYTES_MAX];

/// A prefix, and the sums of the keys that hit it; without bytes an empty slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    first: First,
    bytes: usize,
    /// The class of its rank.
    pub(super) class: u16,
    misses: u64,
    pub(super) tally: Tally,
    /// Of these, the keys that have a longer prefix.
    under_longer: Weight,
}

impl Slot {
    /// The prefix.
    pub(super) fn prefix(&self) -> &[u8] {
        self.first.get(..self.bytes).unwrap_or_default()
    }

    /// Its keys that have no longer prefix.
    pub(super) fn own(&self) -> Weight {
        Weight::of(&self.tally).without(self.under_longer)
    }

    #[inline(always)]
    pub(super) fn add(&mut self, tally: &Tally, is_own: bool) {
        self.tally.merge(tally);
        if !is_own {
            self.under_longer = self.under_longer.and(Weight::of(tally));
        }
    }

    /// Whether it has the prefix of so many bytes.
    #[inline(always)]
    fn has(&self, first: &First, bytes: usize) -> bool {
        let ([mine, my_rest], [theirs, their_rest]) = (halves(&self.first), halves(first));
        let equal = mine.simd_eq(theirs).to_bitmask() | my_rest.simd_eq(their_rest).to_bitmask() << 16;
        self.bytes == bytes && u64::from(!equal) << (64 - bytes) == 0
    }
}

#[inline(always)]
fn halves(first: &First) -> [u8x16; 2] {
    let (halves, _) = first.as_chunks();
    // An array's own `map` is a call where the compiler does not inline it, and took a tenth of a report.
    let half = |at: usize| u8x16::new(halves.get(at).copied().unwrap_or_default());
    [half(0), half(1)]
}

/// The cache; nothing is held before the first prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache(Vec<Slot>);

impl Cache {
    /// Adds a key that has no longer prefix to that of `bytes` bytes, one to [`PREFIX_BYTES_MAX`], if it is there.
    #[inline(always)]
    pub(super) fn hit(&mut self, first: &First, bytes: usize, tally: &Tally) -> bool {
        let Some(slot) = self.find(first, bytes) else { return false };
        slot.tally.merge(tally);
        true
    }

    /// Whether the prefix is there.
    #[inline]
    pub(super) fn has(&self, first: &First, bytes: usize) -> bool {
        self.0.get(slot(first, bytes)).is_some_and(|slot| slot.has(first, bytes))
    }

    /// The slot of a prefix that is there.
    #[inline(always)]
    pub(super) fn find(&mut self, first: &First, bytes: usize) -> Option<&mut Slot> {
        self.0.get_mut(slot(first, bytes)).filter(|slot| slot.has(first, bytes))
    }

    /// Takes in a prefix that missed, with a key's numbers, if it is its turn: then returns what was in its slot.
    pub(super) fn insert(
        &mut self,
        first: &First,
        (bytes, class): (usize, u16),
        tally: &Tally,
        is_own: bool,
    ) -> Option<Slot> {
        if self.0.is_empty() {
            self.0.resize(1 << SLOTS_LOG, Slot::default());
        }
        let slot = self.0.get_mut(slot(first, bytes))?;
        slot.misses += 1;
        let is_its_turn = slot.bytes == 0 || slot.misses > slot.tally.keys.saturating_add(MISSES_MAX);
        is_its_turn.then(|| {
            let mut new = Slot { first: *first, bytes, class, ..Slot::default() };
            new.add(tally, is_own);
            std::mem::replace(slot, new)
        })
    }

    /// Empties it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Slot> + use<> {
        std::mem::take(&mut self.0).into_iter().filter(|slot| slot.bytes > 0)
    }
}

/// The slot of a prefix, by its length and its first and last eight bytes.
#[inline(always)]
fn slot(first: &First, bytes: usize) -> usize {
    let word =
        |at: usize| first.get(at..).and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
    let above = 64 - 8 * bytes.min(8);
    let (header, tail) = (word(0) << above, word(bytes.max(8) - 8) << above);
    let mixed = (header.rotate_left(29) ^ tail ^ bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - SLOTS_LOG)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(name: &str) -> First {
        let mut first = [0; PREFIX_BYTES_MAX];
        first[..name.len()].copy_from_slice(name.as_bytes());
        first
    }

    fn keys(keys: u64) -> Tally {
        Tally { keys, ..Tally::default() }
    }

    #[test]
    fn a_prefix_hits_whatever_follows_it() {
        let mut cache = Cache::default();
        assert!(!cache.hit(&first("user:1"), 5, &keys(1)));
        assert!(
            cache.insert(&first("user:1"), (5, 1), &keys(1), true).is_some_and(|before| before.prefix().is_empty())
        );
        assert!(cache.hit(&first("user:2"), 5, &keys(1)));
        assert!(!cache.hit(&first("user:2"), 4, &keys(1)) && !cache.hit(&first("uses:2"), 5, &keys(1)));
        let long = "a:prefix:of:thirty-two:bytes:at:";
        cache.insert(&first(long), (32, 1), &keys(7), true);
        assert!(cache.hit(&first(long), 32, &keys(1)));
        let mut all: Vec<_> = cache.drain().map(|slot| (slot.prefix().to_vec(), slot.tally.keys)).collect();
        all.sort();
        assert_eq!(all, [(long.as_bytes().to_vec(), 8), (b"user:".to_vec(), 2)]);
        assert_eq!(cache.drain().count(), 0);
    }

    #[test]
    fn a_slot_goes_to_who_comes_more_often() {
        let names: Vec<_> = (100..300).map(|number| first(&format!("n{number}:"))).collect();
        let (held, rivals) = names.split_first().unwrap();
        let rival = rivals.iter().find(|name| slot(name, 5) == slot(held, 5)).expect("200 names, 64 slots");
        let mut cache = Cache::default();
        cache.insert(held, (5, 1), &keys(1), true);
        assert!(cache.hit(held, 5, &keys(1)));
        let turn = (1..100).find(|_| cache.insert(rival, (5, 1), &keys(1), true).is_some());
        assert_eq!(turn, Some(2 + MISSES_MAX + 1));
        assert!(cache.hit(rival, 5, &keys(1)) && !cache.hit(held, 5, &keys(1)));
    }
}
