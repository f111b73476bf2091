//! Two dumps compared: the same answer as a comparison in memory gives, whichever way they are read and in however many passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::support::assembler::{Listpack, Rdb, intset};
use crate::support::random::Random;
use crate::support::schema;
use crate::support::ways::Scratch;
use bigkeys::analysis::filter::Filter;
use bigkeys::compare::{Difference, KeyChanges, KeyQuestion, compare_keys};
use bigkeys::memory::Allocator;
use bigkeys::output::{diff, folded};
use bigkeys::report::{Question, Report};
use bigkeys::{Dump, Options, Progress, report_all};
use serde_json::Value;

fn question(held_max: usize) -> KeyQuestion {
    KeyQuestion {
        filter: Filter::default(),
        separators: b":".to_vec(),
        top: 5,
        target: None,
        allocator: Allocator::default(),
        held_max,
    }
}

fn compared(old: &Path, new: &Path, held_max: usize, options: &Options) -> KeyChanges {
    let progress = Arc::new(Progress::default());
    let (keys, errors) =
        compare_keys(&Dump::from(old), &Dump::from(new), &question(held_max), options, &progress).expect("two files");
    assert!(errors.is_empty(), "{errors:?}");
    keys
}

fn report_of(path: &Path) -> Report {
    let progress = Arc::new(Progress::default());
    let dumps = [Dump::from(path)];
    report_all(&dumps, &Question::default(), &Options::default(), &progress).expect("a file").0
}

/// A key of the obvious comparison: text and expiry.
type Keys = BTreeMap<(u64, String), (String, Option<i64>)>;

fn dump_of(keys: &Keys, random: &mut Random, at_seconds: u64) -> Vec<u8> {
    let mut order: Vec<_> = keys.iter().collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place + 1));
    }
    order.sort_by_key(|((db, _), _)| *db);
    let rdb = Rdb::redis(11).aux("redis-ver", "7.2.4").aux("ctime", &at_seconds.to_string());
    let mut last = None;
    let rdb = order.into_iter().fold(rdb, |rdb, ((db, name), (text, expires_at_ms))| {
        let rdb = if last.replace(*db) == Some(*db) { rdb } else { rdb.select_db(*db) };
        let rdb = expires_at_ms.iter().fold(rdb, |rdb, at_ms| rdb.expire_ms(*at_ms));
        rdb.key(0, name, |value| value.string(text))
    });
    rdb.eof()
}

#[test]
fn random_keys_in_any_number_of_passes() {
    let mut random = Random(4);
    let scratch = Scratch::new();
    for round in 0..12_u64 {
        let mut old = Keys::new();
        for _ in 0..300 {
            let name = format!("{}:{}:{}", random.pick(&["user", "cart", "x"]), random.below(9), random.below(400));
            let expiry = random.one_in(3).then(|| 4_000_000_000_000 + i64::try_from(random.below(9)).unwrap());
            let text = "v".repeat(random.below(120));
            old.insert((random.below(3) as u64, name), (text, expiry));
        }
        let mut new = Keys::new();
        let mut expected = [0_u64; 7];
        let mut by_prefix: BTreeMap<String, u64> = BTreeMap::new();
        let mut note =
            |name: &str| *by_prefix.entry(name.split(':').next().unwrap().to_owned() + ":").or_default() += 1;
        for (key, (text, expiry)) in &old {
            match random.below(8 + 4 * (round % 3) as usize) {
                0 => {
                    expected[1] += 1;
                    note(&key.1);
                }
                1 => {
                    let other = format!("{text}{}", "w".repeat(300));
                    expected[2] += 1;
                    expected[4] += 1;
                    note(&key.1);
                    new.insert(key.clone(), (other, *expiry));
                }
                2 if !text.is_empty() => {
                    let other = "u".repeat(text.len());
                    expected[4] += 1;
                    note(&key.1);
                    new.insert(key.clone(), (other, *expiry));
                }
                3 => {
                    expected[5] += 1;
                    note(&key.1);
                    new.insert(key.clone(), (text.clone(), expiry.map_or(Some(7), |_| None)));
                }
                _ => _ = new.insert(key.clone(), (text.clone(), *expiry)),
            }
        }
        for at in 0..random.below(30) {
            expected[0] += 1;
            let key = (1, format!("fresh:{at}"));
            note(&key.1);
            new.insert(key, ("v".to_owned(), None));
        }
        let unchanged = old.iter().filter(|(key, state)| new.get(*key) == Some(*state)).count() as u64;
        let [before, after] = [(&old, "old.rdb", 1_700_000_000), (&new, "new.rdb", 1_700_086_400)]
            .map(|(keys, name, at)| scratch.write(name, &dump_of(keys, &mut random, at)));
        let one = compared(&before, &after, 0, &Options::default());
        let counts = &one.counts;
        let found = [
            counts.came.keys,
            counts.went.keys,
            counts.grew.keys,
            counts.shrank.keys,
            counts.value_changed,
            counts.ttl_changed,
            counts.type_changed,
        ];
        assert_eq!((found, one.unchanged, one.passes), (expected, unchanged, 1), "round {round}");
        let prefixes: BTreeMap<String, u64> = one
            .prefixes
            .iter()
            .filter(|prefix| prefix.name.bytes().split(|byte| *byte == b':').count() == 2)
            .map(|prefix| (prefix.name.to_string(), prefix.counts.keys()))
            .collect();
        assert_eq!(prefixes, by_prefix, "round {round}");
        assert!(one.top.grew.windows(2).all(|pair| pair[0].change_bytes >= pair[1].change_bytes));
        for (held_max, threads, segment_bytes) in [(40, 1, 0), (7, 3, 500), (1000, 2, 90)] {
            let mut options = Options::default();
            (options.threads, options.segment_bytes) = (threads, segment_bytes);
            let mut other = compared(&before, &after, held_max, &options);
            assert_eq!(other.passes > 1, held_max < 100, "round {round}");
            (other.passes, other.scans) = (one.passes, one.scans);
            // Which key of one size is listed first does not depend on the passes.
            let [one, other] = [&one, &other].map(|keys| serde_json::to_value(keys).expect("JSON"));
            assert_eq!(one, other, "round {round}: {held_max} {threads} {segment_bytes}");
        }
    }
}

