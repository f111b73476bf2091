//! `bigkeys carve`: dumps inside other files.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bigkeys::Progress;
use bigkeys::check::Checksum;
use bigkeys::error::Visible;
use bigkeys::forensics::{Carved, FINDS_MAX, carve};
use bigkeys::input::map::Map;
use bigkeys::input::{is_url, shown};
use bigkeys::rdb::Dialect;
use clap::Args;
use clap::builder::ValueHint;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::args::run::{ProgressArgs, When};
use super::exit::{Exit, fail, say};
use super::progress::watched;
use super::sink::Sink;

const EXAMPLES: &str = "\
Examples:
  bigkeys carve disk.img --list
  bigkeys carve memory.raw -o found
  bigkeys carve backup.tar -o found --json > found.jsonl

A line has, with tabs between them: offset, bytes, format, soundness, keys,
SHA-256 of the file, and its path. A dump is written as DIR/OFFSET.rdb, byte
for byte. A run of records without a header is written as
DIR/OFFSET.headless.rdb with a header and an end added, so that it can be
read; where it begins is guessed. Nothing is ever overwritten.

Exit codes: 0 done, 2 could not run, 130 Ctrl-C.";

/// Bytes that are hashed and written at once.
const PART_BYTES: usize = 1 << 20;

/// Find dumps inside another file: a disk or memory image, a tar archive
///
/// Dumps are found by their first bytes and followed to their end or to damage. Compressed ones are not found.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CarveArgs {
    /// The file to look through
    #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    image: PathBuf,

    /// Write what is found to this folder, which is made if it is not there
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, required_unless_present = "list")]
    #[arg(help_heading = "Output")]
    output: Option<PathBuf>,

    /// List what is found and write nothing
    #[arg(long, conflicts_with = "output", help_heading = "Output")]
    list: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    progress: ProgressArgs,

    /// No progress and no notes, only errors
    #[arg(short, long, help_heading = "Run")]
    quiet: bool,
}

/// What was found, as JSON.
#[derive(Serialize)]
struct Line<'l> {
    image: &'l str,
    offset: u64,
    bytes: u64,
    /// `dump` or `headless`.
    kind: &'static str,
    format: &'static str,
    version: u32,
    soundness: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'l str>,
    keys: u64,
    /// Of the file that is or would be written.
    sha256: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'l str>,
}

pub(super) fn run(args: &CarveArgs) -> Exit {
    match try_run(args) {
        Ok(exit) => exit,
        Err(sentence) => fail(&sentence),
    }
}

/// # Errors
/// The sentence that says why the program could not run.
fn try_run(args: &CarveArgs) -> Result<Exit, String> {
    let image = shown(&args.image);
    let failed = |doing: &str, error: &io::Error| format!("{image}: could not {doing}: {error}");
    if is_url(&args.image) || !args.image.metadata().map_err(|error| failed("open it", &error))?.is_file() {
        return Err(format!(
            "{image}: only a regular file can be looked through; copy a device or an object into one first"
        ));
    }
    let file = File::open(&args.image).map_err(|error| failed("open it", &error))?;
    if let Some(folder) = &args.output {
        make_folder(folder).map_err(|error| format!("{}: could not make it: {error}", shown(folder)))?;
    }
    let mut sink = Sink::open(None)?;
    if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Ok(Exit::Sound);
    }
    let map = Map::new(file).map_err(|error| failed("map it", &error))?;
    map.expect_all();
    let when = if args.quiet { When::Never } else { args.progress.progress };
    let mut carving = Carving { args, image: &image, bytes: map.bytes(), finds: 0, failed: None };
    let mut is_whole = false;
    let mut is_cancelled = false;
    let is_read = watched(when, |progress| {
        sink.write_with(|to| {
            let mut written = Ok(());
            is_whole = carve(map.bytes(), progress, &mut |carved| {
                written = carving.take(carved, to, progress);
                written.is_ok() && carving.failed.is_none()
            });
            is_cancelled = progress.is_cancelled();
            written
        })
    })?;
    let Carving { finds, failed: sentence, .. } = carving;
    if let Some(sentence) = sentence {
        return Err(sentence);
    }
    // Nobody reads on.
    if !is_read {
        return Ok(Exit::Sound);
    }
    if is_cancelled {
        say(&format!("{image}: interrupted; what is after the last find was not looked through"));
        return Ok(Exit::Interrupted);
    }
    map.check().map_err(|cause| format!("{image}: {cause}"))?;
    if !is_whole {
        return Err(format!("{image}: stopped after {FINDS_MAX} finds, which a file made to give many has"));
    }
    if finds == 0 && !args.quiet {
        say(&format!("{image}: found nothing"));
    }
    Ok(Exit::Sound)
}

