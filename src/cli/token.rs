//! `bigkeys token`: tokens for clients of the service.

use bigkeys::server::NewToken;
use clap::{Args, Subcommand};

use super::exit::{Exit, fail, print};

const EXAMPLES: &str = "\
Example:
  bigkeys token new";

/// Make tokens for clients of the service
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print a new token, and its hash for the configuration
    ///
    /// The client sends the token in the header X-Auth-Token. The configuration has its hash in `[[project.token]]`, so who reads
    /// the configuration cannot use it. The token is printed once and kept nowhere.
    New,
}

pub(super) fn run(args: &TokenArgs) -> Exit {
    let TokenCommand::New = args.command;
    match NewToken::random() {
        Ok(NewToken { token, sha256 }) => print(
            format!("# for the client\ntoken = \"{token}\"\n# for the configuration\ntoken_sha256 = \"{sha256}\"\n")
                .as_bytes(),
        ),
        Err(error) => fail(&format!("could not make a token: {error}")),
    }
}
