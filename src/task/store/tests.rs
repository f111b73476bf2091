//! Tasks through their lives, each migration over data that the version before wrote, and files that are no store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::schema::{APPLICATION_ID, STEPS};
use super::*;
use crate::engine::Dump;
use crate::task::{KeyRecord, OfflineRequest, ScanType, Settled, Status, Task};

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("new/tasks.db")).unwrap();
    (folder, store)
}

fn new_task(instance_id: &str) -> NewTask {
    let dumps = [
        Dump { path: PathBuf::from("/a.rdb"), shard: Some("10.0.0.1:6379".to_owned()), payload_key: None },
        "/b.rdb".into(),
    ];
    let dumps = dumps.map(|dump| Settled { dump, written_at: None }).into();
    NewTask {
        instance_id: instance_id.to_owned(),
        scan_type: ScanType::Manual,
        dumps,
        kind: TaskKind::BigKeys,
        offline: None,
    }
}

fn offline_task(instance_id: &str) -> NewTask {
    let request = OfflineRequest { node_id: "node".to_owned(), backup_id: None };
    NewTask { kind: TaskKind::Offline, offline: Some(request), ..new_task(instance_id) }
}

fn key(name: &str, size: u64) -> KeyRecord {
    let (name, type_name) = (name.to_owned(), "hash".to_owned());
    KeyRecord { name, name_base64: None, type_name, shard: None, db: u64::MAX, size, unit: "count", freq: None }
}

fn ended(reason: Option<&str>, keys: Vec<KeyRecord>) -> Ended {
    Ended { reason: reason.map(str::to_owned), num: keys.len() as u64, keys, report: None }
}

fn show(store: &Store, id: &str) -> Task {
    store.show(TaskKind::BigKeys, None, id).unwrap()
}

fn list(store: &Store, instance_id: Option<&str>, status: Option<Status>) -> Listing {
    let instance_id = instance_id.map(str::to_owned);
    store.list(&Query { kind: TaskKind::BigKeys, instance_id, status, offset: 0, limit: 1000 }).unwrap()
}

/// Creates a task and brings it to its end.
fn ended_task(store: &Store, instance_id: &str) -> String {
    let id = store.create(&new_task(instance_id)).unwrap().id;
    let claim = store.claim().unwrap().unwrap();
    assert_eq!(claim.id, id);
    assert!(store.finish(&claim, &ended(None, Vec::new())).unwrap());
    id
}

#[test]
fn a_task_from_its_creation_to_its_end() {
    let (_folder, store) = store();
    let created = store.create(&new_task("i")).unwrap();
    assert_eq!((created.status, created.num, &created.keys), (Status::Waiting, 0, &None));
    assert_eq!((created.started_at, created.finished_at), (None, None));
    assert_eq!(show(&store, &created.id), created);

    let claim = store.claim().unwrap().unwrap();
    assert_eq!((&claim.id, claim.kind), (&created.id, TaskKind::BigKeys));
    assert_eq!(claim.dumps, new_task("i").dumps.into_iter().map(|settled| settled.dump).collect::<Vec<_>>());
    assert!(store.claim().unwrap().is_none());
    let running = show(&store, &created.id);
    assert_eq!((running.status, running.finished_at, &running.keys), (Status::Running, None, &None));
    assert!(running.started_at.is_some());
    assert!(matches!(store.delete(TaskKind::BigKeys, None, &created.id), Err(StoreError::Running)));

    let keys = vec![key("b\0\u{1F511}", u64::MAX), key("a", 1)];
    assert!(store.finish(&claim, &ended(None, keys.clone())).unwrap());
    assert!(!store.finish(&claim, &ended(None, keys.clone())).unwrap(), "it has ended");
    let done = show(&store, &created.id);
    assert_eq!((done.status, done.num, &done.keys), (Status::Success, 2, &Some(keys)));
    assert!(done.started_at <= done.finished_at && Some(done.created_at) <= done.started_at);
    assert_eq!(store.outcome(&done.id).unwrap(), Outcome { reason: None, dumps: claim.dumps });

    assert_eq!(store.delete(TaskKind::BigKeys, Some("i"), &done.id).unwrap(), done);
    assert!(matches!(store.delete(TaskKind::BigKeys, Some("i"), &done.id), Err(StoreError::NoTask)));
    let left: i64 = store
        .read(|read| {
            Ok(read.query_row(
                "SELECT (SELECT count(*) FROM task_key)
        + (SELECT count(*) FROM task_dump)",
                [],
                |row| row.get(0),
            )?)
        })
        .unwrap();
    assert_eq!(left, 0, "its keys and dumps went with it");
}

