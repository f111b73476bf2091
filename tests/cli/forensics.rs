//! `grep`, `timeline` and `carve` from outside.

use std::fs;

use serde_json::Value;

use super::support::assembler::Rdb;
use super::support::python::python_with;
use super::support::tools::pipe;
use super::{MIXED, bigkeys, outcome, run};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A dump whose names and values are made to act on whoever shows them.
fn hostile() -> Vec<u8> {
    Rdb::redis(10)
        .select_db(0)
        .key(0, "\x1b]0;owned\x07|=cmd()\n../../etc/passwd", |b| b.string("=1+1\x1b[31m needle \u{202e}\t|\r\n"))
        .key(0, b"\xff\xfe", |b| b.string(b"needle \xff"))
        .eof()
}

fn assert_is_harmless(text: &str) {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    assert!(text.chars().all(is_harmless), "{text:?}");
}

#[test]
fn a_search_ends_as_greps_do() {
    let all = run(&format!("grep --json 8[.]6 {MIXED}")).expect(0, &[]).stdout;
    assert!(!lines(&all).is_empty());
    run(&format!("grep no-such-text {MIXED}")).expect(1, &[]);
    run(&format!("grep x* {MIXED}")).expect(2, &["the pattern matches the empty text"]);
    run(&format!("grep ( {MIXED}")).expect(2, &["invalid PATTERN"]);
    run(&format!("grep --hex 7 {MIXED}")).expect(2, &["an even number of hexadecimal digits"]);
    run("grep x no/such.rdb").expect(2, &["no/such.rdb"]);
    let count = |more: &str| run(&format!("grep -c {more} {MIXED}")).expect(0, &[]).stdout;
    assert_eq!(count("--hex 6c69"), count("--fixed li"));
    let counted: usize = count("--fixed li").trim().parse().unwrap();
    assert_eq!(run(&format!("grep -F li {MIXED}")).expect(0, &[]).stdout.lines().count(), counted);
    assert_eq!(run(&format!("grep -F li -m 3 {MIXED}")).expect(0, &[]).stdout.lines().count(), 3);
    let two = run(&format!("grep -c -F li {MIXED} {MIXED}")).expect(0, &[]).stdout;
    assert_eq!(two, format!("{MIXED}\t{counted}\n").repeat(2));
}

#[test]
fn damage_is_an_error_of_a_search_and_what_was_found_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.rdb");
    let whole =
        Rdb::redis(10).select_db(0).key(0, "k", |b| b.string("needle")).key(0, "l", |b| b.string("other")).eof();
    fs::write(&path, &whole[..whole.len() - 12]).unwrap();
    let cut = run(&format!("grep needle {}", path.display())).expect(2, &["cut.rdb"]);
    assert_eq!(cut.stdout, "0\tk\t@11\tvalue\t+0\tneedle\n");
    run(&format!("grep absent {}", path.display())).expect(2, &["cut.rdb"]);
}

#[test]
fn keys_are_printed_once() {
    let rows = run(&format!("grep -l --json [0-9] --type hash {MIXED}")).expect(0, &[]).stdout;
    let rows = lines(&rows);
    let offsets: std::collections::BTreeSet<u64> = rows.iter().map(|row| row["offset"].as_u64().unwrap()).collect();
    assert!(rows.len() > 1 && offsets.len() == rows.len());
    assert!(rows.iter().all(|row| row["type"] == "hash" && row.get("match").is_none()));
}

#[test]
fn nothing_that_is_found_acts_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.rdb");
    fs::write(&path, hostile()).unwrap();
    let mut command = bigkeys("grep needle");
    let text = outcome(command.arg(&path)).expect(0, &[]).stdout;
    assert_is_harmless(&text);
    assert!(text.lines().all(|line| line.split('\t').count() == 6) && text.lines().count() == 2, "{text}");
    let mut command = bigkeys("grep --json needle");
    let json = outcome(command.arg(&path)).expect(0, &[]).stdout;
    assert_is_harmless(&json);
    let rows = lines(&json);
    assert_eq!(rows[0]["before"], "=1+1\x1b[31m ");
    assert_eq!(rows[1]["name_base64"], "//4=");
    assert_eq!((&rows[1]["after"], &rows[1]["match"]), (&Value::from("base64:IP8="), &Value::from("needle")));
}

// ---- timeline

fn in_folder(dump: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder, a file");
    let path = folder.path().join("dump.rdb");
    fs::write(&path, dump).expect("a folder, a file");
    let path = path.display().to_string();
    (folder, path)
}

