//! The scan over a dump of Dragonfly: records may lie in compressed blobs, and one entry may be cut into tagged chunks
//! that lie between others (format section 14).
//!
//! A blob is inflated whole, since servers make them of a megabyte. Chunks of one number are a stream of records of their
//! own: a thread scans it, and stands still in the midst of an entry while this one reads what lies between, so that no
//! value is ever held. Only one of them runs at a time, so the order of what they find is always the same.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::chunked::Chunked;
use super::gathered::Gathered;
use super::scan::Stop;
use crate::analysis::gather::Gather;
use crate::rdb::dragonfly::opcode;
use crate::rdb::primitives::{byte, length, u32_le};
use crate::rdb::source::{Keep, Slice, Source};
use crate::rdb::{Context, Fault, Part, Trouble};

/// A blob longer than this, stored or inflated, is refused; servers make them of a mebibyte at most.
const BLOB_BYTES_MAX: u64 = 16 << 20;

/// Entries that may be under way at a time, each on a thread. A server has a few, one for each thing that it writes.
const STREAMS_MAX: usize = 64;

/// Bytes of a chunk that are handed on at a time.
const STEP_BYTES: u64 = 64 << 10;

/// Scans to the end or to damage.
pub(super) fn scan<S: Keep, G: Gather>(source: &mut S, context: &Context, found: &mut Gathered<G>) -> Stop {
    std::thread::scope(|scope| {
        let mut streams = Streams { scope, context, open: BTreeMap::new(), is_in_blob: false };
        let stop = records(source, context, found, &mut streams);
        // The whole dump's damage is told first; that of a stream may have followed from it.
        let finished = streams.finish(found);
        match stop {
            Some(Ok(end)) => finished.map(|()| end).map_err(Into::into),
            Some(damaged) => damaged,
            None => Err(source.trouble(Part::Opcode, Fault::Eof, 0).into()),
        }
    })
}

