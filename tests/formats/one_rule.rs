//! Keys that servers take in a way of their own: empty ones, expiries of -1 and of this very moment, and an expiry before
//! SELECTDB. Task, report, rows, check and salvage take them alike, and as servers do.

use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::ways::{Scratch, every_key, mapped, mapped_whole, streamed};
use bigkeys::analysis::filter::Expired;
use bigkeys::check::{self, check_bytes};
use bigkeys::report::{Question, Report, Row};
use bigkeys::salvage::{SalvageReport, salvage_bytes};
use bigkeys::{Dump, report_all, rows_all};

const AT_SECONDS: i64 = 1_700_000_000;
const AT_MS: i64 = AT_SECONDS * 1000;

fn start(version: u32) -> Rdb {
    Rdb::redis(version).aux("redis-ver", "7.0.15").aux("ctime", &AT_SECONDS.to_string())
}

/// Each key's database, name and expiry, and whether damage was found, from the rows of every way of reading.
fn rows(dump: &[u8]) -> (Vec<(u64, String, Option<i64>)>, bool) {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", dump);
    let of = |threads: usize, segment_bytes: usize| {
        let mut options = every_key();
        (options.threads, options.segment_bytes) = (threads, segment_bytes);
        let mut found = Vec::new();
        let add = |row: &Row| {
            found.push((row.db, String::from_utf8_lossy(row.name.bytes()).into_owned(), row.expires_at_ms));
        };
        let (_, damage) =
            rows_all(&[Dump::from(&path)], &Question::default(), &options, &Arc::default(), add).expect("a file");
        (found, !damage.is_empty())
    };
    let plain = of(1, 4 << 20);
    for segment_bytes in [16, 50, 200] {
        assert_eq!(of(3, segment_bytes), plain, "segments of {segment_bytes} bytes");
    }
    plain
}

fn report(dump: &[u8]) -> Report {
    let scratch = Scratch::new();
    let dumps = [Dump::from(&scratch.write("dump.rdb", dump))];
    report_all(&dumps, &Question::default(), &every_key(), &Arc::default()).expect("a file").0
}

fn salvaged(dump: &[u8]) -> (Vec<u8>, SalvageReport) {
    let mut saved = Vec::new();
    let account = salvage_bytes(dump, &mut saved).expect("memory");
    (saved, account)
}

/// The database and name of each key of the task, the same in all ways of reading, with those of `expired`.
fn task(dump: &[u8], expired: Expired) -> Vec<(u64, String)> {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", dump);
    let of = |threads: usize| {
        let mut options = every_key();
        options.threads = threads;
        options.question.filter.expired = expired;
        let report = bigkeys::analyze(&path, &options).expect("a file");
        let keys = report.keys.iter().map(|key| (key.db, String::from_utf8_lossy(&key.name).into_owned()));
        keys.collect::<Vec<_>>()
    };
    assert_eq!(of(1), of(3));
    of(1)
}

fn key(db: u64, name: &str, expires_at_ms: Option<i64>) -> (u64, String, Option<i64>) {
    (db, name.to_owned(), expires_at_ms)
}

/// Many keys around the one in question, so that scans begin all over the dump.
fn among_others(rdb: Rdb, fill: impl FnOnce(Rdb) -> Rdb) -> Vec<u8> {
    let others = |rdb: Rdb, from: u32| {
        (from..from + 40).fold(rdb, |rdb, at| rdb.key(2, format!("set:{at:02}"), |b| b.strings(&["a", "b"])))
    };
    let rdb = fill(others(rdb.select_db(1), 0));
    others(rdb, 50).eof()
}

#[test]
fn an_expiry_before_select_db_is_that_of_the_next_key() {
    let later = AT_MS + 5000;
    let hint = |rdb: Rdb| rdb.resize_db(2, 1).aux("lua", "return 1");
    let one = |rdb: Rdb| rdb.expire_ms(later).freq(7).select_db(3).key(0, "a", |b| b.string("1"));
    let two =
        |rdb: Rdb| hint(rdb.select_db(9).expire_ms(later)).select_db(3).key(4, "a", |b| b.strings(&["f"]).string("v"));
    for fill in [&one as &dyn Fn(Rdb) -> Rdb, &two] {
        let dump = among_others(start(10), |rdb| fill(rdb).key(0, "b", |b| b.string("2")));
        let (found, is_damaged) = rows(&dump);
        let asked: Vec<_> = found.iter().filter(|(_, name, _)| !name.starts_with("set:")).cloned().collect();
        assert_eq!(asked, [key(3, "a", Some(later)), key(3, "b", None)]);
        assert!(!is_damaged && found.len() == 82);
        assert!(found[..40].iter().all(|(db, ..)| *db == 1) && found[42..].iter().all(|(db, ..)| *db == 3));

        assert_eq!(task(&dump, Expired::Only), []);
        let scratch = Scratch::new();
        let path = scratch.write("dump.rdb", &dump);
        let answer = mapped_whole(1).answer(&path, &dump);
        for way in [mapped(3, 40), streamed(7)] {
            assert_eq!(way.answer(&path, &dump), answer, "{way:?}");
        }
        let checked = check_bytes(&dump, &check::Options::default());
        assert!(checked.sound, "{checked}");
        assert_eq!(checked.keys_expiring, 1);
        assert_eq!(checked.databases.iter().map(|db| db.keys).sum::<u64>(), 82);

        let (saved, account) = salvaged(&dump);
        assert!(account.complete && check_bytes(&saved, &check::Options::default()).sound);
        assert_eq!(rows(&saved).0, found);
    }
    let ends = start(10).select_db(0).key(0, "a", |b| b.string("1")).expire_ms(later).eof();
    assert_eq!(rows(&ends), (vec![key(0, "a", None)], false));
}

