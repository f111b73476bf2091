//! A file mapped into memory, and the only `unsafe` code of the program.
//!
//! A mapping lends bytes that somebody else can take away: if the file is truncated while it is mapped, touching a page
//! behind its new end raises SIGBUS, and a bad disk does the same. Two promises make the mapping safe to hand out as
//! `&[u8]`:
//!
//! 1. The mapping is private and read-only, nobody writes to it through this program. Bytes that another program changes
//!    in the file may change under a reader; every reader here bounds each access anew, so such bytes can at worst be
//!    refused as damage, and [`Map::check`] tells the change afterwards.
//! 2. SIGBUS within a mapping of ours is caught: the handler puts pages of zeros in the place of the lost ones and marks
//!    the mapping as lost; the reader goes on over zeros, and [`Map::check`] turns the mark into an error. The handler
//!    touches only atomics and calls `mmap` and `sigaction`, which are plain system calls. A SIGBUS that is not ours goes
//!    to whoever handled it before.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::SystemTime;

use memmap2::{Advice, Mmap, MmapOptions, UncheckedAdvice};

use crate::error::ErrorKind;

/// A mapped file.
#[derive(Debug)]
pub struct Map {
    bytes: Mmap,
    file: File,
    modified_at: Option<SystemTime>,
    region: &'static Region,
}

impl Map {
    /// Maps a regular file as it is now.
    ///
    /// # Errors
    /// What the system answers, such as no address space for so large a file.
    pub fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified_at = metadata.modified().ok();
        let bytes = usize::try_from(metadata.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        // SAFETY: the bytes may change or vanish under the mapping; the module's two promises bound what that can do.
        let map = unsafe { MmapOptions::new().len(bytes).map(&file)? };
        let region = Region::declared(map.as_ptr() as usize, map.len())?;
        Ok(Self { bytes: map, file, modified_at, region })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells the system that every page will be read, in order, so that it reads further ahead from a cold disk.
    pub fn expect_all(&self) {
        // Advice that is not taken costs speed alone.
        _ = self.bytes.advise(Advice::Sequential);
    }

    /// Gives back the pages of a range that is done with; a page that is touched again comes again. Left to the end, when
    /// one thread does it for all, it takes a tenth of the time of a scan on two cores.
    pub fn release(&self, offset: usize, bytes: usize) {
        // SAFETY: nobody writes to a private, read-only mapping, so a dropped page comes back from the file as it was, or
        // as the file is by then, which the first promise allows for. Advice that is not taken costs memory alone.
        _ = unsafe { self.bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes) };
    }

    /// Whether a page was lost so far, so that zeros may have been read in its place.
    pub fn is_lost(&self) -> bool {
        self.region.is_lost.load(Ordering::SeqCst)
    }

    /// Whether the file is still what was mapped.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if it is shorter or was written to, [`ErrorKind::Io`] if its disk did not give a page.
    pub fn check(&self) -> Result<(), ErrorKind> {
        let look = |source| ErrorKind::Io { doing: "look at it again", source };
        let metadata = self.file.metadata().map_err(look)?;
        let mapped_bytes = self.bytes.len() as u64;
        if metadata.len() < mapped_bytes {
            let now = metadata.len();
            return Err(ErrorKind::Changed(format!(
                "the file became shorter while it was read: {mapped_bytes} bytes before, {now} bytes now"
            )));
        }
        if self.is_lost() {
            let source = io::Error::other("the file was truncated for a moment, or its disk failed");
            return Err(ErrorKind::Io { doing: "read all of it", source });
        }
        if metadata.modified().ok() != self.modified_at || metadata.len() > mapped_bytes {
            return Err(ErrorKind::Changed("the file was written to while it was read".to_owned()));
        }
        Ok(())
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.region.release();
    }
}

/// A stretch of memory whose faults are ours. Regions are never freed, only used again, so the handler can walk their
/// list at any moment.
#[derive(Debug)]
struct Region {
    start: AtomicUsize,
    /// Zero while nobody uses the region.
    bytes: AtomicUsize,
    is_used: AtomicBool,
    is_lost: AtomicBool,
    next: AtomicPtr<Region>,
}

