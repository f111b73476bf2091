//! `bigkeys check`: what dumps are, and whether they are sound.

use std::io::{self, Write};
use std::path::Path;

use bigkeys::check::{Options, Report, check};

use super::args::CheckArgs;
use super::{Exit, say};

pub(super) fn run(args: &CheckArgs) -> Exit {
    let mut options = Options::default();
    options.quick = args.quick;
    options.resync = args.resync;
    options.payload_key = args.payload.as_ref().map(|key| key.clone().into_bytes());
    let mut exit = Exit::Sound;
    let mut parts = Vec::new();
    for path in &args.dumps {
        let report = match check(path, &options) {
            Ok(report) => report,
            // The other dumps are still worth a look.
            Err(error) => {
                exit = Exit::CouldNotRun;
                say(&error.to_string());
                continue;
            }
        };
        if !report.sound {
            exit = exit.max(Exit::Damaged);
        }
        parts.extend(FormatElement::of(path, &report));
        if args.quiet && report.sound {
            continue;
        }
        match print(&report, args.json) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit,
            Err(error) => return super::fail(&format!("standard output: could not write to it: {error}")),
        }
    }
    for sentence in snapshot_faults(&parts) {
        exit = exit.max(Exit::Damaged);
        say(&sentence);
    }
    exit
}

/// A file of a snapshot of Dragonfly that has many.
struct FormatElement {
    name: String,
    snapshot: String,
    /// How many files a summary says there are beside it.
    shards: Option<usize>,
}

impl FormatElement {
    fn of(path: &Path, report: &Report) -> Option<Self> {
        path.extension().filter(|extension| *extension == "dfs")?;
        let snapshot = report.aux.get("snapshot-id")?.clone();
        let shards = report.aux.get("shard-count").and_then(|shards| shards.parse().ok());
        Some(Self { name: report.dump.clone(), snapshot, shards })
    }
}

/// What is wrong with the snapshots whose summaries are among the files. One file alone is no snapshot to be judged.
fn snapshot_faults(parts: &[FormatElement]) -> Vec<String> {
    let of = |snapshot: &str| parts.iter().filter(|element| element.snapshot == snapshot).count();
    let has_summary =
        |snapshot: &str| parts.iter().any(|element| element.shards.is_some() && element.snapshot == snapshot);
    if parts.len() < 2 || parts.iter().all(|element| element.shards.is_none()) {
        return Vec::new();
    }
    let kind = |element: &FormatElement| {
        let name = &element.name;
        let files = of(&element.snapshot) - 1;
        match element.shards {
            Some(shards) if shards != files => Some(format!(
                "{name}: the snapshot has {shards} shard files beside this summary, {files} are given: give them all"
            )),
            None if !has_summary(&element.snapshot) => {
                Some(format!("{name}: this file is of another snapshot than the summary that is given"))
            }
            _ => None,
        }
    };
    parts.iter().filter_map(kind).collect()
}

fn print(report: &Report, is_json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if is_json {
        serde_json::to_writer(&mut stdout, report)?;
        stdout.write_all(b"\n")?;
    } else {
        write!(stdout, "{report}")?;
    }
    stdout.flush()
}
