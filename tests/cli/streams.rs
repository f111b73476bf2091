//! Pipes on either side: dumps that come through one, readers that go away, and progress on the way.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{EVERY, MIXED, Outcome, PINNED, bigkeys, ended, outcome, run};

/// A run with these bytes in its standard input.
fn run_on(arguments: &str, bytes: &[u8]) -> Outcome {
    let child = bigkeys(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // What is wrong with the input, the program says; it need not read all of it.
        scope.spawn(move || _ = stdin.write_all(bytes));
        ended(child)
    })
}

#[test]
fn dumps_through_pipes() {
    let dump = fs::read(MIXED).expect("a dump");
    let expected = run(&format!("analyze {PINNED} {EVERY} {MIXED}")).expect(0, &[]);
    let arguments = |path: &str| format!("analyze {PINNED} {EVERY} {path}");
    assert_eq!(run_on(&arguments("-"), &dump), expected, "a pipe");
    assert_eq!(run_on(&arguments("/dev/stdin"), &dump), expected, "a pipe by its path");
    for path in ["-", "/dev/stdin"] {
        let file = fs::File::open(MIXED).expect("a dump");
        assert_eq!(outcome(bigkeys(&arguments(path)).stdin(file)), expected, "a redirected file as {path}");
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&dump).expect("memory");
    assert_eq!(run_on(&arguments("-"), &gzip.finish().expect("memory")), expected, "gzip");

    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let child = bigkeys(&arguments(&fifo.display().to_string())).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    fs::write(&fifo, &dump).expect("the FIFO takes the dump");
    assert_eq!(ended(child.expect("the program starts")), expected, "a FIFO");
}

#[test]
fn damage_through_pipes() {
    let dump = fs::read(MIXED).expect("a dump");
    run_on("analyze -", &dump[..dump.len() / 2]).expect(1, &["bigkeys: standard input: at byte "]);
    run_on("analyze -", b"").expect(1, &["bigkeys: standard input: the file is empty"]);
    run_on("analyze -", b"SELECT 0\n").expect(1, &["bigkeys: standard input: this is text"]);
}

#[test]
fn a_reader_that_goes_away_has_what_it_wanted() {
    // Enough tasks that no pipe holds them all.
    let many = format!("analyze -q --per-file {EVERY} {}", [MIXED; 40].join(" "));
    let child = bigkeys(&many).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    assert!(line.starts_with("{\"id\":") && line.ends_with("}\n"));
    drop(stdout);
    ended(child).expect(0, &[]);

    for arguments in [
        &format!("analyze -q {MIXED}"),
        "completions bash",
        "man",
        "man analyze",
        "--help",
        "analyze --help",
        "--version",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = bigkeys(arguments).stdout(writer).stderr(Stdio::piped()).spawn();
        ended(child.expect("the program starts")).expect(0, &[]);
    }
}

#[test]
fn a_reader_of_messages_that_goes_away_stops_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let arguments = format!("analyze --progress always {MIXED} no/such.rdb --per-file");
    let child = bigkeys(&arguments).stdout(Stdio::piped()).stderr(writer).spawn();
    let deaf = ended(child.expect("the program starts")).expect(2, &[]);
    assert_eq!(deaf.tasks().len(), 2);
}

#[test]
fn progress_is_told_in_lines_where_there_is_no_terminal() {
    let dump = fs::read(MIXED).expect("a dump");
    let (first, rest) = dump.split_at(dump.len() / 2);
    let arguments = "analyze --all-types --progress always -";
    let child = bigkeys(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    stdin.write_all(first).expect("the program reads");
    // The input comes to a halt until two lines have come.
    let mut lines = String::new();
    while lines.lines().count() < 2 {
        assert_ne!(stderr.read_line(&mut lines).expect("a line"), 0, "it ended before its input did");
    }
    stdin.write_all(rest).expect("the program reads");
    drop(stdin);
    stderr.read_to_string(&mut lines).expect("the other lines");
    for line in lines.lines() {
        assert!(line.starts_with("bigkeys: ") && line.contains("/s, ") && line.ends_with(" keys"), "{line}");
    }
    ended(child).expect(0, &[]);

    for silent in ["", "--progress auto", "--progress never", "--progress always -q"] {
        run_on(&format!("analyze --all-types {silent} -"), &dump).expect(0, &[]);
    }
}
