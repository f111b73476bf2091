//! Who works the tasks off: claims the one that has waited longest, reads its dumps, writes down how it ended.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::question::{TaskQuestion, largest_of_all};
use super::ranking::{By, Ranking, rank};
use super::store::{Claim, Ended, Recovered, Store, StoreError, TaskKind, WorkLock};
use super::{KeyRecord, dumps, offline};
use crate::analysis::Question;
use crate::engine::{Options, Progress, analyze_all};
use crate::error::Error;

/// How often an idle runner looks for tasks that another process has created.
const LOOK: Duration = Duration::from_secs(1);

/// The longest pause before what the store refused is tried again.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Why a task failed that somebody no longer wanted.
pub const GIVEN_UP: &str = "it was cancelled";

/// A runner of the tasks of one store. It may be run by several threads at once.
#[derive(Debug)]
pub struct Runner {
    store: Arc<Store>,
    options: Options,
    /// What is asked of instances of which something else is asked than of all.
    questions: Mutex<HashMap<String, TaskQuestion>>,
    /// What another program left when it ended, as it was found at the start.
    pub recovered: Recovered,
    work: Mutex<Work>,
    /// Held while the store is changed, so that a stop sees a claim or keeps it from being made. Apart from `work`, which
    /// requests look at: a store that does not answer must not hold them.
    changes: Mutex<()>,
    /// Told when a task was created here, and when it is time to stop.
    changed: Condvar,
    /// Bytes of the dumps of tasks that have ended.
    ended_bytes: AtomicU64,
    _lock: WorkLock,
}

#[derive(Debug, Default)]
struct Work {
    held: Vec<Held>,
    is_stopping: bool,
}

/// A claimed task.
#[derive(Debug)]
struct Held {
    claim: Claim,
    progress: Arc<Progress>,
    /// How it ended, until that is written down.
    end: Option<End>,
    /// Somebody no longer wants it, so it fails; one that is only stopped waits again.
    is_unwanted: bool,
}