/// Names that are made to act, each with an expiry.
fn hostile_times() -> Vec<u8> {
    let dump = Rdb::redis(10).aux("ctime", "1700000000").aux("repl-offset", "=1+1").select_db(0);
    let names: [&[u8]; 5] = [b"=cmd()|' /C calc'!A0", b"a,b\"c", b"|x|\n0|y|", b"\x1b[2J\xff", b"plain"];
    let with_keys = |rdb: Rdb, name: &&[u8]| rdb.expire_ms(1_700_000_000_123).key(0, name, |b| b.string("v"));
    names.iter().fold(dump, with_keys).expire_ms(-5).key(0, "before 1970", |b| b.string("v")).eof()
}

#[test]
fn a_timeline_keeps_the_rules_of_its_formats() {
    let (folder, path) = in_folder(&hostile_times());
    let json = run(&format!("timeline {path}")).expect(0, &[]).stdout;
    assert_is_harmless(&json);
    let rows = lines(&json);
    assert_eq!(rows.len(), 7);
    for row in &rows {
        let datetime: jiff::Timestamp = row["datetime"].as_str().unwrap().parse().unwrap();
        assert_eq!(datetime.as_microsecond(), row["timestamp"].as_i64().unwrap());
        assert!(!row["message"].as_str().unwrap().is_empty() && !row["timestamp_desc"].as_str().unwrap().is_empty());
        assert_eq!(row["datetime"].as_str().unwrap().len(), "2023-11-14T22:13:20.123000+00:00".len());
    }
    assert_eq!((&rows[0]["data_type"], &rows[0]["repl_offset"]), (&"redis:rdb:dump_created".into(), &"=1+1".into()));
    assert_eq!(rows[1]["datetime"], "2023-11-14T22:13:20.123000+00:00");
    assert_eq!(rows[4]["name_base64"], "G1sySv8=");

    let csv = run(&format!("timeline --format l2tcsv {path}")).expect(0, &[]).stdout;
    assert_is_harmless(&csv);
    let header =
        "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra";
    assert_eq!(csv.lines().next(), Some(header));
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), 17, "{line}");
        assert!(fields.iter().all(|field| *field == "-" || !field.starts_with(['=', '+', '-', '@', '\t'])), "{line}");
        assert!(!line.contains('"') && fields[2] == "UTC" && fields[11] == "2", "{line}");
    }
    assert!(csv.contains("11/14/2023,22:13:20,UTC,M...,") && csv.contains("key_base64: YSxiImM="), "{csv}");

    let body = run(&format!("timeline --format body {path}")).expect(0, &["left out 1 event"]).stdout;
    assert_is_harmless(&body);
    for line in body.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        assert_eq!(fields.len(), 11, "{line}");
        let times: Vec<i64> = fields[7..].iter().map(|time| time.parse().unwrap()).collect();
        assert_eq!(times.iter().filter(|time| **time > 0).count(), 1, "{line}");
    }
    assert_eq!(body.lines().count(), 6);

    // The ending says which, and the order is that of the dump for any number of threads.
    let out = folder.path().join("t.csv");
    let mut command = bigkeys(&format!("timeline {path} --segment-bytes 30 --threads 3 -o"));
    outcome(command.arg(&out)).expect(0, &[]);
    assert_eq!(fs::read_to_string(out).unwrap(), csv);
    run(&format!("timeline {path} -o {path}")).expect(2, &["refusing to overwrite"]);
}

#[test]
fn a_dump_without_its_own_time_says_what_is_left_out() {
    let dump = Rdb::redis(10).aux("repl-offset", "5").select_db(0).idle(9).key(0, "k", |b| b.string("v")).eof();
    let (_folder, path) = in_folder(&dump);
    let told = run(&format!("timeline {path}")).expect(0, &["repl-offset=5", "left out 1 event: idle times"]);
    assert_eq!(told.stdout, "");
}

