//! Ranges of a dump, each scanned on its own and joined: they have the rows and the damage of one scan, whatever a range takes
//! for a record's start. The dumps that are built to mislead are put to this by the tests that build them.

use std::path::Path;
use std::sync::Arc;

use bigkeys::engine::{Place, RangeScan, cut, join, range};
use bigkeys::{Dump, Options};

use crate::support::assembler::Rdb;
use crate::support::fixtures;
use crate::support::ranges::{by_one_scan, by_ranges, scans};
use crate::support::ways::Scratch;

/// A dump that can be cut has the same rows, notes and damage by ranges of this many bytes as by one scan.
pub(crate) fn are_as_one_scan(path: &Path, range_bytes: u64) {
    let dump = Dump::from(path);
    let scans = scans(&dump, range_bytes);
    if !scans.is_empty() {
        assert!(by_ranges(&dump, &scans) == by_one_scan(&dump), "{}, ranges of {range_bytes} bytes", path.display());
    }
}

#[test]
fn fixtures_by_ranges_are_as_by_one_scan() {
    for fixture in fixtures::sound().into_iter().chain(fixtures::refused()) {
        for range_bytes in [257, 4096] {
            if fixture.bytes.len() < 8 << 10 || range_bytes == 4096 {
                are_as_one_scan(&fixture.path, range_bytes);
            }
        }
    }
}

/// Many short keys in three databases.
fn dump() -> Vec<u8> {
    let keys = |rdb: Rdb, db: u64| {
        let named =
            |rdb: Rdb, number| rdb.key(0, format!("key:{db}:{number}"), |b| b.string(format!("value {number}")));
        (0..2000_u64).fold(rdb.select_db(db), named)
    };
    [0, 3, 7].into_iter().fold(Rdb::redis(11), keys).eof()
}

#[test]
fn ranges_begin_and_end_where_others_end_and_begin() {
    let scratch = Scratch::new();
    let dump = Dump::from(scratch.write("dump.rdb", &dump()));
    let scans = scans(&dump, 10_000);
    assert!(scans.len() > 10);
    assert!(scans.iter().all(|scan| scan.began.is_some() && scan.keys > 0), "a range without a record: {scans:?}");
    assert!(scans.last().is_some_and(|scan| scan.is_last));
    let joined = join(&dump, &scans, &Options::default(), &Arc::default()).expect("ranges of the dump");
    assert_eq!((joined.keys, joined.rescanned, joined.errors.len()), (6000, 0, 0));

    // From a true place a range needs no guess, and says the database at its end.
    let part = &joined.parts[3];
    let again = range(&dump, part.from.offset..part.until, Some(part.from), &Options::default(), &Arc::default());
    let again = again.expect("a range of the dump");
    let next = joined.parts[4].from;
    assert_eq!(
        (again.began, again.db.map(|db| Place { offset: again.ended, db })),
        (Some(part.from.offset), Some(next))
    );
}

#[test]
fn a_range_that_is_wrong_is_scanned_again() {
    let scratch = Scratch::new();
    let dump = Dump::from(scratch.write("dump.rdb", &dump()));
    let whole = by_one_scan(&dump);
    let sound = scans(&dump, 10_000);
    for number in 1..sound.len() {
        let mut wrong = sound.clone();
        for (at, scan) in wrong.iter_mut().enumerate().filter(|(at, _)| at % number == 0) {
            // One byte further on there is no record; nothing that such a scan found may count.
            scan.began = Some(scan.began.unwrap_or(scan.start) + 1);
            (scan.ended, scan.keys, scan.db, scan.is_last) = (scan.end + 5, 77, Some(99), at % 2 == 0);
        }
        assert!(by_ranges(&dump, &wrong) == whole, "every {number}th range");
    }
}

#[test]
fn ranges_of_another_dump_are_refused() {
    let scratch = Scratch::new();
    let dump = Dump::from(scratch.write("dump.rdb", &dump()));
    let refused = |scans: &[RangeScan]| {
        let joined = join(&dump, scans, &Options::default(), &Arc::default());
        joined.expect_err("these are not the dump's ranges").to_string()
    };
    let sound = scans(&dump, 10_000);
    assert!(refused(&sound[1..]).contains("are not those of this dump"));
    assert!(refused(&sound[..5]).contains("the ranges end at byte 50000"));
    let mut other = sound;
    other[2].dump_bytes += 1;
    assert!(refused(&other).contains("are not those of this dump"));
    let beyond = range(&dump, 5..1 << 40, None, &Options::default(), &Arc::default());
    assert!(beyond.expect_err("it is not in the dump").to_string().contains("there are no bytes 5 to"));
}

#[cfg(feature = "compress")]
#[test]
fn a_stream_has_no_ranges() {
    let scratch = Scratch::new();
    let compressed = crate::containers::gzip(&dump());
    let dump = Dump::from(scratch.write("dump.rdb.gz", &compressed));
    assert!(cut(&dump, 4096).expect("it can be opened").is_empty());
    let scan = range(&dump, 0..10, None, &Options::default(), &Arc::default());
    assert!(scan.expect_err("a stream").to_string().contains("scan this one as a whole"));
}
