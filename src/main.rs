//! The program `bigkeys`: arguments in, exit code out.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(bigkeys::cli::run(env::args_os().collect()))
}
