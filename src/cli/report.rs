//! `bigkeys report`: what dumps hold and what it costs, for people and their tools.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bigkeys::findings;
use bigkeys::input::{is_url, reader, shown};
use bigkeys::report::{Group, Name, Question, Report, Rules, Sort};
use bigkeys::{Dump, Error, Options, Progress, look_at_names, look_into, report_all};
use clap::builder::ValueHint;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::args::budget::BudgetArgs;
use super::args::filter::FilterArgs;
use super::args::input::{ShardedDumpArgs, dump};
use super::args::memory::MemoryArgs;
use super::args::output::{OutputArgs, choose};
use super::args::redact::RedactArgs;
use super::args::rules::rules_parser;
use super::args::run::ScanArgs;
use super::args::value::{escaped_name, number};
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, say, tell_redacted};
use super::progress::watched;
use super::report_file::redact;
use super::report_format::{self, ReportFormat};
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys dump.rdb
  bigkeys report --largest --top 5 --match 'user:*' dump.rdb
  bigkeys report --target valkey-9.1 nightly.rdb.gz -o report.json
  bigkeys report --largest dump.rdb -o report.html
  bigkeys report --format folded dump.rdb | inferno-flamegraph > memory.svg
  bigkeys report -q --fail-if 'key.memory > 100MiB' dump.rdb -o bigkeys.prom

Exit codes: 0 done, 1 a dump is damaged or refused (what was found before the
damage is printed), 2 could not run, 3 over budget, 130 Ctrl-C.";

/// Report what dumps hold and what it costs in memory
///
/// Prints totals by database, type and encoding, the biggest keys, expiry, prefixes and what each dump is: as a table, as
/// JSON, as an HTML file that needs no network or as folded stacks. `bigkeys DUMP...` is short for it. Reports of several machines or days can be merged
/// (`bigkeys merge`).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub(super) struct ReportArgs {
    #[command(flatten)]
    input: ShardedDumpArgs,

    /// How many keys each top list has [default: 20]
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true, help_heading = "Report")]
    top: Option<u64>,

    /// What the largest keys are chosen by [default: memory]
    #[arg(long, value_name = "WHAT", value_enum, help_heading = "Report")]
    sort: Option<SortBy>,

    /// Characters that end a prefix of a name; `auto` finds them by a first look at the names
    #[arg(long, value_name = "CHARS", default_value = ":", help_heading = "Report")]
    separators: String,

    /// Only prefixes below this one; their levels are counted from its end, and \xff is any byte
    #[arg(long, value_name = "PREFIX", value_parser = escaped_name, help_heading = "Report")]
    under: Option<Arc<[u8]>>,

    /// Count the keys whose names match in a group; may be repeated, the first match counts
    ///
    /// In 'user:*:cart', * is any part between separators, ** any bytes, and everything else stands for itself. What matches
    /// none is unclassified.
    #[arg(long = "group", value_name = "PATTERN", help_heading = "Report")]
    group: Vec<String>,

    /// Count keys in the groups of this TOML file: [[group]] name = "carts", match = ["user:*:cart"]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "group", help_heading = "Report")]
    groups: Option<PathBuf>,

    /// Break the keys of each prefix and group down by type, time to live and time unused, with percentiles; reads dumps twice
    #[arg(long, help_heading = "Report")]
    breakdown: bool,

    /// Group keys by cluster slot and hash tag; the default if shards are given
    #[arg(long, help_heading = "Report")]
    slots: bool,

    /// Find the largest element of each listed key, packed values included
    #[arg(long, help_heading = "Report")]
    largest: bool,

    /// Whose limits say which keys are big, in the findings
    #[arg(long, value_name = "NAME", value_parser = rules_parser(), help_heading = "Report")]
    rules: Option<Rules>,

    /// Include the SHA-256 of each file
    #[arg(long, help_heading = "Report")]
    sha256: bool,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    budget: BudgetArgs,

    #[command(flatten)]
    memory: MemoryArgs,

    /// The format; by default that of the ending of FILE, else a table
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<ReportFormat>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// What the largest keys are chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum SortBy {
    /// Bytes of memory
    #[default]
    Memory,
    /// Bytes in the dump
    Serialized,
    /// Elements, of all types but strings
    Elements,
    /// Time since the last use, where the dump has it
    Idle,
    /// The LFU counter, where the dump has it
    Frequency,
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Memory => Self::Memory,
            SortBy::Serialized => Self::Serialized,
            SortBy::Elements => Self::Elements,
            SortBy::Idle => Self::Idle,
            SortBy::Frequency => Self::Frequency,
        }
    }
}

/// How many keys a top list has.
const TOP: u64 = 20;

