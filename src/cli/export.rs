//! `bigkeys export`: what is in the values.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bigkeys::analysis::filter::Filter;
use bigkeys::engine::{Exported, export_all};
use bigkeys::input::shown;
use bigkeys::memory::Target;
use bigkeys::output::values::{CSV_HEADER, Drain, ElementText, Lines, Review};
#[cfg(feature = "columnar")]
use bigkeys::output::values::{ElementColumns, ElementFile};
use bigkeys::values::{Mapped, Mapping, TextMap};
use bigkeys::{Dump, Error, Options, Progress};
use clap::{Args, ValueEnum};

use super::args::filter::FilterArgs;
use super::args::input::{DumpArgs, dump};
use super::args::memory::target_parser;
use super::args::output::{self, OutputArgs};
use super::args::redact::{RedactArgs, SEPARATORS};
use super::args::run::ScanArgs;
use super::args::value::duration_seconds;
use super::evidence::{EvidenceArgs, recorded};
use super::exit::{Exit, fail, redacted, tell_redacted};
use super::progress::watched;
use super::sink::{Sink, keep_inputs};

const EXAMPLES: &str = "\
Examples:
  bigkeys export dump.rdb --match 'user:*' -o users.ndjson
  bigkeys export dump.rdb --format elements --type hash -o fields.parquet
  bigkeys export dump.rdb --format resp | redis-cli --pipe
  bigkeys export dump.rdb --format resp --as restore --db 3 | redis-cli --pipe
  bigkeys export dump.rdb --format delete --match 'tmp:*' > review.txt

A text that is not UTF-8 is written as base64: and its bytes in Base64, and
so is one that begins with base64: itself. In CSV, so are texts that a
spreadsheet would run as a formula.

Exit codes: 0 done, 1 a dump is damaged or refused, or keys could not be
written (standard error names them), 2 could not run, 130 Ctrl-C.";

/// Print the keys with their values: JSON, rows of elements, or commands
///
/// Keys come in the order of the dump. Nothing is sent to any server: commands are for a person to review, and for
/// redis-cli to read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    input: DumpArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// What to write; by default by the ending of FILE, else ndjson
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<Format>,

    /// How to write it: elements as ndjson, csv, parquet or arrow; resp as native or restore
    #[arg(long = "as", value_name = "HOW", value_enum, help_heading = "Output")]
    how: Option<How>,

    /// The server that resp is for, instead of the one that wrote the dump
    #[arg(long, value_name = "SERVER", value_parser = target_parser(), help_heading = "Output")]
    target: Option<Target>,

    /// When keys are to expire, for expire; from 1s to 9999d (units s, m, h, d)
    #[arg(long, value_name = "DURATION", value_parser = duration_seconds, help_heading = "Output")]
    expire_in: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    scan: ScanArgs,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object per key
    Ndjson,
    /// One row per element
    Elements,
    /// Commands for redis-cli --pipe that build the keys anew
    Resp,
    /// One UNLINK per key, for redis-cli
    Delete,
    /// One EXPIRE per key, for redis-cli
    Expire,
}

impl output::Format for Format {
    const WHAT: &'static str = "values";
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        ("csv", Self::Elements),
        #[cfg(feature = "columnar")]
        ("parquet", Self::Elements),
        #[cfg(feature = "columnar")]
        ("arrow", Self::Elements),
        ("resp", Self::Resp),
    ];
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Elements: one JSON object per line
    Ndjson,
    /// Elements: CSV with a header line
    Csv,
    /// Elements: Parquet
    #[cfg(feature = "columnar")]
    Parquet,
    /// Elements: an Arrow IPC file (Feather)
    #[cfg(feature = "columnar")]
    Arrow,
    /// Commands: SET, RPUSH, HSET and the like, large keys in several
    Native,
    /// Commands: one RESTORE per key, as the dump stores it
    Restore,
}

/// A format with all that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Objects,
    Text(ElementText),
    #[cfg(feature = "columnar")]
    Parquet,
    #[cfg(feature = "columnar")]
    Arrow,
    Native,
    Restore,
    Review(Review),
}

