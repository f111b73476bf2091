//! The routes, asked without a port: what each operation answers, and each way to be refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app::App;
use super::newest::{self, Seen};
use super::{Config, routes, schedule, signature};
use crate::engine::Options;
use crate::task::{Runner, Store};

const TOKEN: &str = "token-of-p";

/// A service over two projects; its tasks are worked off when a test says so.
struct Service {
    folder: tempfile::TempDir,
    app: Arc<App>,
    router: Router,
    runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

const CONFIG: &str = r#"
root = "dumps"
[[project]]
id = "p"
[[project.access_key]]
id = "AK"
secret = "SK"
[[project.token]]
token = "token-of-p"
[[project.instance]]
id = "single"
name = "one"
type = "single"
dumps = "*.rdb"
[[project.instance]]
id = "cluster"
name = "many"
type = "cluster"
[[project.instance.shard]]
address = "10.0.0.1:6379"
dumps = "a/*.rdb"
[[project.instance.shard]]
address = "[::1]:6379"
dumps = "b/*.rdb"
[[project]]
id = "q"
[[project.token]]
token = "token-of-q"
[[project.instance]]
id = "other"
name = "other"
type = "single"
dumps = "none.rdb"
"#;

fn service(config: &str) -> Service {
    let folder = tempfile::tempdir().unwrap();
    for (fixture, place) in
        [("mixed_all_v13", "one.rdb"), ("cluster_slots_v13", "a/one.rdb"), ("cluster_slots_v80", "b/two.rdb")]
    {
        let to = folder.path().join("dumps").join(place);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{fixture}.rdb"));
        fs::copy(from, to).unwrap();
    }
    let path = folder.path().join("bigkeys.toml");
    fs::write(&path, config).unwrap();
    let busy = Duration::from_millis(100);
    let store = Arc::new(Store::open_with(folder.path().join("tasks.db"), busy).unwrap());
    let runner = Runner::new(store.clone(), Options { threads: 1, ..Options::default() }).unwrap().unwrap();
    let app = Arc::new(App::new(Config::read(&path).unwrap(), store, Arc::new(runner)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Service { folder, router: routes::router(app.clone()), app, runtime }
}

impl Service {
    fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }

    /// Asks with a token.
    fn ask(&self, method: &Method, path: &str, body: &str) -> Answer {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/v2/p/instances/{path}") };
        let request = Request::builder().method(method).uri(path).header("x-auth-token", TOKEN);
        self.send(request.body(Body::from(body.to_owned())).unwrap())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&Method::GET, path, "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(&Method::POST, path, body)
    }

    fn put(&self, path: &str, body: &str) -> Answer {
        self.ask(&Method::PUT, path, body)
    }

    fn delete(&self, path: &str) -> Answer {
        self.ask(&Method::DELETE, path, "")
    }

    /// Works off all tasks that wait.
    fn work(&self) {
        while self.app.runner.work_one().unwrap().is_some() {}
    }
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.any_json()
    }

    #[track_caller]
    fn any_json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["x-request-id"].len(), 32);
        serde_json::from_slice(&self.body).expect("JSON")
    }

    #[track_caller]
    fn expect(&self, status: u16, code: &str) {
        let body = self.any_json();
        assert_eq!((self.status.as_u16(), body["error_code"].as_str()), (status, Some(code)), "{body}");
        assert!(!body["error_msg"].as_str().unwrap().is_empty());
        assert_eq!(body.get("request_id").is_some(), code.starts_with("APIGW"));
        if let Some(id) = body.get("request_id") {
            assert_eq!(id.as_str().unwrap(), self.headers["x-request-id"]);
        }
    }
}

fn id(task: &Value) -> &str {
    task["id"].as_str().unwrap()
}

#[test]
fn a_task_from_its_creation_to_its_deletion() {
    let service = service(CONFIG);
    let created = service.post("cluster/bigkey-task", "").json();
    let fields: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["created_at", "id", "instance_id", "num", "scan_type", "status"]);
    assert_eq!((&created["status"], &created["scan_type"]), (&json!("waiting"), &json!("manual")));
    service.post("cluster/bigkey-task", "").expect(400, "DCS.4918");
    let path = format!("cluster/bigkey-task/{}", id(&created));
    assert_eq!(service.get(&path).json(), created);

    service.work();
    let done = service.get(&path).json();
    assert_eq!((&done["status"], &done["num"]), (&json!("success"), &json!(done["keys"].as_array().unwrap().len())));
    let shards: Vec<&Value> = done["keys"].as_array().unwrap().iter().map(|key| &key["shard"]).collect();
    assert!(shards.contains(&&json!("10.0.0.1:6379")) && shards.contains(&&json!("[::1]:6379")));
    let list = service.get("cluster/bigkey-tasks").json();
    assert_eq!((&list["instance_id"], &list["count"]), (&json!("cluster"), &json!(1)));
    assert_eq!(list["records"][0]["finished_at"], done["finished_at"]);

    assert_eq!(service.delete(&path).json(), done);
    service.delete(&path).expect(400, "DCS.4942");
    service.get(&path).expect(400, "DCS.4942");
}