#[test]
fn a_failed_task_has_a_reason_and_the_keys_found_before() {
    let (_folder, store) = store();
    let id = store.create(&new_task("i")).unwrap().id;
    let claim = store.claim().unwrap().unwrap();
    assert!(store.finish(&claim, &ended(Some("at byte 9"), vec![key("a", 1)])).unwrap());
    let task = show(&store, &id);
    assert_eq!((task.status, task.num), (Status::Failed, 1));
    assert_eq!(store.outcome(&id).unwrap().reason.as_deref(), Some("at byte 9"));
}

#[test]
fn one_task_at_a_time_for_an_instance_and_a_kind() {
    let (_folder, store) = store();
    let first = store.create(&new_task("i")).unwrap();
    assert!(matches!(store.create(&new_task("i")), Err(StoreError::Active)));
    store.create(&new_task("j")).unwrap();
    store.create(&offline_task("i")).unwrap();
    assert!(matches!(store.create(&offline_task("i")), Err(StoreError::Active)));
    let claim = store.claim().unwrap().unwrap();
    assert_eq!(claim.id, first.id, "the oldest first");
    assert!(matches!(store.create(&new_task("i")), Err(StoreError::Active)));
    store.finish(&claim, &ended(None, Vec::new())).unwrap();
    store.create(&new_task("i")).unwrap();
}

#[test]
fn tasks_belong_to_instances_and_kinds() {
    let (_folder, store) = store();
    let id = store.create(&new_task("i")).unwrap().id;
    let offline = store.create(&offline_task("i")).unwrap().id;
    for (kind, instance_id, id) in [
        (TaskKind::BigKeys, Some("j"), &id),
        (TaskKind::Offline, Some("i"), &id),
        (TaskKind::BigKeys, Some("i"), &offline),
        (TaskKind::BigKeys, None, &"no such".to_owned()),
    ] {
        assert!(matches!(store.show(kind, instance_id, id), Err(StoreError::NoTask)));
        assert!(matches!(store.delete(kind, instance_id, id), Err(StoreError::NoTask)));
    }
    let (task, request, report) = store.offline("i", &offline).unwrap();
    assert_eq!((task.id, request.node_id.as_str(), request.backup_id, report), (offline, "node", None, None));
}

#[test]
fn a_hundred_tasks_are_kept_the_oldest_ended_ones_go() {
    let (_folder, store) = store();
    let ids: Vec<String> = (0..TASKS_KEPT + 5).map(|_| ended_task(&store, "i")).collect();
    let other = ended_task(&store, "j");
    let kept = list(&store, Some("i"), None);
    assert_eq!(kept.count, u64::from(TASKS_KEPT));
    let newest: Vec<&String> = ids.iter().rev().take(TASKS_KEPT as usize).collect();
    assert_eq!(kept.records.iter().map(|record| &record.id).collect::<Vec<_>>(), newest, "newest first");
    assert_eq!(list(&store, None, None).count, u64::from(TASKS_KEPT) + 1);
    show(&store, &other);
}

#[test]
fn lists_by_page_and_state() {
    let (_folder, store) = store();
    let ids: Vec<String> = (0..5).map(|_| ended_task(&store, "i")).collect();
    store.create(&new_task("i")).unwrap();
    let page = |offset, limit, status| {
        let (kind, instance_id) = (TaskKind::BigKeys, Some("i".to_owned()));
        store.list(&Query { kind, instance_id, status, offset, limit }).unwrap()
    };
    assert_eq!((page(0, 2, None).count, page(0, 2, None).records.len()), (6, 2));
    assert_eq!(page(0, 1, None).records[0].status, Status::Waiting);
    let records = page(1, 2, Some(Status::Success));
    assert_eq!(records.count, 5);
    assert_eq!([&records.records[0].id, &records.records[1].id], [&ids[3], &ids[2]]);
    assert_eq!(page(6, 10, None).records, []);
    assert_eq!((page(u64::MAX, u64::MAX, None).count, page(0, 9, Some(Status::Failed)).count), (6, 0));
    assert_eq!(store.counts().unwrap().tasks, [1, 0, 5, 0]);
}

