//! What the service counts itself; `scrape.rs` writes it down.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::{Method, StatusCode};
use jiff::Timestamp;

use crate::task::TaskKind;

/// The upper bounds of the latency histogram, in seconds.
pub(super) const BUCKETS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0];

/// What the service counts itself; of stored tasks the store knows.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By route, method and status. Routes are ours and methods few, so a client cannot make it grow.
    requests: Mutex<BTreeMap<(String, &'static str, u16), Latency>>,
    /// Refused requests, by the code of the refusal.
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    /// By instance and kind. Both are of tasks that were created, so a client cannot make it grow.
    tasks: Mutex<BTreeMap<(String, &'static str), Results>>,
    /// When an instance's newest dump was written.
    dumps: Mutex<BTreeMap<String, SystemTime>>,
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    /// How many took at most as long as each bound.
    pub(super) within: [u64; BUCKETS.len()],
    pub(super) count: u64,
    pub(super) seconds: f64,
}

/// How tasks came out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Results {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) seconds: f64,
    /// When the last one succeeded, also before this start.
    pub(super) succeeded_at: Option<Timestamp>,
}

impl Metrics {
    pub(super) fn observe(&self, route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let mut requests = locked(&self.requests);
        let latency = requests.entry((route.to_owned(), known(method), status.as_u16())).or_default();
        for (within, bound) in latency.within.iter_mut().zip(BUCKETS) {
            *within += u64::from(seconds <= bound);
        }
        latency.count += 1;
        latency.seconds += seconds;
    }

    pub(super) fn refused(&self, code: &'static str) {
        *locked(&self.refusals).entry(code).or_default() += 1;
    }

    pub(super) fn worked(&self, instance_id: &str, kind: TaskKind, is_success: bool, elapsed: Duration) {
        let mut tasks = locked(&self.tasks);
        let results = tasks.entry((instance_id.to_owned(), kind.name())).or_default();
        results.seconds += elapsed.as_secs_f64();
        if is_success {
            results.succeeded += 1;
            results.succeeded_at = Some(Timestamp::now());
        } else {
            results.failed += 1;
        }
    }

    /// Notes what the store knows from before this start.
    pub(super) fn succeeded_before(&self, instance_id: &str, kind: TaskKind, at: Timestamp) {
        locked(&self.tasks).entry((instance_id.to_owned(), kind.name())).or_default().succeeded_at = Some(at);
    }

    /// Notes when the newest dumps of an instance's nodes were written; none if a node has none.
    pub(super) fn found_dumps(&self, instance_id: &str, written_at: Option<SystemTime>) {
        let mut dumps = locked(&self.dumps);
        match written_at {
            Some(written_at) => _ = dumps.insert(instance_id.to_owned(), written_at),
            None => _ = dumps.remove(instance_id),
        }
    }

    pub(super) fn requests(&self) -> BTreeMap<(String, &'static str, u16), Latency> {
        locked(&self.requests).clone()
    }

    pub(super) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.refusals).clone()
    }

    pub(super) fn tasks(&self) -> BTreeMap<(String, &'static str), Results> {
        locked(&self.tasks).clone()
    }

    pub(super) fn dumps(&self) -> BTreeMap<String, SystemTime> {
        locked(&self.dumps).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A method's name; those that HTTP does not define are all one.
fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}
