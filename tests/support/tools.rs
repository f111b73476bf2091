//! Other programs that tests run, such as those that compress.

use std::io::Write;
use std::process::{Command, Stdio};

use super::skipped::skip;

/// Whether the first word of a command is a program that is there; if not, the test is skipped.
pub fn require(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or(command);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    if !is_there {
        skip(&format!("{program} is not installed"));
    }
    is_there
}

/// What a command makes of `input`; none if the program is not there.
pub fn pipe(command: &str, input: &[u8]) -> Option<Vec<u8>> {
    if !require(command) {
        return None;
    }
    let mut words = command.split_whitespace();
    let mut run = Command::new(words.next().expect("a program"));
    run.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = run.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("a thread").expect("the program reads all of it");
    assert!(output.status.success(), "{command}");
    Some(output.stdout)
}