static REGIONS: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

/// The handler that was there before ours, or why ours could not be put in its place.
static PREVIOUS: OnceLock<Result<libc::sigaction, i32>> = OnceLock::new();

impl Region {
    fn declared(start: usize, bytes: usize) -> io::Result<&'static Self> {
        if let Err(code) = PREVIOUS.get_or_init(install) {
            return Err(io::Error::from_raw_os_error(*code));
        }
        let region = Self::all().find(|region| !region.is_used.swap(true, Ordering::SeqCst));
        let region = region.unwrap_or_else(Self::push);
        region.is_lost.store(false, Ordering::SeqCst);
        region.start.store(start, Ordering::SeqCst);
        region.bytes.store(bytes, Ordering::SeqCst);
        Ok(region)
    }

    fn release(&self) {
        self.bytes.store(0, Ordering::SeqCst);
        self.is_used.store(false, Ordering::SeqCst);
    }

    /// A new region, in use, at the head of the list.
    fn push() -> &'static Self {
        let region: &'static Self = Box::leak(Box::new(Self {
            start: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            is_used: AtomicBool::new(true),
            is_lost: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let mut header = REGIONS.load(Ordering::SeqCst);
        loop {
            region.next.store(header, Ordering::SeqCst);
            let new = ptr::from_ref(region).cast_mut();
            match REGIONS.compare_exchange(header, new, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return region,
                Err(current) => header = current,
            }
        }
    }

    fn all() -> impl Iterator<Item = &'static Self> {
        let mut next = &REGIONS;
        std::iter::from_fn(move || {
            // SAFETY: every pointer in the list comes from a leaked box that nobody writes to but through atomics.
            let region: &'static Self = unsafe { next.load(Ordering::SeqCst).as_ref()? };
            next = &region.next;
            Some(region)
        })
    }
}

fn install() -> Result<libc::sigaction, i32> {
    // SAFETY: both structures are plain data, valid when zeroed; the handler has the signature that SA_SIGINFO asks for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous) == 0 {
            Ok(previous)
        } else {
            Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
        }
    }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a valid siginfo; for SIGBUS it has the address of the fault.
    let address = unsafe { (*info).si_addr() } as usize;
    for region in Region::all() {
        let start = region.start.load(Ordering::SeqCst);
        let bytes = region.bytes.load(Ordering::SeqCst);
        if address < start || address >= start + bytes {
            continue;
        }
        region.is_lost.store(true, Ordering::SeqCst);
        // SAFETY: sysconf has no preconditions; the pages lie within a mapping that this process owns.
        unsafe {
            let page_bytes = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096);
            let page = address - address % page_bytes;
            let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let lost = page as *mut libc::c_void;
            if libc::mmap(lost, start + bytes - page, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED {
                return;
            }
        }
    }
    pass_on(signal, info, context);
}

/// Gives a fault that is not ours to the previous handler; where there was none, the default action ends the process.
fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the previous action came from the kernel; its flags say which of the two signatures its handler has.
    unsafe {
        match PREVIOUS.get() {
            Some(Ok(previous)) if !matches!(previous.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
                if previous.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                        std::mem::transmute(previous.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(i32) = std::mem::transmute(previous.sa_sigaction);
                    handler(signal);
                }
            }
            _ => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_shrinks_reads_as_zeros_and_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        let map = Map::new(file.try_clone().unwrap()).unwrap();
        assert!(map.check().is_ok());
        file.set_len(4096).unwrap();
        let sum: u64 = map.bytes().iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(sum, 7 * 4096);
        assert!(matches!(map.check(), Err(ErrorKind::Changed(_))));
    }

    #[test]
    fn a_file_that_is_written_to_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        let map = Map::new(file.try_clone().unwrap()).unwrap();
        file.write_all(b"after").unwrap();
        assert!(matches!(map.check(), Err(ErrorKind::Changed(_))));
    }
}
