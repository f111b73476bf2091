//! Whether the service can do its work: what the watch found last, so that a probe costs nothing.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What the watch found last.
#[derive(Debug)]
pub(super) struct Health {
    workers: u16,
    workers_alive: AtomicU16,
    /// Why the store cannot be changed.
    store: Mutex<Option<String>>,
    /// Room on the store's disk.
    free_bytes: AtomicU64,
}

/// The answer to a probe.
#[derive(Serialize)]
pub(super) struct Readiness {
    pub(super) status: &'static str,
    store: String,
    workers_alive: u16,
    workers: u16,
    free_bytes: u64,
}

/// A worker's life; dropping it is its end.
#[derive(Debug)]
pub(super) struct Alive<'a>(&'a AtomicU16);

impl Health {
    pub(super) fn new(workers: u16) -> Self {
        Self { workers, workers_alive: AtomicU16::new(0), store: Mutex::default(), free_bytes: AtomicU64::new(0) }
    }

    /// A worker that lives until the value is dropped.
    pub(super) fn worker(&self) -> Alive<'_> {
        self.workers_alive.fetch_add(1, Ordering::Relaxed);
        Alive(&self.workers_alive)
    }

    /// Notes how the store is; true if that has changed.
    pub(super) fn set_store(&self, problem: Option<String>, free_bytes: u64) -> bool {
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = *store != problem;
        *store = problem;
        has_changed
    }

    pub(super) fn workers_alive(&self) -> u16 {
        self.workers_alive.load(Ordering::Relaxed)
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Whether the service can do its work, and why not.
    pub(super) fn readiness(&self) -> Result<Readiness, Readiness> {
        let problem = self.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let workers_alive = self.workers_alive();
        let is_ready = problem.is_none() && workers_alive == self.workers;
        let readiness = Readiness {
            status: if is_ready { "ready" } else { "not ready" },
            store: problem.unwrap_or_else(|| "writable".to_owned()),
            workers_alive,
            workers: self.workers,
            free_bytes: self.free_bytes(),
        };
        if is_ready { Ok(readiness) } else { Err(readiness) }
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
