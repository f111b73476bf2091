//! Which keys are asked for: filters, the number of keys, types beyond the five, and the shards of a cluster. What is
//! expected is what the fixture's JSON leaves when the same condition is put to it.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::bytes::Regex;
use serde_json::Value;

use super::{EVERY, MIXED, PINNED, bigkeys, outcome, run, stated_keys};

const EXPIRY: [&str; 6] = [
    "fixtures/mixed_expiry_v09.rdb",
    "fixtures/mixed_expiry_v10.rdb",
    "fixtures/mixed_expiry_v11.rdb",
    "fixtures/mixed_expiry_v12.rdb",
    "fixtures/mixed_expiry_v13.rdb",
    "fixtures/mixed_expiry_v80.rdb",
];

/// Some keys of the fixture, but not all of them, are those that the condition leaves.
#[track_caller]
fn check(fixture: &str, arguments: &str, wanted: impl Fn(&Value) -> bool) {
    let stated = stated_keys(fixture);
    let expected: Vec<Value> = stated.iter().filter(|key| wanted(key)).cloned().collect();
    assert!(!expected.is_empty() && expected.len() < stated.len(), "{fixture} does not put {arguments} to the test");
    let listed = run(&format!("analyze {EVERY} {arguments} {fixture}")).expect(0, &[]).keys();
    assert_eq!(listed, expected, "{arguments}");
}

fn is_type(key: &Value, types: &[&str]) -> bool {
    types.iter().any(|name| key["type"] == **name)
}

fn size(key: &Value) -> u64 {
    key["size"].as_u64().expect("a size")
}

fn name(key: &Value) -> Vec<u8> {
    match key.get("name_base64") {
        Some(base64) => BASE64_STANDARD.decode(base64.as_str().expect("text")).expect("base64"),
        None => key["name"].as_str().expect("a name").as_bytes().to_vec(),
    }
}

fn matches(key: &Value, regex: &str) -> bool {
    Regex::new(regex).expect("a pattern").is_match(&name(key))
}

#[test]
fn databases_and_types() {
    check(MIXED, "--db 1", |key| key["db"] == 1);
    check(MIXED, "--db 9 --db 0 --db 77", |key| key["db"] == 9 || key["db"] == 0);
    check(MIXED, "--type zset", |key| is_type(key, &["zset"]));
    check(MIXED, "--type stream --type list", |key| is_type(key, &["stream", "list"]));
    check(MIXED, "--type vectorset --db 200", |key| is_type(key, &["vectorset"]) && key["db"] == 200);
    check("fixtures/mixed_databases_v80.rdb", "--db 16384", |key| key["db"] == 16384);
    assert!(run(&format!("analyze --db 2 {MIXED}")).expect(0, &[]).keys().is_empty());
}

#[test]
fn sizes() {
    check(MIXED, "--min-bytes 100", |key| key["unit"] == "count" || size(key) >= 100);
    check(MIXED, "--min-elements 9", |key| key["unit"] == "byte" || size(key) >= 9);
    check(MIXED, "--min-bytes 100 --min-elements 9", |key| size(key) >= if key["unit"] == "byte" { 100 } else { 9 });
    check("fixtures/string_raw_v13.rdb", "--min-bytes 16K", |key| size(key) >= 16384);
    check("fixtures/string_raw_v13.rdb", "--min-bytes 16384B", |key| size(key) >= 16384);
    check("fixtures/string_raw_v13.rdb", "--big", |key| size(key) > 10 * 1024);
    check("fixtures/zset_skiplist_v09.rdb", "--min-elements 100", |key| size(key) >= 100);
    check("fixtures/stream_nodes_v13.rdb", "--min-elements 500", |key| size(key) >= 500);
    // The limit itself is not big.
    assert!(run("analyze --big fixtures/hash_hashtable_v09.rdb").expect(0, &[]).keys().is_empty());
    let huge = run("analyze --big fixtures/set_listpack_huge_v13.rdb").expect(0, &[]).keys();
    assert_eq!(huge, stated_keys("fixtures/set_listpack_huge_v13.rdb"));
}

