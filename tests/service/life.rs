//! The service's own life: started wrong, started twice, stopped in the middle of work, spoken to over TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::http::{Answer, answer, ask};
use super::serving::{CLUSTER, Place, Serving};
use crate::support::skipped::skip;

fn refused(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bigkeys")).arg("serve").args(arguments).output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn what_keeps_it_from_starting() {
    let place = Place::new(0, "");
    let config = place.config.to_str().expect("a path");
    assert!(refused(&["--config", "no/such.toml"]).contains("no/such.toml: could not read it: No such file"));
    assert!(refused(&["--config", config, "--listen", "here"]).contains("'here' for '--listen"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    assert!(refused(&["--config", config, "--listen", &address]).contains(&format!("could not listen on {address}: ")));
    let serving = place.start();
    let again = refused(&["--config", config, "--listen", "127.0.0.1:0"]);
    assert!(again.contains("tasks.db: another process works on these tasks"), "{again}");
    drop(serving);

    let open = fs::read_to_string(config).expect("a file");
    let open = open.replace("access_key = [", "#").replace("token = [", "#");
    fs::write(config, &open).expect("a file");
    let outside = refused(&["--config", config, "--listen", "0.0.0.0:0"]);
    assert!(outside.contains("--listen 0.0.0.0:0: no project has access keys or tokens"), "{outside}");
    let (status, log) = place.start().stop();
    assert!(status.success() && log.iter().any(|event| event["level"] == "WARN"), "it says that it is open: {log:?}");
    fs::write(config, format!("tls = {{ certificate = \"none\", key = \"none\" }}\n{open}")).expect("a file");
    assert!(refused(&["--config", config]).contains("none: could not read the certificate"));
}

#[test]
fn a_request_does_not_wait_for_an_analysis_and_a_stop_gives_it_back() {
    let place = Place::new(1, "analysis = { threads = 1 }");
    // A dump that takes seconds to read: small keys without end, and no checksum.
    let dump = place.folder.path().join("dumps/shard-0.rdb");
    let mut keys = b"REDIS0009\xfe\x00".to_vec();
    for key in 0..1_500_000_u32 {
        keys.extend_from_slice(&[0, 8]);
        keys.extend_from_slice(format!("{key:08x}").as_bytes());
        keys.extend_from_slice(b"\x01v");
    }
    keys.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    let mut file = std::io::BufWriter::new(fs::File::create(&dump).expect("a file"));
    let many = keys.len() - 9 - 11;
    file.write_all(&keys[..11]).expect("a disk");
    for _ in 0..15 {
        file.write_all(&keys[11..11 + many]).expect("a disk");
    }
    file.write_all(&keys[11 + many..]).expect("a disk");
    drop(file);

    let serving = place.start();
    let path = Serving::path("single-0", "bigkey-task");
    let task = ask(&serving.address, "POST", &path, "").expect("an answer").json();
    let one = format!("{path}/{}", task["id"].as_str().expect("an ID"));
    let status =
        |serving: &Serving| ask(&serving.address, "GET", &one, "").expect("an answer").json()["status"].clone();
    let deadline = Instant::now() + Duration::from_mins(1);
    while status(&serving) == "waiting" {
        assert!(Instant::now() < deadline, "nothing runs");
    }
    if status(&serving) == "running" {
        assert_eq!(ask(&serving.address, "POST", &path, "").expect("an answer").status, 400);
        let deleted = ask(&serving.address, "DELETE", &one, "").expect("an answer");
        assert_eq!(deleted.json()["error_code"], "DCS.4957");
    } else {
        skip("the analysis was too quick to be asked about");
    }
    let (ended, log) = serving.stop();
    assert!(ended.success(), "{log:?}");
    let serving = place.start();
    let deadline = Instant::now() + Duration::from_mins(5);
    while status(&serving) != "success" {
        assert!(Instant::now() < deadline, "the task does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (_, log) = serving.stop();
    assert!(!log.iter().any(|event| event["message"].as_str().is_some_and(|text| text.contains("without a word"))));
}

#[test]
fn a_schedule_runs_at_its_minute() {
    let place = Place::new(0, "");
    let serving = place.start();
    let autoscan = Serving::path(CLUSTER, "bigkey/autoscan");
    let tasks = Serving::path(CLUSTER, "bigkey-tasks");
    let minute = |ahead: i64| (Timestamp::now() + SignedDuration::from_mins(ahead)).strftime("%H:%M").to_string();
    let schedule = json!({"enable_auto_scan": true, "schedule_at": [minute(0), minute(1)]}).to_string();
    assert_eq!(ask(&serving.address, "PUT", &autoscan, &schedule).expect("an answer").status, 200);
    let (_, earlier) = serving.stop();
    // The minute in which it starts is one of the schedule, so the test need not wait for the next; the first service may have taken it.
    let first = place.start();
    let deadline = Instant::now() + Duration::from_mins(2);
    let list = |serving: &Serving| ask(&serving.address, "GET", &tasks, "").expect("an answer").json();
    while list(&first)["records"][0]["status"] != "success" {
        assert!(Instant::now() < deadline, "no task: {}", list(&first));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(list(&first)["records"][0]["scan_type"], "auto");
    let (_, log) = first.stop();
    let created = earlier.iter().chain(&log).filter(|event| event["message"] == "created").count();
    // The next minute of the schedule may have come meanwhile.
    assert!((1..=2).contains(&created), "{earlier:?} {log:?}");
}

#[test]
fn requests_and_tasks_are_in_the_log() {
    let place = Place::new(0, "");
    let serving = place.start();
    let created = ask(&serving.address, "POST", &Serving::path(CLUSTER, "bigkey-task"), "").expect("an answer");
    let task = created.json();
    let deadline = Instant::now() + Duration::from_mins(1);
    let one = Serving::path(CLUSTER, &format!("bigkey-task/{}", task["id"].as_str().expect("an ID")));
    while ask(&serving.address, "GET", &one, "").expect("an answer").json()["status"] != "success" {
        assert!(Instant::now() < deadline);
    }
    let (_, log) = serving.stop();
    let find = |message: &str| log.iter().find(|event| event["message"] == message).expect("an event");
    let (answered, success) = (find("answered"), find("success"));
    let id = answered["span"]["request_id"].as_str().expect("an ID");
    assert!(created.header.contains(&format!("x-request-id: {id}")), "{answered} {}", created.header);
    assert_eq!((&success["task_id"], &find("created")["task_id"]), (&task["id"], &task["id"]));
    assert_eq!(find("created")["span"]["request_id"], id);
}

/// Makes a certificate for a name, and its key, in a place's folder; false where there is no program for that.
fn make_certificate(place: &Place, name: &str) -> bool {
    let file = |name: &str| place.folder.path().join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=localhost", "-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("certificate.pem"))
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

/// Asks over TLS, trusting the certificate in a place's folder alone.
fn ask_by_tls(place: &Place, address: &str, name: &'static str) -> Option<Answer> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(place.folder.path().join("certificate.pem"));
    roots.add(certificate.expect("a certificate")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(client, TcpStream::connect(address).expect("a connection"));
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    // An end without a farewell is as good: the answer says how long it is.
    _ = stream.read_to_end(&mut bytes);
    answer(&bytes)
}

#[test]
fn tls() {
    let place = Place::new(0, "tls = { certificate = \"certificate.pem\", key = \"key.pem\" }");
    if !make_certificate(&place, "localhost") {
        return skip("no openssl to make a certificate with");
    }
    let serving = place.start();
    let found = ask_by_tls(&place, &serving.address, "localhost").expect("an answer");
    assert_eq!((found.status, found.json()), (200, serde_json::json!({"status": "ok"})));
    assert_eq!(ask(&serving.address, "GET", "/healthz", ""), None, "no plain HTTP");
    // A renewed certificate is in use a moment later, without a word.
    assert!(make_certificate(&place, "renewed.localhost"));
    serving.wait_for("the certificate and its key were read again");
    assert_eq!(ask_by_tls(&place, &serving.address, "renewed.localhost").expect("an answer").status, 200);
    std::fs::write(place.folder.path().join("key.pem"), "no key").expect("a file");
    serving.wait_for("the certificate and its key cannot be read again; the old ones stay in use");
    assert_eq!(ask_by_tls(&place, &serving.address, "renewed.localhost").expect("an answer").status, 200);
    assert!(serving.stop().0.success());
}

#[test]
fn headers_have_limits() {
    let place = Place::new(0, "limits = { request_seconds = 1 }");
    let serving = place.start();
    let send = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&serving.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    };
    let many = format!("GET /healthz HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(100));
    let long = format!("GET /healthz HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "b".repeat(20_000));
    for request in [&many, &long] {
        assert!(send(request.as_bytes()).contains(" 431 "), "{}", send(request.as_bytes()));
    }
    assert_eq!(send(b"GET /healthz HTTP/1.1\r\nHost:"), "", "one that does not end is given up");
    assert!(send(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").contains(" 200 "));
    let value: Value = ask(&serving.address, "GET", "/healthz", "").expect("an answer").json();
    assert_eq!(value["status"], "ok");
}
