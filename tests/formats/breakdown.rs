//! Prefixes and groups by class with percentiles, and separators that are found: beside each report stands a slow look at all rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::random::Random;
use bigkeys::report::{Breakdown, ClassWeight, Group, NameTally, Question, Report, Row, SparseSpread, Weight};
use bigkeys::{Dump, Options, look_at_names, report_all, rows_all};
use serde_json::Value;

const AT_MS: i64 = 1_700_000_000_000;

/// Keys of three families and two types, some with times to live or idle times, and so many with a prefix of their own.
fn dump(seed: u64, keys: u64, lonely: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut rdb = Rdb::redis(11).aux("ctime", "1700000000").select_db(0);
    for number in 0..keys {
        let name = match random.below(10) {
            0..5 => format!("user:{number}"),
            5..7 => format!("user:cart:{number}"),
            7..9 => format!("9:late:{number}"),
            _ => format!("plain{number}"),
        };
        let value = "v".repeat(random.below(9) * random.below(400));
        if random.one_in(3) {
            rdb = rdb.expire_ms(AT_MS - 1_000_000 + i64::try_from(random.below(3_000_000_000)).expect("small"));
        }
        if random.one_in(4) {
            rdb = rdb.idle(random.below(40 * 86_400) as u64);
        }
        rdb = match random.below(8) {
            0 => rdb.key(1, name, |bytes| bytes.len(2).string(&value).string("x")),
            _ => rdb.key(0, name, |bytes| bytes.string(&value)),
        };
    }
    for number in 0..lonely {
        rdb = rdb.key(0, format!("{:x}-9:x", random.number() ^ number), |bytes| bytes.string("v"));
    }
    rdb.eof()
}

fn options(threads: usize, segment_bytes: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options.segment_bytes = segment_bytes;
    options
}

fn question() -> Question {
    let carts = Group { name: "carts".to_owned(), patterns: vec!["user:cart:*".to_owned()] };
    Question { has_breakdown: true, groups: vec![carts], ..Question::default() }
}

fn report(paths: &[PathBuf], question: &Question, options: &Options) -> Report {
    let dumps: Vec<Dump> = paths.iter().map(Dump::from).collect();
    let (report, _, damage) = report_all(&dumps, question, options, &Arc::default()).expect("files");
    assert!(damage.is_empty(), "{damage:?}");
    report
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("JSON")
}

fn write(folder: &Path, name: &str, dump: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, dump).expect("it can be written");
    path
}

