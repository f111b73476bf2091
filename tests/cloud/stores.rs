//! Three stores, each by an emulator that its users know: the same dumps from a bucket as from files, patterns over its names,
//! and objects that are written.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::assembler::Rdb;
use crate::support::fixtures;
use crate::support::python::python_with;
use crate::support::random::Random;
use crate::support::skipped::skip;
use crate::support::ways::Scratch;
use crate::{bigkeys, complaint, free_port, text};

/// How long an emulator may take to start.
const SECONDS_MAX: u64 = 60;

/// An emulator of a store with an empty bucket, until the test ends.
pub(crate) struct Store {
    child: Child,
    port: u16,
    /// The URL of the bucket.
    base: &'static str,
    env: Vec<(&'static str, String)>,
    /// What the names of a request for an object stand between.
    object: fn(&str) -> (String, &'static str),
    /// What ends each path, to be let in.
    access: String,
    _scratch: Scratch,
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Store {
    /// Sends a request and returns its status and body.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let joint = if self.access.is_empty() {
            ""
        } else if path.contains('?') {
            "&"
        } else {
            "?"
        };
        let path = format!("{path}{joint}{}", self.access);
        request(self.port, method, &path, headers, body).expect("an answer")
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let (path, headers) = (self.object)(name);
        let method = if path.starts_with("/upload") { "POST" } else { "PUT" };
        let (status, answer) = self.ask(method, &path, headers, bytes);
        assert!((200..300).contains(&status), "{status}: {}", text(&answer));
    }

    pub(crate) fn bigkeys(&self, arguments: &[&str]) -> Command {
        let mut command = bigkeys(arguments);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// What the program prints, if it succeeds.
    fn printed(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.bigkeys(arguments).output().expect("the program");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output.stdout
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.bigkeys(arguments).output().expect("the program");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        complaint(&output)
    }
}

fn request(port: u16, method: &str, path: &str, headers: &str, body: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(SECONDS_MAX)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(answer.len());
    let status = text(&answer).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, answer.get(head + 4..).unwrap_or_default().to_vec()))
}

/// Starts a program and waits until it answers.
fn started(command: &mut Command, port: u16) -> Child {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("an emulator");
    let begun = Instant::now();
    while request(port, "GET", "/", "", b"").is_err() {
        assert!(child.try_wait().expect("a process").is_none(), "the emulator ended");
        assert!(begun.elapsed().as_secs() < SECONDS_MAX, "the emulator does not answer");
        std::thread::sleep(Duration::from_millis(100));
    }
    child
}

/// A program by the variable that names it, or on the PATH; a word on standard error if it is not there, which on CI is an
/// error.
fn program(variable: &str, name: &str) -> Option<OsString> {
    let on_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file()).map(Into::into)
    };
    // Where `.ci/run install` puts it.
    let installed = || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/azurite/node_modules/.bin").join(name);
        path.is_file().then(|| path.into())
    };
    let found = std::env::var_os(variable).or_else(installed).or_else(on_path);
    if found.is_none() {
        skip(&format!("no {name}: install it, or set {variable}"));
    }
    found
}

pub(crate) fn s3() -> Option<Store> {
    s3_with("")
}

/// A store whose bucket is made with some headers.
fn s3_with(headers: &str) -> Option<Store> {
    let python = python_with("moto, flask, flask_cors", "pip install 'moto[s3]' flask flask-cors")?;
    let (scratch, port) = (Scratch::new(), free_port());
    let serve = format!("from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])");
    let child = started(Command::new(python).args(["-c", &serve]).env("HOME", scratch.path("")), port);
    let env = vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ACCESS_KEY_ID", "AKIASECRETID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "SECRETKEY".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    let object = |name: &str| (format!("/bucket/{name}"), "");
    let store = Store { child, port, base: "s3://bucket", env, object, access: String::new(), _scratch: scratch };
    assert_eq!(store.ask("PUT", "/bucket", headers, b"").0, 200);
    Some(store)
}

