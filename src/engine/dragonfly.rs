//! The scan over a dump of Dragonfly: records may lie in compressed blobs, and one entry may be cut into tagged chunks
//! that lie between others (format section 14).
//!
//! A blob is inflated whole, since servers make them of a megabyte.

use std::sync::{Arc, Mutex, PoisonError};

use super::accumulated::{Accumulated, Stop};
use super::chunked::Chunked;
use super::tagged::{self, Chunk, within};
use crate::analysis::accumulator::Accumulator;
use crate::rdb::dragonfly::opcode;
use crate::rdb::primitives::{byte, length};
use crate::rdb::record::skip_between;
use crate::rdb::source::{KeepsKey, Slice};
use crate::rdb::types::opcode::{AUX, RESIZE_DB};
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind};

/// A blob longer than this, stored or inflated, is refused; servers make them of a mebibyte at most.
const BLOB_BYTES_MAX: u64 = 16 << 20;

/// Scans to the end or to damage.
pub(super) fn scan<S: KeepsKey, G: Accumulator>(source: &mut S, context: &Context, found: &mut Accumulated<G>) -> Stop {
    std::thread::scope(|scope| {
        let tagged = tagged::Streams::new(scope);
        let mut streams = Streams { tagged, context, is_in_blob: false, spilled: Arc::default() };
        let stop = records(source, context, found, &mut streams);
        // The whole dump's damage is told first; that of a stream may have followed from it.
        let finished = streams.finish(found);
        match stop {
            Some(Ok(end)) => finished.map(|()| end).map_err(Into::into),
            Some(damaged) => damaged,
            None => Err(source.error(FormatElement::Opcode, ParseErrorKind::Eof, 0).into()),
        }
    })
}

