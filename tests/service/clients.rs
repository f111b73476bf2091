//! The cloud's own clients for four languages have the same conversation with the service, without a pause between the calls. Each
//! program in `clients/` is written as code for the cloud is; what it parsed is what `bigkeys analyze` says of the same dumps.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::http::ask;
use super::python_with;
use super::serving::{CLUSTER, PROJECT, Place, SHARDS, Serving};
use crate::support::endless;
use crate::support::skipped::skip;
use crate::support::tools::require;

/// The calls in their order, but for those that wait for the task's end; the status of each and its error code.
const CALLS: [(&str, u16, &str); 16] = [
    ("show schedule", 200, ""),
    ("create", 200, ""),
    ("create again", 400, "DCS.4918"),
    ("list", 200, ""),
    ("list a page", 200, ""),
    ("delete", 200, ""),
    ("delete again", 400, "DCS.4942"),
    ("show deleted", 400, "DCS.4942"),
    ("update schedule", 200, ""),
    ("show updated schedule", 200, ""),
    ("update schedule wrongly", 400, "DCS.4800"),
    ("list an empty page", 400, "DCS.4062"),
    ("show a malformed ID", 400, "DCS.4070"),
    ("unknown instance", 404, "DCS.3022"),
    ("instance of others", 403, "DCS.2003"),
    ("wrong secret", 401, "APIGW.0301"),
];

/// A client that hangs must still end the test.
const SECONDS_MAX: &str = "300";

#[test]
fn python() {
    let Some(python) = python_with("huaweicloudsdkdcs.v2") else { return };
    let lines = converse(&[python.as_ref(), &program("python/client.py")]);
    check(&lines);
    check_documented(&lines);
}

#[test]
fn java() {
    let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/clients/java");
    if !is_installed(&program("java/pom.xml"), &jars.join("pom.xml"), "the jars of the client for Java")
        || !require("javac")
    {
        return;
    }
    let class_path = jars.join("*");
    // It runs for a second, in which no optimizing compiler pays.
    let java = [Path::new("java"), Path::new("-XX:TieredStopAtLevel=1"), Path::new("-classpath"), &class_path];
    let source = program("java/Client.java");
    let lines = converse(&[&java[..], &[&source]].concat());
    check(&lines);
    check_documented(&lines);
}

#[test]
fn go() {
    if !require("go") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let client = folder.path().join("client");
    // A test fetches nothing.
    let built = Command::new("sh").arg(program("go/build.sh")).arg(&client).env("GOPROXY", "off").output();
    let said = String::from_utf8_lossy(&built.expect("a shell").stderr).into_owned();
    if said.contains("module lookup disabled by GOPROXY=off") {
        return skip("the modules of the client for Go are not installed: bash .ci/run install");
    }
    assert!(client.is_file(), "{said}");
    let lines = converse(&[&client]);
    check(&lines);
    check_documented(&lines);
}

#[test]
fn node() {
    let packages = program("node/node_modules/installed-lock.json");
    if is_installed(&program("node/package-lock.json"), &packages, "the packages of the client for Node.js")
        && require("node")
    {
        check(&converse(&[Path::new("node"), &program("node/client.js")]));
    }
}

/// The lines that the page shows for each language are those that its client ran.
#[test]
fn documented_lines_are_those_that_run() {
    let page = fs::read_to_string("docs/service.md").expect("the page");
    for (language, client) in [("python", "python/client.py"), ("java", "java/Client.java"), ("go", "go/main.go")] {
        let source = fs::read_to_string(program(client)).expect("a client");
        let lines = source.lines().skip_while(|line| !line.ends_with(" docs: begin")).skip(1);
        let lines: Vec<&str> = lines.take_while(|line| !line.ends_with(" docs: end")).collect();
        let margin = lines[0].len() - lines[0].trim_start().len();
        let lines: Vec<&str> = lines.iter().map(|line| &line[margin.min(line.len())..]).collect();
        let documented = lines.join("\n") + "\n";
        let fence = format!("```{language}\n");
        let mut blocks = page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
        assert!(
            blocks.any(|block| block.contains(&documented)),
            "{language}: docs/service.md does not have\n{documented}"
        );
    }
}

