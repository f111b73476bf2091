//! Dumps that name a great many things: databases, fields, functions, modules, groups, templates, long names. Whatever it is,
//! task, report, rows and check stay within their memory, over a map and through a pipe, and say the same for any number of
//! threads; what a limit cuts is said, and is no damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bigkeys::check::{self, Checksum};
use bigkeys::report::{Question, Report};
use bigkeys::task::{Task, Times};
use bigkeys::{Dump, Options, analyze_all, report_all, rows_all};
use jiff::Timestamp;

use crate::allocated::Measured;
use crate::support::assembler::{Bytes, Rdb};
use crate::support::ways::{Doing, Scratch};

/// Over a map; each thread beyond three may have a name of 8 MiB in hand, twice while it is put in its place.
const MAPPED_BYTES_MAX: usize = 64 << 20;
const THREAD_BYTES_MAX: usize = 16 << 20;
const PIPED_BYTES_MAX: usize = 256 << 20;
const RESERVED_BYTES: usize = 40 << 20;

const STRING: u8 = 0;
const MODULE_2: u8 = 7;
const STREAM: u8 = 15;
const HASH_TEMPLATE_ARRAY_REF: u8 = 32;

/// A dump by what there is much of in it, and how many keys it has.
struct Many {
    name: &'static str,
    dump: Vec<u8>,
    keys: u64,
}

/// `rdb` with so many of something, and then one key, on top of which come the `keys` that it has.
fn many(name: &'static str, keys: u64, rdb: Rdb) -> Many {
    let dump = rdb.select_db(0).key(STRING, "the:last", |b| b.string("x")).eof();
    Many { name, dump, keys: keys + 1 }
}

fn each(count: u64, rdb: Rdb, one: impl Fn(Rdb, u64) -> Rdb) -> Rdb {
    (0..count).fold(rdb, one)
}

fn empty_databases(count: u64) -> Many {
    many("empty databases", 0, each(count, Rdb::redis(11), |rdb, db| rdb.select_db(db + 1)))
}

fn group(b: Bytes, name: &str) -> Bytes {
    b.string(name).len(0).len(0)
}

/// A compressed name that begins with eight digits: as many bytes as [`long_name_bytes`] says.
fn long_name(b: Bytes, number: u64, references: usize) -> Bytes {
    // Each reference repeats the last eight bytes until it has 264.
    let tokens = [b"\x07", format!("{number:08}").as_bytes(), &b"\xe0\xff\x07".repeat(references)].concat();
    b.lzf_claim(tokens.len() as u64, long_name_bytes(references), tokens)
}

fn long_name_bytes(references: usize) -> u64 {
    8 + 264 * references as u64
}

/// How many make a name of 8 MiB, the longest that is held.
const REFERENCES_8_MIB: usize = 31_775;

