//! Bytes wherever they come from: a mapped file, or a stream out of a pipe or an inflater.
//!
//! What a file is, its first bytes decide, not its name. A plain dump in a regular file is mapped; everything else is a
//! stream, read once, without a temporary file. So is an object in a store or on a web server, whose ranges are fetched side by
//! side. The parts of a large compressed file are inflated side by side, where it says what they are.

mod ahead;
#[cfg(feature = "cloud")]
mod cloud;
#[cfg(not(feature = "cloud"))]
#[path = "cloudless.rs"]
mod cloud;
pub(crate) mod commands;
mod decode;
mod extent;
mod failure;
mod listed;
mod lz4_blocks;
mod manifest;
pub mod map;
mod members;
mod share;
mod side_by_side;
mod sniff;
pub(crate) mod tail;
mod url;
mod wrap;
#[cfg(feature = "compress")]
mod zstd_header;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind};
use crate::rdb::payload;
use ahead::Failed;
pub(crate) use cloud::Lookup;
pub use cloud::Upload;
use failure::Failure;
pub use listed::{Listed, Look};
use map::Map;
use members::Members;
use share::Turn;
pub(crate) use share::{Quota, Share};
use side_by_side::SideBySide;
use sniff::Content;
pub use url::{file_name, is_url, shown};

/// Standard input, as it is typed.
pub const STDIN: &str = "-";

/// A dump, open and ready to be read once.
#[derive(Debug)]
pub struct Input {
    /// The dump as the caller named it.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// How many bytes a stream gives at once, and is then busy for as long as it takes to make as many; 0 if few.
    pub burst_bytes: usize,
    /// What the dump is wrapped in, the outermost first.
    pub wrapped_in: Vec<&'static str>,
    /// What was noticed on the way to the dump, one sentence each.
    pub notes: Vec<String>,
    /// Why servers refuse what the dump is part of, though nothing may be wrong with the dump.
    pub kind: Option<String>,
    /// How many bytes have been read so far, of the file as it is stored; for a stream.
    pub read_bytes: Arc<AtomicU64>,
    /// What was noticed after the end of a compressed file; for a stream, once it has been read to its end.
    pub late_note: Arc<OnceLock<String>>,
    /// The command that inflates the file, if that is all it needs.
    pub inflate_command: Option<&'static str>,
}

/// How a dump's bytes are had.
pub enum Bytes {
    /// All at once.
    Mapped(Map),
    /// One after the other.
    Stream(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mapped(_) => "mapped",
            Self::Stream(_) => "stream",
        })
    }
}

/// Looks whether a dump can be opened, and says what is known of it.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened.
pub(crate) fn look_at(path: &Path) -> Result<Look, Error> {
    let io = |source| Error::new(path.display().to_string(), ErrorKind::Io { doing: "open it", source });
    if path.as_os_str() == STDIN {
        return Ok(Look::default());
    }
    if let Some(url) = url::url(path) {
        return cloud::look_at(url).map_err(|failure| failed_to_open(path, failure));
    }
    let metadata = path.metadata().map_err(io)?;
    // A pipe is opened once, when it is read: whoever writes to it must not see it come and go.
    if !metadata.is_file() {
        return Ok(Look::default());
    }
    File::open(path).map_err(io)?;
    Ok(Look { stored_bytes: Some(metadata.len()), written_at: metadata.modified().ok() })
}

/// How many bytes a dump or a report stores; none if that is not known before it is read, or if it cannot be opened.
pub fn stored_bytes(path: &Path) -> Option<u64> {
    look_at(path).ok()?.stored_bytes
}

/// The files or URLs that a path names: an URL of a bucket may be a pattern, such as `s3://bucket/2026-11-*/node-*.rdb.gz`,
/// whose matches come in the order of their names.
///
/// # Errors
/// [`ErrorKind::Io`] if no object matches, or too many, or if the bucket cannot be listed.
pub fn matches(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let Some(url) = url::url(path) else { return Ok(vec![path.to_owned()]) };
    let matches = cloud::matches(url).map_err(|failure| failed_to_open(path, failure))?;
    Ok(matches.into_iter().map(PathBuf::from).collect())
}

/// The files or objects that a path names as [`matches()`] gives them, and what is known of each.
///
/// # Errors
/// As [`matches()`], and [`ErrorKind::Io`] if one cannot be opened.
pub fn listed(path: &Path) -> Result<Vec<Listed>, Error> {
    let Some(url) = url::url(path) else { return Ok(vec![Listed { path: path.to_owned(), look: look_at(path)? }]) };
    cloud::listed(url).map_err(|failure| failed_to_open(path, failure))
}

