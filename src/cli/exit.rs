//! Exit codes, and the lines on standard error that explain them.

use std::io::{self, Write};

use bigkeys::error::Visible;
use bigkeys::forensics::Redaction;
use bigkeys::{Error, ErrorKind};

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
    _ = writeln!(io::stderr(), "bigkeys: {}", Visible(sentence.as_bytes()));
}

/// Says what was wrong with dumps, and, unless `is_quiet`, what is worth knowing but is not damage.
pub(super) fn tell_damage(damage: &[Error], notes: &[String], is_quiet: bool) -> Exit {
    tell_redacted(damage, notes, is_quiet, None)
}

/// As [`tell_damage`], with stand-ins for names.
pub(super) fn tell_redacted(damage: &[Error], notes: &[String], is_quiet: bool, redaction: Option<&Redaction>) -> Exit {
    let mut exit = Exit::Sound;
    for error in damage {
        say(&redacted(&error.to_string(), redaction));
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
