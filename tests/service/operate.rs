//! What an operator does: check a configuration, reload it, make tokens, back the store up, run it under a service manager.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::time::Duration;

use super::http::ask;
use super::serving::{CLUSTER, LogReader, Place, Serving};

fn bigkeys(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bigkeys")).args(arguments).output().expect("it runs")
}

#[test]
fn a_configuration_is_checked() {
    let place = Place::new(1, "");
    let config = place.config.to_str().expect("a path");
    fs::set_permissions(config, fs::Permissions::from_mode(0o644)).expect("a file");
    let found = bigkeys(&["serve", "--config", config, "--check-config"]);
    let (out, err) = (String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert_eq!(found.status.code(), Some(0), "{err}");
    assert!(
        out.contains(&format!("{CLUSTER}\tcluster\t10.0.0.1:6379\t20")) && out.contains("/dumps/shard-0.rdb"),
        "{out}"
    );
    assert!(out.contains("anothers\t\t\tno dump\tno file matches"), "{out}");
    for warning in [
        "the secret of access key AK is the example's, or shorter than 16 characters",
        "a token of project a4d31cb6a5f94fd58ec96e3a41e47f71 is the example's, or shorter than 16",
        "bigkeys.toml: every user of this machine can read the secrets in it",
        "instance anothers has no dump: no file matches",
    ] {
        assert!(err.contains("bigkeys: warning: ") && err.contains(warning), "no {warning:?} in {err}");
    }
    assert!(!place.folder.path().join("tasks.db").exists(), "nothing was opened");

    let text = fs::read_to_string(config).expect("a file").replace("\"AK\"", "\"A,K\"");
    fs::write(config, format!("limits = {{ body_bytes = 0 }}\n{text}")).expect("a file");
    let found = bigkeys(&["serve", "--config", config, "--check-config"]);
    let err = String::from_utf8_lossy(&found.stderr);
    assert_eq!((found.status.code(), err.lines().count(), found.stdout.len()), (Some(2), 2, 0), "{err}");
    assert!(err.contains("`body_bytes` is 1 to") && err.contains("an access key's ID"), "{err}");
}

#[test]
fn a_taken_port_changes_nothing() {
    let place = Place::new(0, "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let found = bigkeys(&["serve", "--config", place.config.to_str().expect("a path"), "--listen", &address]);
    assert_eq!(found.status.code(), Some(2));
    assert!(!place.folder.path().join("tasks.db").exists(), "nothing was worked on");
}

#[test]
fn a_reload_loses_no_request_and_a_wrong_one_changes_nothing() {
    let place = Place::new(1, "");
    let serving = place.start();
    let list = Serving::path("single-0", "bigkey-tasks");
    let status = |path: &str| ask(&serving.address, "GET", path, "").expect("an answer").status;
    assert_eq!(status(&list), 200);
    let good = fs::read_to_string(&place.config).expect("a file");
    fs::write(&place.config, good.replace("\"single-0\"", "\"single-9\"").replace("dumps = \"x\"", "dumps = \"../x\""))
        .expect("a file");
    serving.signal("HUP");
    let event = serving.wait_for("the configuration was not reloaded");
    assert!(event["mistake"].as_str().expect("text").contains("dumps are below the root"), "{event}");
    assert_eq!(status(&list), 200, "a wrong configuration changes nothing");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let cluster = Serving::path(CLUSTER, "bigkey-tasks");
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(status(&cluster), 200, "a reload loses no request");
            }
        });
        fs::write(&place.config, good.replace("\"single-0\"", "\"single-9\"")).expect("a file");
        serving.signal("HUP");
        serving.wait_for("the configuration was reloaded");
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().expect("no request is lost");
    });
    assert_eq!((status(&list), status(&Serving::path("single-9", "bigkey-tasks"))), (404, 200));
    assert!(serving.stop().0.success());
}

#[test]
fn a_new_token_works_by_its_hash() {
    let made = bigkeys(&["token", "new"]);
    let text = String::from_utf8(made.stdout).expect("text");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        line.expect("a line").trim_end_matches('"').to_owned()
    };
    let (token, sha256) = (value("token"), value("token_sha256"));
    assert_eq!((token.len(), sha256.len()), (43, 64));
    let place = Place::new(0, "");
    let config = fs::read_to_string(&place.config).expect("a file");
    fs::write(&place.config, config.replace("{ token = \"token\" }", &format!("{{ token_sha256 = \"{sha256}\" }}")))
        .expect("a file");
    let serving = place.start();
    let path = Serving::path(CLUSTER, "bigkey-tasks");
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nX-Auth-Token: {token}\r\nConnection: close\r\n\r\n");
    let mut stream = std::net::TcpStream::connect(&serving.address).expect("a connection");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).expect("an answer");
    assert_eq!(super::http::answer(&bytes).expect("an answer").status, 200);
    assert_eq!(ask(&serving.address, "GET", &path, "").expect("an answer").status, 401);
    let (_, log) = serving.stop();
    assert!(!format!("{log:?}").contains(&token));
}

#[test]
fn the_store_is_backed_up_checked_and_compacted_while_it_serves() {
    let place = Place::new(1, "");
    let serving = place.start();
    let created = ask(&serving.address, "POST", &Serving::path("single-0", "bigkey-task"), "").expect("an answer");
    let store = place.folder.path().join("tasks.db");
    let store = store.to_str().expect("a path");
    let copy = place.folder.path().join("copy.db");
    let copy = copy.to_str().expect("a path");
    for arguments in [&["check"][..], &["backup", copy], &["vacuum"]] {
        let found = bigkeys(&[&["store"], arguments, &["--store", store]].concat());
        assert_eq!(found.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&found.stderr));
    }
    let again = bigkeys(&["store", "backup", copy, "--store", store]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.code() == Some(2) && said.contains("copy.db: File exists"), "{said}");
    let id = created.json()["id"].as_str().expect("an ID").to_owned();
    assert_eq!(bigkeys(&["task", "show", &id, "--store", copy]).status.code(), Some(0));
    let typo = place.folder.path().join("typo.db");
    let typo = typo.to_str().expect("a path");
    for arguments in [&["store", "check"][..], &["task", "list"], &["task", "run"]] {
        assert_eq!(bigkeys(&[arguments, &["--store", typo]].concat()).status.code(), Some(2));
        assert!(!fs::exists(typo).expect("a folder"), "a typo creates no store");
    }
    drop(serving);
    let mut bytes = fs::read(copy).expect("a copy");
    for page in 1..bytes.len() / 4096 {
        bytes[page * 4096..page * 4096 + 64].fill(0xa5);
    }
    fs::write(copy, bytes).expect("a disk");
    let damaged = bigkeys(&["store", "check", "--store", copy]);
    let said = String::from_utf8_lossy(&damaged.stderr);
    assert!(damaged.status.code() == Some(1) && said.contains("this store is damaged"), "{said}");
}

#[test]
fn a_service_manager_is_told() {
    let place = Place::new(0, "");
    let path = place.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let serving = Serving::start_with(&place.config, LogReader::Reads, &[("NOTIFY_SOCKET", &path)]);
    let wait_for = |wanted: &str| {
        let mut bytes = [0; 256];
        loop {
            let read = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            if text.contains(wanted) {
                return text;
            }
        }
    };
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    serving.signal("HUP");
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    assert!(serving.stop().0.success());
    wait_for("STOPPING=1");
}
