//! The arguments of `bigkeys task`.

use std::path::PathBuf;

use bigkeys::task::Status;
use clap::builder::{PossibleValuesParser, TypedValueParser, ValueHint};
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::input::dump_path;
use crate::cli::args::run::{ProgressArgs, ThreadArgs, When};
use crate::cli::args::value::{from_to, number};

const EXAMPLES: &str = "\
Examples:
  bigkeys task create dump.rdb --instance-id cache-1 --wait
  bigkeys task run
  bigkeys task list --status failed --format table
  bigkeys task show 858ee14c-2271-4489-8b82-7bda7459ae3e

Exit codes: 0 done, 1 a task failed that was waited for or run, 2 could not run
(arguments, files, no such task), 130 Ctrl-C (the task waits again).";

const CREATE_EXAMPLES: &str = "\
Examples:
  bigkeys task create dump.rdb --instance-id cache-1 --wait
  bigkeys task create 10.0.0.1:6379=a.rdb 10.0.0.2:6379=b.rdb";

const LIST_EXAMPLES: &str = "\
Examples:
  bigkeys task list --format table
  bigkeys task list --instance-id cache-1 --status failed --limit 100";

const SHOW_EXAMPLES: &str = "\
Examples:
  bigkeys task show 858ee14c-2271-4489-8b82-7bda7459ae3e
  bigkeys task show 858ee14c-2271-4489-8b82-7bda7459ae3e --format table";

const DELETE_EXAMPLES: &str = "\
Example:
  bigkeys task delete 858ee14c-2271-4489-8b82-7bda7459ae3e";

const RUN_EXAMPLES: &str = "\
Examples:
  bigkeys task run
  bigkeys task run --threads 1 --store /srv/bigkeys/tasks.db >> done.ndjson";

/// Keep tasks: create, list, show, run and delete them
///
/// Tasks are kept in an SQLite file: in the user's data directory, or where --store says. `bigkeys task create` creates it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct TaskArgs {
    /// The file with the tasks, instead of the one in the user's data directory
    #[arg(long, value_name = "PATH", global = true, value_hint = ValueHint::FilePath)]
    pub(super) store: Option<PathBuf>,

    /// The format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Json, global = true)]
    pub(super) format: Format,

    #[command(subcommand)]
    pub(super) command: TaskCommand,
}

/// The format of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The JSON of the task API
    Json,
    /// A table for people
    Table,
}

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// Create a task over dumps, and print it
    ///
    /// The task waits until `bigkeys task run` or a service runs it. An instance has one waiting or running task at a time;
    /// of those that have ended, its 100 newest are kept.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Print a page of the tasks, newest first
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Print a task with its keys
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The ID of the task
        id: String,
    },
    /// Delete a task, and print it as it was
    #[command(after_help = DELETE_EXAMPLES)]
    Delete {
        /// The ID of the task
        id: String,
    },
    /// Run all waiting tasks, print each as it ends, and exit
    ///
    /// One process runs the tasks of a store at a time. A task whose process was killed runs again; after three such starts
    /// it fails.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// A dump, in a file or at a URL; `ip:port=PATH` is a dump and the shard it came from
    #[arg(required = true, value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    pub(super) dumps: Vec<PathBuf>,

    /// The ID of the instance, instead of a random one
    #[arg(long, value_name = "ID")]
    pub(super) instance_id: Option<String>,

    /// Wait until the task has ended, then print it; if no other process runs the tasks, this one does
    #[arg(long)]
    pub(super) wait: bool,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl CreateArgs {
    /// # Errors
    /// A sentence if an option has no effect without `--wait`.
    pub(super) fn check(&self) -> Result<(), String> {
        let option = match self.run {
            RunArgs { threads: ThreadArgs { threads: Some(_) }, .. } => "--threads",
            RunArgs { progress: ProgressArgs { progress: When::Always }, .. } => "--progress",
            _ => return Ok(()),
        };
        if self.wait { Ok(()) } else { Err(format!("{option} has no effect without --wait")) }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only this instance's tasks
    #[arg(long, value_name = "ID")]
    pub(super) instance_id: Option<String>,

    /// Only tasks in this state
    #[arg(long, value_name = "STATUS", value_parser = status_parser())]
    pub(super) status: Option<Status>,

    /// How many of the newest are left out
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number, allow_negative_numbers = true)]
    pub(super) offset: u64,

    /// How many are printed
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = from_to(1, 1000), allow_negative_numbers = true)]
    pub(super) limit: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) threads: ThreadArgs,

    #[command(flatten)]
    pub(super) progress: ProgressArgs,
}

fn status_parser() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::name))
        .try_map(|name| Status::ALL.into_iter().find(|status| status.name() == name).ok_or("an unknown state"))
}
