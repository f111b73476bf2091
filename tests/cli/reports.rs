//! Reports from outside: formats, merging, refusals, and scans that are interrupted.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{MIXED, Outcome, bigkeys, ended, run};

const CUT: &str = "fixtures/refused/cut_in_string_v09.rdb";

fn report(arguments: &str) -> Value {
    serde_json::from_str(&run(arguments).expect(0, &[]).stdout).expect("JSON")
}

#[test]
fn a_report_says_what_the_file_is() {
    let report = report(&format!("report --format json --sha256 {MIXED}"));
    let dump = &report["dumps"][0];
    assert_eq!((dump["dialect"].as_str(), dump["rdb_version"].as_u64()), (Some("Redis"), Some(13)));
    assert_eq!(dump["target"], "redis-8.6");
    assert_eq!(dump["bytes"].as_u64(), fs::metadata(MIXED).ok().map(|metadata| metadata.len()));
    let sum = Command::new("sha256sum").arg(MIXED).output().expect("sha256sum").stdout;
    assert!(sum.starts_with(dump["sha256"].as_str().expect("a digest").as_bytes()));
    assert_eq!(report["is_complete"], true);
}

#[test]
fn targets_and_filters() {
    let memory = |arguments: &str| {
        report(&format!("report --format json {arguments} {MIXED}"))["totals"]["memory_bytes"].as_u64().expect("bytes")
    };
    let own = memory("");
    assert_eq!(memory("--target redis-8.6"), own);
    assert_ne!(memory("--target redis-7.0"), own);
    assert_ne!(memory("--allocator libc"), own);
    assert!(memory("--type hash") < own);
    let databases = report(&format!("report --format json --db 1 {MIXED}"));
    assert_eq!(databases["databases"].as_array().map(Vec::len), Some(1));
}

#[test]
fn damage_is_in_the_report() {
    let outcome = run(&format!("report --format json {CUT}")).expect(1, &["at byte 48"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((&report["is_complete"], &report["totals"]["keys"]), (&Value::Bool(false), &Value::from(1)));
    assert!(report["dumps"][0]["damage"].as_str().is_some_and(|damage| damage.contains("at byte 48")));
    let table = run(&format!("report {CUT}")).expect(1, &["at byte 48"]);
    assert!(table.stdout.contains("incomplete"), "{}", table.stdout);
    let rows = run(&format!("keys --format csv {CUT}")).expect(1, &["at byte 48"]);
    assert_eq!(rows.stdout.lines().count(), 2);
}

#[test]
fn merging_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let other = "fixtures/mixed_all_v80.rdb";
    run(&format!("report --format json {MIXED} -o {}", path("a"))).expect(0, &[]);
    run(&format!("report --format json {other} -o {}", path("b"))).expect(0, &[]);
    let merged = run(&format!("merge --format json {} {}", path("a"), path("b"))).expect(0, &[]).stdout;
    assert_eq!(merged, run(&format!("report --format json {MIXED} {other}")).expect(0, &[]).stdout);
    assert!(run(&format!("merge {}", path("a"))).expect(0, &[]).stdout.contains("Prefixes"));

    fs::write(path("c"), "{}").expect("a file");
    run(&format!("merge {} {}", path("a"), path("c")))
        .expect(2, &["c: not a bigkeys report (expected the JSON of `bigkeys report --format json`)"]);
    run(&format!("merge {}", path("none"))).expect(2, &["none: could not open it"]);
    run(&format!("merge --format csv {}", path("a")))
        .expect(2, &["[possible values: table, json, html, folded, openmetrics]"]);
    run(&format!("report --format json --separators / {other} -o {}", path("d"))).expect(0, &[]);
    run(&format!("merge {} {}", path("a"), path("d"))).expect(2, &["d: it was made with --separators /"]);

    run(&format!("report --format json --type hash {other} -o {}", path("e"))).expect(0, &[]);
    run(&format!("merge {} {}", path("a"), path("e")))
        .expect(2, &["e: it was made with --type hash, the reports before it with no filter; use --force"]);
    let forced = run(&format!("merge --format json --force {} {}", path("a"), path("e"))).expect(0, &[]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&forced).expect("JSON")["filters"], serde_json::json!({"is_mixed": true}));
    run(&format!("merge {} {}", path("a"), path("a"))).expect(2, &["is the same dump as", "--force"]);
    run(&format!("merge --force {} {}", path("a"), path("a"))).expect(0, &[]);
}

