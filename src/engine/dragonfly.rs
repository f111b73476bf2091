//! The scan over a dump of Dragonfly: records may lie in compressed blobs, and one entry may be cut into tagged chunks
//! that lie between others (format section 14).
//!
//! A blob is inflated whole, since servers make them of a megabyte.

use super::chunked::Chunked;
use super::gathered::Gathered;
use super::scan::Stop;
use super::tagged::{self, Chunk};
use crate::analysis::gather::Gather;
use crate::rdb::dragonfly::opcode;
use crate::rdb::primitives::{byte, length};
use crate::rdb::record::skip_between;
use crate::rdb::source::{Keep, Slice};
use crate::rdb::types::opcode::{AUX, RESIZE_DB};
use crate::rdb::{Context, Fault, Part, Trouble};

/// A blob longer than this, stored or inflated, is refused; servers make them of a mebibyte at most.
const BLOB_BYTES_MAX: u64 = 16 << 20;

/// Scans to the end or to damage.
pub(super) fn scan<S: Keep, G: Gather>(source: &mut S, context: &Context, found: &mut Gathered<G>) -> Stop {
    std::thread::scope(|scope| {
        let mut streams = Streams { tagged: tagged::Streams::new(scope), context, is_in_blob: false };
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
            // A scan of other dumps reads on behind these for a key; here a blob or a chunk may follow.
            RESIZE_DB | AUX | opcode::FULLSYNC_END | opcode::JOURNAL_BLOB | opcode::JOURNAL_OFFSET => {
                source.parse(Part::Opcode, byte).and_then(|code| skip_between(source, context, code))
            }
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
pub(super) fn within(fault: Fault) -> Fault {
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

/// The opcode and a chunk.
fn chunk<'s, S: Keep, G: Gather + 's>(
    source: &mut S,
    found: &mut Gathered<G>,
    streams: &mut Streams<'s, '_, G>,
) -> Result<(), Trouble> {
    let offset = source.offset();
    source.parse(Part::TaggedChunk, byte)?;
    tagged::chunk(source, offset, |chunk, bytes| streams.feed(chunk, bytes, found))
}

/// The streams of tagged chunks, and what their scans find.
struct Streams<'s, 'e, G> {
    tagged: tagged::Streams<'s, 'e, (Gathered<G>, Result<(), Fault>)>,
    context: &'s Context,
    is_in_blob: bool,
}

impl<'s, G: Gather + 's> Streams<'s, '_, G> {
    /// Hands bytes to their stream; of one whose entry ends with them, what it found is taken over.
    fn feed(&mut self, chunk: Chunk, bytes: &[u8], found: &mut Gathered<G>) -> Result<(), Fault> {
        let context = self.context;
        let ended = self.tagged.feed(chunk, bytes, || {
            let mut part = found.empty(found.gathered.db());
            move |mut source: Chunked| {
                let scanned = scan_stream(&mut source, context, &mut part);
                (part, scanned)
            }
        })?;
        ended.map_or(Ok(()), |ended| take_over(ended, found))
    }

    /// Closes the streams whose entries have no end.
    fn finish(self, found: &mut Gathered<G>) -> Result<(), Trouble> {
        let mut first = Ok(());
        for (chunk, ended) in self.tagged.finish() {
            let taken_over = ended.and_then(|ended| take_over(ended, found));
            first = first.and(taken_over.map_err(|fault| chunk.trouble(fault)));
        }
        first
    }
}

/// Takes over what was found in a stream.
fn take_over<G: Gather>(
    (part, scanned): (Gathered<G>, Result<(), Fault>),
    found: &mut Gathered<G>,
) -> Result<(), Fault> {
    let db = found.gathered.db();
    found.merge(part)?;
    if let Some(db) = db {
        found.gathered.select(db);
    }
    scanned
}

fn scan_stream<G: Gather>(source: &mut Chunked, context: &Context, found: &mut Gathered<G>) -> Result<(), Fault> {
    source.each_record(|source| match found.record(source, context) {
        None => Ok(()),
        // The dump's own end lies in no chunk.
        Some(Ok(_)) => Err(Fault::Flag),
        Some(Err(damage)) => Err(damage.trouble.fault),
    })
}