/// Looks whether a URL is one that [`listed`] takes, without asking anybody.
///
/// # Errors
/// [`ErrorKind::Io`] if it is not.
pub fn check_url(url: &str) -> Result<(), Error> {
    cloud::check_url(url).map_err(|failure| Error::new(shown(url), failure.cause("use this URL")))
}

/// Opens a file or a URL for its bytes as they are, such as a report's; `-` is standard input.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened.
pub fn reader(path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    if path.as_os_str() == STDIN {
        return Ok(Box::new(io::stdin()));
    }
    if let Some(url) = url::url(path) {
        return cloud::stream(url).map_err(|failure| failed_to_open(path, failure));
    }
    let file =
        File::open(path).map_err(|source| Error::new(shown(path), ErrorKind::Io { doing: "open it", source }))?;
    Ok(Box::new(file))
}

/// Begins an object in a bucket, of which nothing is seen before it is finished.
///
/// # Errors
/// [`ErrorKind::Io`] if the URL is not one of an object that can be written.
pub fn create(url: &str) -> Result<Upload, Error> {
    cloud::upload(url).map_err(|failure| Error::new(shown(url), failure.cause("write it")))
}

/// An object of which single ranges are read; none if the path is a file's.
///
/// # Errors
/// As [`open`].
pub(crate) fn look_up(path: &Path) -> Result<Option<Lookup>, Error> {
    let Some(url) = url::url(path) else { return Ok(None) };
    let no_ranges = "the server does not answer ranges, which --offset needs: download the file first";
    let lookup = Lookup::open(url).and_then(|lookup| lookup.ok_or_else(|| Failure::last(no_ranges)));
    lookup.map(Some).map_err(|failure| failed_to_open(path, failure))
}

/// An object that is a plain dump, that has a tag, and of which single ranges are read; none if it is something else.
///
/// # Errors
/// As [`open`].
pub(crate) fn ranged(path: &Path) -> Result<Option<Lookup>, Error> {
    let Some(url) = url::url(path) else { return Ok(None) };
    let opened = Lookup::open(url).and_then(|lookup| {
        let Some(lookup) = lookup.filter(|lookup| lookup.version().is_some()) else { return Ok(None) };
        let first = lookup.bytes(0..sniff::FIRST_BYTES as u64)?;
        Ok(matches!(sniff::content(&first), Content::Dump).then_some(lookup))
    });
    opened.map_err(|failure| failed_to_open(path, failure))
}

fn failed_to_open(path: &Path, failure: Failure) -> Error {
    Error::new(shown(path), failure.cause("open it"))
}

/// Opens a dump whose bytes are wanted in any order. Of an object that is a plain dump, a copy is made in a temporary file
/// without a name, for as long as `goes_on`.
///
/// # Errors
/// As [`open`], and [`ErrorKind::Cancelled`] if it was ended.
pub(crate) fn open_for_any_order(path: &Path, goes_on: impl Fn() -> bool) -> Result<Input, Error> {
    let mut input = open(path)?;
    let is_plain = url::url(path).is_some() && input.wrapped_in.is_empty();
    let Bytes::Stream(reader) = &mut input.bytes else { return Ok(input) };
    if !is_plain {
        return Ok(input);
    }
    let failed = |cause| Error::new(shown(path), cause);
    let copying = |source| failed(ErrorKind::Io { doing: "copy it to a temporary file", source });
    let mut copy = cloud::temporary_file().map_err(copying)?;
    let (mut piece, mut offset) = (vec![0; 1 << 20], 0);
    loop {
        let bytes = reader.read(&mut piece).map_err(|source| failed(read_error(source, offset)))?;
        if bytes == 0 {
            break;
        }
        copy.write_all(piece.get(..bytes).unwrap_or_default()).map_err(copying)?;
        offset += bytes as u64;
        if !goes_on() {
            return Err(failed(ErrorKind::Cancelled { offset }));
        }
    }
    input.bytes = Bytes::Mapped(Map::new(copy).map_err(copying)?);
    Ok(input)
}

/// Opens a dump; `-` is standard input.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened or its first bytes cannot be read, [`ErrorKind::Refused`] if they are not a dump's.
pub fn open(path: &Path) -> Result<Input, Error> {
    open_with(path, &Company::Alone { threads: 1 })
}

/// Who else is at work while a dump is read.
#[derive(Debug)]
pub(crate) enum Company {
    /// Nobody: so many threads may inflate it.
    Alone {
        /// How many.
        threads: usize,
    },
    /// Others that are read side by side with it, by one thread each.
    Others(Arc<Share>),
}