/// Makes a folder unless it is there.
fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
}

/// What is done with each find.
struct Carving<'c> {
    args: &'c CarveArgs,
    image: &'c str,
    bytes: &'c [u8],
    finds: usize,
    /// Why a file could not be written.
    failed: Option<String>,
}

impl Carving<'_> {
    fn take(&mut self, carved: &Carved, to: &mut (dyn Write + Send), progress: &Progress) -> io::Result<()> {
        self.finds += 1;
        let path = self.args.output.as_ref().map(|folder| {
            let ending = if carved.has_header { "rdb" } else { "headless.rdb" };
            folder.join(format!("{}.{ending}", carved.offset))
        });
        let copied = match &path {
            Some(path) => self.write(carved, path, progress),
            None => self.copy(carved, &mut io::sink(), progress),
        };
        match copied {
            Ok(Some(sha256)) => self.tell(carved, &sha256, path.as_deref(), to),
            // Cancelled.
            Ok(None) => Ok(()),
            Err(error) => {
                let path = path.map_or_else(String::new, |path| shown(&path));
                let why = match error.kind() {
                    io::ErrorKind::AlreadyExists => "refusing to overwrite it".to_owned(),
                    _ => format!("could not write it: {error}"),
                };
                self.failed = Some(format!("{path}: {why}"));
                Ok(())
            }
        }
    }

    /// Writes a find to a new file, which is whole or is taken away again; gives its hash unless the work was cancelled.
    fn write(&self, carved: &Carved, path: &Path, progress: &Progress) -> io::Result<Option<String>> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let copied = self.copy(carved, &mut file, progress);
        if !matches!(copied, Ok(Some(_))) {
            fs::remove_file(path)?;
        }
        copied
    }

    fn copy(&self, carved: &Carved, to: &mut dyn Write, progress: &Progress) -> io::Result<Option<String>> {
        let mut hash = Sha256::new();
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let stretch = self.bytes.get(place(carved.offset)..place(carved.end)).unwrap_or_default();
        let header = carved.header();
        for part in [&header[..]].into_iter().chain(stretch.chunks(PART_BYTES)).chain([carved.footer()]) {
            if progress.is_cancelled() {
                return Ok(None);
            }
            hash.update(part);
            to.write_all(part)?;
        }
        Ok(Some(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing into memory.
            _ = write!(hex, "{byte:02x}");
            hex
        })))
    }

    fn tell(&self, carved: &Carved, sha256: &str, path: Option<&Path>, to: &mut dyn Write) -> io::Result<()> {
        let (dialect, version) = carved.format;
        let format = match dialect {
            Dialect::Redis => "redis",
            Dialect::Valkey => "valkey",
            Dialect::Dragonfly => "dragonfly",
        };
        let path = path.map(shown);
        let Carved { offset, keys, .. } = *carved;
        let bytes = carved.bytes();
        if self.args.json {
            let line = Line {
                image: self.image,
                offset,
                bytes,
                kind: if carved.has_header { "dump" } else { "headless" },
                format,
                version,
                soundness: soundness(carved),
                damage_offset: carved.damage.as_ref().map(|(offset, _)| *offset),
                damage: carved.damage.as_ref().map(|(_, why)| why.as_str()),
                keys,
                sha256,
                path: path.as_deref(),
            };
            serde_json::to_writer(&mut *to, &line)?;
            return to.write_all(b"\n");
        }
        let kind = if carved.has_header { format!("{format} {version}") } else { "headless".to_owned() };
        let soundness = match &carved.damage {
            Some((at, why)) => format!("{}, to byte {at}: {why}", soundness(carved)),
            None => soundness(carved).to_owned(),
        };
        let path = path.map(|path| format!("\t{}", Visible(path.as_bytes()))).unwrap_or_default();
        writeln!(to, "{offset}\t{bytes}\t{kind}\t{soundness}\t{keys}\t{sha256}{path}")
    }
}

fn soundness(carved: &Carved) -> &'static str {
    match carved.checksum {
        _ if !carved.has_header => "not known",
        _ if carved.is_cut => "cut",
        _ if carved.damage.is_some() => "damaged",
        Checksum::Verified => "sound",
        Checksum::Mismatch => "wrong checksum",
        Checksum::Disabled | Checksum::Absent | Checksum::NotReached => "no checksum",
    }
}
