//! The analyses that rank single keys of the whole instance: the hot keys, by the counters that servers with an LFU policy write
//! into dumps, and the expired keys, by their sizes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::KeyRecord;
use crate::analysis::filter::{Expired, Filter};
use crate::engine::{Dump, Options, Progress, rows_all};
use crate::error::{Error, name_text};
use crate::rdb::Kind;
use crate::report::{Question, Row};

/// The types that the task API knows.
const KINDS: [Kind; 5] = [Kind::String, Kind::List, Kind::Set, Kind::Zset, Kind::Hash];

/// Bytes of a name that are held where there is room: a name may have 512 MiB.
const NAME_BYTES_MAX: usize = 4096;

/// Bytes that all names together may take.
const NAMES_BYTES: usize = 24 << 20;

/// What keys are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The access counter; keys without one have no place.
    Use,
    /// The size, of keys that had expired when the dump was taken.
    SizeOfExpired,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Ranking {
    /// Of each type the first ones.
    pub(super) keys: Vec<KeyRecord>,
    /// How many keys of these types have a rank.
    pub(super) ranked: u64,
    /// What was noticed beside them.
    pub(super) notes: Vec<String>,
    /// Why a dump could not be read to its end.
    pub(super) damage: Vec<Error>,
}

/// A key among the first: a higher rank comes first, then the earlier key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    rank: u64,
    place: Reverse<(u32, u64)>,
    db: u64,
    size: u64,
    frequency: Option<u8>,
    name: Box<[u8]>,
    /// The length of the whole name, if it is cut.
    cut: Option<usize>,
}

/// Ranks the keys of dumps as one and returns of each type as many as `top` says; `filter` leaves keys out.
///
/// # Errors
/// As [`rows_all`].
pub(super) fn rank(
    dumps: &[Dump],
    by: By,
    top: usize,
    filter: &Filter,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Ranking, Error> {
    let expired = if by == By::SizeOfExpired { Expired::Only } else { filter.expired };
    let filter = Filter { kinds: KINDS.to_vec(), expired, ..filter.clone() };
    let name_bytes_max = NAME_BYTES_MAX.min(NAMES_BYTES / KINDS.len() / top.max(1));
    let mut first: BTreeMap<usize, BinaryHeap<Reverse<Ranked>>> = BTreeMap::new();
    let (mut ranked, mut without) = (0, 0_u64);
    let (mut notes, damage) = rows_all(dumps, &Question { filter, ..Question::default() }, options, progress, |row| {
        let Some(kind) = KINDS.iter().position(|kind| *kind == row.kind) else { return };
        let rank = match by {
            By::Use => row.frequency.map(u64::from),
            By::SizeOfExpired => Some(row.size),
        };
        let Some(rank) = rank else { return without += 1 };
        ranked += 1;
        let of_kind = first.entry(kind).or_default();
        // Keys come in the order of the dumps, so of equal ranks the later key has no place.
        if of_kind.len() < top || of_kind.peek().is_some_and(|Reverse(last)| rank > last.rank) {
            of_kind.push(Reverse(Ranked::new(row, by, rank, name_bytes_max)));
            if of_kind.len() > top {
                of_kind.pop();
            }
        }
    })?;
    if without > 0 {
        notes.push(format!("keys without an access counter, which only an LFU policy keeps: {without}"));
    }
    let mut keys = Vec::new();
    for (kind, of_kind) in first {
        let Some(kind) = KINDS.get(kind) else { continue };
        keys.extend(of_kind.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked.record(dumps, *kind)));
    }
    Ok(Ranking { keys, ranked, notes, damage })
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

impl Ranked {
    fn new(row: &Row, by: By, rank: u64, name_bytes_max: usize) -> Self {
        let name = row.name.bytes();
        Self {
            rank,
            place: Reverse((row.dump, row.offset)),
            db: row.db,
            size: row.size,
            frequency: row.frequency.filter(|_| by == By::Use),
            name: name.get(..name_bytes_max).unwrap_or(name).into(),
            cut: (name.len() > name_bytes_max).then_some(name.len()),
        }
    }

    fn record(self, dumps: &[Dump], kind: Kind) -> KeyRecord {
        let Self { place: Reverse((dump, offset)), db, size, frequency, name, cut, .. } = self;
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
            freq: frequency,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Redis 5: strings `k0` to `k9`, of which `kN` has the counter N and expired in the year 1970 if N is even; a list without
    /// a counter.
    fn dump(has_counters: bool) -> tempfile::NamedTempFile {
        let mut dump = b"REDIS0009\xfa\x05ctime\x0a1700000000\xfe\x02".to_vec();
        for number in 0..10_u8 {
            if number % 2 == 0 {
                dump.extend_from_slice(&[252, 1, 0, 0, 0, 0, 0, 0, 0]);
            }
            if has_counters {
                dump.extend_from_slice(&[249, number]);
            }
            dump.extend_from_slice(&[0, 2, b'k', b'0' + number, number]);
            dump.resize(dump.len() + usize::from(number), b'v');
        }
        dump.extend_from_slice(b"\x01\x01l\x02\x01a\x01b\xff\0\0\0\0\0\0\0\0");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), dump).unwrap();
        file
    }

    fn ranked(dumps: &[Dump], by: By, filter: &Filter) -> Ranking {
        let ranking = rank(dumps, by, 3, filter, &Options::default(), &Arc::default()).unwrap();
        assert!(ranking.damage.is_empty(), "{:?}", ranking.damage);
        ranking
    }

    #[test]
    fn the_hottest_come_first() {
        let file = dump(true);
        let shard = Some("10.0.0.1:6379".to_owned());
        let dumps = [Dump { shard: shard.clone(), ..Dump::from(file.path()) }];
        let Ranking { keys, ranked: count, notes, .. } = ranked(&dumps, By::Use, &Filter::default());
        assert_eq!((count, notes.len()), (10, 1), "{notes:?}");
        assert!(notes[0].starts_with("keys without an access counter") && notes[0].ends_with(": 1"), "{notes:?}");
        let found: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.freq, key.db, key.size, key.unit)).collect();
        assert_eq!(
            found,
            [("k9", Some(9), 2, 9, "byte"), ("k8", Some(8), 2, 8, "byte"), ("k7", Some(7), 2, 7, "byte")]
        );
        assert!(keys.iter().all(|key| key.shard == shard));
        assert!(ranked(&dumps, By::Use, &Filter { databases: vec![3], ..Filter::default() }).keys.is_empty());
        assert!(has_counters(&dumps[0]).unwrap());
        assert!(!has_counters(&Dump::from(dump(false).path())).unwrap());
    }

    #[test]
    fn the_largest_expired_come_first() {
        let file = dump(true);
        let Ranking { keys, ranked: count, notes, .. } =
            ranked(&[Dump::from(file.path())], By::SizeOfExpired, &Filter::default());
        let found: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.freq, key.size)).collect();
        assert_eq!(found, [("k8", None, 8), ("k6", None, 6), ("k4", None, 4)]);
        assert_eq!((count, notes.len()), (5, 0), "all that had expired are counted");
    }
}
