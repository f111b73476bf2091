//! A window over a stream: the source for pipes and compressed files.
//!
//! A thread of its own reads (and inflates) into chunks, a few ahead; the window holds one chunk, and in front of it what
//! a word needs of the chunk before. Skipped bytes are dropped, so a value of any size passes through. The checksum is
//! taken over each byte as it leaves.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::rdb::checksum::Checksum;
use crate::rdb::primitives::Parsed;
use crate::rdb::source::{KeepsKey, Source, kind_of};
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// Bytes of a window. With 64 KiB, tiny keys took a fifth longer; with 1 MiB, packed collections took a third longer.
pub(super) const WINDOW_BYTES: usize = 256 << 10;

/// Chunks that may wait between the reader and the scan: enough that neither waits for the other's every turn, and few
/// enough to stay in cache.
const CHUNKS_AHEAD: usize = 4;

/// How long to wait for a chunk before asking whether to wait on: what a person takes for at once.
const PATIENCE: Duration = Duration::from_millis(50);

/// A stream seen through a window.
pub(crate) struct Window {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// Whether the scan has nothing to do before the next chunk comes.
    is_waiting: Arc<AtomicBool>,
    /// Where used chunks go back to the reader.
    used: SyncSender<Vec<u8>>,
    buffer: Vec<u8>,
    at: usize,
    /// Offset of the buffer's first byte.
    start: u64,
    ended: bool,
    /// How many of the buffer's bytes the checksum has.
    summed: usize,
    checksum: Option<Checksum>,
    /// Offset behind the last byte that the checksum is to have.
    sum_until: u64,
    kept: KeyBytes,
    /// Why the stream could not be read to its end.
    pub(crate) error: Option<io::Error>,
    /// Called with each new chunk, and again and again while none comes; false ends the stream.
    goes_on: Box<dyn FnMut() -> bool>,
}

/// The bytes that were kept last: still in the buffer, or copied when it moved on.
enum KeyBytes {
    InBuffer(Range<usize>),
    Copied(Vec<u8>),
}

impl Window {
    /// Starts to read `reader`, which gives `burst_bytes` at a time, in chunks of `chunk_bytes`.
    pub(crate) fn new(
        reader: Box<dyn Read + Send>,
        burst_bytes: usize,
        chunk_bytes: usize,
        verify: bool,
        goes_on: Box<dyn FnMut() -> bool>,
    ) -> io::Result<Self> {
        let chunks_ahead = CHUNKS_AHEAD + burst_bytes.div_ceil(chunk_bytes);
        let (filled, chunks) = sync_channel(chunks_ahead);
        let (used, empty) = sync_channel(chunks_ahead);
        let is_waiting = Arc::<AtomicBool>::default();
        let is_waited_for = is_waiting.clone();
        // Not joined: where a scan ends early the thread may wait for a pipe that never gives another byte. It ends
        // with its next chunk, or with the process.
        std::thread::Builder::new()
            .name("bigkeys-read".to_owned())
            .spawn(move || read_chunks(reader, chunk_bytes, &is_waited_for, &filled, &empty))?;
        Ok(Self {
            chunks,
            is_waiting,
            used,
            buffer: Vec::new(),
            at: 0,
            start: 0,
            ended: false,
            summed: 0,
            checksum: verify.then(Checksum::default),
            sum_until: u64::MAX,
            kept: KeyBytes::Copied(Vec::new()),
            error: None,
            goes_on,
        })
    }

    /// The same window over a stream that begins at a range's start; the checksum is that of the range, once it was passed.
    pub(super) fn of_range(self, range: Range<u64>) -> Self {
        Self { start: range.start, sum_until: range.end, ..self }
    }

    /// Steps over what comes before an offset, or over all there is.
    pub(super) fn pass_to(&mut self, offset: u64) {
        // Where the bytes end before it, whoever reads on meets their end.
        _ = self.skip(FormatElement::Opcode, offset.saturating_sub(self.offset()));
    }

    /// Offset behind the last byte that has come.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    /// The checksum of all bytes before the next one, if it is computed.
    pub(crate) fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.checksum.as_ref().map(Checksum::value)
    }

    /// Hands what is left of the stream to `look`, piece by piece, and says how many bytes that was.
    pub(crate) fn drain(&mut self, mut look: impl FnMut(&[u8])) -> u64 {
        let from = self.offset();
        loop {
            look(self.ahead());
            self.at = self.buffer.len();
            if !self.more() {
                break;
            }
        }
        self.end() - from
    }

    fn sum(&mut self) {
        if let Some(checksum) = &mut self.checksum {
            let until = usize::try_from(self.sum_until.saturating_sub(self.start)).unwrap_or(usize::MAX);
            checksum.update(self.buffer.get(self.summed..self.at.min(until)).unwrap_or_default());
        }
        self.summed = self.at;
    }

    /// Fetches a chunk and puts it behind the bytes ahead; false at the stream's end.
    fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.is_waiting.store(true, Ordering::Relaxed);
        let received = loop {
            match self.chunks.recv_timeout(PATIENCE) {
                Err(RecvTimeoutError::Timeout) if (self.goes_on)() => {}
                received => break received,
            }
        };
        self.is_waiting.store(false, Ordering::Relaxed);
        let chunk = match received {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => {
                self.error = Some(error);
                self.ended = true;
                return false;
            }
            Err(_) => {
                self.ended = true;
                return false;
            }
        };
        self.sum();
        if let KeyBytes::InBuffer(range) = &self.kept {
            self.kept = KeyBytes::Copied(self.buffer.get(range.clone()).unwrap_or_default().to_vec());
        }
        self.start += self.at as u64;
        if self.at == self.buffer.len() {
            let used = std::mem::replace(&mut self.buffer, chunk);
            // A reader that has ended needs no buffers any more.
            _ = self.used.try_send(used);
        } else {
            self.buffer.drain(..self.at);
            self.buffer.extend_from_slice(&chunk);
            _ = self.used.try_send(chunk);
        }
        self.at = 0;
        self.summed = 0;
        self.ended = !(self.goes_on)();
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
                return Err(ParseError { offset, kind: self.fault_at_end(), element, declared: bytes });
            }
        }
    }

    fn fault_at_end(&self) -> ParseErrorKind {
        if self.error.is_some() { ParseErrorKind::Read } else { ParseErrorKind::Eof }
    }
}

