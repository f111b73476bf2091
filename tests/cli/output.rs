//! Where tasks are written: the same bytes every time if that is asked for, a file whole or not at all.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{EVERY, MIXED, PINNED, bigkeys, ended, outcome, run, unprivileged};
use crate::support::skipped::skip;

const DAMAGED: &str = "fixtures/refused/wrong_checksum_v09.rdb";

/// What a folder holds, for tests that nothing is left in it.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn the_same_bytes_every_time() {
    let pinned = run(&format!("analyze {PINNED} {EVERY} {MIXED}")).expect(0, &[]);
    for how in ["", "--threads 1", "--threads 2", "--threads 7 --segment-bytes 257", "--no-verify"] {
        assert_eq!(run(&format!("analyze {PINNED} {EVERY} {how} {MIXED}")), pinned, "{how}");
    }
    let few = run(&format!("analyze {PINNED} fixtures/opcode_no_selectdb_v09.rdb")).expect(0, &[]);
    let expected = concat!(
        r#"{"id":"858ee14c-2271-4489-8b82-7bda7459ae3e","instance_id":"5f9057b5-c330-4ee2-8138-7e69896eeec3","#,
        r#""status":"success","scan_type":"manual","created_at":"2026-01-31T12:00:00.000Z","#,
        r#""started_at":"2026-01-31T12:00:00.000Z","finished_at":"2026-01-31T12:00:00.000Z","num":3,"keys":["#,
        r#"{"name":"first","type":"string","db":0,"size":13,"unit":"byte"},"#,
        r#"{"name":"second","type":"set","db":0,"size":2,"unit":"count"},"#,
        r#"{"name":"third","type":"string","db":2,"size":13,"unit":"byte"}]}"#,
        "\n"
    );
    assert_eq!(few.stdout, expected);

    let [one, other] = [(); 2].map(|()| run(&format!("analyze -q {MIXED}")).tasks().remove(0));
    assert_ne!(one["id"], other["id"]);
    assert_ne!(one["instance_id"], other["instance_id"]);
    assert_eq!(one["keys"], other["keys"]);
}

#[test]
fn a_file_gets_what_standard_output_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("task.json");
    for (dumps, code) in [(MIXED, 0), (DAMAGED, 1), (&*format!("--per-file {MIXED} no/such.rdb"), 2)] {
        let dumps = dumps.replace("--per-file", "--per-file --task-id 00000000-0000-0000-0000-000000000001");
        let printed = run(&format!("analyze -q {PINNED} {dumps}"));
        let written = run(&format!("analyze -q {PINNED} {dumps} -o {}", file.display()));
        assert_eq!((written.code, written.stdout.as_str()), (Some(code), ""));
        assert_eq!(written.stderr, printed.stderr);
        assert_eq!(fs::read_to_string(&file).expect("the file"), printed.stdout);
    }
    assert_eq!(names(folder.path()), ["task.json"]);
}

#[test]
fn a_file_is_kept_when_the_run_could_not_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("task.json");
    fs::write(&file, "old").expect("a file");
    for arguments in ["no/such.rdb", &format!("{MIXED} no/such.rdb"), "--expired only fixtures/opcode_expire_v03.rdb"] {
        assert_eq!(run(&format!("analyze {arguments} -o {}", file.display())).code, Some(2), "{arguments}");
        assert_eq!(fs::read_to_string(&file).expect("the file"), "old", "{arguments}");
        assert_eq!(names(folder.path()), ["task.json"], "{arguments}");
    }
    fs::remove_file(&file).expect("a file");
    run(&format!("analyze no/such.rdb -o {}", file.display())).expect(2, &["no/such.rdb"]);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_new_file_has_the_rights_of_any_other_and_an_old_one_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("task.json");
    for (umask, rights) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let script = format!("umask {umask} && exec \"$0\" analyze -q {MIXED} -o {}", file.display());
        let command = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_bigkeys")]).status();
        assert!(command.expect("a shell").success());
        assert_eq!(mode(&file), rights, "umask {umask}");
        fs::remove_file(&file).expect("the file");
    }
    for rights in [0o600, 0o640, 0o664] {
        fs::write(&file, "old").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(rights)).expect("rights");
        run(&format!("analyze -q {MIXED} -o {}", file.display())).expect(0, &[]);
        assert_eq!(mode(&file), rights, "{rights:o}");
        assert_ne!(fs::read_to_string(&file).expect("the file"), "old");
    }
}

#[test]
fn a_symbolic_link_stays_and_what_it_points_to_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("another folder");
    let [link, file] = [folder.path().join("link.json"), elsewhere.path().join("task.json")];
    fs::write(&file, "old").expect("a file");
    symlink(&file, &link).expect("a link");
    run(&format!("analyze -q {MIXED} -o {}", link.display())).expect(0, &[]);
    assert_eq!(fs::read_link(&link).expect("still a link"), file);
    assert!(fs::read_to_string(&file).expect("the file").starts_with("{\"id\":"));
    assert_eq!((names(folder.path()).len(), names(elsewhere.path()).len()), (1, 1));
}