fn program(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/clients").join(path)
}

/// Whether what was installed is what is wanted now.
fn is_installed(wanted: &Path, installed: &Path, what: &str) -> bool {
    let is_installed = fs::read(installed).ok() == Some(fs::read(wanted).expect("a file"));
    if !is_installed {
        skip(&format!("{what} are not installed: bash .ci/run install"));
    }
    is_installed
}

/// Runs a client beside an analysis that keeps the only worker busy until the second creation was refused.
fn converse(client: &[&Path]) -> Vec<Value> {
    let place = Place::new(1, "analysis = { threads = 1 }");
    add_endless_dump(&place);
    let serving = place.start();
    let tasks = Serving::path("endless", "bigkey-task");
    let endless = ask(&serving.address, "POST", &tasks, "").expect("an answer").json();
    let cancel = format!("{tasks}/{}/cancel", endless["id"].as_str().expect("an ID"));

    let folder = place.folder.path();
    let errors = folder.join("stderr");
    let mut client = Command::new("timeout")
        .arg(SECONDS_MAX)
        .args(client)
        .args([&format!("http://{}", serving.address), PROJECT, CLUSTER, "single-0"])
        .envs([("CLOUD_SDK_AK", "AK"), ("CLOUD_SDK_SK", "SK"), ("NO_PROXY", "*")])
        // They leave files there.
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&errors).expect("a file"))
        .spawn()
        .expect("the client starts");
    let mut lines = Vec::new();
    for line in BufReader::new(client.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("text");
        // The client for Node.js logs to standard output, too.
        if !line.starts_with("{\"call\":") {
            continue;
        }
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if line["call"] == "create again" {
            assert_eq!(ask(&serving.address, "POST", &cancel, "").expect("an answer").status, 200);
        }
        lines.push(as_parsed(line));
    }
    let status = client.wait().expect("it ends");
    assert!(status.success(), "{status}: {lines:#?}\n{}", fs::read_to_string(errors).expect("a file"));
    lines
}

fn add_endless_dump(place: &Place) {
    endless::write(&place.folder.path().join("dumps/endless.rdb"));
    let config = fs::read_to_string(&place.config).expect("the configuration");
    let endless = "[[project.instance]]\nid = \"endless\"\nname = \"\"\ntype = \"single\"\ndumps = \"endless.rdb\"\n";
    let (of_project, of_others) = config.split_once("[[project]]\nid = \"another\"").expect("another project");
    let config = format!("{of_project}{endless}[[project]]\nid = \"another\"{of_others}");
    fs::write(&place.config, config).expect("a file");
}

/// Some clients give members that were not sent as null, others leave them out; and only the one for Node.js, which knows no fields,
/// keeps what is not published.
fn as_parsed(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(as_parsed).collect(),
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, value)| !value.is_null() && name != "name_base64");
            Value::Object(members.map(|(name, value)| (name, as_parsed(value))).collect())
        }
        value => value,
    }
}

