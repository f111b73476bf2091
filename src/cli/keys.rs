//! `bigkeys keys`: one row per key.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bigkeys::input::shown;
use bigkeys::output::rows::RowWriter;
use bigkeys::report::{Question, Sort};
use bigkeys::row_blocks_all;
use clap::{Args, ValueEnum};

use super::args::filter::FilterArgs;
use super::args::input::{DumpArgs, dump};
use super::args::memory::MemoryArgs;
use super::args::output::{self, OutputArgs};
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, tell_redacted};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys keys dump.rdb > keys.csv
  bigkeys keys --type hash --target redis-8.2 dump.rdb -o keys.parquet
  bigkeys keys --format ndjson dump.rdb | jq -r 'select(.expires_at_ms) | .name'

Exit codes: 0 done, 1 a dump is damaged or refused (what was found before the
damage is written), 2 could not run, 130 Ctrl-C.";

/// Print one row per key, in dump order
///
/// For SQL and data frames: database, name, type, encodings, size, bytes in the dump and in memory, expiry, idle time and
/// more of every key, as CSV, JSON lines, Parquet or Arrow. What was written is a whole file after damage and Ctrl-C too.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeysArgs {
    #[command(flatten)]
    input: DumpArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    memory: MemoryArgs,

    /// The format; by default that of the ending of FILE, else CSV
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<Format>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// The format of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CSV with a header line
    Csv,
    /// One JSON object per line
    Ndjson,
    /// Parquet
    #[cfg(feature = "columnar")]
    Parquet,
    /// An Arrow IPC file (Feather)
    #[cfg(feature = "columnar")]
    Arrow,
}

impl output::Format for Format {
    const WHAT: &'static str = "rows";
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("csv", Self::Csv),
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        #[cfg(feature = "columnar")]
        ("parquet", Self::Parquet),
        #[cfg(feature = "columnar")]
        ("arrow", Self::Arrow),
    ];
}

impl Format {
    fn is_binary(self) -> bool {
        !matches!(self, Self::Csv | Self::Ndjson)
    }
}

impl Format {
    fn writer<W: Write + Send>(self, dumps: &[String], to: W) -> io::Result<RowWriter<W>> {
        match self {
            Self::Csv => RowWriter::csv(dumps, to),
            Self::Ndjson => RowWriter::ndjson(dumps, to),
            #[cfg(feature = "columnar")]
            Self::Parquet => RowWriter::parquet(dumps, to),
            #[cfg(feature = "columnar")]
            Self::Arrow => RowWriter::arrow(dumps, to),
        }
    }
}

/// Holds back what a file begins with until there are rows, or it is known that there are none.
struct HeldBack<'h, W> {
    to: W,
    start: Vec<u8>,
    is_let_go: &'h AtomicBool,
}

impl<W: Write> HeldBack<'_, W> {
    fn let_go(&mut self) -> io::Result<()> {
        if self.start.is_empty() { Ok(()) } else { self.to.write_all(&std::mem::take(&mut self.start)) }
    }
}

impl<W: Write> Write for HeldBack<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_let_go.load(Ordering::Relaxed) {
            self.start.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        self.let_go()?;
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_let_go.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.let_go()?;
        self.to.flush()
    }
}

pub(super) fn run(args: &KeysArgs) -> Exit {
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &args.input.dumps, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &KeysArgs) -> Result<Exit, String> {
    let dumps = args.input.dumps()?;
    if let Some(shard) = args.input.dumps.iter().find_map(|argument| dump(argument).shard) {
        return Err(format!("rows do not say which shard a key is from: give the path without {shard}="));
    }
    let output = args.output.output.as_deref();
    let format = output::choose(args.format, output, Format::Csv)?;
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    let mut sink = Sink::open(output)?;
    if format.is_binary() && sink.is_terminal() {
        return Err("refusing to write binary output to a terminal; use -o FILE or redirect".to_owned());
    }
    let question = Question {
        top: 0,
        sort: Sort::default(),
        filter: args.filter.filter_without_ages()?,
        target: args.memory.target,
        allocator: args.memory.allocator,
        separators: Vec::new(),
        has_slots: false,
        ..Question::default()
    };
    let options = args.scan.options();
    let mut scanned = None;
    let written = watched(args.scan.when(), |progress| {
        sink.write_with(|to| {
            let names: Vec<String> = dumps.iter().map(|dump| shown(&dump.path)).collect();
            let is_let_go = AtomicBool::new(false);
            let mut writer = format.writer(&names, HeldBack { to, start: Vec::new(), is_let_go: &is_let_go })?;
            if let Some(redaction) = redaction.clone() {
                writer = writer.with_names(move |name| redaction.name(name));
            }
            let (threads, block_rows) = (threads(options.threads), writer.block_rows());
            let result = writer.write_blocks(threads, |write| {
                row_blocks_all(&dumps, &question, &options, progress, block_rows, |block| {
                    is_let_go.store(true, Ordering::Relaxed);
                    if !write(block) {
                        progress.cancel();
                    }
                })
            });
            // However the scan ended, what it found is a whole file; where none was possible, nothing is written.
            is_let_go.fetch_or(result.is_ok(), Ordering::Relaxed);
            let written = writer.finish();
            scanned = Some(result);
            written
        })
    });
    let exit = match scanned {
        // The scan was ended because nobody reads the rows, which need not be said.
        _ if matches!(written, Ok(false)) => return Ok(Exit::Sound),
        Some(scanned) => {
            let (notes, damage) = scanned.map_err(|error| redacted(&error.to_string(), redaction.as_ref()))?;
            tell_redacted(&damage, &notes, args.scan.quiet, redaction.as_ref())
        }
        None => Exit::Sound,
    };
    written?;
    sink.finish()?;
    Ok(exit)
}

/// How many threads encode rows.
fn threads(asked: usize) -> usize {
    if asked == 0 { thread::available_parallelism().map_or(1, usize::from) } else { asked }
}
