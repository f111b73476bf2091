//! Reports into one, in any grouping with the same result.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::largest_keys::LargestKeys;
use super::names;
use super::numbers::{TALLIES_MAX, room};
use super::rank::List;
use super::sections::{
    DatabaseTally, FrequencyTally, KindSizes, OtherDatabases, TopKeys, TypeTally, frequencies, merge_encoding,
};
use super::tally::{Sizes, Tally};
use super::text::Name;
use super::{Report, expiry, unlike, what_if};
use crate::analysis::room::{Cut, Held};
use crate::rdb::Kind;

impl Report {
    /// Adds another report, whose dumps come after the ones of this: `(a + b) + c` is `a + (b + c)`, to the byte.
    ///
    /// Lists have as many keys as the shorter of both, and no more than there is room for. Of prefixes that a
    /// report does not list, the merged one says how much that may be at most; other names that either had no room for are
    /// missing, and those that it lists are exact. Findings are to be judged anew.
    ///
    /// # Errors
    /// A sentence if they cannot be merged (their JSON is of another version, or they tell prefixes apart otherwise), or
    /// should not be: they are of different filters, they measure times to live from different moments that were given
    /// ([`super::Question::filter`]'s `now_ms`), or a dump is in both.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        other.check()?;
        unlike::obstacle(self, &other).map_or(Ok(()), Err)?;
        self.merge_anyway(other)
    }

    /// As [`Report::merge`], of reports that should not be merged too; [`super::Filters::is_mixed`] then says so of filters.
    ///
    /// # Errors
    /// A sentence if they cannot be merged.
    pub fn merge_anyway(&mut self, other: Self) -> Result<(), String> {
        other.check()?;
        if self.prefixes.separators != other.prefixes.separators {
            return Err(format!(
                "it was made with --separators {}, the ones before with {}",
                other.prefixes.separators, self.prefixes.separators
            ));
        }
        let under = |report: &Self| report.prefixes.under.as_ref().map_or_else(|| "none".to_owned(), Name::to_string);
        if self.prefixes.under != other.prefixes.under {
            return Err(format!("it was made with --under {}, the ones before with {}", under(&other), under(self)));
        }
        let has_like_groups = match (&self.groups, &other.groups) {
            (Some(mine), Some(theirs)) => mine.is_like(theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        };
        if !has_like_groups {
            return Err("it was made with other groups than the ones before".to_owned());
        }
        let sort = self.largest_keys.by;
        if sort != other.largest_keys.by {
            return Err(format!(
                "it was made with --sort {}, the ones before with {}",
                other.largest_keys.by.name(),
                sort.name()
            ));
        }
        let dumps_before = u32::try_from(self.dumps.len()).map_err(|_| "there are too many dumps".to_owned())?;
        let ((mut cut, asked), (their_cut, their_asked)) = (self.cut(), other.cut());
        self.is_complete &= other.is_complete;
        if self.redacted != other.redacted {
            self.redacted = Some("mixed".to_owned());
        }
        self.findings.clear();
        self.dumps.extend(other.dumps);
        self.filters.merge(&other.filters);
        self.has_largest_elements |= other.has_largest_elements;
        self.totals.merge(&other.totals);
        self.memory_unknown_keys += other.memory_unknown_keys;
        self.oversized_names += other.oversized_names;
        cut.lower(&their_cut);
        self.memory_lower_bound_keys += other.memory_lower_bound_keys;
        self.memory_estimated_keys += other.memory_estimated_keys;
        self.merge_databases(other.databases);
        self.merge_other_databases(other.other_databases);
        self.merge_top(other.top, dumps_before, cut, asked.min(their_asked));
        self.merge_largest(other.largest_keys, dumps_before, asked.min(their_asked));
        self.ttl.merge(&other.ttl);
        self.expiry_days = expiry::merged(self.expiry_days.take(), other.expiry_days);
        for sizes in other.sizes {
            merge_sizes(&mut self.sizes, sizes);
        }
        self.sizes.sort_by_key(|sizes| kind_order(&sizes.kind));
        for theirs in other.percentiles {
            match self.percentiles.iter_mut().find(|mine| mine.kind == theirs.kind) {
                Some(mine) => mine.merge(&theirs),
                None => self.percentiles.push(theirs),
            }
        }
        self.percentiles.sort_by_key(|spreads| kind_order(&spreads.kind));
        let mut idle = Sizes::default();
        for bucket in self.idle_seconds.iter().chain(&other.idle_seconds) {
            idle.add(bucket.at_least, bucket.keys);
        }
        self.idle_seconds = idle.buckets().collect();
        let mut counts = vec![0; 256];
        for FrequencyTally { frequency, keys } in self.frequencies.iter().chain(&other.frequencies) {
            if let Some(count) = counts.get_mut(usize::from(*frequency)) {
                *count += keys;
            }
        }
        self.frequencies = frequencies(&counts);
        self.prefixes.merge(other.prefixes, self.totals);
        self.beginnings.merge(other.beginnings);
        self.modules.merge(other.modules, |name| (0, names::hash(name)));
        match (&mut self.slots, other.slots) {
            (Some(mine), Some(theirs)) => mine.merge(theirs, dumps_before),
            (mine, theirs) => {
                *mine = mine.take().or_else(|| theirs.map(|theirs| theirs.numbered_from(dumps_before)));
            }
        }
        self.streams.merge(&other.streams);
        if let (Some(mine), Some(theirs)) = (&mut self.groups, &other.groups) {
            mine.merge(theirs);
        }
        self.suspects.merge(other.suspects, None, dumps_before);
        what_if::merge(&mut self.packed_if, other.packed_if);
        match (&mut self.compression, other.compression) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
        Ok(())
    }

    fn merge_largest(&mut self, mut other: LargestKeys, dumps_before: u32, asked: usize) {
        if self.largest_keys.by.is_by_use() {
            for largest in &mut other.keys {
                largest.key.dump = largest.key.dump.saturating_add(dumps_before);
            }
            self.largest_keys.merge(other, asked);
        } else {
            self.largest_keys = LargestKeys::of_lists(other.by, &self.top, self.top_keys_max);
        }
    }

    fn merge_databases(&mut self, others: Vec<DatabaseTally>) {
        let mut all: BTreeMap<u64, DatabaseTally> =
            std::mem::take(&mut self.databases).into_iter().map(|database| (database.db, database)).collect();
        for other in others {
            match all.entry(other.db) {
                Entry::Vacant(place) => _ = place.insert(other),
                Entry::Occupied(mine) => {
                    let mine = mine.into_mut();
                    mine.tally.merge(&other.tally);
                    merge_types(&mut mine.types, other.types);
                }
            }
        }
        self.databases = all.into_values().collect();
    }

    /// Counts the databases together that either report has no tallies of, or that there is no room for now.
    fn merge_other_databases(&mut self, other: Option<OtherDatabases>) {
        let mut tallies = 0;
        let too_many = self.databases.iter().find(|database| {
            tallies += database.types.iter().map(|of_type| of_type.encodings.len()).sum::<usize>();
            tallies > TALLIES_MAX
        });
        let too_many = too_many.map(|database| database.db);
        let all: Vec<OtherDatabases> = self.other_databases.take().into_iter().chain(other).collect();
        let Some(from_db) = all.iter().map(|other| other.from_db).chain(too_many).min() else { return };
        let mut together = OtherDatabases { from_db, tally: Tally::default(), types: Vec::new() };
        let cut = self.databases.partition_point(|database| database.db < from_db);
        let of_databases = self.databases.drain(cut..).map(|database| (database.tally, database.types));
        for (tally, types) in all.into_iter().map(|other| (other.tally, other.types)).chain(of_databases) {
            together.tally.merge(&tally);
            merge_types(&mut together.types, types);
        }
        self.other_databases = Some(together);
    }

    fn merge_top(&mut self, others: Vec<TopKeys>, dumps_before: u32, mut cut: Cut, asked: usize) {
        let id = |list: &TopKeys| (list.db, kind_order(&list.kind), list.kind.clone(), list.is_without_ttl, list.by);
        let mut all: BTreeMap<_, TopKeys> =
            std::mem::take(&mut self.top).into_iter().map(|list| (id(&list), list)).collect();
        for mut theirs in others {
            for key in &mut theirs.keys {
                key.dump = key.dump.saturating_add(dumps_before);
            }
            match all.entry(id(&theirs)) {
                Entry::Vacant(place) => _ = place.insert(theirs),
                Entry::Occupied(mut mine) => mine.get_mut().keys.append(&mut theirs.keys),
            }
        }
        let lists: Vec<(u64, usize)> = all.values().map(|list| (list.db, list.keys.len().min(cut.keys_max))).collect();
        cut.fit(room(asked), &lists);
        self.top = all.into_values().filter(|list| cut.lists(Some(list.db))).collect();
        for top in &mut self.top {
            let mut list = List::of_keys(top.by, std::mem::take(&mut top.keys), cut.keys_max);
            list.cut(&cut, &mut Held::default());
            top.keys = list.into_keys();
        }
        self.set_cut(&cut, asked);
    }
}

fn merge_types(types: &mut Vec<TypeTally>, others: Vec<TypeTally>) {
    for theirs in others {
        let Some(mine) = types.iter_mut().find(|mine| mine.kind == theirs.kind) else {
            types.push(theirs);
            continue;
        };
        mine.tally.merge(&theirs.tally);
        for encoding in theirs.encodings {
            merge_encoding(&mut mine.encodings, encoding);
        }
    }
    types.sort_by_key(|of_type| kind_order(&of_type.kind));
}

/// The place of a type in reports; unknown ones come last.
fn kind_order(name: &str) -> usize {
    Kind::ALL.iter().position(|kind| kind.name() == name).unwrap_or(Kind::ALL.len())
}

fn merge_sizes(all: &mut Vec<KindSizes>, other: KindSizes) {
    match all.iter_mut().find(|mine| mine.kind == other.kind) {
        Some(mine) => {
            mine.memory_bytes.merge(&other.memory_bytes);
            mine.serialized_bytes.merge(&other.serialized_bytes);
            mine.elements.merge(&other.elements);
        }
        None => all.push(other),
    }
}
