//! Tasks from the command line: created, worked off, listed, shown and deleted in a store of their own.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::{MIXED, Outcome, bigkeys, ended, run, write_long_dump};

const DAMAGED: &str = "fixtures/refused/wrong_checksum_v09.rdb";

/// What is said of a dump with streams.
const LEFT_OUT: &str = "keys of streams, modules and other newer types";

/// `bigkeys task` over one store.
struct Tasks(tempfile::TempDir);

impl Tasks {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn arguments(&self, arguments: &str) -> String {
        format!("task {arguments} --store {}/tasks.db", self.0.path().display())
    }

    fn run(&self, arguments: &str) -> Outcome {
        run(&self.arguments(arguments))
    }

    /// The JSON that a command prints; it must succeed in silence.
    #[track_caller]
    fn json(&self, arguments: &str) -> Value {
        self.run(arguments).expect(0, &[]).json()
    }
}

impl Outcome {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).expect("JSON")
    }
}

fn id(task: &Value) -> &str {
    task["id"].as_str().expect("an ID")
}

fn fields(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn a_task_is_created_run_shown_and_deleted() {
    let tasks = Tasks::new();
    let shards = format!("create 10.0.0.1:6379={MIXED} 10.0.0.2:6379=fixtures/cluster_slots_v13.rdb --instance-id c");
    let created = tasks.json(&shards);
    assert_eq!(created["status"], "waiting");
    let no_keys_yet = ["created_at", "id", "instance_id", "num", "scan_type", "status"];
    let mut found = fields(&created);
    found.sort_unstable();
    assert_eq!(found, no_keys_yet);
    assert_eq!(tasks.json(&format!("show {}", id(&created))), created);
    tasks.run(&shards).expect(2, &["c: a task of this instance waits or runs already"]);

    let done = tasks.run("run").expect(0, &[LEFT_OUT]).json();
    assert_eq!((&done["id"], &done["status"]), (&created["id"], &Value::from("success")));
    assert_eq!(tasks.json(&format!("show {}", id(&created))), done);
    let analyzed = run(&format!("analyze -q 10.0.0.1:6379={MIXED} 10.0.0.2:6379=fixtures/cluster_slots_v13.rdb"));
    let mut analyzed = analyzed.expect(0, &[]).json();
    for own in ["id", "instance_id", "created_at", "started_at", "finished_at"] {
        analyzed[own] = done[own].clone();
    }
    assert_eq!(done, analyzed, "a task says what `analyze` says of the same dumps");
    assert_eq!(tasks.run("run").expect(0, &[]).stdout, "", "nothing waits");

    assert_eq!(tasks.json(&format!("delete {}", id(&created))), done);
    for command in ["delete", "show"] {
        let again = tasks.run(&format!("{command} {}", id(&created)));
        again.expect(2, &[id(&created), "there is no such task"]);
    }
}

#[test]
fn waiting_for_a_task() {
    let tasks = Tasks::new();
    let done = tasks.run(&format!("create {MIXED} --wait")).expect(0, &[LEFT_OUT]).json();
    assert_eq!(done["status"], "success");
    let failed = tasks.run(&format!("create {DAMAGED} --wait")).expect(1, &["checksum", DAMAGED]);
    assert_eq!(failed.json()["status"], "failed");
    assert_eq!(failed.json()["num"], 2);
    let shown = tasks.run(&format!("show {}", id(&failed.json()))).expect(0, &["checksum"]);
    assert_eq!(shown.json(), failed.json());
    tasks.run(&format!("create {DAMAGED}")).expect(0, &[]);
    tasks.run(&format!("create {MIXED}")).expect(0, &[]);
    let both = tasks.run("run").expect(1, &["checksum", LEFT_OUT]);
    assert_eq!(both.tasks().len(), 2, "a failed task does not keep the others from running");
}

#[test]
fn lists() {
    let tasks = Tasks::new();
    for instance in ["a", "a", "b"] {
        tasks.json(&format!("create fixtures/empty_v13.rdb --wait --instance-id {instance}"));
    }
    tasks.json("create fixtures/empty_v13.rdb --instance-id b");
    let all = tasks.json("list");
    assert_eq!((all["count"].as_u64(), all.get("instance_id")), (Some(4), None));
    let statuses: Vec<&Value> = all["records"].as_array().expect("records").iter().map(|r| &r["status"]).collect();
    assert_eq!(statuses, ["waiting", "success", "success", "success"], "newest first");
    let page = tasks.json("list --instance-id a --status success --offset 1 --limit 1");
    assert_eq!((&page["instance_id"], &page["count"]), (&Value::from("a"), &Value::from(2)));
    assert_eq!(page["records"].as_array().map(Vec::len), Some(1));
    let mut record = fields(&page["records"][0]);
    record.sort_unstable();
    assert_eq!(record, ["created_at", "finished_at", "id", "scan_type", "started_at", "status"]);
    let table = tasks.run("list --format table --limit 2").expect(0, &[]).stdout;
    assert!(table.starts_with("ID ") && table.ends_with("2 of 4 tasks; --offset and --limit show others\n"), "{table}");
}

#[test]
fn what_cannot_be_a_task() {
    let tasks = Tasks::new();
    tasks.json("create fixtures/empty_v13.rdb");
    for (arguments, sentence) in [
        ("create no/such.rdb", "no/such.rdb: could not open it: No such file"),
        ("create -", "-: could not open it"),
        ("create fixtures", "fixtures: a task's dump must be a regular file"),
        ("create /dev/stdin", "a task's dump must be a regular file"),
        ("show no-such", "no-such: there is no such task"),
        ("list --limit 0", "'0' for '--limit"),
        ("list --status done", "[possible values: waiting, running, success, failed]"),
        ("create", "<DUMP>"),
        ("create x.rdb --threads 2", "--threads has no effect without --wait"),
    ] {
        assert_eq!(tasks.run(arguments).expect(2, &[sentence]).stdout, "", "{arguments}");
    }
    run("task list --store fixtures/README.md").expect(2, &["fixtures/README.md: this file is not an SQLite database"]);
    run("task list --store fixtures").expect(2, &["fixtures: could not open it"]);
}

#[test]
fn the_store_is_in_the_data_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let create = |name: &str, value: &Path| {
        let mut command = bigkeys("task create fixtures/empty_v13.rdb");
        command.env_remove("XDG_DATA_HOME").env_remove("HOME").env(name, value);
        super::outcome(&mut command)
    };
    create("HOME", folder.path()).expect(0, &[]);
    assert!(folder.path().join(".local/share/bigkeys/tasks.db").is_file());
    create("XDG_DATA_HOME", folder.path()).expect(0, &[]);
    assert!(folder.path().join("bigkeys/tasks.db").is_file());
    create("NO_HOME", folder.path()).expect(2, &["use --store PATH"]);
}

