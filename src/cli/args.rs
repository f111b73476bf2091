//! The arguments, and what each of them means.

use std::path::PathBuf;

use bigkeys::Pattern;
use bigkeys::analysis::filter::Expired;
use bigkeys::memory::{Allocator, Target};
use bigkeys::rdb::Kind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use uuid::Uuid;

#[cfg(feature = "server")]
use super::serve::ServeArgs;
use super::task::TaskArgs;

/// Find the big keys in Redis and Valkey dumps, offline
#[derive(Debug, Parser)]
#[command(name = "bigkeys", version, max_term_width = 100, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 a dump is damaged or is no dump (what was found before is
printed), 2 the program could not run (arguments, files), 130 Ctrl-C.

`bigkeys analyze --help` has examples.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the biggest keys of dumps as a big key analysis task
    ///
    /// Reads RDB dumps of Redis and Valkey, plain or compressed by gzip, zstd or LZ4, and prints one JSON object with the
    /// biggest keys of each type in each database: strings by length, all others by number of elements. Several dumps,
    /// such as a cluster's shards, are one task.
    Analyze(Box<AnalyzeArgs>),
    /// Say what dumps are and whether they are sound
    ///
    /// Reads each dump to its end and looks into every value: what servers check when they are told to trust nothing,
    /// and the checksum. Prints what the dump is, what is in it, and each thing that is wrong, with its place.
    Check(CheckArgs),
    /// Write what is sound of a damaged dump as a dump that servers load
    ///
    /// Copies the header and every sound entry byte for byte, leaves the others out, and ends with a fresh checksum.
    /// Where damage hides the next entry, it goes on from the next place that seems right. Prints an account of what
    /// was lost as one JSON object.
    Salvage(SalvageArgs),
    /// Make one report out of several
    ///
    /// Takes what `bigkeys analyze --format report` printed, of shards, days or machines. In whichever groups reports are
    /// merged, the result is the same to the byte.
    Merge(MergeArgs),
    /// Keep tasks: create, list, show, delete, and work them off
    Task(TaskArgs),
    /// Answer the task API over HTTP
    ///
    /// Serves big key analysis tasks, their schedules and offline key analyses for the instances of a configuration, until
    /// SIGTERM or SIGINT comes. Running tasks then wait for the next start. It logs to standard error.
    #[cfg(feature = "server")]
    Serve(ServeArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, as roff: `bigkeys man analyze | man -l -`
    Man {
        /// The command whose page it is; without one, the program's
        command: Option<String>,
    },
}

