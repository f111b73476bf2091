//! The arguments of `bigkeys task`.

use std::path::PathBuf;

use bigkeys::task::Status;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

const TASK_HELP: &str = "\
Examples:
  A task now, its answer when it is done:
    bigkeys task create dump.rdb --instance-id cache-1 --wait

  Many now, worked off at night by cron:
    bigkeys task create 10.0.0.1:6379=a.rdb 10.0.0.2:6379=b.rdb
    bigkeys task run

  What came of them:
    bigkeys task list --status failed
    bigkeys task show 858ee14c-2271-4489-8b82-7bda7459ae3e --format table

Exit codes: 0 done, 1 a task failed that was waited for or run, 2 the program
could not run (arguments, files, no such task).";

/// What `bigkeys task` takes.
#[derive(Debug, Args)]
#[command(after_help = TASK_HELP, arg_required_else_help = true)]
pub(crate) struct TaskArgs {
    /// Where the tasks are kept, instead of the user's data directory
    #[arg(long, value_name = "PATH", global = true)]
    pub(super) store: Option<PathBuf>,

    /// What is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Json, global = true)]
    pub(super) format: Format,

    #[command(subcommand)]
    pub(super) command: TaskCommand,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The task API's own JSON
    Json,
    /// Lines for people
    Table,
}

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// Create a task over dumps, and print it
    ///
    /// The task waits until `bigkeys task run` or a service works it off. One task at a time waits or runs for an
    /// instance; of those that have ended, its 100 newest are kept.
    Create(CreateArgs),
    /// Print a page of the tasks, newest first
    List(ListArgs),
    /// Print a task with its keys
    Show {
        /// The task's ID
        id: String,
    },
    /// Delete a task, and print it as it was
    Delete {
        /// The task's ID
        id: String,
    },
    /// Work off all tasks that wait, print each as it ends, and exit
    ///
    /// One process works on a store at a time. A task whose process was killed runs again; after three such starts it
    /// fails.
    Run(RunArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// A dump in a file; `ip:port=PATH` is a dump and the shard it came from
    #[arg(required = true, value_name = "DUMP")]
    pub(super) dumps: Vec<PathBuf>,

    /// The instance's ID, instead of a random one
    #[arg(long, value_name = "ID")]
    pub(super) instance_id: Option<String>,

    /// Wait for the task's end, and print it then; where no other process does, this one works the tasks off
    #[arg(long)]
    pub(super) wait: bool,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only this instance's tasks
    #[arg(long, value_name = "ID")]
    pub(super) instance_id: Option<String>,

    /// Only tasks in this state
    #[arg(long, value_name = "STATUS", value_parser = status_parser())]
    pub(super) status: Option<Status>,

    /// How many of the newest are passed over
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) offset: u64,

    /// How many are printed
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) limit: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RunArgs {
    /// How many threads scan, instead of one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
}

fn status_parser() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::name))
        .try_map(|name| Status::ALL.into_iter().find(|status| status.name() == name).ok_or("an unknown state"))
}
