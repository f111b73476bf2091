//! A reader whose next bytes can be looked at before they are taken.

use std::io::{self, BufRead, Read};

/// Bytes that are asked of the reader at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// A reader, and bytes of it that nobody has taken yet.
#[derive(Default)]
pub(super) struct Ahead {
    /// None stands for a reader that has ended.
    reader: Option<Box<dyn Read + Send>>,
    buffer: Vec<u8>,
    at: usize,
    /// Whether somebody asked for bytes after the last one.
    pub(super) is_exhausted: bool,
}

impl Ahead {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader: Some(reader), ..Self::default() }
    }

    /// The next `bytes` bytes, or as many as there are, without taking them.
    pub(super) fn peek(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.ahead().len() < bytes && self.more()? {}
        let ahead = self.ahead();
        Ok(ahead.get(..bytes).unwrap_or(ahead))
    }

    /// The `bytes` bytes that begin `at` bytes ahead, or as many as come before the end, or before a failure, which is left for
    /// whoever takes the bytes before it.
    pub(super) fn look(&mut self, at: usize, bytes: usize) -> &[u8] {
        if let Err(error) = self.peek(at.saturating_add(bytes)) {
            self.reader = Some(Box::new(Failed(Some(error))));
        }
        let ahead = self.ahead().get(at..).unwrap_or_default();
        ahead.get(..bytes).unwrap_or(ahead)
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Reads more bytes; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK_BYTES, 0);
        let read = loop {
            match reader.read(self.buffer.get_mut(before..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

impl Read for Ahead {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.read(to)?;
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.is_exhausted |= self.peek(1)?.is_empty();
        Ok(self.ahead())
    }

    fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.buffer.len());
    }
}

/// A reader that fails, and then has ended.
pub(super) struct Failed(pub(super) Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
