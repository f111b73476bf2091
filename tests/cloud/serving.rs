//! The service over dumps in a bucket: the newest match of a pattern by its time, named without what gives access.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stores::{Store, s3};
use crate::support::assembler::Rdb;
use crate::support::ways::Scratch;
use crate::support::web::{Act, Web};
use crate::{bigkeys, complaint, free_port, text};

const SECONDS_MAX: u64 = 60;

/// A running service.
struct Serving {
    process: Child,
    address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let address = loop {
            let line = lines.next().expect("a service").expect("a log");
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if let Some(address) = event["address"].as_str() {
                break address.to_owned();
            }
        };
        // Its log is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let address = &self.address;
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(SECONDS_MAX))).expect("a timeout");
        let path = format!("/v2/p/instances/{path}");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let answer = text(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    /// A big key analysis of an instance, once it has ended.
    fn task(&self, instance: &str) -> Value {
        let (status, created) = self.ask("POST", &format!("{instance}/bigkey-task"));
        assert_eq!(status, 200, "{created}");
        let path = format!("{instance}/bigkey-task/{}?details=true", created["id"].as_str().expect("an ID"));
        let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
        loop {
            let (_, task) = self.ask("GET", &path);
            if task["status"] != "waiting" && task["status"] != "running" {
                return task;
            }
            assert!(Instant::now() < deadline, "{task}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A configuration of single instances, each by its name and where its dumps are.
fn config(scratch: &Scratch, instances: &[(&str, &str)]) -> String {
    let entry = |(id, dumps): &(&str, &str)| {
        format!("[[project.instance]]\nid = \"{id}\"\nname = \"\"\ntype = \"single\"\ndumps = \"{dumps}\"\n")
    };
    let entries: String = instances.iter().map(entry).collect();
    let text = format!("store = \"tasks.db\"\nlog = {{ format = \"json\" }}\n[[project]]\nid = \"p\"\n{entries}");
    scratch.write("bigkeys.toml", text.as_bytes()).to_str().expect("a path that is text").to_owned()
}

fn dump_of(name: &str) -> Vec<u8> {
    Rdb::redis(11).select_db(0).key(0, name, |b| b.string(vec![b'x'; 3000])).eof()
}

/// Puts dumps, each a second after the one before, since that is what times of objects have.
fn put(store: &Store, names: &[&str]) {
    for name in names {
        store.put(name, &dump_of(name));
        std::thread::sleep(Duration::from_millis(1100));
    }
}

#[test]
fn the_newest_object_of_a_pattern_is_analyzed() {
    let Some(store) = s3() else { return };
    let scratch = Scratch::new();
    put(&store, &["node/z.rdb", "node/a.rdb", "other/x.rdb"]);
    let web = Web::start(dump_of("web"), |_| Act::Dated);
    let signed = format!("{}?sig=SECRET", web.url("signed.rdb"));
    let config =
        config(&scratch, &[("node", "s3://bucket/n*/*.rdb"), ("one", "s3://bucket/other/x.rdb"), ("web", &signed)]);
    let serving = Serving::start(store.bigkeys(&["serve", "--config", &config]).args(["--listen", "127.0.0.1:0"]));
    for (instance, key, dump) in
        [("node", "node/a.rdb", "a.rdb"), ("one", "other/x.rdb", "x.rdb"), ("web", "web", "signed.rdb")]
    {
        let task = serving.task(instance);
        assert_eq!((&task["status"], &task["keys"][0]["name"]), (&"success".into(), &key.into()), "{task}");
        assert_eq!(task["details"]["dumps"][0]["name"], dump);
        let (_, backups) = serving.ask("GET", &format!("{instance}/backups"));
        let backup = &backups["backup_record_response"][0];
        assert_eq!(backup["backup_name"], dump);
        assert_eq!(backup["size"], dump_of(key).len());
        // What is asked of the object is what the list said of it.
        let written_at = task["details"]["dumps"][0]["written_at"].as_str().expect("a time");
        assert_eq!(backup["created_at"], written_at, "{task}");
        assert!(!format!("{task}{backups}").contains("SECRET"));
    }
    put(&store, &["node/m.rdb"]);
    assert_eq!(serving.task("node")["keys"][0]["name"], "node/m.rdb");
    // A store that does not answer may do so later.
    drop(store);
    let (status, refusal) = serving.ask("POST", "node/bigkey-task");
    assert_eq!(status, 503, "{refusal}");
}

#[test]
fn a_configuration_with_urls_is_checked() {
    let Some(store) = s3() else { return };
    let scratch = Scratch::new();
    put(&store, &["node/a.rdb"]);
    let web = Web::start(dump_of("web"), |_| Act::Dated);
    let undated = Web::start(dump_of("web"), |_| Act::Chunked);
    let check = |instances: &[(&str, &str)]| {
        let config = config(&scratch, instances);
        store.bigkeys(&["serve", "--config", &config, "--check-config"]).output().expect("the program")
    };
    let output = check(&[
        ("node", "s3://bucket/*/*.rdb"),
        ("web", &format!("{}?sig=SECRET", web.url("a.rdb"))),
        ("none", "s3://bucket/no-such-*.rdb"),
        ("nobucket", "s3://nobucket/*.rdb"),
        ("undated", &undated.url("a.rdb")),
    ]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    let line = |instance: &str| out.lines().find(|line| line.starts_with(instance)).unwrap_or_default().to_owned();
    assert!(line("node\t\t\t20").ends_with("Z\ts3://bucket/node/a.rdb"), "{out}");
    assert!(line("web\t\t\t2026-11-20T10:00:00Z\thttp://127.0.0.1:").ends_with("/a.rdb"), "{out}");
    for (instance, words) in [
        ("none", "s3://bucket/no-such-*.rdb: could not open it: no object matches: check the pattern"),
        ("nobucket", "there is no such bucket (404 NoSuchBucket): check its name"),
        ("undated", "the server does not say when the file was written"),
    ] {
        assert!(line(instance).contains("\tno dump\t") && line(instance).contains(words), "{out}");
        assert!(err.contains(&format!("instance {instance} has no dump: ")), "{err}");
    }
    assert!(!out.contains("SECRET") && !err.contains("SECRET"), "{out}{err}");

    for (dumps, words) in [
        ("s3://bucket", "line 9, column 9: s3://bucket: could not use this URL: the URL names no object"),
        ("s3://bucket/a**b/*.rdb", "line 9, column 9: s3://bucket/a**b/*.rdb: could not use this URL: not a pattern"),
        ("ftp://host/a.rdb", "URLs of these schemes are read: s3, gs, az"),
        ("node/*.rdb", "line 9, column 9: there is no `root`"),
    ] {
        let output = check(&[("node", dumps)]);
        assert_eq!(output.status.code(), Some(2), "{dumps}");
        assert!(complaint(&output).contains(words), "{}", text(&output.stderr));
    }
    // Without a store: what it would say is not known.
    let config = config(&scratch, &[("node", "s3://bucket/*.rdb")]);
    let mut command = bigkeys(&["serve", "--config", &config, "--check-config"]);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", free_port()));
    let output = command.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "S").output().expect("the program");
    assert!(
        text(&output.stdout).contains("no connection to the store (Connection refused"),
        "{}",
        text(&output.stdout)
    );
    assert!(fs::exists(&config).expect("a folder") && !scratch.path("tasks.db").exists(), "nothing was opened");
}