#[test]
fn a_single_instance_has_no_shards_and_its_newest_dump_counts() {
    let service = service(CONFIG);
    let dumps = service.folder.path().join("dumps");
    let newer = dumps.join("zero.rdb");
    fs::copy(dumps.join("a/one.rdb"), &newer).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_mins(1);
    fs::File::options().write(true).open(&newer).unwrap().set_modified(later).unwrap();
    let created = service.post("single/bigkey-task", "").json();
    service.work();
    let done = service.get(&format!("single/bigkey-task/{}", id(&created))).json();
    assert!(done["keys"].as_array().unwrap().iter().all(|key| key.get("shard").is_none()));
    assert_eq!(service.app.store.outcome(id(&done)).unwrap().dumps[0].path.file_name(), newer.file_name());
}

#[test]
fn who_is_not_known_is_refused() {
    let service = service(CONFIG);
    let with = |name: &str, value: &str| {
        let request = Request::get("/v2/p/instances/single/bigkey-tasks").header(name, value);
        service.send(request.body(Body::empty()).unwrap())
    };
    with("x", "y").expect(401, "DCS.1003");
    with("x-auth-token", "wrong").expect(401, "DCS.1001");
    with("x-auth-token", "token-of-q").expect(401, "DCS.1004");
    with("authorization", "SDK-HMAC-SHA256 Access=AK").expect(401, "APIGW.0301");
    with("authorization", "SDK-SM2-SM3 Access=AK, SignedHeaders=host, Signature=00").expect(401, "APIGW.0301");
    with("x-auth-token", TOKEN).json();
    service.get("other/bigkey-tasks").expect(403, "DCS.2003");
}

/// A signed request; the same one each time it is called.
fn signed(service: &Service, method: &Method, path: &str, body: &str, at: Timestamp) -> Request<Body> {
    let mut headers = HeaderMap::new();
    headers.insert("host", "h".parse().unwrap());
    headers.insert(signature::DATE, at.strftime("%Y%m%dT%H%M%SZ").to_string().parse().unwrap());
    let request = signature::Request { method, path, query: "", headers: &headers, body: body.as_bytes() };
    let signed = signature::sign(b"SK", &request, &["host", signature::DATE]).unwrap();
    let authorization =
        format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={}", signature::hex(&signed));
    headers.insert("authorization", authorization.parse().unwrap());
    assert!(!service.app.config().is_open());
    let mut request = Request::new(Body::from(body.to_owned()));
    *request.method_mut() = method.clone();
    *request.uri_mut() = path.parse().unwrap();
    *request.headers_mut() = headers;
    request
}

#[test]
fn a_signature_changes_something_once_and_natural_refusals_come_first() {
    let service = service(CONFIG);
    let now = Timestamp::now();
    let tasks = "/v2/p/instances/single/bigkey-task";
    let create = || service.send(signed(&service, &Method::POST, tasks, "", now));
    let list = || signed(&service, &Method::GET, "/v2/p/instances/single/bigkey-tasks", "", now);
    // The published conversation within one second, in which the client's clock does not tell requests apart.
    let created = create().json();
    create().expect(400, "DCS.4918");
    service.send(list()).json();
    service.send(list()).json();
    service.work();
    let one = format!("{tasks}/{}", id(&created));
    let delete = || service.send(signed(&service, &Method::DELETE, &one, "", now));
    assert_eq!(delete().json()["id"], created["id"]);
    delete().expect(400, "DCS.4942");
    // Now it would change something.
    create().expect(401, "APIGW.0301");
    let late = now - jiff::SignedDuration::from_mins(16);
    service
        .send(signed(&service, &Method::GET, "/v2/p/instances/single/bigkey-tasks", "", late))
        .expect(401, "APIGW.0303");
    service.send(signed(&service, &Method::GET, "/v2/q/instances/other/bigkey-tasks", "", now)).expect(403, "DCS.2003");
    let autoscan = "/v2/p/instances/single/bigkey/autoscan";
    let body = r#"{"enable_auto_scan":true,"schedule_at":[]}"#;
    let mut changed = signed(&service, &Method::PUT, autoscan, "{}", now);
    *changed.body_mut() = Body::from(body);
    service.send(changed).expect(401, "APIGW.0301");
    let put = || service.send(signed(&service, &Method::PUT, autoscan, body, now));
    assert_eq!(put().json(), put().json(), "sent twice, it changes nothing the second time");
}

