//! What the script of the page draws: the report's lists in rows of bare numbers, so that a page of thousands of names
//! stays small enough to be mailed. `data.js` reads them.

use std::collections::HashSet;
use std::io;

use serde::Serialize;

use super::rows::{Fitting, NameCell, Places, longest, text};
use crate::output::human::count;
use crate::rdb::limits::SLOTS;
use crate::report::{KeyRow, NameTally, Report, Tally, TopKeys, TypeTally};

/// Bytes of the whole block, and of the lists in it that a dump can fill with names. Keys get what the others leave.
const BYTES_MAX: usize = 1_350_000;
const PREFIX_BYTES_MAX: usize = 500_000;
const TAG_BYTES_MAX: usize = 60_000;
const DATABASE_BYTES_MAX: usize = 120_000;
const DUMP_BYTES_MAX: usize = 40_000;

/// The block, and what did not fit into it.
pub(super) struct Block {
    /// JSON that can end no element of the page.
    pub(super) json: String,
    pub(super) keys: usize,
    pub(super) keys_left_out: usize,
    pub(super) prefixes_left_out: usize,
    pub(super) tags_left_out: usize,
    pub(super) databases_left_out: usize,
}

/// The block of a report.
///
/// # Errors
/// Those of the JSON writer, which has none for numbers and text.
pub(super) fn block(report: &Report) -> io::Result<Block> {
    let prefixes = by_memory(&report.prefixes.found.names);
    let mut places = places(&prefixes);
    let separators = report.prefixes.separators.bytes();
    let rows = prefixes.iter().map(|prefix| prefix_row(prefix, separators, &places));
    let prefixes = Fitting::take(rows, PREFIX_BYTES_MAX)?;
    places.retain(|_, place| *place < prefixes.count);
    let tags = report.slots.as_ref().map(|slots| by_memory(&slots.tags.names)).unwrap_or_default();
    let tags =
        Fitting::take(tags.iter().map(|tag| (NameCell::of(&tag.name), Measures::of(&tag.tally))), TAG_BYTES_MAX)?;
    let mut databases: Vec<_> = report.databases.iter().collect();
    databases.sort_by_key(|database| std::cmp::Reverse(database.tally.memory_bytes));
    let rows = databases.iter().map(|database| (database.db, Measures::of(&database.tally), types(&database.types)));
    let databases = Fitting::take(rows, DATABASE_BYTES_MAX)?;
    let other_databases = report.other_databases.as_ref();
    let other_databases = other_databases.map(|other| (other.from_db, Measures::of(&other.tally), types(&other.types)));
    // A row of a key says which dump it is in by its place among these.
    let dumps = report.dumps.iter().map(|dump| dump.shard.as_deref().unwrap_or(&dump.name));
    let dumps = Fitting::take(dumps, DUMP_BYTES_MAX)?;
    let lists = format!(
        r#"{{"totals":{},"dumps":[{}],"databases":[{}],"other_databases":{},"prefixes":[{}],"tags":[{}],"slots":{}"#,
        text(&Measures::of(&report.totals))?,
        dumps.rows,
        databases.rows,
        text(&other_databases)?,
        prefixes.rows,
        tags.rows,
        text(&slots(report))?,
    );
    let keys = keys(&report.top);
    let rows = keys.iter().map(|(list, key)| key_row(list, key, separators, &places));
    let keys = Fitting::take(rows, BYTES_MAX.saturating_sub(lists.len()))?;
    let json = format!(r#"{lists},"keys":[{}]}}"#, keys.rows);
    Ok(Block {
        json,
        keys: keys.count,
        keys_left_out: keys.left_out,
        prefixes_left_out: prefixes.left_out,
        tags_left_out: tags.left_out,
        databases_left_out: databases.left_out,
    })
}

impl Block {
    /// That keys were left out, in a sentence.
    pub(super) fn keys_note(&self) -> String {
        let (shown, all) = (count(self.keys as u64), count((self.keys + self.keys_left_out) as u64));
        format!(
            "This page has room for {shown} of the {all} listed keys: the first of each list. The JSON of the report has \
             all of them."
        )
    }
}

/// Memory, bytes in the dump, keys, memory without TTL, keys without TTL, elements.
#[derive(Serialize)]
struct Measures([u64; 6]);

impl Measures {
    fn of(tally: &Tally) -> Self {
        Self([
            tally.memory_bytes,
            tally.serialized_bytes,
            tally.keys,
            tally.memory_bytes_without_ttl,
            tally.keys_without_ttl,
            tally.elements,
        ])
    }
}

/// The largest first, and a prefix before those that it is a part of.
fn by_memory(names: &[NameTally]) -> Vec<&NameTally> {
    let mut names: Vec<&NameTally> = names.iter().collect();
    names.sort_by(|a, b| {
        let order = |of: &NameTally| (std::cmp::Reverse(of.tally.memory_bytes), std::cmp::Reverse(of.tally.keys));
        order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name))
    });
    names
}