/// Google's emulator if it is there; else what speaks the same XML, with a bucket that everybody may read.
fn gcs() -> Option<Store> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&folders).map(|folder| folder.join("fake-gcs-server")).find(|path| path.is_file());
    let Some(program) = std::env::var_os("BIGKEYS_FAKE_GCS_SERVER").or(on_path.map(Into::into)) else {
        let mut store = s3_with("x-amz-acl: public-read\r\n")?;
        store.base = "gs://bucket";
        store.env = vec![("STORAGE_EMULATOR_HOST", format!("127.0.0.1:{}", store.port))];
        store.object = |name| (format!("/bucket/{name}"), "x-amz-acl: public-read\r\n");
        return Some(store);
    };
    let (scratch, port) = (Scratch::new(), free_port());
    let host = format!("127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-port", &port.to_string()]);
    let child = started(command.args(["-public-host", &host]), port);
    let env = vec![("STORAGE_EMULATOR_HOST", host)];
    let object = |name: &str| {
        let name = name.replace('/', "%2F");
        (
            format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={name}"),
            "Content-Type: application/octet-stream\r\n",
        )
    };
    let store = Store { child, port, base: "gs://bucket", env, object, access: String::new(), _scratch: scratch };
    let made =
        store.ask("POST", "/storage/v1/b?project=p", "Content-Type: application/json\r\n", br#"{"name":"bucket"}"#);
    assert_eq!(made.0, 200, "{}", text(&made.1));
    Some(store)
}

fn azure() -> Option<Store> {
    /// The account that the emulator has, and its key, which is the same everywhere.
    const ACCOUNT: &str = "devstoreaccount1";
    const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let program = program("BIGKEYS_AZURITE_BLOB", "azurite-blob")?;
    let (scratch, port) = (Scratch::new(), free_port());
    let mut command = Command::new(program);
    command.args([
        "--silent",
        "--disableTelemetry",
        "--skipApiVersionCheck",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        &port.to_string(),
    ]);
    let child = started(command.arg("--location").arg(scratch.path("azurite")), port);
    let env = vec![(
        "AZURE_STORAGE_CONNECTION_STRING",
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        ),
    )];
    let object = |name: &str| (format!("/devstoreaccount1/bucket/{name}"), "x-ms-blob-type: BlockBlob\r\n");
    // A signature for everything in the account.
    let (version, ends) = ("2019-12-12", "2099-01-01T00:00:00Z");
    let signed = format!("{ACCOUNT}\nrwdlac\nb\nsco\n\n{ends}\n\n\n{version}\n");
    let key = BASE64_STANDARD.decode(KEY).expect("Base64");
    let signature = BASE64_STANDARD
        .encode(hmac(&key, signed.as_bytes()))
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let access = format!("sv={version}&ss=b&srt=sco&sp=rwdlac&se={}&sig={signature}", ends.replace(':', "%3A"));
    let store = Store { child, port, base: "az://bucket", env, object, access, _scratch: scratch };
    let made = store.ask("PUT", "/devstoreaccount1/bucket?restype=container", "", b"");
    assert_eq!(made.0, 201, "{}", text(&made.1));
    Some(store)
}

/// HMAC with SHA-256, of a key of up to 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ pad).collect() };
    let inner = Sha256::digest([&padded(0x36)[..], message].concat());
    Sha256::digest([&padded(0x5c)[..], &inner[..]].concat()).to_vec()
}

/// A dump that takes two parts.
fn long_dump() -> Vec<u8> {
    let mut random = Random(21);
    let mut rdb = Rdb::redis(11).select_db(0);
    for number in 0..40_u32 {
        let value = random.bytes(1_000_000);
        rdb = rdb.key(0, format!("key:{number}"), |b| b.string(value));
    }
    rdb.eof()
}

/// What a store must give and take.
fn a_bucket_is_as_good_as_a_folder(store: &Store) {
    dumps_are_the_same(store);
    patterns_match(store);
    objects_are_written(store);
    nothing_is_there(store);
}

fn nothing_is_there(store: &Store) {
    let told = store.refused(&["report", &store.url("no/such.rdb")]);
    assert!(told.contains("no such object (404") && told.contains("check the name"), "{told}");
}