#[test]
fn what_failed_has_used_no_signature_up_and_is_not_done_later() {
    let service = service(&format!("limits = {{ request_seconds = 1 }}\n{CONFIG}"));
    let other = rusqlite::Connection::open(service.folder.path().join("tasks.db")).unwrap();
    let tasks = "/v2/p/instances/single/bigkey-task";
    let now = Timestamp::now();
    let create = || service.send(signed(&service, &Method::POST, tasks, "", now));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    create().expect(503, "DCS.5000");
    // Who waits for the writer's turn until it is too late is refused, and has done nothing.
    let turn = service.app.writer.clone().try_acquire_owned().unwrap();
    create().expect(503, "DCS.5000");
    assert_eq!(service.get("single/bigkey-tasks").json()["count"], 0, "readers do not wait for a writer");
    other.execute_batch("ROLLBACK").unwrap();
    drop(turn);
    assert_eq!(service.get("single/bigkey-tasks").json()["count"], 0);
    create().json();
}

#[test]
fn a_head_is_judged_before_its_body_is_read() {
    let service = service(CONFIG);
    let put = |name: &str, value: &str| {
        let request = Request::put("/v2/p/instances/single/bigkey/autoscan").header(name, value);
        service.send(request.body(Body::new(Endless)).unwrap())
    };
    put("x", "y").expect(401, "DCS.1003");
    put("x-auth-token", "wrong").expect(401, "DCS.1001");
    put("authorization", "SDK-HMAC-SHA256 Access=KA, SignedHeaders=host, Signature=00").expect(401, "APIGW.0301");
    let held = service.app.place(1).unwrap();
    for probe in ["/healthz", "/livez", "/openapi.json", "/metrics"] {
        assert_eq!(service.get(probe).status, StatusCode::OK, "{probe}");
    }
    drop(held);
    let long = Request::put("/v2/p/instances/single/bigkey/autoscan").header("content-length", "65537");
    let long = long.header("x-auth-token", TOKEN).body(Body::new(Endless)).unwrap();
    service.send(long).expect(413, "DCS.4005");
}

#[test]
fn a_stuck_task_can_be_deleted() {
    let service = service(CONFIG);
    let created = service.post("single/bigkey-task", "").json();
    // Claimed by nobody that the runner knows, as by a thread that died.
    service.app.store.claim().unwrap().unwrap();
    let one = format!("single/bigkey-task/{}", id(&created));
    assert_eq!(service.get(&one).json()["status"], "running");
    assert_eq!(service.delete(&one).json()["id"], created["id"]);
}

#[test]
fn tokens_that_only_look_and_tokens_by_their_hash() {
    let hash = signature::hex_sha256(TOKEN.as_bytes());
    let config = CONFIG.replace("token = \"token-of-p\"", &format!("token_sha256 = \"{hash}\"\nread_only = true"));
    let service = service(&config);
    service.get("single/bigkey-tasks").json();
    service.post("single/bigkey-task", "").expect(403, "DCS.2007");
    service.put("single/bigkey/autoscan", "{}").expect(403, "DCS.2007");
    service.delete("single/bigkey-task/x").expect(403, "DCS.2007");
    assert_eq!(service.get("single/bigkey-tasks").json()["count"], 0);
}

#[test]
fn failed_logins_are_limited() {
    let service = service(&format!("limits = {{ failed_logins_per_minute = 2 }}\n{CONFIG}"));
    let ask = |token: &str| {
        let request = Request::get("/v2/p/instances/single/bigkey-tasks").header("x-auth-token", token);
        service.send(request.body(Body::empty()).unwrap())
    };
    ask("wrong").expect(401, "DCS.1001");
    ask("wrong").expect(401, "DCS.1001");
    // The minute may have ended between two requests; then it begins anew.
    let third = ask(TOKEN);
    if third.status != StatusCode::OK {
        third.expect(429, "APIGW.0308");
    }
}

#[test]
fn instances_and_their_backups() {
    let service = service(CONFIG);
    let list = service.get("/v2/p/instances").json();
    assert_eq!((&list["instance_num"], &list["instances"][0]["instance_id"]), (&json!(2), &json!("cluster")));
    assert_eq!(service.get("/v2/p/instances/cluster").json(), list["instances"][0]);
    assert_eq!((&list["instances"][0]["sharding_count"], &list["instances"][1]["name"]), (&json!(2), &json!("one")));
    service.get("/v2/q/instances").expect(401, "DCS.1004");
    service.get("/v2/p/instances/other").expect(403, "DCS.2003");
    let backups = service.get("cluster/backups").json();
    assert_eq!(
        (&backups["total_num"], &backups["backup_record_response"][1]["backup_id"]),
        (&json!(2), &json!("two.rdb"))
    );
    let node = r#"{"node_id":"10.0.0.1:6379"}"#;
    let id = service.post("cluster/offline/key-analysis", node).json()["task_id"].as_str().unwrap().to_owned();
    let nodes = service.get(&format!("cluster/offline/key-analysis/{id}/nodes")).json();
    let node = json!({"id": "10.0.0.1:6379", "name": "10.0.0.1:6379", "group_name": "group-0"});
    assert_eq!(nodes, json!({"nodes": [node]}));
}

