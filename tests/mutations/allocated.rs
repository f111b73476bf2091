//! How many bytes the test program holds, and held at the most: an allocator that counts. All of its memory is
//! counted, other threads included.
#![allow(unsafe_code, reason = "an allocator is unsafe to be; this one hands everything on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn more(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: each call is handed on as it came, and what the system answers is returned as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A look at the most that is held while something is done.
pub(crate) struct Measured {
    held_before: usize,
}

impl Measured {
    /// The tests' turn: whoever measures has it, so that no other test's memory is counted.
    pub(crate) fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look.
    pub(crate) fn begin() -> Self {
        let held_before = HELD.load(Ordering::Relaxed);
        MOST.store(held_before, Ordering::Relaxed);
        Self { held_before }
    }

    /// The most that was held since, beyond what was held then.
    pub(crate) fn most(&self) -> usize {
        MOST.load(Ordering::Relaxed).saturating_sub(self.held_before)
    }
}
