//! Reports: the same bytes for any number of threads and any way of input, sums that add up, merging in any grouping, and
//! JSON that its schema describes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::random::Random;
use crate::support::schema::check;
use crate::support::ways::Scratch;
use bigkeys::analysis::Pattern;
use bigkeys::analysis::filter::Bounds;
use bigkeys::memory::{Allocator, Model, Target, walk};
use bigkeys::output::rows::RowWriter;
use bigkeys::output::{folded, table};
use bigkeys::rdb::source::{Slice, Source};
use bigkeys::rdb::{Scanner, value};
use bigkeys::report::{
    BeginningsFound, FilteredExpired, Filters, Group, KeyRow, Name, Question, Report, Row, Rules, Saving, SavingBasis,
    SlotsMoved, TagMoved,
};
use bigkeys::{Dump, Options, analyze_all, findings, look_into, report_all, rows_all};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn mixed() -> Vec<PathBuf> {
    ["v09", "v10", "v11", "v12", "v13", "v80"].map(|version| fixture(&format!("mixed_all_{version}.rdb"))).to_vec()
}

fn question() -> Question {
    let users = Group { name: "users".to_owned(), patterns: vec!["user:**".to_owned()] };
    Question { top: 5, has_slots: true, groups: vec![users], ..Question::default() }
}

fn options(threads: usize, segment_bytes: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options.segment_bytes = segment_bytes;
    options
}

#[test]
fn small_dumps_give_the_same_side_by_side() {
    let scratch = Scratch::new();
    let dump = |number: u64, keys: u64| {
        let names = (0..keys).map(|key| format!("user:{}:{number}:{key}", key % 7));
        let keys = names.fold(Rdb::redis(11).select_db(number % 3), |rdb, name| {
            rdb.key(0, name, |bytes| bytes.string("v".repeat(usize::try_from(number).expect("small"))))
        });
        keys.eof()
    };
    let mut dumps: Vec<Dump> = Vec::new();
    for number in 0..150 {
        let bytes = match number {
            40 => dump(number, 20_000),
            70 => b"no dump at all".to_vec(),
            71 => dump(number, 50).into_iter().take(900).collect(),
            _ => dump(number, number * 3 % 90),
        };
        dumps.push(Dump::from(scratch.write(&format!("{number}.rdb"), &bytes)));
    }
    let said = |threads| {
        let (report, notes, damage) =
            report_all(&dumps, &Question::default(), &options(threads, 0), &Arc::default()).expect("files");
        let damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
        let task = analyze_all(&dumps, &options(threads, 0), &Arc::default()).expect("files");
        let task_damage: Vec<String> = task.damage.iter().map(ToString::to_string).collect();
        (serde_json::to_string(&report).expect("JSON"), notes, damage, format!("{:?}", task.keys), task_damage)
    };
    let one_by_one = said(1);
    assert_eq!((one_by_one.2.len(), one_by_one.4.len()), (2, 2), "{:?}", one_by_one.2);
    assert_eq!(said(2), one_by_one);
    assert_eq!(said(5), one_by_one);
}

fn report(dumps: &[PathBuf], options: &Options) -> Report {
    report_of(dumps, &question(), options)
}

/// A report with all sections.
fn full_report(dumps: &[PathBuf]) -> Report {
    let question = Question { has_breakdown: true, are_separators_found: true, ..question() };
    let mut report = report_of(dumps, &question, &options(1, 4 << 20));
    report.beginnings = BeginningsFound(report.prefixes.found.names.clone());
    report
}

fn report_of(dumps: &[PathBuf], question: &Question, options: &Options) -> Report {
    let dumps: Vec<Dump> = dumps.iter().map(Dump::from).collect();
    let (report, _, damage) = report_all(&dumps, question, options, &Arc::default()).expect("the files can be read");
    assert!(damage.is_empty(), "{damage:?}");
    report
}

fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("JSON")
}

fn rows(path: &Path, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    rows_all(&[Dump::from(path)], &question(), options, &Arc::default(), |row| rows.push(row.clone())).expect("a file");
    rows
}

