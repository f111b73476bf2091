//! `bigkeys analyze --format` for reports, and `bigkeys merge`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bigkeys::output::folded;
use bigkeys::output::rows::RowWriter;
use bigkeys::output::table::{self, Look};
use bigkeys::report::{Question, Report};
use bigkeys::{Dump, Options, Progress, look_into, report_all, rows_all};
use sha2::{Digest, Sha256};

use super::analyze::tell_damage;
use super::args::{AnalyzeArgs, Format, MergeArgs};
use super::output::Sink;
use super::{Exit, fail, progress};

/// Analyzes dumps into one report.
pub(super) fn analyze(args: &AnalyzeArgs, dumps: &[Dump], options: &Options, sink: Sink) -> Exit {
    let question = Question {
        top: args.top,
        filter: options.question.filter.clone(),
        target: args.target,
        allocator: args.allocator,
        separators: args.separators.clone().into_bytes(),
        has_slots: args.slots || dumps.iter().any(|dump| dump.shard.is_some()),
    };
    let progress = Arc::new(Progress::default());
    cancel_on_signal(&progress);
    if args.format.has_rows() {
        return rows(args, dumps, &question, options, &progress, sink);
    }
    let shown = progress::show(args.progress, args.quiet, &progress);
    let analyzed = report_all(dumps, &question, options, &progress);
    drop(shown);
    let (mut report, mut notes, damage) = match analyzed {
        Ok(analyzed) => analyzed,
        Err(error) => return fail(&error.to_string()),
    };
    if args.largest {
        match look_into(&mut report, dumps) {
            Ok(more) => notes.extend(more),
            Err(error) => return fail(&error.to_string()),
        }
    }
    if args.sha256 {
        for (info, dump) in report.dumps.iter_mut().zip(dumps) {
            match sha256(&dump.path) {
                Ok(digest) => info.sha256 = Some(digest),
                Err(sentence) => return fail(&sentence),
            }
        }
    }
    let exit = tell_damage(&damage, &notes, args.quiet);
    finish(&report, args.format, args.output.is_none(), sink, exit)
}