pub(super) fn run(args: &ReportArgs) -> Exit {
    let dumps = args.input.dumps.iter().map(|argument| dump(argument).path);
    let inputs: Vec<PathBuf> = dumps.chain(args.groups.clone()).chain(args.budget.inputs()).collect();
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &inputs, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &ReportArgs) -> Result<Exit, String> {
    let dumps = args.input.dumps()?;
    let output = args.output.output.as_deref();
    let format = choose(args.format, output, ReportFormat::Table)?;
    fit(args, format)?;
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let budget = args.budget.budget()?;
    let sink = Sink::open(output)?;
    let question = Question {
        top: usize::try_from(args.top.unwrap_or(TOP)).unwrap_or(usize::MAX),
        sort: args.sort.unwrap_or_default().into(),
        filter: args.filter.filter(),
        target: args.memory.target,
        allocator: args.memory.allocator,
        separators: args.separators.clone().into_bytes(),
        under: args.under.as_deref().unwrap_or_default().to_vec(),
        groups: groups(args)?,
        has_breakdown: args.breakdown,
        has_slots: args.slots || dumps.iter().any(|dump| dump.shard.is_some()),
        ..Question::default()
    };
    let options = args.scan.options();
    let question = if args.separators == "auto" {
        let look = |progress: &Arc<Progress>| {
            let looked = look_at_names(&dumps, &question, &options, progress);
            looked.map(|question| (question, progress.is_cancelled()))
        };
        let (question, is_cancelled) = watched(args.scan.when(), look).map_err(|error| error.to_string())?;
        if is_cancelled {
            say("interrupted before the separators were known; nothing is printed");
            return Ok(Exit::Interrupted);
        }
        question
    } else {
        question
    };
    let redaction = args.redact.redaction(&Name::new(question.separators.clone()).to_string())?;
    let found = watched(args.scan.when(), |progress| find(args, &dumps, &question, &options, progress));
    let Found { mut report, notes, damage, is_hashed } =
        found.map_err(|sentence| redacted(&sentence, redaction.as_ref()))?;
    let mut exit = tell_redacted(&damage, &notes, args.scan.quiet, redaction.as_ref());
    if !is_hashed {
        say("interrupted before the SHA-256 of each file was known; what was found is reported");
        exit = exit.max(Exit::Interrupted);
    }
    let (held, verdict) = budget.hold(&report, redaction.as_ref())?;
    exit = exit.max(held);
    redact(&mut report, redaction.as_ref())?;
    report.findings = findings::judge_with_budget(&report, args.rules.unwrap_or_default(), &verdict);
    Ok(report_format::write(&report, format, sink, exit))
}

/// The groups that keys are counted in.
///
/// # Errors
/// A sentence if the file of groups cannot be read, or has none.
fn groups(args: &ReportArgs) -> Result<Vec<Group>, String> {
    let Some(path) = &args.groups else {
        let group = |pattern: &String| Group { name: pattern.clone(), patterns: vec![pattern.clone()] };
        return Ok(args.group.iter().map(group).collect());
    };
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&format!("could not read it: {error}")))?;
    let groups: GroupsFile = toml::from_str(&text).map_err(|error| named(&error.to_string().trim_end()))?;
    let groups = groups.group.into_iter().map(|group| Group { name: group.name, patterns: group.patterns });
    Ok(groups.collect())
}

/// A file of groups.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupsFile {
    group: Vec<FileGroup>,
}

/// A group of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileGroup {
    name: String,
    #[serde(rename = "match")]
    patterns: Vec<String>,
}

/// A report, and what belongs to it.
struct Found {
    report: Report,
    notes: Vec<String>,
    damage: Vec<Error>,
    /// Whether each SHA-256 that was asked for is known.
    is_hashed: bool,
}

/// Scans the dumps, then whatever needs a second look at them.
///
/// # Errors
/// The sentence that says why the program could not run.
fn find(
    args: &ReportArgs,
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Found, String> {
    let (mut report, mut notes, damage) =
        report_all(dumps, question, options, progress).map_err(|error| error.to_string())?;
    if args.largest {
        notes.extend(look_into(&mut report, dumps).map_err(|error| error.to_string())?);
    }
    let mut is_hashed = true;
    if args.sha256 && damage.iter().all(|error| Exit::of(error) != Exit::Interrupted) {
        for (info, dump) in report.dumps.iter_mut().zip(dumps) {
            info.sha256 = sha256(&dump.path, progress)?;
            is_hashed &= info.sha256.is_some();
        }
    }
    Ok(Found { report, notes, damage, is_hashed })
}

/// The SHA-256 of a file; none if it was cancelled.
///
/// # Errors
/// A sentence if the file cannot be read again: standard input and pipes cannot.
fn sha256(path: &Path, progress: &Progress) -> Result<Option<String>, String> {
    let sentence = |why: &dyn std::fmt::Display| format!("{}: could not read it for its SHA-256: {why}", shown(path));
    if !path.is_file() && !is_url(path) {
        return Err(sentence(&"not a file that can be read twice"));
    }
    let mut digest = Sha256::new();
    let mut file = reader(path).map_err(|error| sentence(&error.cause))?;
    let mut buffer = vec![0; 1 << 20];
    while !progress.is_cancelled() {
        let bytes = file.read(&mut buffer).map_err(|error| sentence(&error))?;
        if bytes == 0 {
            let mut hex = String::with_capacity(64);
            for byte in digest.finalize() {
                _ = write!(hex, "{byte:02x}");
            }
            return Ok(Some(hex));
        }
        digest.update(buffer.get(..bytes).unwrap_or_default());
    }
    Ok(None)
}

/// Makes sure that each option changes something in the format.
///
/// # Errors
/// A sentence that names the option and the formats that have a place for it.
fn fit(args: &ReportArgs, format: ReportFormat) -> Result<(), String> {
    for (is_given, option, formats) in [
        (args.top.is_some(), "--top", "table, json or html"),
        (args.sort.is_some(), "--sort", "table, json or html"),
        (args.largest, "--largest", "table, json or html"),
        (args.breakdown, "--breakdown", "table, json, html or openmetrics"),
        (args.rules.is_some(), "--rules", "table, json, html or openmetrics"),
        (args.sha256, "--sha256", "json or html"),
    ] {
        let has_place = match format {
            ReportFormat::Table => formats.starts_with("table"),
            ReportFormat::Folded => false,
            ReportFormat::Openmetrics => formats.ends_with("openmetrics"),
            ReportFormat::Json => true,
            #[cfg(feature = "html")]
            ReportFormat::Html => formats.contains("html"),
        };
        if is_given && !has_place {
            return Err(format!("{option} has no effect on this format: use it with --format {formats}"));
        }
    }
    Ok(())
}