#[test]
fn devices_and_fifos_are_written_to_and_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    // Not as root, who could put a file in a device's place.
    outcome(&mut unprivileged(folder.path(), &format!("analyze -q {MIXED} -o /dev/null"))).expect(0, &[]);
    assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device());
    let full = outcome(&mut unprivileged(folder.path(), &format!("analyze -q {MIXED} -o /dev/full")));
    full.expect(2, &["/dev/full: could not write it: No space left"]);
    let stdout = run(&format!("analyze -q {PINNED} {MIXED} -o /dev/stdout")).expect(0, &[]);
    assert_eq!(stdout, run(&format!("analyze -q {PINNED} {MIXED}")));

    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let writer = bigkeys(&format!("analyze -q {PINNED} {MIXED} -o {}", fifo.display())).spawn();
    let mut text = String::new();
    fs::File::open(&fifo).and_then(|mut file| file.read_to_string(&mut text)).expect("text from the FIFO");
    ended(writer.expect("the program starts")).expect(0, &[]);
    assert_eq!(text, stdout.stdout);
    assert!(fs::metadata(&fifo).expect("it is there").file_type().is_fifo());
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_any_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("rights");
    for (place, sentence) in [
        (closed.join("task.json"), "could not write it: Permission denied"),
        (folder.path().join("none").join("task.json"), "could not write it: No such file"),
        (closed.clone(), "could not write it: Is a directory"),
    ] {
        let arguments = format!("analyze - -o {}", place.display());
        // A pipe that never gives a byte: whoever reads it before looking at the output waits for ever.
        let mut child = unprivileged(folder.path(), &arguments);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let stdin = child.as_mut().expect("the program starts").stdin.take();
        ended(child.expect("the program starts")).expect(2, &[&place.display().to_string(), sentence]);
        drop(stdin);
    }
}

#[test]
fn standard_output_that_is_full_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").expect("a full device");
    let child = bigkeys(&format!("analyze -q {MIXED}")).stdout(full).stderr(Stdio::piped()).spawn();
    ended(child.expect("the program starts")).expect(2, &["standard output: could not write", "No space left"]);
}

#[test]
fn people_get_indented_json() {
    let command = format!("{} analyze {PINNED} {MIXED}", env!("CARGO_BIN_EXE_bigkeys"));
    let script = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output();
    let Ok(script) = script else { return skip("the program `script`, which makes a terminal, is missing") };
    let shown = String::from_utf8_lossy(&script.stdout).replace('\r', "");
    assert!(shown.contains("\n  \"status\": \"success\",\n"), "{shown}");
    let (json, _) = shown[shown.find('{').expect("JSON")..].rsplit_once('}').expect("JSON");
    let shown: serde_json::Value = serde_json::from_str(&format!("{json}}}")).expect("JSON");
    assert_eq!([shown], run(&format!("analyze -q {PINNED} {MIXED}")).tasks()[..]);
}

#[test]
fn a_link_to_nothing_yet_stays_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("link");
    symlink("target.json", &link).expect("a link");
    run(&format!("analyze -q {MIXED} -o {}", link.display())).expect(0, &[]);
    assert_eq!(fs::read_link(&link).expect("a link"), Path::new("target.json"));
    assert_eq!(names(folder.path()), ["link", "target.json"]);
}

#[test]
fn a_dump_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("dump.rdb");
    fs::copy(MIXED, &dump).expect("a copy");
    let link = folder.path().join("link");
    symlink(&dump, &link).expect("a link");
    for output in [&dump, &link] {
        run(&format!("analyze {} -o {}", dump.display(), output.display()))
            .expect(2, &["dump.rdb", "refusing to overwrite"]);
        assert_eq!(fs::read(&dump).expect("the dump"), fs::read(MIXED).expect("the fixture"));
    }
}

#[test]
fn names_come_before_bars() {
    use super::support::assembler::Rdb;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("names.rdb");
    let prefix = format!("{}:", "averylongpartofaname".repeat(3));
    let name = format!("{prefix}{}", "andtherestofthename".repeat(4));
    let rdb = Rdb::redis(11).key(0, &name, |b| b.string("x".repeat(9000))).key(0, "short:1", |b| b.string("y"));
    fs::write(&dump, rdb.eof()).unwrap();
    let table = |columns: &str| {
        let mut command = bigkeys(&format!("report {} --match *", dump.display()));
        outcome(command.env("COLUMNS", columns)).expect(0, &[]).stdout
    };
    let (usual, wide) = (table("110"), table("200"));
    assert!(usual.lines().any(|line| line.starts_with(&format!("  {prefix} "))), "{usual}");
    assert!(usual.lines().all(|line| line.chars().count() <= 110), "{usual}");
    assert!(wide.contains(&name), "{wide}");
    assert!(wide.lines().any(|line| line.chars().count() == 200), "{wide}");
    // A narrow terminal cuts names, and bars stay.
    let narrow = table("60");
    assert!(narrow.contains('…') && narrow.contains('█'), "{narrow}");
}
