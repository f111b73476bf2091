//! Who works the tasks off: claims the one that has waited longest, reads its dumps, writes down how it ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::{Claim, Ended, Recovered, Store, StoreError, TaskKind, WorkLock};
use super::{KeyRecord, dumps, offline};
use crate::engine::{Options, Progress, analyze_all};
use crate::error::Error;

/// How often an idle runner looks for tasks that another process has created.
const LOOK_SECONDS: u64 = 1;

/// A runner of the tasks of one store. It may be run by several threads at once.
#[derive(Debug)]
pub struct Runner {
    store: Arc<Store>,
    options: Options,
    /// What another program left when it ended, as it was found at the start.
    pub recovered: Recovered,
    work: Mutex<Work>,
    /// Told when a task was created here, and when it is time to stop.
    changed: Condvar,
    /// Bytes of the dumps of tasks that have ended.
    ended_bytes: AtomicU64,
    _lock: WorkLock,
}

#[derive(Debug, Default)]
struct Work {
    running: Vec<(Claim, Arc<Progress>)>,
    is_stopping: bool,
}

/// A task that was worked on.
#[derive(Debug)]
pub struct Worked {
    /// Which task.
    pub claim: Claim,
    /// Why it failed; none for success.
    pub reason: Option<String>,
    /// What was noticed beside it, one sentence each.
    pub notes: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether its end was written down; it was not if the runner was stopped meanwhile.
    pub is_kept: bool,
}

impl Runner {
    /// A runner for a store; none if another process works on it. Takes up what a process left that ended without a word.
    ///
    /// # Errors
    /// What the store answers.
    pub fn new(store: Arc<Store>, options: Options) -> Result<Option<Self>, StoreError> {
        let Some(lock) = store.lock_work()? else { return Ok(None) };
        let recovered = store.recover()?;
        let work = Mutex::default();
        let (changed, ended_bytes) = (Condvar::new(), AtomicU64::new(0));
        Ok(Some(Self { store, options, recovered, work, changed, ended_bytes, _lock: lock }))
    }

    /// Works on the task that has waited longest; none if none waits, or the runner was stopped.
    ///
    /// # Errors
    /// What the store answers.
    pub fn work_one(&self) -> Result<Option<Worked>, StoreError> {
        self.work_one_watched(&Arc::default())
    }

    /// Works on one task as [`Runner::work_one`] does, and says meanwhile how far it is. Where `progress` is cancelled, the
    /// task waits again.
    ///
    /// # Errors
    /// What the store answers.
    pub fn work_one_watched(&self, progress: &Arc<Progress>) -> Result<Option<Worked>, StoreError> {
        let claim = {
            let mut work = self.lock();
            // Claimed under the lock, so that a stop sees the claim or keeps it from being made.
            if work.is_stopping {
                return Ok(None);
            }
            let Some(claim) = self.store.claim()? else { return Ok(None) };
            work.running.push((claim.clone(), progress.clone()));
            claim
        };
        let started = Instant::now();
        let (ended, notes) = self.analyze(&claim, progress);
        let is_kept = if progress.is_cancelled() {
            self.store.release(&claim).map(|()| false)
        } else {
            self.store.finish(&claim, &ended)
        };
        self.ended_bytes.fetch_add(progress.done_bytes(), Ordering::Relaxed);
        self.lock().running.retain(|(running, _)| running.id != claim.id);
        Ok(Some(Worked { claim, reason: ended.reason, notes, elapsed: started.elapsed(), is_kept: is_kept? }))
    }

    /// Works until it is stopped; `on_worked` hears of each task, and of what the store could not do.
    pub fn work_until_stopped(&self, mut on_worked: impl FnMut(Result<Worked, StoreError>)) {
        loop {
            match self.work_one() {
                Ok(Some(worked)) => {
                    on_worked(Ok(worked));
                    continue;
                }
                Ok(None) => {}
                Err(error) => on_worked(Err(error)),
            }
            let work = self.lock();
            if work.is_stopping {
                return;
            }
            let seconds = Duration::from_secs(LOOK_SECONDS);
            drop(self.changed.wait_timeout(work, seconds).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Tells idle threads that a task was created.
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// Lets running tasks wait again and starts no other. What still reads their dumps writes nothing down any more.
    ///
    /// # Errors
    /// What the store answers; such a task is taken up at the next start.
    pub fn stop(&self) -> Result<usize, StoreError> {
        let mut work = self.lock();
        work.is_stopping = true;
        self.changed.notify_all();
        for (claim, _) in &work.running {
            self.store.release(claim)?;
        }
        Ok(work.running.len())
    }

    /// Bytes of dumps that have been read since the start.
    pub fn analyzed_bytes(&self) -> u64 {
        let running: u64 = self.lock().running.iter().map(|(_, progress)| progress.done_bytes()).sum();
        self.ended_bytes.load(Ordering::Relaxed) + running
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn analyze(&self, claim: &Claim, progress: &Arc<Progress>) -> (Ended, Vec<String>) {
        // The dump is a stranger's: what it may break is its own task.
        let analyzed = catch_unwind(AssertUnwindSafe(|| self.try_analyze(claim, progress)));
        let failed = |reason| (Ended { reason: Some(reason), keys: Vec::new(), report: None }, Vec::new());
        match analyzed {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => failed(error.to_string()),
            Err(_) => failed("the analysis broke off by a fault of this program".to_owned()),
        }
    }

    fn try_analyze(&self, claim: &Claim, progress: &Arc<Progress>) -> Result<(Ended, Vec<String>), Error> {
        for dump in &claim.dumps {
            dumps::still_settled(dump)?;
        }
        match claim.kind {
            TaskKind::BigKeys => {
                let mut report = analyze_all(&claim.dumps, &self.options, progress)?;
                if report.keys_unlisted > 0 {
                    let unlisted = report.keys_unlisted;
                    report.notes.push(format!("skipped {unlisted} keys of streams, modules and other newer types"));
                }
                let reason = reason(&report.damage);
                let keys = report.keys.into_iter().map(KeyRecord::from).collect();
                Ok((Ended { reason, keys, report: None }, report.notes))
            }
            TaskKind::Offline => {
                let (report, notes, damage) = offline::analyze(&claim.dumps, &self.options, progress)?;
                Ok((Ended { reason: reason(&damage), keys: Vec::new(), report: Some(report) }, notes))
            }
        }
    }
}

fn reason(damage: &[Error]) -> Option<String> {
    (!damage.is_empty()).then(|| damage.iter().map(Error::to_string).collect::<Vec<_>>().join("\n"))
}