/// Reads records to the end or to damage; `None` where the bytes end between two of them.
fn records<'s, S: KeepsKey, G: Accumulator + 's>(
    source: &mut S,
    context: &'s Context,
    found: &mut Accumulated<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Option<Stop> {
    loop {
        let next = source.parse(FormatElement::Opcode, |i| byte(i).map(|(_, code)| (i, code)));
        let code = match next {
            Ok(code) => code,
            Err(ParseError { kind: ParseErrorKind::Eof, .. }) => return None,
            Err(error) => return Some(Err(error.into())),
        };
        let passed = match code {
            opcode::BLOB_ZSTD | opcode::BLOB_LZ4 => blob(source, code, context, found, streams),
            opcode::TAGGED_CHUNK => chunk(source, found, streams),
            // A scan of other dumps reads on behind these for a key; here a blob or a chunk may follow.
            RESIZE_DB | AUX | opcode::FULLSYNC_END | opcode::JOURNAL_BLOB | opcode::JOURNAL_OFFSET => {
                source.parse(FormatElement::Opcode, byte).and_then(|code| skip_between(source, context, code))
            }
            _ => match found.record(source, context) {
                Some(stop) => return Some(stop),
                None => Ok(()),
            },
        };
        if let Err(error) = passed {
            return Some(Err(error.into()));
        }
    }
}

/// The opcode, a length, and a compressed frame of records.
fn blob<'s, S: KeepsKey, G: Accumulator + 's>(
    source: &mut S,
    code: u8,
    context: &'s Context,
    found: &mut Accumulated<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Result<(), ParseError> {
    let offset = source.offset();
    let element = FormatElement::CompressedBlob;
    source.parse(element, byte)?;
    let inflated = inflated_blob(source, code, offset)?;
    let error = |kind| ParseError { offset, kind, element, declared: code.into() };
    // Servers put no blob into another; each would be held while the next is inflated.
    if std::mem::replace(&mut streams.is_in_blob, true) {
        return Err(error(ParseErrorKind::Flag));
    }
    let read = records(&mut Slice::at(&inflated, offset), context, found, streams);
    streams.is_in_blob = false;
    match read {
        None => Ok(()),
        Some(Ok(_)) => Err(error(ParseErrorKind::Flag)),
        Some(Err(damage)) => Err(in_blob(offset, damage.error)),
    }
}

/// A trouble among the records of the blob at `offset`: a place in what is inflated is no place in the dump.
pub(crate) fn in_blob(offset: u64, error: ParseError) -> ParseError {
    ParseError { offset, kind: within(error.kind), element: FormatElement::CompressedBlob, ..error }
}

/// The records of a compressed blob, whose opcode stands at `offset` and has been read.
///
/// # Errors
/// [`ParseErrorKind::Limit`] for one that is too long, [`ParseErrorKind::Frame`] for one that does not inflate.
pub(crate) fn inflated_blob<S: KeepsKey>(source: &mut S, code: u8, offset: u64) -> Result<Vec<u8>, ParseError> {
    let element = FormatElement::CompressedBlob;
    let declared = source.parse(element, length)?;
    let error = |kind| ParseError { offset, kind, element, declared };
    if declared > BLOB_BYTES_MAX {
        return Err(error(ParseErrorKind::Limit));
    }
    source.keep(element, declared)?;
    let mut inflated = Vec::new();
    crate::input::inflate_frame(code == opcode::BLOB_LZ4, source.kept(), BLOB_BYTES_MAX + 1, &mut inflated)
        .map_err(|_| error(ParseErrorKind::Frame))?;
    if inflated.len() as u64 > BLOB_BYTES_MAX {
        return Err(error(ParseErrorKind::Limit));
    }
    Ok(inflated)
}

/// The opcode and a chunk.
fn chunk<'s, S: KeepsKey, G: Accumulator + 's>(
    source: &mut S,
    found: &mut Accumulated<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Result<(), ParseError> {
    let offset = source.offset();
    source.parse(FormatElement::TaggedChunk, byte)?;
    tagged::chunk(source, offset, |chunk, bytes| streams.feed(chunk, bytes, found))
}

/// The streams of tagged chunks, and what their scans find.
struct Streams<'s, 'e, G> {
    tagged: tagged::Streams<'s, 'e, (Accumulated<G>, Result<(), ParseErrorKind>)>,
    context: &'s Context,
    is_in_blob: bool,
    /// What was found in streams that go on, so that each of them holds little.
    spilled: Spilled<G>,
}

type Spilled<G> = Arc<Mutex<Vec<Accumulated<G>>>>;

impl<'s, G: Accumulator + 's> Streams<'s, '_, G> {
    /// Hands bytes to their stream; of one whose entry ends with them, what it found is taken over.
    fn feed(&mut self, chunk: Chunk, bytes: &[u8], found: &mut Accumulated<G>) -> Result<(), ParseErrorKind> {
        let context = self.context;
        let ended = self.tagged.feed(chunk, bytes, || {
            let mut part = found.empty(found.accumulated.db());
            let spilled = self.spilled.clone();
            move |mut source: Chunked| {
                let scanned = scan_stream(&mut source, context, &mut part, &spilled);
                (part, scanned)
            }
        })?;
        let spilled = std::mem::take(&mut *self.spilled.lock().unwrap_or_else(PoisonError::into_inner));
        for part in spilled {
            take_over((part, Ok(())), found)?;
        }
        ended.map_or(Ok(()), |ended| take_over(ended, found))
    }

    /// Closes the streams whose entries have no end.
    fn finish(self, found: &mut Accumulated<G>) -> Result<(), ParseError> {
        let mut first = Ok(());
        for (chunk, ended) in self.tagged.finish() {
            let taken_over = ended.and_then(|ended| take_over(ended, found));
            first = first.and(taken_over.map_err(|kind| chunk.error(kind)));
        }
        first
    }
}

/// Takes over what was found in a stream.
fn take_over<G: Accumulator>(
    (part, scanned): (Accumulated<G>, Result<(), ParseErrorKind>),
    found: &mut Accumulated<G>,
) -> Result<(), ParseErrorKind> {
    let db = found.accumulated.db();
    found.merge(part)?;
    if let Some(db) = db {
        found.accumulated.select(db);
    }
    scanned
}

fn scan_stream<G: Accumulator>(
    source: &mut Chunked,
    context: &Context,
    found: &mut Accumulated<G>,
    spilled: &Spilled<G>,
) -> Result<(), ParseErrorKind> {
    source.each_record(|source| match found.record(source, context) {
        None => {
            if found.held_bytes() > G::PIECE_HELD_BYTES_MAX / 16 {
                let next = found.empty(found.accumulated.db());
                let full = std::mem::replace(found, next);
                spilled.lock().unwrap_or_else(PoisonError::into_inner).push(full);
            }
            Ok(())
        }
        // The dump's own end lies in no chunk.
        Some(Ok(_)) => Err(ParseErrorKind::Flag),
        Some(Err(damage)) => Err(damage.error.kind),
    })
}