#[derive(Clone, Debug)]
struct End {
    ended: Arc<Ended>,
    notes: Vec<String>,
    elapsed: Duration,
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
        Ok(Some(Self {
            store,
            options,
            questions: Mutex::default(),
            recovered,
            work: Mutex::default(),
            changes: Mutex::default(),
            changed: Condvar::new(),
            ended_bytes: AtomicU64::new(0),
            _lock: lock,
        }))
    }

    /// Sets what is asked of instances, by their IDs; of others the question of the options is.
    pub fn set_questions(&self, questions: HashMap<String, TaskQuestion>) {
        *self.questions.lock().unwrap_or_else(PoisonError::into_inner) = questions;
    }

    fn question(&self, instance_id: &str) -> TaskQuestion {
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let of_all = || TaskQuestion { question: self.options.question.clone(), is_of_instance: false };
        questions.get(instance_id).cloned().unwrap_or_else(of_all)
    }

    /// The store whose tasks these are.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Works on the task that has waited longest; none if none waits, or the runner was stopped.
    ///
    /// # Errors
    /// As [`Runner::work_one_watched`].
    pub fn work_one(&self) -> Result<Option<Worked>, StoreError> {
        self.work_one_watched(&Arc::default())
    }

    /// Works on one task as [`Runner::work_one`] does, and says meanwhile how far it is. Where `progress` is cancelled, the
    /// task waits again. An end that could not be written before is written first, in place of other work.
    ///
    /// # Errors
    /// What the store answers. The end of a task is kept until a later call writes it down.
    pub fn work_one_watched(&self, progress: &Arc<Progress>) -> Result<Option<Worked>, StoreError> {
        if let Some(worked) = self.write_end()? {
            return Ok(Some(worked));
        }
        let Some(claim) = self.claim(progress)? else { return Ok(None) };
        let started = Instant::now();
        let (mut ended, notes) = self.analyze(&claim, progress);
        let elapsed = started.elapsed();
        self.ended_bytes.fetch_add(progress.done_bytes(), Ordering::Relaxed);
        let is_unwanted = self.lock().held.iter().any(|held| held.claim.id == claim.id && held.is_unwanted);
        if is_unwanted {
            ended = Ended::failed(GIVEN_UP.to_owned());
        }
        let end = End { ended: Arc::new(ended), notes, elapsed };
        if progress.is_cancelled() && !is_unwanted {
            let released = self.store.release(&claim);
            self.lock().held.retain(|held| held.claim.id != claim.id);
            released?;
            return Ok(Some(worked(claim, end, false)));
        }
        if let Some(held) = self.lock().held.iter_mut().find(|held| held.claim.id == claim.id) {
            held.end = Some(end);
        }
        self.write_end()
    }

    fn claim(&self, progress: &Arc<Progress>) -> Result<Option<Claim>, StoreError> {
        let _changing = self.changing();
        if self.lock().is_stopping {
            return Ok(None);
        }
        let Some(claim) = self.store.claim()? else { return Ok(None) };
        self.lock().held.push(Held { claim: claim.clone(), progress: progress.clone(), end: None, is_unwanted: false });
        Ok(Some(claim))
    }

    /// Writes down how a task ended, if there is one whose end is not written yet.
    fn write_end(&self) -> Result<Option<Worked>, StoreError> {
        let _changing = self.changing();
        let ended = self.lock().held.iter().find_map(|held| Some((held.claim.clone(), held.end.clone()?)));
        let Some((claim, end)) = ended else { return Ok(None) };
        let is_kept = self.store.finish(&claim, &end.ended)?;
        self.lock().held.retain(|held| held.claim.id != claim.id);
        Ok(Some(worked(claim, end, is_kept)))
    }

    /// Works until it is stopped; `on_worked` hears of each task, and of what the store could not do. That is tried again,
    /// after pauses that grow.
    pub fn work_until_stopped(&self, mut on_worked: impl FnMut(Result<Worked, StoreError>)) {
        let mut pause = LOOK;
        loop {
            match self.work_one() {
                Ok(Some(worked)) => {
                    on_worked(Ok(worked));
                    pause = LOOK;
                    continue;
                }
                Ok(None) => pause = LOOK,
                Err(error) => {
                    on_worked(Err(error));
                    pause = RETRY_MAX.min(pause * 2);
                }
            }
            let work = self.lock();
            if work.is_stopping {
                return;
            }
            drop(self.changed.wait_timeout(work, pause).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Tells idle threads that a task was created.
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// Takes up tasks that the store has as running and that nobody here works on, such as those of a thread that died.
    ///
    /// # Errors
    /// What the store answers.
    pub fn recover_lost(&self) -> Result<Recovered, StoreError> {
        let _changing = self.changing();
        let held: Vec<Claim> = self.lock().held.iter().map(|held| held.claim.clone()).collect();
        self.store.recover_except(&held)
    }

    /// Ends a task that is being worked on here soon, as failed; false if it is not, or has just ended.
    pub fn give_up(&self, id: &str) -> bool {
        let mut work = self.lock();
        let Some(held) = work.held.iter_mut().find(|held| held.claim.id == id && held.end.is_none()) else {
            return false;
        };
        held.is_unwanted = true;
        held.progress.cancel();
        true
    }

    /// How far a task is that is being worked on here.
    pub fn progress(&self, id: &str) -> Option<Arc<Progress>> {
        self.lock().held.iter().find(|held| held.claim.id == id).map(|held| held.progress.clone())
    }

    /// Lets running tasks wait again and starts no other; ends that were not written yet are. What still reads dumps writes
    /// nothing down any more.
    ///
    /// # Errors
    /// What the store answers first; such a task is taken up at the next start.
    pub fn stop(&self) -> Result<usize, StoreError> {
        self.lock().is_stopping = true;
        self.changed.notify_all();
        let _changing = self.changing();
        let held: Vec<_> = self.lock().held.iter().map(|held| (held.claim.clone(), held.end.clone())).collect();
        let mut answer = Ok(held.len());
        for (claim, end) in held {
            let stopped = match end {
                None => self.store.release(&claim),
                Some(end) => self.store.finish(&claim, &end.ended).map(|_| ()),
            };
            if let (Ok(_), Err(error)) = (&answer, stopped) {
                answer = Err(error);
            }
        }
        answer
    }

    /// Bytes of dumps that have been read since the start.
    pub fn analyzed_bytes(&self) -> u64 {
        let work = self.lock();
        let running = work.held.iter().filter(|held| held.end.is_none());
        let running: u64 = running.map(|held| held.progress.done_bytes()).sum();
        self.ended_bytes.load(Ordering::Relaxed) + running
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn analyze(&self, claim: &Claim, progress: &Arc<Progress>) -> (Ended, Vec<String>) {
        // The dump is a stranger's: what it may break is its own task.
        let analyzed = catch_unwind(AssertUnwindSafe(|| self.try_analyze(claim, progress)));
        let failed = |reason| (Ended::failed(reason), Vec::new());
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
                let TaskQuestion { question, is_of_instance } = self.question(&claim.instance_id);
                let top = question.top;
                let options = Options { question, ..self.options.clone() };
                let mut report = analyze_all(&claim.dumps, &options, progress)?;
                if report.keys_unlisted > 0 {
                    let unlisted = report.keys_unlisted;
                    report.notes.push(format!("skipped {unlisted} keys of streams, modules and other newer types"));
                }
                let reason = reason(&report.damage);
                let mut keys: Vec<_> = report.keys.into_iter().map(KeyRecord::from).collect();
                if is_of_instance {
                    keys = largest_of_all(keys, top);
                }
                Ok((Ended { reason, num: keys.len() as u64, keys, report: None }, report.notes))
            }
            TaskKind::HotKeys | TaskKind::ExpiredKeys => {
                let Question { top, filter, .. } = self.question(&claim.instance_id).question;
                let is_hot = claim.kind == TaskKind::HotKeys;
                let by = if is_hot { By::Use } else { By::SizeOfExpired };
                let Ranking { keys, ranked, notes, damage } =
                    rank(&claim.dumps, by, top, &filter, &self.options, progress)?;
                let num = if is_hot { keys.len() as u64 } else { ranked };
                Ok((Ended { reason: reason(&damage), num, keys, report: None }, notes))
            }
            TaskKind::Offline => {
                let (report, notes, damage) = offline::analyze(&claim.dumps, &self.options, progress)?;
                Ok((Ended { reason: reason(&damage), num: 0, keys: Vec::new(), report: Some(report) }, notes))
            }
        }
    }
}

fn reason(damage: &[Error]) -> Option<String> {
    (!damage.is_empty()).then(|| damage.iter().map(Error::to_string).collect::<Vec<_>>().join("\n"))
}

fn worked(claim: Claim, end: End, is_kept: bool) -> Worked {
    Worked { claim, reason: end.ended.reason.clone(), notes: end.notes, elapsed: end.elapsed, is_kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{NewTask, ScanType, Status};

    #[test]
    fn an_end_that_cannot_be_written_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let store = Arc::new(Store::open_with(&path, Duration::from_millis(1)).unwrap());
        let dump = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mixed_all_v13.rdb");
        let create = |instance: &str| {
            let (instance_id, dumps) = (instance.to_owned(), vec![dumps::settled(&dump.clone().into()).unwrap()]);
            store
                .create(&NewTask {
                    instance_id,
                    scan_type: ScanType::Manual,
                    dumps,
                    kind: TaskKind::BigKeys,
                    offline: None,
                })
                .unwrap()
                .id
        };
        let (first, second) = (create("i"), create("j"));
        let runner = Runner::new(store.clone(), Options { threads: 1, ..Options::default() }).unwrap().unwrap();
        let claim = runner.claim(&Arc::default()).unwrap().unwrap();
        assert_eq!(claim.id, first);
        let (ended, notes) = runner.analyze(&claim, &Arc::default());
        runner.lock().held[0].end = Some(End { ended: Arc::new(ended), notes, elapsed: Duration::ZERO });

        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(runner.work_one().unwrap_err().is_busy());
        let status = |id: &str| store.show(TaskKind::BigKeys, None, id).unwrap().status;
        assert_eq!((status(&first), status(&second)), (Status::Running, Status::Waiting));
        assert_eq!(runner.recover_lost().unwrap(), Recovered::default(), "it is in this runner's hands");
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(
            runner.work_one().unwrap().map(|worked| (worked.claim.id, worked.is_kept)),
            Some((first.clone(), true))
        );
        assert_eq!((status(&first), status(&second)), (Status::Success, Status::Waiting));
        assert!(store.show(TaskKind::BigKeys, None, &first).unwrap().num > 20, "the result is not lost");

        let claim = store.claim().unwrap().unwrap();
        assert_eq!((claim.id, status(&second)), (second.clone(), Status::Running));
        assert_eq!(runner.recover_lost().unwrap(), Recovered { waiting: 1, failed: 0 }, "nobody works on it");
        // One that is given up while it is worked on fails; its progress is cancelled, so it ends soon.
        let claim = runner.claim(&Arc::default()).unwrap().unwrap();
        assert!(!runner.give_up(&first) && runner.give_up(&claim.id));
        assert!(runner.progress(&claim.id).unwrap().is_cancelled());
        store.release(&claim).unwrap();
        runner.lock().held.clear();
        assert_eq!((runner.stop().unwrap(), status(&second)), (0, Status::Waiting));
        assert!(runner.work_one().unwrap().is_none());
    }
}
