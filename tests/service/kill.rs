//! A hundred kills at random moments, under creations, shows and deletions: nothing that ended is lost, nothing is half
//! there, and every task that was accepted ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::ask;
use super::serving::{Place, Serving};

const ROUNDS: u64 = 100;
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
}

/// A random number that a seed decides.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn path(instance: &str, id: &str) -> String {
    Serving::path(instance, &format!("bigkey-task/{id}"))
}

#[test]
fn a_hundred_kills() {
    let place = Place::new(INSTANCES, "analysis = { workers = 2, threads = 1 }");
    let said = Mutex::new(Said::default());
    let mut seed = 1;
    for round in 0..ROUNDS {
        let serving = place.start();
        let address = serving.address.clone();
        let is_over = AtomicBool::new(false);
        let lasts = Duration::from_millis(random(&mut seed) % ROUND_MS_MAX);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (address, said, is_over) = (&address, &said, &is_over);
                let mut seed = round * CLIENTS as u64 + client as u64;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        ask_something(address, said, &mut seed);
                    }
                });
            }
            std::thread::sleep(lasts);
            serving.kill();
            is_over.store(true, Ordering::Relaxed);
        });
    }

    let serving = place.start();
    let said = said.into_inner().expect("what was said");
    assert!(said.accepted.len() > 100 && said.ended.len() > 50 && said.gone.len() > 20, "too little happened");
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
fn ask_something(address: &str, said: &Mutex<Said>, seed: &mut u64) {
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
            assert_eq!(answer.json()["error_code"], "DCS.4918", "{answer:?}");
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