#[test]
fn what_a_killed_program_left_runs_again_and_fails_the_third_time() {
    let (_folder, store) = store();
    let id = store.create(&new_task("i")).unwrap().id;
    for start in 1..=STARTS_MAX {
        let claim = store.claim().unwrap().unwrap();
        assert_eq!(claim.id, id);
        let recovered = store.recover().unwrap();
        assert_eq!((recovered.waiting, recovered.failed), if start < STARTS_MAX { (1, 0) } else { (0, 1) });
        assert!(!store.finish(&claim, &ended(None, Vec::new())).unwrap(), "the claim is lost");
    }
    assert_eq!((show(&store, &id).status, store.claim().unwrap().is_none()), (Status::Failed, true));
    assert!(store.outcome(&id).unwrap().reason.unwrap().contains("ended 3 times"));
}

#[test]
fn what_is_given_back_counts_as_never_started() {
    let (_folder, store) = store();
    let id = store.create(&new_task("i")).unwrap().id;
    for _ in 0..2 * STARTS_MAX {
        let claim = store.claim().unwrap().unwrap();
        store.release(&claim).unwrap();
        assert!(!store.finish(&claim, &ended(None, Vec::new())).unwrap(), "the claim is lost");
        assert_eq!((show(&store, &id).status, show(&store, &id).started_at), (Status::Waiting, None));
    }
}

#[test]
fn one_process_works_at_a_time() {
    let (folder, store) = store();
    let lock = store.lock_work().unwrap().unwrap();
    let other = Store::open(store.path()).unwrap();
    assert!(other.lock_work().unwrap().is_none());
    drop(lock);
    assert!(other.lock_work().unwrap().is_some());
    drop(folder);
}

#[test]
fn schedules_are_kept() {
    let (_folder, store) = store();
    let none = store.autoscan(TaskKind::BigKeys, "i").unwrap();
    assert_eq!(none, Autoscan { instance_id: "i".to_owned(), ..Autoscan::default() });
    let take = |minute| match store.create_scheduled(&new_task("i"), minute).unwrap() {
        Some(task) => store.delete(TaskKind::BigKeys, None, &task.id).is_ok(),
        None => false,
    };
    assert!(!take(1), "there is no schedule");
    let schedule_at = ["21:00".to_owned(), "03:30".to_owned()];
    let set = store.set_autoscan(TaskKind::BigKeys, "i", true, &schedule_at, None).unwrap();
    assert_eq!((set.enable_auto_scan, set.schedule_at.as_slice()), (true, schedule_at.as_slice()));
    assert!(set.updated_at.is_some());
    assert_eq!(store.autoscans().unwrap(), std::slice::from_ref(&set));
    assert!(take(7) && !take(7));
    store.set_autoscan(TaskKind::BigKeys, "i", false, &[], None).unwrap();
    assert!(!take(7), "a change of the settings does not open a minute again");
    assert!(take(1_000_000) && take(8), "the clock was wrong");
    assert!(!take(7), "a clock that is set back a little takes no minute twice");
    assert_eq!(store.autoscan(TaskKind::BigKeys, "i").unwrap().schedule_at, [""; 0]);
}

fn once(signature: &str, until_ms: i64) -> Once {
    Once { signature: signature.to_owned(), until_ms }
}

