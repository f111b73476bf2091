//! The hot key analysis: the keys that were used most, by the counters that servers with an LFU policy write into dumps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::KeyRecord;
use crate::engine::{Dump, Options, Progress, rows_all};
use crate::error::{Error, name_text};
use crate::rdb::Kind;
use crate::report::{Question, Row};

/// The types that the task API knows.
const KINDS: [Kind; 5] = [Kind::String, Kind::List, Kind::Set, Kind::Zset, Kind::Hash];

/// Bytes of a name that are held: a name may have 512 MiB.
const NAME_BYTES_MAX: usize = 4096;

/// A key among the hottest: more use first, then the earlier key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    frequency: u8,
    place: Reverse<(u32, u64)>,
    db: u64,
    size: u64,
    name: Box<[u8]>,
    /// The length of the whole name, if it is cut.
    cut: Option<usize>,
}

/// Analyzes dumps as one and returns their hottest keys (of each type as many as `top` says, the hottest first), what was
/// noticed beside them, and why a dump could not be read to its end.
///
/// # Errors
/// As [`rows_all`].
pub(super) fn analyze(
    dumps: &[Dump],
    top: usize,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(Vec<KeyRecord>, Vec<String>, Vec<Error>), Error> {
    let mut hottest: BTreeMap<usize, BinaryHeap<Reverse<Ranked>>> = BTreeMap::new();
    let mut without = 0_u64;
    let (mut notes, damage) = rows_all(dumps, &Question::default(), options, progress, |row| {
        let Some(kind) = KINDS.iter().position(|kind| *kind == row.kind) else { return };
        let Some(frequency) = row.frequency else { return without += 1 };
        let of_kind = hottest.entry(kind).or_default();
        // Keys come in the order of the dumps, so a later one of the same use is behind.
        if of_kind.len() < top || of_kind.peek().is_some_and(|Reverse(last)| frequency > last.frequency) {
            of_kind.push(Reverse(ranked(row, frequency)));
            if of_kind.len() > top {
                of_kind.pop();
            }
        }
    })?;
    if without > 0 {
        notes.push(format!("{without} keys have no access counter: the server's policy is not an LFU one"));
    }
    let mut keys: Vec<KeyRecord> = Vec::new();
    for (kind, of_kind) in hottest {
        let Some(kind) = KINDS.get(kind) else { continue };
        let sorted = of_kind.into_sorted_vec().into_iter();
        keys.extend(sorted.map(|Reverse(ranked)| record(dumps, *kind, ranked)));
    }
    Ok((keys, notes, damage))
}

/// Whether the first key of a dump has an access counter; a dump without keys has no cold ones either.
///
/// # Errors
/// As [`rows_all`].
pub fn has_counters(dump: &Dump) -> Result<bool, Error> {
    let options = Options { threads: 1, verify: false, ..Options::default() };
    let progress = Arc::<Progress>::default();
    let mut first = None;
    rows_all(std::slice::from_ref(dump), &Question::default(), &options, &progress, |row| {
        first.get_or_insert(row.frequency.is_some());
        progress.cancel();
    })?;
    Ok(first.unwrap_or(true))
}

fn ranked(row: &Row, frequency: u8) -> Ranked {
    let name = row.name.bytes();
    Ranked {
        frequency,
        place: Reverse((row.dump, row.offset)),
        db: row.db,
        size: row.size,
        name: name.get(..NAME_BYTES_MAX).unwrap_or(name).into(),
        cut: (name.len() > NAME_BYTES_MAX).then_some(name.len()),
    }
}

fn record(dumps: &[Dump], kind: Kind, ranked: Ranked) -> KeyRecord {
    let Ranked { frequency, place: Reverse((dump, offset)), db, size, name, cut } = ranked;
    let (mut name, name_base64) = name_text(name.into_vec());
    name.extend(cut.map(|bytes| format!("... ({bytes} bytes, at byte {offset})")));
    let dump = usize::try_from(dump).ok().and_then(|dump| dumps.get(dump));
    KeyRecord {
        name,
        name_base64,
        type_name: kind.name().to_owned(),
        shard: dump.and_then(|dump| dump.shard.clone()),
        db,
        size,
        unit: if kind == Kind::String { "byte" } else { "count" },
        freq: Some(frequency),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Redis 5: strings `k0` to `k9`, of which `kN` has the counter N, and a list without one.
    fn dump(has_counters: bool) -> tempfile::NamedTempFile {
        let mut dump = b"REDIS0009\xfe\x02".to_vec();
        for number in 0..10_u8 {
            if has_counters {
                dump.extend_from_slice(&[249, number]);
            }
            dump.extend_from_slice(&[0, 2, b'k', b'0' + number, 1, b'v']);
        }
        dump.extend_from_slice(b"\x01\x01l\x02\x01a\x01b\xff\0\0\0\0\0\0\0\0");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), dump).unwrap();
        file
    }

    #[test]
    fn the_hottest_come_first() {
        let file = dump(true);
        let shard = Some("10.0.0.1:6379".to_owned());
        let dumps = [Dump { shard: shard.clone(), ..Dump::from(file.path()) }];
        let (keys, notes, damage) = analyze(&dumps, 3, &Options::default(), &Arc::default()).unwrap();
        assert!(damage.is_empty(), "{damage:?}");
        assert!(notes.iter().any(|note| note.starts_with("1 keys have no access counter")), "{notes:?}");
        let found: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.freq, key.db, key.size, key.unit)).collect();
        assert_eq!(found, [("k9", Some(9), 2, 1, "byte"), ("k8", Some(8), 2, 1, "byte"), ("k7", Some(7), 2, 1, "byte")]);
        assert!(keys.iter().all(|key| key.shard == shard));
        assert!(has_counters(&dumps[0]).unwrap());
        assert!(!has_counters(&Dump::from(dump(false).path())).unwrap());
    }
}
