//! The service from outside: the program started with a configuration, asked by the cloud's own client, by a fuzzer of its
//! OpenAPI document, over TLS, and killed again and again.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod http;
mod kill;
mod life;
mod openapi;
mod sdk;
mod serving;
mod signer;

use std::ffi::OsString;
use std::io::Write;
use std::process::Command;

/// A Python that has the module, or a word on standard error that there is none; on CI a missing one is an error.
fn python_with(module: &str) -> Option<OsString> {
    let python = std::env::var_os("BIGKEYS_PYTHON").unwrap_or_else(|| "python3".into());
    // Importing the kit writes into the home directory.
    let home = tempfile::tempdir().expect("a folder");
    let probe = Command::new(&python).args(["-c", &format!("import {module}")]).env("HOME", home.path()).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("no Python with {module}: pip install huaweicloudsdkdcs schemathesis, or set BIGKEYS_PYTHON"));
    None
}

/// Says that a test proved nothing; on CI that is an error.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    // Past the test runner's capture, so that a run that proved nothing says so.
    _ = writeln!(std::io::stderr(), "skipped: {why}");
}
