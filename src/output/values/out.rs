//! Bytes on their way out: handed on as they become many, or held until the piece that they are in is joined.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where bytes go, in their order.
pub type Drain<'o> = Arc<Mutex<dyn FnMut(&[u8]) + Send + 'o>>;

/// So many bytes are handed on at once.
const HANDED_BYTES: usize = 256 << 10;

/// A piece that holds more is given up.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Long texts are written in parts of so many bytes. Base64 takes three bytes at a time.
pub(super) const PART_BYTES: usize = 3 << 14;

/// Bytes on their way out.
#[derive(Clone)]
pub(super) struct Out<'o> {
    pub(super) bytes: Vec<u8>,
    /// Offsets where the number of the database belongs.
    pub(super) places: Vec<usize>,
    /// None in a piece that is joined later.
    drain: Option<Drain<'o>>,
    pub(super) is_over: bool,
    held_bytes_max: usize,
}

impl<'o> Out<'o> {
    pub(super) fn new(drain: Option<Drain<'o>>) -> Self {
        Self { bytes: Vec::new(), places: Vec::new(), drain, is_over: false, held_bytes_max: HELD_BYTES_MAX }
    }

    /// A place for parts that are bounded by what they are made of, such as a key's name.
    pub(super) fn scratch() -> Self {
        Self { held_bytes_max: usize::MAX, ..Self::new(None) }
    }

    /// An empty one that hands its bytes on as this one does.
    pub(super) fn following(&self) -> Self {
        Self::new(self.drain.clone())
    }

    pub(super) fn is_piece(&self) -> bool {
        self.drain.is_none()
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.put(itoa::Buffer::new().format(number).as_bytes());
    }

    /// The number of a key's database, now or when it is known.
    pub(super) fn db(&mut self, db: Option<u64>) {
        match db {
            Some(db) => self.number(db),
            None => self.places.push(self.bytes.len()),
        }
    }

    /// Bytes as they are, however many.
    pub(super) fn put_long(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(PART_BYTES) {
            self.put(part);
            self.room();
        }
    }

    /// Makes room: hands bytes on if there are many, or gives up a piece that has too many.
    #[inline]
    pub(super) fn room(&mut self) {
        if self.bytes.len() >= HANDED_BYTES {
            self.make_room();
        }
    }

    #[cold]
    fn make_room(&mut self) {
        if !self.is_piece() {
            self.flush();
        } else if self.is_over || self.held_bytes() > self.held_bytes_max as u64 {
            self.is_over = true;
            self.bytes.clear();
            self.places.clear();
        }
    }

    /// Hands on what waits.
    pub(super) fn flush(&mut self) {
        if let Some(drain) = self.drain.as_ref().filter(|_| !self.bytes.is_empty()) {
            (drain.lock().unwrap_or_else(PoisonError::into_inner))(&self.bytes);
            self.bytes.clear();
        }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        if self.is_over {
            return u64::MAX;
        }
        (self.bytes.len() + self.places.len() * size_of::<usize>()) as u64
    }
}

impl fmt::Debug for Out<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}