#[test]
fn a_new_dump_is_analyzed_where_that_is_wanted() {
    let service = service(&CONFIG.replace("dumps = \"*.rdb\"", "dumps = \"*.rdb\"\nanalyze_new_dumps = true"));
    let mut seen = Seen::default();
    let count = || service.get("single/bigkey-tasks").json()["count"].as_u64().unwrap();
    let look = |seen: &mut Seen| {
        newest::look(&service.app, seen);
        service.work();
        count()
    };
    assert_eq!((look(&mut seen), look(&mut seen)), (0, 1), "what may still be written is looked at twice");
    assert_eq!(look(&mut seen), 1);
    let mut after_restart = Seen::default();
    assert_eq!((look(&mut after_restart), look(&mut after_restart)), (1, 1), "the store knows what was analyzed");
    let dumps = service.folder.path().join("dumps");
    fs::copy(dumps.join("a/one.rdb"), dumps.join("two.rdb")).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(dumps.join("two.rdb")).unwrap().set_modified(later).unwrap();
    assert_eq!((look(&mut seen), look(&mut seen)), (1, 2));
    let records = service.get("single/bigkey-tasks").json();
    assert_eq!(records["records"][0]["scan_type"], "auto");
    assert_eq!(service.get("cluster/bigkey-tasks").json()["count"], 0, "it is off by default");
    let metrics = String::from_utf8(service.get("/metrics").body.to_vec()).unwrap();
    assert!(metrics.contains("bigkeys_newest_dump_timestamp_seconds{instance_id=\"single\"} "), "{metrics}");
}

#[test]
fn details_for_who_asks_for_them() {
    let service = service(CONFIG);
    fs::write(service.folder.path().join("dumps/b/cut.rdb"), b"REDIS0009\xfe\x00\x00").unwrap();
    let created = service.post("cluster/bigkey-task", "").json();
    service.work();
    let one = format!("cluster/bigkey-task/{}", id(&created));
    let plain = service.get(&one).json();
    assert_eq!((&plain["status"], plain.get("details")), (&json!("failed"), None));
    assert_eq!(service.get(&format!("{one}?details=false")).json(), plain);
    let details = service.get(&format!("{one}?details=true")).json()["details"].clone();
    assert!(details["reason"].as_str().unwrap().starts_with("cut.rdb: "), "{details}");
    assert_eq!(
        (&details["dumps"][0]["name"], &details["dumps"][1]["shard"]),
        (&json!("one.rdb"), &json!("[::1]:6379"))
    );
    assert!(details["dumps"][0]["written_at"].as_str().unwrap().ends_with('Z'));
    let list = service.get("cluster/bigkey-tasks?details=true").json();
    assert_eq!(list["records"][0]["details"], details);
    assert_eq!(service.get("cluster/bigkey-tasks").json()["records"][0].get("details"), None);
    service.get(&format!("{one}?details=yes")).expect(400, "DCS.4062");
    service.get("cluster/bigkey-tasks?details=1").expect(400, "DCS.4062");
}

#[test]
fn a_task_is_cancelled() {
    let service = service(CONFIG);
    let created = service.post("single/bigkey-task", "").json();
    let one = format!("single/bigkey-task/{}", id(&created));
    let cancelled = service.post(&format!("{one}/cancel"), "").json();
    assert_eq!((&cancelled["status"], &cancelled["num"]), (&json!("failed"), &json!(0)));
    service.work();
    assert_eq!(service.get(&one).json(), cancelled);
    let details = service.get(&format!("{one}?details=true")).json()["details"].clone();
    assert_eq!(details["reason"], "it was cancelled");
    service.post(&format!("{one}/cancel"), "").expect(400, "DCS.4957");
    service.post("single/bigkey-task/unknown/cancel", "").expect(400, "DCS.4942");
    service.post("single/offline/key-analysis/unknown/cancel", "").expect(400, "DCS.4232");
    service.post("single/bigkey-task", "").json();
}

#[test]
fn two_hosts_are_refused() {
    let service = service(CONFIG);
    let request = Request::get("/healthz").header("host", "a").header("host", "b");
    service.send(request.body(Body::empty()).unwrap()).expect(400, "DCS.4800");
}

#[test]
fn what_cannot_be_analyzed() {
    let service = service(CONFIG);
    let dumps = service.folder.path().join("dumps");
    fs::remove_file(dumps.join("b/two.rdb")).unwrap();
    service.post("cluster/bigkey-task", "").expect(400, "DCS.4919");
    let outside = service.folder.path().join("outside.rdb");
    fs::copy(dumps.join("one.rdb"), &outside).unwrap();
    fs::remove_file(dumps.join("one.rdb")).unwrap();
    std::os::unix::fs::symlink(&outside, dumps.join("one.rdb")).unwrap();
    service.post("single/bigkey-task", "").expect(400, "DCS.4919");
    fs::copy(dumps.join("a/one.rdb"), dumps.join("old.rdb")).unwrap();
    let created = service.post("single/bigkey-task", "").json();
    service.work();
    service.delete(&format!("single/bigkey-task/{}", id(&created))).json();
    // Damage is not known before a dump is read: then the task fails, with what was found before.
    fs::write(dumps.join("b/cut.rdb"), &fs::read(dumps.join("a/one.rdb")).unwrap()[..500]).unwrap();
    let created = service.post("cluster/bigkey-task", "").json();
    service.work();
    let failed = service.get(&format!("cluster/bigkey-task/{}", id(&created))).json();
    assert_eq!(failed["status"], "failed");
    assert!(failed["finished_at"].is_string() && failed["num"].as_u64() > Some(0));
}