#[test]
fn reports_that_cannot_be() {
    run(&format!("report --per-file {MIXED}")).expect(2, &["unexpected argument '--per-file'"]);
    run(&format!("report --target redis-5.0 {MIXED}")).expect(2, &["redis-6.2", "valkey-9.1"]);
    run(&format!("keys --format csv --largest {MIXED}")).expect(2, &["unexpected argument '--largest'"]);
    run(&format!("analyze --largest {MIXED}")).expect(2, &["unexpected argument '--largest'"]);
    for (option, formats) in
        [("--largest", "table, json or html"), ("--top 3", "table, json or html"), ("--sha256", "json or html")]
    {
        let refused = run(&format!("report --format folded {option} {MIXED}"));
        refused.expect(2, &[&format!("has no effect on this format: use it with --format {formats}")]);
    }
    run(&format!("report --sha256 {MIXED}")).expect(2, &["--sha256 has no effect on this format"]);
    run("report --format json --sha256 fixtures/none.rdb").expect(2, &["fixtures/none.rdb"]);
}

#[test]
fn largest_elements_are_looked_for_when_asked() {
    let report = report(&format!("report --format json --largest {MIXED}"));
    let lists = report["top"].as_array().expect("lists");
    let named = lists
        .iter()
        .flat_map(|list| list["keys"].as_array().expect("keys"))
        .filter(|key| key["largest_element"].is_object());
    assert!(named.count() > 50);
    let table = run(&format!("report --largest {MIXED}")).expect(0, &[]).stdout;
    assert!(table.contains("largest element "), "{table}");
    let plain = run(&format!("report {MIXED}")).expect(0, &[]).stdout;
    assert!(!plain.contains("largest element "), "{plain}");

    let mut piped = bigkeys("report --format json --largest -");
    let outcome = piped.stdin(fs::File::open(MIXED).expect("a dump")).output().expect("the program runs");
    assert_eq!(outcome.status.code(), Some(0));
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("skipped the search for largest elements"), "{said}");
}

#[test]
fn an_interrupted_scan_is_reported_as_far_as_it_came() {
    for verb in ["report", "report --format json", "keys --format ndjson", "analyze", "analyze --per-file"] {
        let outcome = interrupted_halfway(&format!("{verb} -"));
        assert_eq!(outcome.code, Some(130), "{verb}: {outcome:?}");
        assert!(outcome.stderr.contains("interrupted at byte"), "{verb}: {}", outcome.stderr);
        assert!(!outcome.stdout.is_empty(), "{verb}");
    }
}

#[test]
fn an_interrupted_merge_prints_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json").display().to_string();
    run(&format!("report -q {MIXED} -o {path}")).expect(0, &[]);
    let report = fs::read(&path).expect("the report");
    let outcome = interrupted_after(&format!("merge {path} -"), &report[..report.len() / 2]);
    assert_eq!(outcome.expect(130, &["interrupted; not all reports were read"]).stdout, "");
}