fn dumps_are_the_same(store: &Store) {
    let fixtures = fixtures::sound();
    let mut paths: Vec<String> = Vec::new();
    for fixture in fixtures.iter().filter(|fixture| Path::new(&fixture.name).extension() == Some("rdb".as_ref())) {
        store.put(&format!("fixtures/{}", fixture.name), &fixture.bytes);
        paths.push(fixture.path.display().to_string());
    }
    assert!(paths.len() > 20);
    for command in [&["keys", "--format", "ndjson"][..], &["export"], &["check", "--json"]] {
        // Some have values that cannot be exported: that is told either way.
        let output = |dumps: &[&str]| store.bigkeys(&[command, dumps].concat()).output().expect("the program");
        let from_bucket = output(&[&store.url("fixtures/*.rdb")]);
        let files: Vec<&str> = paths.iter().map(String::as_str).collect();
        let from_files = output(&files);
        assert_eq!(from_bucket.status, from_files.status, "{command:?}: {}", text(&from_bucket.stderr));
        let (from_bucket, from_files) = (text(&from_bucket.stdout), text(&from_files.stdout));
        let folder = paths[0].trim_end_matches(|letter| letter != '/');
        let from_files = from_files.replace(folder, &store.url("fixtures/"));
        for (line, (one, other)) in from_bucket.lines().zip(from_files.lines()).enumerate() {
            assert_eq!(one, other, "{command:?}, line {line}");
        }
        assert_eq!(from_bucket.len(), from_files.len(), "{command:?}");
    }
}

fn patterns_match(store: &Store) {
    let dump = fs::read("fixtures/shop_v10.rdb").expect("a fixture");
    for name in
        ["2026-10-31/node-1", "2026-11-01/node-1", "2026-11-01/other", "2026-11-02/node-2", "2026-11-02/deep/node-3"]
    {
        store.put(&format!("days/{name}.rdb"), &dump);
    }
    let names = |pattern: &str| -> Vec<String> {
        let checked = store.printed(&["check", "--json", &store.url(pattern)]);
        let reports = text(&checked);
        let name = |line: &str| {
            serde_json::from_str::<Value>(line).expect("JSON")["dump"].as_str().expect("a name").to_owned()
        };
        reports.lines().map(|line| name(line).replace(&store.url("days/"), "").replace(".rdb", "")).collect()
    };
    assert_eq!(names("days/2026-11-*/node-*.rdb"), ["2026-11-01/node-1", "2026-11-02/node-2"]);
    assert_eq!(names("days/2026-1[01]-?1/*.rdb"), ["2026-10-31/node-1", "2026-11-01/node-1", "2026-11-01/other"]);
    assert_eq!(names("days/2026-11-02/**/node-?.rdb"), ["2026-11-02/deep/node-3", "2026-11-02/node-2"]);
    let told = store.refused(&["check", &store.url("days/2027-*/*.rdb")]);
    assert!(told.contains("no object matches: check the pattern"), "{told}");
    let told = store.refused(&["get", &store.url("days/2026-11-0*/node-*.rdb"), "x"]);
    assert!(told.contains("2 objects match; name one"), "{told}");
}

