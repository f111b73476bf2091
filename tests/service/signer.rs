//! The canonical request against the cloud's own signer: random requests, signed there and signed here.

use std::io::Write;
use std::process::{Command, Stdio};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use bigkeys::server::signature::{Authorization, Request, canonical, hex_sha256};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::python_with;

const REQUESTS: usize = 500;

/// A request as the client's kit takes it, before it is signed.
fn request() -> impl Strategy<Value = Value> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]);
    let segment = prop_oneof![3 => "[a-z0-9-]{1,12}", 1 => "(%[0-9A-Fa-f]{2}|[A-Za-z._~+=@:!$'()*,;-]){1,8}"];
    let path = prop::collection::vec(segment, 0..5);
    let text = prop_oneof!["[a-z]{0,6}", r"[ -~]{0,8}", r"\PC{0,6}"];
    let query = prop::collection::vec((text.clone().prop_filter("a name", |name| !name.is_empty()), text), 0..4);
    let headers = prop::collection::vec(("x-[a-z]{1,6}(-[a-z]{1,6})?", r" {0,2}[!-~][ -~]{0,10}"), 0..4);
    let body = prop_oneof![Just(String::new()), r"\PC{1,30}"];
    (method, path, query, headers, body).prop_map(|(method, path, query, headers, body)| {
        json!({"method": method, "path": format!("/{}", path.join("/")), "query": query, "headers": headers, "body": body})
    })
}

#[test]
fn the_same_canonical_request_and_signature() {
    let Some(python) = python_with("huaweicloudsdkcore.signer.signer") else { return };
    let mut runner = TestRunner::deterministic();
    let requests: Vec<Value> =
        (0..REQUESTS).map(|_| request().new_tree(&mut runner).expect("a request").current()).collect();
    let home = tempfile::tempdir().expect("a folder");
    let mut python = Command::new(python)
        .arg("tests/service/signer.py")
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = python.stdin.take().expect("a pipe");
    input.write_all(&serde_json::to_vec(&requests).expect("JSON")).expect("it reads");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    let signed: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(signed.len(), REQUESTS);
    for (request, signed) in requests.iter().zip(&signed) {
        check(request, signed);
    }
}

fn check(request: &Value, signed: &Value) {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in signed["headers"].as_object().expect("headers") {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, HeaderValue::from_str(value.as_str().expect("text")).expect("a value"));
    }
    let (path, query, body) = (text(&request["path"]), text(&signed["query"]), text(&request["body"]));
    let method: Method = text(&request["method"]).parse().expect("a method");
    let sent = Request { method: &method, path: &path, query: &query, headers: &headers, body: body.as_bytes() };
    let authorization = text(&signed["headers"]["Authorization"]);
    let authorization = Authorization::parse(&authorization).expect("an authorization");
    let ours = canonical(&sent, &authorization.signed_headers).expect("a canonical request");
    assert_eq!(String::from_utf8_lossy(&ours), text(&signed["canonical"]), "{request}\n{signed}");
    assert_eq!(hex_sha256(&ours), hex_sha256(signed["canonical"].as_str().expect("text").as_bytes()));
    assert!(authorization.is_by("SECRET".as_bytes(), &sent), "{request}\n{signed}");
}