#[test]
fn threads_and_segments_change_nothing() {
    for dump in mixed() {
        let expected = json(&report(std::slice::from_ref(&dump), &options(1, 4 << 20)));
        let expected_rows = rows(&dump, &options(1, 4 << 20));
        for (threads, segment_bytes) in [(1, 700), (2, 1000), (7, 5000), (3, 50_000)] {
            let options = options(threads, segment_bytes);
            assert!(json(&report(std::slice::from_ref(&dump), &options)) == expected, "{threads} {segment_bytes}");
            assert!(rows(&dump, &options) == expected_rows, "{threads} {segment_bytes}: rows");
        }
    }
}

/// Strings under short names take a way of their own, and so do names when nothing is filtered: with a filter that lets all
/// pass, every key takes the long way.
#[test]
fn the_short_way_counts_what_the_long_one_does() {
    let mut random = Random(11);
    let mut rdb = Rdb::redis(11).select_db(0);
    let prefixes =
        ["user:", "a:b:", "cache:page:product:", "9f-1c:x:", "\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}", ""];
    for number in 0..30_000 {
        if number % 10_000 == 9_999 {
            rdb = rdb.select_db(number);
        }
        if random.one_in(4) {
            // From before the moment that TTLs are seen from to months after it.
            rdb = rdb.expire_ms(1_700_000_000_000 + (random.number() % 8_000_000_000).cast_signed());
        }
        let name = format!("{}{number}{}", random.pick(&prefixes), "-".repeat(random.below(48)));
        let text = "x".repeat(random.below(600));
        rdb = match random.below(8) {
            0 => rdb.key(0, name, |value| value.string_i8(-7)),
            1 => rdb.key(0, name, |value| value.string_i16(777)),
            2 => rdb.key(0, name, |value| value.string_i32(7_777_777)),
            3 => rdb.key(0, name, |value| value.string((random.integer() >> 16).to_string())),
            4 => rdb.key(0, name, |value| value.string(format!("{:x}", random.number()))),
            5 => rdb.key(0, name, |value| value.string(&text[..text.len() / 10])),
            6 => rdb.key(2, name, |value| value.len(1).string(&text)),
            _ => rdb.key(0, name, |value| value.string(&text)),
        };
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("strings.rdb");
    std::fs::write(&path, rdb.eof()).expect("it can be written");
    for target in [Target::Redis6_2, Target::Redis7_0, Target::Redis8_2, Target::Redis8_6, Target::Valkey9_1] {
        let of = |patterns| {
            let mut question = Question { target: Some(target), ..question() };
            question.filter.patterns = patterns;
            question.filter.now_ms = Some(1_700_000_500_000);
            let dumps = [Dump::from(&path)];
            let (mut report, ..) =
                report_all(&dumps, &question, &options(1, 4 << 20), &Arc::default()).expect("a file");
            // What a server takes is said where nothing is filtered.
            report.dumps[0].server = None;
            report.filters = Filters::default();
            json(&report)
        };
        let all = of(vec![Pattern::glob("*").expect("a glob")]);
        assert!(all.contains("\"keys\": 30000"), "{target}");
        assert!(of(Vec::new()) == all, "{target}: the reports differ");
    }
}

#[test]
fn rows_are_the_keys_in_the_order_of_the_dump() {
    for dump in mixed() {
        let rows = rows(&dump, &options(2, 2000));
        assert!(rows.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        let report = report(&[dump], &options(1, 4 << 20));
        assert_eq!(rows.len() as u64, report.totals.keys);
        let sum = |of: &dyn Fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
        assert_eq!(sum(&|row| row.memory_bytes.unwrap_or(0)), report.totals.memory_bytes);
        assert_eq!(sum(&|row| row.serialized_bytes), report.totals.serialized_bytes);
        let of_db = |db| rows.iter().filter(|row| row.db == db).count() as u64;
        assert!(report.databases.iter().all(|database| database.tally.keys == of_db(database.db)));
    }
}

#[test]
fn the_walk_for_memory_ends_where_the_plain_one_does() {
    let mut values = 0;
    for entry in std::fs::read_dir(fixture("")).expect("fixtures") {
        let path = entry.expect("an entry").path();
        let dump = std::fs::read(&path).unwrap_or_default();
        let Ok(scanner) = Scanner::new(&dump) else { continue };
        let context = scanner.context().clone();
        for entry in scanner.map_while(Result::ok) {
            let end = usize::try_from(entry.value_offset + entry.value_bytes).expect("in memory");
            values += 1;
            for target in [Target::Redis6_2, Target::Redis7_0, Target::Redis8_6, Target::Valkey9_1] {
                let model = Model::new(target, Allocator::Jemalloc);
                // The whole value, and cut short at three places.
                for cut in [0, 1, entry.value_bytes / 2, entry.value_bytes.saturating_sub(1)] {
                    let cut = end - usize::try_from(cut).expect("in memory");
                    let source = || Slice::new(&dump[..cut], entry.value_offset);
                    let (mut plain, mut full) = (source(), source());
                    let measured = value::measure(&mut plain, entry.value_type, &context).ok();
                    let walked = walk::measure(&mut full, &entry.header(), &context, &model).ok();
                    assert_eq!(walked.map(|footprint| footprint.measure), measured, "{}", path.display());
                    assert!(measured.is_none() || plain.offset() == full.offset(), "{}", path.display());
                }
            }
        }
    }
    assert!(values > 3000, "only {values} values");
}

#[test]
fn sums_add_up() {
    let report = report(&mixed(), &options(2, 4 << 20));
    let totals = report.totals;
    assert!(totals.keys > 1000 && totals.memory_bytes > 0);
    let sum = |parts: Vec<bigkeys::report::Tally>| {
        let mut sum = bigkeys::report::Tally::default();
        for element in &parts {
            sum.merge(element);
        }
        sum
    };
    assert_eq!(sum(report.databases.iter().map(|database| database.tally).collect()), totals);
    assert_eq!(sum(report.dumps.iter().map(|dump| dump.keys).collect()), totals);
    assert_eq!(sum(report.ttl.all().iter().map(|(_, tally)| **tally).collect()), totals);
    for database in &report.databases {
        assert_eq!(sum(database.types.iter().map(|of_type| of_type.tally).collect()), database.tally);
        for of_type in &database.types {
            assert_eq!(sum(of_type.encodings.iter().map(|encoding| encoding.tally).collect()), of_type.tally);
        }
    }
    let prefixes = &report.prefixes;
    assert!(prefixes.shortest().count() > 3);
    assert_eq!(sum(prefixes.shortest().map(|prefix| prefix.tally).chain([prefixes.other]).collect()), totals);
    for prefix in &prefixes.found.names {
        let below = sum(prefixes.below(prefix).map(|below| below.tally).collect());
        assert!(below.keys <= prefix.tally.keys && below.memory_bytes <= prefix.tally.memory_bytes);
    }
    let slots = report.slots.as_ref().expect("slots");
    assert_eq!(slots.slots.iter().map(|slot| slot.keys).sum::<u64>(), totals.keys);

    // Folded stacks: nothing is lost, nothing counted twice.
    let mut text = Vec::new();
    folded::write(&report, &mut text).expect("memory");
    let lines = String::from_utf8(text).expect("text");
    let bytes: u64 =
        lines.lines().map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a number")).sum();
    assert_eq!(bytes, totals.memory_bytes);
}

#[test]
fn reports_merge_in_any_grouping() {
    let reports: Vec<Report> = mixed().into_iter().map(|dump| report(&[dump], &options(1, 4 << 20))).collect();
    let read = |report: &Report| -> Report { serde_json::from_str(&json(report)).expect("a report") };
    let merge = |parts: &[Report]| {
        let mut parts = parts.iter().map(read);
        let mut first = parts.next().expect("a report");
        parts.for_each(|element| first.merge(element).expect("reports of one kind"));
        read(&first)
    };
    let whole = json(&report(&mixed(), &options(2, 4 << 20)));
    assert_eq!(json(&merge(&reports)), whole);
    for cut in 1..reports.len() {
        for second in cut..reports.len() {
            let mut groups = vec![merge(&reports[..cut])];
            if second > cut {
                groups.push(merge(&reports[cut..second]));
            }
            groups.push(merge(&reports[second..]));
            assert!(json(&merge(&groups)) == whole, "{cut} {second}");
        }
    }
    let mut other = report(&mixed()[..1], &options(1, 4 << 20));
    other.format = "bigkeys-report/0".to_owned();
    assert!(reports[0].clone().merge(other).unwrap_err().contains("bigkeys-report/1"));
}

#[test]
fn tables_fit_their_width() {
    let reports = [full_report(&mixed()), full_report(&[fixture("empty_v80.rdb")])];
    for report in &reports {
        for width in [0, 60, 61, 80, 100, 120, 500] {
            for has_colour in [false, true] {
                let mut text = Vec::new();
                table::write(report, table::Look { width, has_colour }, &mut text).expect("memory");
                let text = String::from_utf8(text).expect("text");
                assert_eq!(text.contains('\x1b'), has_colour);
                for line in text.lines().filter(|_| !has_colour) {
                    let columns = unicode_width::UnicodeWidthStr::width(line);
                    assert!(columns <= width.clamp(60, 300), "{width}: {columns}: {line}");
                }
            }
        }
    }
}

#[test]
fn rows_as_text() {
    let dump = fixture("key_names_v13.rdb");
    let rows = rows(&dump, &options(1, 4 << 20));
    let (mut csv, mut ndjson) = (Vec::new(), Vec::new());
    let dumps = ["a,b".to_owned()];
    for writer in [RowWriter::csv(&dumps, &mut csv), RowWriter::ndjson(&dumps, &mut ndjson)] {
        let mut writer = writer.expect("memory");
        for row in &rows {
            writer.write(row).expect("memory");
        }
        writer.finish().expect("memory");
    }
    let records = csv_records(&String::from_utf8(csv).expect("text"));
    let objects: Vec<Value> = ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!((records.len() - 1, objects.len()), (rows.len(), rows.len()));
    for (record, object) in records[1..].iter().zip(&objects) {
        for (column, text) in records[0].iter().zip(record) {
            let expected = match object.get(column) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            assert_eq!(*text, expected, "{column}");
        }
    }
}

/// Records of RFC 4180, by a slow reader.
fn csv_records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    records
}

// ---- the schema

/// What a report says of a key's largest element: its bytes and place, what it is called, the bytes of all.
fn largest(key: &KeyRow) -> (Option<u64>, Option<u64>, Option<String>, Option<u64>) {
    let called = key.largest_element.as_ref().map(ToString::to_string);
    (key.largest_element_bytes, key.largest_element_index, called, key.value_bytes)
}

#[test]
fn looking_into_keys_finds_what_the_walk_finds_and_more() {
    let (mut known, mut packed) = (0, 0);
    for path in mixed() {
        let walked = report(std::slice::from_ref(&path), &options(1, 4 << 20));
        let mut looked_into = walked.clone();
        look_into(&mut looked_into, &[Dump::from(&path)]).expect("a file");
        let keys = |report: &Report| -> Vec<KeyRow> { report.top.iter().flat_map(|list| list.keys.clone()).collect() };
        for (walked, found) in keys(&walked).iter().zip(keys(&looked_into)) {
            assert_eq!(walked.name, found.name);
            if walked.largest_element_bytes.is_some() {
                known += 1;
                assert_eq!(walked.largest_element_bytes, found.largest_element_bytes, "{}", found.name);
                assert_eq!(walked.largest_element_index, found.largest_element_index, "{}", found.name);
            } else if found.largest_element_bytes.is_some() {
                packed += 1;
            }
            // Modules' values, vector sets among them, are not looked into.
            let has_elements = found.stored_as != "string" && found.loaded_as != "other" && found.elements > 0;
            assert!(found.largest_element_bytes.is_some() || !has_elements, "{found:?}");
        }
    }
    assert!(known > 100 && packed > 100, "{known} known and {packed} packed");
}

#[test]
fn the_largest_element_of_packed_values() {
    // Each a value as a server wrote it.
    let hash = b"\x10\x01h\x36\x36\0\0\0\x0c\0\x81a\x02\x01\x01\x81b\x02\xf2\x70\x11\x01\x04\x81c\x02\x83xxx\x04\x81d\x02\xdf\xf9\x02\
        \x81e\x02\xf1\x88\x13\x03\x81f\x02\xf4\xff\xe3\x0bT\x02\0\0\0\x09\xff";
    let set = b"\x14\x01s\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff";
    let list = b"\x12\x01l\x01\x02\x0d\x0d\0\0\0\x02\0\x81a\x02\xc3\xe8\x02\xff";
    let dump = [b"REDIS0011\xfe\0", &hash[..], set, list, b"\xff\0\0\0\0\0\0\0\0"].concat();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.rdb");
    std::fs::write(&path, dump).expect("a file");
    let mut report = report(std::slice::from_ref(&path), &options(1, 4 << 20));
    look_into(&mut report, &[Dump::from(&path)]).expect("a file");
    let of = |kind: &str| {
        let list = report.top.iter().find(|list| list.kind == kind).expect("a list");
        largest(list.keys.first().expect("a key"))
    };
    assert_eq!(of("hash"), (Some(11), Some(5), Some("f".to_owned()), Some(2 + 6 + 4 + 3 + 5 + 11)));
    assert_eq!(of("set"), (Some(1), Some(0), Some("a".to_owned()), Some(2)));
    assert_eq!(of("list"), (Some(4), Some(1), None, Some(5)));
}

#[test]
fn the_schema_describes_the_json() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    let mut used = BTreeSet::new();
    let mut dumps = mixed();
    for name in [
        "mixed_idle_v13.rdb",
        "mixed_freq_v13.rdb",
        "module_json_v12.rdb",
        "function_only_v10.rdb",
        "key_names_v13.rdb",
    ] {
        dumps.push(fixture(name));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let big = folder.path().join("big.rdb");
    let mut rdb = Rdb::redis(11).aux("ctime", "1700000000").select_db(0);
    for number in 0..100 {
        rdb = rdb.expire_ms(1_700_000_100_000).key(0, format!("{number}"), |value| value.string("x"));
    }
    let rdb = rdb.key(0, "big", |value| value.string("x".repeat(20_000)));
    std::fs::write(&big, rdb.eof()).expect("it can be written");
    dumps.push(big);
    for dump in dumps {
        let mut report = full_report(std::slice::from_ref(&dump));
        report.findings = findings::judge(&report, Rules::default());
        for finding in &mut report.findings {
            finding.bytes_saved = Some(Saving { bytes: 1, basis: SavingBasis::Exact });
            let tags = vec![TagMoved { name: Name::new("tag"), slot: 2, keys: 1, memory_bytes: 1 }];
            let to = "10.0.0.2:6379".to_owned();
            finding.moves = vec![SlotsMoved { to, slots: vec![(1, 2)], keys: 1, memory_bytes: 1, tags }];
        }
        assert_eq!(look_into(&mut report, &[Dump::from(&dump)]).expect("a file"), Vec::<String>::new());
        report.dumps[0].sha256 = Some("00".to_owned());
        report.dumps[0].shard = Some("10.0.0.1:6379".to_owned());
        report.dumps[0].damage = Some("at byte 1".to_owned());
        report.dumps[0].is_now_given = true;
        report.filters = Filters {
            databases: vec![0],
            types: vec!["hash".to_owned()],
            globs: vec!["*".to_owned()],
            not_types: vec!["list".to_owned()],
            regexes: vec![".".to_owned()],
            not_globs: vec!["x".to_owned()],
            not_regexes: vec!["x".to_owned()],
            min_bytes: Some(1),
            max_bytes: Some(9),
            min_elements: Some(1),
            min_memory_bytes: Some(1),
            max_memory_bytes: Some(9),
            without_ttl: true,
            ttl_ms: vec![Bounds { from: Some(1), to: Some(2) }],
            idle_seconds: vec![Bounds { from: Some(1), to: None }],
            frequencies: vec![Bounds { from: None, to: Some(2) }],
            slots: vec![Bounds { from: Some(1), to: Some(2) }],
            or_value_bytes: Some(1),
            expired: Some(FilteredExpired::Only),
            is_mixed: true,
        };
        check(&schema, &schema, &serde_json::to_value(&report).expect("JSON"), "", &mut used);
    }
    // What the schema has and no report does is a mistake in either.
    for (name, of) in
        schema["$defs"].as_object().expect("definitions").iter().filter(|(_, of)| of.get("properties").is_some())
    {
        for property in of["properties"].as_object().expect("properties").keys() {
            // No names were cut off here or too long, and those of prefixes and modules are text.
            let is_rare =
                ["limit", "has_longer", "name_bytes", "name_base64", "missed_max"].contains(&property.as_str());
            assert!(is_rare || used.contains(&format!("{name}.{property}")), "no report has {name}.{property}");
        }
    }
}
