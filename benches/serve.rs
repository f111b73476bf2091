//! A load test of the service: requests a second, and how long they take, of show and list over 10,000 stored tasks,
//! first with nothing else to do and then while a dump is analyzed.
//!
//! `cargo bench --bench serve -- DUMP [SECONDS]`; without a dump it does nothing, as when all benches are run.
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used, reason = "a broken bench may stop")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bigkeys::task::{Ended, KeyRecord, NewTask, ScanType, Store, TaskKind};

const INSTANCES: usize = 100;
const TASKS_EACH: usize = 100;
const KEYS_EACH: usize = 100;

/// Connections, each with one request at a time.
const CLIENTS: usize = 4;

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(dump) = arguments.next() else {
        println!("serve: skipped, it needs a dump: cargo bench --bench serve -- DUMP [SECONDS]");
        return;
    };
    let seconds: u64 = arguments.next().map_or(10, |seconds| seconds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ids = fill(&folder.path().join("tasks.db"));
    let config = configure(folder.path(), &fs::canonicalize(dump).unwrap());
    let (_service, address) = start(&config);

    for (name, path) in [("show", None), ("list", Some("bigkey-tasks?limit=10"))] {
        let path = |number: usize| {
            let instance = number % INSTANCES;
            let one = || format!("bigkey-task/{}", ids[instance][number / INSTANCES % TASKS_EACH]);
            format!("/v2/p/instances/{instance}/{}", path.map_or_else(one, str::to_owned))
        };
        let alone = load(&address, seconds, &path);
        report(&format!("{name}, nothing else to do"), &alone);
        let is_over = AtomicBool::new(false);
        let (with, analyses) = std::thread::scope(|scope| {
            let analyses = scope.spawn(|| analyze(&address, &is_over));
            let with = load(&address, seconds, &path);
            is_over.store(true, Ordering::Relaxed);
            (with, analyses.join().unwrap())
        });
        report(&format!("{name}, beside the analysis ({analyses} were started)"), &with);
    }
}

/// Stores 10,000 tasks that have ended, each with a hundred keys.
fn fill(path: &Path) -> Vec<Vec<String>> {
    let store = Store::open(path).unwrap();
    let key = |number: usize| KeyRecord {
        name: format!("tenant:{number}:session:{:x}", number * 7919),
        name_base64: None,
        type_name: "hash".to_owned(),
        shard: Some("10.0.0.1:6379".to_owned()),
        db: 0,
        size: 1_000_000 - number as u64,
        unit: "count",
        freq: None,
    };
    let keys: Vec<KeyRecord> = (0..KEYS_EACH).map(key).collect();
    let instance = |instance: usize| {
        let task = |_| {
            let (instance_id, scan_type) = (instance.to_string(), ScanType::Manual);
            let new = NewTask { instance_id, scan_type, dumps: Vec::new(), kind: TaskKind::BigKeys, offline: None };
            let task = store.create(&new).unwrap();
            let claim = store.claim().unwrap().unwrap();
            let ended = Ended { reason: None, num: KEYS_EACH as u64, keys: keys.clone(), report: None };
            assert!(store.finish(&claim, &ended).unwrap());
            task.id
        };
        (0..TASKS_EACH).map(task).collect()
    };
    (0..INSTANCES).map(instance).collect()
}

fn configure(folder: &Path, dump: &Path) -> PathBuf {
    let (root, dump) = (dump.parent().unwrap().display(), dump.display());
    let mut config = format!("root = \"{root}\"\nstore = \"tasks.db\"\n[[project]]\nid = \"p\"\n");
    for instance in (0..INSTANCES).map(|number| number.to_string()).chain(["analyzed".to_owned()]) {
        _ = write!(
            config,
            "[[project.instance]]\nid = \"{instance}\"\nname = \"\"\ntype = \"single\"\ndumps = \"{dump}\"\n"
        );
    }
    let path = folder.join("bigkeys.toml");
    fs::write(&path, config).unwrap();
    path
}

fn start(config: &Path) -> (Service, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address =
        lines.find_map(|line| Some(line.unwrap().split_once("listening on http://")?.1.split_once(' ')?.0.to_owned()));
    // Read on, as whoever keeps a log does.
    std::thread::spawn(move || lines.for_each(drop));
    (Service(child), address.unwrap())
}

/// Lets one analysis follow the other and counts them.
fn analyze(address: &str, is_over: &AtomicBool) -> usize {
    let mut connection = Connection::open(address);
    let mut analyses = 0;
    while !is_over.load(Ordering::Relaxed) {
        if connection.ask("POST", "/v2/p/instances/analyzed/bigkey-task") == 200 {
            analyses += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    analyses
}

/// Asks for some seconds and returns how long each request took, the shortest first.
fn load(address: &str, seconds: u64, path: &(impl Fn(usize) -> String + Sync)) -> Vec<Duration> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let client = |client: usize| {
        let mut connection = Connection::open(address);
        let mut taken = Vec::new();
        let mut number = client * 7919;
        while Instant::now() < end {
            number += 1;
            let path = path(number);
            let started = Instant::now();
            assert_eq!(connection.ask("GET", &path), 200, "{path}");
            taken.push(started.elapsed());
        }
        taken
    };
    let mut taken: Vec<Duration> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    taken.sort_unstable();
    taken
}

fn report(name: &str, taken: &[Duration]) {
    let mean = taken.iter().sum::<Duration>() / u32::try_from(taken.len()).unwrap();
    let a_second = f64::from(u32::try_from(CLIENTS).unwrap()) / mean.as_secs_f64();
    let share = |percent: usize| taken[(taken.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    let (p50, p99, most) = (share(50), share(99), share(100));
    println!("{name}: {a_second:.0} requests a second, p50 {p50:.2} ms, p99 {p99:.2} ms, longest {most:.1} ms");
}

/// A connection that is kept open.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Asks, reads the whole answer and returns its status.
    fn ask(&mut self, method: &str, path: &str) -> u16 {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.trim().parse().unwrap();
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        status
    }
}