#[test]
fn names() {
    check(MIXED, "--match user:*", |key| name(key).starts_with(b"user:"));
    check(MIXED, "--match user:* --match *:v2", |key| matches(key, r"^user:|:v2$"));
    check(MIXED, "--match [a-c]*:?i*", |key| matches(key, r"(?s-u)^[a-c].*:.i"));
    check(MIXED, "--regex ^user:string:[A-Z]", |key| matches(key, "^user:string:[A-Z]"));
    check(MIXED, r"--regex (?-u)\xff", |key| name(key).contains(&0xff));
    check(MIXED, "--regex ^user: --match session:*", |key| matches(key, "^(user|session):"));
    check("fixtures/key_names_v13.rdb", "--match user:*", |key| name(key).starts_with(b"user:"));
    check("fixtures/key_names_v13.rdb", "--match ???", |key| name(key).len() == 3);
    check("fixtures/key_names_v13.rdb", "--regex ^[0-9]+$", |key| matches(key, "^[0-9]+$"));
    check(MIXED, "--db 0 --type hash --match user:*", |key| {
        key["db"] == 0 && is_type(key, &["hash"]) && name(key).starts_with(b"user:")
    });
}

#[test]
fn expired_keys() {
    for fixture in EXPIRY {
        let is_past = |key: &Value| name(key).starts_with(b"past:");
        let is_future = |key: &Value| name(key).starts_with(b"future:");
        check(fixture, "--expired only", is_past);
        check(fixture, "--expired skip", |key| !is_past(key));
        // 4,200,000,000 is in 2103.
        check(fixture, "--expired only --now 4200000000", |key| is_past(key) || is_future(key));
        check(fixture, "--expired skip --now 2200-01-01T00:00:00Z", |key| !is_past(key) && !is_future(key));
        let all = stated_keys(fixture);
        for keep in ["", "--expired keep", "--expired skip --now 0", "--expired skip --now 1970-01-01"] {
            assert_eq!(run(&format!("analyze {EVERY} {keep} {fixture}")).expect(0, &[]).keys(), all, "{keep}");
        }
    }
}

#[test]
fn a_dump_that_does_not_say_when_it_was_made() {
    let dump = "fixtures/opcode_expire_v03.rdb";
    let failed = run(&format!("analyze --expired only {dump}")).expect(2, &[dump, "--now"]);
    assert_eq!(failed.stdout, "");
    check(dump, "--expired only --now 2026-01-01T00:00:00Z", |key| name(key) == b"seconds:gone");
}

#[test]
fn how_many_keys() {
    let stated = stated_keys(MIXED);
    for top in [0, 1, 2, 7, 20, 100] {
        let groups = stated.chunk_by(|a, b| (&a["db"], &a["type"]) == (&b["db"], &b["type"]));
        let expected: Vec<&Value> = groups.flat_map(|keys| keys.iter().take(top)).collect();
        let listed = run(&format!("analyze --all-types --top {top} {MIXED}")).expect(0, &[]).keys();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "--top {top}");
    }
    let default = run(&format!("analyze {MIXED}")).keys();
    assert_eq!(default, run(&format!("analyze --top 20 {MIXED}")).keys());
}

#[test]
fn types_beyond_the_five_are_left_out_aloud() {
    let five = ["string", "list", "set", "zset", "hash"];
    let (others, expected): (Vec<_>, Vec<_>) = stated_keys(MIXED).into_iter().partition(|key| !is_type(key, &five));
    let note = format!("skipped {} keys of streams, modules and other newer types; use --all-types", others.len());
    let arguments = format!("analyze --top 1000000 {MIXED}");
    assert_eq!(run(&arguments).expect(0, &[&note]).keys(), expected);
    assert_eq!(run(&format!("{arguments} -q")).expect(0, &[]).keys(), expected);
    assert_eq!(run(&format!("{arguments} --all-types")).expect(0, &[]).keys(), stated_keys(MIXED));
}