/// Writes a row for each key.
fn rows(
    args: &AnalyzeArgs,
    dumps: &[Dump],
    question: &Question,
    options: &Options,
    progress: &Arc<Progress>,
    mut sink: Sink,
) -> Exit {
    let shown = progress::show(args.progress, args.quiet, progress);
    let mut scanned = None;
    let written = sink.write_with(|to| {
        let names = dumps.iter().map(|dump| dump.path.display().to_string()).collect();
        let mut writer = match args.format {
            Format::Csv => RowWriter::csv(names, to)?,
            #[cfg(feature = "columnar")]
            Format::Parquet => RowWriter::parquet(names, to)?,
            #[cfg(feature = "columnar")]
            Format::Arrow => RowWriter::arrow(names, to)?,
            _ => RowWriter::ndjson(names, to),
        };
        let mut failed = None;
        scanned = Some(rows_all(dumps, question, options, progress, |row| {
            if failed.is_none()
                && let Err(error) = writer.write(row)
            {
                failed = Some(error);
                progress.cancel();
            }
        }));
        match failed {
            Some(error) => Err(error),
            // However the scan ended, what it found is a whole file.
            None => writer.finish(),
        }
    });
    drop(shown);
    let reader_is_gone = matches!(written, Ok(false));
    let exit = match scanned {
        // Nobody is there to be told that the scan was ended for want of readers.
        _ if reader_is_gone => return Exit::Sound,
        Some(Ok((notes, damage))) => tell_damage(&damage, &notes, args.quiet),
        Some(Err(error)) => return fail(&error.to_string()),
        None => Exit::Sound,
    };
    match written.and_then(|_| sink.finish()) {
        Ok(()) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// The progress that Ctrl-C ends.
static CANCELLED_BY_SIGNAL: Mutex<Weak<Progress>> = Mutex::new(Weak::new());

/// How long after Ctrl-C the first bytes may still come: a scan that has any asks twenty times a second whether to go on.
const SILENCE: Duration = Duration::from_millis(500);

/// Lets Ctrl-C end a scan, which is then reported as far as it came; a second one ends the program.
pub(super) fn cancel_on_signal(progress: &Arc<Progress>) {
    *CANCELLED_BY_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(progress);
    // Of several runs in one process the first sets it, for all. Without a handler Ctrl-C ends the program, as ever.
    _ = ctrlc::set_handler(|| {
        let progress = CANCELLED_BY_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        match progress {
            Some(progress) if !progress.is_cancelled() => {
                progress.cancel();
                // Before the first bytes there is nothing to report, and a pipe may keep them back for ever.
                std::thread::sleep(SILENCE);
                if progress.done_bytes() == 0 {
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
            _ => std::process::exit(Exit::Interrupted as i32),
        }
    });
}

/// The SHA-256 of a file.
///
/// # Errors
/// A sentence if it cannot be read again: standard input and pipes cannot.
fn sha256(path: &Path) -> Result<String, String> {
    let sentence =
        |why: &dyn std::fmt::Display| format!("{}: could not read it for its SHA-256: {why}", path.display());
    if !path.is_file() {
        return Err(sentence(&"it is no file that can be read twice"));
    }
    let mut digest = Sha256::new();
    let mut file = File::open(path).map_err(|error| sentence(&error))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let bytes = file.read(&mut buffer).map_err(|error| sentence(&error))?;
        if bytes == 0 {
            break;
        }
        digest.update(buffer.get(..bytes).unwrap_or_default());
    }
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// Merges reports into one.
pub(super) fn merge(args: &MergeArgs) -> Exit {
    let mut merged: Option<Report> = None;
    for path in &args.reports {
        let read = read(path);
        let added = match (read, &mut merged) {
            (Err(sentence), _) => Err(sentence),
            (Ok(report), Some(merged)) if args.force => merged.merge_anyway(report),
            (Ok(report), Some(merged)) => merged.merge(report),
            (Ok(report), none) => {
                *none = Some(report);
                Ok(())
            }
        };
        if let Err(sentence) = added {
            return fail(&format!("{}: {sentence}", path.display()));
        }
    }
    let Some(report) = merged else { return Exit::CouldNotRun };
    match Sink::open(args.output.as_deref()) {
        Ok(sink) => finish(&report, args.format, args.output.is_none(), sink, Exit::Sound),
        Err(sentence) => fail(&sentence),
    }
}

/// A report's JSON.
///
/// # Errors
/// A sentence if it cannot be read or is no report.
fn read(path: &Path) -> Result<Report, String> {
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| format!("could not open it: {error}"))?)
    };
    let report: Report = serde_json::from_reader(io::BufReader::new(reader))
        .map_err(|error| format!("it is no report of bigkeys analyze --format report: {error}"))?;
    report.check()?;
    Ok(report)
}

fn finish(report: &Report, format: Format, to_stdout: bool, mut sink: Sink, exit: Exit) -> Exit {
    let is_terminal = to_stdout && io::stdout().is_terminal();
    let written = match format {
        Format::Report => sink.write(report, is_terminal),
        Format::Table => {
            let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            let look = Look { width: width(is_terminal), has_colour };
            sink.write_with(|to| table::write(report, look, to))
        }
        Format::Folded => sink.write_with(|to| folded::write(report, to)),
        _ => return fail("a report has no such form: it is one of report, table and folded"),
    };
    match written {
        Ok(true) => {}
        Ok(false) => return exit,
        Err(sentence) => return fail(&sentence),
    }
    match sink.finish() {
        Ok(()) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// The terminal's columns, or those of the variable `COLUMNS`, or 80.
fn width(is_terminal: bool) -> usize {
    let from_variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    let from_terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    is_terminal.then(from_terminal).flatten().or_else(from_variable).unwrap_or(80)
}
