//! Bytes wherever they come from: a mapped file, or a stream out of a pipe or an inflater.
//!
//! What a file is, its first bytes decide, not its name. A plain dump in a regular file is mapped; everything else is a
//! stream, read once, without a temporary file.

pub mod map;
mod sniff;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Cause, Error};
use map::Map;
use sniff::Content;

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
    /// How many bytes have been read so far, of the file as it is stored; for a stream.
    pub read_bytes: Arc<AtomicU64>,
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

/// Looks whether a dump can be opened, and says how many bytes it stores; a pipe does not know.
///
/// # Errors
/// [`Cause::Io`] if it cannot be opened.
pub(crate) fn look_at(path: &Path) -> Result<Option<u64>, Error> {
    let io = |source| Error::new(path.display().to_string(), Cause::Io { doing: "open it", source });
    if path.as_os_str() == STDIN {
        return Ok(None);
    }
    let metadata = path.metadata().map_err(io)?;
    // A pipe is opened once, when it is read: whoever writes to it must not see it come and go.
    if !metadata.is_file() {
        return Ok(None);
    }
    File::open(path).map_err(io)?;
    Ok(Some(metadata.len()))
}

/// Opens a dump; `-` is standard input.
///
/// # Errors
/// [`Cause::Io`] if it cannot be opened or its first bytes cannot be read, [`Cause::Refused`] if they are not a dump's.
pub fn open(path: &Path) -> Result<Input, Error> {
    let name = path.display().to_string();
    let io = |doing| {
        let name = name.clone();
        move |source| Error::new(name, Cause::Io { doing, source })
    };
    if path.as_os_str() == STDIN {
        return stream("standard input".to_owned(), Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(io("open it"))?;
    let metadata = file.metadata().map_err(io("look at it"))?;
    if metadata.is_dir() {
        return Err(Error::new(name, Cause::Refused(DIRECTORY.to_owned())));
    }
    if !metadata.is_file() {
        return stream(name, Box::new(file));
    }
    let mut first = Vec::new();
    (&file).take(sniff::FIRST_BYTES as u64).read_to_end(&mut first).map_err(io("read it"))?;
    match sniff::content(&first) {
        Content::Dump => {
            let map = Map::new(file).map_err(io("map it"))?;
            Ok(Input { name, bytes: Bytes::Mapped(map), burst_bytes: 0, read_bytes: Arc::default() })
        }
        _ => stream(name, Box::new(io::Cursor::new(first).chain(file))),
    }
}

/// Reads a dump from any reader: the same bytes as a file gives, in windows.
///
/// # Errors
/// As [`open`].
pub fn from_reader(name: impl Into<String>, reader: Box<dyn Read + Send>) -> Result<Input, Error> {
    stream(name.into(), reader)
}

fn stream(name: String, reader: Box<dyn Read + Send>) -> Result<Input, Error> {
    let read_bytes = Arc::<AtomicU64>::default();
    let counted = Counted { reader, bytes: read_bytes.clone() };
    let (content, reader) = peek(&name, Box::new(counted))?;
    let burst_bytes = if matches!(content, Content::Lz4) { LZ4_BLOCK_BYTES_MAX } else { 0 };
    let reader = match content {
        Content::Dump => reader,
        Content::Refused(what) => return Err(Error::new(name, Cause::Refused(what))),
        compressed => {
            let kind = compressed.to_string();
            let (inner, reader) =
                peek(&name, sniff::inflate(&compressed, reader).map_err(|cause| Error::new(&name, cause))?)?;
            match inner {
                Content::Dump => reader,
                Content::Refused(what) => {
                    return Err(Error::new(name, Cause::Refused(format!("{kind}, and in it: {what}"))));
                }
                again => {
                    let what = format!("{kind}, and in it {again}: inflate it once first");
                    return Err(Error::new(name, Cause::Refused(what)));
                }
            }
        }
    };
    Ok(Input { name, bytes: Bytes::Stream(reader), burst_bytes, read_bytes })
}

/// Looks at a reader's first bytes and gives the reader back as if nobody had.
fn peek(name: &str, mut reader: Box<dyn Read + Send>) -> Result<(Content, Box<dyn Read + Send>), Error> {
    let mut first = Vec::new();
    let read = (&mut reader).take(sniff::FIRST_BYTES as u64).read_to_end(&mut first);
    read.map_err(|source| Error::new(name, read_error(source, 0)))?;
    Ok((sniff::content(&first), Box::new(io::Cursor::new(first).chain(reader))))
}

/// A failed read behind `read_bytes` bytes: an inflater's complaint is about the dump, anything else about the machine.
pub(crate) fn read_error(source: io::Error, read_bytes: u64) -> Cause {
    let is_systems = source.raw_os_error().is_some();
    match source.kind() {
        io::ErrorKind::UnexpectedEof => {
            Cause::Refused(format!("the compressed file is cut: it ends behind {read_bytes} bytes of the dump"))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other if !is_systems => {
            Cause::Refused(format!("the compressed file is damaged behind {read_bytes} bytes of the dump: {source}"))
        }
        io::ErrorKind::IsADirectory => Cause::Refused(DIRECTORY.to_owned()),
        _ => Cause::Io { doing: "read it", source },
    }
}

/// The largest block of an LZ4 frame, and the usual one: it is inflated as a whole.
const LZ4_BLOCK_BYTES_MAX: usize = 4 << 20;

/// What to say of a directory.
const DIRECTORY: &str = "this is a directory; name a dump in it";

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