#[test]
fn paths_methods_and_ids() {
    let service = service(CONFIG);
    service.get("/v2").expect(404, "DCS.4001");
    service.get("/v2/p/instance/single").expect(404, "DCS.4001");
    service.get("single/bigkey-tasks/").expect(404, "DCS.4001");
    service.get("single/bigkey-task").expect(405, "DCS.5001");
    service.post("single/bigkey-tasks", "").expect(405, "DCS.5001");
    service.put("single/bigkey-task/x", "").expect(405, "DCS.5001");
    service.post("/healthz", "").expect(405, "DCS.5001");
    service.get("none/bigkey-tasks").expect(404, "DCS.3022");
    service.post("none/bigkey-task", "").expect(404, "DCS.3022");
    service.get("/v2/%20/instances/single/bigkey-tasks").expect(400, "DCS.4002");
    service.get("a%2Fb%20c/bigkey-tasks").expect(400, "DCS.4061");
    service.get("%ff/bigkey-tasks").expect(400, "DCS.4061");
    service.get("single/bigkey-task/a%2Fb").expect(400, "DCS.4070");
    service.get(&format!("single/bigkey-task/{}", "x".repeat(65))).expect(400, "DCS.4070");
    service.get("single/bigkey-task/%2e%2e").expect(400, "DCS.4070");
    service.get("single/bigkey-task/unknown").expect(400, "DCS.4942");
}

#[test]
fn lists_by_page_and_state() {
    let service = service(CONFIG);
    for _ in 0..12 {
        service.post("single/bigkey-task", "").json();
        service.work();
    }
    service.post("single/bigkey-task", "").json();
    let list = |query: &str| service.get(&format!("single/bigkey-tasks{query}")).json();
    assert_eq!((&list("")["count"], list("")["records"].as_array().unwrap().len()), (&json!(13), 10));
    assert_eq!(list("?offset=10&limit=1000")["records"].as_array().unwrap().len(), 3);
    assert_eq!(list("?status=success")["count"], 12);
    assert_eq!(list("?status=failed")["records"], json!([]));
    assert_eq!(list("?status=&limit=&offset=&other=1")["count"], 13);
    assert_eq!(list("?status=waiting")["records"][0].get("started_at"), None);
    for query in [
        "offset=-1",
        "offset=x",
        "offset=1.5",
        "offset=%2B1",
        "offset=9223372036854775808",
        "limit=0",
        "limit=1001",
        "limit=ten",
        "status=done",
        "status=Success",
        "limit=1&limit=2",
        "status=%ff",
    ] {
        service.get(&format!("single/bigkey-tasks?{query}")).expect(400, "DCS.4062");
    }
}

