//! `get` and `export`.

use std::fs;

use serde_json::Value;

use super::{MIXED, bigkeys, outcome, run};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_key_by_its_name_and_by_its_offset() {
    let rows = lines(&run(&format!("keys --format ndjson {MIXED}")).expect(0, &[]).stdout);
    let mut kinds = std::collections::BTreeSet::new();
    for row in rows.iter().filter(|row| kinds.insert(row["type"].to_string())) {
        let mut command = bigkeys(&format!("get {MIXED} --json --quiet"));
        match row["name_base64"].as_str() {
            Some(name) => command.args(["--key-base64", name]),
            None => command.arg(row["name"].as_str().unwrap()),
        };
        command.args(["--db", &row["db"].to_string()]);
        let by_name = lines(&outcome(&mut command).expect(0, &[]).stdout);
        assert_eq!(by_name.len(), 1);
        for column in ["name", "type", "size", "offset", "memory_bytes", "stored_as", "loaded_as", "serialized_bytes"] {
            assert_eq!(by_name[0].get(column).unwrap_or(&Value::Null), &row[column], "{column} of {row}");
        }
        let elements = by_name[0]["elements"].as_array().unwrap();
        assert!(!elements.is_empty());
        let by_offset = lines(&run(&format!("get {MIXED} --json --offset {}", row["offset"])).expect(0, &[]).stdout);
        assert_eq!(by_offset[0]["db"], Value::Null);
        assert_eq!(by_offset[0]["elements"], by_name[0]["elements"]);
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
}

#[test]
fn a_person_pages_through_a_list() {
    let dump = "fixtures/list_many_nodes_v11.rdb";
    let rows = lines(&run(&format!("keys --format ndjson {dump}")).expect(0, &[]).stdout);
    let row = rows.iter().max_by_key(|row| row["size"].as_u64()).unwrap();
    let at = format!("get {dump} --offset {}", row["offset"]);
    let card = run(&at).expect(0, &[]).stdout;
    assert!(card.contains("database    unknown") && card.contains("50 of"), "{card}");
    assert!(card.contains("; the next: --from 50\n"), "{card}");
    let page = run(&format!("{at} --from 50 --limit 3 --json")).expect(0, &[]).stdout;
    let indexes: Vec<u64> = lines(&page)[0]["elements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|element| element["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [50, 51, 52]);
    let largest = lines(&run(&format!("{at} --largest --limit 2 --json")).expect(0, &[]).stdout);
    let shown = largest[0]["elements"].as_array().unwrap();
    assert_eq!(shown.len(), 2);
    let all = lines(&run(&format!("{at} --json")).expect(0, &[]).stdout);
    let most = all[0]["elements"].as_array().unwrap().iter().map(|element| element["bytes"].as_u64()).max().unwrap();
    assert!(shown.iter().any(|element| element["bytes"].as_u64() == most));
}

#[test]
fn what_get_cannot_find_or_do() {
    run(&format!("get {MIXED} no-such-key")).expect(2, &["no key of this name"]);
    run(&format!("get {MIXED} string --db 999")).expect(2, &["no key of this name in database 999"]);
    run(&format!("get {MIXED}")).expect(2, &["KEY"]);
    run(&format!("get {MIXED} other --offset 0")).expect(1, &["at byte 0: no sound key's record begins here"]);
    run("get no-such-file.rdb k").expect(2, &["no-such-file.rdb"]);
}

#[test]
fn the_form_follows_from_the_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).display().to_string();
    for (name, start) in [("a.ndjson", "{\"db\":"), ("a.csv", "dump,db,name"), ("a.resp", "*2\r\n$6\r\nSELECT\r\n")] {
        run(&format!("export fixtures/mixed_all_v10.rdb -o {}", to(name))).expect(0, &[]);
        let written = fs::read(to(name)).unwrap();
        assert!(written.starts_with(start.as_bytes()), "{name}: {}", written[..40].escape_ascii());
    }
    #[cfg(feature = "columnar")]
    for (name, start) in [("a.parquet", &b"PAR1"[..]), ("a.arrow", b"ARROW1")] {
        run(&format!("export {MIXED} -o {}", to(name))).expect(0, &[]);
        assert!(fs::read(to(name)).unwrap().starts_with(start));
    }
    let deleted = run(&format!("export {MIXED} --format delete --db 0 --type hash")).expect(0, &[]).stdout;
    assert!(deleted.starts_with("SELECT 0\nUNLINK \""), "{deleted}");
    let expiring = run(&format!("export {MIXED} --format expire --expire-in 7d --db 0")).expect(0, &[]).stdout;
    assert!(
        expiring.lines().skip(1).all(|line| line.starts_with("EXPIRE \"") && line.ends_with("\" 604800")),
        "{expiring}"
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for (arguments, sentence) in [
        ("--expire-in 7d", "--expire-in and --format expire go together"),
        ("--format expire", "--expire-in and --format expire go together"),
        ("--format ndjson --as csv", "--as is for"),
        ("--format resp --as csv", "resp is written as native or restore"),
        ("--format elements --as restore", "elements are written as"),
        ("--target redis-7.0", "--target is for --format resp"),
    ] {
        run(&format!("export {MIXED} {arguments}")).expect(2, &[sentence]);
    }
}
