//! Prefixes of names as a report lists them, and how reports merge them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::held::EARLY_MAX;
use super::levels::Separators;
use super::names::{self, NameTally, NamesFound, Rank};
use super::tally::Tally;
use super::text::Name;
use super::weight::Weight;

/// Heavy prefixes of merged reports; where they are more, the lightest are dropped.
const HEAVY_MAX: usize = 50_000;

/// What has no more than this part of the whole is dropped then.
const DROPPED_PARTS: u64 = 20_000;

/// Prefixes of names.
///
/// Where there is no room for all, those are listed that come early in an order which follows from the names alone, and all
/// heavy ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prefixes {
    /// Bytes that end a prefix.
    pub separators: Name,
    /// Whether these were found by a first look at names, and not given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub are_separators_found: bool,
    /// The prefix that all of these are below, if only such were asked for: their names are what follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Name>,
    /// Keys under none of the prefixes: with those of the shortest ones they are all keys.
    pub other: Tally,
    /// Keys that have no prefix, or are not below the one that was asked for.
    pub without: Weight,
    /// Keys whose longest prefix is not listed. They count with the longest shorter one that is, or with `other`.
    pub unlisted: Weight,
    /// The heavy prefixes, if not all prefixes are listed: what reports are merged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heavy: Option<HeavyPrefixes>,
    /// The prefixes, each with all keys under it, those of longer prefixes included.
    #[serde(flatten)]
    pub found: NamesFound,
}

/// The prefixes that have many of the keys or of their memory, whatever their names are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeavyPrefixes {
    /// A prefix that is not listed has no more than this.
    pub bound: Weight,
    /// The prefixes, in the order of their bytes.
    pub names: Vec<NameTally>,
}

impl Prefixes {
    pub(super) fn new(
        separators: &[u8],
        under: &[u8],
        found: NamesFound,
        heavy: Option<HeavyPrefixes>,
        without: Weight,
    ) -> Self {
        let under = Some(under).filter(|under| !under.is_empty()).map(Name::new);
        let separators = Name::new(separators);
        Self {
            separators,
            are_separators_found: false,
            under,
            other: Tally::default(),
            without,
            unlisted: Weight::default(),
            heavy,
            found,
        }
    }

    /// Sets what is not listed, of all keys.
    pub(super) fn set_rest(&mut self, totals: Tally) {
        self.other = self.shortest().fold(totals, |other, prefix| other.without(&prefix.tally));
        let listed = self.found.names.iter().filter_map(|prefix| prefix.own);
        self.unlisted = listed.fold(Weight::of(&totals).without(self.without), Weight::without);
    }

    /// The prefixes of one part, which all others lie under.
    pub fn shortest(&self) -> impl Iterator<Item = &NameTally> {
        self.found.names.iter().filter(|prefix| self.depth(prefix) == 1)
    }

    /// A prefix as keys have it: from the beginnings of their names on.
    pub fn whole(&self, prefix: &NameTally) -> Vec<u8> {
        let under = self.under.as_ref().map(Name::bytes).unwrap_or_default();
        [under, prefix.name.bytes()].concat()
    }

    /// How many parts a prefix has.
    pub fn depth(&self, prefix: &NameTally) -> usize {
        prefix.name.bytes().iter().filter(|byte| self.separators.bytes().contains(byte)).count()
    }

    /// The prefixes with one part more than this one has, in the order of their bytes.
    pub fn below<'p>(&'p self, prefix: &'p NameTally) -> impl Iterator<Item = &'p NameTally> {
        let (name, depth) = (prefix.name.bytes(), self.depth(prefix) + 1);
        // In the order of their bytes, what lies under a prefix follows it.
        let at = self.found.names.partition_point(|other| other.name.bytes() <= name);
        let under = self.found.names.get(at..).unwrap_or_default().iter();
        let under = under.take_while(move |other| other.name.bytes().starts_with(name));
        under.filter(move |other| self.depth(other) == depth)
    }

    /// What the list lacks, in a sentence.
    pub fn note(&self) -> Option<String> {
        let Weight { keys, memory_bytes } = self.unlisted;
        if self.found.is_complete {
            return None;
        }
        let what = match &self.heavy {
            Some(HeavyPrefixes { bound, .. }) => format!(
                "prefixes of at most {} keys and {} bytes of memory each are left out",
                bound.keys, bound.memory_bytes
            ),
            None => "prefixes of more than 8 parts or 128 bytes are left out".to_owned(),
        };
        Some(format!("{what}: {keys} keys with {memory_bytes} bytes of memory count under shorter ones or none"))
    }