/// A compressed file that takes fewer bytes is inflated before threads have begun.
const SIDE_BY_SIDE_BYTES_MIN: u64 = 1 << 20;

/// Opens a dump as [`open`] does; a large compressed file that is read alone is inflated by several threads, if it can be. What
/// comes of one that takes more than its share among others, errors included, says nothing of it.
///
/// # Errors
/// As [`open`], and [`ErrorKind::Io`] if the threads cannot be started.
pub(crate) fn open_with(path: &Path, company: &Company) -> Result<Input, Error> {
    let name = shown(path);
    let io = |doing| {
        let name = name.clone();
        move |source| Error::new(name, ErrorKind::Io { doing, source })
    };
    if path.as_os_str() == STDIN {
        return stream("standard input".to_owned(), Box::new(io::stdin()), company, None);
    }
    if url::url(path).is_some() {
        return stream(name, reader(path)?, company, None);
    }
    let metadata = path.metadata().map_err(io("open it"))?;
    if metadata.is_dir() || is_manifest(path) {
        return open_manifest(path, metadata.is_dir(), company);
    }
    let file = File::open(path).map_err(io("open it"))?;
    if !metadata.is_file() {
        return stream(name, Box::new(file), company, None);
    }
    let mut first = Vec::with_capacity(sniff::FIRST_BYTES);
    (&file).take(sniff::FIRST_BYTES as u64).read_to_end(&mut first).map_err(io("read it"))?;
    match sniff::content(&first) {
        Content::Dump => {
            let map = Map::new(file).map_err(io("map it"))?;
            let bytes = Bytes::Mapped(map);
            Ok(Input {
                name,
                bytes,
                burst_bytes: 0,
                wrapped_in: Vec::new(),
                notes: Vec::new(),
                kind: None,
                read_bytes: Arc::default(),
                late_note: Arc::default(),
                inflate_command: None,
            })
        }
        _ => stream(name, Box::new(io::Cursor::new(first).chain(file)), company, Some(metadata.len())),
    }
}

/// Whether a path is that of a manifest, which is small whatever the size of the file that it names.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "manifest")
}

/// Opens the base file of a multi-part append-only file, by its manifest or by the folder that it is in.
fn open_manifest(path: &Path, is_folder: bool, company: &Company) -> Result<Input, Error> {
    let refused = |what| Error::new(path.display().to_string(), ErrorKind::Refused(what));
    let path_of_manifest = if is_folder { manifest::find(path).map_err(refused)? } else { path.to_owned() };
    let manifest = manifest::read(&path_of_manifest).map_err(refused)?;
    let without_base =
        || refused("the manifest names no base file: all of the data set is in files of commands".to_owned());
    let base = manifest.base.ok_or_else(without_base)?;
    // A manifest that names itself would be read again and again.
    if is_manifest(&base) || base.is_dir() {
        return Err(refused(format!("the manifest names {} as its base file", base.display())));
    }
    let mut input = open_with(&base, company)?;
    input.wrapped_in.insert(0, "a multi-part append-only file");
    if !manifest.incremental.is_empty() {
        let (note, kind) = look_at_incremental(&manifest.incremental);
        input.notes.push(note);
        input.kind = kind;
    }
    Ok(input)
}

/// What is in the files that hold what happened after the base was written, and what is wrong with them, if anything.
fn look_at_incremental(files: &[PathBuf]) -> (String, Option<String>) {
    let (mut count, mut bytes, mut end) = (0, 0, "");
    let mut faults = Vec::new();
    for (at, path) in files.iter().enumerate() {
        let name = path.display();
        let commands = match count_commands(path) {
            Ok(commands) => commands,
            Err(error) => {
                faults.push(format!("the incremental file {name} could not be read: {error}"));
                continue;
            }
        };
        count += commands.count;
        bytes += commands.bytes;
        if commands.is_damaged() {
            faults.push(format!("the incremental file {name} has something in it that is not a command"));
        } else if commands.is_cut() && at + 1 < files.len() {
            faults.push(format!("the incremental file {name} ends inside a command, and others follow"));
        } else if commands.is_cut() {
            // Servers leave that one out.
            end = ", the last of them cut";
        }
    }
    let plural = if files.len() == 1 { "file" } else { "files" };
    let files = files.len();
    let more = faults.len().saturating_sub(1);
    let more = if more > 0 { format!(", and {more} others are damaged or missing") } else { String::new() };
    let kind = faults.first().map(|first| format!("{first}{more}"));
    (format!("{count} commands{end} in {files} incremental {plural} of {bytes} bytes follow the base file"), kind)
}

