//! Tests that cannot run here: each says so, and the last of the test binaries sums them up.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// The file that every binary's skipped tests are noted in: a line each, the test and why, with a tab between.
pub fn notes() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("skipped-tests.txt")
}

/// Says that a test proved nothing, or less than it could; on CI that is an error.
#[track_caller]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    note(why);
}

/// Says that a test proved less than it could by what CI does not have either.
pub fn note(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // In one write: other tests of the binary append to it at the same time.
    let line = format!("{test}\t{why}\n");
    let file = OpenOptions::new().create(true).append(true).open(notes());
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a note of the skipped test");
}
