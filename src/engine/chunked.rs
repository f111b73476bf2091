//! A stream of records that comes in chunks, between other records: a source on a thread of its own, which stands still
//! until it is handed the next chunk and says each time whether a record has been cut.

use std::sync::mpsc::{Receiver, SyncSender};

use crate::rdb::primitives::Parsed;
use crate::rdb::source::{KeepsKey, Source, kind_of};
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// Bytes that come in chunks.
pub(crate) struct Chunked {
    chunks: Receiver<Vec<u8>>,
    /// Where it is told, whenever a chunk is waited for, whether the bytes so far end inside a record.
    states: SyncSender<bool>,
    pub(super) is_inside: bool,
    buffer: Vec<u8>,
    at: usize,
    /// Offset of the buffer's first byte in the stream.
    start: u64,
    kept: Vec<u8>,
}

impl Chunked {
    pub(super) fn new(chunks: Receiver<Vec<u8>>, states: SyncSender<bool>) -> Self {
        Self { chunks, states, is_inside: false, buffer: Vec::new(), at: 0, start: 0, kept: Vec::new() }
    }

    /// Waits for the next chunk; false if there is none.
    fn more(&mut self) -> bool {
        if self.states.send(self.is_inside).is_err() {
            return false;
        }
        let Ok(chunk) = self.chunks.recv() else { return false };
        self.start += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(&chunk);
        true
    }

    /// Steps over `bytes` bytes and hands them to `take` piece by piece.
    fn pass(&mut self, element: FormatElement, bytes: u64, mut take: impl FnMut(&[u8])) -> Result<(), ParseError> {
        let offset = self.offset();
        let mut left = bytes;
        loop {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(self.ahead().len());
            take(self.ahead().get(..step).unwrap_or_default());
            self.at += step;
            left -= step as u64;
            if left == 0 {
                return Ok(());
            }
            if !self.more() {
                return Err(ParseError { offset, kind: ParseErrorKind::Eof, element, declared: bytes });
            }
        }
    }
}

impl Source for Chunked {
    fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        loop {
            match parser(self.ahead()) {
                Ok((rest, value)) => {
                    self.at = self.buffer.len() - rest.len();
                    return Ok(value);
                }
                Err(error) => match kind_of(&error) {
                    ParseErrorKind::Eof if self.more() => {}
                    kind => return Err(self.error(element, kind, 0)),
                },
            }
        }
    }

    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        self.pass(element, bytes, |_| {})
    }
}

impl KeepsKey for Chunked {
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        let passed = self.pass(element, bytes, |segment_scan| kept.extend_from_slice(segment_scan));
        self.kept = kept;
        passed
    }

    fn kept(&self) -> &[u8] {
        &self.kept
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }
}
