//! Sums of the prefixes that most keys lie under, so that a key whose longest prefix is one of them costs one comparison.
//!
//! A prefix has one place, which its bytes tell. One that finds another there takes it when that has been missed more often
//! than met, and the other's sums go to where they belong.

use wide::u8x16;

use super::Tally;

/// Longer prefixes have no place.
pub(super) const PREFIX_BYTES_MAX: usize = 32;

/// How many places there are: some six kilobytes.
const PLACES_LOG: u32 = 6;

/// How often a place may be missed beyond that, so that where prefixes are many the sums are not moved for each key.
const MISSES: u64 = 8;

/// The first bytes of a name, a prefix and anything behind it.
pub(super) type First = [u8; PREFIX_BYTES_MAX];

/// A prefix, with the sums of keys that have no longer one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    first: First,
    bytes: usize,
    misses: u64,
    pub(super) tally: Tally,
}

impl Recent {
    /// The prefix.
    pub(super) fn prefix(&self) -> &[u8] {
        self.first.get(..self.bytes).unwrap_or_default()
    }

    /// Whether this is the prefix of so many bytes.
    #[inline(always)]
    fn is(&self, first: &First, bytes: usize) -> bool {
        let ([mine, my_rest], [theirs, their_rest]) = (halves(&self.first), halves(first));
        let equal = mine.simd_eq(theirs).to_bitmask() | my_rest.simd_eq(their_rest).to_bitmask() << 16;
        self.bytes == bytes && u64::from(!equal) << (64 - bytes) == 0
    }
}

#[inline(always)]
fn halves(first: &First) -> [u8x16; 2] {
    let (halves, _) = first.as_chunks();
    [0, 1].map(|half| u8x16::new(halves.get(half).copied().unwrap_or_default()))
}

/// The prefixes; no places before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Recents(Vec<Recent>);

impl Recents {
    /// Adds to the prefix of `bytes` bytes, one to [`PREFIX_BYTES_MAX`], if it has its place.
    #[inline(always)]
    pub(super) fn add(&mut self, first: &First, bytes: usize, tally: &Tally) -> bool {
        let recent = self.0.get_mut(place(first, bytes)).filter(|recent| recent.is(first, bytes));
        recent.is_some_and(|recent| {
            recent.tally.merge(tally);
            true
        })
    }

    /// Gives a place to a prefix that has none, with a key's numbers, if it is its turn; the one that had it before.
    pub(super) fn begin(&mut self, first: &First, bytes: usize, tally: &Tally) -> Option<Recent> {
        if self.0.is_empty() {
            self.0.resize(1 << PLACES_LOG, Recent::default());
        }
        let recent = self.0.get_mut(place(first, bytes))?;
        recent.misses += 1;
        let is_its_turn = recent.bytes == 0 || recent.misses > recent.tally.keys.saturating_add(MISSES);
        is_its_turn.then(|| std::mem::replace(recent, Recent { first: *first, bytes, misses: 0, tally: *tally }))
    }

    /// All of them, which then have no place.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Recent> + use<> {
        std::mem::take(&mut self.0).into_iter().filter(|recent| recent.bytes > 0)
    }
}

/// The place of a prefix, by its length and its first and last eight bytes.
#[inline(always)]
fn place(first: &First, bytes: usize) -> usize {
    let word =
        |at: usize| first.get(at..).and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
    let above = 64 - 8 * bytes.min(8);
    let (head, tail) = (word(0) << above, word(bytes.max(8) - 8) << above);
    let mixed = (head.rotate_left(29) ^ tail ^ bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - PLACES_LOG)).unwrap_or(0)
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
    fn a_prefix_has_its_place_whatever_follows() {
        let mut recents = Recents::default();
        assert!(!recents.add(&first("user:1"), 5, &keys(1)));
        assert!(recents.begin(&first("user:1"), 5, &keys(1)).is_some_and(|before| before.prefix().is_empty()));
        assert!(recents.add(&first("user:2"), 5, &keys(1)));
        assert!(!recents.add(&first("user:2"), 4, &keys(1)) && !recents.add(&first("uses:2"), 5, &keys(1)));
        let long = "a:prefix:of:thirty-two:bytes:at:";
        recents.begin(&first(long), 32, &keys(7));
        assert!(recents.add(&first(long), 32, &keys(1)));
        let mut all: Vec<_> = recents.end().map(|recent| (recent.prefix().to_vec(), recent.tally.keys)).collect();
        all.sort();
        assert_eq!(all, [(long.as_bytes().to_vec(), 8), (b"user:".to_vec(), 2)]);
        assert_eq!(recents.end().count(), 0);
    }

    #[test]
    fn a_place_goes_to_who_is_met_more() {
        let names: Vec<_> = (0..).map(|number| first(&format!("n{number}:"))).take(200).collect();
        let rival =
            names.iter().skip(1).find(|name| place(name, 4) == place(&names[0], 4)).expect("200 names, 64 places");
        let mut recents = Recents::default();
        recents.begin(&names[0], 4, &keys(1));
        assert!(recents.add(&names[0], 4, &keys(1)));
        let turns = (1..100).find(|_| recents.begin(rival, 4, &keys(1)).is_some());
        assert_eq!(turns, Some(2 + MISSES + 1));
        assert!(recents.add(rival, 4, &keys(1)) && !recents.add(&names[0], 4, &keys(1)));
    }
}
