//! `bigkeys check`: what dumps are, and whether they are sound.

use std::io::{self, Write};
use std::path::Path;

use bigkeys::check::{Checks, Options, Report};
use clap::Args;

use super::args::input::{DumpArgs, all_matches, count};
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::{ProgressArgs, When};
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, not_understood, redacted, say};
use super::progress::watched;

const EXAMPLES: &str = "\
Examples:
  bigkeys check nightly.rdb.gz
  bigkeys check --json backups/*.rdb > checked.ndjson
  bigkeys check --resync copy.rdb          what follows a damaged page

Exit codes: 0 every dump is sound, 1 a dump is damaged or refused, 2 could not
run, 130 Ctrl-C.";

/// Check whether dumps are sound
///
/// Reads each dump to its end and looks into every value: what servers check when they are told to trust nothing,
/// and the checksum. Prints what the dump is, what is in it, and each thing that is wrong, with its place.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    input: DumpArgs,

    /// Check only the structure and the checksum; do not look into values
    #[arg(long)]
    quick: bool,

    /// After damage that hides where the next record begins, continue at the next place that looks like one
    #[arg(long)]
    resync: bool,

    /// Print one JSON object per dump, one line each, instead of text
    #[arg(long)]
    json: bool,

    /// Print nothing about sound dumps, and no progress
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    progress: ProgressArgs,
}

pub(super) fn run(args: &CheckArgs) -> Exit {
    recorded(&args.evidence, &args.input.dumps, Vec::new, || check(args))
}

fn check(args: &CheckArgs) -> Exit {
    let (quick, resync, payload_key) = (args.quick, args.resync, args.input.payload.key());
    let options = Options { quick, resync, payload_key, ..Options::default() };
    let when = if args.quiet { When::Never } else { args.progress.progress };
    let redaction = match args.redact.redaction(SEPARATORS) {
        Ok(redaction) => redaction,
        Err(sentence) => return fail(&sentence),
    };
    let mut exit = Exit::Sound;
    let mut files = Vec::new();
    let dumps = match all_matches(&args.input.dumps) {
        Ok(dumps) => dumps,
        Err(sentence) => return fail(&sentence),
    };
    let mut checks = Checks::new(&dumps, &options);
    let mut paths = dumps.iter();
    while checks.left() > 0 {
        let (checked, is_interrupted) =
            watched(when, |progress| (checks.check_next(progress), progress.is_cancelled()));
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => return fail(&error.to_string()),
        };
        for (checked, path) in checked.into_iter().zip(paths.by_ref()) {
            let mut report = match checked {
                Ok(report) => report,
                // The other dumps are still worth a look.
                Err(error) => {
                    exit = exit.max(Exit::of(&error));
                    say(&redacted(&error.to_string(), redaction.as_ref()));
                    continue;
                }
            };
            if let Some(redaction) = &redaction {
                report.map_names(&|name| redaction.name(name), &|sentence| redaction.sentence(sentence));
            }
            for sentence in report.error.iter().cloned().chain(report.findings.iter().map(ToString::to_string)) {
                not_understood(&format!("{}: {sentence}", report.dump));
            }
            if report.is_damaged() {
                exit = exit.max(Exit::Damaged);
            } else if report.limited_at.is_some() {
                exit = exit.max(Exit::CouldNotRun);
            }
            files.extend(SnapshotFile::of(path, &report));
            if !(args.quiet && report.sound) {
                match print(&report, args.json) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit,
                    Err(error) => return fail(&format!("standard output: could not write to it: {error}")),
                }
            }
            if report.interrupted_at.is_some() {
                return interrupted(paths.len());
            }
        }
        if is_interrupted && checks.left() > 0 {
            return interrupted(paths.len());
        }
    }
    for sentence in snapshot_faults(&files) {
        exit = exit.max(Exit::Damaged);
        say(&sentence);
    }
    exit
}

fn interrupted(left: usize) -> Exit {
    if left > 0 {
        say(&format!("interrupted; dumps that were not checked: {left}"));
    }
    Exit::Interrupted
}

/// A file of a snapshot of Dragonfly that has many.
struct SnapshotFile {
    name: String,
    snapshot: String,
    /// How many files a summary says there are beside it.
    shards: Option<usize>,
}

impl SnapshotFile {
    fn of(path: &Path, report: &Report) -> Option<Self> {
        path.extension().filter(|extension| *extension == "dfs")?;
        let snapshot = report.aux.get("snapshot-id")?.clone();
        let shards = report.aux.get("shard-count").and_then(|shards| shards.parse().ok());
        Some(Self { name: report.dump.clone(), snapshot, shards })
    }
}

/// What is wrong with the snapshots whose summaries are among the files. A single file is not judged.
fn snapshot_faults(files: &[SnapshotFile]) -> Vec<String> {
    let of = |snapshot: &str| files.iter().filter(|file| file.snapshot == snapshot).count();
    let has_summary = |snapshot: &str| files.iter().any(|file| file.shards.is_some() && file.snapshot == snapshot);
    if files.len() < 2 || files.iter().all(|file| file.shards.is_none()) {
        return Vec::new();
    }
    let fault = |file: &SnapshotFile| {
        let name = &file.name;
        let given = of(&file.snapshot) - 1;
        match file.shards {
            Some(shards) if shards != given => Some(format!(
                "{name}: the snapshot has {} besides this summary, {given} of them given; give all of them",
                count(shards, "shard file")
            )),
            None if !has_summary(&file.snapshot) => {
                Some(format!("{name}: this file belongs to another snapshot than the summary"))
            }
            _ => None,
        }
    };
    files.iter().filter_map(fault).collect()
}

fn print(report: &Report, is_json: bool) -> io::Result<()> {
    // Standard output writes each line by itself.
    let mut text = Vec::new();
    if is_json {
        serde_json::to_writer(&mut text, report)?;
        text.push(b'\n');
    } else {
        write!(text, "{report}")?;
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&text)?;
    stdout.flush()
}
