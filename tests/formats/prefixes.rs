//! The heaviest prefixes are listed whatever the dump: exactly over a file, within a bound over a stream and in merged
//! reports. Beside the report stands a slow count in a map of all prefixes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::random::Random;
use bigkeys::report::{Group, NameTally, Question, Report, Sort, Weight};
use bigkeys::{Dump, Options, report_all, rows_all};

/// Keys under a prefix each, and a few prefixes with many among them.
fn hostile(keys: u64, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut rdb = Rdb::redis(11).select_db(0);
    let long = "v".repeat(300);
    for number in 0..keys {
        let tail = random.number();
        // Nine tenths of the keys are the only ones of their prefixes; some of the others come late in the order of names.
        let name = match random.below(100) {
            0..4 => format!("tenant:77:{tail:x}"),
            4..6 => format!("1234:5678:{}:x{tail:x}", number % 3),
            6..8 => format!("9:{tail:x}"),
            8..9 => format!("deep:1:2:3:4:5:6:{tail}"),
            9..10 => format!("plain{tail}"),
            _ => format!("customer:{tail:016x}@:7:name"),
        };
        // One key in five hundred takes as much as many others.
        let value = if random.one_in(500) { &long[..] } else { "v" };
        rdb = match random.below(20) {
            0 => rdb.key(2, name, |bytes| bytes.len(1).string(value)),
            1 => rdb.expire_ms(1_700_000_000_000).key(0, name, |bytes| bytes.string(value)),
            _ => rdb.key(0, name, |bytes| bytes.string(value)),
        };
    }
    rdb.eof()
}

fn options(threads: usize, segment_bytes: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options.segment_bytes = segment_bytes;
    options
}

fn report(path: &Path, options: &Options) -> Report {
    let dumps = [Dump::from(path)];
    let question = Question { top: 5, ..Question::default() };
    let (report, _, damage) = report_all(&dumps, &question, options, &Arc::default()).expect("a file");
    assert!(damage.is_empty(), "{damage:?}");
    report
}

/// What each prefix has, and what has no longer one: one by one, in a map of all.
fn slow(path: &Path) -> BTreeMap<Vec<u8>, (Weight, Weight)> {
    let mut all: BTreeMap<Vec<u8>, (Weight, Weight)> = BTreeMap::new();
    let on_row = |row: &bigkeys::report::Row| {
        let name = row.name.bytes();
        let ends: Vec<usize> = (0..name.len().min(128)).filter(|at| name[*at] == b':').take(8).collect();
        for end in &ends {
            let (sum, own) = all.entry(name[..=*end].to_vec()).or_default();
            let memory = row.memory_bytes.unwrap_or(0);
            for weight in [Some(sum), Some(own).filter(|_| ends.last() == Some(end))].into_iter().flatten() {
                weight.keys += 1;
                weight.memory_bytes += memory;
            }
        }
    };
    let question = Question::default();
    rows_all(&[Dump::from(path)], &question, &options(1, 0), &Arc::default(), on_row).expect("a file");
    all
}

fn weight(found: &NameTally) -> Weight {
    Weight { keys: found.tally.keys, memory_bytes: found.tally.memory_bytes }
}

fn exceeds(weight: Weight, bound: Weight) -> bool {
    weight.keys > bound.keys || weight.memory_bytes > bound.memory_bytes
}