fn of_every_kind(count: u64) -> Vec<Many> {
    let redis = || Rdb::redis(11);
    let string = |rdb: Rdb, name: String| rdb.key(STRING, name, |b| b.string("value"));
    let module = |number: u64| format!("mod{:06}", number % 1_000_000);
    vec![
        empty_databases(count),
        many("databases that say they are empty", 0, each(count, redis(), |rdb, db| rdb.select_db(db).resize_db(0, 0))),
        many(
            "databases of one key",
            count,
            each(count, redis(), |rdb, db| string(rdb.select_db(db + 1), format!("k{db}"))),
        ),
        many(
            "databases in falling order",
            count,
            each(count, redis(), |rdb, db| string(rdb.select_db(u64::MAX - db), format!("a:k{db}"))),
        ),
        many(
            "databases by turns",
            count,
            each(count, redis(), |rdb, db| string(rdb.select_db(db % 70 * 1_000_003), format!("{{t{db}}}:k"))),
        ),
        many("fields at the start", 0, each(count, redis(), |rdb, number| rdb.aux(&format!("f{number}"), "value"))),
        many(
            "fields between keys",
            0,
            each(count, redis().select_db(0), |rdb, number| rdb.aux(&format!("f{number}"), "value")),
        ),
        many("functions", 0, each(count, redis(), |rdb, number| rdb.function(&format!("#!lua name=l{number}\n")))),
        many("module records", 0, each(count, redis(), |rdb, number| rdb.module_aux(&module(number), 2, Bytes::end))),
        many(
            "modules",
            count,
            each(count, redis(), |rdb, number| {
                rdb.key(MODULE_2, format!("m:{number}:x"), |b| b.module_id(&module(number), 1).uint(1).end())
            }),
        ),
        many("slots", 0, each(count, redis(), |rdb, slot| rdb.slot_info(slot % 16_384, 0, 0))),
        many(
            "groups",
            1,
            redis().key(STREAM, "s", |b| {
                let groups = b.len(0).len(0).len(0).len(0).len(count);
                (0..count).fold(groups, |b, number| group(b, &format!("g{number}")).len(0).len(0))
            }),
        ),
        many(
            "consumers with what is pending",
            1,
            redis().key(STREAM, "s", |b| {
                let b = group(b.len(0).len(0).len(0).len(0).len(1), "g").len(count);
                let b = (0..count).fold(b, |b, id| b.stream_id(id, 1).i64(0).len(1));
                let consumer = |b: Bytes, id| b.string(format!("c{id}")).i64(0).len(1).stream_id(id, 1);
                (0..count).fold(b.len(count), consumer)
            }),
        ),
        many("templates", 0, each(count, Rdb::redis(15), |rdb, id| rdb.hash_template(id, &["f"]))),
        many(
            "classes of metadata",
            count,
            each(count, Rdb::redis(13), |rdb, number| {
                string(rdb.key_meta(&format!("{:04}", number % 10_000), Bytes::end), format!("k{number}"))
            }),
        ),
        many(
            "counters and idle times",
            2 * count,
            each(count, redis(), |rdb, number| {
                let rdb = string(rdb.freq(u8::try_from(number % 256).expect("a byte")), format!("f{number}"));
                string(rdb.idle(number * number), format!("i{number}"))
            }),
        ),
        many(
            "long names",
            count / 2000,
            each(count / 2000, redis(), |rdb, number| {
                rdb.key_as(STRING, |b| long_name(b, number, REFERENCES_8_MIB), |b| b.string("value"))
            }),
        ),
        many(
            "long names in many databases",
            count / 50,
            each(count / 50, redis(), |rdb, number| {
                rdb.select_db(number % 77).key_as(STRING, |b| long_name(b, number, 1000), |b| b.string("value"))
            }),
        ),
    ]
}

/// A pipe that gives these bytes.
fn pipe(scratch: &Scratch, dump: &Path) -> (PathBuf, std::thread::JoinHandle<()>) {
    let (path, dump) = (scratch.path("pipe"), dump.to_owned());
    _ = fs::remove_file(&path);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    let to = path.clone();
    let writer = std::thread::spawn(move || {
        let mut from = fs::File::open(dump).expect("the dump");
        // Who has read enough closes the pipe.
        _ = std::io::copy(&mut from, &mut fs::File::options().write(true).open(to).expect("the pipe"));
    });
    (path, writer)
}

fn options(threads: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options.segment_bytes = 64 << 10;
    options
}

/// What a dump comes to: the task's JSON and notes, the report and its notes, and how many rows.
#[derive(Debug, PartialEq)]
struct Answer {
    task: String,
    notes: Vec<String>,
    report: String,
    rows: u64,
}