#[test]
fn a_signature_changes_something_once() {
    let (_folder, store) = store();
    let create = once("create", now_ms() + 60_000);
    let id = store.create_once(&new_task("i"), Some(&create)).unwrap().id;
    // What speaks against the request anyway is said first.
    assert!(matches!(store.create_once(&new_task("i"), Some(&create)), Err(StoreError::Active)));
    let delete = once("delete", now_ms() + 60_000);
    let deletion = || store.delete_once(TaskKind::BigKeys, Some("i"), &id, Some(&delete));
    assert_eq!(deletion().unwrap().id, id);
    assert!(matches!(deletion(), Err(StoreError::NoTask)));
    assert!(matches!(store.create_once(&new_task("i"), Some(&create)), Err(StoreError::Replayed)));
    assert_eq!(list(&store, Some("i"), None).count, 0, "a replay leaves nothing behind");

    let set = |enable, signature| store.set_autoscan(TaskKind::BigKeys, "i", enable, &[], Some(signature));
    let (on, off) = (once("on", now_ms() + 60_000), once("off", now_ms() + 60_000));
    let first = set(true, &on).unwrap();
    assert_eq!(set(true, &on).unwrap(), first, "it changes nothing");
    set(false, &off).unwrap();
    assert!(matches!(set(true, &on), Err(StoreError::Replayed)));

    let old = once("old", now_ms() - 1);
    store.create_once(&new_task("j"), Some(&old)).unwrap();
    store.create_once(&new_task("k"), Some(&old)).expect("one that is too old is forgotten");
}

#[test]
fn counts_are_kept_by_what_happens() {
    let (_folder, store) = store();
    for number in 0..3 {
        store.create(&new_task(&format!("i{number}"))).unwrap();
    }
    let claim = store.claim().unwrap().unwrap();
    assert_eq!(store.counts().unwrap().tasks, [2, 1, 0, 0]);
    store.finish(&claim, &ended(None, vec![key("a", 1)])).unwrap();
    assert_eq!(store.counts().unwrap().tasks, [2, 0, 1, 0]);
    store.delete(TaskKind::BigKeys, None, &claim.id).unwrap();
    assert_eq!(store.counts().unwrap().tasks, [2, 0, 0, 0]);
}

#[test]
fn what_runs_in_nobodys_hands_is_taken_up() {
    let (_folder, store) = store();
    for instance in ["i", "j"] {
        store.create(&new_task(instance)).unwrap();
    }
    let (held, lost) = (store.claim().unwrap().unwrap(), store.claim().unwrap().unwrap());
    assert_eq!(store.recover_except(std::slice::from_ref(&held)).unwrap(), Recovered { waiting: 1, failed: 0 });
    assert_eq!((show(&store, &held.id).status, show(&store, &lost.id).status), (Status::Running, Status::Waiting));
}

#[test]
fn a_full_disk_leaves_room_for_ends_and_deletions() {
    let (_folder, store) = store();
    let id = ended_task(&store, "i");
    store.create(&new_task("j")).unwrap();
    let claim = store.claim().unwrap().unwrap();
    store.keep_reserve().unwrap();
    // A database that may not grow answers as a full disk does; the reserve is then given, whether it helps or not.
    let pages = |most: i64| {
        let writer = store.writer.lock().unwrap();
        writer.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
    };
    pages(1);
    let long = || (0..2000).map(|number| key(&"k".repeat(100), number)).collect();
    assert!(store.finish(&claim, &ended(None, long())).unwrap_err().is_full());
    assert!(reserve::is_given(store.path()));
    pages(100_000);
    assert!(store.create(&new_task("k")).unwrap_err().is_full(), "the rest of the disk is not for new tasks");
    assert!(store.check_writable().unwrap_err().is_full());
    assert!(store.finish(&claim, &ended(None, long())).unwrap());
    store.delete(TaskKind::BigKeys, None, &id).unwrap();
    store.keep_reserve().unwrap();
    store.create(&new_task("k")).unwrap();
    store.check_writable().unwrap();
}

#[test]
fn a_damaged_page_is_found() {
    let (folder, store) = store();
    for _ in 0..30 {
        let id = ended_task(&store, "i");
        assert!(!id.is_empty());
    }
    store.check(true).unwrap();
    store.checkpoint().unwrap();
    let path = store.path().to_owned();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let found = Store::open(&path).and_then(|store| store.check(false)).unwrap_err();
    assert!(matches!(&found, StoreError::Damaged(_)), "{found:?}");
    drop(folder);
}

#[test]
fn a_copy_is_a_store_of_its_own() {
    let (folder, store) = store();
    let id = ended_task(&store, "i");
    let copy = folder.path().join("copy.db");
    store.backup(&copy).unwrap();
    assert!(matches!(store.backup(&copy), Err(StoreError::Copy(..))), "a copy overwrites nothing");
    let copied = Store::open(&copy).unwrap();
    assert_eq!(show(&copied, &id), show(&store, &id));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o077, 0);
    store.vacuum().unwrap();
    // What is closed is whole without its log.
    store.checkpoint().unwrap();
    let alone = folder.path().join("alone.db");
    fs::copy(store.path(), &alone).unwrap();
    assert_eq!(show(&Store::open(&alone).unwrap(), &id).id, id);
}

