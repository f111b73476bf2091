//! What can be typed: arguments into calls of the library, and an exit code out.

mod analyze;
mod args;
mod check;
mod output;
mod progress;
mod report;
mod salvage;
#[cfg(feature = "server")]
mod serve;
mod task;

use std::io::{self, Write};
use std::process::ExitCode;

use bigkeys::error::Visible;
use clap::{CommandFactory, Parser};

use args::{Cli, Command};

/// How a run ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and every dump was sound.
    Sound = 0,
    /// A dump is damaged or refused; what was found before is in the output.
    Damaged = 1,
    /// The program could not run: wrong arguments, or a file that cannot be opened, read or written.
    CouldNotRun = 2,
    /// Ctrl-C: what was read so far is in the output.
    Interrupted = 130,
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Analyze(args) => analyze::run(&args),
        Command::Merge(args) => report::merge(&args),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(&args),
        Command::Task(args) => task::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Salvage(args) => salvage::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bigkeys", &mut script);
            print(&script)
        }
        Command::Man { command } => man(command.as_deref()),
    };
    ExitCode::from(exit as u8)
}

/// Writes the manual page of the program or of one of its commands, as roff.
fn man(command: Option<&str>) -> Exit {
    let mut program = Cli::command();
    program.build();
    let page = match command {
        None => program.clone(),
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return fail(&format!("there is no command {name}, so it has no manual page")),
        },
    };
    let mut roff = Vec::new();
    match clap_mangen::Man::new(page).render(&mut roff) {
        Ok(()) => print(&roff),
        Err(error) => fail(&error.to_string()),
    }
}

/// Writes to standard output; a reader that has gone away, as `header` does, has what it wanted.
fn print(bytes: &[u8]) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(&format!("standard output: could not write to it: {error}"))
        }
        _ => Exit::Sound,
    }
}

/// Says why the program could not run.
fn fail(sentence: &str) -> Exit {
    say(sentence);
    Exit::CouldNotRun
}

/// Writes one line to standard error, where names in it must do nothing to a terminal. Where even that cannot be written there
/// is nobody to tell.
fn say(sentence: &str) {
    _ = writeln!(io::stderr(), "bigkeys: {}", Visible(sentence.as_bytes()));
}
