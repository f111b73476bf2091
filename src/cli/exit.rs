//! Exit codes, and the lines on standard error that explain them.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use bigkeys::error::Visible;
use bigkeys::forensics::Redaction;
use bigkeys::{Error, ErrorKind};
use serde::Serialize;

/// How a run ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and every dump was sound.
    Sound = 0,
    /// A dump is damaged or refused; what was found before is in the output.
    Damaged = 1,
    /// The program could not run: wrong arguments, or a file that cannot be opened, read or written.
    CouldNotRun = 2,
    /// A limit of a budget is exceeded; the report is printed.
    OverBudget = 3,
    /// Ctrl-C: what was read so far is in the output, where that makes sense.
    Interrupted = 130,
}

impl Exit {
    /// A search found nothing: the number that `grep` ends with, which for searches does not stand for damage.
    pub(super) const NOTHING_FOUND: Self = Self::Damaged;

    /// The exit code that an error calls for.
    pub(super) fn of(error: &Error) -> Self {
        match error.cause {
            ErrorKind::Cancelled { .. } => Self::Interrupted,
            _ if error.is_about_dump() => Self::Damaged,
            _ => Self::CouldNotRun,
        }
    }
}

/// Writes to standard output. A reader that closed the pipe, as `head` does, got what it wanted.
pub(super) fn print(bytes: &[u8]) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(&format!("standard output: could not write to it: {error}"))
        }
        _ => Exit::Sound,
    }
}

/// Says why the program could not run.
pub(super) fn fail(sentence: &str) -> Exit {
    say(sentence);
    Exit::CouldNotRun
}

/// Writes one line to standard error, where names in it must do nothing to a terminal. If even that fails, there is nobody to
/// report it to.
pub(super) fn say(sentence: &str) {
    tell(|told| &mut told.messages, sentence);
    _ = writeln!(io::stderr(), "bigkeys: {}", Visible(sentence.as_bytes()));
}

/// What was said, kept for a record of the run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    /// What was damaged, refused, skipped or lost, a sentence each.
    pub(super) not_understood: Vec<String>,
    /// All lines on standard error.
    pub(super) messages: Vec<String>,
    /// How many more there were of both.
    pub(super) unlisted: u64,
}

/// Sentences of each sort that are kept.
const KEPT_MAX: usize = 1000;

/// None unless sentences are kept. One process runs one command.
static TOLD: Mutex<Option<Told>> = Mutex::new(None);

/// Begins to keep what is said.
pub(super) fn keep_told() {
    *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told::default());
}

/// What was said since.
pub(super) fn take_told() -> Told {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
}

/// Keeps a sentence that says what was not understood.
pub(super) fn not_understood(sentence: &str) {
    tell(|told| &mut told.not_understood, sentence);
}

fn tell(list: impl Fn(&mut Told) -> &mut Vec<String>, sentence: &str) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(told) = told.as_mut() else { return };
    if list(told).len() < KEPT_MAX {
        list(told).push(sentence.to_owned());
    } else {
        told.unlisted += 1;
    }
}

/// Says what was wrong with dumps, and, unless `is_quiet`, what is worth knowing but is not damage.
pub(super) fn tell_damage(damage: &[Error], notes: &[String], is_quiet: bool) -> Exit {
    tell_redacted(damage, notes, is_quiet, None)
}

/// As [`tell_damage`], with stand-ins for names.
pub(super) fn tell_redacted(damage: &[Error], notes: &[String], is_quiet: bool, redaction: Option<&Redaction>) -> Exit {
    let mut exit = Exit::Sound;
    for error in damage {
        let sentence = redacted(&error.to_string(), redaction);
        not_understood(&sentence);
        say(&sentence);
        exit = exit.max(Exit::of(error));
    }
    for note in notes.iter().filter(|_| !is_quiet) {
        say(&redacted(note, redaction));
    }
    exit
}

/// A sentence with stand-ins for names, if there are to be some.
pub(super) fn redacted(sentence: &str, redaction: Option<&Redaction>) -> String {
    redaction.map_or_else(|| sentence.to_owned(), |redaction| redaction.sentence(sentence))
}