/// Reads records to the end or to damage; `None` where the bytes end between two of them.
fn records<'s, S: Keep, G: Gather + 's>(
    source: &mut S,
    context: &'s Context,
    found: &mut Gathered<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Option<Stop> {
    loop {
        let next = source.parse(Part::Opcode, |i| byte(i).map(|(_, code)| (i, code)));
        let code = match next {
            Ok(code) => code,
            Err(Trouble { fault: Fault::Eof, .. }) => return None,
            Err(trouble) => return Some(Err(trouble.into())),
        };
        let passed = match code {
            opcode::BLOB_ZSTD | opcode::BLOB_LZ4 => blob(source, code, context, found, streams),
            opcode::TAGGED_CHUNK => chunk(source, found, streams),
            _ => match found.record(source, context) {
                Some(stop) => return Some(stop),
                None => Ok(()),
            },
        };
        if let Err(trouble) = passed {
            return Some(Err(trouble.into()));
        }
    }
}

/// The opcode, a length, and a compressed frame of records.
fn blob<'s, S: Keep, G: Gather + 's>(
    source: &mut S,
    code: u8,
    context: &'s Context,
    found: &mut Gathered<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Result<(), Trouble> {
    let offset = source.offset();
    let part = Part::CompressedBlob;
    source.parse(part, byte)?;
    let inflated = inflated_blob(source, code, offset)?;
    let trouble = |fault| Trouble { offset, fault, part, claim: code.into() };
    // Servers put no blob into another; each would be held while the next is inflated.
    if std::mem::replace(&mut streams.is_in_blob, true) {
        return Err(trouble(Fault::Flag));
    }
    let read = records(&mut Slice::at(&inflated, offset), context, found, streams);
    streams.is_in_blob = false;
    match read {
        None => Ok(()),
        Some(Ok(_)) => Err(trouble(Fault::Flag)),
        Some(Err(damage)) => Err(in_blob(offset, damage.trouble)),
    }
}

/// A trouble among the records of the blob at `offset`: a place in what is inflated is no place in the dump.
pub(crate) fn in_blob(offset: u64, trouble: Trouble) -> Trouble {
    Trouble { offset, fault: within(trouble.fault), part: Part::CompressedBlob, ..trouble }
}

/// What ends too early in a blob or a stream of chunks is an entry; the dump goes on.
fn within(fault: Fault) -> Fault {
    if fault == Fault::Eof { Fault::BlobEntry } else { fault }
}

/// The records of a compressed blob, whose opcode stands at `offset` and has been read.
///
/// # Errors
/// [`Fault::Limit`] for one that is too long, [`Fault::Frame`] for one that does not inflate.
pub(crate) fn inflated_blob<S: Keep>(source: &mut S, code: u8, offset: u64) -> Result<Vec<u8>, Trouble> {
    let part = Part::CompressedBlob;
    let claim = source.parse(part, length)?;
    let trouble = |fault| Trouble { offset, fault, part, claim };
    if claim > BLOB_BYTES_MAX {
        return Err(trouble(Fault::Limit));
    }
    source.keep(part, claim)?;
    let mut inflated = Vec::new();
    crate::input::inflate_frame(code == opcode::BLOB_LZ4, source.kept(), BLOB_BYTES_MAX + 1, &mut inflated)
        .map_err(|_| trouble(Fault::Frame))?;
    if inflated.len() as u64 > BLOB_BYTES_MAX {
        return Err(trouble(Fault::Limit));
    }
    Ok(inflated)
}

/// The opcode, a stream's number, a size, and so many bytes of that stream.
fn chunk<'s, S: Keep, G: Gather + 's>(
    source: &mut S,
    found: &mut Gathered<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Result<(), Trouble> {
    let part = Part::TaggedChunk;
    let offset = source.offset();
    source.parse(part, byte)?;
    let number = source.parse(part, u32_le)?;
    let mut left = u64::from(source.parse(part, u32_le)?);
    while left > 0 {
        let step = left.min(STEP_BYTES);
        source.keep(part, step)?;
        let fed = streams.feed((number, offset), source.kept(), found);
        fed.map_err(|fault| Trouble { offset, fault, part, claim: number.into() })?;
        left -= step;
    }
    Ok(())
}

/// The streams of tagged chunks that are inside an entry, by number.
struct Streams<'s, 'e, G> {
    scope: &'s Scope<'s, 'e>,
    context: &'s Context,
    open: BTreeMap<u32, Stream<'s, G>>,
    is_in_blob: bool,
}

struct Stream<'s, G> {
    /// Offset of its first chunk.
    offset: u64,
    chunks: SyncSender<Vec<u8>>,
    /// Whether the last chunk ended inside an entry.
    states: Receiver<bool>,
    scan: ScopedJoinHandle<'s, (Gathered<G>, Result<(), Fault>)>,
}

impl<'s, G: Gather + 's> Streams<'s, '_, G> {
    /// Hands bytes, of a chunk at this offset, to the stream of this number and waits until they are read; a stream whose entry ends with them is
    /// closed, and what it found taken over.
    fn feed(&mut self, (number, offset): (u32, u64), bytes: &[u8], found: &mut Gathered<G>) -> Result<(), Fault> {
        let stream = match self.open.remove(&number) {
            Some(stream) => stream,
            None if self.open.len() >= STREAMS_MAX => return Err(Fault::Limit),
            None => self.start(offset, found),
        };
        // A scan that has ended says why when it is closed.
        let is_inside = stream.chunks.send(bytes.to_vec()).is_ok() && stream.states.recv().unwrap_or(false);
        if !is_inside {
            return close(stream, found);
        }
        self.open.insert(number, stream);
        Ok(())
    }

    fn start(&self, offset: u64, found: &Gathered<G>) -> Stream<'s, G> {
        let (chunks, received) = sync_channel(1);
        let (states_sent, states) = sync_channel(1);
        let context = self.context;
        let mut part = found.empty(found.gathered.db());
        let scan = self.scope.spawn(move || {
            let scanned = scan_stream(&mut Chunked::new(received, states_sent), context, &mut part);
            (part, scanned)
        });
        // It says that it waits for its first chunk.
        _ = states.recv();
        Stream { offset, chunks, states, scan }
    }

    /// Closes the streams whose entries have no end.
    fn finish(self, found: &mut Gathered<G>) -> Result<(), Trouble> {
        let mut first = Ok(());
        for (number, stream) in self.open {
            let offset = stream.offset;
            let closed = close(stream, found);
            let trouble = |fault| Trouble { offset, fault, part: Part::TaggedChunk, claim: number.into() };
            first = first.and(closed.map_err(|fault| trouble(within(fault))));
        }
        first
    }
}

/// Ends a stream and takes over what it found.
fn close<G: Gather>(stream: Stream<'_, G>, found: &mut Gathered<G>) -> Result<(), Fault> {
    let Stream { chunks, states, scan, .. } = stream;
    drop((chunks, states));
    let Ok((part, scanned)) = scan.join() else { return Err(Fault::Read) };
    let db = found.gathered.db();
    found.merge(part)?;
    if let Some(db) = db {
        found.gathered.select(db);
    }
    scanned
}

/// Scans the records of one stream until it ends, which it may only between two of them.
fn scan_stream<G: Gather>(source: &mut Chunked, context: &Context, found: &mut Gathered<G>) -> Result<(), Fault> {
    loop {
        source.is_inside = false;
        match source.parse(Part::Opcode, |i| byte(i).map(|(_, first)| (i, first))) {
            Ok(_) => {}
            Err(Trouble { fault: Fault::Eof, .. }) => return Ok(()),
            Err(trouble) => return Err(trouble.fault),
        }
        source.is_inside = true;
        match found.record(source, context) {
            None => {}
            // The dump's own end lies in no chunk.
            Some(Ok(_)) => return Err(Fault::Flag),
            Some(Err(damage)) => return Err(damage.trouble.fault),
        }
    }
}