fn objects_are_written(store: &Store) {
    let json = |arguments: &[&str]| serde_json::from_slice::<Value>(&store.printed(arguments)).expect("JSON");
    for day in ["a", "b"] {
        let report = store.url(&format!("reports/{day}.json"));
        let dump = store.url(if day == "a" { "days/2026-10-31/node-1.rdb" } else { "fixtures/mixed_all_v12.rdb" });
        store.printed(&["report", "--format", "json", &dump, "-o", &report]);
    }
    let merged = json(&["merge", "--format", "json", &store.url("reports/*.json")]);
    let dumps = [store.url("days/2026-10-31/node-1.rdb"), store.url("fixtures/mixed_all_v12.rdb")];
    assert_eq!(merged["totals"], json(&["report", "--format", "json", &dumps[0], &dumps[1]])["totals"]);

    // Two parts, and what is read of them.
    let scratch = Scratch::new();
    let path = scratch.write("long.rdb", &long_dump());
    let (path, copy) = (path.to_str().expect("a path that is text"), store.url("copies/long.rdb"));
    store.printed(&["salvage", path, "-o", &copy]);
    let read = |dump: &str| text(&store.printed(&["keys", "--format", "csv", dump])).replace(dump, "DUMP");
    assert!(read(&copy) == read(path), "what was written is not what is read");

    let nowhere = store.url("x.csv").replace("bucket", "nobucket");
    let told = store.refused(&["keys", "fixtures/shop_v10.rdb", "-o", &nowhere]);
    assert!(told.contains("could not write it") && told.contains("no such bucket"), "{told}");
    let told = store.refused(&["keys", &copy, "-o", &copy]);
    assert!(told.contains("refusing to overwrite an input file"), "{told}");
    let told = store.refused(&["keys", "no-such.rdb", "-o", &store.url("copies/none.csv")]);
    assert!(told.contains("no-such.rdb"), "{told}");
    let told = store.refused(&["check", &store.url("copies/none.csv")]);
    assert!(told.contains("no such object"), "nothing is left of what was not finished: {told}");
}

#[test]
fn s3_is_as_good_as_a_folder() {
    let Some(store) = s3() else { return };
    a_bucket_is_as_good_as_a_folder(&store);
    let told = store.refused(&["report", "s3://nobucket/*.rdb"]);
    assert!(told.contains("there is no such bucket (404 NoSuchBucket): check its name"), "{told}");
    profiles_are_read(&store);
    tasks_take_urls(&store);
}

#[test]
fn azure_is_as_good_as_a_folder() {
    let Some(store) = azure() else { return };
    a_bucket_is_as_good_as_a_folder(&store);
}

#[test]
fn google_is_as_good_as_a_folder() {
    let Some(store) = gcs() else { return };
    // Neither emulator takes the parts of an object.
    dumps_are_the_same(&store);
    patterns_match(&store);
    nothing_is_there(&store);
}

fn profiles_are_read(store: &Store) {
    let scratch = Scratch::new();
    let config = format!(
        "[profile work]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:{}\n[profile sso]\nsso_session = x\n",
        store.port
    );
    let config = scratch.write("config", config.as_bytes());
    let credentials =
        scratch.write("credentials", b"[work]\naws_access_key_id = AKIASECRETID\naws_secret_access_key = SECRETKEY\n");
    let with_profile = |profile: &str| {
        let mut command = bigkeys(&["keys", "s3://bucket/fixtures/shop_v10.rdb"]);
        command.env("AWS_CONFIG_FILE", &config).env("AWS_SHARED_CREDENTIALS_FILE", &credentials);
        command.env("AWS_PROFILE", profile).output().expect("the program")
    };
    let output = with_profile("work");
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", text(&output.stderr));
    let told = complaint(&with_profile("nobody"));
    assert!(told.contains("no profile nobody"), "{told}");
    let told = complaint(&with_profile("sso"));
    assert!(told.contains("aws configure export-credentials --profile sso"), "{told}");
    // Nobody at all: what a machine in the cloud is asked for is not there.
    let mut command = bigkeys(&["keys", "s3://bucket/fixtures/shop_v10.rdb"]);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let told = complaint(&command.env("AWS_METADATA_ENDPOINT", nobody).output().expect("the program"));
    assert!(told.contains("no credentials were found: set AWS_PROFILE"), "{told}");
}

fn tasks_take_urls(store: &Store) {
    let scratch = Scratch::new();
    let tasks = scratch.path("tasks.db");
    let tasks = tasks.to_str().expect("a path that is text");
    let task = store.printed(&["task", "--store", tasks, "create", "--wait", &store.url("days/2026-11-*/node-*.rdb")]);
    let task: Value = serde_json::from_slice(&task).expect("JSON");
    assert_eq!(task["status"], "success");
    let told = store.refused(&["task", "--store", tasks, "create", &store.url("days/none.rdb")]);
    assert!(told.contains("no such object"), "{told}");
}
