//! Progress on standard error, while a scan runs: a bar on a terminal, lines elsewhere if they were asked for.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bigkeys::Progress;
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::args::run::When;
use super::exit::say;
use super::interrupt::cancel_on_signal;

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);
const BAR_TICK: Duration = Duration::from_millis(100);
const LINE_TICK: Duration = Duration::from_secs(1);

/// Runs work that can be watched: progress is shown while it runs, and Ctrl-C cancels it.
pub(super) fn watched<T>(when: When, work: impl FnOnce(&Arc<Progress>) -> T) -> T {
    let progress = Arc::new(Progress::default());
    cancel_on_signal(&progress);
    let _shown = show(when, &progress);
    work(&progress)
}

/// Progress that is shown until this is dropped.
struct Shown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A bar that failed to draw is no reason to fail.
            _ = thread.join();
        }
    }
}

/// Starts to show progress, if it is to be shown.
fn show(when: When, progress: &Arc<Progress>) -> Option<Shown> {
    let is_terminal = io::stderr().is_terminal();
    if when == When::Never || when == When::Auto && !is_terminal {
        return None;
    }
    let progress = progress.clone();
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || {
        let started = Instant::now();
        let tick = if is_terminal { BAR_TICK } else { LINE_TICK };
        let mut bar = None;
        let patience = if when == When::Always { Duration::ZERO } else { PATIENCE };
        let mut wait = patience;
        while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            wait = tick;
            if is_terminal {
                draw(bar.get_or_insert_with(|| new_bar(&progress)), &progress, started);
            } else {
                say(&line(&progress, started));
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        } else if when == When::Always && !is_terminal {
            say(&line(&progress, started));
        }
    });
    Some(Shown { stop: Some(stop), thread: Some(thread) })
}

fn new_bar(progress: &Progress) -> ProgressBar {
    let (bar, template) = match progress.total_bytes() {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {percent}% {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn draw(bar: &ProgressBar, progress: &Progress, started: Instant) {
    bar.set_message(facts(progress, started));
    bar.set_position(progress.done_bytes());
}

/// Bytes, bytes a second over the whole run, keys, and the time left where the end is known.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for reading")]
fn facts(progress: &Progress, started: Instant) -> String {
    let done = progress.done_bytes();
    let rate = done as f64 / started.elapsed().as_secs_f64().max(0.001);
    let keys = HumanCount(progress.keys());
    let mut facts = format!("{}, {}/s, {keys} keys", HumanBytes(done), HumanBytes(rate as u64));
    if let Some(total) = progress.total_bytes().filter(|_| rate > 0.0) {
        let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate);
        _ = write!(facts, ", {:#} left", HumanDuration(left));
    }
    facts
}

/// The facts as a line of a log, with the percentage that a bar shows by itself.
fn line(progress: &Progress, started: Instant) -> String {
    let facts = facts(progress, started);
    match progress.total_bytes() {
        Some(total) => format!("{}% done, {facts}", progress.done_bytes() * 100 / total),
        None => facts,
    }
}
