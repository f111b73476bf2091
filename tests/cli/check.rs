//! `bigkeys check` and `bigkeys salvage`: exit codes, what is printed, and files that are written or left alone.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::reports::{interrupt, interrupted_halfway};
use super::{MIXED, Outcome, bigkeys, ended, run, stated_keys, write_long_dump};

const CUT: &str = "fixtures/refused/cut_in_string_v09.rdb";

fn objects(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a report's JSON")).collect()
}

/// A dump with a page of zeros in its middle.
fn zeroed(folder: &Path) -> String {
    let mut dump = fs::read(MIXED).expect("a dump");
    let page = dump.len() / 2 / 4096 * 4096;
    dump[page..page + 4096].fill(0);
    let path = folder.join("zeroed.rdb");
    fs::write(&path, dump).expect("a file");
    path.display().to_string()
}

#[test]
fn a_sound_dump_is_described() {
    let sound = run(&format!("check {MIXED}")).expect(0, &[]);
    for line in [&format!("{MIXED}: sound"), "  format: Redis RDB 13, written by version 8.6.2", "checksum verified"] {
        assert!(sound.stdout.contains(line), "{line}: {sound:#?}");
    }
    let keys = format!("  keys: {}, ", stated_keys(MIXED).len());
    assert!(sound.stdout.contains(&keys), "{sound:#?}");
    assert_eq!(run(&format!("check -q {MIXED}")).expect(0, &[]).stdout, "");
    let report = &objects(&run(&format!("check --json {MIXED}")).expect(0, &[]))[0];
    assert_eq!(report["sound"], true);
    assert_eq!(report["checksum"], "verified");
    assert_eq!(report["keys"], stated_keys(MIXED).len());
    assert_eq!(report["findings"], serde_json::json!([]));
}

#[test]
fn findings_have_their_place_and_key() {
    let found = run(&format!("check {CUT} {MIXED}")).expect(1, &[]);
    let sentence = "  at byte 48, db 0, key \"last\" (string): the dump ends inside the string: 8 bytes should follow, 4 remain; if";
    assert!(found.stdout.lines().any(|line| line.starts_with(sentence)), "{found:#?}");
    assert!(found.stdout.contains(&format!("{MIXED}: sound")), "{found:#?}");
    let report = &objects(&run(&format!("check --json {CUT}")).expect(1, &[]))[0];
    let finding = &report["findings"][0];
    assert_eq!((&finding["offset"], &finding["key"], &finding["kind"]), (&48.into(), &"last".into(), &"eof".into()));
    assert_eq!(report["sound"], false);
}

#[test]
fn what_is_no_dump_is_damaged_and_what_cannot_be_read_is_not() {
    let refused = run("check fixtures/aof_resp.aof").expect(1, &[]);
    assert!(refused.stdout.contains("append-only file of commands"), "{refused:#?}");
    let missing = run(&format!("check no/such.rdb {MIXED}")).expect(2, &["no/such.rdb: could not open it"]);
    assert!(missing.stdout.contains("sound"), "{missing:#?}");
}

#[test]
fn many_dumps_come_in_the_order_they_were_given() {
    let dumps = [MIXED, CUT, "fixtures/empty_v09.rdb", "no/such.rdb", "fixtures/aof_resp.aof", MIXED];
    let together = run(&format!("check --json {}", dumps.join(" "))).expect(2, &["no/such.rdb: could not open it"]);
    let named: Vec<Value> = objects(&together).into_iter().map(|report| report["dump"].clone()).collect();
    let there: Vec<&str> = dumps.into_iter().filter(|dump| Path::new(dump).exists()).collect();
    assert_eq!(named, there);
    let alone: Vec<Value> = there.iter().flat_map(|dump| objects(&run(&format!("check --json {dump}")))).collect();
    assert_eq!(objects(&together), alone);
    run(&format!("check -q {MIXED} {CUT} {MIXED}")).expect(1, &[]);
}