impl ExportArgs {
    /// # Errors
    /// A sentence if options do not go together.
    fn what(&self) -> Result<What, String> {
        let output = self.output.output.as_deref();
        // Both formats that have rows or objects may end in .ndjson; then what was asked for counts.
        let format = output::choose(self.format, output, Format::Ndjson)?;
        if self.expire_in.is_some() != (format == Format::Expire) {
            return Err("--expire-in and --format expire go together".to_owned());
        }
        if self.target.is_some() && format != Format::Resp {
            return Err("--target is for --format resp".to_owned());
        }
        let ending = output.and_then(|path| path.extension()).and_then(|ending| ending.to_str()).unwrap_or_default();
        let what = match (format, self.how) {
            (Format::Ndjson, None) => What::Objects,
            (Format::Delete, None) => What::Review(Review::Delete),
            (Format::Expire, None) => What::Review(Review::Expire { seconds: self.expire_in.unwrap_or(0) }),
            (Format::Resp, None | Some(How::Native)) => What::Native,
            (Format::Resp, Some(How::Restore)) => What::Restore,
            (Format::Elements, Some(How::Csv)) => What::Text(ElementText::Csv),
            (Format::Elements, Some(How::Ndjson)) => What::Text(ElementText::Ndjson),
            #[cfg(feature = "columnar")]
            (Format::Elements, Some(How::Parquet)) => What::Parquet,
            #[cfg(feature = "columnar")]
            (Format::Elements, Some(How::Arrow)) => What::Arrow,
            (Format::Elements, None) => match ending.to_ascii_lowercase().as_str() {
                "csv" => What::Text(ElementText::Csv),
                #[cfg(feature = "columnar")]
                "parquet" => What::Parquet,
                #[cfg(feature = "columnar")]
                "arrow" => What::Arrow,
                _ => What::Text(ElementText::Ndjson),
            },
            (Format::Elements, Some(_)) => {
                return Err("elements are written as ndjson, csv, parquet or arrow".to_owned());
            }
            (Format::Resp, Some(_)) => return Err("resp is written as native or restore".to_owned()),
            (_, Some(_)) => return Err("--as is for --format elements and --format resp".to_owned()),
        };
        Ok(what)
    }
}

impl What {
    /// Whether it may have other texts than the dump.
    fn has_place_for_stand_ins(self) -> bool {
        !matches!(self, Self::Native | Self::Restore | Self::Review(_))
    }

    fn is_binary(self) -> bool {
        match self {
            Self::Native | Self::Restore => true,
            #[cfg(feature = "columnar")]
            Self::Parquet | Self::Arrow => true,
            Self::Objects | Self::Text(_) | Self::Review(_) => false,
        }
    }
}

pub(super) fn run(args: &ExportArgs) -> Exit {
    let results = || args.output.output.iter().cloned().collect();
    recorded(&args.evidence, &args.input.dumps, results, || match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    })
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &ExportArgs) -> Result<Exit, String> {
    let what = args.what()?;
    let redaction = args.redact.redaction(SEPARATORS)?;
    if redaction.is_some() && !what.has_place_for_stand_ins() {
        return Err(
            "--redact is for --format ndjson and elements: commands need the names that the server has".to_owned()
        );
    }
    let dumps = args.input.dumps()?;
    if let Some(shard) = args.input.dumps.iter().find_map(|argument| dump(argument).shard) {
        return Err(format!("values do not say which shard a key is from: give the path without {shard}="));
    }
    let output = args.output.output.as_deref();
    keep_inputs(dumps.iter().map(|dump| dump.path.as_path()), output)?;
    let mut sink = Sink::open(output)?;
    if what.is_binary() && sink.is_terminal() {
        return Err("refusing to write binary output to a terminal; use -o FILE or redirect".to_owned());
    }
    let run = Run {
        dumps: &dumps,
        filter: args.filter.filter_without_ages()?,
        options: args.scan.options(),
        target: args.target,
        texts: redaction.clone().map(|redaction| {
            let texts = TextMap::new(move |text| redaction.name(text));
            (texts, Mapping::All)
        }),
    };
    let mut exported = None;
    let written = watched(args.scan.when(), |progress| {
        sink.write_with(|to| {
            let (result, written) = run.write(what, to, progress)?;
            exported = Some(result);
            written
        })
    });
    let exit = match exported {
        // The scan was ended because nobody reads on, which need not be said.
        _ if matches!(written, Ok(false)) => return Ok(Exit::Sound),
        Some(exported) => {
            let Exported { notes, errors, .. } =
                exported.map_err(|error| redacted(&error.to_string(), redaction.as_ref()))?;
            tell_redacted(&errors, &notes, args.scan.quiet, redaction.as_ref())
        }
        None => Exit::Sound,
    };
    written?;
    sink.finish()?;
    Ok(exit)
}

