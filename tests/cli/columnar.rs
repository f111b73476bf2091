//! Parquet and Arrow from outside: a file that can be read however the scan ended, and nothing for a terminal.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use arrow_ipc::reader::FileReader;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::reports::interrupted_halfway;
use super::{MIXED, bigkeys, ended, run};
use crate::support::skipped::skip;

const FORMS: [&str; 2] = ["parquet", "arrow"];

/// How many rows a file has, by its end.
fn rows(form: &str, path: &Path) -> usize {
    let file = File::open(path).expect("the file");
    if form == "arrow" {
        let reader = FileReader::try_new(file, None).expect("an Arrow file");
        return reader.map(|batch| batch.expect("a batch").num_rows()).sum();
    }
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    usize::try_from(reader.metadata().file_metadata().num_rows()).expect("a number")
}

fn csv_rows(arguments: &str) -> usize {
    run(&format!("keys -q --format csv {arguments}")).stdout.lines().count() - 1
}

#[test]
fn files_and_pipes_get_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, piped) = (folder.path().join("file"), folder.path().join("piped"));
    let dumps = format!("{MIXED} fixtures/mixed_all_v80.rdb --type hash");
    for form in FORMS {
        run(&format!("keys --format {form} {dumps} -o {}", file.display())).expect(0, &[]);
        let child = bigkeys(&format!("keys --format {form} {dumps}"))
            .stdout(File::create(&piped).expect("a file"))
            .stderr(Stdio::piped())
            .spawn();
        ended(child.expect("the program starts")).expect(0, &[]);
        assert!(fs::read(&file).expect("the file") == fs::read(&piped).expect("the file"), "{form}");
        assert_eq!(rows(form, &file), csv_rows(&dumps), "{form}");
    }
}

#[test]
fn what_comes_before_damage_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    for form in FORMS {
        let arguments = "fixtures/refused/cut_in_string_v09.rdb";
        run(&format!("keys --format {form} {arguments} -o {}", file.display())).expect(1, &["at byte 48"]);
        assert_eq!(rows(form, &file), 1, "{form}");
        // Nothing is written where the run could not be.
        fs::write(&file, "old").expect("a file");
        run(&format!("keys --format {form} no/such.rdb -o {}", file.display())).expect(2, &["no/such.rdb"]);
        assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
    }
}

#[test]
fn what_comes_before_ctrl_c_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    for form in FORMS {
        let outcome = interrupted_halfway(&format!("keys --format {form} - -o {}", file.display()));
        outcome.expect(130, &["interrupted at byte"]);
        assert!(rows(form, &file) < csv_rows(MIXED), "{form}");
        fs::remove_file(&file).expect("the file");
    }
}

#[test]
fn readers_that_go_away_and_room_that_is_missing() {
    for form in FORMS {
        let arguments = format!("keys --format {form} {MIXED}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = bigkeys(&arguments).stdout(writer).stderr(Stdio::piped()).spawn();
        ended(child.expect("the program starts")).expect(0, &[]);

        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let child = bigkeys(&arguments).stdout(full).stderr(Stdio::piped()).spawn();
        ended(child.expect("the program starts")).expect(2, &["standard output: could not write", "No space left"]);
    }
}

#[test]
fn a_terminal_gets_no_bytes() {
    for form in FORMS {
        let command = format!("{} keys --format {form} {MIXED}", env!("CARGO_BIN_EXE_bigkeys"));
        let script = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output();
        let Ok(script) = script else { return skip("the program `script`, which makes a terminal, is missing") };
        let shown = String::from_utf8_lossy(&script.stdout);
        assert!(
            shown.starts_with("bigkeys: ")
                && shown.contains("refusing to write binary output to a terminal; use -o FILE"),
            "{shown}"
        );
        assert_eq!((shown.lines().count(), script.status.code()), (1, Some(2)), "{shown}");
    }
}

#[test]
fn a_report_has_no_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    run(&format!("report --format json {MIXED} -o {}", report.display())).expect(0, &[]);
    for form in FORMS {
        let refused = run(&format!("merge --format {form} {}", report.display()));
        assert_eq!(refused.expect(2, &["[possible values: table, json, html, folded, openmetrics]"]).stdout, "");
        let file = folder.path().join(format!("keys.{form}"));
        let place = file.display();
        run(&format!("report {MIXED} -o {place}")).expect(2, &["a report cannot be written as", "use `bigkeys keys`"]);
        run(&format!("analyze {MIXED} -o {place}")).expect(2, &["a task cannot be written as", "use `bigkeys keys`"]);
        run(&format!("keys {MIXED} -o {place}")).expect(0, &[]);
        assert_eq!(rows(form, &file), csv_rows(MIXED), "the ending says {form}");
    }
}