#[test]
fn schedules_are_set_and_run() {
    let service = service(CONFIG);
    let path = "single/bigkey/autoscan";
    let never = json!({"instance_id": "single", "enable_auto_scan": false, "schedule_at": []});
    assert_eq!(service.get(path).json(), never);
    for (body, code) in [
        ("", "DCS.4004"),
        ("{", "DCS.4005"),
        ("[]", "DCS.4005"),
        ("\u{ff}", "DCS.4005"),
        (r#"{"schedule_at":[]}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":true}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":"true","schedule_at":[]}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":true,"schedule_at":"21:00"}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":true,"schedule_at":["24:00"]}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":true,"schedule_at":["21:00","21:00"]}"#, "DCS.4800"),
        (r#"{"enable_auto_scan":true,"schedule_at":[null]}"#, "DCS.4800"),
    ] {
        service.put(path, body).expect(400, code);
    }
    assert_eq!(service.get(path).json(), never);
    let set = service.put(path, r#"{"enable_auto_scan":true,"schedule_at":["21:00","00:00"]}"#).json();
    assert_eq!((&set["enable_auto_scan"], &set["schedule_at"]), (&json!(true), &json!(["21:00", "00:00"])));
    assert!(set["updated_at"].is_string());
    assert_eq!(service.get(path).json(), set);

    let minute = |time: &str| time.parse::<Timestamp>().unwrap().as_second() / 60;
    let run = |from: &str, to: &str| {
        schedule::create_due(&service.app, minute(from), minute(to)).unwrap();
        service.work();
        service.get("single/bigkey-tasks").json()["count"].as_u64().unwrap()
    };
    assert_eq!(run("2026-11-22T20:58:00Z", "2026-11-22T20:59:00Z"), 0);
    assert_eq!(run("2026-11-22T20:59:00Z", "2026-11-22T21:00:00Z"), 1);
    assert_eq!(run("2026-11-22T20:59:00Z", "2026-11-22T21:00:00Z"), 1, "a minute is taken once");
    assert_eq!(run("2026-11-22T21:00:00Z", "2026-11-22T23:59:00Z"), 1);
    assert_eq!(run("2026-11-22T23:59:00Z", "2026-11-23T00:01:00Z"), 2, "a minute that was slept through");
    assert_eq!(service.get("single/bigkey-tasks").json()["records"][0]["scan_type"], "auto");
    service.put(path, r#"{"enable_auto_scan":false,"schedule_at":["21:00"]}"#).json();
    assert_eq!(run("2026-11-23T20:59:00Z", "2026-11-23T21:00:00Z"), 2);

    // A clock that was in the future for a moment silences nothing when it is right again.
    service.put(path, r#"{"enable_auto_scan":true,"schedule_at":["21:00"]}"#).json();
    assert_eq!(run("2031-01-01T20:59:00Z", "2031-01-01T21:00:00Z"), 3);
    assert_eq!(run("2026-11-24T20:59:00Z", "2026-11-24T21:00:00Z"), 4);
    assert_eq!(run("2026-11-24T20:59:00Z", "2026-11-24T21:00:00Z"), 4);
}

#[test]
fn offline_key_analyses() {
    let service = service(CONFIG);
    let path = "cluster/offline/key-analysis";
    for (body, code) in [
        ("", "DCS.4004"),
        ("{}", "DCS.4800"),
        (r#"{"node_id":7}"#, "DCS.4800"),
        (r#"{"node_id":"10.0.0.9:6379"}"#, "DCS.4800"),
        (r#"{"node_id":"10.0.0.1:6379","backup_id":"two.rdb"}"#, "DCS.4800"),
        (r#"{"node_id":"10.0.0.1:6379","backup_id":"../one.rdb"}"#, "DCS.4800"),
        (r#"{"node_id":"10.0.0.1:6379","backup_id":7}"#, "DCS.4800"),
    ] {
        service.post(path, body).expect(400, code);
    }
    service.post("single/offline/key-analysis", r#"{"node_id":"single"}"#).json();
    let created = service.post(path, r#"{"node_id":"10.0.0.1:6379","backup_id":"one.rdb"}"#).json();
    let id = created["task_id"].as_str().unwrap().to_owned();
    service.post(path, r#"{"node_id":"10.0.0.1:6379"}"#).expect(400, "DCS.4231");
    service.post("cluster/bigkey-task", "").json();
    let one = format!("{path}/{id}");
    assert_eq!(service.get(&one).json().get("total_num"), None);
    service.get(&format!("cluster/bigkey-task/{id}")).expect(400, "DCS.4942");
    service.work();

    let report = service.get(&one).json();
    assert_eq!((&report["backup_id"], &report["node_ip"]), (&json!("one.rdb"), &json!("10.0.0.1")));
    let keys = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/cluster_slots_v13.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(report["total_num"], keys.len());
    let sum = |list: &str, field: &str| -> u64 {
        report[list].as_array().unwrap().iter().map(|entry| entry[field].as_u64().unwrap()).sum()
    };
    assert_eq!(
        (sum("type_num", "num"), sum("type_bytes", "bytes")),
        (keys.len() as u64, report["total_bytes"].as_u64().unwrap())
    );
    for key in report["largest_keys"].as_array().unwrap() {
        let stated = keys.iter().find(|stated| stated["name"] == key["key"]).unwrap();
        assert_eq!((&stated["size"], &stated["type"]), (&key["num_of_elem"], &key["type"]));
    }
    let prefixed = keys.iter().filter(|key| key["name"].as_str().unwrap().contains(':')).count();
    assert_eq!(sum("largest_key_prefixes", "num"), prefixed as u64);

    let list = service.get(&format!("{path}?status=success")).json();
    assert_eq!((&list["total"], &list["records"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(service.delete(&one).json(), created);
    service.delete(&one).expect(400, "DCS.4232");
    service.get(&one).expect(400, "DCS.4232");
}

#[test]
fn limits() {
    let limited = format!("limits = {{ body_bytes = 64, request_seconds = 1, requests_at_once = 1 }}\n{CONFIG}");
    let service = service(&limited);
    let path = "single/bigkey/autoscan";
    service.put(path, &" ".repeat(65)).expect(413, "DCS.4005");
    service.put(path, &" ".repeat(64)).expect(400, "DCS.4004");
    let held = service.app.place(1).unwrap();
    service.get(path).expect(503, "DCS.5000");
    drop(held);
    service.get(path).json();
    // A body that never comes to its end.
    let body = Body::new(Endless);
    let request = Request::put(format!("/v2/p/instances/{path}")).header("x-auth-token", TOKEN).body(body).unwrap();
    service.send(request).expect(503, "DCS.5000");
}

/// A stream that waits for ever.
struct Endless;

impl axum::body::HttpBody for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[test]
fn without_credentials_anyone_may_ask() {
    let open = CONFIG
        .replace("[[project.access_key]]\nid = \"AK\"\nsecret = \"SK\"\n", "")
        .replace("[[project.token]]\ntoken = \"token-of-p\"\n", "")
        .replace("[[project.token]]\ntoken = \"token-of-q\"\n", "");
    let service = service(&open);
    let get = |path: &str| service.send(Request::get(path).body(Body::empty()).unwrap());
    assert!(service.app.config().is_open());
    get("/v2/p/instances/single/bigkey-tasks").json();
    get("/v2/p/instances/other/bigkey-tasks").expect(403, "DCS.2003");
}

#[test]
fn what_everyone_may_see() {
    let service = service(CONFIG);
    let get = |path: &str| service.send(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/healthz").json(), json!({"status": "ok"}));
    assert_eq!(get("/livez").json(), json!({"status": "ok"}));
    let ready = get("/readyz");
    assert_eq!((ready.status.as_u16(), &ready.any_json()["workers_alive"]), (503, &json!(0)), "nobody works here");
    let alive = service.app.health.worker();
    assert_eq!(get("/readyz").json()["status"], "ready");
    assert!(service.app.health.set_store(Some("locked".to_owned()), 7));
    let text = get("/readyz").any_json();
    assert_eq!(
        (&text["status"], &text["store"], &text["free_bytes"]),
        (&json!("not ready"), &json!("locked"), &json!(7))
    );
    drop(alive);
    assert_eq!(get("/openapi.json").json(), super::openapi::document());
    service.post("single/bigkey-task", "").json();
    let text = || String::from_utf8(get("/metrics").body.to_vec()).unwrap();
    assert!(text().contains("bigkeys_tasks{status=\"waiting\"} 1\n"), "{}", text());
    service.work();
    service.send(
        Request::get("/v2/p/instances/single/bigkey-tasks").header("x-auth-token", "x").body(Body::empty()).unwrap(),
    );
    let text = text();
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "bigkeys_log_lines_dropped_total",
    ] {
        assert!(text.contains(&format!("\n{name} ")), "no {name} in\n{text}");
    }
    for line in [
        "bigkeys_tasks{status=\"success\"} 1",
        "bigkeys_queue_age_seconds 0",
        concat!("bigkeys_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "bigkeys_refusals_total{code=\"DCS.1001\"} 1",
        "bigkeys_http_request_duration_seconds_count{route=\"/v2/{project_id}/instances/{instance_id}/bigkey-task\",\
         method=\"POST\",status=\"200\"} 1",
    ] {
        assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
    }
    let dump = fs::metadata(service.folder.path().join("dumps/one.rdb")).unwrap().len();
    assert!(text.contains(&format!("bigkeys_analyzed_bytes_total {dump}\n")), "{text}");
    for line in text.lines() {
        assert!(
            line.starts_with("# ") || line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok()),
            "{line}"
        );
    }
}

#[test]
fn hot_keys() {
    let service = service(CONFIG);
    service.post("single/hotkey-task", "").expect(400, "DCS.4919");
    // Redis 5 with an LFU policy: 30 strings, each used more than the one before.
    let mut dump = b"REDIS0009\xfe\x00".to_vec();
    for number in 0..30_u8 {
        dump.extend_from_slice(&[249, number, 0, 1, b'A' + number, 1, b'v']);
    }
    dump.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    fs::write(service.folder.path().join("dumps/one.rdb"), dump).unwrap();
    let task = service.post("single/hotkey-task", "").json();
    service.post("single/hotkey-task", "").expect(400, "DCS.4918");
    let big = service.post("single/bigkey-task", "").json();
    service.work();
    let path = format!("single/hotkey-task/{}", task["id"].as_str().unwrap());
    let shown = service.get(&path).json();
    assert_eq!((&shown["status"], &shown["num"]), (&json!("success"), &json!(20)));
    let hottest = json!({"name": "^", "type": "string", "db": 0, "size": 1, "unit": "byte", "freq": 29});
    assert_eq!((&shown["keys"][0], &shown["keys"][19]["freq"]), (&hottest, &json!(10)));
    let listed = service.get("single/hotkey-tasks").json();
    assert_eq!((&listed["count"], &listed["records"][0]["id"]), (&json!(1), &task["id"]));
    assert_eq!(service.get("single/bigkey-tasks").json()["records"][0]["id"], big["id"]);
    assert_eq!(service.get(&path).json(), shown, "as it was sent before");
    let as_big = path.replace("hotkey", "bigkey");
    service.get(&as_big).expect(400, "DCS.4942");
    assert_eq!(service.delete(&path).json()["num"], 20);
    service.delete(&path).expect(400, "DCS.4941");
    // Each kind has a schedule of its own.
    let body = json!({"enable_auto_scan": true, "schedule_at": ["21:00"]}).to_string();
    service.put("single/hotkey/autoscan", &body).json();
    assert_eq!(service.get("single/bigkey/autoscan").json()["enable_auto_scan"], false);
    let day = 24 * 60;
    schedule::create_due(&service.app, 100 * day, 101 * day).unwrap();
    assert_eq!(service.get("single/hotkey-tasks?status=waiting").json()["count"], 1);
    assert_eq!(service.get("single/bigkey-tasks?status=waiting").json()["count"], 0);
}

#[test]
fn expired_keys() {
    let service = service(CONFIG);
    // Redis 5: 25 strings that had expired, longer ones first, and one that had not.
    let mut dump = b"REDIS0009\xfa\x05ctime\x0a1700000000\xfe\x03".to_vec();
    for number in 0..25_u8 {
        dump.extend_from_slice(&[252, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'A' + number, 30 - number]);
        dump.resize(dump.len() + usize::from(30 - number), b'v');
    }
    dump.extend_from_slice(b"\0\x04kept\x01v\xff\0\0\0\0\0\0\0\0");
    fs::write(service.folder.path().join("dumps/one.rdb"), dump).unwrap();
    let created = service.post("single/scan-expire-keys-task", "").json();
    let fields: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["created_at", "id", "instance_id", "scan_type", "status"]);
    // The older path is the same.
    service.post("single/auto-expire/scan", "").expect(400, "DCS.4918");
    service.work();
    let listed = service.get("single/auto-expire/histories?status=success").json();
    let record = &listed["records"][0];
    assert_eq!((&listed["total"], &listed["count"], &record["num"]), (&json!(1), &json!(1), &json!(25)));
    assert_eq!((&record["id"], &record["instance_id"]), (&created["id"], &json!("single")));
    let path = format!("single/scan-expire-keys-task/{}", created["id"].as_str().unwrap());
    let shown = service.get(&path).json();
    assert_eq!((&shown["num"], shown["keys"].as_array().unwrap().len()), (&json!(25), 20));
    let largest = json!({"name": "A", "type": "string", "db": 3, "size": 30, "unit": "byte"});
    assert_eq!((&shown["keys"][0], &shown["keys"][19]["size"]), (&largest, &json!(11)));
    assert!(service.get(&format!("{path}?details=true")).json()["details"]["dumps"][0]["name"] == "one.rdb");
    service.post(&format!("{path}/cancel"), "").expect(400, "DCS.4957");
    assert_eq!(service.delete(&path).json()["num"], 25);
    service.delete(&path).expect(400, "DCS.4942");
    service.get(&path).expect(400, "DCS.4942");
    service.get("single/auto-expire/histories?limit=0").expect(400, "DCS.4062");
}

#[test]
fn instances_have_questions_and_keep_tasks_as_long_as_they_say() {
    let config = CONFIG.replacen(
        "dumps = \"*.rdb\"",
        "dumps = \"*.rdb\"\nkeys = { top = 2, top_per = \"instance\", min_elements = 2 }\nkeep = { tasks = 2, days = 3 }",
        1,
    );
    let service = service(&config);
    let analyze = |path: &str| {
        let id = service.post(path, "").json()["id"].as_str().unwrap().to_owned();
        service.work();
        id
    };
    let ids: Vec<String> = (0..3).map(|_| analyze("single/bigkey-task")).collect();
    let keys = service.get(&format!("single/bigkey-task/{}", ids[0])).json()["keys"].clone();
    let of_type = |name: &str| keys.as_array().unwrap().iter().filter(|key| key["type"] == name).count();
    assert!(of_type("list") <= 2 && of_type("string") == 2 && of_type("hash") >= 1, "{keys}");
    assert!(keys.as_array().unwrap().iter().all(|key| key["unit"] == "byte" || key["size"].as_u64() >= Some(2)));
    analyze("cluster/bigkey-task");
    // One that has yet to end stays, however old it is.
    let running = service.post("single/bigkey-task", "").json()["id"].clone();
    let scan = service.post("single/auto-expire/scan", "").json()["id"].clone();
    let claim = service.app.store.claim().unwrap().unwrap();
    assert_eq!(json!(claim.id), running, "it runs now");
    let count = |instance: &str| service.get(&format!("{instance}/bigkey-tasks")).json()["count"].clone();
    schedule::prune(&service.app, Timestamp::now()).unwrap();
    assert_eq!((count("single"), count("cluster")), (json!(3), json!(1)), "one runs");
    service.get(&format!("single/bigkey-task/{}", ids[0])).expect(400, "DCS.4942");
    schedule::prune(&service.app, Timestamp::now() + SignedDuration::from_hours(73)).unwrap();
    assert_eq!((count("single"), count("cluster")), (json!(1), json!(1)), "one runs");
    let scans = service.get("single/auto-expire/histories").json();
    assert_eq!((&scans["records"][0]["id"], &scans["records"][0]["status"]), (&scan, &json!("waiting")));
}
