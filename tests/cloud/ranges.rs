//! Ranges of a dump at a URL have the rows and the damage of one scan of the file, and are all of the same object.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bigkeys::engine::{cut, join, part_rows, range};
use bigkeys::report::Question;
use bigkeys::{Dump, ErrorKind, Options};

use crate::support::assembler::Rdb;
use crate::support::fixtures;
use crate::support::ranges::{by_one_scan, by_ranges, scans};
use crate::support::tools::pipe;
use crate::support::ways::Scratch;
use crate::support::web::{Act, Request, Web};

fn keys(rdb: Rdb, db: u64, numbers: Range<u64>) -> Rdb {
    let key = |rdb: Rdb, number| rdb.key(0, format!("key:{db}:{number}"), |b| b.string(format!("value {number}")));
    numbers.fold(rdb.select_db(db), key)
}

/// A dump with another one in a string, a long value of zeros, and keys around them.
fn misleading() -> Vec<u8> {
    let inner = keys(Rdb::redis(11), 5, 0..3000).eof();
    let rdb = keys(Rdb::redis(11), 1, 0..300).key(0, "copy", |b| b.string(inner));
    keys(rdb.key(0, "zeros", |b| b.string(vec![0; 300_000])), 2, 0..300).eof()
}

#[test]
fn fixtures_at_a_url_by_ranges_are_as_by_one_scan() {
    let web = Web::files(|path| fs::read(Path::new("fixtures").join(path)).ok().map(Arc::new), |_| Act::Serve);
    let mut count = 0;
    for (folder, fixtures) in [("", fixtures::sound()), ("refused/", fixtures::refused())] {
        for fixture in fixtures {
            let dump = Dump::from(web.url(&format!("{folder}{}", fixture.name)));
            let scans = scans(&dump, 4096);
            count += scans.len();
            if !scans.is_empty() {
                let (rows, notes, damage) = by_ranges(&dump, &scans);
                let expected = by_one_scan(&Dump::from(&fixture.path));
                assert_eq!((notes, damage), (expected.1, expected.2), "{}", fixture.name);
                assert!(rows == expected.0, "{}", fixture.name);
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn what_happens_on_the_way_changes_nothing() {
    type How = fn(&Request) -> Act;
    let bytes = misleading();
    let scratch = Scratch::new();
    let file = Dump::from(scratch.write("dump.rdb", &bytes));
    let expected = by_one_scan(&file);
    let hows: [How; 3] = [
        |_| Act::Serve,
        |request| if request.number % 5 == 3 { Act::DropAfter(700) } else { Act::Serve },
        |request| if request.number % 7 == 3 { Act::Refuse(503, "", "") } else { Act::Serve },
    ];
    std::thread::scope(|scope| {
        for how in hows {
            for range_bytes in [4096, 50_000] {
                let (bytes, file, expected) = (bytes.clone(), &file, &expected);
                scope.spawn(move || {
                    let web = Web::start(bytes, how);
                    let dump = Dump::from(web.url("dump.rdb?sig=SECRET"));
                    let mut found = scans(&dump, range_bytes);
                    assert!(&by_ranges(&dump, &found) == expected, "ranges of {range_bytes} bytes");
                    // They are the scans of the file, and say of which object besides.
                    for scan in &mut found {
                        assert_eq!(scan.version.take().as_deref(), Some("\"one\""));
                    }
                    assert_eq!(found, scans(file, range_bytes));
                });
            }
        }
    });
}

#[test]
fn ranges_are_fetched_and_little_else() {
    let bytes = keys(Rdb::redis(11), 0, 0..400_000).eof();
    let web = Web::start(bytes.clone(), |_| Act::Serve);
    let dump = Dump::from(web.url("dump.rdb"));
    let half = bytes.len() as u64 / 2;
    let asked = || web.asked_bytes() as u64;
    let first = range(&dump, 0..half, None, &Options::default(), &Arc::default()).expect("a range");
    assert!((half..half + (2 << 20)).contains(&asked()), "{} of {half} bytes", asked());
    let second = range(&dump, half..bytes.len() as u64, None, &Options::default(), &Arc::default()).expect("a range");
    let before = asked();
    let joined = join(&dump, &[first, second], &Options::default(), &Arc::default()).expect("ranges of the dump");
    assert_eq!((joined.keys, joined.rescanned, joined.errors.len()), (400_000, 0, 0));
    assert!(asked() - before < half + (2 << 20), "the driver reads the last part, {} bytes", asked() - before);
}

#[test]
fn an_object_that_is_replaced_is_told() {
    let (bytes, other) = (misleading(), Arc::new(misleading()));
    let is_replaced = Arc::<Mutex<bool>>::default();
    let for_web = is_replaced.clone();
    let web = Web::start(bytes, move |_| {
        if *for_web.lock().expect("a lock") { Act::Replaced(other.clone(), "\"two\"") } else { Act::Serve }
    });
    let dump = Dump::from(web.url("dump.rdb"));
    let old = scans(&dump, 50_000);
    let joined = join(&dump, &old, &Options::default(), &Arc::default()).expect("ranges of the dump");
    *is_replaced.lock().expect("a lock") = true;
    let refused = join(&dump, &old, &Options::default(), &Arc::default()).expect_err("another object").to_string();
    assert!(refused.contains("are not those of this dump, each of them once and in order, or the dump has changed"));
    let read = part_rows(&dump, &joined.parts[1], &Question::default(), &Arc::default(), 100, |_| {});
    let error = read.expect_err("another object");
    assert!(matches!(error.cause, ErrorKind::Changed(_)) && error.to_string().contains("scan them again"), "{error}");
}

#[test]
fn what_has_no_ranges_is_scanned_as_a_whole() {
    let bytes = misleading();
    let mut hows = vec![("no ranges", bytes.clone(), Act::Whole(usize::MAX)), ("no tag", bytes.clone(), Act::Chunked)];
    hows.extend(pipe("gzip -1", &bytes).map(|packed| ("compressed", packed, Act::Serve)));
    for (what, bytes, act) in hows {
        let web = Web::start(bytes, move |_| act.clone());
        let dump = Dump::from(web.url("dump.rdb"));
        assert!(cut(&dump, 4096).expect("it can be opened").is_empty(), "{what}");
        let scan = range(&dump, 0..10, None, &Options::default(), &Arc::default());
        assert!(scan.expect_err(what).to_string().contains("scan this one as a whole"), "{what}");
    }
    let web = Web::files(|_| None, |_| Act::Serve);
    assert!(cut(&Dump::from(web.url("none.rdb")), 4096).is_err());
}