/// Task, report and rows of the dump at a path that `open` gives for each, none of which takes more than so much memory.
fn answer(mut open: impl FnMut() -> PathBuf, options: &Options, keys: u64, bytes_max: usize) -> Answer {
    let bounded = |what: &str, measured: &Measured, bytes_max: usize| {
        let held = measured.most();
        assert!(held <= bytes_max, "{what}: {held} bytes of memory");
    };
    let measured = Measured::begin();
    let report = analyze_all(&[Dump::from(open())], options, &Arc::default()).expect("it can be opened");
    assert!(report.is_complete(), "{:?}", report.damage);
    assert_eq!(report.keys_scanned, keys);
    let mut notes = report.notes.clone();
    let at = Timestamp::UNIX_EPOCH;
    let times = Times { created_at: at, started_at: at, finished_at: at };
    let task = Task::ended(String::new(), String::new(), times, report);
    bounded("task", &measured, bytes_max);
    let task = serde_json::to_string(&task).expect("JSON");

    let measured = Measured::begin();
    let (report, more, damage) = report_of(&open(), options);
    assert!(damage.is_empty() && report.is_complete, "{damage:?}");
    assert_eq!(report.totals.keys, keys);
    bounded("report", &measured, bytes_max);
    let mut value = serde_json::to_value(&report).expect("JSON");
    value["dumps"][0]["name"] = "a dump".into();
    notes.extend(more);

    let (mut rows, measured) = (0, Measured::begin());
    let on_row = |_: &bigkeys::report::Row| rows += 1;
    let dumps = [Dump::from(open())];
    let (_, damage) =
        rows_all(&dumps, &Question::default(), options, &Arc::default(), on_row).expect("it can be opened");
    assert!(damage.is_empty(), "{damage:?}");
    // Blocks of long names are given more room than they use: no page of it is touched, but this allocator counts it. What
    // is touched, `rows_of_long_names` measures.
    bounded("rows", &measured, bytes_max + (options.threads + 1) * RESERVED_BYTES);
    Answer { task, notes, report: value.to_string(), rows }
}

fn report_of(path: &Path, options: &Options) -> (Report, Vec<String>, Vec<bigkeys::Error>) {
    report_all(&[Dump::from(path)], &Question::default(), options, &Arc::default()).expect("it can be opened")
}

/// Holds a dump to its bounds by every way; returns the answer, which is one.
fn hold(scratch: &Scratch, Many { name, dump, keys }: &Many, all_threads: &[usize]) -> Answer {
    let _doing = Doing(|| format!("many {name}"));
    let path = scratch.write("dump.rdb", dump);
    let one = answer(|| path.clone(), &options(1), *keys, MAPPED_BYTES_MAX);
    for threads in all_threads {
        let bytes_max = MAPPED_BYTES_MAX + threads.saturating_sub(3) * THREAD_BYTES_MAX;
        assert!(answer(|| path.clone(), &options(*threads), *keys, bytes_max) == one, "{threads} threads");
    }
    let mut writers = Vec::new();
    let open = || {
        let (path, writer) = pipe(scratch, &path);
        writers.push(writer);
        path
    };
    let piped = answer(open, &options(1), *keys, PIPED_BYTES_MAX);
    // A pipe's notes have its own name.
    assert!(piped.task == one.task && piped.report == one.report && piped.rows == one.rows, "through a pipe");
    let measured = Measured::begin();
    let checked = check::check(&path, &check::Options::default()).expect("it can be opened");
    assert!(checked.sound && checked.checksum == Checksum::Verified && checked.keys == *keys, "{checked}");
    let held = measured.most();
    assert!(held <= MAPPED_BYTES_MAX, "check: {held} bytes of memory");
    let (piped, writer) = pipe(scratch, &path);
    writers.push(writer);
    let measured = Measured::begin();
    let checked = check::check(&piped, &check::Options::default()).expect("it can be opened");
    assert!(checked.sound && checked.keys == *keys, "{checked}");
    assert!(measured.most() <= PIPED_BYTES_MAX, "check through a pipe: {} bytes of memory", measured.most());
    for writer in writers {
        writer.join().expect("a writer");
    }
    one
}

#[test]
fn whatever_is_named_stays_in_bounds() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    for dump in of_every_kind(20_000) {
        let answer = hold(&scratch, &dump, &[2, 3, 8]);
        assert_eq!(answer.rows, dump.keys, "many {}", dump.name);
    }
}

#[test]
fn a_million_empty_databases() {
    let _turn = Measured::turn();
    let answer = hold(&Scratch::new(), &empty_databases(1_000_000), &[2, 3, 8]);
    assert!(answer.notes.is_empty(), "{:?}", answer.notes);
    assert_eq!(answer.rows, 1);
}