#[test]
fn encodings_and_orders_are_no_change_and_types_are() {
    let scratch = Scratch::new();
    let packed = |values: &[&str]| values.iter().fold(Listpack::new(), Listpack::string).build();
    let old = Rdb::redis(11)
        .key(4, "hash", |value| value.len(2).string("a").string_i8(1).string("b").string("x"))
        .key(2, "set", |value| value.strings(&["3", "1"]))
        .key(5, "zset", |value| value.len(2).string("m").f64(-0.0).string("n").f64(1.5))
        .key(1, "list", |value| value.strings(&["a", "b"]))
        .key(0, "was", |value| value.string("text"));
    let new = Rdb::redis(11)
        .key(18, "list", |value| value.len(1).len(2).string(packed(&["a", "b"])))
        .key(17, "zset", |value| value.string(packed(&["n", "1.5", "m", "0"])))
        .key(11, "set", |value| value.string(intset(2, &[1, 3])))
        .key(16, "hash", |value| value.string(packed(&["b", "x", "a", "1"])))
        .key(1, "was", |value| value.strings(&["text"]));
    let (old, new) = (scratch.write("old.rdb", &old.eof()), scratch.write("new.rdb", &new.eof()));
    let keys = compared(&old, &new, 0, &Options::default());
    let counts = &keys.counts;
    assert_eq!((keys.unchanged, counts.value_changed, counts.type_changed, counts.ttl_changed), (4, 1, 1, 0));
    let same = compared(&old, &old, 0, &Options::default());
    assert_eq!((same.unchanged, same.counts.keys(), same.passes, same.scans), (5, 0, 0, 2));
    // A list in another order is another list; a key in another database is another key.
    let other = Rdb::redis(11).key(1, "list", |value| value.strings(&["b", "a"])).select_db(1);
    let other = scratch.write("other.rdb", &other.key(0, "was", |value| value.string("text")).eof());
    let keys = compared(&old, &other, 0, &Options::default());
    assert_eq!((keys.unchanged, keys.counts.came.keys, keys.counts.went.keys, keys.counts.value_changed), (0, 1, 4, 1));
}