#[test]
fn many_threads_and_processes_at_once() {
    let (_folder, store) = store();
    let path = store.path().to_owned();
    let claimed = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (path, claimed) = (&path, &claimed);
            scope.spawn(move || {
                let store = Store::open(path).unwrap();
                for task in 0..10 {
                    store.create(&new_task(&format!("{thread}-{task}"))).unwrap();
                    let claim = store.claim().unwrap().unwrap();
                    store.finish(&claim, &ended(None, vec![key("k", 1)])).unwrap();
                    claimed.lock().unwrap().push(claim.id);
                }
            });
        }
    });
    let mut claimed = std::mem::take(&mut *claimed.lock().unwrap());
    claimed.sort();
    claimed.dedup();
    assert_eq!((claimed.len(), store.counts().unwrap().tasks), (40, [0, 0, 40, 0]));
}

/// A database as the version `version` of this program made it, with what `fill` puts in.
fn old_store(version: usize, fill: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    let connection = Connection::open(&path).unwrap();
    for step in &STEPS[..version] {
        connection.execute_batch(step).unwrap();
    }
    connection.execute_batch(fill).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", i32::try_from(version).unwrap()).unwrap();
    (folder, path)
}

/// What the first version could hold.
const FIRST: &str = "
    INSERT INTO task (id, instance_id, status, scan_type, created_at_ms, started_at_ms, finished_at_ms, num)
    VALUES ('done', 'i', 'success', 'auto', 1000, 2000, 3000, 1), ('new', 'i', 'waiting', 'manual', 4000, NULL, NULL, 0);
    INSERT INTO task_dump (task, place, path, shard) VALUES (1, 0, x'2f61ff', NULL), (2, 0, x'2f62', '10.0.0.1:6379');
    INSERT INTO task_key VALUES (1, 0, 'name', NULL, 'string', NULL, 3, 5, 'byte');
    INSERT INTO autoscan VALUES ('i', 1, '21:00', 5000, 0);";

fn expect_first(store: &Store) {
    let done = show(store, "done");
    assert_eq!(
        (done.scan_type, done.num, done.started_at),
        (ScanType::Auto, 1, Some("1970-01-01T00:00:02Z".parse().unwrap()))
    );
    let keys = done.keys.unwrap();
    assert_eq!((keys[0].name.as_str(), keys[0].db, keys[0].size, keys[0].unit), ("name", 3, 5, "byte"));
    assert_eq!(list(store, Some("i"), None).records[0].id, "new");
    assert!(matches!(store.create(&new_task("i")), Err(StoreError::Active)));
    assert_eq!(store.autoscan(TaskKind::BigKeys, "i").unwrap().schedule_at, ["21:00"]);
    let claim = store.claim().unwrap().unwrap();
    assert_eq!((claim.id.as_str(), claim.dumps[0].shard.as_deref()), ("new", Some("10.0.0.1:6379")));
    for kind in [TaskKind::HotKeys, TaskKind::ExpiredKeys] {
        let new = NewTask { kind, ..new_task("i") };
        store.create(&new).unwrap();
        assert!(matches!(store.create(&new), Err(StoreError::Active)), "each kind has its own one at a time");
    }
    store.check(true).unwrap();
}

#[test]
fn from_nothing_to_the_first_version() {
    // What the first step makes by itself takes in what the first version could hold.
    let (_folder, path) = old_store(1, FIRST);
    let connection = Connection::open(path).unwrap();
    let again = connection.execute(
        "INSERT INTO task (id, instance_id, status, scan_type, created_at_ms) VALUES ('x', 'i', 'running', 'auto', 0)",
        [],
    );
    assert!(again.is_err(), "one at a time");
}

#[test]
fn from_the_first_version_to_the_second() {
    let (_folder, path) = old_store(1, FIRST);
    let store = Store::open(path).unwrap();
    expect_first(&store);
    store.create(&offline_task("i")).unwrap();
}

