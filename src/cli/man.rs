//! `bigkeys man`: manual pages.

use clap::{Args, Command};

use super::exit::{Exit, fail, print};

const EXAMPLES: &str = "\
Examples:
  bigkeys man analyze | man -l -
  bigkeys man task create > bigkeys-task-create.1";

/// Print a manual page, as roff
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// The command whose page it is; without one, the page of the program
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &ManArgs, mut program: Command) -> Exit {
    program.build();
    let mut page = &program;
    for name in &args.command {
        match page.find_subcommand(name) {
            Some(command) => page = command,
            None => return fail(&format!("no manual page: there is no command `{}`", args.command.join(" "))),
        }
    }
    let mut roff = Vec::new();
    match clap_mangen::Man::new(page.clone()).render(&mut roff) {
        Ok(()) => print(&roff),
        Err(error) => fail(&error.to_string()),
    }
}
