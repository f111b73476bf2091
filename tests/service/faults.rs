//! An operator's bad week: the log has no reader, strangers hold connections, the disk is full, the store is damaged. The service
//! goes on, or says what is wrong.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::disk::Disk;
use super::http::{Answer, answer, ask};
use super::serving::{CLUSTER, LogReader, PROJECT, Place, Serving};

/// Creates a task and waits for its end.
fn task(serving: &Serving, instance: &str) -> Value {
    let path = Serving::path(instance, "bigkey-task");
    let created = ask(&serving.address, "POST", &path, "").expect("an answer");
    assert_eq!(created.status, 200, "{created:?}");
    let one = format!("{path}/{}", created.json()["id"].as_str().expect("an ID"));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let task = ask(&serving.address, "GET", &one, "").expect("an answer").json();
        if task["status"] == "success" {
            return task;
        }
        assert!(Instant::now() < deadline, "{task}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends bytes, and returns all that comes until the connection is closed.
fn send(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(bytes).expect("it reads");
    let mut found = Vec::new();
    _ = stream.read_to_end(&mut found);
    found
}

#[test]
fn a_log_without_a_reader_decides_over_nothing() {
    for reader in [LogReader::Closes, LogReader::Stalls] {
        let place = Place::new(2, "");
        let serving = Serving::start_with(&place.config, reader, &[]);
        // A pipe holds 64 KiB; these lines are more.
        let long = "x".repeat(4000);
        for _ in 0..250 {
            let found = ask(&serving.address, "GET", &format!("/v2/{PROJECT}/instances/{long}/bigkey-tasks"), "");
            assert_eq!(found.expect("an answer").status, 400);
        }
        task(&serving, "single-0");
        task(&serving, "single-0");
        if reader == LogReader::Closes {
            let metrics = ask(&serving.address, "GET", "/metrics", "").expect("an answer");
            let text = String::from_utf8(metrics.body).expect("text");
            let line = text.lines().find_map(|line| line.strip_prefix("bigkeys_log_lines_dropped_total "));
            assert!(line.expect("a metric").parse::<u64>().expect("a number") > 100, "{text}");
        }
        let began = Instant::now();
        assert!(serving.stop().0.success());
        assert!(began.elapsed() < Duration::from_secs(8), "it does not wait for who reads the log");
    }
}

#[test]
fn strangers_are_logged_a_little_and_everyone_by_address_and_name() {
    let place = Place::new(1, "");
    let serving = place.start();
    let path = format!("/v2/{PROJECT}/instances/single-0/{}", "x".repeat(7000));
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    for _ in 0..200 {
        assert_eq!(answer(&send(&serving.address, request.as_bytes())).expect("an answer").status, 404);
    }
    task(&serving, "single-0");
    let (_, log) = serving.stop();
    let of_strangers: Vec<&Value> =
        log.iter().filter(|event| event["message"] == "answered" && event["status"] == 404).collect();
    assert!((1..150).contains(&of_strangers.len()), "{}", of_strangers.len());
    assert!(of_strangers.iter().all(|event| event["path"].as_str().is_some_and(|path| path.len() == 256)));
    assert!(of_strangers.iter().all(|event| event["span"]["client"] == "127.0.0.1"));
    let created = log.iter().find(|event| event["message"] == "created").expect("an event");
    assert_eq!(created["span"]["client"], "127.0.0.1");
    assert_eq!(created["span"]["caller"], format!("token of {PROJECT}"));
}

#[test]
fn what_is_not_http_has_a_body_an_id_and_a_log_line() {
    let place = Place::new(0, "");
    let serving = place.start();
    let good = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(100));
    for (request, status) in [("GARBAGE\r\n\r\n", 400), ("GET / HTTP/9.9\r\n\r\n", 400), (&many, 431)] {
        let found = answer(&send(&serving.address, request.as_bytes())).expect("an answer");
        assert_eq!((found.status, &found.json()["error_code"]), (status, &json!("DCS.4800")), "{request}");
        let head = found.header.to_ascii_lowercase();
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an ID").to_owned();
        let logged = serving.wait_for("refused what is not HTTP");
        assert!(logged["client"] == "127.0.0.1" && id.len() == 32, "{logged}");
    }
    // Also after a good request on the same connection.
    let mut stream = TcpStream::connect(&serving.address).expect("a connection");
    let mut bytes = [0; 1024];
    for _ in 0..2 {
        stream.write_all(good.as_bytes()).expect("it reads");
        let read = stream.read(&mut bytes).expect("an answer");
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    stream.write_all(b"GARBAGE\r\n\r\n").expect("it reads");
    let mut rest = Vec::new();
    _ = stream.read_to_end(&mut rest);
    assert_eq!(answer(&rest).expect("an answer").json()["error_code"], "DCS.4800");
    let two = "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
    assert_eq!(answer(&send(&serving.address, two.as_bytes())).expect("an answer").status, 400);
    assert!(serving.stop().0.success());
}

/// Asks from another address of this machine.
fn ask_from(source: &str, address: &str, path: &str) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(format!("{source}:0").parse().expect("an address"))?;
        socket.connect(address.parse().expect("an address")).await?.into_std()
    });
    let mut stream = stream.ok()?;
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    answer(&bytes)
}

