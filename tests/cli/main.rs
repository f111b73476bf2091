//! The program from outside: exit codes, what stands on standard output and what on standard error, files that are
//! written and pipes that end. What it finds in dumps, other tests compare; here fixtures stand for all dumps.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

#[cfg(feature = "compress")]
mod advice;
#[cfg(feature = "browse")]
mod browse;
mod check;
mod choice;
#[cfg(feature = "columnar")]
mod columnar;
mod compare;
mod docs;
mod evidence;
mod forensics;
mod help;
mod outcomes;
mod output;
mod redact;
mod reports;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod task;
mod values;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A dump of every type, in five databases.
const MIXED: &str = "fixtures/mixed_all_v13.rdb";

/// Every key, of whatever type.
const EVERY: &str = "--top 1000000 --all-types";

/// Everything in a task that is not the dump's.
const PINNED: &str = "--at 2026-01-31T12:00:00Z --task-id 858ee14c-2271-4489-8b82-7bda7459ae3e \
                      --instance-id 5f9057b5-c330-4ee2-8138-7e69896eeec3";

/// A run that takes longer hangs.
const SECONDS_MAX: u64 = 120;

/// How a run ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The program with arguments that have no blanks in them.
fn bigkeys(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(arguments: &str) -> Outcome {
    outcome(&mut bigkeys(arguments))
}

/// Runs a command to its end; its standard input is as it was set.
fn outcome(command: &mut Command) -> Outcome {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    ended(child)
}

/// Waits for a child's end and takes what it wrote.
fn ended(child: Child) -> Outcome {
    let id = child.id();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let deadline = Duration::from_secs(SECONDS_MAX);
    let output = is_done.recv_timeout(deadline).unwrap_or_else(|_| panic!("process {id} hangs"));
    let Output { status, stdout, stderr } = output.expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("plain text");
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

impl Outcome {
    /// It ended with this code, and standard error has each of these fragments; none means that it is silent.
    #[track_caller]
    fn expect(self, code: i32, fragments: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for fragment in fragments {
            assert!(self.stderr.contains(fragment), "no \"{fragment}\" in {self:#?}");
        }
        assert_eq!(self.stderr.is_empty(), fragments.is_empty(), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// The tasks, a line each.
    #[track_caller]
    fn tasks(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a task's JSON")).collect()
    }

    /// The keys of the only task.
    #[track_caller]
    fn keys(&self) -> Vec<Value> {
        let tasks = self.tasks();
        assert_eq!(tasks.len(), 1, "{self:#?}");
        let keys = tasks[0]["keys"].as_array().expect("keys").clone();
        assert_eq!(tasks[0]["num"], keys.len());
        keys
    }
}

/// Every key of a fixture, as the JSON beside it states them.
fn stated_keys(fixture: &str) -> Vec<Value> {
    let json = fs::read(Path::new(fixture).with_extension("json")).expect("a fixture's JSON");
    let stated: Value = serde_json::from_slice(&json).expect("JSON");
    stated["keys"].as_array().expect("keys").clone()
}

/// Writes a dump of fifty million tiny keys, without an end: what reads it can be interrupted.
fn write_long_dump(path: &Path) {
    use std::io::Write;
    let records = b"\x00\x01a\x01b".repeat(1 << 20);
    let mut file = fs::File::create(path).expect("a file");
    file.write_all(b"REDIS0012\xfe\x00").expect("room");
    for _ in 0..50 {
        file.write_all(&records).expect("room");
    }
}

/// A command that is run by nobody special. Where the tests are run by root, who may do everything, it gets a copy of
/// the program in `folder` and runs it as another user.
fn unprivileged(folder: &Path, arguments: &str) -> Command {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let is_root = fs::metadata("/proc/self").expect("this process").uid() == 0;
    if !is_root {
        return bigkeys(arguments);
    }
    let program = folder.join("bigkeys");
    // Not by this process: a child of another test would inherit the copy while it is open for writing, and what is
    // open for writing cannot be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_bigkeys")).arg(&program).status();
    assert!(copied.expect("cp starts").success());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder for all");
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).stdin(Stdio::null()).uid(65_534).gid(65_534);
    command
}