#[test]
fn a_stream_is_checked_as_a_file_is() {
    for fixture in [MIXED, CUT, "fixtures/refused/wrong_checksum_v09.rdb", "fixtures/aof_preamble_v09.aof"] {
        let mut file = objects(&run(&format!("check --json {fixture}")));
        let mut stdin = bigkeys("check --json -");
        stdin.stdin(fs::File::open(fixture).expect("a fixture")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut stream = objects(&ended(stdin.spawn().expect("the program starts")));
        assert_eq!(stream[0]["dump"], "standard input");
        for report in [&mut file[0], &mut stream[0]] {
            report.as_object_mut().expect("an object").remove("dump");
        }
        assert_eq!(file, stream, "{fixture}");
    }
}

#[test]
fn resynchronizing_is_asked_for_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = zeroed(folder.path());
    let stopped = &objects(&run(&format!("check --json {path}")).expect(1, &[]))[0];
    let gone_on = &objects(&run(&format!("check --json --resync {path}")).expect(1, &[]))[0];
    assert!(stopped["keys"].as_u64() < gone_on["keys"].as_u64(), "{stopped:#} {gone_on:#}");
    let skipped = &gone_on["skipped"][0];
    let (from, to) = (skipped["from"].as_u64().expect("from"), skipped["to"].as_u64().expect("to"));
    assert_eq!(skipped["bytes"], to - from);
    let told = ["were skipped", "what follows is resynchronized"];
    let analyzed = run(&format!("analyze --resync --all-types --top 100000 {path}")).expect(1, &told);
    let before = run(&format!("analyze --all-types --top 100000 {path}"));
    assert!(before.keys().len() < analyzed.keys().len());
    assert_eq!(analyzed.tasks()[0]["status"], "failed");
    assert!(!before.stderr.contains("skipped"));
    let mut piped = bigkeys("check --resync -");
    piped.stdin(fs::File::open(&path).expect("a file")).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(piped.spawn().expect("the program starts")).expect(2, &["only a file that is not compressed"]);
}

#[test]
fn what_is_salvaged_is_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = zeroed(folder.path());
    let saved = folder.path().join("saved.rdb");
    let account = &objects(&run(&format!("salvage {path} -o {}", saved.display())).expect(1, &[]))[0];
    assert_eq!(account["complete"], false);
    assert_eq!(account["bytes_written"], fs::metadata(&saved).expect("a file").len());
    let report = &objects(&run(&format!("check --json {}", saved.display())).expect(0, &[]))[0];
    assert_eq!(report["keys"], account["keys_written"]);
    let whole = &objects(&run(&format!("salvage {MIXED} -o {}", saved.display())).expect(0, &[]))[0];
    assert_eq!(whole["complete"], true);
}

#[test]
fn nothing_is_written_where_nothing_can_be_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.rdb");
    let out = out.display();
    run(&format!("salvage fixtures/aof_resp.aof -o {out}")).expect(1, &["append-only file of commands"]);
    run(&format!("salvage no/such.rdb -o {out}")).expect(2, &["could not open it"]);
    run(&format!("salvage {MIXED} -o {MIXED}")).expect(2, &["refusing to overwrite an input file"]);
    run(&format!("salvage {MIXED} -o /dev/full")).expect(2, &["could not write what was saved: No space left"]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

/// However early it ends, nothing half-written is left, neither at the place that was named nor beside it. Ctrl-C is no
/// end at once: what was found so far is written, and all of it.
#[test]
fn signals_leave_nothing_behind() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("task.json");
    let names = || fs::read_dir(folder.path()).expect("a folder").count();
    let begun = fs::read(MIXED).expect("a fixture");
    for (signal, sent) in
        [("-INT", &begun[..11]), ("-INT", &begun[..2000]), ("-TERM", &begun[..11]), ("-KILL", &begun[..11])]
    {
        let mut child = bigkeys(&format!("analyze - -o {}", place.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("its input");
        // It has opened its output before it reads, and then waits for the rest of the dump.
        stdin.write_all(sent).expect("it reads");
        std::thread::sleep(std::time::Duration::from_millis(200));
        let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(status.expect("kill starts").success());
        let ended = ended(child);
        drop(stdin);
        assert_eq!(ended.code, (signal == "-INT").then_some(130), "{ended:?}");
        if signal == "-INT" && sent.len() > 11 {
            let task = fs::read_to_string(&place).expect("the task so far");
            assert!(task.contains("\"status\":\"failed\"") && task.ends_with("}\n"), "{task}");
            fs::remove_file(&place).expect("it is there");
        }
        assert_eq!(names(), 0, "{signal}");
    }
    run(&format!("analyze {MIXED} -q -o {}", place.display())).expect(0, &[]);
    run(&format!("analyze {MIXED} -q -o {}", place.display())).expect(0, &[]);
    assert_eq!(names(), 1);
}

/// `/proc/self/mem` is a regular file of whose first page the system says that it cannot be read, as a broken disk does.
#[test]
fn a_disk_that_fails_is_told() {
    for arguments in ["analyze /proc/self/mem", "check /proc/self/mem", "salvage /proc/self/mem -o /dev/null"] {
        let failed = run(arguments).expect(2, &["/proc/self/mem: could not read it: Input/output error"]);
        assert_eq!(failed.stdout, "");
    }
}

#[test]
fn a_read_only_file_in_a_read_only_folder_and_nobody_special() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("a folder");
    let dump = locked.join("dump.rdb");
    fs::copy(MIXED, &dump).expect("a copy");
    fs::set_permissions(&dump, fs::Permissions::from_mode(0o444)).expect("rights");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("rights");
    let out = locked.join("out.rdb");
    for (arguments, code) in [
        (format!("check {}", dump.display()), 0),
        (format!("analyze -q {}", dump.display()), 0),
        (format!("salvage {} -o {}", dump.display(), out.display()), 2),
    ] {
        let outcome = super::outcome(&mut super::unprivileged(folder.path(), &arguments));
        let expected: &[&str] = if code == 2 { &["out.rdb: could not write it: Permission denied"] } else { &[] };
        outcome.expect(code, expected);
    }
    assert_eq!(fs::read_dir(&locked).expect("a folder").count(), 1);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).expect("rights");
}