/// What came of the scan, and of writing.
type Written = (Result<Exported, Error>, io::Result<()>);

struct Run<'r> {
    dumps: &'r [Dump],
    filter: Filter,
    options: Options,
    target: Option<Target>,
    /// What texts are written as.
    texts: Option<(TextMap, Mapping)>,
}

impl Run<'_> {
    /// # Errors
    /// What was written first could not be.
    fn write(&self, what: What, to: &mut (dyn Write + Send), progress: &Arc<Progress>) -> io::Result<Written> {
        let names: Vec<String> = self.dumps.iter().map(|dump| shown(&dump.path)).collect();
        #[cfg(feature = "columnar")]
        match what {
            What::Parquet => {
                return Ok(self.columns(ElementFile::parquet(Cancelling { to, progress })?, &names, progress));
            }
            What::Arrow => return Ok(self.columns(ElementFile::arrow(Cancelling { to, progress })?, &names, progress)),
            _ => {}
        }
        if what == What::Text(ElementText::Csv) {
            to.write_all(CSV_HEADER.as_bytes())?;
        }
        let mut to = Cancelling { to, progress };
        let failed = Mutex::new(None);
        let drain: Drain<'_> = Arc::new(Mutex::new(|bytes: &[u8]| {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            if failed.is_none() {
                *failed = to.write_all(bytes).err();
            }
        }));
        let Self { dumps, filter, options, target, texts } = self;
        let drain = || drain.clone();
        #[allow(
            clippy::match_wildcard_for_single_variants,
            reason = "formats of columns, which a feature adds, returned above"
        )]
        let result = match what {
            What::Text(text) => export_all(dumps, filter, options, progress, |_| {
                Mapped::new(Lines::elements(text, &names, drain()), texts.clone())
            }),
            What::Native => export_all(dumps, filter, options, progress, |context| {
                Lines::commands(target.unwrap_or_else(|| Target::of(context)), drain())
            }),
            What::Restore => export_all(dumps, filter, options, progress, |context| {
                Lines::restores(target.unwrap_or_else(|| Target::of(context)), drain())
            }),
            What::Review(review) => export_all(dumps, filter, options, progress, |_| Lines::review(review, drain())),
            _ => export_all(dumps, filter, options, progress, |_| {
                Mapped::new(Lines::objects(&names, drain()), texts.clone())
            }),
        };
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((result, failed.map_or(Ok(()), Err)))
    }

    #[cfg(feature = "columnar")]
    fn columns<W: Write + Send>(&self, file: ElementFile<W>, names: &[String], progress: &Arc<Progress>) -> Written {
        let file = Arc::new(Mutex::new(file));
        let Self { dumps, filter, options, texts, .. } = self;
        let result = export_all(dumps, filter, options, progress, |_| {
            Mapped::new(ElementColumns::new(names, file.clone()), texts.clone())
        });
        let Some(file) = Arc::into_inner(file) else {
            return (result, Err(io::Error::other("the file is still being written")));
        };
        // However the scan ended, what it found is a whole file.
        (result, file.into_inner().unwrap_or_else(PoisonError::into_inner).finish(names))
    }
}

/// A writer that ends the scan when it fails, since nobody will read what follows.
struct Cancelling<'p, W> {
    to: W,
    progress: &'p Progress,
}

impl<W: Write> Write for Cancelling<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.progress.cancel();
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