#[test]
fn only_a_first_task_creates_a_store() {
    let tasks = Tasks::new();
    for arguments in ["list", "show an-id", "delete an-id", "run"] {
        let refused = tasks.run(arguments).expect(2, &["tasks.db: no such task store; `bigkeys task create` creates"]);
        assert_eq!(refused.stdout, "");
        assert_eq!(fs::read_dir(tasks.0.path()).expect("a folder").count(), 0, "{arguments}");
    }
    tasks.json("create fixtures/empty_v13.rdb");
    assert_eq!(tasks.json("list")["count"], 1);
}

#[test]
fn an_interrupted_run_lets_its_task_wait() {
    let tasks = Tasks::new();
    let dump = tasks.0.path().join("dump.rdb");
    write_long_dump(&dump);
    let created = tasks.json(&format!("create {} --instance-id i", dump.display()));
    let child = bigkeys(&tasks.arguments("run")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("a run");
    while tasks.json("list --status running")["count"] != 1 {
        assert!(child.try_wait().expect("its status").is_none(), "it ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(5));
    }
    super::reports::interrupt(&child, 0);
    let outcome = ended(child).expect(130, &["interrupted; tasks that have not ended wait for the next"]);
    assert_eq!(outcome.stdout, "");
    assert_eq!(tasks.json(&format!("show {}", id(&created)))["status"], "waiting");
}

#[test]
fn a_link_in_the_place_of_a_dump_is_not_followed() {
    let tasks = Tasks::new();
    let dump = tasks.0.path().join("dump.rdb");
    fs::copy(MIXED, &dump).expect("a copy");
    tasks.json(&format!("create {}", dump.display()));
    let other = tasks.0.path().join("other.rdb");
    fs::rename(&dump, &other).expect("moved");
    std::os::unix::fs::symlink(&other, &dump).expect("a link");
    let failed = tasks.run("run").expect(1, &["a symbolic link has taken its place"]);
    assert_eq!((&failed.json()["status"], &failed.json()["num"]), (&Value::from("failed"), &Value::from(0)));
}

#[test]
fn two_runs_do_not_meet() {
    let tasks = Tasks::new();
    // The first run is held by its output, which nobody reads before the second has come and gone.
    for instance in 0..40 {
        tasks.json(&format!("create {MIXED} --instance-id {instance}"));
    }
    let first = bigkeys(&tasks.arguments("run")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    let is_running = || tasks.json("list --status success")["count"].as_u64() > Some(0);
    while !is_running() {
        std::thread::sleep(Duration::from_millis(20));
    }
    tasks.run("run").expect(2, &["another process runs these tasks"]);
    let first = ended(first);
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert_eq!(tasks.run("run").expect(0, &[]).stdout, "", "the first did them all");
    let done = tasks.json("list --status success");
    assert_eq!(done["count"], 40);
}
