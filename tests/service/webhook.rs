//! Ends of tasks are told to another program: signed, again where it does not take them, and in nobody's way.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ring::hmac;
use serde_json::{Value, json};

use super::http::ask;
use super::serving::{Place, Serving};

const SECRET: &str = "a secret of many letters";

/// Takes a message; returns the connection, which waits for an answer, and the event, whose signature was looked at.
fn receive(listener: &TcpListener) -> (TcpStream, Value) {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).expect("a message");
        assert!(read > 0, "the message breaks off");
        bytes.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /tasks?of=bigkeys HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).expect("a header");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = hmac::sign(&key, format!("{}.{body}", header("X-Bigkeys-Timestamp: ")).as_bytes());
    let signature = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(header("X-Bigkeys-Signature: "), format!("sha256={signature}"));
    let event = serde_json::from_str(body).expect("JSON");
    (stream, event)
}

fn create(serving: &Serving, instance: &str) -> String {
    let created = ask(&serving.address, "POST", &Serving::path(instance, "bigkey-task"), "").expect("an answer");
    assert_eq!(created.status, 200, "{created:?}");
    created.json()["id"].as_str().expect("an ID").to_owned()
}

#[test]
fn ends_of_tasks_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/tasks?of=bigkeys", listener.local_addr().expect("an address"));
    let webhook = format!("webhook = {{ url = \"{url}\", secret = \"{SECRET}\" }}\nanalysis = {{ workers = 1 }}");
    let place = Place::new(3, &webhook);
    let serving = place.start();

    let id = create(&serving, "single-0");
    let (mut stream, first) = receive(&listener);
    stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").expect("it reads");
    let (mut stream, second) = receive(&listener);
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("it reads");
    assert_eq!(first, second, "what was not taken comes again");
    assert!(second["seconds"].is_f64());
    let told = json!({"event": "task.ended", "task_id": id, "instance_id": "single-0", "kind": "bigkey",
        "status": "success", "seconds": second["seconds"]});
    assert_eq!(second, told);

    fs::write(place.folder.path().join("dumps/shard-0.rdb"), b"REDIS0011\xfe").expect("a file");
    create(&serving, "single-1");
    let (mut stream, failed) = receive(&listener);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("it reads");
    assert_eq!((&failed["status"], &failed["instance_id"]), (&json!("failed"), &json!("single-1")));
    assert!(failed["reason"].as_str().expect("a reason").contains("shard-0.rdb"), "{failed}");

    // Nobody answers: the only worker works on, and the service ends all the same.
    create(&serving, "single-2");
    let (unanswered, _) = receive(&listener);
    let id = create(&serving, "single-1");
    let path = Serving::path("single-1", &format!("bigkey-task/{id}"));
    let deadline = Instant::now() + Duration::from_secs(8);
    while ask(&serving.address, "GET", &path, "").expect("an answer").json()["status"] != "failed" {
        assert!(Instant::now() < deadline, "a worker waits for the webhook");
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    let (status, log) = serving.stop();
    assert!(status.success() && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    drop(unanswered);
    assert!(!serde_json::to_string(&log).expect("JSON").contains(SECRET), "the log has the secret");
}