#[test]
fn the_ending_says_the_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (command, name, same) in [
        ("report", "a.json", "report --format json"),
        ("report", "a.JSON", "report --format json"),
        ("report", "a.folded", "report --format folded"),
        ("report", "a.txt", "report"),
        ("report --format table", "b.json", "report"),
        ("keys", "a.csv", "keys"),
        ("keys", "a.ndjson", "keys --format ndjson"),
        ("keys", "a.jsonl", "keys --format ndjson"),
    ] {
        run(&format!("{command} {MIXED} -o {}", path(name))).expect(0, &[]);
        let written = fs::read_to_string(path(name)).expect("the file");
        assert_eq!(written, run(&format!("{same} {MIXED}")).expect(0, &[]).stdout, "{command} -o {name}");
    }
    assert_eq!(run(&format!("keys {MIXED} no/such.rdb")).expect(2, &["no/such.rdb"]).stdout, "", "not even a header");
    for (command, name, sentence) in [
        (
            "report",
            "a.csv",
            "a report cannot be written as .csv; use `bigkeys keys` (formats: table, json, html, folded, openmetrics)",
        ),
        ("keys", "a.html", "rows cannot be written as .html; use `bigkeys report` (formats: csv, ndjson"),
        ("keys", "a.json", "rows cannot be written as .json; use `bigkeys report` (formats: csv, ndjson"),
        ("keys", "a.csv.gz", "bigkeys does not compress, so pipe its output into a compressor"),
        ("analyze", "a.parquet", "a task cannot be written as .parquet; use `bigkeys keys` (formats: json)"),
    ] {
        run(&format!("{command} {MIXED} -o {}", path(&format!("new-{name}")))).expect(2, &[sentence]);
        assert!(!folder.path().join(format!("new-{name}")).exists());
    }
}

#[test]
fn a_dump_alone_is_a_report() {
    let report = run(&format!("report --top 5 {MIXED}")).expect(0, &[]);
    assert!(report.stdout.contains("Prefixes"));
    assert_eq!(run(&format!("--top 5 {MIXED}")), report);
    assert_eq!(run(&format!("{MIXED} --top 5")), report);
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(MIXED, folder.path().join("check")).expect("a copy");
    let there = |arguments: &str| super::outcome(bigkeys(arguments).current_dir(folder.path()));
    let named = there("./check --top 5").expect(0, &[]);
    assert_eq!(named.stdout.replace("./check", MIXED), report.stdout);
    there("check").expect(2, &["<DUMP>"]);
    there("check check").expect(0, &[]);
}

/// Runs the program, which reads half of a dump from a pipe before Ctrl-C comes.
pub(super) fn interrupted_halfway(arguments: &str) -> Outcome {
    let dump = fs::read(MIXED).expect("a dump");
    interrupted_after(arguments, &dump[..dump.len() / 2])
}

/// Runs the program, which reads so many bytes from a pipe before Ctrl-C comes.
fn interrupted_after(arguments: &str, bytes: &[u8]) -> Outcome {
    let mut command = bigkeys(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // The reader waits to fill its chunk while the scan has work; what comes after a pause it hands over at once.
    let (first, last) = bytes.split_at(bytes.len() - 1);
    stdin.write_all(first).expect("the program reads");
    std::thread::sleep(Duration::from_millis(300));
    stdin.write_all(last).expect("the program reads");
    interrupt(&child, bytes.len());
    drop(stdin);
    ended(child)
}

/// Sends Ctrl-C to a child once it catches it and has read so many bytes: what would end it before says nothing.
pub(super) fn interrupt(child: &Child, bytes_sent: usize) {
    let id = child.id().to_string();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !catches_interrupts(&id) || read_bytes(&id) < bytes_sent as u64 {
        assert!(Instant::now() < deadline, "no handler for Ctrl-C");
        std::thread::sleep(Duration::from_millis(5));
    }
    // What it has read is scanned meanwhile, on a busy machine too.
    std::thread::sleep(Duration::from_millis(300));
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    std::thread::sleep(Duration::from_millis(100));
}

/// What a process has read so far, from wherever.
fn read_bytes(id: &str) -> u64 {
    let io = fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
    let bytes = io.lines().find_map(|line| line.strip_prefix("rchar: ")).and_then(|bytes| bytes.parse().ok());
    bytes.unwrap_or(0)
}

/// Whether a process has a handler for SIGINT, the second bit of the mask of those it catches.
fn catches_interrupts(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 2 != 0)
}