#[test]
fn strangers_hold_no_places() {
    let place = Place::new(1, "limits = { connections_per_address = 8, requests_at_once = 4, request_seconds = 1 }");
    let serving = place.start();
    // Bodies that never come to their end: without credentials nobody waits for them.
    let put = Serving::path("single-0", "bigkey/autoscan");
    let half = format!("PUT {put} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100\r\n\r\nx");
    let began = Instant::now();
    for _ in 0..8 {
        assert_eq!(answer(&send(&serving.address, half.as_bytes())).expect("an answer").status, 401);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "they were not waited for");
    // Connections that ask and do not read, and some that say nothing: an address has its share and no more.
    let held: Vec<TcpStream> = (0..8)
        .map(|number| {
            let mut stream = TcpStream::connect(&serving.address).expect("a connection");
            if number % 2 == 0 {
                let asked = stream.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\nGET /openapi.json HT");
                asked.expect("it reads");
            }
            stream
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    while ask(&serving.address, "GET", "/livez", "").is_some_and(|found| found.status == 200) {
        assert!(Instant::now() < deadline, "nobody was refused");
    }
    let refused = ask_from("127.0.0.1", &serving.address, "/livez");
    assert!(refused.is_none_or(|found| found.status == 503));
    assert_eq!(ask_from("127.0.0.2", &serving.address, "/livez").expect("an answer").status, 200);
    // A head that has begun must come to its end in time, so the places are free again by themselves.
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&serving.address, "GET", "/livez", "").is_none_or(|found| found.status != 200) {
        assert!(Instant::now() < deadline, "they keep their places for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(held);
    assert!(serving.stop().0.success());
}

#[test]
fn connections_are_kept_between_polls_and_closed_when_idle() {
    let place = Place::new(0, "limits = { idle_seconds = 3, request_seconds = 1 }");
    let serving = place.start();
    let mut stream = TcpStream::connect(&serving.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut bytes = [0; 1024];
    for _ in 0..2 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n").expect("it is open");
        assert!(stream.read(&mut bytes).expect("an answer") > 0);
        // Longer than a head may take.
        std::thread::sleep(Duration::from_millis(1500));
    }
    assert_eq!(stream.read(&mut bytes).expect("its end"), 0, "it is closed when it is idle");
    serving.kill();
}

#[test]
fn a_clean_stop_leaves_everything_in_the_file_and_a_damaged_page_is_found() {
    let place = Place::new(1, "");
    let serving = place.start();
    let done = task(&serving, "single-0");
    assert!(serving.stop().0.success());
    let store = place.folder.path().join("tasks.db");
    let log = fs::metadata(place.folder.path().join("tasks.db-wal")).map_or(0, |metadata| metadata.len());
    assert_eq!(log, 0, "SQLite's log has nothing that the file has not");
    let copy = place.folder.path().join("copy.db");
    fs::copy(&store, &copy).expect("a copy");
    let shown = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["task", "show", done["id"].as_str().expect("an ID"), "--store"])
        .arg(&copy)
        .output()
        .expect("it runs");
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).expect("JSON"), done);

    let mut bytes = fs::read(&store).expect("a store");
    let pages = bytes.len() / 4096;
    for page in 2..pages {
        bytes[page * 4096..page * 4096 + 64].fill(0xa5);
    }
    fs::write(&store, bytes).expect("a disk");
    let refused = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&place.config)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("this store is damaged"), "{said}");
}