fn count_commands(path: &Path) -> io::Result<commands::Commands> {
    // A pipe or a device may have no end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut file = File::open(path)?;
    let mut commands = commands::Commands::default();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(commands),
            bytes => commands.update(chunk.get(..bytes).unwrap_or_default()),
        }
    }
}

/// A value longer than this is not read as the answer of DUMP; it is held in memory.
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

/// Opens the answer of a DUMP command as a dump of the one key; `-` is standard input.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened or read, [`ErrorKind::Refused`] if it is no such answer.
pub fn open_payload(path: &Path, key: &[u8]) -> Result<Input, Error> {
    let name = if path.as_os_str() == STDIN { "standard input".to_owned() } else { shown(path) };
    let read = || -> Result<Vec<u8>, ErrorKind> {
        let mut answer = Vec::new();
        let reader = reader(path).map_err(|error| error.cause)?;
        reader.take(PAYLOAD_BYTES_MAX + 1).read_to_end(&mut answer).map_err(|source| read_error(source, 0))?;
        if answer.len() as u64 > PAYLOAD_BYTES_MAX {
            return Err(ErrorKind::Refused(format!(
                "it is longer than {PAYLOAD_BYTES_MAX} bytes, which are read at most"
            )));
        }
        payload::to_dump(&answer, key).map_err(ErrorKind::Refused)
    };
    let dump = read().map_err(|cause| Error::new(&name, cause))?;
    let mut input = from_reader(name, Box::new(io::Cursor::new(dump)))?;
    input.wrapped_in.push("the answer of DUMP");
    Ok(input)
}

/// Reads a dump from any reader: the same bytes as a file gives, in windows.
///
/// # Errors
/// As [`open`].
pub fn from_reader(name: impl Into<String>, reader: Box<dyn Read + Send>) -> Result<Input, Error> {
    stream(name.into(), reader, &Company::Alone { threads: 1 }, None)
}

/// Opens a stream, of a file with so many bytes if there is one.
fn stream(
    name: String,
    reader: Box<dyn Read + Send>,
    company: &Company,
    file_bytes: Option<u64>,
) -> Result<Input, Error> {
    let is_large = file_bytes.is_some_and(|bytes| bytes >= SIDE_BY_SIDE_BYTES_MIN);
    let (threads, turn) = match company {
        Company::Alone { threads } => (if is_large { *threads } else { 1 }, None),
        Company::Others(share) => (1, Some(share.turn())),
    };
    let read_bytes = Arc::<AtomicU64>::default();
    let counted = Counted { reader, bytes: read_bytes.clone() };
    let mut reader: Box<dyn Read + Send> = Box::new(counted);
    let late_note = Arc::<OnceLock<String>>::default();
    let mut wrapped_in = Vec::new();
    let mut is_compressed = false;
    let mut burst_bytes = 0;
    let mut inflate_command = None;
    let mut greeting_bytes = 0;
    loop {
        let (content, peeked) = peek(&name, reader)?;
        reader = peeked;
        let refused = |what: String| {
            let layers: Vec<&str> = wrapped_in.iter().copied().chain([what.as_str()]).collect();
            Err(Error::new(&name, ErrorKind::Refused(layers.join(", and in it: "))))
        };
        match content {
            Content::Capture(capture) => {
                skip(&name, &mut reader, capture.prefix_bytes)?;
                greeting_bytes = 0;
                reader = capture.dump(reader);
                wrapped_in.push("a capture of a full synchronization");
            }
            Content::Greeting(bytes) if greeting_bytes + bytes <= GREETING_BYTES_MAX => {
                skip(&name, &mut reader, bytes)?;
                greeting_bytes += bytes;
                continue;
            }
            Content::Greeting(_) => return refused(NO_DUMP.to_owned()),
            _ if greeting_bytes > 0 => return refused(NO_DUMP.to_owned()),
            Content::Dump => break,
            Content::Refused(what) => return refused(what),
            Content::Vcs => {
                skip(&name, &mut reader, sniff::VCS_BYTES)?;
                wrapped_in.push("a Valkey compressed stream (VCS)");
            }
            again if is_compressed => return refused(format!("{again}: inflate it once first")),
            Content::Compressed(_) => {
                is_compressed = true;
                let failed = |source| Error::new(&name, read_error(source, 0));
                let share = turn.as_ref().map(Turn::share).cloned();
                let (kind, members) = Members::open(reader, late_note.clone(), share).map_err(failed)?;
                // Among others a thread has enough to do while it waits, and less to hold.
                burst_bytes = if turn.is_some() { 0 } else { kind.burst_bytes() };
                inflate_command = kind.command().filter(|_| wrapped_in.is_empty());
                reader = if threads > 1 && kind.has_extents() {
                    Box::new(SideBySide::inflate(members, threads).map_err(failed)?)
                } else {
                    Box::new(members)
                };
                wrapped_in.push(kind.name());
            }
        }
        if wrapped_in.len() > LAYERS_MAX {
            return Err(Error::new(name, ErrorKind::Refused("it is wrapped in too many layers".to_owned())));
        }
    }
    let bytes = Bytes::Stream(match turn {
        Some(turn) => Box::new(turn.over(reader)),
        None => reader,
    });
    let inflate_command = inflate_command.filter(|_| wrapped_in.len() == 1);
    let (notes, kind) = (Vec::new(), None);
    Ok(Input { name, bytes, burst_bytes, wrapped_in, notes, kind, read_bytes, late_note, inflate_command })
}

