//! `bigkeys store`: the file that tasks are kept in, as its operator sees it.

use std::io;
use std::path::PathBuf;

use bigkeys::task::{Store, StoreError};
use clap::builder::ValueHint;
use clap::{Args, Subcommand};

use super::exit::{Exit, fail, say};

const EXAMPLES: &str = "\
Examples:
  bigkeys store backup /backup/tasks.db
  bigkeys store check --store /srv/bigkeys/tasks.db
  bigkeys store vacuum

Exit codes: 0 done, 1 the store is damaged, 2 could not run.";

/// Back up, check and compact the store of tasks
///
/// All three work while a service runs; `vacuum` waits for a moment in which nothing is written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct StoreArgs {
    /// The file with the tasks, instead of the one in the user's data directory
    #[arg(long, value_name = "PATH", global = true, value_hint = ValueHint::FilePath)]
    store: Option<PathBuf>,

    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Copy the store into a new file, as it is at this moment
    Backup {
        /// The new file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        to: PathBuf,
    },
    /// Read all of the store, and look whether it fits together
    Check,
    /// Give the room of deleted tasks back to the disk
    Vacuum,
}

pub(super) fn run(args: &StoreArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &StoreArgs) -> Result<Exit, String> {
    let path = args.store.clone().or_else(Store::default_path);
    let path = path.ok_or_else(|| "there is no home directory to keep tasks in; use --store PATH".to_owned())?;
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(format!("{}: no such task store; `bigkeys task create` creates one", path.display()));
    }
    let done = Store::open(&path).and_then(|store| match &args.command {
        StoreCommand::Backup { to } => store.backup(to),
        StoreCommand::Check => store.check(true),
        StoreCommand::Vacuum => store.vacuum(),
    });
    match done {
        Ok(()) => Ok(Exit::Sound),
        Err(error @ StoreError::Damaged(_)) => {
            say(&format!("{}: {error}", path.display()));
            Ok(Exit::Damaged)
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