/// More databases with keys than any list or tally has room for.
#[test]
fn databases_beyond_all_limits() {
    let _turn = Measured::turn();
    let count = 300_000;
    let rdb =
        each(count, Rdb::redis(11), |rdb, db| rdb.select_db(db + 1).key(STRING, format!("k{db}"), |b| b.string("v")));
    let answer = hold(&Scratch::new(), &many("databases of one key", count, rdb), &[3]);
    let report: serde_json::Value = serde_json::from_str(&answer.report).expect("JSON");
    assert_eq!(report["databases"].as_array().map(Vec::len), Some(51_200));
    let others = &report["other_databases"];
    assert_eq!((&others["from_db"], &others["keys"]), (&51_200.into(), &(count + 1 - 51_200).into()));
    assert_eq!(report["top_cut"]["without_databases_from"], 10_240);
    let task: serde_json::Value = serde_json::from_str(&answer.task).expect("JSON");
    assert_eq!((&task["status"], &task["num"]), (&"success".into(), &61_440.into()));
}

/// Databases with keys of five types each, so many that not all of their top keys can be listed.
#[test]
fn lists_of_ten_thousand_databases() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let rdb = each(10_000, Rdb::redis(11), |rdb, db| {
        (1..=20_u64).fold(rdb.select_db(db), |rdb, key| {
            let name = |kind: &str| format!("{kind}{key}");
            let elements = |b: Bytes| (0..key).fold(b.len(key), |b, element| b.string(element.to_string()));
            let pairs = |b: Bytes| (0..key).fold(b.len(key), |b, element| b.string(element.to_string()).string("v"));
            let scored = |b: Bytes| (0..key).fold(b.len(key), |b, element| b.string(element.to_string()).f64(1.0));
            rdb.key(STRING, name("s"), |b| b.string("x".repeat(usize::try_from(key).expect("few"))))
                .key(1, name("l"), elements)
                .key(2, name("t"), elements)
                .key(5, name("z"), scored)
                .key(4, name("h"), pairs)
        })
    });
    let answer = hold(&scratch, &Many { name: "keys of each type", dump: rdb.eof(), keys: 1_000_000 }, &[3]);
    let task: serde_json::Value = serde_json::from_str(&answer.task).expect("JSON");
    // The largest of each list, of every database.
    assert_eq!((&task["status"], &task["num"]), (&"success".into(), &50_000.into()));
    let listed = task["keys"].as_array().expect("keys");
    for (number, key) in listed.iter().enumerate() {
        let name = ["s20", "l20", "t20", "z20", "h20"][number % 5];
        assert_eq!((&key["name"], &key["db"], &key["size"]), (&name.into(), &(number / 5).into(), &20.into()));
    }
    let report: serde_json::Value = serde_json::from_str(&answer.report).expect("JSON");
    assert_eq!(
        (&report["totals"]["keys"], &report["databases"].as_array().map(Vec::len)),
        (&1_000_000.into(), &Some(10_000))
    );
    assert_eq!(report["top_keys_max"], 1);
    assert_eq!(report["top_cut"]["keys_asked"], 20);
    assert!(report["top_cut"]["without_databases_from"].as_u64().is_some_and(|db| db > 1000), "{}", report["top_cut"]);
    let said = answer.notes.iter().filter(|note| note.starts_with("each list has the top 1 key instead of 20"));
    assert_eq!(said.count(), 2, "{:?}", answer.notes);
}

/// Their names are whole in a default task.
#[test]
fn names_of_four_thousand_databases() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let name = |db: u64, key: u64| format!("{db:06}:{key:02}{}", "n".repeat(141));
    let rdb = each(4000, Rdb::redis(11), |rdb, db| {
        (0..25).fold(rdb.select_db(db), |rdb, key| rdb.key(STRING, name(db, key), |b| b.string("x")))
    });
    let path = scratch.write("dump.rdb", &rdb.eof());
    let report = analyze_all(&[Dump::from(&path)], &options(2), &Arc::default()).expect("it can be opened");
    assert!(report.is_complete(), "{:?}", report.damage);
    let [note] = report.notes.as_slice() else { panic!("{:?}", report.notes) };
    assert!(note.starts_with("each list has the top 15 keys instead of 20"), "{note}");
    assert_eq!((report.keys_scanned, report.keys.len()), (100_000, 60_000));
    for (number, key) in (0..).zip(&report.keys) {
        assert_eq!(key.name, name(number / 15, number % 15).as_bytes());
    }
    let (report, _, damage) = report_of(&path, &options(2));
    assert!(damage.is_empty(), "{damage:?}");
    assert_eq!((report.totals.keys, report.databases.len(), report.top_keys_max), (100_000, 4000, 2));
}