#[test]
fn an_expiry_goes_with_its_key_and_no_further() {
    let dump = start(10).select_db(0).expire_ms(AT_MS).key(0, "a", |b| b.string("1")).select_db(1);
    let dump = dump.key(0, "b", |b| b.string("2")).expire_seconds(5).expire_ms(AT_MS).key(0, "c", |b| b.string("3"));
    assert_eq!(rows(&dump.eof()).0, [key(0, "a", Some(AT_MS)), key(1, "b", None), key(1, "c", Some(AT_MS))]);
    // A key that is left out takes its expiry with it.
    let dump = start(10).select_db(0).expire_ms(AT_MS).key(4, "e", |b| b.len(0)).key(0, "a", |b| b.string("1"));
    assert_eq!(rows(&dump.eof()), (vec![key(0, "a", None)], true));
}

#[test]
fn a_key_expires_when_its_moment_has_passed() {
    let rdb = start(10).select_db(0).expire_ms(AT_MS - 1).key(0, "before", |b| b.string("1"));
    let rdb = rdb
        .expire_ms(AT_MS)
        .key(0, "now", |b| b.string("1"))
        .expire_ms(AT_MS + 1)
        .key(2, "then", |b| b.strings(&["a"]));
    let dump = rdb.key(0, "never", |b| b.string("1")).eof();
    assert_eq!(task(&dump, Expired::Only), [(0, "before".to_owned())]);
    assert_eq!(task(&dump, Expired::Skip).len(), 3);
    let report = report(&dump);
    let [expired, soon, ..] = report.ttl.all();
    assert_eq!((expired.1.keys, soon.1.keys), (1, 2));
    assert_eq!(check_bytes(&dump, &check::Options::default()).keys_expired, Some(1));
}

#[test]
fn minus_one_is_no_expiry_before_redis_8_10() {
    let fill = |rdb: Rdb| {
        let rdb = rdb.select_db(0).expire_ms(-1).key(0, "a", |b| b.string("1"));
        rdb.expire_ms(-2).key(2, "b", |b| b.strings(&["a"])).expire_ms(-1).key(2, "c", |b| b.strings(&["a"])).eof()
    };
    for (rdb, a, expiring) in [(start(10), None, 1), (start(15), Some(-1), 3), (Rdb::valkey(80), None, 1)] {
        let dump = fill(rdb);
        assert_eq!(rows(&dump).0, [key(0, "a", a), key(0, "b", Some(-2)), key(0, "c", a)]);
        assert_eq!(check_bytes(&dump, &check::Options::default()).keys_expiring, expiring);
        assert_eq!(report(&dump).ttl.never.keys, 3 - expiring);
        assert_eq!(rows(&salvaged(&dump).0).0.len(), 3);
    }
}

#[test]
fn empty_collections_are_in_no_answer() {
    let empty = |rdb: Rdb, value_type: u8| rdb.key(value_type, format!("empty:{value_type}"), |b| b.len(0));
    for value_type in [1, 2, 3, 4, 5, 14, 18] {
        let dump = start(10).select_db(0).key(0, "a", |b| b.string("1"));
        let dump = empty(dump, value_type).key(2, "b", |b| b.strings(&["1"])).eof();
        let expected = [key(0, "a", None), key(0, "b", None)];
        assert_eq!(rows(&dump), (expected.to_vec(), true), "type {value_type}");
        assert_eq!(task(&dump, Expired::Keep).len(), 2, "type {value_type}");
        assert_eq!(report(&dump).totals.keys, 2, "type {value_type}");
        for quick in [false, true] {
            let mut options = check::Options::default();
            options.quick = quick;
            let checked = check_bytes(&dump, &options);
            let found: Vec<_> = checked.findings.iter().map(|finding| (finding.kind.as_str(), &finding.key)).collect();
            assert_eq!(found, [("empty", &Some(format!("empty:{value_type}")))], "type {value_type}");
        }
        let (saved, account) = salvaged(&dump);
        assert_eq!((account.keys_written, account.records_lost), (2, 1), "type {value_type}");
        assert_eq!(rows(&saved), (expected.to_vec(), false), "type {value_type}");
    }
    // Streams and vector sets may be empty, and so may a string.
    let idle = |b: crate::support::assembler::Bytes| (0..10).fold(b, |b, _| b.len(0));
    let dump = Rdb::redis(12).select_db(0).key(21, "stream", idle).key(0, "string", |b| b.string(""));
    let dump = dump.key(7, "vectors", |b| b.module_id("vectorset", 0).uint(3).uint(0).uint(1).uint(0).end()).eof();
    assert_eq!(rows(&dump).0.len(), 3);
    assert!(!rows(&dump).1 && check_bytes(&dump, &check::Options::default()).sound);
}