fn check(lines: &[Value]) {
    let said = |line: &Value| (line["call"].clone(), line["status"].clone(), line.get("error_code").cloned());
    let calls: Vec<_> =
        lines.iter().filter(|line| line["call"] != "show" && line["call"] != "documented").map(said).collect();
    let expected =
        CALLS.map(|(call, status, code)| (json!(call), json!(status), Some(json!(code)).filter(|code| code != "")));
    assert_eq!(calls, expected);
    for line in lines.iter().filter(|line| line.get("error_code").is_some()) {
        assert_eq!(line["request_id"].as_str().map(str::len), Some(32), "{line}");
        assert!(!line["error_msg"].as_str().expect("a message").is_empty(), "{line}");
    }

    let created = answer(lines, "create");
    let (id, created_at) = (&created["id"], &created["created_at"]);
    let new = json!({"instance_id": CLUSTER, "status": "waiting", "scan_type": "manual", "num": 0});
    assert_eq!(except(created, &["id", "created_at"]), new);
    let record = json!({"id": id, "status": "waiting", "scan_type": "manual", "created_at": created_at});
    assert_eq!(*answer(lines, "list"), json!({"instance_id": CLUSTER, "count": 1, "records": [record]}));

    let shown: Vec<&Value> = lines.iter().filter(|line| line["call"] == "show").collect();
    let (done, before) = shown.split_last().expect("it was shown");
    assert!(
        before.iter().all(|line| ["waiting", "running"].contains(&line["answer"]["status"].as_str().unwrap_or("")))
    );
    let done = &done["answer"];
    let task =
        json!({"id": id, "instance_id": CLUSTER, "status": "success", "scan_type": "manual", "created_at": created_at});
    assert_eq!(except(done, &["started_at", "finished_at", "num", "keys"]), task);
    assert_moments(done);
    let shards = SHARDS.map(|(address, dump)| format!("{address}={dump}"));
    assert_eq!(
        analyzed(&shards),
        except(done, &["id", "instance_id", "scan_type", "created_at", "started_at", "finished_at"])
    );

    let record = except(done, &["instance_id", "num", "keys"]);
    assert_eq!(*answer(lines, "list a page"), json!({"instance_id": CLUSTER, "count": 1, "records": [record]}));
    assert_eq!(answer(lines, "delete"), done);

    let schedule = answer(lines, "show schedule");
    assert_eq!(*schedule, json!({"instance_id": CLUSTER, "enable_auto_scan": false, "schedule_at": []}));
    let schedule = answer(lines, "update schedule");
    let updated = json!({"instance_id": CLUSTER, "enable_auto_scan": true, "schedule_at": ["21:00"]});
    assert_eq!(except(schedule, &["updated_at"]), updated);
    moment(&schedule["updated_at"]);
    assert_eq!(answer(lines, "show updated schedule"), schedule);
}

/// What the lines got that the page shows.
fn check_documented(lines: &[Value]) {
    let task = answer(lines, "documented");
    assert_moments(task);
    assert_eq!((&task["instance_id"], &task["scan_type"]), (&json!("single-0"), &json!("manual")));
    let keys = except(task, &["id", "instance_id", "scan_type", "created_at", "started_at", "finished_at"]);
    assert_eq!(analyzed(&[SHARDS[0].1.to_owned()]), keys);
}

/// The status, number and keys that the program finds in the dumps, as clients parse them.
fn analyzed(dumps: &[String]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_bigkeys")).args(["analyze", "-q"]).args(dumps).output();
    let task = as_parsed(serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON"));
    let members = ["status", "num", "keys"].map(|name| (name.to_owned(), task[name].clone()));
    Value::Object(Map::from_iter(members))
}

fn answer<'a>(lines: &'a [Value], call: &str) -> &'a Value {
    let line = lines.iter().find(|line| line["call"] == call);
    &line.unwrap_or_else(|| panic!("no {call} in {lines:#?}"))["answer"]
}

fn except(object: &Value, names: &[&str]) -> Value {
    let members = object.as_object().unwrap_or_else(|| panic!("not an object: {object}")).clone();
    Value::Object(members.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect())
}

fn assert_moments(task: &Value) {
    let moments = ["created_at", "started_at", "finished_at"].map(|name| moment(&task[name]));
    assert!(moments.is_sorted(), "{moments:?}");
}

/// A moment in the only form that is published.
fn moment(value: &Value) -> Timestamp {
    let moment: Timestamp = value.as_str().expect("text").parse().expect("a moment");
    assert_eq!(*value, moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    moment
}
