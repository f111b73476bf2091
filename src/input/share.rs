//! What compressed files may take that are read side by side.
//!
//! How much a compressed file takes is known only once it is read: a small one may ask for a large window, or inflate to
//! gigabytes. One that would take more than its share is given up, and whoever reads it does so again, alone.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Files that are inflated at a time, however many threads there are: each has a window and a few buffers.
const INFLATING_MAX: usize = 8;

/// Bytes that all files of a group inflate to, so that what is found in them and held until it is their turn stays little.
const INFLATED_BYTES_MAX: u64 = 16 << 20;

/// What a group of files that are read side by side has taken.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    inflated_bytes: AtomicU64,
    inflating: Mutex<usize>,
    /// Told whenever a file is no longer inflated.
    ended: Condvar,
}

impl Quota {
    /// Whether one more file has a fair chance to get its share.
    pub(crate) fn has_room(&self) -> bool {
        self.inflated_bytes.load(Ordering::Relaxed) < INFLATED_BYTES_MAX / 2
    }
}

/// A file's share.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Arc<Quota>,
    is_exceeded: AtomicBool,
}

impl Share {
    pub(crate) fn of(quota: &Arc<Quota>) -> Arc<Self> {
        Arc::new(Self { quota: quota.clone(), is_exceeded: AtomicBool::new(false) })
    }

    /// Whether the file takes more: then what was read of it is worth nothing.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// Gives the file up.
    pub(super) fn exceed(&self) {
        self.is_exceeded.store(true, Ordering::Relaxed);
    }

    /// Waits until few enough others are inflated.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let inflating = self.quota.inflating.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inflating: &mut usize| *inflating >= INFLATING_MAX;
        let mut inflating = self.quota.ended.wait_while(inflating, full).unwrap_or_else(PoisonError::into_inner);
        *inflating += 1;
        Turn(self.clone())
    }
}

/// A file's right to be inflated, until this is dropped.
pub(super) struct Turn(Arc<Share>);

impl Turn {
    pub(super) fn share(&self) -> &Arc<Share> {
        &self.0
    }

    /// A reader of the same bytes that has the turn, and fails once they are too many.
    pub(super) fn over(self, reader: Box<dyn Read + Send>) -> Shared {
        Shared { reader, turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Quota { inflating, ended, .. } = &*self.0.quota;
        *inflating.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ended.notify_one();
    }
}

/// A reader of what a file inflates to.
pub(super) struct Shared {
    reader: Box<dyn Read + Send>,
    turn: Turn,
}

impl Read for Shared {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(to)?;
        let Share { quota, .. } = &*self.turn.0;
        let before = quota.inflated_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 > INFLATED_BYTES_MAX {
            self.turn.0.exceed();
            return Err(io::Error::other("it takes more than its share"));
        }
        Ok(bytes)
    }
}