const ANALYZE_HELP: &str = "\
Examples:
  A backup, read where it lies:
    bigkeys analyze /var/lib/redis/dump.rdb
    zcat nightly.rdb.gz | bigkeys analyze -

  Forensics on a copied dump: keys over the published limits, expired ones
  alone, of one tenant, with streams and modules:
    bigkeys analyze --big --all-types copy.rdb
    bigkeys analyze --expired only --match 'tenant:42:*' copy.rdb

  Batch: one cluster as one task; many dumps, a task a line; the same bytes
  from the same dump every time:
    bigkeys analyze 10.0.0.1:6379=a.rdb 10.0.0.2:6379=b.rdb -o task.json
    bigkeys analyze --per-file -q backups/*.rdb > tasks.ndjson
    bigkeys analyze --at 2026-01-01T00:00:00Z \\
      --task-id 858ee14c-2271-4489-8b82-7bda7459ae3e \\
      --instance-id 5f9057b5-c330-4ee2-8138-7e69896eeec3 dump.rdb

Filters of different kinds narrow: a key must pass all of them, so with --match
and --regex its name must match both. Several of one kind widen: one of them.

Exit codes: 0 done, 1 a dump is damaged or is no dump (what was found before is
printed), 2 the program could not run (arguments, files), 130 Ctrl-C.";

/// What `bigkeys analyze` takes.
#[derive(Debug, Args)]
#[command(after_help = ANALYZE_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub(crate) struct AnalyzeArgs {
    /// A dump; `-` is standard input, `ip:port=PATH` a dump and the shard it came from
    #[arg(required = true, value_name = "DUMP")]
    pub(crate) dumps: Vec<PathBuf>,

    /// Each file is not a dump but the answer of DUMP KEY, as `redis-cli --raw` stores it
    #[arg(long, value_name = "KEY")]
    pub(crate) payload: Option<String>,

    /// How many keys of each type in each database
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Which keys")]
    pub(crate) top: usize,

    /// Only strings of at least N bytes; K, M and G are powers of 1,024
    #[arg(long, value_name = "N", value_parser = bytes, conflicts_with = "big", help_heading = "Which keys")]
    pub(crate) min_bytes: Option<u64>,

    /// Only collections of at least N elements
    #[arg(long, value_name = "N", conflicts_with = "big", help_heading = "Which keys")]
    pub(crate) min_elements: Option<u64>,

    /// Only keys that the published definition calls big: strings over 10 KB, others over 5,000 elements
    #[arg(long, help_heading = "Which keys")]
    pub(crate) big: bool,

    /// Only this database; may be given again
    #[arg(long = "db", value_name = "N", help_heading = "Which keys")]
    pub(crate) databases: Vec<u64>,

    /// Only this type; may be given again
    #[arg(long = "type", value_name = "T", value_parser = kind_parser(), help_heading = "Which keys")]
    pub(crate) kinds: Vec<Kind>,

    /// Only names that match this glob, as KEYS has it, with \xff for any byte; may be given again
    #[arg(long = "match", value_name = "GLOB", value_parser = glob_parser(), help_heading = "Which keys")]
    pub(crate) globs: Vec<Pattern>,

    /// Only names that match this regular expression, over bytes ((?u) for Unicode); may be given again
    #[arg(long = "regex", value_name = "RE", value_parser = Pattern::regex, help_heading = "Which keys")]
    pub(crate) regexes: Vec<Pattern>,

    /// What to do with keys that had expired when the dump was made
    #[arg(long, value_name = "HOW", value_enum, default_value_t = HowExpired::KeepsKey, help_heading = "Which keys")]
    pub(crate) expired: HowExpired,

    /// The time that decides which keys have expired and that times to live are measured from, instead of the dump's own
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Which keys")]
    pub(crate) now: Option<Timestamp>,

    /// Streams, arrays, vector sets and modules' values too
    #[arg(long, help_heading = "Which keys")]
    pub(crate) all_types: bool,

    /// What to print
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Format::Task, help_heading = "The report")]
    pub(crate) format: Format,

    /// The server whose memory is modelled, instead of the one that wrote the dump
    #[arg(long, value_name = "SERVER", value_parser = target_parser(), help_heading = "The report")]
    pub(crate) target: Option<Target>,

    /// The allocator of that server
    #[arg(long, value_name = "NAME", value_parser = allocator_parser(), default_value = "jemalloc", help_heading = "The report")]
    pub(crate) allocator: Allocator,

    /// Characters that end a prefix of a name
    #[arg(long, value_name = "CHARS", default_value = ":", help_heading = "The report")]
    pub(crate) separators: String,

    /// Tell keys apart by cluster slot and hash tag; on by itself where shards are given
    #[arg(long, help_heading = "The report")]
    pub(crate) slots: bool,

    /// Look into the keys that the report lists for their largest elements, packed ones too
    #[arg(long, help_heading = "The report")]
    pub(crate) largest: bool,

    /// Put each file's SHA-256 into the report
    #[arg(long, help_heading = "The report")]
    pub(crate) sha256: bool,

    /// The shard of each dump, in their order, instead of `ip:port=PATH`
    #[arg(long = "shard", value_name = "IP:PORT", value_parser = shard, help_heading = "The task")]
    pub(crate) shards: Vec<String>,

    /// One task for each dump, a line each, instead of one for all
    #[arg(long, help_heading = "The task")]
    pub(crate) per_file: bool,

    /// The instance's ID, instead of a random one
    #[arg(long, value_name = "ID", help_heading = "The task")]
    pub(crate) instance_id: Option<String>,

    /// The task's ID, instead of a random one; with --per-file once for each dump
    #[arg(long = "task-id", value_name = "UUID", help_heading = "The task")]
    pub(crate) task_ids: Vec<Uuid>,

    /// The task's times, instead of the clock's
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "The task")]
    pub(crate) at: Option<Timestamp>,

    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE", help_heading = "The run")]
    pub(crate) output: Option<PathBuf>,

    /// Do not verify the checksum at the dump's end
    #[arg(long, help_heading = "The run")]
    pub(crate) no_verify: bool,

    /// After damage that hides where the next key begins, look for one that seems right, and go on from there
    #[arg(long, help_heading = "The run")]
    pub(crate) resync: bool,

    /// How many threads scan, instead of one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "The run")]
    pub(crate) threads: Option<u16>,

    /// When to show progress on standard error
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "The run")]
    pub(crate) progress: When,

    /// No progress and no notes, only errors
    #[arg(short, long, help_heading = "The run")]
    pub(crate) quiet: bool,

    /// Bytes of a segment of a mapped dump
    #[arg(long, hide = true)]
    pub(crate) segment_bytes: Option<usize>,

    /// Bytes of a window over a stream
    #[arg(long, hide = true)]
    pub(crate) window_bytes: Option<usize>,
}

/// What `bigkeys merge` takes.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// A report, as JSON; `-` is standard input
    #[arg(required = true, value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,

    /// What to print: report, table or folded
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Format::Report)]
    pub(crate) format: Format,

    /// Merge reports of different filters or times (--now), and a dump that is in several
    #[arg(long)]
    pub(crate) force: bool,

    /// Write to this file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The big key analysis task, as JSON
    Task,
    /// The report, as JSON
    Report,
    /// The report, for a person
    Table,
    /// Prefixes by memory, for flame graph tools
    Folded,
    /// A row a key, in the dump's order, as CSV
    Csv,
    /// A row a key, in the dump's order, as a JSON object a line
    Ndjson,
    /// A row a key, in the dump's order, as Parquet
    #[cfg(feature = "columnar")]
    Parquet,
    /// A row a key, in the dump's order, as an Arrow IPC file (Feather)
    #[cfg(feature = "columnar")]
    Arrow,
}

impl Format {
    /// Whether it has a row a key, rather than one report of all.
    pub(crate) fn has_rows(self) -> bool {
        matches!(self, Self::Csv | Self::Ndjson) || self.is_binary()
    }

    /// Whether it is no text.
    pub(crate) fn is_binary(self) -> bool {
        match self {
            #[cfg(feature = "columnar")]
            Self::Parquet | Self::Arrow => true,
            _ => false,
        }
    }
}

const CHECK_HELP: &str = "\
Examples:
  Is last night's backup sound?
    bigkeys check nightly.rdb.gz

  Many dumps, a line of JSON each:
    bigkeys check --json backups/*.rdb > checked.ndjson

  What is left behind a damaged page:
    bigkeys check --resync copy.rdb

Exit codes: 0 every dump is sound, 1 a dump is damaged or is no dump, 2 the
program could not run (arguments, files).";

/// What `bigkeys check` takes.
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub(crate) struct CheckArgs {
    /// A dump; `-` is standard input
    #[arg(required = true, value_name = "DUMP")]
    pub(crate) dumps: Vec<PathBuf>,

    /// One JSON object for each dump, a line each, instead of text
    #[arg(long)]
    pub(crate) json: bool,

    /// Each file is not a dump but the answer of DUMP KEY, as `redis-cli --raw` stores it
    #[arg(long, value_name = "KEY")]
    pub(crate) payload: Option<String>,

    /// Only the structure and the checksum; do not look into values
    #[arg(long)]
    pub(crate) quick: bool,

    /// After damage that hides where the next record begins, look for one that seems right, and go on from there
    #[arg(long)]
    pub(crate) resync: bool,

    /// Print nothing of sound dumps
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const SALVAGE_HELP: &str = "\
Example:
  bigkeys salvage damaged.rdb -o saved.rdb > account.json

Exit codes: 0 the dump is sound and all of it was written, 1 something was
lost, or it is no dump, 2 the program could not run (arguments, files).";

/// What `bigkeys salvage` takes.
#[derive(Debug, Args)]
#[command(after_help = SALVAGE_HELP)]
pub(crate) struct SalvageArgs {
    /// A dump of Redis, Valkey or KeyDB in a file of its own, not compressed
    #[arg(value_name = "DUMP")]
    pub(crate) dump: PathBuf,

    /// Write what is saved to this file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// What to do with expired keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowExpired {
    /// Count them like all others
    KeepsKey,
    /// Leave them out
    Skip,
    /// Count them alone
    Only,
}

impl From<HowExpired> for Expired {
    fn from(how: HowExpired) -> Self {
        match how {
            HowExpired::KeepsKey => Self::KeepsKey,
            HowExpired::Skip => Self::Skip,
            HowExpired::Only => Self::Only,
        }
    }
}

/// When to show something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If standard error is a terminal and the work takes more than half a second
    Auto,
    /// Always; where standard error is no terminal, a line a second
    Always,
    /// Never
    Never,
}

fn target_parser() -> impl clap::builder::TypedValueParser<Value = Target> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Target::ALL.map(Target::name)).try_map(|name| name.parse::<Target>())
}

/// Globs of any bytes: names are bytes, and a shell can write them.
fn glob_parser() -> impl clap::builder::TypedValueParser<Value = Pattern> {
    use std::os::unix::ffi::OsStrExt;

    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().try_map(|glob| Pattern::glob_bytes(glob.as_bytes()))
}

fn allocator_parser() -> impl clap::builder::TypedValueParser<Value = Allocator> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Allocator::ALL.map(Allocator::name)).try_map(|name| name.parse::<Allocator>())
}

fn kind_parser() -> impl clap::builder::TypedValueParser<Value = Kind> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .try_map(|name| Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or("an unknown type"))
}

/// `12`, `12K`, `12KB` or `12KiB`; M and G alike.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("the unit {unit} is none of K, M and G")),
    };
    let number: u64 =
        digits.parse().map_err(|_| "it is not a whole number of bytes, such as 4096 or 10K".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "it is too large".to_owned())
}

/// A moment: RFC 3339, or seconds since 1970.
fn time(text: &str) -> Result<Timestamp, String> {
    let parsed = match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds),
        Err(_) => text.parse(),
    };
    parsed.map_err(|_| "it is no time such as 2026-01-31T12:00:00Z or 1769860800 (seconds since 1970)".to_owned())
}

/// `ip:port`, as the task's JSON has it.
pub(crate) fn shard(text: &str) -> Result<String, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if has_port { Ok(text.to_owned()) } else { Err("it is no ip:port such as 10.0.0.1:6379".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_times_and_shards() {
        assert_eq!(bytes("10K"), Ok(10_240));
        assert_eq!(bytes("3MiB"), Ok(3 << 20));
        assert!(bytes("ten").is_err() && bytes("1T").is_err() && bytes("99999999999G").is_err());
        assert_eq!(time("0"), time("1970-01-01T00:00:00Z"));
        assert!(time("yesterday").is_err());
        assert!(shard("[::1]:6379").is_ok() && shard("redis-0.svc:6379").is_ok());
        assert!(shard("10.0.0.1").is_err() && shard(":6379").is_err() && shard("h:0").is_err());
    }
}
