//! A hundred kills at random moments, under creations, shows and deletions, and some more while the disk is full, the store is
//! locked or nobody reads the log: nothing that ended is lost, nothing is half there, and every task that was accepted ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::disk::Disk;
use super::http::ask;
use super::serving::{LogReader, Place, Serving};

const ROUNDS: u64 = 100;

/// Kills beside each trouble; the variable `BIGKEYS_KILLS` says otherwise.
const ROUNDS_IN_TROUBLE: u64 = 10;
const CLIENTS: usize = 3;

/// Enough that none gets a hundred tasks, of which the oldest would go.
const INSTANCES: usize = 60;

/// The longest that a round lasts before it is killed.
const ROUND_MS_MAX: u64 = 120;

/// What the service has said.
#[derive(Default)]
struct Said {
    /// Accepted tasks, by ID, and their instances.
    accepted: BTreeMap<String, String>,
    /// Tasks that were shown as ended, as they were shown.
    ended: BTreeMap<String, Value>,
    /// Tasks that somebody asked to delete, whatever came of it.
    deleted: BTreeSet<String>,
    /// Tasks whose deletion was answered.
    gone: BTreeSet<String>,
    /// Tasks that were not created because of what went wrong.
    refused: usize,
}

/// A random number that a seed decides.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn path(instance: &str, id: &str) -> String {
    Serving::path(instance, &format!("bigkey-task/{id}"))
}

/// These tests run one after the other: each uses all of the machine, and too little would happen in a round.
static ALONE: Mutex<()> = Mutex::new(());

/// What goes wrong in the second half of each round.
enum Trouble {
    None,
    /// Every other round begins on a disk that is still full.
    FullDisk(Disk),
    LockedStore,
    ClosedLog,
}

impl Trouble {
    fn reader(&self) -> LogReader {
        if matches!(self, Self::ClosedLog) { LogReader::Closes } else { LogReader::Reads }
    }

    /// Whether changes may be refused for now.
    fn refuses(&self) -> bool {
        matches!(self, Self::FullDisk(_) | Self::LockedStore)
    }

    /// Begins; what it returns is held until the kill.
    fn begin(&self, place: &Place, round: u64) -> Option<rusqlite::Connection> {
        match self {
            Self::None | Self::ClosedLog => None,
            Self::FullDisk(disk) => {
                if is_roomy(round) {
                    let deadline = Instant::now() + Duration::from_secs(10);
                    while !disk.has_reserve() {
                        assert!(Instant::now() < deadline, "the service keeps no room");
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    disk.fill();
                }
                None
            }
            Self::LockedStore => {
                let store = rusqlite::Connection::open(place.folder.path().join("tasks.db")).expect("a store");
                store.busy_timeout(Duration::from_secs(10)).expect("a store");
                store.execute_batch("BEGIN IMMEDIATE").expect("a lock");
                Some(store)
            }
        }
    }
}

/// Whether a round begins on a disk with room.
fn is_roomy(round: u64) -> bool {
    round.is_multiple_of(2)
}

fn rounds_in_trouble() -> u64 {
    std::env::var("BIGKEYS_KILLS").map_or(ROUNDS_IN_TROUBLE, |rounds| rounds.parse().expect("a number"))
}

#[test]
fn a_hundred_kills() {
    let place = Place::new(INSTANCES, "analysis = { workers = 2, threads = 1 }");
    let is_enough = |said: &Said| said.accepted.len() > 100 && said.ended.len() > 50 && said.gone.len() > 20;
    let said = kill(&place, ROUNDS, &Trouble::None, is_enough);
    assert!(is_enough(&said), "too little happened");
    check(&place, &said);
}

#[test]
fn kills_under_a_full_disk() {
    let place = Place::new(INSTANCES, "analysis = { workers = 2, threads = 1 }");
    let Some(disk) = Disk::for_store(&place, 16 << 20) else { return };
    let trouble = Trouble::FullDisk(disk);
    let said = kill(&place, rounds_in_trouble(), &trouble, |said| said.refused > 0 && !said.ended.is_empty());
    assert!(said.refused > 0, "the disk was never full");
    let Trouble::FullDisk(disk) = trouble else { return };
    disk.empty();
    check(&place, &said);
}

#[test]
fn kills_under_a_locked_store() {
    let place = Place::new(INSTANCES, "analysis = { workers = 2, threads = 1 }");
    let said = kill(&place, rounds_in_trouble(), &Trouble::LockedStore, |said| !said.ended.is_empty());
    check(&place, &said);
}

#[test]
fn kills_without_a_reader_of_the_log() {
    let place = Place::new(INSTANCES, "analysis = { workers = 2, threads = 1 }");
    let said = kill(&place, rounds_in_trouble(), &Trouble::ClosedLog, |said| !said.ended.is_empty());
    check(&place, &said);
}

/// Starts the service and kills it so many times, while clients ask; on a busy machine, where less happens in a round, up to four
/// times as often until it is enough.
fn kill(place: &Place, rounds: u64, trouble: &Trouble, is_enough: impl Fn(&Said) -> bool) -> Said {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let said = Mutex::new(Said::default());
    let mut seed = 1;
    for round in 0..4 * rounds {
        if round >= rounds && is_enough(&said.lock().expect("what was said")) {
            break;
        }
        if let Trouble::FullDisk(disk) = trouble
            && is_roomy(round)
            && round > 0
        {
            disk.empty();
        }
        let serving = Serving::start_with(&place.config, trouble.reader(), &[]);
        let address = serving.address.clone();
        let is_over = AtomicBool::new(false);
        let half = Duration::from_millis(random(&mut seed) % ROUND_MS_MAX) / 2;
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (address, said, is_over) = (&address, &said, &is_over);
                let mut seed = round * CLIENTS as u64 + client as u64;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        ask_something(address, said, trouble.refuses(), &mut seed);
                    }
                });
            }
            std::thread::sleep(half);
            let held = trouble.begin(place, round);
            std::thread::sleep(half);
            serving.kill();
            is_over.store(true, Ordering::Relaxed);
            drop(held);
        });
    }
    said.into_inner().expect("what was said")
}