/// A name that no limit of ours lets through costs its place in lists by name, not the dump.
#[test]
fn a_name_of_more_than_eight_mebibytes() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let name = "n".repeat((8 << 20) + 1);
    let rdb = Rdb::redis(11)
        .select_db(0)
        .key(STRING, "a", |b| b.string("value"))
        .key(STRING, &name, |b| b.string("larger value"))
        .key_as(STRING, |b| long_name(b, 7, REFERENCES_8_MIB + 1), |b| b.string("largest value"))
        .key(STRING, "b", |b| b.string("value"));
    let path = scratch.write("dump.rdb", &rdb.eof());
    let offset = 9 + 2 + 1 + 2 + 6;
    for threads in [1, 3] {
        let measured = Measured::begin();
        let report = analyze_all(&[Dump::from(&path)], &options(threads), &Arc::default()).expect("it can be opened");
        assert!(report.is_complete(), "{:?}", report.damage);
        let keys: Vec<_> = report.keys.iter().map(|key| (&*key.name, key.name_bytes, key.size)).collect();
        let named = [(&b"a"[..], 1, 5), (b"b", 1, 5)];
        assert_eq!(
            keys,
            [&[(&b""[..], long_name_bytes(REFERENCES_8_MIB + 1), 13), (b"", (8 << 20) + 1, 12)], &named[..]].concat()
        );
        assert_eq!(report.keys[1].offset, offset);
        let record = bigkeys::task::KeyRecord::from(report.keys[1].clone());
        assert_eq!(record.name, format!("... (8388609 bytes, at byte {offset})"));
        assert_eq!(report.notes, ["2 listed names are too long and are cut; length and offset are given"]);

        let (report, notes, damage) = report_of(&path, &options(threads));
        assert!(damage.is_empty(), "{damage:?}");
        assert_eq!((report.totals.keys, report.oversized_names), (4, 2));
        assert_eq!(report.top[0].keys[0].name_bytes, Some((8 << 20) + 1));
        assert!(notes.iter().any(|note| note.contains("2 keys have names of more than 8 MiB")), "{notes:?}");

        let mut rows = Vec::new();
        let on_row = |row: &bigkeys::report::Row| rows.push(row.name.to_string());
        let dumps = [Dump::from(&path)];
        let (notes, damage) = rows_all(&dumps, &Question::default(), &options(threads), &Arc::default(), on_row)
            .expect("it can be opened");
        assert!(damage.is_empty(), "{damage:?}");
        assert_eq!((rows, notes.len()), (vec!["a".to_owned(), "b".to_owned()], 1));

        let checked = check::check(&path, &check::Options::default()).expect("it can be opened");
        assert!(checked.sound, "{checked}");
        assert_eq!((checked.keys, checked.oversized_names, checked.notes.len()), (4, 2, 1));
        assert!(measured.most() < MAPPED_BYTES_MAX, "{} bytes of memory", measured.most());
    }
}

