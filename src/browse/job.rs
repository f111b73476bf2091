//! A question that is answered in the background, so that the screen never waits for it.

use std::any::Any;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use super::level::{Level, Sketch};
use super::source::{Answer, Ask, Source};
use crate::engine::Progress;

/// So many threads may still be ending scans that were cancelled; the next question waits for one of them.
const ENDING_MAX: usize = 4;

/// A question that is being answered.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ask: Ask,
    progress: Arc<Progress>,
    sketch: Arc<Sketch>,
    thread: JoinHandle<Result<Answer, String>>,
}

impl Job {
    /// Starts to answer.
    ///
    /// # Errors
    /// A sentence if the system gives no thread.
    pub(super) fn start(source: &Arc<Source>, ask: Ask) -> Result<Self, String> {
        let source = source.clone();
        let asked = ask.clone();
        Self::with(ask, move |progress, sketch| source.answer(&asked, progress, sketch))
    }

    fn with(
        ask: Ask,
        answer: impl FnOnce(&Arc<Progress>, &Sketch) -> Result<Answer, String> + Send + 'static,
    ) -> Result<Self, String> {
        let progress = Arc::new(Progress::default());
        let sketch = Arc::new(Sketch::default());
        let (counted, sketched) = (progress.clone(), sketch.clone());
        let thread = thread::Builder::new().name("browse".to_owned()).spawn(move || answer(&counted, &sketched));
        let thread = thread.map_err(|error| format!("could not start a thread: {error}"))?;
        Ok(Self { ask, progress, sketch, thread })
    }

    /// Whether the answer is there.
    pub(super) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// The question and its answer, once it is there.
    pub(super) fn finish(self) -> (Ask, Result<Answer, String>) {
        let answer = self.thread.join().unwrap_or_else(|panic| Err(what_panicked(panic.as_ref())));
        (self.ask, answer)
    }

    /// What the scan of a level has come to, if that is news.
    pub(super) fn sketch(&self) -> Option<Level> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How far it is, in words.
    pub(super) fn progress(&self) -> String {
        let what = match self.ask {
            Ask::Write(..) => "writing",
            Ask::Findings => "judging",
            Ask::Level(..) | Ask::Elements(..) => "scanning",
        };
        let (done, keys) = (self.progress.done_bytes(), self.progress.keys());
        let share = match self.progress.total_bytes() {
            // More scans than one may follow each other.
            Some(total) => format!("{} %, ", done.min(total).saturating_mul(100) / total.max(1)),
            None => String::new(),
        };
        format!("{what}… {share}{} keys", crate::output::human::count(keys))
    }
}

/// A bug of this program, as a sentence.
fn what_panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("this question met a bug of bigkeys, please report it: {}", text.unwrap_or("a panic without a message"))
}

/// Scans that were cancelled and have not ended yet.
#[derive(Debug, Default)]
pub(super) struct Ending(Vec<JoinHandle<Result<Answer, String>>>);

impl Ending {
    /// Cancels a scan; what it came to is dropped.
    pub(super) fn cancel(&mut self, job: Job) {
        job.progress.cancel();
        self.0.push(job.thread);
    }

    /// Whether another scan may start; those that have ended are let go.
    pub(super) fn has_room(&mut self) -> bool {
        self.0.retain(|thread| !thread.is_finished());
        self.0.len() < ENDING_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    fn wait_until(is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !is_so() {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_panic_is_an_answer() {
        let job = Job::with(Ask::Findings, |_, _| panic!("on purpose")).unwrap();
        wait_until(|| job.is_done());
        let (ask, answer) = job.finish();
        assert_eq!(ask, Ask::Findings);
        assert_eq!(answer.unwrap_err(), "this question met a bug of bigkeys, please report it: on purpose");
    }

    #[test]
    fn so_many_cancelled_scans_may_be_ending() {
        let may_end = Arc::new(AtomicBool::new(false));
        let mut ending = Ending::default();
        for _ in 0..ENDING_MAX {
            assert!(ending.has_room());
            let may_end = may_end.clone();
            let answer = move |progress: &Arc<Progress>, _: &Sketch| {
                wait_until(|| progress.is_cancelled() && may_end.load(Ordering::Relaxed));
                Err(String::new())
            };
            ending.cancel(Job::with(Ask::Findings, answer).unwrap());
        }
        assert!(!ending.has_room());
        may_end.store(true, Ordering::Relaxed);
        wait_until(|| ending.0.iter().all(JoinHandle::is_finished));
        assert!(ending.has_room());
    }
}