/// Bytes of lines before a captured dump: a newline a second for days, and the answers before them.
const GREETING_BYTES_MAX: usize = 1 << 20;

/// What is wrong where only such lines are found.
const NO_DUMP: &str = "this starts like a capture of a full synchronization, but no dump follows its first lines";

/// A dump in a capture in a compressed file has two; more is somebody's trick.
const LAYERS_MAX: usize = 4;

/// Steps over bytes that have been looked at.
fn skip(name: &str, reader: &mut Box<dyn Read + Send>, bytes: usize) -> Result<(), Error> {
    let mut skipped = vec![0; bytes];
    reader.read_exact(&mut skipped).map_err(|source| Error::new(name, read_error(source, 0)))
}

/// Looks at a reader's first bytes and gives the reader back as if nobody had. One that fails after them fails then.
fn peek(name: &str, mut reader: Box<dyn Read + Send>) -> Result<(Content, Box<dyn Read + Send>), Error> {
    let mut first = Vec::new();
    let read = (&mut reader).take(sniff::FIRST_BYTES as u64).read_to_end(&mut first);
    let content = sniff::content(&first);
    let first = io::Cursor::new(first);
    match (read, content) {
        (Ok(_), content) => Ok((content, Box::new(first.chain(reader)))),
        (Err(source), Content::Refused(_)) => Err(Error::new(name, read_error(source, 0))),
        (Err(source), content) => Ok((content, Box::new(first.chain(Failed(Some(source)))))),
    }
}

/// A failed read after `read_bytes` bytes: an inflater's complaint is about the dump, anything else about the machine.
pub(crate) fn read_error(source: io::Error, read_bytes: u64) -> ErrorKind {
    let source = match source.downcast::<Failure>() {
        Ok(failure) => return failure.cause("read it"),
        Err(source) => source,
    };
    let is_systems = source.raw_os_error().is_some();
    match source.kind() {
        io::ErrorKind::UnexpectedEof => {
            ErrorKind::Refused(format!("the compressed file is cut: it ends after {read_bytes} bytes of the dump"))
        }
        io::ErrorKind::InvalidData if source.to_string() == wrap::CUT_CAPTURE => ErrorKind::Refused(source.to_string()),
        io::ErrorKind::Unsupported if !is_systems => ErrorKind::Refused(source.to_string()),
        io::ErrorKind::OutOfMemory if !is_systems => ErrorKind::Options(source.to_string()),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other if !is_systems => {
            ErrorKind::Refused(format!("the compressed file is damaged after {read_bytes} bytes of the dump: {source}"))
        }
        io::ErrorKind::IsADirectory => ErrorKind::Refused(DIRECTORY.to_owned()),
        _ => ErrorKind::Io { doing: "read it", source },
    }
}

/// What to say of a directory.
const DIRECTORY: &str = "this is a directory; name a dump in it";

/// Inflates one frame of LZ4 or zstd, up to `bytes_max` bytes of it.
///
/// # Errors
/// What the decoder says of a frame that is damaged, or that this build does not know.
pub(crate) fn inflate_frame(is_lz4: bool, frame: &[u8], bytes_max: u64, to: &mut Vec<u8>) -> io::Result<()> {
    if is_lz4 {
        return lz4_flex::frame::FrameDecoder::new(frame).take(bytes_max).read_to_end(to).map(|_| ());
    }
    #[cfg(feature = "compress")]
    return zstd::Decoder::with_buffer(frame)?.take(bytes_max).read_to_end(to).map(|_| ());
    #[cfg(not(feature = "compress"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// A reader that tells others how far it is.
struct Counted {
    reader: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(to)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
