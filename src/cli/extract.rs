//! `bigkeys extract`: keys of dumps in, a dump of them out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bigkeys::ErrorKind;
use bigkeys::analysis::filter::Expired;
use bigkeys::extract::{Extracted, Format, Masters, Plan, extract};
use bigkeys::input::shown;
use bigkeys::output::human;
use clap::Args;
use clap::builder::ValueHint;

use super::args::filter::FilterArgs;
use super::args::input::DumpArgs;
use super::args::run::ScanArgs;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, say, tell_damage};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys extract dump.rdb --match 'user:*' -o users.rdb
  bigkeys extract dump.rdb.gz --db 3 --db-map 3=0 -o one.rdb
  bigkeys extract shard-*.rdb -o cluster.rdb
  bigkeys extract dump.rdb --rdb-version 10 -o for-redis-7.0.rdb
  bigkeys extract dump.rdb --split-slots nodes.conf -o shards/

Versions of the format: 9 Redis 5 to 6.2, 10 7.0, 11 7.2 and Valkey 7.2 to 8.1,
12 7.4 to 8.4, 13 8.6, 14 8.8, 15 8.10; 80 Valkey 9.

Exit codes: 0 done, 1 a dump is damaged or refused, or keys were left out
(standard error names them; the others are written), 2 could not run, 130
Ctrl-C (nothing is written).";

/// Write the keys that pass the filters as a dump that servers load
///
/// Records are copied byte for byte. What the version that is written does not know is encoded anew, and a key that it
/// cannot hold is left out and named. Without filters, functions and module data are copied too.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExtractArgs {
    #[command(flatten)]
    input: DumpArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// Leave out keys already expired when the dump was taken: short for --expired skip
    #[arg(long, conflicts_with = "expired", help_heading = "Filter")]
    drop_expired: bool,

    /// Write this dump, whole or not at all; with --split-slots the folder of the dumps
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    output: PathBuf,

    /// Write the keys of database FROM to database TO; may be repeated
    #[arg(long, value_name = "FROM=TO", value_parser = pair, help_heading = "Output")]
    db_map: Vec<(u64, u64)>,

    /// The version of the format to write: 6 to 16 for Redis, 80 for Valkey; by default that of the first dump
    #[arg(long, value_name = "N", value_parser = format, help_heading = "Output")]
    rdb_version: Option<Format>,

    /// One dump for each master in this nodes.conf, with the keys of its slots: ID.rdb
    #[arg(long, value_name = "NODES.CONF", value_hint = ValueHint::FilePath, help_heading = "Output")]
    split_slots: Option<PathBuf>,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

fn pair(text: &str) -> Result<(u64, u64), String> {
    let pair = text.split_once('=').and_then(|(from, to)| from.parse().ok().zip(to.parse().ok()));
    // Servers hold the number in 32 bits.
    let pair = pair.filter(|(_, to)| u32::try_from(*to).is_ok());
    pair.ok_or_else(|| "expected two databases, e.g. 3=0".to_owned())
}

fn format(text: &str) -> Result<Format, String> {
    Format::of_version(text.parse().unwrap_or(0))
}

pub(super) fn run(args: &ExtractArgs) -> Exit {
    let inputs: Vec<PathBuf> = args.input.dumps.iter().chain(&args.split_slots).cloned().collect();
    let results = || results(args);
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &ExtractArgs) -> Result<Exit, String> {
    let dumps = args.input.dumps()?;
    let filter = if args.drop_expired {
        bigkeys::analysis::filter::Filter { expired: Expired::Skip, ..args.filter.filter() }
    } else {
        args.filter.filter_without_ages()?
    };
    let mut databases = BTreeMap::new();
    for (from, to) in &args.db_map {
        if databases.insert(*from, *to).is_some_and(|other| other != *to) {
            return Err(format!("--db-map gives database {from} two numbers"));
        }
    }
    let masters = args.split_slots.as_deref().map(masters).transpose()?;
    let plan = Plan { format: args.rdb_version, databases, masters };
    let paths = paths(&args.output, &plan)?;
    let mut sinks = Vec::new();
    for path in &paths {
        keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), Some(path))?;
        sinks.push(Sink::open(Some(path))?);
    }
    let outputs: Vec<&mut (dyn Write + Send)> = sinks.iter_mut().map(Sink::writer).collect();
    let extracted =
        watched(args.scan.when(), |progress| extract(&dumps, &filter, &plan, &args.scan.options(), progress, outputs));
    let Extracted { is_written, keys, bytes, notes, errors } = match extracted {
        Ok(extracted) => extracted,
        Err(error) => {
            say(&error.to_string());
            return Ok(Exit::of(&error));
        }
    };
    let exit = tell_damage(&errors, &notes, args.scan.quiet);
    if exit == Exit::CouldNotRun || exit == Exit::Interrupted || !is_written {
        let is_told = errors.iter().any(|error| matches!(error.cause, ErrorKind::Cancelled { .. }));
        say(if is_told { "interrupted; nothing is written" } else { "nothing is written" });
        return Ok(exit);
    }
    for sink in sinks {
        sink.finish()?;
    }
    for ((path, keys), bytes) in paths.iter().zip(keys).zip(bytes).filter(|_| !args.scan.quiet) {
        let (keys, bytes) = (human::count(keys), human::bytes(bytes));
        say(&format!("{}: wrote {keys} keys, {bytes}", shown(path)));
    }
    Ok(exit)
}

/// The files that are written, as far as that is known.
fn results(args: &ExtractArgs) -> Vec<PathBuf> {
    let Some(nodes) = &args.split_slots else { return vec![args.output.clone()] };
    // Where they cannot be read, nothing is written.
    let ids = masters(nodes).map(|masters| masters.ids).unwrap_or_default();
    ids.iter().map(|id| args.output.join(format!("{id}.rdb"))).collect()
}

/// # Errors
/// A sentence if the file cannot be read or does not say which master has which slots.
fn masters(path: &Path) -> Result<Masters, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: could not read it: {error}", path.display()))?;
    Masters::parse(&text).map_err(|what| format!("{}: {what}", path.display()))
}

/// The files to write.
///
/// # Errors
/// A sentence if their folder cannot be made.
fn paths(output: &Path, plan: &Plan) -> Result<Vec<PathBuf>, String> {
    let Some(masters) = &plan.masters else { return Ok(vec![output.to_owned()]) };
    match fs::create_dir(output) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !output.is_dir() => {
            return Err(format!("{}: could not make the folder: {error}", output.display()));
        }
        _ => {}
    }
    Ok(masters.ids.iter().map(|id| output.join(format!("{id}.rdb"))).collect())
}
