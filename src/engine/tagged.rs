//! Tagged chunks of Dragonfly's dumps: streams of records in pieces that lie between other records (format section 14).
//!
//! Chunks of one number are a stream of their own. A thread scans it, and stands still in the midst of an entry while the
//! thread that feeds it reads what lies between, so that no value is ever held. Only one of them runs at a time, so the
//! order of what they find is always the same.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::chunked::Chunked;
use crate::rdb::primitives::{byte, u32_le};
use crate::rdb::source::{KeepsKey, Source};
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// Entries that may be under way at a time, each on a thread. A server has a few, one for each thing that it writes.
const STREAMS_MAX: usize = 64;

/// Bytes of a chunk that are handed on at a time.
const STEP_BYTES: u64 = 64 << 10;

/// What ends too early in a blob or a stream of chunks is an entry; the dump goes on.
pub(super) fn within(kind: ParseErrorKind) -> ParseErrorKind {
    if kind == ParseErrorKind::Eof { ParseErrorKind::BlobEntry } else { kind }
}

/// Which stream a chunk belongs to, and the offset of the chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) number: u32,
    pub(crate) offset: u64,
}

impl Chunk {
    /// Damage in the stream that this chunk belongs to.
    pub(crate) fn error(self, kind: ParseErrorKind) -> ParseError {
        ParseError {
            offset: self.offset,
            kind: within(kind),
            element: FormatElement::TaggedChunk,
            declared: self.number.into(),
        }
    }
}

/// Reads a chunk behind its opcode, which stands at `offset`, and hands it to `feed` piece by piece: the number of a
/// stream, a size, and so many bytes of that stream.
///
/// # Errors
/// The [`ParseError`] met, that of `feed` included.
pub(crate) fn chunk<S: KeepsKey>(
    source: &mut S,
    offset: u64,
    mut feed: impl FnMut(Chunk, &[u8]) -> Result<(), ParseErrorKind>,
) -> Result<(), ParseError> {
    let element = FormatElement::TaggedChunk;
    let chunk = Chunk { number: source.parse(element, u32_le)?, offset };
    let mut left = u64::from(source.parse(element, u32_le)?);
    while left > 0 {
        let step = left.min(STEP_BYTES);
        source.keep(element, step)?;
        feed(chunk, source.kept()).map_err(|kind| ParseError { kind, ..chunk.error(kind) })?;
        left -= step;
    }
    Ok(())
}

/// The streams that are inside an entry, by number, and what each scan comes to.
pub(crate) struct Streams<'s, 'e, T> {
    scope: &'s Scope<'s, 'e>,
    open: BTreeMap<u32, Stream<'s, T>>,
}

struct Stream<'s, T> {
    /// Its first chunk.
    first: Chunk,
    chunks: SyncSender<Vec<u8>>,
    /// Whether the last chunk ended inside an entry.
    states: Receiver<bool>,
    scan: ScopedJoinHandle<'s, T>,
}

impl<'s, 'e, T: Send + 's> Streams<'s, 'e, T> {
    pub(crate) fn new(scope: &'s Scope<'s, 'e>) -> Self {
        Self { scope, open: BTreeMap::new() }
    }

    /// Hands bytes to the stream that they belong to and waits until they are read; for the first ones of a stream `begin`
    /// gives a scan. What that came to, if an entry ends with these bytes: the stream is closed then.
    ///
    /// # Errors
    /// [`ParseErrorKind::Limit`] if too many streams are inside an entry, [`ParseErrorKind::Read`] if a thread was lost.
    pub(crate) fn feed<F: FnOnce(Chunked) -> T + Send + 's>(
        &mut self,
        chunk: Chunk,
        bytes: &[u8],
        begin: impl FnOnce() -> F,
    ) -> Result<Option<T>, ParseErrorKind> {
        let stream = match self.open.remove(&chunk.number) {
            Some(stream) => stream,
            None if self.open.len() >= STREAMS_MAX => return Err(ParseErrorKind::Limit),
            None => self.start(chunk, begin()),
        };
        // A scan that has ended says why when it is closed.
        let is_inside = stream.chunks.send(bytes.to_vec()).is_ok() && stream.states.recv().unwrap_or(false);
        if !is_inside {
            return stream.close().map(Some);
        }
        self.open.insert(chunk.number, stream);
        Ok(None)
    }

    fn start(&self, first: Chunk, scan: impl FnOnce(Chunked) -> T + Send + 's) -> Stream<'s, T> {
        let (chunks, received) = sync_channel(1);
        let (states_sent, states) = sync_channel(1);
        let scan = self.scope.spawn(move || scan(Chunked::new(received, states_sent)));
        // It says that it waits for its first chunk.
        _ = states.recv();
        Stream { first, chunks, states, scan }
    }

    /// Closes the streams whose entries have no end: their first chunks, and what the scans came to.
    pub(crate) fn finish(self) -> impl Iterator<Item = (Chunk, Result<T, ParseErrorKind>)> {
        self.open.into_values().map(|stream| (stream.first, stream.close()))
    }
}

impl<T> Stream<'_, T> {
    fn close(self) -> Result<T, ParseErrorKind> {
        drop((self.chunks, self.states));
        self.scan.join().map_err(|_| ParseErrorKind::Read)
    }
}

impl Chunked {
    /// Has `record` read records until the stream ends, which it may only between two of them.
    ///
    /// # Errors
    /// The fault met.
    pub(crate) fn each_record(
        &mut self,
        mut record: impl FnMut(&mut Self) -> Result<(), ParseErrorKind>,
    ) -> Result<(), ParseErrorKind> {
        loop {
            self.is_inside = false;
            match self.parse(FormatElement::Opcode, |i| byte(i).map(|(_, first)| (i, first))) {
                Ok(_) => {}
                Err(ParseError { kind: ParseErrorKind::Eof, .. }) => return Ok(()),
                Err(error) => return Err(error.kind),
            }
            self.is_inside = true;
            record(self)?;
        }
    }
}