#[test]
fn two_moments_have_a_pace() {
    let scratch = Scratch::new();
    let write = |name: &str, at: u64, used: u64, keys: usize| {
        let rdb =
            Rdb::redis(11).aux("redis-ver", "7.2.4").aux("ctime", &at.to_string()).aux("used-mem", &used.to_string());
        let rdb = (0..keys).fold(rdb.select_db(0), |rdb, at| rdb.key(0, format!("k:{at}"), |value| value.string("v")));
        report_of(&scratch.write(name, &rdb.eof()))
    };
    let (day, mib) = (86_400, 1 << 20);
    let old = write("old.rdb", 1_700_000_000, 10 * mib, 3);
    let new = write("new.rdb", 1_700_000_000 + 2 * day, 14 * mib, 7);
    let difference = Difference::of_reports(&old, &new, Some(20 * mib)).expect("they can be compared");
    let pace = difference.pace.expect("a pace");
    assert_eq!((pace.seconds, pace.keys_a_day, pace.memory_bytes_a_day), (172_800, 2, 2 << 20));
    assert_eq!(pace.full_at_ms, Some((1_700_000_000 + 5 * 86_400) * 1000));
    assert_eq!((difference.totals.keys_change, difference.prefixes[0].change.keys_change), (4, 4));
    let back = Difference::of_reports(&new, &old, Some(20 * mib)).expect("they can be compared");
    assert_eq!(back.pace, None);
    let shrinking = write("shrinking.rdb", 1_700_000_000 + 3 * day, 12 * mib, 7);
    let pace = Difference::of_reports(&new, &shrinking, Some(20 * mib)).unwrap().pace.unwrap();
    assert_eq!((pace.memory_bytes_a_day, pace.full_at_ms), (-2 << 20, None));
    let full = Difference::of_reports(&old, &new, Some(mib)).unwrap().pace.unwrap();
    assert_eq!(full.full_at_ms, Some((1_700_000_000 + 2 * 86_400) * 1000));
    let mut folded_bytes = Vec::new();
    folded::write_difference(&old, &new, &mut folded_bytes).unwrap();
    let (was, is) = (old.totals.memory_bytes, new.totals.memory_bytes);
    assert_eq!(String::from_utf8(folded_bytes).unwrap(), format!("k: {was} {is}\n"));
}

#[test]
fn the_schema_describes_the_json_and_the_table_is_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(root.join("schema/diff.schema.json")).expect("the schema");
    let root_schema: Value = serde_json::from_slice(&text).expect("JSON");
    let scratch = Scratch::new();
    let (mut used, mut random) = (BTreeSet::new(), Random(8));
    let key = |name: &str, text: &str| ((0, name.to_owned()), (text.to_owned(), None));
    let old =
        Keys::from([key("a:1", "x"), key("a:2", "y"), key("a:3", &"z".repeat(900)), key("a:4", "v"), key("b", "p")]);
    let new = Keys::from([
        key("a:1", &"x".repeat(900)),
        key("a:3", "z"),
        key("a:4", "w"),
        key("b", "p"),
        key(&"n".repeat(2000), "v"),
    ]);
    let [old, new] = [(old, "old.rdb", 1_700_000_000), (new, "new.rdb", 1_700_100_000)]
        .map(|(keys, name, at)| scratch.write(name, &dump_of(&keys, &mut random, at)));
    let [mut old_report, new_report] = [&old, &new].map(|path| report_of(path));
    old_report.dumps[0].sha256 = Some("00".to_owned());
    let mut difference = Difference::of_reports(&old_report, &new_report, Some(1 << 30)).unwrap();
    difference.keys = Some(compared(&old, &new, 0, &Options::default()));
    let json = serde_json::to_value(&difference).expect("JSON");
    schema::check(&root_schema, &root_schema, &json, "", &mut used);
    for (name, of) in root_schema["$defs"].as_object().expect("definitions") {
        for property in of["properties"].as_object().expect("properties").keys() {
            // These keys are strings without expiries, in no groups.
            let is_rare = name == "group"
                || ["name_base64", "used_memory_bytes", "full_at_ms", "old_type", "expiry"]
                    .contains(&property.as_str());
            assert!(is_rare || used.contains(&format!("{name}.{property}")), "{name}.{property} is not in the JSON");
        }
    }
    for width in [60, 100] {
        let mut table = Vec::new();
        diff::write(&difference, width, 20, &mut table).unwrap();
        let table = String::from_utf8(table).expect("UTF-8");
        assert!(table.lines().all(|line| line.trim_end() == line || !line.is_empty()), "{table}");
        for word in ["all keys", "came", "Largest keys that went", "Keys that grew most", "a:"] {
            assert!(table.contains(word), "{word}: {table}");
        }
    }
}