#[test]
fn from_the_second_version_to_the_third() {
    let second = r#"
        INSERT INTO task (id, instance_id, status, scan_type, created_at_ms, kind)
        VALUES ('o', 'i', 'success', 'manual', 0, 'offline');
        INSERT INTO offline VALUES (3, 'node', 'backup', '{"total_bytes":5,"total_num":1,"type_bytes":[],"type_num":[],
            "largest_keys":[],"largest_key_prefixes":[]}');"#;
    let (_folder, path) = old_store(2, &format!("{FIRST}{second}"));
    let store = Store::open(path).unwrap();
    expect_first(&store);
    let (_, request, report) = store.offline("i", "o").unwrap();
    assert_eq!((request.backup_id.as_deref(), report.is_some()), (Some("backup"), true));
    store.create_once(&new_task("k"), Some(&once("a", now_ms() + 60_000))).unwrap();
}

#[test]
fn from_the_third_version_to_the_fourth() {
    let (_folder, path) = old_store(3, FIRST);
    let store = Store::open(path).unwrap();
    assert_eq!(store.counts().unwrap().tasks, [1, 0, 1, 0]);
    assert!(store.counts().unwrap().queue_age_ms > 1000);
    expect_first(&store);
}

#[test]
fn from_the_fourth_version_to_the_fifth() {
    let (_folder, path) = old_store(4, FIRST);
    let store = Store::open(path).unwrap();
    let details = store.details(&["done", "gone"]).unwrap();
    let dumps = vec![DumpDetails { name: "a\\xff".to_owned(), shard: None, written_at: None }];
    assert_eq!(details, [Some(Details { reason: None, dumps }), None]);
    expect_first(&store);
}

#[test]
fn from_the_fifth_version_to_the_sixth() {
    let (_folder, path) = old_store(5, FIRST);
    let store = Store::open(path).unwrap();
    assert_eq!(show(&store, "done").keys.unwrap()[0].freq, None);
    assert_eq!(store.autoscan(TaskKind::HotKeys, "i").unwrap().updated_at, None, "each kind has a schedule of its own");
    expect_first(&store);
}

#[test]
fn from_the_sixth_version_to_the_seventh() {
    let sixth = FIRST.replace("'byte')", "'byte', NULL)").replace("autoscan VALUES (", "autoscan VALUES ('bigkey', ");
    let (_folder, path) = old_store(6, &sixth);
    let store = Store::open(path).unwrap();
    assert_eq!(store.task_changes().unwrap(), 0);
    expect_first(&store);
    let changes = |what: &dyn Fn(&Store)| {
        let before = store.task_changes().unwrap();
        what(&store);
        store.task_changes().unwrap() - before
    };
    let another = Store::open(store.path()).unwrap();
    assert!(changes(&|_| drop(another.create(&new_task("k")).unwrap())) > 0, "by another program");
    assert!(changes(&|store| drop(store.claim().unwrap())) > 0);
    assert!(changes(&|store| drop(store.delete(TaskKind::BigKeys, None, "done").unwrap())) > 0);
    assert_eq!(changes(&|store| drop(show(store, "new"))), 0, "who reads changes nothing");
}

#[test]
fn files_that_are_no_store_of_ours() {
    let (_folder, path) = old_store(STEPS.len(), "");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let newer = Store::open(&path).unwrap_err().to_string();
    assert!(newer.contains("a newer version of this program wrote this store") && newer.contains("99"), "{newer}");
    connection.pragma_update(None, "user_version", -1).unwrap();
    Store::open(&path).unwrap_err();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.pragma_update(None, "application_id", 0).unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Foreign)));
    assert_eq!(fs::read(&path).unwrap(), before, "it is left as it was");

    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(
        &text,
        "not a database, but long enough to have a header of one hundred bytes, which this text goes on to fill up",
    )
    .unwrap();
    assert!(Store::open(&text).unwrap_err().to_string().contains("not an SQLite database"));
    assert!(fs::read(&text).unwrap().starts_with(b"not a database"), "it is left as it was");
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Io(_))));
}

#[test]
fn a_new_store_is_for_its_owner_alone() {
    let (_folder, store) = store();
    store.create(&new_task("i")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(format!("{}{suffix}", store.path().display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}
