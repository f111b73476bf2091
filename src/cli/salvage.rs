//! `bigkeys salvage`: a damaged dump in, a dump that servers load and an account of the losses out.

use std::path::PathBuf;

use bigkeys::ErrorKind;
use bigkeys::input::{shown, stored_bytes};
use bigkeys::salvage::salvage_watched;
use clap::Args;
use clap::builder::ValueHint;

use super::args::input::{dump_path, one_match};
use super::args::run::ProgressArgs;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, not_understood, print, say};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys salvage damaged.rdb -o saved.rdb
  bigkeys salvage damaged.rdb -o saved.rdb | jq '.lost[] | [.db, .key, .why]'

Exit codes: 0 the dump is sound and all of it was written, 1 something was
lost, or the file is not a dump, 2 could not run, 130 Ctrl-C (nothing is
written).";

/// Write what is sound of a damaged dump as a dump that servers load
///
/// Copies the header and every sound entry byte for byte, leaves the others out, and ends with a fresh checksum.
/// Where damage hides the next entry, it continues at the next place that looks like one. Prints an account of what
/// was lost as one JSON object.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SalvageArgs {
    /// A dump of Redis, Valkey or KeyDB in a file that is not compressed
    #[arg(value_name = "DUMP", value_parser = dump_path(), value_hint = ValueHint::FilePath)]
    dump: PathBuf,

    /// Write the saved dump to this file, whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    progress: ProgressArgs,
}

pub(super) fn run(args: &SalvageArgs) -> Exit {
    let inputs = [args.dump.clone()];
    let results = || vec![args.output.clone()];
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &SalvageArgs) -> Result<Exit, String> {
    let dump = one_match(&args.dump)?;
    keep_inputs([dump.as_path()].into_iter(), Some(&args.output))?;
    let mut sink = Sink::open(Some(&args.output))?;
    let salvaged = watched(args.progress.progress, |progress| {
        progress.expect(stored_bytes(&dump));
        salvage_watched(&dump, sink.writer(), progress)
    });
    let account = match salvaged {
        Ok(account) => account,
        Err(error) => {
            match error.cause {
                ErrorKind::Cancelled { offset } => {
                    say(&format!("{}: interrupted at byte {offset}; nothing was written", error.dump));
                }
                _ => say(&error.to_string()),
            }
            return Ok(Exit::of(&error));
        }
    };
    sink.finish()?;
    let mut json = serde_json::to_vec(&account).map_err(|error| error.to_string())?;
    json.push(b'\n');
    if !account.complete {
        not_understood(&format!("{}: something was lost, which the account names", shown(&dump)));
    }
    let exit = if account.complete { Exit::Sound } else { Exit::Damaged };
    Ok(exit.max(print(&json)))
}
