//! What can be asked of a report and of the other formats: filters, against a slow look at each row; budgets; metrics that a
//! monitoring system's own parser reads.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::assembler::Rdb;
use crate::support::python::python_with;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

fn bigkeys(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the program starts")
}

/// What it printed; its exit code must be this.
#[track_caller]
fn printed(arguments: &[&str], code: i32) -> String {
    let output = bigkeys(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn lines(arguments: &[&str]) -> Vec<Value> {
    printed(arguments, 0).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A key by its database and name, as every format has them.
fn id(key: &Value) -> (u64, String) {
    (key["db"].as_u64().expect("a database"), key["name"].as_str().expect("a name").to_owned())
}

/// The slot of a key's name, bit by bit.
fn slow_slot(row: &Value) -> u64 {
    let name = match row.get("name_base64").and_then(Value::as_str) {
        Some(base64) => BASE64_STANDARD.decode(base64).expect("Base64"),
        None => row["name"].as_str().expect("a name").as_bytes().to_vec(),
    };
    let open = name.iter().position(|byte| *byte == b'{').map_or(name.len(), |open| open + 1);
    let tag_bytes = name[open..].iter().position(|byte| *byte == b'}').unwrap_or(0);
    let bytes = if tag_bytes == 0 { &name[..] } else { &name[open..open + tag_bytes] };
    let crc = bytes.iter().fold(0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
            & 0xffff
    });
    u64::from(crc % 16_384)
}

/// Puts a condition to each row, and the options that mean it to every format.
#[track_caller]
fn check(fixture: &str, options: &str, wanted: impl Fn(&Value) -> bool) {
    let dump = format!("fixtures/{fixture}.rdb");
    let with = |command: &[&str]| -> Vec<String> {
        command.iter().map(|word| (*word).to_owned()).chain(options.split(' ').map(str::to_owned)).collect()
    };
    let run = |command: &[&str]| {
        let arguments = with(command);
        lines(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let all = lines(&["keys", "--format", "ndjson", &dump]);
    let expected: Vec<&Value> = all.iter().filter(|row| wanted(row)).collect();
    assert!(!expected.is_empty() && expected.len() < all.len(), "{fixture} does not put {options} to the test");
    let ids = |keys: &[Value]| keys.iter().map(id).collect::<BTreeSet<_>>();
    let expected_ids: BTreeSet<_> = expected.iter().map(|row| id(row)).collect();
    assert!(ids(&run(&["keys", "--format", "ndjson", &dump])) == expected_ids, "{options}: rows");
    assert!(ids(&run(&["export", &dump])) == expected_ids, "{options}: values");
    let task = &run(&["analyze", "--all-types", "--top", "1000", "--per-file", &dump])[0];
    assert!(ids(task["keys"].as_array().expect("keys")) == expected_ids, "{options}: the task");
    let report = &run(&["report", "--format", "json", "--top", "1000", &dump])[0];
    assert_eq!(report["totals"]["keys"], expected.len(), "{options}: the report");
    let memory: u64 = expected.iter().filter_map(|row| row["memory_bytes"].as_u64()).sum();
    assert_eq!(report["totals"]["memory_bytes"], memory, "{options}: the report's memory");
    let largest = ids(report["largest_keys"]["keys"].as_array().expect("keys"));
    assert!(largest == expected_ids, "{options}: the largest");
    assert_ne!(report["filters"], serde_json::json!({}), "{options} is not recorded");
    // What the table says of the filter is what was typed.
    let arguments = with(&["report", &dump]);
    let table = printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    let option = options.split(' ').next().expect("an option");
    assert!(table.contains(option), "{options}: {table}");
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().unwrap_or(u64::MAX)
}

#[test]
fn filters_leave_what_a_slow_look_at_each_row_leaves() {
    const MIXED: &str = "mixed_all_v12";
    let is = |row: &Value, kinds: &[&str]| kinds.iter().any(|kind| row["type"] == **kind);
    let name = |row: &Value| row["name"].as_str().expect("a name").to_owned();
    check(MIXED, "--not-type string --not-type hash", |row| !is(row, &["string", "hash"]));
    check(MIXED, "--not-match *:* --type string", |row| !name(row).contains(':') && is(row, &["string"]));
    check(MIXED, "--not-regex ^[a-m] --not-regex [0-9]$", |row| {
        let name = name(row);
        !name.starts_with(|first: char| ('a'..='m').contains(&first))
            && !name.ends_with(|last: char| last.is_ascii_digit())
    });
    check(MIXED, "--match *a* --not-match *e*", |row| name(row).contains('a') && !name(row).contains('e'));
    check(MIXED, "--min-memory 100", |row| row["memory_bytes"].as_u64().is_some_and(|bytes| bytes >= 100));
    check(MIXED, "--max-memory 100", |row| row["memory_bytes"].as_u64().is_some_and(|bytes| bytes <= 100));
    check(MIXED, "--min-memory 60 --max-memory 1K", |row| {
        row["memory_bytes"].as_u64().is_some_and(|bytes| (60..=1024).contains(&bytes))
    });
    check(MIXED, "--max-bytes 10 --type string", |row| is(row, &["string"]) && number(row, "size") <= 10);
    check(MIXED, "--slot 0..5460 --slot 9000..", |row| {
        let slot = slow_slot(row);
        slot <= 5460 || slot >= 9000
    });
    check("cluster_slots_v12", "--slot ..8000", |row| slow_slot(row) <= 8000);
    check("mixed_idle_v13", "--idle 1s..", |row| number(row, "idle_seconds") >= 1);
    check("mixed_idle_v13", "--idle 0..1s --idle 10d..", |row| {
        row["idle_seconds"].as_u64().is_some_and(|seconds| seconds <= 1 || seconds >= 864_000)
    });
    check("mixed_freq_v13", "--frequency 100..", |row| number(row, "frequency") >= 100);
    check("mixed_freq_v13", "--frequency 255 --frequency ..9", |row| {
        let frequency = number(row, "frequency");
        frequency == 255 || frequency <= 9
    });
}

#[test]
fn times_to_live_are_measured_from_the_dump_or_the_given_time() {
    const EXPIRY: &str = "mixed_expiry_v11";
    let report: Value =
        serde_json::from_str(&printed(&["report", "--format", "json", "fixtures/mixed_expiry_v11.rdb"], 0))
            .expect("JSON");
    let now = report["dumps"][0]["ttl_measured_at_ms"].as_i64().expect("a time");
    let ttl = move |row: &Value| row["expires_at_ms"].as_i64().map(|at| (at - now).max(0));
    let day = 24 * 3_600_000;
    check(EXPIRY, "--ttl none", |row| ttl(row).is_none());
    check(EXPIRY, "--ttl ..1d", |row| ttl(row).is_some_and(|ttl| ttl <= day));
    check(EXPIRY, "--ttl 1d..", |row| ttl(row).is_some_and(|ttl| ttl >= day));
    check(EXPIRY, "--ttl none --ttl 9000d..", |row| ttl(row).is_none_or(|ttl| ttl >= 9000 * day));
    check(EXPIRY, "--ttl 0.. --expired skip", |row| row["expires_at_ms"].as_i64().is_some_and(|at| at >= now));
    check(EXPIRY, "--ttl ..1d --now 2090-01-01", |row| {
        row["expires_at_ms"].as_i64().is_some_and(|at| at <= 3_786_912_000_000 + day)
    });
    let without_time = Rdb::redis(7).select_db(0).key(0, "a", |value| value.string("b")).eof();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("old.rdb");
    std::fs::write(&path, without_time).expect("it can be written");
    let output = bigkeys(&["keys", "--ttl", "1h..", path.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("which --ttl needs; use --now to give the time"));
}

#[test]
fn a_budget_that_is_exceeded_says_so() {
    const DUMP: &str = "fixtures/mixed_all_v12.rdb";
    let all: Value = serde_json::from_str(&printed(&["report", "--format", "json", DUMP], 0)).expect("JSON");
    let keys = all["totals"]["keys"].as_u64().expect("a number");
    let memory = all["largest_keys"]["keys"][0]["memory_bytes"].as_u64().expect("a number");
    let run = |limit: &str| {
        let output = bigkeys(&["report", "-q", "--format", "json", "--fail-if", limit, DUMP]);
        // The report is printed all the same.
        if output.status.code() != Some(2) {
            assert!(String::from_utf8_lossy(&output.stdout).contains("bigkeys-report/1"), "{limit}");
        }
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&format!("total.keys > {keys}")), (Some(0), String::new()));
    let (code, said) = run(&format!("total.keys > {}", keys - 1));
    assert_eq!((code, said.lines().count()), (Some(3), 1), "{said}");
    assert!(said.contains(&format!("over budget (total.keys > {}): total has {keys} keys", keys - 1)), "{said}");
    assert_eq!(run(&format!("key.memory > {memory}")).0, Some(0));
    assert_eq!(run(&format!("key.memory > {}", memory - 1)).0, Some(3));
    assert_eq!(run("type[hash].keys > 0").0, Some(3));
    assert_eq!(run("type[no such].keys > 0").0, Some(0));
    assert_eq!(run("total.without_ttl > 100%").0, Some(0));
    let (code, said) = run("group[carts].keys > 0");
    assert!(code == Some(0) && said.contains("there are no groups"), "{said}");
    assert_eq!(run("db[0].without_ttl > 0.1%").0, Some(3));
    let (code, said) = run("key.memory >= 1");
    assert_eq!(code, Some(2));
    assert!(said.contains("column 12: expected '>'"), "{said}");

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budget.toml");
    let with = |text: &str| {
        std::fs::write(&file, text).expect("it can be written");
        let output = bigkeys(&["report", "-q", "--budget", file.to_str().expect("text"), DUMP]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(with("[total]\nmemory = \"1TiB\"\nkeys = 1000000\n").0, Some(0));
    let (code, said) = with("[total]\nkeys = 1\n[type.hash]\nkeys = 0\n[db.0]\nmemory = \"1KiB\"\n");
    assert_eq!((code, said.lines().count()), (Some(3), 3), "{said}");
    for (text, place) in [
        ("[total\nkeys = 1\n", "line 1, column"),
        ("[total]\nkeys = [1]\n", "total.keys: expected a number"),
        ("[totals]\nkeys = 1\n", "[totals] keys: unknown subject 'totals'"),
        ("[type.hash]\nsize = 1\n", "[type.hash] size: unknown measure 'size'"),
        ("[key]\nmemory = \"1 parsec\"\n", "[key] memory: invalid number of bytes '1 parsec'"),
    ] {
        let (code, said) = with(text);
        assert_eq!(code, Some(2), "{text}");
        assert!(said.contains("budget.toml: ") && said.contains(place), "{said}");
    }
}

/// A dump of so many keys under each prefix, with values of so many bytes.
fn prefixed(prefixes: &[(&str, u64)], value_bytes: usize) -> Vec<u8> {
    let rdb = Rdb::redis(11).aux("redis-ver", "7.2.4").select_db(0);
    let keys = prefixes.iter().flat_map(|(prefix, keys)| (0..*keys).map(move |number| format!("{prefix}{number}")));
    keys.fold(rdb, |rdb, name| rdb.key(0, name, |value| value.string("v".repeat(value_bytes)))).eof()
}

#[test]
fn what_exceeds_a_budget_is_a_finding() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(path("a.rdb"), prefixed(&[("$(x):", 3), ("b:", 2)], 100)).expect("it can be written");
    let with = ["--fail-if", "key.memory > 100", "--fail-if", "prefix[$(x):].keys > 2", "--fail-if", "total.keys > 5"];
    let run = |more: &[&str]| {
        let dump = path("a.rdb");
        let arguments = [&["report", "-q", "--format", "json", &dump][..], &with, more].concat();
        let report: Value = serde_json::from_str(&printed(&arguments, 3)).expect("JSON");
        let findings = report["findings"].as_array().expect("findings").clone();
        let of_budget = findings.into_iter().filter(|finding| finding["id"] == "over-budget");
        (of_budget.collect::<Vec<_>>(), report)
    };
    let (found, report) = run(&[]);
    assert_eq!(found.len(), 6, "{found:?}");
    let [of_prefix] = &found.iter().filter(|finding| finding["subject"]["kind"] == "prefix").collect::<Vec<_>>()[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!(of_prefix["severity"], "high");
    assert_eq!(of_prefix["subject"]["name"], "$(x):");
    let evidence = serde_json::json!([{"name": "keys", "value": 3}, {"name": "limit", "value": 2}]);
    assert_eq!(of_prefix["evidence"], evidence);
    assert!(of_prefix["commands"][0].as_str().expect("a command").contains("--match '$(x):*'"), "{of_prefix}");
    let of_keys: Vec<_> = found.iter().filter(|finding| finding["subject"]["kind"] == "key").collect();
    assert_eq!(of_keys.len(), 5);
    for finding in of_keys {
        let memory = finding["keys"][0]["key"]["memory_bytes"].clone();
        assert_eq!(finding["evidence"][0], serde_json::json!({"name": "memory_bytes", "value": memory}));
    }
    // The report is that of a run without a budget, but for these.
    let dump = path("a.rdb");
    let mut without: Value =
        serde_json::from_str(&printed(&["report", "-q", "--format", "json", &dump], 0)).expect("JSON");
    without["findings"] = report["findings"].clone();
    assert_eq!(without, report);
    // Names that are replaced are replaced in what is said of limits too.
    let (found, _) = run(&["--redact", "names"]);
    let said = serde_json::to_string(&found).expect("JSON");
    assert!(found.len() == 6 && !said.contains("$(x)"), "{said}");
}

#[test]
fn growth_is_measured_against_an_earlier_report() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(path("old.rdb"), prefixed(&[("a:", 100), ("b:", 50)], 10)).expect("it can be written");
    std::fs::write(path("new.rdb"), prefixed(&[("a:", 120), ("b:", 50), ("c:", 7)], 10)).expect("it can be written");
    printed(&["report", "-q", &path("old.rdb"), "-o", &path("old.json")], 0);
    let old = path("old.json");
    let run = |limits: &[&str], more: &[&str]| {
        let limits: Vec<&str> = limits.iter().flat_map(|limit| ["--fail-if", limit]).collect();
        let dump = path("new.rdb");
        let arguments = [&["report", "-q", "--format", "json", &dump][..], &limits, more].concat();
        let output = bigkeys(&arguments);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let of_budget = |finding: &&Value| finding["id"] == "over-budget";
        let findings: Vec<Value> =
            report["findings"].as_array().into_iter().flatten().filter(of_budget).cloned().collect();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), findings)
    };
    let against = ["--baseline", &old];
    // 177 keys are 18 % more than 150.
    assert_eq!(run(&["total.keys_growth > 18%", "total.keys_growth > 27"], &against).0, Some(0));
    let (code, said, found) = run(&["total.keys_growth > 17.99%", "total.keys_growth > 26"], &against);
    assert_eq!((code, said.lines().count(), found.len()), (Some(3), 2, 2), "{said}");
    let sentence = "over budget (total.keys_growth > 17.99%): total has 177 keys, 18.00 % more; it had 150 keys";
    assert!(said.contains(sentence), "{said}");
    let evidence = serde_json::json!([
        {"name": "keys", "value": 177}, {"name": "earlier_keys", "value": 150}, {"name": "growth_limit", "value": 26}
    ]);
    assert!(found.iter().any(|finding| finding["evidence"] == evidence), "{found:?}");
    // What came since has no share, and an amount.
    let (code, said, found) = run(&["prefix.keys_growth > 10%"], &against);
    assert_eq!((code, found.len()), (Some(3), 1), "{said}");
    assert!(said.contains("prefix a: has 120 keys, 20.00 % more; it had 100 keys"), "{said}");
    assert!(said.contains("1 had nothing in the earlier report"), "{said}");
    let (_, said, found) = run(&["prefix.keys_growth > 6"], &against);
    assert_eq!(found.len(), 2, "{said}");
    assert_eq!(run(&["type[string].memory_growth > 1%", "db[0].elements_growth > 1"], &against).2.len(), 2);
    // The file may name the report, from where it is.
    std::fs::write(path("budget.toml"), "baseline = \"old.json\"\n[total]\nkeys_growth = \"10%\"\n")
        .expect("it can be written");
    let (code, said, _) = run(&[], &["--budget", &path("budget.toml")]);
    assert_eq!((code, said.lines().count()), (Some(3), 1), "{said}");
    let of_merged = bigkeys(&["merge", &old, "--budget", &path("budget.toml")]);
    assert_eq!(of_merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&of_merged.stderr));

    let grown = ["total.keys_growth > 1"];
    let by_prefix = ["prefix.keys_growth > 1"];
    for (limits, more, reason) in [
        (&grown, &[][..], "limits on growth need an earlier report: use --baseline"),
        (&["total.keys > 1"], &against, "--baseline has no effect"),
        (&grown, &["--baseline", &path("new.rdb")], "new.rdb: not a bigkeys report"),
        (&grown, &["--baseline", &old, "--type", "string"], "old.json: it was made with"),
        (&by_prefix, &["--baseline", &old, "--separators", "."], "old.json: it was made with other --separators"),
        (
            &["total.memory_growth > 1"],
            &["--baseline", &old, "--target", "redis-8.6"],
            "old.json: its memory is that of",
        ),
        (&["key.memory_growth > 1"], &against, "growth is of prefix, group, type, db and total"),
    ] {
        let (code, said, _) = run(limits, more);
        assert!(code == Some(2) && said.contains(reason), "{limits:?} {more:?}: {said}");
    }
}

/// `prometheus_client` reads what is written, strictly; its figures are those of the JSON.
#[test]
fn metrics_are_what_a_parser_of_openmetrics_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let hostile = dir.path().join("a\"b\\c\n.rdb");
    let mut rdb = Rdb::redis(11).aux("redis-ver", "7.2\n\"x\"").select_db(0);
    for number in 0..300 {
        rdb = rdb.key(0, format!("p\"\n\\{number}:x"), |value| value.string("v"));
    }
    rdb = rdb.key(0, "big\"\n\\", |value| value.string("v".repeat(20_000)));
    std::fs::write(&hostile, rdb.eof()).expect("it can be written");
    let Some(python) = python_with("prometheus_client", "run `.ci/run install`") else { return };
    let script = "\
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = list(parse(open(sys.argv[1], encoding='utf-8', newline='').read()))
print(json.dumps([[s.name, s.labels, s.value] for family in families for s in family.samples]))";
    for dump in [Path::new("fixtures/mixed_all_v12.rdb"), Path::new("fixtures/empty_v80.rdb"), &hostile] {
        let dump = dump.to_str().expect("text");
        let metrics = dir.path().join("bigkeys.prom");
        let asked = ["report", "-q", "--breakdown", "--group", "p*", "--group", "*b*", "-o"];
        printed(&[&asked[..], &[metrics.to_str().expect("text"), dump]].concat(), 0);
        let output = Command::new(&python).args(["-c", script]).arg(&metrics).output().expect("Python");
        assert!(output.status.success(), "{dump}: {}", String::from_utf8_lossy(&output.stderr));
        let samples: Vec<(String, Value, f64)> = serde_json::from_slice(&output.stdout).expect("JSON");
        let report: Value =
            serde_json::from_str(&printed(&["report", "-q", "--format", "json", dump], 0)).expect("JSON");
        let sum = |name: &str| samples.iter().filter(|(of, ..)| of == name).map(|(_, _, value)| value).sum::<f64>();
        for (figure, of) in [("keys", "keys"), ("memory_bytes", "memory_bytes"), ("elements", "elements")] {
            let total = report["totals"][of].as_f64().expect("a number");
            for name in ["bigkeys", "bigkeys_database", "bigkeys_type", "bigkeys_ttl"] {
                let sum = sum(&format!("{name}_{figure}"));
                assert!((sum - total).abs() < 0.5, "{dump}: {name}_{figure}: {sum} and {total}");
            }
        }
        let findings = report["findings"].as_array().map_or(0, Vec::len);
        assert_eq!(samples.iter().filter(|(of, ..)| of == "bigkeys_finding_info").count(), findings, "{dump}");
        let saved: u64 = report["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|finding| finding["bytes_saved"]["bytes"].as_u64())
            .sum();
        #[allow(clippy::cast_precision_loss, reason = "a float holds such figures")]
        let counts = (findings as f64, saved as f64);
        assert_eq!((sum("bigkeys_findings"), sum("bigkeys_findings_saved_bytes")), counts, "{dump}");
        let prefixes = samples.iter().filter(|(of, ..)| of == "bigkeys_prefix_keys").count();
        assert!(prefixes <= 100, "{prefixes}");
        // The classes of a prefix or group are all its keys; its largest key is in its last percentile.
        for (of, figure) in
            [("prefix", "keys"), ("prefix", "memory_bytes"), ("group", "keys"), ("group", "memory_bytes")]
        {
            for (_, labels, value) in samples.iter().filter(|(name, ..)| *name == format!("bigkeys_{of}_{figure}")) {
                if labels[of] == "unclassified" {
                    continue;
                }
                for class in ["type", "ttl"] {
                    let name = format!("bigkeys_{of}_{class}_{figure}");
                    let of_classes =
                        samples.iter().filter(|(found, of_class, _)| *found == name && of_class[of] == labels[of]);
                    let sum: f64 = of_classes.map(|(_, _, value)| value).sum();
                    assert!((sum - value).abs() < 0.5, "{dump}: {name} of {labels}: {sum} and {value}");
                }
            }
        }
        let most = |name: &str| {
            let values = samples.iter().filter(|(of, labels, _)| of == name && labels["percentile"] == "100");
            values.map(|(_, _, value)| *value).fold(0.0, f64::max)
        };
        let names = report["prefixes"]["names"].as_array().expect("prefixes");
        assert_eq!(names.is_empty(), most("bigkeys_prefix_key_name_bytes") < 1.0, "{dump}");
        assert!(names.is_empty() || most("bigkeys_prefix_key_memory_bytes") > 1.0, "{dump}");
        let names: BTreeSet<_> = samples.iter().map(|(name, labels, _)| format!("{name} {labels}")).collect();
        assert_eq!(names.len(), samples.len(), "a series is there twice");
    }
}

#[test]
fn what_is_added_up_must_not_count_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let dump = |name: &str, day: &str, history: &str| {
        let path = dir.path().join(name);
        let rdb = Rdb::redis(11).aux("ctime", day).aux("repl-id", history).select_db(0);
        std::fs::write(&path, rdb.key(0, day, |value| value.string("v")).eof()).expect("it can be written");
        path.to_str().expect("text").to_owned()
    };
    let report = |dump: &str| {
        let to = format!("{}.json", dump.split('=').next_back().expect("a path"));
        printed(&["report", "-q", dump, "-o", &to], 0);
        to
    };
    let (monday, tuesday) = (dump("monday", "1700000000", "aa"), dump("tuesday", "1700086400", "aa"));
    let other = dump("other", "1700000000", "bb");
    let merged = |first: &str, second: &str, code: i32| {
        let output = bigkeys(&["merge", first, second, "--format", "json"]);
        assert_eq!(output.status.code(), Some(code));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let (first, second, third) = (report(&monday), report(&tuesday), report(&other));
    assert!(merged(&first, &second, 2).contains("is of the same server as"));
    merged(&first, &third, 0);
    printed(&["merge", "--force", &first, &second], 0);
    let of_shard = |shard: &str, dump: &str| report(&format!("{shard}={dump}"));
    let first = of_shard("10.0.0.1:6379", &monday);
    assert!(merged(&first, &of_shard("10.0.0.1:6379", &other), 2).contains("(shard 10.0.0.1:6379)"));
    // What is said of shards counts for more than what the dumps say.
    merged(&first, &of_shard("10.0.0.2:6379", &tuesday), 0);

    let tasks = lines(&["analyze", "-q", "--per-file", &monday, &tuesday]);
    assert_eq!(tasks.iter().map(|task| task["dump"].clone()).collect::<Vec<_>>(), [monday, tuesday.clone()]);
    assert!(lines(&["analyze", "-q", &tuesday])[0].get("dump").is_none());
}
