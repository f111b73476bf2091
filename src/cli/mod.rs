//! What can be typed: one file a command, with its arguments and what it does with them. Commands do not know each other;
//! what several need is in files below them.

mod analyze;
mod args;
#[cfg(feature = "browse")]
mod browse;
mod carve;
mod check;
mod completions;
mod diff;
mod digest;
mod evidence;
mod exit;
mod export;
mod extract;
mod get;
mod grep;
mod interrupt;
mod keys;
mod man;
mod merge;
mod progress;
mod report;
mod report_file;
mod report_format;
mod salvage;
#[cfg(feature = "server")]
mod serve;
mod sink;
mod store;
mod task;
mod timeline;
#[cfg(feature = "server")]
mod token;
mod verb;
mod version;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

/// Find the big keys in Redis and Valkey dumps, offline
#[derive(Debug, Parser)]
#[command(name = "bigkeys", version, disable_version_flag = true, max_term_width = 100, arg_required_else_help = true)]
#[command(override_usage = "bigkeys [OPTIONS] DUMP...\n       bigkeys COMMAND ...", after_help = EXAMPLES)]
struct Cli {
    /// Print the version
    #[arg(short = 'V', long)]
    version: bool,

    /// With --version: the commit, the target and the features of this build as well
    #[arg(long, requires = "version")]
    verbose: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  bigkeys dump.rdb                         what is in it, and what it costs
  bigkeys report --target redis-8.2 dump.rdb.gz
  bigkeys analyze dump.rdb -o task.json    the biggest keys, as a task
  bigkeys keys dump.rdb -o keys.parquet    one row per key
  bigkeys browse dump.rdb                  look around in the terminal
  bigkeys get dump.rdb user:1              one key and its elements
  bigkeys export dump.rdb -o all.ndjson    all keys with their values
  bigkeys extract dump.rdb --db 3 -o 3.rdb the keys of a database, as a dump
  bigkeys diff old.rdb new.rdb             what changed between two dumps

`bigkeys DUMP...` is short for `bigkeys report DUMP...`; a dump that is named
like a command is given as ./NAME. Each command has its own --help.

Exit codes: 0 done, 1 a dump is damaged or refused (what was found before the
damage is printed), 2 could not run, 130 Ctrl-C.";

#[derive(Debug, Subcommand)]
enum Command {
    Analyze(Box<analyze::AnalyzeArgs>),
    Report(Box<report::ReportArgs>),
    Keys(Box<keys::KeysArgs>),
    #[cfg(feature = "browse")]
    Browse(browse::BrowseArgs),
    Get(Box<get::GetArgs>),
    Export(Box<export::ExportArgs>),
    Extract(Box<extract::ExtractArgs>),
    Digest(Box<digest::DigestArgs>),
    Diff(Box<diff::DiffArgs>),
    Grep(Box<grep::GrepArgs>),
    Timeline(Box<timeline::TimelineArgs>),
    Carve(carve::CarveArgs),
    Check(check::CheckArgs),
    Salvage(salvage::SalvageArgs),
    Merge(merge::MergeArgs),
    Task(task::TaskArgs),
    Store(store::StoreArgs),
    #[cfg(feature = "server")]
    Serve(serve::ServeArgs),
    #[cfg(feature = "server")]
    Token(token::TokenArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs the program with these arguments, the first of which is its name; gives its exit code. What is wrong with the arguments
/// ends the process.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let program = Cli::command();
    let arguments = verb::with_default(&program, arguments);
    let cli =
        Cli::try_parse_from(&arguments).unwrap_or_else(|error| verb::explained(&program, error, &arguments).exit());
    let Some(command) = cli.command else { return version::run(cli.verbose) as u8 };
    let exit = match command {
        Command::Analyze(args) => analyze::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Keys(args) => keys::run(&args),
        #[cfg(feature = "browse")]
        Command::Browse(args) => browse::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Digest(args) => digest::run(&args),
        Command::Grep(args) => grep::run(&args),
        Command::Timeline(args) => timeline::run(&args),
        Command::Carve(args) => carve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Salvage(args) => salvage::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Task(args) => task::run(&args),
        Command::Store(args) => store::run(&args),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(feature = "server")]
        Command::Token(args) => token::run(&args),
        Command::Completions(args) => completions::run(&args, &program),
        Command::Man(args) => man::run(&args, program),
    };
    exit as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