#[test]
fn a_full_disk() {
    let place = Place::new(3, "");
    let Some(disk) = Disk::for_store(&place, 10 << 20) else { return };
    let mut serving = place.start();
    let (first, second) = (task(&serving, "single-0"), task(&serving, "single-1"));
    let show = |serving: &Serving, task: &Value, method: &str| {
        let path = format!("bigkey-task/{}", task["id"].as_str().expect("an ID"));
        ask(&serving.address, method, &Serving::path(task["instance_id"].as_str().expect("an ID"), &path), "")
    };
    disk.fill();
    let create = |serving: &Serving| {
        ask(&serving.address, "POST", &Serving::path("single-2", "bigkey-task"), "").expect("an answer")
    };
    // What SQLite's log has room for may still be taken.
    let mut last = create(&serving);
    for _ in 0..2000 {
        if last.status == 503 {
            break;
        }
        last = create(&serving);
        disk.fill();
    }
    assert_eq!((last.status, last.json()["error_msg"].clone()), (503, json!("The task store's disk is full.")));
    assert_eq!(show(&serving, &first, "GET").expect("an answer").json(), first);
    assert_eq!(show(&serving, &first, "DELETE").expect("an answer").json(), first);
    disk.fill();
    assert!(serving.stop().0.success());
    serving = place.start();
    assert_eq!(show(&serving, &second, "GET").expect("an answer").json(), second);
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&serving.address, "GET", "/readyz", "").expect("an answer").status != 503 {
        assert!(Instant::now() < deadline, "it says that it is ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    disk.empty();
    while ask(&serving.address, "GET", "/readyz", "").expect("an answer").status != 200 {
        assert!(Instant::now() < deadline, "it does not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
    task(&serving, "single-1");
    assert!(serving.stop().0.success());
}

#[test]
fn a_locked_store() {
    let place = Place::new(2, "limits = { request_seconds = 1 }");
    let serving = place.start();
    let done = task(&serving, "single-0");
    let other = rusqlite::Connection::open(place.folder.path().join("tasks.db")).expect("a store");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let create = Serving::path(CLUSTER, "bigkey-task");
    let list = Serving::path(CLUSTER, "bigkey-tasks");
    let address = serving.address.as_str();
    std::thread::scope(|scope| {
        let creates: Vec<_> = (0..40).map(|_| scope.spawn(|| ask(address, "POST", &create, ""))).collect();
        for _ in 0..20 {
            let began = Instant::now();
            assert_eq!(ask(address, "GET", &list, "").expect("an answer").status, 200);
            assert_eq!(ask(address, "GET", "/healthz", "").expect("an answer").status, 200);
            assert!(began.elapsed() < Duration::from_secs(1), "readers do not wait for writers");
        }
        for create in creates {
            assert_eq!(create.join().expect("no panic").expect("an answer").status, 503);
        }
    });
    other.execute_batch("ROLLBACK").expect("no lock");
    std::thread::sleep(Duration::from_millis(300));
    let listed = ask(address, "GET", &list, "").expect("an answer").json();
    assert_eq!(listed["count"], 0, "what was answered as failed is not done");
    assert_eq!(task(&serving, CLUSTER)["num"].as_u64() > Some(0), done["num"].as_u64() > Some(0));
    assert!(serving.stop().0.success());
}
