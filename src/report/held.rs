//! The prefixes that are held while keys are added, in bounded memory, with bounds for what those that are not may have.
//!
//! A prefix that comes early in the order of names, before a *limit*, is held from when it is first met, so its sums are
//! exact. One that comes late is held if it may weigh much. What is under late prefixes that are not held is summed up in
//! *slots*, which their hashes tell: so no such prefix has more than its slot, and a prefix that would fill its slot beyond
//! a small part of the whole is held from then on, with the slot as the bound for what it missed. Where too many are
//! held, the lighter half goes back into slots. A prefix is held only while the next shorter one is; of a name, only the
//! shortest prefix that is not held counts in a slot.

use std::cmp::Reverse;

use hashbrown::HashTable;

use super::levels::{Levels, Padded, Separators};
use super::names::{NAME_BYTES_MAX, Rank};
use super::tally::Tally;
use super::weight::Weight;

/// Early prefixes; twice as many while keys are added.
pub(super) const EARLY_MAX: usize = 2048;

/// Late prefixes that are held whatever they weigh, and those that are held at all.
const LATE_FREE: usize = 4096;
const LATE_MAX: usize = 8192;

/// Fewer late prefixes than these are not looked through for light ones before they are merged.
const LATE_LIGHT_MAX: usize = 1024;

/// Slots, and the part of all late keys that a slot may have of them: with what the next shorter prefix missed, less than the
/// 2,000th part that is listed. Keys that spread evenly fill slots to an eighth of it.
const SLOTS: usize = 1 << 15;
const SLOT_PARTS: u64 = 1 << 12;

/// A prefix that is held, without what is under longer ones that are held too.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) rank: Rank,
    pub(super) name: Box<[u8]>,
    pub(super) tally: Tally,
    /// Of these, the keys that have no longer prefix, whether held or not.
    pub(super) own: Weight,
    /// More than this it cannot have missed.
    pub(super) missed: Weight,
}

impl Held {
    fn held_bytes(&self) -> u64 {
        (size_of::<Self>() + self.name.len()) as u64
    }
}

/// The prefixes that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldPrefixes {
    held: HashTable<Held>,
    /// The first rank that is late; none while all prefixes are held.
    limit: Option<Rank>,
    late: usize,
    /// Whether there are prefixes that are not told apart, being too long or too deep.
    has_longer: bool,
    held_bytes: u64,
    slots: Slots,
    /// Keys that are under no prefix that is held, but have one.
    pub(super) rootless: Weight,
}

/// What is under late prefixes that are not held, by their hashes; nothing is kept before the first.
#[derive(Clone, Debug, Default)]
struct Slots {
    weights: Vec<Weight>,
    /// A bit for each slot: whether a late prefix that is held may belong to it.
    has_held: Vec<u64>,
    /// Late keys: those that were there before the first was put into a slot, and since then those whose prefixes were not held
    /// when they came.
    seen: Weight,
}

impl Slots {
    #[inline]
    fn slot((_, hash): Rank) -> usize {
        usize::try_from(hash >> (64 - SLOTS.ilog2())).unwrap_or(0)
    }

    #[inline]
    fn weight(&self, rank: Rank) -> Weight {
        self.weights.get(Self::slot(rank)).copied().unwrap_or_default()
    }

    #[inline]
    fn may_hold(&self, rank: Rank) -> bool {
        let slot = Self::slot(rank);
        self.has_held.get(slot / 64).is_some_and(|bits| bits >> (slot % 64) & 1 != 0)
    }

    fn set_held(&mut self, rank: Rank) {
        self.has_held.resize(SLOTS / 64, 0);
        let slot = Self::slot(rank);
        if let Some(bits) = self.has_held.get_mut(slot / 64) {
            *bits |= 1 << (slot % 64);
        }
    }

    /// Adds to a slot that was added to before, unless it would have more than its part then: so would [`Slots::takes`].
    #[inline(always)]
    fn takes_at_once(&mut self, rank: Rank, weight: Weight) -> bool {
        let seen = self.seen.and(weight);
        let Some(slot) = self.weights.get_mut(Self::slot(rank)) else { return false };
        let sum = slot.and(weight);
        let is_taken = !sum.exceeds(seen.part(SLOT_PARTS));
        if is_taken {
            (*slot, self.seen) = (sum, seen);
        }
        is_taken
    }

    /// Adds to a slot, unless it would have more than its part then.
    #[inline]
    fn takes(&mut self, rank: Rank, weight: Weight) -> bool {
        self.seen = self.seen.and(weight);
        self.weights.resize(SLOTS, Weight::default());
        let Some(slot) = self.weights.get_mut(Self::slot(rank)) else { return false };
        let sum = slot.and(weight);
        let is_taken = !sum.exceeds(self.seen.part(SLOT_PARTS));
        if is_taken {
            *slot = sum;
        }
        is_taken
    }