fn classes(keys: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, Weight> {
    let mut all: BTreeMap<String, Weight> = BTreeMap::new();
    for (class, memory_bytes) in keys {
        let weight = all.entry(class).or_default();
        weight.keys += 1;
        weight.memory_bytes += memory_bytes;
    }
    all
}

#[track_caller]
fn is_classes(found: &[ClassWeight], expected: &BTreeMap<String, Weight>, what: &str) {
    let found: BTreeMap<String, Weight> = found.iter().map(|of| (of.class.to_string(), of.weight)).collect();
    assert_eq!(&found, expected, "{what}");
}

#[track_caller]
fn is_spread(found: &SparseSpread, values: impl Iterator<Item = Option<u64>>, what: &str) {
    let mut values: Vec<u64> = values.flatten().collect();
    values.sort_unstable();
    let found = found.spread();
    assert_eq!((found.keys(), found.max()), (values.len() as u64, values.last().copied().unwrap_or(0)), "{what}");
    for permille in [500, 900, 990, 999] {
        let place = (values.len() * permille).div_ceil(1000).max(1) - 1;
        let exact = values.get(place).copied().unwrap_or(0);
        let found = found.permille(permille as u64);
        assert!(found.abs_diff(exact) <= exact / 100, "{what}: {found} for {exact}");
    }
}

/// Checks a breakdown against the rows that it is of.
#[track_caller]
fn check(found: &Breakdown, rows: &[&Row], what: &str) {
    let memory = |row: &Row| row.memory_bytes.expect("it is known");
    let span = |ms: i64| match ms {
        ..0 => "expired",
        0..3_600_000 => "under_1_hour",
        3_600_000..86_400_000 => "under_1_day",
        86_400_000..604_800_000 => "under_7_days",
        604_800_000..2_592_000_000 => "under_30_days",
        _ => "later",
    };
    let ttl = |row: &Row| row.expires_at_ms.map_or("never", |at| span(at - AT_MS)).to_owned();
    let types = classes(rows.iter().map(|row| (row.type_name().into_owned(), memory(row))));
    is_classes(&found.types, &types, what);
    is_classes(&found.ttl, &classes(rows.iter().map(|row| (ttl(row), memory(row)))), what);
    let idle = rows.iter().filter_map(|row| {
        let seconds = i64::try_from(row.idle_seconds?).expect("small");
        Some((span(seconds * 1000).to_owned(), memory(row)))
    });
    is_classes(&found.idle, &classes(idle), what);
    is_spread(&found.memory_bytes, rows.iter().map(|row| row.memory_bytes), what);
    is_spread(&found.value_bytes, rows.iter().map(|row| row.value_bytes), what);
    is_spread(&found.name_bytes, rows.iter().map(|row| Some(row.name.bytes().len() as u64)), what);
    let elements = |row: &Row| if row.type_name() == "string" { 1 } else { row.size };
    is_spread(&found.elements, rows.iter().map(|row| Some(elements(row))), what);
}

#[test]
fn breakdowns_are_what_a_slow_look_at_rows_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    // Of the second dump only some prefixes are listed, among them late ones that the first scan does not hold at once.
    for (name, keys, lonely) in [("few", 2_000, 0), ("many", 3_000, 9_000)] {
        let path = write(folder.path(), name, &dump(7, keys, lonely));
        let found = report(std::slice::from_ref(&path), &question(), &options(1, 0));
        let mut rows: Vec<Row> = Vec::new();
        rows_all(&[Dump::from(&path)], &question(), &options(1, 0), &Arc::default(), |row| rows.push(row.clone()))
            .expect("a file");
        let heavy = found.prefixes.heavy.iter().flat_map(|heavy| &heavy.names);
        let listed: Vec<&NameTally> = found.prefixes.found.names.iter().chain(heavy).collect();
        assert_eq!(found.prefixes.heavy.is_some(), lonely > 0, "{name}");
        let wanted = ["user:", "user:cart:", "9:", "9:late:"];
        for prefix in &listed {
            let breakdown = prefix.breakdown.as_ref().unwrap_or_else(|| panic!("{name}: {}", prefix.name));
            let bytes = prefix.name.bytes();
            if !wanted.contains(&prefix.name.to_string().as_str()) {
                assert_eq!(breakdown.name_bytes.spread().keys(), prefix.tally.keys);
                continue;
            }
            let rows: Vec<&Row> = rows.iter().filter(|row| row.name.bytes().starts_with(bytes)).collect();
            check(breakdown, &rows, &format!("{name}: {}", prefix.name));
        }
        assert!(wanted.iter().all(|of| listed.iter().any(|found| found.name.to_string() == *of)), "{name}");
        let of_group: Vec<&Row> = rows.iter().filter(|row| row.name.bytes().starts_with(b"user:cart:")).collect();
        let group = &found.groups.as_ref().expect("groups").groups[0];
        check(group.breakdown.as_ref().expect("a breakdown"), &of_group, name);
        // No number of threads, no size of segments and no way through JSON changes it; without it, nothing else does.
        let expected = json(&found);
        assert!(json(&report(std::slice::from_ref(&path), &question(), &options(2, 20_000))) == expected, "{name}");
        assert_eq!(json(&serde_json::from_str(&expected).expect("a report")), expected);
        let mut plain = found;
        let heavy = plain.prefixes.heavy.iter_mut().flat_map(|heavy| &mut heavy.names);
        plain.prefixes.found.names.iter_mut().chain(heavy).for_each(|prefix| prefix.breakdown = None);
        plain.groups.iter_mut().flat_map(|found| &mut found.groups).for_each(|group| group.breakdown = None);
        let without = report(&[path], &Question { has_breakdown: false, ..question() }, &options(2, 0));
        assert!(json(&without) == json(&plain), "{name}");
    }
}

#[test]
fn breakdowns_merge_in_any_grouping() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> =
        (0..3).map(|seed| write(folder.path(), &seed.to_string(), &dump(seed, 500 + seed, 0))).collect();
    let whole = json(&report(&paths, &question(), &options(2, 0)));
    let parts = || paths.iter().map(|path| report(std::slice::from_ref(path), &question(), &options(1, 0)));
    let merge = |mut first: Report, second: Report| {
        first.merge(second).expect("reports of one kind");
        first
    };
    let [a, b, c] = parts().collect::<Vec<_>>().try_into().expect("three");
    assert!(json(&merge(merge(a, b), c)) == whole);
    let [a, b, c] = parts().collect::<Vec<_>>().try_into().expect("three");
    assert!(json(&merge(a, merge(b, c))) == whole);
}

