//! What the script of a difference's page draws, in rows of bare numbers. `changes.js` reads them.

use std::collections::{BTreeSet, HashMap};
use std::io;

use serde::Serialize;

use super::rows::{Fitting, NameCell, Places, longest, text};
use crate::compare::{Change, ChangedKey, Counts, Difference, TopChanges};

/// Bytes of the whole block, and of the lists of prefixes in it. Keys get what the others leave.
const BYTES_MAX: usize = 1_350_000;
const PREFIX_BYTES_MAX: usize = 500_000;
const MOVED_BYTES_MAX: usize = 300_000;

/// The block, and what did not fit into it.
pub(super) struct Block {
    /// JSON that can end no element of the page.
    pub(super) json: String,
    pub(super) keys_left_out: usize,
    pub(super) prefixes_left_out: usize,
    pub(super) moved_left_out: usize,
}

/// The block of a difference.
///
/// # Errors
/// Those of the JSON writer, which has none for numbers and text.
pub(super) fn block(difference: &Difference) -> io::Result<Block> {
    let prefixes = &difference.prefixes;
    let mut places: Places<'_> = HashMap::new();
    for (place, prefix) in prefixes.iter().enumerate() {
        places.insert(prefix.name.bytes(), place);
    }
    let ends: BTreeSet<u8> = places.keys().filter_map(|name| name.last().copied()).collect();
    let ends: Vec<u8> = ends.into_iter().collect();
    let rows = prefixes.iter().map(|prefix| {
        let name = prefix.name.bytes();
        (NameCell::of(&prefix.name), Cells::of(&prefix.change), longest(name, name.len(), &ends, &places))
    });
    let prefixes = Fitting::take(rows, PREFIX_BYTES_MAX)?;
    places.retain(|_, place| *place < prefixes.count);
    let moved = difference.keys.iter().flat_map(|keys| &keys.prefixes);
    let moved =
        Fitting::take(moved.map(|prefix| (NameCell::of(&prefix.name), numbers(&prefix.counts))), MOVED_BYTES_MAX)?;
    let lists = format!(
        r#"{{"totals":{},"prefixes":[{}],"moved":[{}]"#,
        text(&Cells::of(&difference.totals))?,
        prefixes.rows,
        moved.rows
    );
    let keys = difference.keys.as_ref().map(|keys| in_turn(&keys.top)).unwrap_or_default();
    let rows = keys.iter().map(|(what, key)| key_row(what, key, &ends, &places));
    let keys = Fitting::take(rows, BYTES_MAX.saturating_sub(lists.len()))?;
    Ok(Block {
        json: format!(r#"{lists},"keys":[{}]}}"#, keys.rows),
        keys_left_out: keys.left_out,
        prefixes_left_out: prefixes.left_out,
        moved_left_out: moved.left_out,
    })
}

/// Of both sides: memory, keys, memory without TTL, keys without TTL.
#[derive(Serialize)]
struct Cells([[u64; 4]; 2]);

impl Cells {
    fn of(change: &Change) -> Self {
        Self(
            [change.old, change.new]
                .map(|of| [of.memory_bytes, of.keys, of.memory_bytes_without_ttl, of.keys_without_ttl]),
        )
    }
}

/// Keys that came, went, grew, shrank, have another value, type and expiry.
fn numbers(counts: &Counts) -> [u64; 7] {
    let Counts { came, went, grew, shrank, value_changed, type_changed, ttl_changed } = counts;
    [came.keys, went.keys, grew.keys, shrank.keys, *value_changed, *type_changed, *ttl_changed]
}

/// The first of each list, then the second of each.
fn in_turn(top: &TopChanges) -> Vec<(&'static str, &ChangedKey)> {
    let lists = [
        ("came", &top.came),
        ("went", &top.went),
        ("grew", &top.grew),
        ("shrank", &top.shrank),
        ("other value", &top.rewritten),
        ("other type", &top.retyped),
        ("other expiry", &top.expiry_changed),
    ];
    let longest = lists.iter().map(|(_, keys)| keys.len()).max().unwrap_or(0);
    let row = |place| lists.into_iter().filter_map(move |(what, keys)| Some((what, keys.get(place)?)));
    (0..longest).flat_map(row).collect()
}

/// Of a key: what became of it, name, database, type and the old one if that was another, the place of its longest listed
/// prefix, memory on both sides, when it expires on both sides if that changed, the length of its name if that is cut.
#[derive(Serialize)]
struct KeyCells<'r>(
    &'r str,
    NameCell,
    u64,
    &'r str,
    Option<&'r str>,
    Option<usize>,
    Option<u64>,
    Option<u64>,
    Option<[Option<i64>; 2]>,
    Option<u64>,
);

fn key_row<'r>(what: &'r str, key: &'r ChangedKey, ends: &[u8], places: &Places<'_>) -> KeyCells<'r> {
    KeyCells(
        what,
        NameCell::of(&key.name),
        key.db,
        key.kind,
        key.old_type,
        longest(key.name.bytes(), usize::MAX, ends, places),
        key.old_memory_bytes,
        key.new_memory_bytes,
        key.expiry.map(|expiry| [expiry.old_expires_at_ms, expiry.new_expires_at_ms]),
        key.name_bytes,
    )
}
