//! What a report's figures rest on, and says that they do: the moment that times to live are measured from, the filter, the
//! memory model, and that each dump counts once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::assembler::{Bytes, Rdb};
use bigkeys::analysis::Pattern;
use bigkeys::analysis::filter::{Expired, Filter};
use bigkeys::memory::{Allocator, Target};
use bigkeys::output::{folded, table};
use bigkeys::report::{Filters, Question, Report};
use bigkeys::{Dump, ErrorKind, Options, look_into, report_all, rows_all};
use serde_json::{Value, json};

/// 14 November 2023.
const MADE_AT: i64 = 1_700_000_000;
const HOUR: i64 = 3600;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

fn filtered(filter: Filter) -> Question {
    Question { filter, ..Question::default() }
}

fn now(at: i64) -> Question {
    filtered(Filter { now_ms: Some(at * 1000), ..Filter::default() })
}

/// A report, and the notes that come with it.
fn noted(path: &Path, question: &Question) -> (Report, Vec<String>) {
    let analyzed = report_all(&[Dump::from(path)], question, &Options::default(), &Arc::default());
    let (report, notes, damage) = analyzed.expect("a file");
    assert!(damage.is_empty(), "{damage:?}");
    (report, notes)
}

fn report(path: &Path, question: &Question) -> Report {
    noted(path, question).0
}

fn json_of(report: &Report) -> Value {
    serde_json::to_value(report).expect("JSON")
}