/// Looks whether all is there that was said to be, and nothing else.
fn check(place: &Place, said: &Said) {
    assert!(!said.accepted.is_empty() && !said.ended.is_empty(), "too little happened");
    let serving = place.start();
    let deadline = Instant::now() + Duration::from_mins(1);
    for (id, instance) in &said.accepted {
        let task = loop {
            let found = ask(&serving.address, "GET", &path(instance, id), "").expect("an answer");
            if found.status == 400 {
                assert!(said.deleted.contains(id), "a task is lost: {id}");
                break None;
            }
            let task = found.json();
            if task["status"] == "success" || task["status"] == "failed" {
                break Some(task);
            }
            assert!(Instant::now() < deadline, "a task does not end: {task}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(task.is_none() || !said.gone.contains(id), "a deleted task is back: {id}");
        if let (Some(task), Some(shown)) = (&task, said.ended.get(id)) {
            assert_eq!(task, shown, "an ended task has changed");
        }
        if let Some(task) = task {
            check_whole(&task);
        }
    }
    assert!(serving.stop().0.success());
}

fn check_whole(task: &Value) {
    let keys = task["keys"].as_array().expect("keys");
    assert_eq!(task["num"], keys.len());
    assert!(task["started_at"].is_string() || task["status"] == "failed");
    assert!(task["finished_at"].is_string());
    // The same dump each time: a task has all of its keys, or failed by the third kill and has none.
    let expected = if task["status"] == "success" { KEYS } else { 0 };
    assert_eq!(keys.len(), expected, "{task}");
}

/// Keys of the dump's task.
const KEYS: usize = 41;

/// One random request; what it was answered is written down, what was not answered may have happened or not.
fn ask_something(address: &str, said: &Mutex<Said>, may_be_refused: bool, seed: &mut u64) {
    let known: Vec<(String, String)> = {
        let said = said.lock().expect("what was said");
        said.accepted.iter().map(|(id, instance)| (id.clone(), instance.clone())).collect()
    };
    let number = |seed: &mut u64, most: usize| usize::try_from(random(seed)).expect("a number") % most.max(1);
    let choice = number(seed, 10);
    if known.is_empty() || choice < 4 {
        let instance = format!("single-{}", number(seed, INSTANCES));
        let Some(answer) = ask(address, "POST", &Serving::path(&instance, "bigkey-task"), "") else { return };
        if answer.status == 200 {
            let id = answer.json()["id"].as_str().expect("an ID").to_owned();
            said.lock().expect("what was said").accepted.insert(id, instance);
        } else {
            let is_refused = may_be_refused && answer.status == 503;
            said.lock().expect("what was said").refused += usize::from(is_refused);
            assert!(is_refused || answer.json()["error_code"] == "DCS.4918", "{answer:?}");
        }
        return;
    }
    let (id, instance) = &known[number(seed, known.len())];
    if choice < 9 {
        let Some(answer) = ask(address, "GET", &path(instance, id), "") else { return };
        let mut said = said.lock().expect("what was said");
        if answer.status == 200 {
            let task = answer.json();
            if task["keys"].is_array() {
                check_whole(&task);
                said.ended.insert(id.clone(), task);
            }
        } else {
            assert!(said.deleted.contains(id), "a task is lost: {answer:?}");
        }
        return;
    }
    said.lock().expect("what was said").deleted.insert(id.clone());
    let Some(answer) = ask(address, "DELETE", &path(instance, id), "") else { return };
    if answer.status == 200 {
        said.lock().expect("what was said").gone.insert(id.clone());
    }
}