#[test]
fn the_files_of_one_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, fields: &[(&str, &str)]| {
        let mut dump = b"REDIS0009".to_vec();
        for (name, value) in fields {
            dump.push(0xfa);
            for text in [name, value] {
                dump.push(u8::try_from(text.len()).expect("a short text"));
                dump.extend_from_slice(text.as_bytes());
            }
        }
        dump.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
        let path = folder.path().join(name);
        fs::write(&path, dump).expect("a file");
        path.display().to_string()
    };
    let summary = file("a-summary.dfs", &[("snapshot-id", "a1"), ("df-ver", "v1"), ("shard-count", "2")]);
    let shard = |name: &str, id: &str| file(name, &[("snapshot-id", id), ("df-ver", "v1")]);
    let (first, second, other) = (shard("a-0.dfs", "a1"), shard("a-1.dfs", "a1"), shard("b-1.dfs", "b2"));
    run(&format!("check {summary} {first} {second}")).expect(0, &[]);
    run(&format!("check {summary}")).expect(0, &[]);
    run(&format!("check {first} {other}")).expect(0, &[]);
    run(&format!("check {summary} {first}")).expect(1, &["the snapshot has 2 shard files besides this summary, 1 of"]);
    let mixed =
        ["2 shard files besides this summary, 1 of them given", "b-1.dfs: this file belongs to another snapshot"];
    run(&format!("check {summary} {first} {other}")).expect(1, &mixed);
}

#[test]
fn an_interrupted_check_says_what_it_found_and_what_it_did_not_look_at() {
    let text = interrupted_halfway(&format!("check - {MIXED}"));
    let text = text.expect(130, &["interrupted; dumps that were not checked: 1"]);
    for line in ["standard input: interrupted", "  interrupted at byte ", "  keys: "] {
        assert!(text.stdout.lines().any(|found| found.starts_with(line)), "{line}: {text:#?}");
    }
    let report = &objects(&interrupted_halfway("check --json -").expect(130, &[]))[0];
    assert_eq!((&report["sound"], &report["findings"]), (&Value::Bool(false), &serde_json::json!([])));
    assert!(report["interrupted_at"].as_u64() > Some(0) && report["keys"].as_u64() > Some(0), "{report:#}");
}

#[test]
fn progress_of_checks_and_salvages() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("saved.rdb");
    for arguments in [
        format!("check --progress always {MIXED}"),
        format!("salvage --progress always {MIXED} -o {}", saved.display()),
        format!("merge --progress always {}", report_of(folder.path())),
    ] {
        let told = run(&arguments).expect(0, &["% done, ", " keys"]);
        assert!(told.stderr.lines().all(|line| line.starts_with("bigkeys: ")), "{told:#?}");
    }
    run(&format!("check -q --progress always {MIXED}")).expect(0, &[]);
}

fn report_of(folder: &Path) -> String {
    let path = folder.join("report.json").display().to_string();
    run(&format!("report -q {MIXED} -o {path}")).expect(0, &[]);
    path
}

#[test]
fn interrupted_over_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("dump.rdb");
    write_long_dump(&dump);
    let dump = dump.display();
    let saved = folder.path().join("saved.rdb");
    for (arguments, told, printed) in [
        (format!("check {dump} {MIXED}"), "dumps that were not checked: 1", "dump.rdb: interrupted\n"),
        (format!("salvage {dump} -o {}", saved.display()), "dump.rdb: interrupted at byte ", ""),
    ] {
        let child = bigkeys(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("the program starts");
        interrupt(&child, 0);
        let outcome = ended(child).expect(130, &[told]);
        assert!(outcome.stdout.contains(printed) && outcome.stdout.is_empty() == printed.is_empty(), "{outcome:?}");
        assert!(!saved.exists());
    }
}
