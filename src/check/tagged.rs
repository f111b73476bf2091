//! Keys in Dragonfly's tagged chunks, which come in pieces between other records: each stream of chunks is walked on a
//! thread of its own, and what it finds goes to the sink of the whole dump as soon as a piece has been read.

use std::sync::{Arc, Mutex, PoisonError};

use super::record::{Key, Record, Sink, What};
use crate::engine::chunked::Chunked;
use crate::engine::tagged::{self, Chunk};
use crate::rdb::{Context, ModuleId, ParseError, ParseErrorKind, ValueType};

/// The streams of tagged chunks, and what was found in them and has not gone to the sink.
pub(super) struct Streams<'s, 'e> {
    tagged: tagged::Streams<'s, 'e, Result<(), ParseErrorKind>>,
    found: FoundRecords,
}

/// A piece of a chunk, 64 KiB at most, adds to it; it is emptied after each.
type FoundRecords = Arc<Mutex<Vec<Owned>>>;

/// A record of a stream. Of its place there is no more than that of the stream's first chunk.
struct Owned {
    first: Chunk,
    db: u64,
    key: Option<OwnedKey>,
    flaws: Vec<ParseError>,
}

struct OwnedKey {
    is_oversized: bool,
    name: Vec<u8>,
    value_type: ValueType,
    module: Option<ModuleId>,
    expires_at_ms: Option<i64>,
}

/// What lies around a chunk.
pub(super) struct Around<'c> {
    pub(super) context: &'c Context,
    pub(super) db: u64,
    /// Where the records before it end.
    pub(super) end: u64,
}

impl Around<'_> {
    fn give(
        &self,
        start: u64,
        what: What<'_>,
        flaws: &[ParseError],
        sink: &mut impl Sink,
    ) -> Result<(), ParseErrorKind> {
        sink.record(self.context, &Record { span: start..self.end, what, flaws })
    }
}

impl<'s, 'e> Streams<'s, 'e> {
    pub(super) fn new(tagged: tagged::Streams<'s, 'e, Result<(), ParseErrorKind>>) -> Self {
        Self { tagged, found: FoundRecords::default() }
    }

    /// Hands bytes to their stream, which is read as `read` says if they are its first ones, and what is found in them to
    /// `sink`.
    ///
    /// # Errors
    /// The fault that ends the stream, or what `sink` says.
    pub(super) fn feed<R>(
        &mut self,
        (chunk, bytes): (Chunk, &[u8]),
        around: &Around<'_>,
        read: impl FnOnce() -> R,
        sink: &mut impl Sink,
    ) -> Result<(), ParseErrorKind>
    where
        R: FnMut(&mut Chunked, &mut StreamSink) -> Result<(), ParseErrorKind> + Send + 's,
    {
        let ended = self.tagged.feed(chunk, bytes, || {
            let mut read = read();
            let mut sink = StreamSink { first: chunk, db: around.db, found: self.found.clone() };
            move |mut source: Chunked| source.each_record(|source| read(source, &mut sink))
        })?;
        self.hand_on(around, sink)?;
        ended.unwrap_or(Ok(()))
    }

    fn hand_on(&mut self, around: &Around<'_>, sink: &mut impl Sink) -> Result<(), ParseErrorKind> {
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        let mut current_db = around.db;
        for Owned { first, db, key, flaws } in found {
            if std::mem::replace(&mut current_db, db) != db {
                around.give(first.offset, What::SelectDb(db), &[], sink)?;
            }
            let what = match &key {
                Some(key) => What::Key(Key {
                    name: &key.name,
                    is_oversized: key.is_oversized,
                    value_type: key.value_type,
                    module: key.module,
                    expires_at_ms: key.expires_at_ms,
                    apart: &[],
                }),
                None => What::TaggedChunk,
            };
            around.give(first.offset, what, &flaws, sink)?;
        }
        if current_db == around.db { Ok(()) } else { around.give(around.end, What::SelectDb(around.db), &[], sink) }
    }

    /// Ends the streams whose entries have no end.
    ///
    /// # Errors
    /// The first of these.
    pub(super) fn finish(self) -> Result<(), ParseError> {
        let mut first = Ok(());
        for (chunk, ended) in self.tagged.finish() {
            first = first.and(ended.and_then(|ended| ended).map_err(|kind| chunk.error(kind)));
        }
        first
    }
}

/// The sink of a stream's walk.
pub(super) struct StreamSink {
    first: Chunk,
    db: u64,
    found: FoundRecords,
}

impl Sink for StreamSink {
    fn record(&mut self, _context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        let key = match &record.what {
            What::Key(key) => Some(OwnedKey {
                is_oversized: key.is_oversized,
                name: key.name.to_vec(),
                value_type: key.value_type,
                module: key.module,
                expires_at_ms: key.expires_at_ms,
            }),
            What::SelectDb(db) => {
                self.db = *db;
                None
            }
            _ => None,
        };
        if key.is_some() || !record.flaws.is_empty() {
            // A place in a stream is no place in the dump.
            let flaws = record.flaws.iter().map(|flaw| ParseError { offset: self.first.offset, ..*flaw }).collect();
            let owned = Owned { first: self.first, db: self.db, key, flaws };
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push(owned);
        }
        Ok(())
    }
}
