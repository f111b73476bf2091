//! A report out of the census that the scans of its dumps made.

use super::beginnings::BeginningsFound;
use super::census::Counted;
use super::filters::Filters;
use super::largest_keys::LargestKeys;
use super::numbers::{Database, Encodings, SizesOfKind};
use super::prefix::ListedPrefixes;
use super::prefix_section::Prefixes;
use super::question::Question;
use super::rank::By;
use super::sections::{
    DatabaseTally, DumpInfo, EncodingKeys, KindSizes, OtherDatabases, TopKeys, TypeTally, frequencies, merge_encoding,
};
use super::server::ServerMemory;
use super::spread::KindSpreads;
use super::tally::Tally;
use super::weight::Weight;
use super::{FORMAT, Report};
use crate::memory::Model;
use crate::rdb::Kind;

impl Report {
    /// The report about dumps, the keys of which have been counted.
    pub(crate) fn new(question: &Question, mut dumps: Vec<DumpInfo>, counted: Counted) -> Self {
        let Counted { numbers, prefixes, totals, group_breakdowns } = counted;
        let numbers = *numbers;
        for (dump, tally) in &numbers.dumps {
            if let Some(info) = usize::try_from(*dump).ok().and_then(|dump| dumps.get_mut(dump)) {
                info.keys = *tally;
            }
        }
        let ListedPrefixes { found, heavy, prefixed } = prefixes.finish();
        let without = Weight::of(&totals).without(prefixed);
        let (peaks, expiry_days) = numbers.expiries.finish();
        for (dump, peaks) in peaks {
            if let Some(info) = usize::try_from(dump).ok().and_then(|dump| dumps.get_mut(dump)) {
                info.expiry_peaks = peaks;
            }
        }
        let mut report = Self {
            redacted: None,
            format: FORMAT.to_owned(),
            is_complete: dumps.iter().all(|dump| dump.is_complete),
            findings: Vec::new(),
            dumps,
            filters: Filters::of(&question.filter),
            totals,
            memory_unknown_keys: numbers.memory_unknown_keys,
            oversized_names: numbers.oversized_names,
            memory_lower_bound_keys: numbers.memory_lower_bound_keys,
            memory_estimated_keys: numbers.memory_estimated_keys,
            databases: Vec::new(),
            other_databases: None,
            largest_keys: LargestKeys::default(),
            top: Vec::new(),
            top_keys_max: question.top,
            top_cut: None,
            has_largest_elements: false,
            ttl: numbers.ttl,
            expiry_days,
            sizes: kind_sizes(&numbers.sizes),
            percentiles: percentiles(numbers.sizes),
            idle_seconds: numbers.idle.buckets().collect(),
            frequencies: frequencies(&numbers.frequencies),
            prefixes: Prefixes::new(&question.separators, &question.under, found, heavy, without),
            beginnings: BeginningsFound(numbers.beginnings.finish(&question.beginnings, &totals)),
            groups: (!question.groups.is_empty())
                .then(|| numbers.groups.finish(&question.groups, group_breakdowns, &totals)),
            slots: question.has_slots.then(|| numbers.slots.finish()),
            streams: numbers.streams,
            modules: numbers.modules.finish(),
            suspects: numbers.suspects,
            packed_if: numbers.what_if.finish(),
            compression: Some(numbers.compression.finish()).filter(|found| !found.is_empty()),
        };
        report.prefixes.are_separators_found = question.are_separators_found;
        report.prefixes.set_rest(totals);
        report.set_cut(&numbers.cut, question.top);
        for (db, database) in numbers.databases {
            report.add_database(db.unwrap_or(0), database);
        }
        report.largest_keys = if question.sort.is_by_use() {
            numbers.by_use.finish(question.top)
        } else {
            LargestKeys::of_lists(question.sort, &report.top, report.top_keys_max)
        };
        report.other_databases = numbers.other_from.map(|from_db| {
            let (tally, types) = by_type(numbers.other);
            OtherDatabases { from_db, tally, types }
        });
        if question.filter.is_of_all() && !question.filter.names_databases() {
            report.add_servers();
        }
        report
    }

    /// Adds what each dump takes on its server.
    fn add_servers(&mut self) {
        for dump in &mut self.dumps {
            if let (Ok(target), Ok(allocator)) = (dump.target.parse(), dump.allocator.parse()) {
                dump.server = Some(ServerMemory::new(&Model::new(target, allocator), &dump.keys));
            }
        }
    }

    fn add_database(&mut self, db: u64, database: Database) {
        let (tally, types) = by_type(database.encodings);
        if tally.keys > 0 {
            self.databases.push(DatabaseTally { db, tally, types });
        }
        let mut of_kinds = database.lists;
        of_kinds.sort_unstable_by_key(|(kind, _)| *kind);
        for (kind, lists) in of_kinds {
            for (lists, is_without_ttl) in lists.into_iter().zip([false, true]) {
                for (list, by) in lists.into_iter().zip(By::ALL) {
                    let keys = list.into_keys();
                    if !keys.is_empty() {
                        self.top.push(TopKeys { db, kind: kind.name().to_owned(), by, is_without_ttl, keys });
                    }
                }
            }
        }
    }
}

/// Tallies by type and encoding, and all of them together.
fn by_type(encodings: Encodings) -> (Tally, Vec<TypeTally>) {
    let (mut all, mut types) = (Tally::default(), Vec::<TypeTally>::new());
    for (class, tally) in encodings.into_sorted() {
        all.merge(&tally);
        let kind = class.kind.name();
        if types.last().is_none_or(|of_type| of_type.kind != kind) {
            types.push(TypeTally { kind: kind.to_owned(), tally: Tally::default(), encodings: Vec::new() });
        }
        let Some(of_type) = types.last_mut() else { continue };
        of_type.tally.merge(&tally);
        let (stored_as, loaded_as) = (class.stored.label().to_owned(), class.held.name().to_owned());
        merge_encoding(&mut of_type.encodings, EncodingKeys { stored_as, loaded_as, tally });
    }
    // Of many databases, room for more would take most of the memory.
    for of_type in &mut types {
        of_type.encodings.shrink_to_fit();
    }
    types.shrink_to_fit();
    (all, types)
}

fn percentiles(sizes: [SizesOfKind; Kind::ALL.len()]) -> Vec<KindSpreads> {
    let of_kind = |(kind, sizes): (Kind, SizesOfKind)| KindSpreads {
        kind: kind.name().to_owned(),
        memory_bytes: sizes.memory,
        elements: sizes.elements,
        value_bytes: sizes.value_bytes,
        name_bytes: sizes.name_bytes,
    };
    Kind::ALL.into_iter().zip(sizes).map(of_kind).filter(|spreads| spreads.name_bytes.keys() > 0).collect()
}

fn kind_sizes(sizes: &[SizesOfKind; Kind::ALL.len()]) -> Vec<KindSizes> {
    let of_kind = |(kind, sizes): (Kind, &SizesOfKind)| KindSizes {
        kind: kind.name().to_owned(),
        memory_bytes: sizes.memory.sizes(),
        serialized_bytes: sizes.serialized.clone(),
        elements: sizes.elements.sizes(),
    };
    let filled = |sizes: &KindSizes| sizes.serialized_bytes.buckets().next().is_some();
    Kind::ALL.into_iter().zip(sizes).map(of_kind).filter(filled).collect()
}
