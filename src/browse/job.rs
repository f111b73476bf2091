//! A question that is answered in the background, so that the screen never waits for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::source::{Answer, Ask, Source};
use crate::engine::Progress;

/// A question that is being answered. Dropping it cancels the scan.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ask: Ask,
    progress: Arc<Progress>,
    answer: Receiver<Result<Answer, String>>,
}

impl Job {
    /// Starts to answer.
    ///
    /// # Errors
    /// A sentence if the system gives no thread.
    pub(super) fn start(source: &Arc<Source>, ask: Ask) -> Result<Self, String> {
        let progress = Arc::new(Progress::default());
        let (send, answer) = channel();
        let work = {
            let (source, ask, progress) = (source.clone(), ask.clone(), progress.clone());
            // Whoever left no longer listens.
            move || _ = send.send(source.answer(&ask, &progress))
        };
        let started = thread::Builder::new().name("browse".to_owned()).spawn(work);
        started.map_err(|error| format!("could not start a thread: {error}"))?;
        Ok(Self { ask, progress, answer })
    }

    /// The answer, once it is there.
    pub(super) fn poll(&self) -> Option<Result<Answer, String>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("the scan ended without an answer".to_owned())),
        }
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
            Some(total) => format!("{} %, ", done.saturating_mul(100) / total.max(1)),
            None => String::new(),
        };
        format!("{what}… {share}{} keys", crate::output::human::count(keys))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.progress.cancel();
    }
}