impl Source for Window {
    #[inline]
    fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    #[inline]
    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        loop {
            match parser(self.ahead()) {
                Ok((rest, value)) => {
                    self.at = self.buffer.len() - rest.len();
                    return Ok(value);
                }
                Err(error) => match kind_of(&error) {
                    ParseErrorKind::Eof if self.more() => {}
                    ParseErrorKind::Eof => return Err(self.error(element, self.fault_at_end(), 0)),
                    kind => return Err(self.error(element, kind, 0)),
                },
            }
        }
    }

    #[inline]
    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        if bytes <= self.ahead().len() as u64 {
            self.at += usize::try_from(bytes).unwrap_or(0);
            return Ok(());
        }
        self.pass(element, bytes, |_| {})
    }
}

impl KeepsKey for Window {
    #[inline]
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        if bytes <= self.ahead().len() as u64 {
            let start = self.at;
            self.at += usize::try_from(bytes).unwrap_or(0);
            self.kept = KeyBytes::InBuffer(start..self.at);
            return Ok(());
        }
        let mut kept = Vec::new();
        self.pass(element, bytes, |segment_scan| kept.extend_from_slice(segment_scan))?;
        self.kept = KeyBytes::Copied(kept);
        Ok(())
    }

    fn kept(&self) -> &[u8] {
        match &self.kept {
            KeyBytes::InBuffer(range) => self.buffer.get(range.clone()).unwrap_or_default(),
            KeyBytes::Copied(kept) => kept,
        }
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }
}

fn read_chunks(
    mut reader: Box<dyn Read + Send>,
    chunk_bytes: usize,
    is_waited_for: &AtomicBool,
    filled: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        // A chunk that comes back is overwritten as it is: zeroing it each time took 8 % of reading LZ4.
        chunk.resize(chunk_bytes, 0);
        let (bytes, error) = fill(&mut reader, &mut chunk, is_waited_for);
        chunk.truncate(bytes);
        // A chunk may be short because the scan waits for it; only an empty one is the end.
        let is_last = bytes == 0 || error.is_some();
        // Where nobody waits any more, the scan has ended. What came before an error is still worth reading.
        if filled.send(Ok(chunk)).is_err() || error.is_some_and(|error| filled.send(Err(error)).is_err()) || is_last {
            return;
        }
    }
}

/// Reads until `chunk` is full or the scan waits for it, or until the reader ends or fails; returns how many bytes came.
fn fill(reader: &mut impl Read, chunk: &mut [u8], is_waited_for: &AtomicBool) -> (usize, Option<io::Error>) {
    let mut bytes = 0;
    while let Some(rest) = chunk.get_mut(bytes..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => {
                bytes += read;
                // A slow pipe may take long to fill the rest, or for ever.
                if is_waited_for.load(Ordering::Relaxed) {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::checksum;
    use crate::rdb::primitives::{array, byte};

    fn window(bytes: &[u8], chunk_bytes: usize) -> Window {
        let reader = Box::new(io::Cursor::new(bytes.to_vec()));
        Window::new(reader, 0, chunk_bytes, true, Box::new(|| true)).unwrap()
    }

    #[test]
    fn words_that_lie_across_chunks() {
        let bytes: Vec<u8> = (0..200).collect();
        for chunk_bytes in 1..20 {
            let mut window = window(&bytes, chunk_bytes);
            let mut at = 0;
            while at + 12 <= bytes.len() {
                assert_eq!(window.offset(), at as u64);
                assert_eq!(window.parse(FormatElement::Key, array::<5>).unwrap(), bytes[at..at + 5]);
                window.keep(FormatElement::Key, 4).unwrap();
                window.skip(FormatElement::Key, 3).unwrap();
                assert_eq!(window.kept(), &bytes[at + 5..at + 9]);
                at += 12;
            }
            assert_eq!(window.checksum(), Some(checksum::of(&bytes[..at])));
            assert_eq!(window.skip(FormatElement::Key, 9).unwrap_err().kind, ParseErrorKind::Eof);
            assert_eq!(window.parse(FormatElement::Key, byte).unwrap_err().kind, ParseErrorKind::Eof);
            assert_eq!(window.end(), bytes.len() as u64);
        }
    }
}