    /// Adds to a slot whatever it has.
    fn put(&mut self, rank: Rank, weight: Weight) {
        self.weights.resize(SLOTS, Weight::default());
        if let Some(slot) = self.weights.get_mut(Self::slot(rank)) {
            *slot = slot.and(weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.seen = self.seen.and(other.seen);
        if !other.weights.is_empty() {
            self.weights.resize(SLOTS, Weight::default());
        }
        for (mine, theirs) in self.weights.iter_mut().zip(&other.weights) {
            *mine = mine.and(*theirs);
        }
    }

    /// The largest of all, in either.
    fn largest(&self) -> Weight {
        self.weights.iter().fold(Weight::default(), |largest, weight| largest.max(*weight))
    }
}

impl HeldPrefixes {
    /// None yet; those from `limit` on are late.
    pub(super) fn within(limit: Option<Rank>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The first rank that is late.
    pub(super) fn limit(&self) -> Option<Rank> {
        self.limit
    }

    pub(super) fn has_longer(&self) -> bool {
        self.has_longer
    }

    pub(super) fn set_has_longer(&mut self) {
        self.has_longer = true;
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes + (self.slots.weights.len() * size_of::<Weight>()) as u64
    }

    #[inline]
    fn is_late(&self, rank: Rank) -> bool {
        self.limit.is_some_and(|limit| rank >= limit)
    }

    /// Whether a prefix is surely not held.
    #[inline]
    pub(super) fn is_surely_not_held(&self, rank: Rank) -> bool {
        self.is_late(rank) && !self.slots.may_hold(rank)
    }

    #[inline]
    pub(super) fn find(&self, name: &[u8], rank: Rank) -> Option<&Held> {
        if self.is_surely_not_held(rank) {
            return None;
        }
        self.held.find(rank.1, |held| held.rank == rank && *held.name == *name)
    }

    #[inline]
    pub(super) fn find_mut(&mut self, name: &[u8], rank: Rank) -> Option<&mut Held> {
        self.held.find_mut(rank.1, |held| held.rank == rank && *held.name == *name)
    }

    /// Counts a key in the slot of its prefix, if that is sure to be neither held nor to be held for this key.
    #[inline(always)]
    pub(super) fn counts_in_slot(&mut self, rank: Rank, weight: Weight) -> bool {
        self.is_surely_not_held(rank) && self.slots.takes_at_once(rank, weight)
    }

    /// Holds a prefix that is not held, if it is early or may weigh much, with the key in hand; else adds that to its slot.
    /// `missed` is what the next shorter prefix may have missed.
    pub(super) fn admits(&mut self, name: &[u8], rank: Rank, weight: Weight, missed: &mut Weight) -> bool {
        if self.is_late(rank) {
            if self.late >= LATE_FREE || !self.slots.weights.is_empty() {
                if self.slots.weights.is_empty() {
                    let late = self.held.iter().filter(|held| self.is_late(held.rank));
                    self.slots.seen = late.fold(self.slots.seen, |seen, held| seen.and(Weight::of(&held.tally)));
                }
                if self.slots.takes(rank, weight) {
                    return false;
                }
            }
            *missed = missed.and(self.slots.weight(rank));
        } else {
            *missed = Weight::default();
        }
        self.hold(Held { rank, name: name.into(), tally: Tally::default(), own: Weight::default(), missed: *missed });
        true
    }

    /// Adds to a prefix that is held.
    pub(super) fn add(&mut self, name: &[u8], rank: Rank, tally: &Tally, own: Weight) {
        if let Some(held) = self.find_mut(name, rank) {
            held.tally.merge(tally);
            held.own = held.own.and(own);
        }
    }

    fn hold(&mut self, held: Held) {
        if self.is_late(held.rank) {
            self.late += 1;
            self.slots.set_held(held.rank);
        }
        self.held_bytes += held.held_bytes();
        self.held.insert_unique(held.rank.1, held, |held| held.rank.1);
    }

    /// Whether it is time to cut.
    #[inline]
    pub(super) fn has_too_many(&self) -> bool {
        self.held.len() - self.late > 2 * EARLY_MAX || self.late > LATE_MAX
    }

    /// Lowers the limit if there are more early prefixes than may be in the end.
    pub(super) fn cut_early(&mut self) {
        if self.held.len() - self.late <= EARLY_MAX {
            return;
        }
        let mut ranks: Vec<Rank> = self.held.iter().map(|held| held.rank).filter(|rank| !self.is_late(*rank)).collect();
        ranks.sort_unstable();
        self.lower(ranks.get(EARLY_MAX).copied());
    }

    /// Lowers the limit; what is late now was exact so far.
    fn lower(&mut self, limit: Option<Rank>) {
        let Some(limit) = limit.filter(|limit| self.limit.is_none_or(|old| *limit < old)) else { return };
        let is_new = |held: &&Held| held.rank >= limit && self.limit.is_none_or(|old| held.rank < old);
        let new: Vec<Rank> = self.held.iter().filter(is_new).map(|held| held.rank).collect();
        self.limit = Some(limit);
        self.late += new.len();
        for rank in new {
            self.slots.set_held(rank);
        }
    }

    /// Makes room, where there are too many.
    pub(super) fn cut(&mut self, separators: &Separators, levels: &mut Levels) {
        if self.held.len() - self.late > 2 * EARLY_MAX {
            self.cut_early();
        }
        if self.late > LATE_MAX {
            self.drop_lighter_half(separators, levels);
        }
    }

    /// Gives the lighter half of the late prefixes back to slots, and what they have to the next shorter ones.
    fn drop_lighter_half(&mut self, separators: &Separators, levels: &mut Levels) {
        let late = self.take_late();
        let all = late.under.iter().zip(&late.parents).filter(|(_, parent)| parent.is_none());
        let all = all.fold(Weight::default(), |all, (weight, _)| all.and(*weight));
        // No prefix comes before a longer one: that is no heavier, and of equal ones the longer has the larger name.
        let mut order: Vec<_> =
            late.under.iter().enumerate().map(|(at, weight)| (all.share(*weight), Reverse(at))).collect();
        let (lighter, ..) =
            order.select_nth_unstable_by(late.held.len() / 2, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut is_dropped = vec![false; late.held.len()];
        for (_, Reverse(at)) in lighter {
            if let Some(is_dropped) = is_dropped.get_mut(*at) {
                *is_dropped = true;
            }
        }
        self.put_back(separators, levels, late, &is_dropped);
    }

    /// Gives late prefixes back that their slots have room for, once slots are in use: of those that were held before, a piece
    /// would hand on thousands of a key each.
    pub(super) fn drop_light(&mut self, separators: &Separators, levels: &mut Levels) {
        if self.slots.weights.is_empty() || self.late < LATE_LIGHT_MAX {
            return;
        }
        let late = self.take_late();
        let room = self.slots.seen.part(SLOT_PARTS);
        let mut is_dropped = vec![true; late.held.len()];
        // From the longer ones to the shorter: a prefix is held as long as a longer one is.
        for (at, held) in late.held.iter().enumerate().rev() {
            let under = late.under.get(at).copied().unwrap_or_default();
            let fits = is_dropped.get(at).is_some_and(|is_dropped| *is_dropped)
                && !self.slots.weight(held.rank).and(under).exceeds(room);
            if !fits {
                let parent = late.parents.get(at).copied().flatten();
                for at in [Some(at), parent].into_iter().flatten() {
                    if let Some(is_dropped) = is_dropped.get_mut(at) {
                        *is_dropped = false;
                    }
                }
            }
        }
        self.put_back(separators, levels, late, &is_dropped);
    }

    /// The late prefixes, which are held no more.
    fn take_late(&mut self) -> Late {
        let limit = self.limit;
        let is_late = |held: &Held| limit.is_some_and(|limit| held.rank >= limit);
        let held = sorted(self.held.extract_if(|held| is_late(held)).collect());
        let parents = parents(&held);
        let mut under: Vec<Weight> = held.iter().map(|held| Weight::of(&held.tally)).collect();
        roll_up(&parents, &mut under, |parent, child| *parent = parent.and(*child));
        Late { held, parents, under }
    }

    /// Holds those late prefixes again that are not dropped. The others go back to slots, and what they have to the next shorter
    /// ones.
    fn put_back(&mut self, separators: &Separators, levels: &mut Levels, late: Late, is_dropped: &[bool]) {
        let Late { held: late, parents, under } = late;
        let dropped = |at: Option<usize>| at.and_then(|at| is_dropped.get(at).copied()).unwrap_or(false);
        // From the longer ones to the shorter: what is passed on may be passed on again.
        let mut passed_on = vec![Tally::default(); late.len()];
        self.slots.has_held.clear();
        (self.late, self.held_bytes) = (0, self.held.iter().map(Held::held_bytes).sum());
        for (at, mut held) in late.into_iter().enumerate().rev() {
            held.tally.merge(&passed_on.get(at).copied().unwrap_or_default());
            let parent = parents.get(at).copied().flatten();
            if !dropped(Some(at)) {
                self.hold(held);
                continue;
            }
            if !dropped(parent) {
                self.slots.put(held.rank, under.get(at).copied().unwrap_or_default());
            }
            match parent.and_then(|parent| passed_on.get_mut(parent)) {
                Some(parent) => parent.merge(&held.tally),
                None => self.add_to_shorter(separators, levels, &held),
            }
        }
    }

    /// Adds what a prefix has to the longest shorter one that is held.
    fn add_to_shorter(&mut self, separators: &Separators, levels: &mut Levels, dropped: &Held) {
        let mut padded = [0; NAME_BYTES_MAX];
        let name = Padded::new(&dropped.name, &mut padded);
        separators.find(name, levels);
        let shorter = levels.all(name).rev().skip(1);
        for (prefix, rank) in shorter {
            if let Some(held) = self.find_mut(prefix, rank) {
                return held.tally.merge(&dropped.tally);
            }
        }
        self.rootless = self.rootless.and(Weight::of(&dropped.tally));
    }

    /// What a prefix that is not held may have missed here.
    fn missed(&self, separators: &Separators, levels: &mut Levels, held: &Held) -> Weight {
        if !self.is_late(held.rank) {
            return Weight::default();
        }
        let mut padded = [0; NAME_BYTES_MAX];
        let name = Padded::new(&held.name, &mut padded);
        separators.find(name, levels);
        let mut missed = Weight::default();
        for (prefix, rank) in levels.all(name) {
            match self.find(prefix, rank) {
                Some(held) => missed = held.missed,
                // An early prefix that is not held was not met, nor was a longer one.
                None if !self.is_late(rank) => return Weight::default(),
                None => return missed.and(self.slots.weight(rank)),
            }
        }
        missed
    }

    /// Takes over what others hold.
    pub(super) fn merge(&mut self, separators: &Separators, levels: &mut Levels, other: &Self) {
        let theirs: Vec<Held> =
            other.held.iter().filter(|theirs| self.find(&theirs.name, theirs.rank).is_none()).cloned().collect();
        let missed_here: Vec<Weight> = theirs.iter().map(|theirs| self.missed(separators, levels, theirs)).collect();
        for mine in &mut self.held {
            match other.find(&mine.name, mine.rank) {
                Some(theirs) => {
                    mine.tally.merge(&theirs.tally);
                    mine.own = mine.own.and(theirs.own);
                    mine.missed = mine.missed.and(theirs.missed);
                }
                None if other.is_late(mine.rank) => {
                    mine.missed = mine.missed.and(other.missed(separators, levels, mine));
                }
                None => {}
            }
        }
        self.lower(other.limit);
        self.has_longer |= other.has_longer;
        self.rootless = self.rootless.and(other.rootless);
        self.slots.merge(&other.slots);
        for (mut held, missed) in theirs.into_iter().zip(missed_here) {
            held.missed = held.missed.and(missed);
            self.hold(held);
        }
        self.cut(separators, levels);
    }

    /// All that are held, in the order of their names, each with what is under longer ones; and the most that a late prefix
    /// which is not held may have, unless one that is held and next above it missed more.
    pub(super) fn into_whole(self) -> (Vec<Held>, Weight) {
        let largest = self.slots.largest();
        let mut all = sorted(self.held.into_iter().collect());
        let parents = parents(&all);
        let mut tallies: Vec<Tally> = all.iter().map(|held| held.tally).collect();
        roll_up(&parents, &mut tallies, Tally::merge);
        for (held, tally) in all.iter_mut().zip(tallies) {
            held.tally = tally;
        }
        (all, largest)
    }
}

/// Late prefixes in the order of their bytes, for each the longest shorter one among them, and what is under it.
struct Late {
    held: Vec<Held>,
    parents: Vec<Option<usize>>,
    under: Vec<Weight>,
}

/// Prefixes in the order of their bytes, which mostly their first sixteen tell.
fn sorted(mut all: Vec<Held>) -> Vec<Held> {
    let first = |held: &Held| {
        let mut first = [0; 16];
        first.iter_mut().zip(&*held.name).for_each(|(to, byte)| *to = *byte);
        u128::from_be_bytes(first)
    };
    all.sort_by_cached_key(first);
    for alike in all.chunk_by_mut(|a, b| first(a) == first(b)) {
        alike.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    }
    all
}

/// For each of some prefixes, in the order of their bytes, the longest shorter one.
pub(super) fn parents(sorted: &[Held]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::with_capacity(sorted.len());
    for (at, held) in sorted.iter().enumerate() {
        while open.last().and_then(|last| sorted.get(*last)).is_some_and(|last| !held.name.starts_with(&last.name)) {
            open.pop();
        }
        parents.push(open.last().copied());
        open.push(at);
    }
    parents
}

/// Adds each value to that of its parent, longest prefixes first.
fn roll_up<T: Copy>(parents: &[Option<usize>], values: &mut [T], add: impl Fn(&mut T, &T)) {
    for (at, parent) in parents.iter().enumerate().rev() {
        let value = values.get(at).copied();
        if let (Some(value), Some(parent)) = (value, parent.and_then(|parent| values.get_mut(parent))) {
            add(parent, &value);
        }
    }
}