/// With pandas where it is installed.
#[test]
fn other_readers_of_json_and_csv_read_a_timeline() {
    let Some(python) = python_with("csv, json", "install Python 3") else { return };
    let (folder, path) = in_folder(&hostile_times());
    for file in ["t.jsonl", "t.csv"] {
        let out = folder.path().join(file);
        let mut command = bigkeys(&format!("timeline {MIXED} {path} -q -o"));
        outcome(command.arg(&out)).expect(0, &[]);
    }
    let script = "
import csv, json
from datetime import datetime, timezone
rows = [json.loads(line) for line in open('t.jsonl', encoding='utf-8')]
events = list(csv.DictReader(open('t.csv', encoding='utf-8', newline='')))
assert len(rows) == len(events) > 5, (len(rows), len(events))
for row, event in zip(rows, events):
    at = datetime.fromisoformat(row['datetime'])
    assert round(at.timestamp() * 1e6) == row['timestamp'] and row['message'] and row['timestamp_desc'] == event['type']
    same = datetime.strptime(event['date'] + ' ' + event['time'], '%m/%d/%Y %H:%M:%S').replace(tzinfo=timezone.utc)
    assert same == at.replace(microsecond=0) and None not in event and len(event) == 17, event
try:
    import pandas as pd
except ImportError:
    raise SystemExit
j = pd.read_json('t.jsonl', lines=True, convert_dates=False)
assert j[['message', 'datetime', 'timestamp', 'timestamp_desc']].notna().all().all()
assert (pd.to_datetime(j['datetime'], utc=True).astype('int64') % 10**9 >= 0).all()
assert pd.read_csv('t.csv', keep_default_na=False, dtype=str).shape == (len(j), 17)
";
    let output = std::process::Command::new(python).args(["-c", script]).current_dir(folder.path()).output();
    let output = output.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

// ---- carve

#[test]
fn what_is_carved_is_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("image"), folder.path().join("out"));
    let dump = fs::read(MIXED).unwrap();
    fs::write(&image, [&vec![0; 70_000][..], &dump, &[0x55; 3000], &dump[..500]].concat()).unwrap();
    let (image, out) = (image.display().to_string(), out.display().to_string());
    let listed = lines(&run(&format!("carve {image} --list --json")).expect(0, &[]).stdout);
    let found = lines(&run(&format!("carve {image} -o {out} --json")).expect(0, &[]).stdout);
    assert_eq!(listed.len(), 2);
    for (listed, found) in listed.iter().zip(&found) {
        for member in ["offset", "bytes", "soundness", "sha256", "keys"] {
            assert_eq!(listed[member], found[member]);
        }
    }
    assert_eq!((&found[0]["soundness"], &found[1]["soundness"]), (&"sound".into(), &"cut".into()));
    assert_eq!(fs::read(format!("{out}/70000.rdb")).unwrap(), dump);
    assert_eq!(fs::read(format!("{out}/{}.rdb", 73_000 + dump.len())).unwrap(), dump[..500]);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    let sha256 = pipe("sha256sum", &dump).unwrap();
    assert!(sha256.starts_with(found[0]["sha256"].as_str().unwrap().as_bytes()));
    // Nothing is written over, and nothing is written where a link leads.
    run(&format!("carve {image} -o {out}")).expect(2, &["70000.rdb: refusing to overwrite it"]);
    fs::remove_file(format!("{out}/70000.rdb")).unwrap();
    std::os::unix::fs::symlink("/dev/null", format!("{out}/70000.rdb")).unwrap();
    run(&format!("carve {image} -o {out}")).expect(2, &["refusing to overwrite it"]);
}

/// Records without a start are found by their names, and what only looks like records is not.
#[test]
fn runs_of_records_are_told_from_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image").display().to_string();
    let run_of = |name: &dyn Fn(u32) -> Vec<u8>| {
        let records: Vec<u8> = (0..100).flat_map(|at| [&[0, 9][..], &name(at), &[5], b"value"].concat()).collect();
        fs::write(&path, [&[0x77; 5000][..], &records, &[0xfe; 3000]].concat()).unwrap();
        let found = run(&format!("carve {path} --list --json"));
        lines(&found.stdout).into_iter().filter(|found| found["kind"] == "headless").count()
    };
    let texts = |at: u32| format!("user:{at:04}").into_bytes();
    let ids = |at: u32| [&at.wrapping_mul(0x9E37_79B9).to_be_bytes()[..], &[0xff, 0, 1, 2, 3]].concat();
    assert_eq!((run_of(&texts), run_of(&ids)), (1, 1));
    // A table that repeats itself.
    assert_eq!(run_of(&|at| format!("user:{:04}", at % 7).into_bytes()), 0);
}

#[test]
fn what_cannot_be_carved_is_said() {
    run("carve /dev/null --list").expect(2, &["only a regular file"]);
    run("carve no/such --list").expect(2, &["no/such: could not open it"]);
    run(&format!("carve {MIXED}")).expect(2, &["--output <DIR>"]);
    run("carve Cargo.toml --list").expect(0, &["found nothing"]);
    run(&format!("carve {MIXED} -o no/such/folder")).expect(2, &["no/such/folder: could not make it"]);
}