fn bigkeys(arguments: &[&str], stdin: Stdio) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
    let output = command.args(arguments).stdin(stdin).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_pipe_has_no_breakdown_and_no_separators() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "a.rdb", &dump(1, 100, 0));
    let pipe = || Stdio::from(std::fs::File::open(&path).expect("a file"));
    let piped = |arguments: &[&str]| {
        let mut cat = Command::new("cat").stdin(pipe()).stdout(Stdio::piped()).spawn().expect("cat starts");
        let stdout = cat.stdout.take().expect("a pipe");
        let outcome = bigkeys(arguments, Stdio::from(stdout));
        cat.wait().expect("it ends");
        outcome
    };
    let (code, stdout, stderr) = piped(&["report", "--breakdown", "--format", "json", "-"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("skipped the breakdown of prefixes and groups"), "{stderr}");
    assert!(!stdout.contains("breakdown"), "{stdout}");
    let (code, _, stderr) = piped(&["report", "--separators", "auto", "-"]);
    assert!(code == Some(2) && stderr.contains("it can be read only once"), "{stderr}");
    let (code, stdout, _) = bigkeys(&["report", "--breakdown", path.to_str().expect("text")], Stdio::null());
    assert_eq!(code, Some(0));
    assert!(stdout.contains("Memory of a key by prefix and group") && stdout.contains("idle 30 d"), "{stdout}");
    let arguments = ["report", "--breakdown", "--format", "folded", path.to_str().expect("text")];
    assert_eq!(bigkeys(&arguments, Stdio::null()).0, Some(2));
}

#[test]
fn separators_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random(3);
    let mut rdb = Rdb::redis(11).select_db(0);
    for number in 0..3_000 {
        let (name, bytes) = match number % 10 {
            0..5 => (format!("shop/cart/{number}"), 20),
            5..8 => (format!("session{:x}", random.number()), 30),
            8 => (format!("video{number}"), 300),
            _ => (format!("{:x}", random.number()), 5),
        };
        rdb = rdb.key(0, name, |value| value.string("v".repeat(bytes)));
    }
    let path = write(folder.path(), "a.rdb", &rdb.eof());
    let found = |options: &Options| {
        let dumps = [Dump::from(&path)];
        let question = look_at_names(&dumps, &Question::default(), options, &Arc::default()).expect("a file");
        report_all(&dumps, &question, options, &Arc::default()).expect("a file").0
    };
    let report = found(&options(1, 0));
    assert_eq!(report.prefixes.separators.to_string(), "/");
    let prefixes: Vec<_> = report.prefixes.found.names.iter().map(|found| found.name.to_string()).collect();
    assert_eq!(prefixes, ["shop/", "shop/cart/"]);
    let beginnings: Vec<_> =
        report.beginnings.0.iter().map(|found| (found.name.to_string(), found.tally.keys)).collect();
    let of_words = beginnings.iter().filter(|(name, _)| name.len() > 3).cloned().collect::<Vec<_>>();
    assert_eq!(of_words, [("session".to_owned(), 900), ("video".to_owned(), 300)]);
    assert!(json(&found(&options(2, 9_000))) == json(&report));
    // A report of the same question is merged with it: beginnings add up.
    let other =
        write(folder.path(), "b.rdb", &Rdb::redis(11).select_db(0).key(0, "x", |value| value.string("v")).eof());
    let question = Question { separators: b"/".to_vec(), ..Question::default() };
    let mut merged = report.clone();
    merged.merge(self::report(std::slice::from_ref(&other), &question, &options(1, 0))).expect("reports of one kind");
    assert_eq!(merged.beginnings, report.beginnings);
    assert!(merged.prefixes.are_separators_found);

    let run = |path: &Path, format: &str| {
        let path = path.to_str().expect("text");
        let (code, stdout, stderr) =
            bigkeys(&["report", "--separators", "auto", "--format", format, path], Stdio::null());
        assert_eq!(code, Some(0), "{stderr}");
        stdout
    };
    let read: Value = serde_json::from_str(&run(&path, "json")).expect("JSON");
    assert_eq!(read["prefixes"]["separators"]["name"], "/");
    assert_eq!(read["prefixes"]["are_separators_found"], true);
    let table = run(&path, "table");
    assert!(table.contains("found to separate: '/'"), "{table}");
    assert!(table.contains("Beginnings of names without separators"), "{table}");
    assert!(run(&other, "table").contains("names have no separators"));
}