/// What prefixes and hash tags leave out, their account says.
#[test]
fn what_is_cut_is_told() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let is_complete = |names: &[String]| {
        let rdb = names.iter().fold(Rdb::redis(11), |rdb, name| rdb.key(STRING, name, |b| b.string("x")));
        let path = scratch.write("dump.rdb", &rdb.eof());
        let question = Question { has_slots: true, ..Question::default() };
        let (report, ..) = report_all(&[Dump::from(&path)], &question, &options(1), &Arc::default()).expect("a file");
        let (prefixes, tags) = (report.prefixes.found, report.slots.expect("slots").tags);
        [prefixes.is_complete, prefixes.has_longer, tags.is_complete, tags.has_longer]
    };
    let (all, longer_prefix) = ([true, false, true, false], [false, true, true, false]);
    assert_eq!(is_complete(&["a:b:c:d:e:f:g:h:1".to_owned(), "{t}".to_owned()]), all);
    assert_eq!(is_complete(&["a:b:c:d:e:f:g:h:i:1".to_owned()]), longer_prefix);
    assert_eq!(is_complete(&["a:b:c:d:e:f:g:h:i:1".to_owned(), "a".repeat(40)]), longer_prefix);
    assert_eq!(is_complete(&[format!("{}:1", "p".repeat(127)), "q".repeat(200)]), all);
    assert_eq!(is_complete(&[format!("{}:1", "p".repeat(128))]), longer_prefix);
    assert_eq!(is_complete(&[format!("{{{}}}", "t".repeat(129))]), [true, false, false, true]);
    let many: Vec<String> = (0..5000).map(|number| format!("p{number}x:{{t{number}}}:a:b:c:d:e:f:g:h:1")).collect();
    assert_eq!(is_complete(&many), [false; 4]);
}

/// Reports of many databases merge in any grouping, though not all of these have room.
#[test]
fn reports_of_many_databases_merge() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let of = |first: u64, step: u64| {
        let rdb = each(30_000, Rdb::redis(11), |rdb, db| {
            let name = format!("k{db}:{}", "n".repeat(usize::try_from(db % 300).expect("few")));
            let rdb = rdb.select_db(first + db * step).key(STRING, name, |b| b.string("value"));
            if db % 3 == 0 { rdb.key(2, "set", |b| b.len(1).string("x")) } else { rdb }
        });
        let path = scratch.write("dump.rdb", &rdb.eof());
        report_of(&path, &options(2)).0
    };
    let reports = [of(0, 2), of(40_000, 1), of(1, 3)];
    let merged = |mut one: Report, other: Report| {
        one.merge(other).expect("they fit");
        one
    };
    let [a, b, c] = reports.clone();
    let left = merged(merged(a, b), c);
    let [a, b, c] = reports;
    assert!(left == merged(a, merged(b, c)), "the grouping matters");
    assert_eq!(left.totals.keys, 120_000);
    let others = left.other_databases.expect("too many databases");
    let listed: u64 = left.databases.iter().map(|database| database.tally.keys).sum();
    assert_eq!(listed + others.tally.keys, 120_000);
    assert!(left.databases.iter().all(|database| database.db < others.from_db));
}

/// A hash of a template that was not held is beyond a limit of ours, and no damage.
#[test]
fn templates_that_are_not_held() {
    let _turn = Measured::turn();
    let scratch = Scratch::new();
    let rdb = each((1 << 18) + 1, Rdb::redis(15), |rdb, id| rdb.hash_template(id, &["f"]));
    let reference = |rdb: Rdb, id: u64| rdb.key(HASH_TEMPLATE_ARRAY_REF, "h", |b| b.len(id).string("v"));
    let held = scratch.write("held.rdb", &reference(rdb.clone(), 7).eof());
    let report = analyze_all(&[Dump::from(&held)], &options(1), &Arc::default()).expect("it can be opened");
    assert!(report.is_complete(), "{:?}", report.damage);
    let other = scratch.write("other.rdb", &reference(rdb, 1 << 18).eof());
    let report = analyze_all(&[Dump::from(&other)], &options(1), &Arc::default()).expect("it can be opened");
    let [error] = report.damage.as_slice() else { panic!("{:?}", report.damage) };
    assert!(!error.is_about_dump() && error.to_string().contains("a limit, not damage"), "{error}");
    for threads in [1, 2] {
        let mut options = check::Options::default();
        options.threads = threads;
        let checked = check::check(&other, &options).expect("it can be opened");
        assert!(!checked.sound && !checked.is_damaged() && checked.keys == 0, "{checked}");
        assert_eq!(checked.limited_at, checked.findings.first().map(|finding| finding.offset));
        assert!(checked.to_string().contains(": not checked to its end\n"), "{checked}");
    }
    let checked = check::check(&held, &check::Options::default()).expect("it can be opened");
    assert!(checked.sound && checked.limited_at.is_none(), "{checked}");
}
