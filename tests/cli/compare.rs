//! `digest`, `diff` and `extract`.

use std::fs;

use serde_json::Value;

use super::{MIXED, run};

const OTHER: &str = "fixtures/mixed_all_v12.rdb";

#[test]
fn a_digest_a_dump() {
    let printed = run(&format!("digest {MIXED} {OTHER}")).expect(0, &[]).stdout;
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() == 2 && lines[0].ends_with(&format!("  {MIXED}")), "{printed}");
    assert!(lines[0].bytes().take(40).all(|byte| byte.is_ascii_hexdigit()), "{printed}");
    let json: Value = serde_json::from_str(&run(&format!("digest --json {MIXED}")).expect(0, &[]).stdout).unwrap();
    assert_eq!(json["digest"].as_str().unwrap(), &lines[0][..40]);
    assert!(json["is_complete"] == true && json["databases"].as_array().unwrap().len() > 1, "{json}");
    let keys = run(&format!("digest --keys --db 0 {MIXED}")).expect(0, &[]).stdout;
    assert!(keys.lines().all(|line| line.starts_with("{\"db\":0,\"name\":\"")), "{keys}");
    run(&format!("digest --keys --json {MIXED}")).expect(2, &["cannot be used with"]);
    run("digest no-such-file.rdb").expect(2, &["no-such-file.rdb"]);
}

#[test]
fn a_dump_of_some_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let wrote = run(&format!("extract {MIXED} --type hash --db 0 --db-map 0=5 -o {}", path("hashes.rdb")));
    wrote.expect(0, &["hashes.rdb: wrote ", "function libraries and module data are copied only if all keys are"]);
    let rows = run(&format!("keys --format ndjson {}", path("hashes.rdb"))).expect(0, &[]).stdout;
    assert!(!rows.is_empty());
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        assert_eq!((&row["db"], &row["type"]), (&5.into(), &"hash".into()));
    }
    let whole = run(&format!("extract -q {MIXED} -o {}", path("all.rdb"))).expect(0, &[]);
    assert_eq!((whole.stdout.as_str(), whole.stderr.as_str()), ("", ""));
    let digests = run(&format!("digest {MIXED} {}", path("all.rdb"))).expect(0, &[]).stdout;
    let digests: Vec<&str> = digests.lines().map(|line| &line[..40]).collect();
    assert_eq!(digests[0], digests[1]);
    fs::write(
        path("nodes.conf"),
        "aa :1@2 master - 0 0 1 connected 0-8000\nbb :1@2 master - 0 0 1 connected 8001-16383\n",
    )
    .unwrap();
    run(&format!("extract {MIXED} --split-slots {} -o {}", path("nodes.conf"), path("shards")))
        .expect(0, &["shards/aa.rdb: wrote ", "shards/bb.rdb: wrote "]);
    run(&format!("check {} {}", path("shards/aa.rdb"), path("shards/bb.rdb"))).expect(0, &[]);
}

#[test]
fn what_extract_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(&format!("extract {MIXED}")).expect(2, &["--output"]);
    run(&format!("extract {MIXED} -o {}", path("no/such/folder.rdb"))).expect(2, &["could not write it"]);
    run(&format!("extract {MIXED} --rdb-version 5 -o {}", path("x"))).expect(2, &["expected 6 to 16 for Redis, or 80"]);
    run(&format!("extract {MIXED} --db-map 3 -o {}", path("x"))).expect(2, &["expected two databases, e.g. 3=0"]);
    run(&format!("extract {MIXED} --db-map 3=0 --db-map 3=1 -o {}", path("x")))
        .expect(2, &["gives database 3 two numbers"]);
    run(&format!("extract {MIXED} --now 0 -o {}", path("x"))).expect(2, &["--now decides which keys have expired"]);
    run(&format!("extract {MIXED} --split-slots Cargo.toml -o {}", path("x")))
        .expect(2, &["Cargo.toml: line 1: expected"]);
    run(&format!("extract {MIXED} - -o {}", path("x"))).expect(2, &["store this one as a file first"]);
    run(&format!("extract README.md -o {}", path("x"))).expect(1, &["nothing is written"]);
    assert!(!folder.path().join("x").exists());
    fs::copy(MIXED, path("same.rdb")).unwrap();
    run(&format!("extract {0} -o {0}", path("same.rdb"))).expect(2, &["refusing to overwrite an input file"]);
    // A cut dump: what came before is written, and said.
    let bytes = fs::read(MIXED).unwrap();
    fs::write(path("cut.rdb"), &bytes[..bytes.len() / 2]).unwrap();
    run(&format!("extract {} -o {}", path("cut.rdb"), path("part.rdb")))
        .expect(1, &["part.rdb: wrote ", "the dump ends"]);
    run(&format!("check {}", path("part.rdb"))).expect(0, &[]);
}

#[test]
fn two_moments() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let table = run(&format!("diff {MIXED} fixtures/shop_v10.rdb --maxmemory 1T"))
        .expect(0, &["--target compares alike"])
        .stdout;
    for text in ["\nKeys (compared in 1 pass)\n", "\nPrefixes of keys ", "\n1.0 TiB is ", "\nLargest keys that came\n"]
    {
        assert!(table.contains(text), "{text}: {table}");
    }
    // The same keys from two servers, in other encodings.
    let same = run(&format!("diff --target redis-8.6 {OTHER} {MIXED}")).expect(0, &[]).stdout;
    assert!(same.contains("Keys (no key changed)"), "{same}");
    run(&format!("report --target redis-8.6 {OTHER} -o {}", path("old.json"))).expect(0, &[]);
    run(&format!("report --target redis-8.6 {MIXED} -o {}", path("new.json"))).expect(0, &[]);
    let of_reports =
        run(&format!("diff --format json {} {}", path("old.json"), path("new.json"))).expect(0, &[]).stdout;
    let mixed = format!("diff --target redis-8.6 --format json {} {MIXED}", path("old.json"));
    let [of_reports, of_both] =
        [of_reports, run(&mixed).expect(0, &[]).stdout].map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
    assert_eq!(of_reports, of_both);
    assert!(of_both.get("keys").is_none() && of_both["totals"]["keys_change"].is_i64(), "{of_both}");
    run(&format!("diff --target redis-8.6 {OTHER} {MIXED} -o {}", path("x.folded"))).expect(0, &[]);
    let stacks = fs::read_to_string(path("x.folded")).unwrap();
    assert!(
        stacks.lines().all(|line| line.split(' ').rev().take(2).all(|number| number.parse::<u64>().is_ok())),
        "{stacks}"
    );
    run("diff - -").expect(2, &["standard input can be only one of the two"]);
    run(&format!("diff {MIXED} no-such-file.rdb")).expect(2, &["no-such-file.rdb"]);
    run(&format!("diff --db 0 {} {MIXED}", path("old.json"))).expect(2, &["the two reports are of different filters"]);
    run(&format!("diff README.md {MIXED}")).expect(1, &["README.md"]);
}