/// Where in the list of prefixes each is.
fn places<'r>(prefixes: &[&'r NameTally]) -> Places<'r> {
    prefixes.iter().enumerate().map(|(place, prefix)| (prefix.name.bytes(), place)).collect()
}

fn prefix_row(prefix: &NameTally, separators: &[u8], places: &Places<'_>) -> (NameCell, Measures, Option<usize>) {
    let name = prefix.name.bytes();
    (NameCell::of(&prefix.name), Measures::of(&prefix.tally), longest(name, name.len(), separators, places))
}

/// A type's name, its keys, and them by encoding.
type TypeRow<'r> = (&'r str, Measures, Vec<(&'r str, Measures)>);

fn types(types: &[TypeTally]) -> Vec<TypeRow<'_>> {
    types
        .iter()
        .map(|of_type| {
            let mut encodings: Vec<(&str, Tally)> = Vec::new();
            for encoding in &of_type.encodings {
                match encodings.iter_mut().find(|(name, _)| *name == encoding.loaded_as) {
                    Some((_, tally)) => tally.merge(&encoding.tally),
                    None => encodings.push((&encoding.loaded_as, encoding.tally)),
                }
            }
            let encodings = encodings.iter().map(|(name, tally)| (*name, Measures::of(tally))).collect();
            (of_type.kind.as_str(), Measures::of(&of_type.tally), encodings)
        })
        .collect()
}

/// Memory and keys of each of the slots, those without keys included.
#[derive(Serialize)]
struct SlotColumns {
    memory: Vec<u64>,
    keys: Vec<u64>,
}

fn slots(report: &Report) -> Option<SlotColumns> {
    let found = report.slots.as_ref()?;
    let slots = usize::try_from(SLOTS).unwrap_or(0);
    let mut columns = SlotColumns { memory: vec![0; slots], keys: vec![0; slots] };
    for slot in &found.slots {
        let at = usize::from(slot.slot);
        if let (Some(memory), Some(keys)) = (columns.memory.get_mut(at), columns.keys.get_mut(at)) {
            (*memory, *keys) = (slot.memory_bytes, slot.keys);
        }
    }
    Some(columns)
}

/// The keys of all lists, each once: the first of each list, then the second of each.
fn keys(lists: &[TopKeys]) -> Vec<(&TopKeys, &KeyRow)> {
    let longest = lists.iter().map(|list| list.keys.len()).max().unwrap_or(0);
    let mut seen = HashSet::new();
    let rows = (0..longest).flat_map(|place| lists.iter().filter_map(move |list| Some((list, list.keys.get(place)?))));
    rows.filter(|(_, key)| seen.insert((key.dump, key.offset))).collect()
}

/// Of a key: name, database, type, encoding, the place of its longest listed prefix, memory and what that rests on, bytes in
/// the dump, elements, size, when it expires, its dump, the length of its name if that is cut, bytes of its largest element
/// and what that is called, seconds since its last use.
#[derive(Serialize)]
struct KeyCells<'r>(
    NameCell,
    u64,
    &'r str,
    &'r str,
    Option<usize>,
    Option<u64>,
    Option<&'r str>,
    u64,
    u64,
    u64,
    Option<i64>,
    u32,
    Option<u64>,
    Option<u64>,
    Option<NameCell>,
    Option<u64>,
);

fn key_row<'r>(list: &'r TopKeys, key: &'r KeyRow, separators: &[u8], places: &Places<'_>) -> KeyCells<'r> {
    KeyCells(
        NameCell::of(&key.name),
        list.db,
        &list.kind,
        &key.loaded_as,
        longest(key.name.bytes(), usize::MAX, separators, places),
        key.memory_bytes,
        key.memory_basis.as_deref().filter(|basis| *basis != "exact"),
        key.serialized_bytes,
        key.elements,
        key.size,
        key.expires_at_ms,
        key.dump,
        key.name_bytes,
        key.largest_element_bytes,
        key.largest_element.as_ref().map(NameCell::of),
        key.idle_seconds,
    )
}