fn table(report: &Report) -> String {
    let mut text = Vec::new();
    table::write(report, table::Look { width: 100, has_colour: false }, &mut text).expect("memory");
    // Paragraphs are wrapped.
    String::from_utf8(text).expect("text").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn string(value: Bytes) -> Bytes {
    value.string("hello")
}

/// A dump of a server with a key that never expires and one that does.
fn dump(version: u32, aux: &[(&str, &str)], expires_at: i64) -> Vec<u8> {
    let rdb = aux.iter().fold(Rdb::redis(version), |rdb, (name, value)| rdb.aux(name, value));
    rdb.select_db(0).key(0, "a", string).expire_ms(expires_at * 1000).key(0, "b", string).eof()
}

fn made_at(seconds: i64) -> Vec<u8> {
    dump(10, &[("redis-ver", "7.0.15"), ("ctime", &seconds.to_string())], MADE_AT + HOUR / 2)
}

#[test]
fn times_to_live_without_a_moment_are_unknown() {
    let folder = Folder::new();
    let of_later = |at: &str| dump(9, &[("redis-ver", "6.2.5"), ("ctime", at)], MADE_AT);
    for (name, dump) in [
        ("without_aux", dump(6, &[], MADE_AT)),
        ("without_ctime", dump(9, &[("redis-ver", "6.2.5")], MADE_AT)),
        ("zero", of_later("0")),
        ("negative", of_later("-1")),
        ("past_all_calendars", of_later("9223372036854775807")),
        ("no_number", of_later("yesterday")),
    ] {
        let path = folder.file(name, dump);
        let unknown = report(&path, &Question::default());
        assert_eq!((unknown.ttl.unknown.keys, unknown.ttl.never.keys, unknown.ttl.expired.keys), (1, 1, 0), "{name}");
        assert_eq!(unknown.ttl.later.keys, 0, "{name}");
        assert_eq!(json_of(&unknown)["dumps"][0]["ttl_measured_at_ms"], Value::Null);
        assert!(table(&unknown).contains("unknown where a dump does not say when it was made; use --now"));

        let given = report(&path, &now(MADE_AT - HOUR / 2));
        assert_eq!((given.ttl.unknown.keys, given.ttl.under_1_hour.keys), (0, 1), "{name}");
        let info = &json_of(&given)["dumps"][0];
        assert_eq!(info["ttl_measured_at_ms"], (MADE_AT - HOUR / 2) * 1000);
        assert_eq!(info["is_now_given"], true);
        assert!(table(&given).contains("measured from the given time, 2023-11-14 21:43:20 UTC"), "{}", table(&given));

        for expired in [Expired::Skip, Expired::Only] {
            let question = filtered(Filter { expired, ..Filter::default() });
            let refused = report_all(&[Dump::from(&path)], &question, &Options::default(), &Arc::default());
            let error = refused.expect_err("nothing says what has expired");
            assert!(matches!(&error.cause, ErrorKind::Options(what) if what.contains("--now")), "{error}");
        }
    }
}

#[test]
fn a_dump_with_a_time_says_what_it_measures_from() {
    let folder = Folder::new();
    let own = report(&folder.file("a", made_at(MADE_AT)), &Question::default());
    assert_eq!(json_of(&own)["dumps"][0]["ttl_measured_at_ms"], MADE_AT * 1000);
    assert_eq!(own.ttl.under_1_hour.keys, 1);
    assert!(table(&own).contains("measured from when the dump was made, 2023-11-14 22:13:20 UTC"));
    let mut both = own;
    both.merge(report(&folder.file("b", made_at(MADE_AT - 60)), &Question::default())).expect("two shards");
    let said = "measured from when each dump was made, 2023-11-14 22:12:20 UTC to 2023-11-14 22:13:20 UTC";
    assert!(table(&both).contains(said), "{}", table(&both));
}

#[test]
fn the_filter_stands_in_the_report() {
    let folder = Folder::new();
    let path = folder.file("a", made_at(MADE_AT));
    assert_eq!(json_of(&report(&path, &Question::default()))["filters"], json!({}));
    let patterns = ["b*", "a*", "b*"]
        .map(|glob| Pattern::glob(glob).expect("a glob"))
        .into_iter()
        .chain([Pattern::regex("^a").expect("a pattern"), Pattern::glob_bytes(b"\xff\x1b").expect("a glob")]);
    let filter = Filter {
        databases: vec![3, 0, 3],
        kinds: vec![bigkeys::rdb::Kind::String, bigkeys::rdb::Kind::Hash],
        patterns: patterns.collect(),
        min_bytes: 1,
        min_elements: 2,
        or_value_bytes: None,
        expired: Expired::Skip,
        ..Filter::default()
    };
    let report = report(&path, &filtered(filter));
    let expected = json!({
        "databases": [0, 3], "types": ["hash", "string"], "globs": [r"\xff".to_owned() + "\u{1b}", "a*", "b*"],
        "regexes": ["^a"], "min_bytes": 1, "min_elements": 2, "expired": "skip",
    });
    assert_eq!(json_of(&report)["filters"], expected);
    assert_eq!(report.totals.keys, 1);
    let said = r"only keys that pass --db 0 --db 3 --type hash --type string --match \xff\u{1b} --match a* --match b* --regex ^a";
    assert!(table(&report).contains(said), "{}", table(&report));
}

#[test]
fn reports_of_different_filters_are_merged_only_if_told() {
    let folder = Folder::new();
    let path = |number: i64| folder.file(&number.to_string(), made_at(MADE_AT + number));
    let of = |number, databases: &[u64]| {
        report(&path(number), &filtered(Filter { databases: databases.to_vec(), ..Filter::default() }))
    };
    let mut one = of(1, &[0]);
    one.merge(of(2, &[0, 0])).expect("the same filter");
    let error = one.clone().merge(of(3, &[])).expect_err("another filter");
    assert_eq!(
        error,
        "it was made with no filter, the reports before it with --db 0; use --force to merge them anyway"
    );

    let forced = |mut reports: Vec<Report>| {
        let mut first = reports.remove(0);
        for other in reports {
            first.merge_anyway(other).expect("told");
        }
        first
    };
    let left = forced(vec![forced(vec![of(1, &[0]), of(2, &[0])]), of(3, &[])]);
    let right = forced(vec![of(1, &[0]), forced(vec![of(2, &[0]), of(3, &[])])]);
    assert_eq!(left, right);
    assert_eq!(left.filters, Filters { is_mixed: true, ..Filters::default() });
    assert!(table(&left).contains("only keys that pass several filters"));
    // Mixed ones may be of different filters.
    assert!(left.clone().merge(of(4, &[])).is_err() && of(4, &[]).merge(left.clone()).is_err());
    assert!(left.clone().merge(right).is_err());
}

#[test]
fn moments_that_differ_are_merged_only_if_told() {
    let folder = Folder::new();
    let [one, other] = [1, 2].map(|number| folder.file(&number.to_string(), made_at(MADE_AT + number)));
    let lasting = folder.file("lasting", Rdb::redis(9).select_db(0).key(0, "x", string).eof());
    let merged = |mut a: Report, b: Report| a.merge(b);
    let (first, second) = (now(MADE_AT), now(MADE_AT + HOUR));
    merged(report(&one, &first), report(&other, &first)).expect("one moment");
    let error = merged(report(&one, &first), report(&other, &second)).expect_err("two moments");
    assert!(
        error.contains("measured from 2023-11-14T23:13:20Z (--now), those of the reports before it from"),
        "{error}"
    );
    assert!(error.contains("2023-11-14T22:13:20Z (--now); use --force"), "{error}");
    let error = merged(report(&one, &first), report(&other, &Question::default())).expect_err("two kinds of moments");
    assert!(error.contains("measured from the time of each dump"), "{error}");
    report(&one, &first).merge_anyway(report(&other, &second)).expect("told");

    // Where nothing expires, no figure depends on it, unless what has expired is left out.
    merged(report(&one, &first), report(&lasting, &second)).expect("no times to live");
    let skip = |at: i64| filtered(Filter { expired: Expired::Skip, now_ms: Some(at * 1000), ..Filter::default() });
    assert!(merged(report(&one, &skip(MADE_AT)), report(&lasting, &skip(MADE_AT + HOUR))).is_err());
    // Unknown times are in a class of their own.
    let unknown = folder.file("unknown", dump(6, &[], MADE_AT));
    merged(report(&one, &first), report(&unknown, &Question::default())).expect("known and unknown");
}

#[test]
fn a_dump_counts_once() {
    let folder = Folder::new();
    let report = |name: &str, dump: Vec<u8>| report(&folder.file(name, dump), &Question::default());
    let merged = |a: &Report, b: &Report| a.clone().merge(b.clone());
    let first = report("a", made_at(MADE_AT));
    let error = merged(&first, &report("copy", made_at(MADE_AT))).expect_err("one dump");
    assert!(error.contains("copy is the same dump as ") && error.contains("--force"), "{error}");
    merged(&first, &report("other", made_at(MADE_AT + 1))).expect("two dumps");
    first.clone().merge_anyway(report("copy", made_at(MADE_AT))).expect("told");

    // Without a checksum: the server's own words of the moment, or the name.
    let unchecked = |aux: &[(&str, &str)]| {
        let rdb = aux.iter().fold(Rdb::redis(9), |rdb, (name, value)| rdb.aux(name, value));
        rdb.select_db(0).key(0, "a", string).eof_without_checksum()
    };
    let aux = |offset| [("ctime", "1700000000"), ("repl-offset", offset)];
    let one = report("unchecked", unchecked(&aux("17")));
    assert!(merged(&one, &report("again", unchecked(&aux("17")))).is_err());
    merged(&one, &report("later", unchecked(&aux("18")))).expect("another offset");
    let old = |value: &str| Rdb::redis(3).select_db(0).key(0, "a", |b| b.string(value)).eof();
    let one = report("old", old("hello"));
    merged(&one, &report("of_the_same_length", old("world"))).expect("nothing says that they are one");
    assert!(merged(&one, &report("old", old("hello"))).is_err());

    // Of dumps without keys nothing counts twice.
    let empty = || Rdb::redis(10).aux("ctime", "1700000000").eof();
    merged(&report("x", empty()), &report("y", empty())).expect("two empty shards");

    // Given twice at once, it is noted.
    let dumps = ["a", "copy"].map(|name| Dump::from(folder.0.path().join(name)));
    let (_, notes, _) =
        report_all(&dumps, &Question::default(), &Options::default(), &Arc::default()).expect("two files");
    assert!(matches!(&notes[..], [note] if note.contains("copy: the same dump as ")), "{notes:?}");
}

#[test]
fn what_the_model_is_not_of_is_said() {
    let folder = Folder::new();
    let aux = [("redis-ver", "5.0.14"), ("redis-bits", "32"), ("ctime", "1700000000")];
    let path = folder.file("bits32.rdb", dump(9, &aux, MADE_AT));
    let (report, notes) = noted(&path, &Question::default());
    let bits = "the dump is of a 32-bit server (redis-bits), the memory figures are those of a 64-bit one";
    let older = "the dump was written by Redis 5.0.14, which is older, the memory figures are those of redis-6.2 after loading it";
    assert!(matches!(&notes[..], [note] if note.ends_with(bits)), "{notes:?}");
    let allocator =
        "a server with Debian's jemalloc or with libc's malloc takes up to 7 % more or less: see --allocator";
    assert_eq!(json_of(&report)["dumps"][0]["model_notes"], json!([bits, older, allocator]));
    for sentence in [bits, older, allocator] {
        assert!(table(&report).contains(sentence), "{}", table(&report));
    }
    let rows = rows_all(&[Dump::from(&path)], &Question::default(), &Options::default(), &Arc::default(), |_| {});
    assert_eq!(rows.expect("a file").0, notes);

    // The server itself: nothing to say.
    let path = folder.file("own.rdb", made_at(MADE_AT));
    let question = Question { allocator: Allocator::Libc, target: Some(Target::Redis7_0), ..Question::default() };
    let (report, notes) = noted(&path, &question);
    assert_eq!((json_of(&report)["dumps"][0].get("model_notes"), notes), (None, Vec::new()));
}

#[test]
fn a_version_that_cannot_be_is_not_the_target() {
    let folder = Folder::new();
    for (rdb_version, version, target) in [(8, "999.999.999", "redis-6.2"), (11, "999.999.999", "redis-7.2")] {
        let path = folder.file("a", dump(rdb_version, &[("redis-ver", version)], MADE_AT));
        assert_eq!(report(&path, &Question::default()).dumps[0].target, target);
    }
}

#[test]
fn the_table_shows_the_largest_elements_that_the_json_has() {
    let folder = Folder::new();
    let long = "f".repeat(2000);
    let dump = Rdb::redis(10)
        .select_db(0)
        .key(1, "list", |b| b.len(3).string("a").string("bbb").string("cc"))
        .key(4, "hash", |b| b.len(2).string("f").string("v").string(&long).string("v"))
        .key(4, "short", |b| b.len(1).string("field").string("v"))
        .eof();
    let path = folder.file("a", dump);
    let mut looked_into = report(&path, &Question::default());
    assert!(!table(&looked_into).contains("largest element"), "nobody asked");
    look_into(&mut looked_into, &[Dump::from(&path)]).expect("a file");
    for line in ["largest element at index 1 3 B", "largest element at index 1 2.0 KiB", "largest element field 6 B"] {
        assert!(table(&looked_into).contains(line), "{line}: {}", table(&looked_into));
    }
    let read: Report = serde_json::from_value(json_of(&looked_into)).expect("a report");
    assert_eq!(table(&read), table(&looked_into));
}

#[test]
fn names_do_nothing_to_a_terminal() {
    let folder = Folder::new();
    let odd = ["\u{1b}[31mred", "a\u{202e}evil", "b\nc", "\u{85}nel", "\u{2066}x\u{2069}", "\u{200e}", "\u{feff}bom"];
    let mut rdb = Rdb::redis(10).aux("redis-ver", "7\u{1b}[1m").aux("ctime", "1700000000").select_db(0);
    for name in odd {
        rdb = rdb.key(0, format!("{name}:1"), string).key(0, name, string).key(0, name, string);
    }
    let path = folder.file("x\u{1b}[2J\u{202e}y\r.rdb", rdb.eof());
    let report = report(&path, &Question::default());
    let mut text = Vec::new();
    table::write(&report, table::Look { width: 100, has_colour: false }, &mut text).expect("memory");
    folded::write(&report, &mut text).expect("memory");
    let checked = bigkeys::check::check(&path, &bigkeys::check::Options::default()).expect("a file");
    let missing = bigkeys::analyze(folder.0.path().join("\u{1b}\u{202e}"), &Options::default()).expect_err("no file");
    let text = [String::from_utf8(text).expect("text"), checked.to_string(), missing.to_string()].concat();
    for raw in ['\u{1b}', '\u{202e}', '\u{85}', '\u{2066}', '\u{2069}', '\u{200e}', '\u{feff}', '\r'] {
        assert!(!text.contains(raw), "{raw:?} in {text}");
    }
    for shown in [r"x\u{1b}[2J\u{202e}y\r.rdb", r"\u{1b}[31mred", r"a\u{202e}evil", r"b\nc", r"7\u{1b}[1m"] {
        assert!(text.contains(shown), "{shown} not in {text}");
    }
}
