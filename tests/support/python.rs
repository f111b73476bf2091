//! A Python with the packages that a test needs.

use std::ffi::OsString;
use std::io::Write;
use std::process::Command;

/// A Python that has the modules, or a word on standard error that there is none; on CI missing ones are an error.
#[allow(unreachable_pub, reason = "the tests of the service take in this file alone")]
pub fn python_with(modules: &str, how: &str) -> Option<OsString> {
    let python = std::env::var_os("BIGKEYS_PYTHON").unwrap_or_else(|| "python3".into());
    // Some write into the home directory when they are imported.
    let home = tempfile::tempdir().expect("a folder");
    let probe = Command::new(&python).args(["-c", &format!("import {modules}")]).env("HOME", home.path()).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let why = format!("no Python with {modules}: {how}, or set BIGKEYS_PYTHON");
    assert!(std::env::var_os("CI").is_none(), "{why}");
    // Past the test runner's capture, so that a run that proved nothing says so.
    _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}
