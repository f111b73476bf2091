//! The service from outside: the program started with a configuration, asked by the cloud's own client, by a fuzzer of its
//! OpenAPI document, over TLS, and killed again and again.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod faults;
mod http;
mod kill;
mod life;
mod openapi;
mod operate;
#[path = "../support/python.rs"]
mod python;
mod sdk;
mod serving;
mod signer;

use std::ffi::OsString;
use std::io::Write;

/// A Python that has the module of one of the clients.
fn python_with(module: &str) -> Option<OsString> {
    python::python_with(module, "pip install huaweicloudsdkdcs schemathesis")
}

/// Says that a test proved nothing; on CI that is an error.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    // Past the test runner's capture, so that a run that proved nothing says so.
    _ = writeln!(std::io::stderr(), "skipped: {why}");
}
