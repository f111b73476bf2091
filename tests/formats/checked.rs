//! A dump that is checked in segments on many threads, and as a whole by one: the same report, whatever is wrong with it.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::damage::{damage, without_checksum};
use crate::support::fixtures;
use crate::support::random::Random;
use crate::support::ways::{Doing, Scratch};
use bigkeys::Progress;
use bigkeys::check::{Checks, Options, Report, check, check_bytes};

/// The report as JSON and as text, without what it calls the dump.
fn told(mut report: Report) -> (String, String) {
    report.dump = String::new();
    (serde_json::to_string(&report).expect("a report's JSON"), report.to_string())
}

fn in_segments(path: &Path, threads: usize, segment_bytes: usize, quick: bool, resync: bool) -> (String, String) {
    let mut options = Options::default();
    (options.threads, options.segment_bytes, options.quick, options.resync) = (threads, segment_bytes, quick, resync);
    told(check(path, &options).expect("the file can be opened"))
}

/// Every way of checking a dump in a file says what checking it in memory says.
fn is_told_alike(scratch: &Scratch, dump: &[u8]) {
    let path = scratch.write("dump.rdb", dump);
    for (quick, resync) in [(false, false), (false, true), (true, false)] {
        let mut options = Options::default();
        (options.quick, options.resync) = (quick, resync);
        let whole = told(check_bytes(dump, &options));
        for (threads, segment_bytes) in [(1, 0), (3, 16), (3, 100), (2, 1000)] {
            let _doing = Doing(|| format!("{threads} threads, {segment_bytes} bytes, {quick}, {resync}"));
            assert_eq!(in_segments(&path, threads, segment_bytes, quick, resync), whole);
        }
    }
}

#[test]
fn fixtures_and_damaged_ones_are_told_alike() {
    const BYTES_MAX: usize = 4_000;
    let scratch = Scratch::new();
    for (number, fixture) in fixtures::sound().into_iter().enumerate() {
        if fixture.bytes.len() > BYTES_MAX {
            continue;
        }
        let mut random = Random(number as u64);
        is_told_alike(&scratch, &fixture.bytes);
        for round in 0..3 {
            let _doing = Doing(|| format!("{}, mutation {round}", fixture.name));
            let mut dump = without_checksum(damage(&fixture.bytes, &mut random));
            // Of what is no dump a file says more than memory does.
            if let Some(magic) = dump.get_mut(..9) {
                magic.copy_from_slice(&fixture.bytes[..9]);
                is_told_alike(&scratch, &dump);
            }
        }
    }
}

/// Keys that are there twice, one of them much later, in several databases, among others with flaws.
#[test]
fn names_that_are_there_twice() {
    let text = |rdb: Rdb, name: &str, value: &str| rdb.key(0, name, |bytes| bytes.string(value));
    let many = |mut rdb: Rdb| {
        for number in 0..300 {
            rdb = text(rdb, &format!("key:{number}"), "some value");
        }
        rdb
    };
    let empty = |rdb: Rdb| rdb.key(1, "e", |bytes| bytes.len(0));
    let rdb = text(Rdb::redis(11).aux("redis-ver", "7.2.0").select_db(0), "twice", "1");
    let rdb = text(empty(many(rdb)), "e", "an empty one takes no place");
    let rdb = text(text(rdb, "twice", "2").select_db(3), "twice", "in another");
    let rdb = text(many(empty(rdb)), "key:7", "again").select_db(0);
    let dump = text(text(rdb, "key:7", "again"), "twice", "3").eof();
    let scratch = Scratch::new();
    is_told_alike(&scratch, &dump);
    let report = check(scratch.write("dump.rdb", &dump), &Options::default()).expect("a file");
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|found| (found.db, found.key.as_deref().unwrap_or(""), found.kind.as_str()))
        .collect();
    let twice = "duplicate_key";
    assert_eq!(
        found,
        [
            (Some(0), "e", "empty"),
            (Some(0), "twice", twice),
            (Some(3), "e", "empty"),
            (Some(3), "key:7", twice),
            (Some(0), "key:7", twice),
            (Some(0), "twice", twice),
        ]
    );
    assert_eq!(report.keys_not_compared, 0);
}

/// More than are listed, all of one name.
#[test]
fn one_name_thousands_of_times() {
    let mut rdb = Rdb::redis(11).select_db(0);
    for _ in 0..3000 {
        rdb = rdb.key(0, "same", |bytes| bytes.string("value"));
    }
    let scratch = Scratch::new();
    let dump = rdb.eof();
    is_told_alike(&scratch, &dump);
    let report = check(scratch.write("dump.rdb", &dump), &Options::default()).expect("a file");
    assert_eq!((report.findings.len(), report.findings_unlisted, report.keys_not_compared), (1000, 1999, 0));
}

/// Sound and damaged dumps, one in a compressed file, one of many records, and what is no dump or not there at all.
#[test]
fn many_dumps_are_told_as_each_of_them_alone() {
    let scratch = Scratch::new();
    let mut paths = Vec::new();
    for (number, fixture) in fixtures::sound().into_iter().chain(fixtures::refused()).enumerate() {
        if number == 20 {
            let large = (0..30_000).fold(Rdb::redis(12).select_db(0), |rdb, number| {
                rdb.key(0, format!("key:{number:030}"), |b| b.string("value"))
            });
            paths.push(scratch.write("large.rdb", &large.eof()));
            paths.push(scratch.write("small.rdb.gz", &super::containers::gzip(&fixture.bytes)));
            paths.push(scratch.path("missing.rdb"));
        }
        paths.push(scratch.write(&format!("{number}.rdb"), &fixture.bytes));
    }
    let named = |report: Result<Report, bigkeys::Error>| match report {
        Ok(report) => format!("{report}{}", serde_json::to_string(&report).expect("a report's JSON")),
        Err(error) => error.to_string(),
    };
    let alone: Vec<String> = paths.iter().map(|path| named(check(path, &Options::default()))).collect();
    for threads in [1, 2, 4, 7] {
        let mut options = Options::default();
        options.threads = threads;
        let mut checks = Checks::new(&paths, &options);
        let mut told = Vec::new();
        let mut rounds = 0;
        while checks.left() > 0 {
            told.extend(checks.check_next(&Arc::default()).expect("threads").into_iter().map(named));
            assert_eq!(told.len() + checks.left(), paths.len());
            rounds += 1;
        }
        assert_eq!(told, alone);
        assert!(threads == 1 || rounds < paths.len() / 5, "{rounds} rounds on {threads} threads");
    }
}

#[test]
fn dumps_that_were_not_begun_when_a_check_was_cancelled_are_left() {
    let scratch = Scratch::new();
    let dump = Rdb::redis(12).select_db(0).key(0, "key", |b| b.string("value")).eof();
    let paths: Vec<PathBuf> = (0..9).map(|number| scratch.write(&format!("{number}.rdb"), &dump)).collect();
    let mut options = Options::default();
    options.threads = 2;
    let mut checks = Checks::new(&paths, &options);
    let progress = Arc::<Progress>::default();
    progress.cancel();
    let checked = checks.check_next(&progress).expect("threads");
    assert_eq!((checked.len(), checks.left()), (1, 8));
}