    /// Adds the prefixes of another report; of all keys of both, `totals` are the sums.
    #[allow(clippy::needless_pass_by_value, reason = "what is merged is gone, as with the other sections")]
    pub(super) fn merge(&mut self, other: Self, totals: Tally) {
        let separators = Separators::new(self.separators.bytes());
        let mut limit = self.found.limit.into_iter().chain(other.found.limit).min();
        let is_early =
            |name: &Name, limit: Option<Rank>| limit.is_none_or(|limit| separators.rank(name.bytes()) < limit);
        let mut early: BTreeMap<Name, NameTally> = BTreeMap::new();
        for found in self.found.names.iter().chain(&other.found.names).filter(|found| is_early(&found.name, limit)) {
            add(&mut early, found.clone());
        }
        if early.len() > EARLY_MAX {
            let mut ranks: Vec<Rank> = early.keys().map(|name| separators.rank(name.bytes())).collect();
            ranks.sort_unstable();
            limit = ranks.get(EARLY_MAX).copied();
            early.retain(|name, _| is_early(name, limit));
        }
        self.heavy = limit.map(|_| {
            let (mine, theirs) = (self.take_heavy(), other.heavy.clone().unwrap_or_else(|| complete(&other.found)));
            mine.merge(theirs, Weight::of(&totals))
        });
        for heavy in self.heavy.iter().flat_map(|heavy| &heavy.names) {
            if !early.contains_key(&heavy.name) {
                early.insert(heavy.name.clone(), heavy.clone());
            }
        }
        let has_longer = self.found.has_longer || other.found.has_longer;
        let has_longer_alone = has_longer && limit.is_none();
        let names = early.into_values().collect();
        let is_complete = limit.is_none() && !has_longer;
        self.found = NamesFound { is_complete, has_longer: has_longer_alone, limit, names };
        self.are_separators_found |= other.are_separators_found;
        self.without = self.without.and(other.without);
        self.set_rest(totals);
    }

    /// Writes prefixes as `map` has them, those that get the same one together. What such a one lacks of prefixes that are not
    /// listed is no more than all of these have.
    pub(super) fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        let listed = self.found.names.len();
        self.found.map_names(map);
        self.under = self.under.take().map(|under| Name::new(map(under.bytes())));
        let are_together = self.found.names.len() < listed;
        let heavy = self.heavy.as_mut().map(|heavy| &mut heavy.names);
        if let Some(heavy) = heavy {
            *heavy = names::mapped(std::mem::take(heavy), map);
            if are_together {
                for found in self.found.names.iter_mut().chain(heavy) {
                    found.missed_max = Some(self.unlisted);
                }
            }
        }
    }

    fn take_heavy(&mut self) -> HeavyPrefixes {
        self.heavy.take().unwrap_or_else(|| complete(&self.found))
    }
}

/// All prefixes of a report that lists all.
fn complete(found: &NamesFound) -> HeavyPrefixes {
    HeavyPrefixes { bound: Weight::default(), names: found.names.clone() }
}

impl HeavyPrefixes {
    /// Those of both. What one of them does not list, it may have up to its bound.
    fn merge(self, other: Self, totals: Weight) -> Self {
        let bound = self.bound.and(other.bound);
        let mut all: BTreeMap<Name, NameTally> = BTreeMap::new();
        for (mut found, bound) in with(self.names, other.bound).chain(with(other.names, self.bound)) {
            found.missed_max = Some(found.missed_max.unwrap_or_default().and(bound));
            match all.get_mut(&found.name) {
                None => _ = all.insert(found.name.clone(), found),
                // Listed by both: neither lacks what the other one lists.
                Some(mine) => {
                    let both = self.bound.and(other.bound);
                    let missed = mine.missed_max.unwrap_or_default().and(found.missed_max.unwrap_or_default());
                    mine.add(&found);
                    mine.missed_max = Some(missed.without(both));
                }
            }
        }
        for found in all.values_mut() {
            found.missed_max = found.missed_max.filter(|missed| *missed != Weight::default());
        }
        if all.len() <= HEAVY_MAX {
            return Self { bound, names: all.into_values().collect() };
        }
        let light = totals.part(DROPPED_PARTS);
        all.retain(|_, found| Weight::of(&found.tally).exceeds(light));
        Self { bound: bound.and(light), names: all.into_values().collect() }
    }
}

fn with(names: Vec<NameTally>, bound: Weight) -> impl Iterator<Item = (NameTally, Weight)> {
    names.into_iter().map(move |found| (found, bound))
}

fn add(all: &mut BTreeMap<Name, NameTally>, found: NameTally) {
    match all.get_mut(&found.name) {
        None => _ = all.insert(found.name.clone(), found),
        Some(mine) => mine.add(&found),
    }
}