/// Checks a report against the slow count: what is listed, what is not, and how far off it is.
fn check(report: &Report, all: &BTreeMap<Vec<u8>, (Weight, Weight)>, is_exact: bool) {
    let totals = report.totals;
    let part = |parts| Weight { keys: totals.keys / parts, memory_bytes: totals.memory_bytes / parts };
    let heavy = report.prefixes.heavy.as_ref().expect("not all prefixes are listed");
    assert!(!exceeds(heavy.bound, part(2000)), "{:?} of {totals:?}", heavy.bound);
    let listed: BTreeMap<&[u8], &NameTally> =
        report.prefixes.found.names.iter().map(|found| (found.name.bytes(), found)).collect();
    let mut seen = 0;
    for (name, (sum, _)) in all {
        let text = String::from_utf8_lossy(name);
        match listed.get(&name[..]) {
            None => assert!(!exceeds(*sum, heavy.bound), "{text}: {sum:?} is not listed"),
            Some(found) => {
                let missed = found.missed_max.unwrap_or_default();
                let counted = weight(found);
                assert!(!is_exact || missed == Weight::default(), "{text}: {missed:?}");
                assert!(!exceeds(missed, part(2000)), "{text}: {missed:?}");
                assert!(!exceeds(counted, *sum), "{text}: {counted:?}, {sum:?}");
                let most = Weight {
                    keys: counted.keys + missed.keys,
                    memory_bytes: counted.memory_bytes + missed.memory_bytes,
                };
                assert!(!exceeds(*sum, most), "{text}: {counted:?} and {missed:?}, {sum:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, listed.len(), "a prefix is listed that no key has");
    for name in ["tenant:77:", "tenant:", "1234:", "1234:5678:", "1234:5678:2:", "9:", "customer:"] {
        assert!(listed.contains_key(name.as_bytes()), "{name} is not listed");
    }
    // What is not listed is summed up.
    let own: Weight = listed.keys().map(|name| all[*name].1).fold(Weight::default(), |sum, own| Weight {
        keys: sum.keys + own.keys,
        memory_bytes: sum.memory_bytes + own.memory_bytes,
    });
    if is_exact {
        let Weight { keys, memory_bytes } = report.prefixes.without;
        assert_eq!(report.prefixes.unlisted.keys, totals.keys - keys - own.keys);
        assert_eq!(report.prefixes.unlisted.memory_bytes, totals.memory_bytes - memory_bytes - own.memory_bytes);
    }
    assert!(report.prefixes.note().expect("a sentence").contains(&report.prefixes.unlisted.keys.to_string()));
}

fn dumps(keys: u64, many: u64) -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("a directory");
    let paths = (0..many).map(|number| {
        let path = dir.path().join(format!("{number}.rdb"));
        fs::write(&path, hostile(keys, 7 + number)).expect("it can be written");
        path
    });
    let paths = paths.collect();
    (dir, paths)
}

#[test]
fn heavy_prefixes_of_a_file_are_listed_exactly() {
    let (_dir, paths) = dumps(30_000, 1);
    let all = slow(&paths[0]);
    let expected = report(&paths[0], &options(1, 0));
    check(&expected, &all, true);
    let expected = serde_json::to_string_pretty(&expected).expect("JSON");
    for (threads, segment_bytes) in [(2, 150_000), (3, 0)] {
        let report = report(&paths[0], &options(threads, segment_bytes));
        check(&report, &all, true);
        let json = serde_json::to_string_pretty(&report).expect("JSON");
        assert!(json == expected, "{threads} threads, segments of {segment_bytes} bytes");
    }
}

#[test]
fn heavy_prefixes_of_a_stream_are_listed_within_the_bound() {
    let (dir, paths) = dumps(30_000, 1);
    let all = slow(&paths[0]);
    let bytes = fs::read(&paths[0]).expect("a dump");
    let packed = dir.path().join("packed.rdb.lz4");
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut encoder, &bytes).expect("memory");
    fs::write(&packed, encoder.finish().expect("memory")).expect("it can be written");
    let first = report(&packed, &options(2, 0));
    check(&first, &all, false);
    let again = report(&packed, &options(1, 0));
    assert!(serde_json::to_string(&first).expect("JSON") == serde_json::to_string(&again).expect("JSON"));
}

#[test]
fn merged_reports_list_heavy_prefixes_within_the_bound() {
    let (_dir, paths) = dumps(12_000, 4);
    let mut all: BTreeMap<Vec<u8>, (Weight, Weight)> = BTreeMap::new();
    for path in &paths {
        for (name, (sum, own)) in slow(path) {
            let (all_sum, all_own) = all.entry(name).or_default();
            for (mine, theirs) in [(all_sum, sum), (all_own, own)] {
                mine.keys += theirs.keys;
                mine.memory_bytes += theirs.memory_bytes;
            }
        }
    }
    let mut reports: Vec<Report> = paths.iter().map(|path| report(path, &options(2, 100_000))).collect();
    // A report that lists all of its prefixes is one among others.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mixed_all_v11.rdb");
    for (name, (sum, own)) in slow(&fixture) {
        let (all_sum, all_own) = all.entry(name).or_default();
        for (mine, theirs) in [(all_sum, sum), (all_own, own)] {
            mine.keys += theirs.keys;
            mine.memory_bytes += theirs.memory_bytes;
        }
    }
    reports.insert(1, report(&fixture, &options(1, 0)));
    let read = |report: &Report| -> Report {
        serde_json::from_str(&serde_json::to_string(report).expect("JSON")).expect("a report")
    };
    let merge = |parts: &[Report]| {
        let mut first = read(&parts[0]);
        parts[1..].iter().for_each(|part| first.merge(read(part)).expect("reports of one kind"));
        read(&first)
    };
    let whole = merge(&reports);
    check(&whole, &all, false);
    let whole = serde_json::to_string_pretty(&whole).expect("JSON");
    for cut in 1..reports.len() {
        let groups = [merge(&reports[..cut]), merge(&reports[cut..])];
        assert!(serde_json::to_string_pretty(&merge(&groups)).expect("JSON") == whole, "{cut}");
    }
}

/// The largest keys of all against all rows, by each order.
#[test]
fn the_largest_keys_are_the_largest_of_all() {
    for fixture in ["mixed_all_v11.rdb", "mixed_idle_v13.rdb", "mixed_freq_v13.rdb"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
        let mut rows = Vec::new();
        rows_all(&[Dump::from(&path)], &Question::default(), &options(1, 0), &Arc::default(), |row| {
            rows.push(row.clone());
        })
        .expect("a file");
        for sort in [Sort::Memory, Sort::Serialized, Sort::Elements, Sort::Idle, Sort::Frequency] {
            for (top, threads, segment_bytes) in [(3, 1, 0), (50, 2, 700), (1, 3, 5000)] {
                let question = Question { top, sort, ..Question::default() };
                let options = options(threads, segment_bytes);
                let (report, ..) =
                    report_all(&[Dump::from(&path)], &question, &options, &Arc::default()).expect("a file");
                let value = |row: &bigkeys::report::Row| match sort {
                    Sort::Memory => Some(row.memory_bytes.unwrap_or(0)),
                    Sort::Serialized => Some(row.serialized_bytes),
                    Sort::Elements => Some(row.size).filter(|_| row.kind.name() != "string"),
                    Sort::Idle => row.idle_seconds,
                    Sort::Frequency => row.frequency.map(u64::from),
                };
                let mut expected: Vec<_> = rows
                    .iter()
                    .filter_map(|row| Some((std::cmp::Reverse(value(row)?), row.name.bytes(), row.offset, row.db)))
                    .collect();
                expected.sort_unstable();
                expected.truncate(top);
                let expected: Vec<_> = expected.into_iter().map(|(_, name, offset, db)| (name, offset, db)).collect();
                let found = report.largest_keys.keys.iter();
                let found: Vec<_> = found.map(|of| (of.key.name.bytes(), of.key.offset, of.db)).collect();
                assert_eq!(found, expected, "{fixture} {sort:?} {top}");
            }
        }
    }
}

/// Prefixes below one are those of a dump whose names are what follows it; and deeper ones are told apart there.
#[test]
fn prefixes_below_one_are_counted_from_its_end() {
    let (_dir, paths) = dumps(3_000, 1);
    let of = |under: &[u8]| {
        let question = Question { under: under.to_vec(), ..Question::default() };
        report_all(&[Dump::from(&paths[0])], &question, &options(2, 9_000), &Arc::default()).expect("a file").0
    };
    let all = slow(&paths[0]);
    let report = of(b"deep:1:2:3:4:");
    let found: Vec<_> = report.prefixes.found.names.iter().map(|found| found.name.to_string()).collect();
    assert_eq!(found, ["5:", "5:6:"]);
    let keys = all[&b"deep:1:2:3:4:5:6:"[..]].0.keys;
    assert_eq!(report.prefixes.found.names[1].tally.keys, keys);
    assert_eq!(report.prefixes.other.keys, report.totals.keys - keys);
    assert_eq!(report.prefixes.without.keys, report.totals.keys - keys);
    assert_eq!(report.prefixes.unlisted, Weight::default());
    assert!(of(b"nobody:").prefixes.found.names.is_empty());
}

/// Groups are the sums of the rows that a name's own look says.
#[test]
fn groups_are_sums_of_rows() {
    let (_dir, paths) = dumps(3_000, 2);
    let group = |name: &str, patterns: &[&str]| Group {
        name: name.to_owned(),
        patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
    };
    let groups = vec![
        group("tenants", &["tenant:*:*"]),
        group("all of them", &["tenant:**", "9:*"]),
        group("late", &["**name"]),
    ];
    let question = Question { groups, ..Question::default() };
    let of = |path: &PathBuf, options: &Options| {
        report_all(&[Dump::from(path)], &question, options, &Arc::default()).expect("a file").0
    };
    let mut expected = [0_u64; 4];
    for path in &paths {
        rows_all(&[Dump::from(path)], &Question::default(), &options(1, 0), &Arc::default(), |row| {
            let name = row.name.to_string();
            let parts = name.split(':').count();
            let group = match () {
                () if name.starts_with("tenant:") && parts == 3 => 0,
                () if name.starts_with("tenant:") || name.starts_with("9:") && parts == 2 => 1,
                () if name.ends_with("name") => 2,
                () => 3,
            };
            expected[group] += row.memory_bytes.unwrap_or(0);
        })
        .expect("a file");
    }
    let mut merged = of(&paths[0], &options(1, 0));
    merged.merge(of(&paths[1], &options(2, 9_000))).expect("reports of one kind");
    let found = merged.groups.as_ref().expect("groups");
    let tallies = found.groups.iter().map(|found| &found.tally).chain([&found.unclassified]);
    assert_eq!(tallies.map(|tally| tally.memory_bytes).collect::<Vec<_>>(), expected);
    assert!(expected.iter().all(|memory_bytes| *memory_bytes > 0), "{expected:?}");
    let other = report(&paths[0], &options(1, 0));
    assert!(merged.merge_anyway(other).unwrap_err().contains("other groups"));
}

/// Percentiles by type are those of the sorted rows, off by at most 1 %.
#[test]
fn percentiles_are_those_of_sorted_rows() {
    let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let (_dir, mut paths) = dumps(2_000, 1);
    paths.extend(["mixed_all_v13.rdb", "string_int_v13.rdb", "key_names_v13.rdb"].map(fixture));
    for path in &paths {
        let mut figures: BTreeMap<&str, [Vec<u64>; 4]> = BTreeMap::new();
        rows_all(&[Dump::from(path)], &Question::default(), &options(1, 0), &Arc::default(), |row| {
            let [memory, elements, value, name] = figures.entry(row.kind.name()).or_default();
            memory.extend(row.memory_bytes);
            elements.push(if ["string", "module"].contains(&row.kind.name()) { 1 } else { row.size });
            value.extend(row.value_bytes);
            name.push(row.name.bytes().len() as u64);
        })
        .expect("a file");
        let report = report(path, &options(2, 2_000));
        assert_eq!(report.percentiles.len(), figures.len());
        for spreads in &report.percentiles {
            let found = [&spreads.memory_bytes, &spreads.elements, &spreads.value_bytes, &spreads.name_bytes];
            for (found, values) in found.into_iter().zip(figures.get_mut(&spreads.kind[..]).expect("the type")) {
                values.sort_unstable();
                assert_eq!(found.keys(), values.len() as u64, "{} {}", path.display(), spreads.kind);
                assert_eq!(found.max(), values.last().copied().unwrap_or(0));
                for permille in [500, 900, 990, 999] {
                    let place = (values.len() * permille).div_ceil(1000).max(1) - 1;
                    let exact = values.get(place).copied().unwrap_or(0);
                    let found = found.permille(permille as u64);
                    assert!(found.abs_diff(exact) <= exact / 100, "{}: {found} for {exact}", spreads.kind);
                }
            }
        }
    }
}
