//! The service from outside: the program started with a configuration, asked by the cloud's own client, by a fuzzer of its
//! OpenAPI document, over TLS, and killed again and again.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod clients;
mod disk;
mod faults;
mod http;
mod kill;
mod life;
mod openapi;
mod operate;
mod sdk;
mod serving;
mod signer;
#[path = "../support/mod.rs"]
mod support;
mod webhook;

use std::ffi::OsString;

/// A Python that has the module of one of the clients.
fn python_with(module: &str) -> Option<OsString> {
    support::python::python_with(module, "pip install huaweicloudsdkdcs schemathesis")
}