#[test]
fn shards_of_a_cluster() {
    let [first, second] = ["fixtures/cluster_slots_v12.rdb", "fixtures/mixed_all_v12.rdb"];
    let before_paths = run(&format!("analyze {PINNED} {EVERY} 10.0.0.1:6379={first} [::1]:6380={second}"));
    let before_paths = before_paths.expect(0, &[]);
    let beside = format!("analyze {PINNED} {EVERY} --shard 10.0.0.1:6379 {first} --shard [::1]:6380 {second}");
    assert_eq!(run(&beside).expect(0, &[]), before_paths);

    let keys = before_paths.keys();
    for (fixture, shard) in [(first, "10.0.0.1:6379"), (second, "[::1]:6380")] {
        let mut expected = stated_keys(fixture);
        for key in &mut expected {
            key["shard"] = shard.into();
        }
        let of_shard: Vec<&Value> = keys.iter().filter(|key| key["shard"] == shard).collect();
        assert_eq!(of_shard, expected.iter().collect::<Vec<_>>(), "{shard}");
    }
    assert_eq!(keys.len(), stated_keys(first).len() + stated_keys(second).len());
    let text = &before_paths.stdout;
    assert!(text.contains(r#","shard":"10.0.0.1:6379","db":"#), "the shard has its place: {text}");

    let one_of_two = run(&format!("analyze {EVERY} 10.0.0.1:6379={first} {second}")).expect(0, &[]).keys();
    assert_eq!(one_of_two.iter().filter(|key| key.get("shard").is_some()).count(), stated_keys(first).len());
}

#[test]
fn shards_that_do_not_fit() {
    let [first, second] = ["fixtures/empty_v12.rdb", "fixtures/empty_v13.rdb"];
    for (arguments, fragment) in [
        (format!("--shard h:1 {first} {second}"), "--shard is given once for 2 dumps"),
        (format!("--shard h:1 --shard h:2 {first}"), "--shard is given 2 times for 1 dump;"),
        (format!("--shard h:1 g:1={first}"), "the shard is given twice"),
        (format!("--shard 10.0.0.1 {first}"), "expected ip:port, e.g. 10.0.0.1:6379"),
        (format!("--shard h:99999 {first}"), "expected ip:port"),
        (format!("10.0.0.1={first}"), "10.0.0.1=fixtures/empty_v12.rdb: could not open it"),
        ("10.0.0.1:6379=no/such.rdb".to_owned(), "no/such.rdb: could not open it"),
    ] {
        assert_eq!(run(&format!("analyze {arguments}")).expect(2, &[fragment]).stdout, "", "{arguments}");
    }
}

#[test]
fn a_file_that_is_named_like_a_shard_and_its_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(MIXED, folder.path().join("10.0.0.1:6379=x.rdb")).expect("a copy");
    let run = |arguments: &str| outcome(bigkeys(arguments).current_dir(folder.path()));
    let shards = |outcome: super::Outcome| {
        let keys = outcome.expect(0, &[]).keys();
        (keys.len(), keys.iter().filter(|key| key.get("shard").is_some()).count())
    };
    let (keys, _) = shards(run("analyze -q 10.0.0.1:6379=x.rdb"));
    assert!(keys > 0);
    for (argument, expected) in [
        ("10.0.0.1:6379=x.rdb", (keys, 0)),
        ("./10.0.0.1:6379=x.rdb", (keys, 0)),
        ("h:1=10.0.0.1:6379=x.rdb", (keys, keys)),
    ] {
        assert_eq!(shards(run(&format!("analyze -q {argument}"))), expected, "{argument}");
    }
    run("10.0.0.2:6379=x.rdb").expect(2, &["x.rdb: could not open it"]);
}
