//! Dumps at URLs: whatever a server does, the bytes are those of the file, or one sentence says what is wrong. What buckets
//! need beside that, the emulators of three stores are asked.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use bigkeys::{Error, ErrorKind};
use support::assembler::Rdb;
use support::fixtures;
use support::random::Random;
use support::tools::pipe;
use support::ways::{Answer, Doing, Scratch, every_key};
use support::web::{Act, Request, Web};

mod ranges;
#[cfg(feature = "server")]
mod serving;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod tls;

/// A dump that takes several ranges.
fn long_dump() -> Vec<u8> {
    let mut random = Random(20);
    let mut rdb = Rdb::redis(11).select_db(0);
    for number in 0..400_u32 {
        let value = random.bytes(50_000);
        rdb = rdb.key(0, format!("key:{number}"), |b| b.string(value));
    }
    rdb.eof()
}

fn answer(url: &str) -> Result<Answer, Error> {
    bigkeys::analyze(url, &every_key()).map(|report| Answer::of(report, &bigkeys::input::shown(url)))
}

fn answer_of_file(bytes: &[u8]) -> Answer {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", bytes);
    answer(path.to_str().expect("a path that is text")).expect("a file")
}

fn bigkeys(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
    command.args(arguments).stdin(Stdio::null());
    // Whoever runs the tests has a store of their own.
    for (name, _) in std::env::vars() {
        if ["AWS_", "AZURE_", "GOOGLE_", "STORAGE_", "SSL_CERT_"].iter().any(|start| name.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command.env("AWS_CONFIG_FILE", "/nowhere").env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere").env("HOME", "/nowhere");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program's only word on standard error.
fn complaint(output: &Output) -> String {
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn every_fixture_is_the_same_from_a_url() {
    let web = Web::files(|path| fs::read(Path::new("fixtures").join(path)).ok().map(Arc::new), |_| Act::Serve);
    let folders = [("", fixtures::sound()), ("refused/", fixtures::refused()), ("memory/", fixtures::with_memory())];
    for (folder, fixtures) in folders {
        for fixture in fixtures {
            let _doing = Doing(|| fixture.name.clone());
            let from_file = bigkeys::analyze(&fixture.path, &every_key()).expect("a file");
            let from_file = Answer::of(from_file, &fixture.path.display().to_string());
            assert_eq!(answer(&web.url(&format!("{folder}{}", fixture.name))).expect("a URL"), from_file);
        }
    }
}

#[test]
fn compressed_dumps_come_through() {
    let dump = long_dump();
    let expected = answer_of_file(&dump);
    for command in ["gzip -1", "zstd -1", "lz4 -1", "xz -0", "bzip2 -1"] {
        if let Some(packed) = pipe(command, &dump) {
            let web =
                Web::start(packed, |request| if request.number == 2 { Act::DropAfter(70_000) } else { Act::Serve });
            assert_eq!(answer(&web.url("a")).expect("a URL"), expected, "{command}");
        }
    }
}

#[test]
fn the_bytes_are_right_whatever_happens_on_the_way() {
    type How = fn(&Request) -> Act;
    let dump = long_dump();
    let expected = answer_of_file(&dump);
    assert!(expected.is_complete() && expected.keys.len() == 400);
    let busy = Act::Refuse(503, "", "<Error><Code>SlowDown</Code></Error>");
    let hows: [(&str, How); 12] = [
        ("as it should be", |_| Act::Serve),
        ("drops", |request| if request.number % 2 == 0 { Act::DropAfter(300_000) } else { Act::Serve }),
        ("drops at once", |request| if request.number % 3 == 0 { Act::DropAfter(0) } else { Act::Serve }),
        ("stalls", |request| if request.number == 1 { Act::StallAfter(100_000) } else { Act::Serve }),
        ("answers nothing", |request| if request.number == 0 { Act::StallAfter(0) } else { Act::Serve }),
        ("500", |request| if request.number < 3 { Act::Refuse(500, "", "") } else { Act::Serve }),
        ("429", |request| if request.number % 2 == 0 { Act::Refuse(429, "", "") } else { Act::Serve }),
        ("short at times", |request| if request.number % 2 == 0 { Act::Short(12_345) } else { Act::Serve }),
        ("knows no ranges", |_| Act::Whole(usize::MAX)),
        ("knows no ranges and drops", |request| {
            Act::Whole(if request.number < 4 { 6_000_000 * request.number } else { usize::MAX })
        }),
        ("says nothing of itself", |_| Act::Chunked),
        ("redirects", |request| match request.path.as_str() {
            "a" => Act::Refuse(302, "Location: /b?sig=y\r\n", ""),
            _ => Act::Serve,
        }),
    ];
    std::thread::scope(|scope| {
        for (what, how) in hows {
            let (dump, expected) = (dump.clone(), &expected);
            scope.spawn(move || {
                let web = Web::start(dump, how);
                assert_eq!(&answer(&web.url("a")).expect(what), expected, "{what}");
            });
        }
        let (dump, expected) = (dump.clone(), &expected);
        scope.spawn(move || {
            let web = Web::start(dump, move |request| if request.number % 3 == 1 { busy.clone() } else { Act::Serve });
            assert_eq!(&answer(&web.url("a")).expect("503"), expected);
        });
    });
}

#[test]
fn what_cannot_be_right_is_told() {
    type How = Box<dyn Fn(&Request) -> Act + Send + Sync>;
    let dump = long_dump();
    let other = Arc::new(dump.clone());
    let hows: Vec<(&str, How)> = vec![
        (
            "ends its answers too early; given up after 9 tries",
            Box::new(|request| Act::Short(request.range.map_or(0, |(first, last)| last + 1 - first).min(10))),
        ),
        ("another range", Box::new(|_| Act::OtherRange)),
        (
            "more bytes than it was asked for",
            Box::new(|request| if request.number == 2 { Act::TooMany } else { Act::Serve }),
        ),
        (
            "but does not have all of them",
            Box::new(|request| if request.number < 2 { Act::Serve } else { Act::Refuse(416, "", "") }),
        ),
        ("another range than the one it was asked for", Box::new(move |_| Act::Claim(50_000_000))),
        (
            "answered a range and then no more",
            Box::new(|request| if request.number < 2 { Act::Serve } else { Act::Whole(usize::MAX) }),
        ),
        (
            "is busy or out of order (500); given up after 9 tries",
            Box::new(|request| if request.number == 0 { Act::Serve } else { Act::Refuse(500, "", "") }),
        ),
        (
            "was replaced while it was read",
            Box::new(
                move |request| if request.number < 2 { Act::Serve } else { Act::Replaced(other.clone(), "\"two\"") },
            ),
        ),
    ];
    std::thread::scope(|scope| {
        for (words, how) in hows {
            let dump = dump.clone();
            scope.spawn(move || {
                let web = Web::start(dump, how);
                let told = match bigkeys::analyze(web.url("a"), &every_key()) {
                    Ok(report) => report.damage.last().expect(words).to_string(),
                    Err(error) => error.to_string(),
                };
                assert!(told.starts_with(&web.url("a")) && told.contains(words), "{words}: {told}");
            });
        }
    });
}

#[test]
fn refusals_say_what_to_do() {
    let expired = "x?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=SECRET";
    let valid = "x?X-Amz-Date=20990101T000000Z&X-Amz-Expires=60&X-Amz-Signature=SECRET";
    let denied = "<Error><Code>AccessDenied</Code><Message>SECRET</Message></Error>";
    for (path, act, words) in [
        ("x", Act::Refuse(404, "", ""), "could not open it: there is nothing at this URL (404): check the URL"),
        (
            "x",
            Act::Refuse(403, "", ""),
            "access is denied (403): give the URL of an object that everybody may read, or a signed one",
        ),
        ("x", Act::Refuse(401, "", ""), "asks for credentials (401)"),
        (expired, Act::Refuse(403, "", denied), "the URL has expired (403 AccessDenied): have a new one signed"),
        (valid, Act::Refuse(403, "", denied), "the signature is not for reading this object"),
        ("x", Act::Refuse(301, "", ""), "(301)"),
        ("x", Act::Serve, "the file is empty"),
    ] {
        let web = Web::start(Vec::new(), move |_| act.clone());
        let output = bigkeys(&["report", &web.url(path)]).output().expect("the program");
        let told = complaint(&output);
        assert!(told.contains(words) && !told.contains("SECRET"), "{told}");
        assert_eq!(output.status.code(), Some(if words.contains("empty") { 1 } else { 2 }), "{told}");
    }
    let nobody = format!("http://127.0.0.1:{}/x.rdb", free_port());
    for (url, words) in [
        (nobody.as_str(), "no connection to the server (Connection refused"),
        ("ftp://host/x.rdb", "URLs of these schemes are read"),
        ("http://", "not a valid URL"),
        ("http://host:99999/x", "not a valid URL"),
        ("s3://bucket", "names no object"),
        ("s3://bucket/folder/", "names no object"),
        ("s3:///x.rdb", "has no name of a bucket"),
        ("s3://KEY:SECRET@bucket/x.rdb", "has no name of a bucket; credentials"),
        ("s3://buck*/x.rdb", "has no name of a bucket"),
        ("az://container/x.rdb", "set AZURE_STORAGE_ACCOUNT_NAME"),
        ("s3://bucket/a**b/x.rdb", "not a pattern"),
    ] {
        let output = bigkeys(&["report", url]).output().expect("the program");
        let told = text(&output.stderr);
        assert!(told.contains(words) && output.status.code() == Some(2), "{url}: {told}");
        assert!(!told.contains("SECRET") || url.starts_with("ftp"), "{told}");
    }
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn nothing_that_gives_access_is_shown() {
    let scratch = Scratch::new();
    let dump = fs::read("fixtures/shop_v10.rdb").expect("a fixture");
    let cut = dump[..dump.len() - 20].to_vec();
    let web = Web::start(cut, |_| Act::Serve);
    let url = web.url("cut.rdb?X-Amz-Credential=SECRET&sig=SECRET#SECRET").replace("http://", "http://me:SECRET@");
    let store = scratch.path("tasks.db");
    let store = store.to_str().expect("a path that is text");
    let commands: [&[&str]; 9] = [
        &["analyze", "--progress", "always"],
        &["report", "--format", "json", "--sha256"],
        &["report"],
        &["keys"],
        &["check"],
        &["check", "--json"],
        &["export"],
        &["export", "--format", "elements", "--as", "csv"],
        &["task", "--store", store, "create", "--wait"],
    ];
    for command in commands {
        let output = bigkeys(command).arg(&url).output().expect("the program");
        let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(printed.contains("cut") && !printed.contains("SECRET"), "{command:?}: {printed}");
        assert_eq!(output.status.code(), Some(1), "{command:?}: {printed}");
    }
    let requests = web.requests.lock().expect("a lock");
    let basic = Some("Basic bWU6U0VDUkVU".to_owned());
    assert!(requests.iter().all(|request| request.query.ends_with("sig=SECRET") && request.authorization == basic));
}

#[test]
fn an_offset_is_looked_up_without_the_rest() {
    let mut rdb = Rdb::redis(11).select_db(0);
    for number in 0..40_u32 {
        rdb = rdb.key(0, format!("key:{number}"), |b| b.string(vec![b'x'; 300_000]));
    }
    let dump = rdb.eof();
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", &dump);
    let path = path.to_str().expect("a path that is text");
    let report = bigkeys::analyze(path, &every_key()).expect("a file");
    let offset = report.keys.iter().find(|key| key.name == b"key:30").expect("the key").offset.to_string();
    let web = Web::start(dump, |request| if request.number == 3 { Act::DropAfter(1000) } else { Act::Serve });
    let get = |dump: &str| bigkeys(&["get", dump, "--offset", &offset, "--json"]).output().expect("the program");
    let (from_file, from_url) = (get(path), get(&web.url("a")));
    assert!(from_url.status.success(), "{}", text(&from_url.stderr));
    assert!(text(&from_file.stdout).contains("key:30"));
    assert_eq!(text(&from_url.stdout), text(&from_file.stdout));
    assert!(web.asked_bytes() < 1_200_000, "{} bytes", web.asked_bytes());
    let web = Web::start(fs::read("fixtures/shop_v10.rdb").expect("a fixture"), |_| Act::Whole(usize::MAX));
    let told = complaint(&get(&web.url("a")));
    assert!(told.contains("does not answer ranges, which --offset needs"), "{told}");
}

#[test]
fn a_damaged_object_is_salvaged_as_a_file_is() {
    let scratch = Scratch::new();
    let path = "fixtures/refused/cut_in_string_v09.rdb";
    let web = Web::start(fs::read(path).expect("a fixture"), |_| Act::Serve);
    let salvage = |dump: &str, to: &str| {
        let to = scratch.path(to);
        let output = bigkeys(&["salvage", dump, "-o"]).arg(&to).output().expect("the program");
        let account = text(&output.stdout).replace(&bigkeys::input::shown(dump), "DUMP");
        (output.status.code(), account, fs::read(to).expect("what was saved"))
    };
    let from_file = salvage(path, "a");
    assert_eq!(from_file.0, Some(1));
    assert_eq!(salvage(&web.url("a.rdb?sig=SECRET"), "b"), from_file);
}

#[test]
fn nothing_is_fetched_in_vain() {
    let web = Web::start([&b"plain text"[..], &vec![b'\n'; 20 << 20]].concat(), |_| Act::Serve);
    let started = Instant::now();
    let error = bigkeys::analyze(web.url("a"), &every_key()).expect("a URL").damage.remove(0);
    assert!(matches!(error.cause, ErrorKind::Refused(_)), "{error}");
    assert!(web.asked_bytes() <= (1 << 20) + 1 && started.elapsed().as_secs() < 5);
}
