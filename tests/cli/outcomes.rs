//! Exit codes and the sentences that go with them: sound, damaged and refused dumps, and runs that could not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{EVERY, MIXED, Outcome, bigkeys, outcome, run, stated_keys, unprivileged};

#[test]
fn sound_dumps() {
    let sound = run(&format!("analyze {MIXED}")).expect(0, &["use --all-types to include them"]);
    assert_eq!(sound.tasks()[0]["status"], "success");
    assert_eq!(sound.stdout.lines().count(), 1, "one line where nobody looks");
    run("analyze fixtures/empty_v13.rdb").expect(0, &[]);
    let preamble = "commands) follow the dump; they are not analyzed";
    run("analyze fixtures/aof_preamble_v09.aof").expect(0, &["fixtures/aof_preamble_v09.aof: ", preamble]);
    run("analyze -q fixtures/aof_preamble_v09.aof").expect(0, &[]);
}

#[test]
fn what_is_no_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path.display().to_string()
    };
    let cases = [
        ("fixtures".to_owned(), "this is a directory"),
        (file("empty", b""), "the file is empty"),
        (file("text", b"SET key value\n"), "this is text, not a dump"),
        (file("binary", &[0, 1, 2, 3]), "this is not a dump"),
        (file("header", b"REDIS00"), "cut within the dump's header"),
        (file("gzip", &[0x1f, 0x8b, 8, 0]), "the compressed file is cut"),
        ("fixtures/aof_resp.aof".to_owned(), "an append-only file of commands (AOF)"),
        ("/dev/null".to_owned(), "the file is empty"),
    ];
    for (path, sentence) in cases {
        let refused = run(&format!("analyze {path}")).expect(1, &[&format!("bigkeys: {path}: "), sentence]);
        assert_eq!(refused.tasks()[0]["status"], "failed");
        assert!(refused.keys().is_empty());
    }
}

#[test]
fn damaged_dumps_are_read_as_far_as_they_can_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cut.rdb");
    let dump = fs::read(MIXED).expect("a dump");
    let stated = stated_keys(MIXED);
    let mut last_count = 0;
    for quarter in 1..4 {
        fs::write(&path, &dump[..dump.len() * quarter / 4]).expect("a file");
        let arguments = format!("analyze {EVERY} {}", path.display());
        let damaged = run(&arguments).expect(1, &[&format!("bigkeys: {}: at byte ", path.display())]);
        assert_eq!(damaged.tasks()[0]["status"], "failed");
        let keys = damaged.keys();
        assert!(keys.iter().all(|key| stated.contains(key)), "{keys:?}");
        assert!(last_count < keys.len() && keys.len() < stated.len(), "{last_count}, then {}", keys.len());
        last_count = keys.len();
        let quiet = run(&format!("{arguments} -q")).expect(1, &["at byte"]);
        assert_eq!(quiet.keys(), keys);
    }
    let named = ["fixtures/refused/type_99_v09.rdb: at byte ", "key \"", "value type 99 is unknown"];
    run("analyze fixtures/refused/type_99_v09.rdb").expect(1, &named);
}

#[test]
fn the_checksum_is_verified_unless_it_is_not_to_be() {
    let dump = "fixtures/refused/wrong_checksum_v09.rdb";
    let found = run(&format!("analyze {dump}")).expect(1, &[dump, "checksum"]);
    assert!(!found.keys().is_empty());
    let unseen = run(&format!("analyze --no-verify {dump}")).expect(0, &[]);
    assert_eq!(unseen.tasks()[0]["status"], "success");
    assert_eq!(unseen.keys(), found.keys());
}

#[test]
fn a_missing_file_keeps_the_program_from_running() {
    for arguments in ["analyze no/such.rdb", "analyze fixtures/empty_v13.rdb no/such.rdb", "analyze no/such.rdb -"] {
        let failed = run(arguments).expect(2, &["bigkeys: no/such.rdb: could not open it: No such file"]);
        assert_eq!(failed.stdout, "");
    }
}

#[test]
fn an_unreadable_file_keeps_the_program_from_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.rdb");
    fs::copy(MIXED, &path).expect("a copy");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("no rights");
    let arguments = format!("analyze {}", path.display());
    let failed = super::outcome(&mut unprivileged(folder.path(), &arguments));
    let failed = failed.expect(2, &["secret.rdb: could not open it: Permission denied"]);
    assert_eq!(failed.stdout, "");
}

#[test]
fn each_file_a_task() {
    let [good, damaged, missing] = [MIXED, "fixtures/refused/wrong_checksum_v09.rdb", "no/such.rdb"];
    let statuses = |outcome: &Outcome| -> Vec<String> {
        outcome.tasks().iter().map(|task| task["status"].to_string().replace('"', "")).collect()
    };
    let run = |files: [&str; 3]| run(&format!("analyze -q --per-file {}", files.join(" ")));

    let sound = run([good; 3]).expect(0, &[]);
    assert_eq!(statuses(&sound), ["success"; 3]);
    let one_damaged = run([good, damaged, good]).expect(1, &[damaged]);
    assert_eq!(statuses(&one_damaged), ["success", "failed", "success"]);
    let all = run([missing, damaged, good]).expect(2, &["no/such.rdb: could not open it", damaged]);
    assert_eq!(statuses(&all), ["failed", "failed", "success"]);
    let other_order = run([good, missing, damaged]).expect(2, &["no/such.rdb: could not open it", damaged]);
    assert_eq!(statuses(&other_order), ["success", "failed", "failed"]);

    let keys = |outcome: &Outcome, at: usize| outcome.tasks()[at]["keys"].clone();
    assert_eq!(keys(&all, 2), keys(&sound, 0), "a task does not know of the others");
    assert_eq!(keys(&all, 0), serde_json::json!([]));
    let tasks = sound.tasks();
    assert_eq!(tasks[0]["instance_id"], tasks[1]["instance_id"]);
    assert_ne!(tasks[0]["id"], tasks[1]["id"]);
}

#[test]
fn file_names_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("a\u{1b}[31m\u{202e}b\nc\u{9b}1m.rdb");
    let shown = "a\\u{1b}[31m\\u{202e}b\\nc\\u{9b}1m.rdb";
    let run = |arguments: &str, last: &std::path::Path| outcome(bigkeys(arguments).arg(last));
    let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}');
    for arguments in ["analyze", "check", "merge", "salvage -o /dev/null", "report --format json"] {
        let missing = run(arguments, &name).expect(2, &[shown]);
        assert!(is_plain(&missing.stderr), "{missing:#?}");
        assert_eq!(missing.stderr.lines().count(), 1, "{missing:#?}");
    }
    let mut dump = b"REDIS0009\xfa\x09redis-ver\x04\x1b[1m\xfe\0\0\x01k\x01v\xff".to_vec();
    dump.extend([0; 9]);
    std::fs::write(&name, dump).expect("a file");
    for arguments in ["analyze", "check", "report"] {
        let damaged = run(arguments, &name);
        assert!(is_plain(&damaged.stdout) && is_plain(&damaged.stderr), "{damaged:#?}");
        assert!(damaged.stdout.contains(shown) || damaged.stderr.contains(shown), "{damaged:#?}");
    }
}
