//! A Python with the packages that a test needs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::skipped::skip;

/// A Python that has the modules; without one the test is skipped.
pub fn python_with(modules: &str, how: &str) -> Option<OsString> {
    let python = program();
    // Some write into the home directory when they are imported.
    let home = tempfile::tempdir().expect("a folder");
    let probe = Command::new(&python).args(["-c", &format!("import {modules}")]).env("HOME", home.path()).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("no Python with {modules}: {how}, or set BIGKEYS_PYTHON"));
    None
}

/// The Python that `BIGKEYS_PYTHON` names, or the one that `.ci/run install` made, or the machine's.
pub fn program() -> OsString {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/python/bin/python");
    std::env::var_os("BIGKEYS_PYTHON")
        .or_else(|| installed.is_file().then(|| installed.into()))
        .unwrap_or_else(|| "python3".into())
}
