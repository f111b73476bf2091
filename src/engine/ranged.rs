//! A dump of which any bytes can be had: a mapped file, or an object in a store whose ranges are asked for.

use std::ops::Range;
use std::sync::Arc;

use super::guess::{self, SearchBudget};
use super::options::Dump;
use super::progress::Progress;
use super::segment_scan::STRIDE_BYTES;
use super::window::{WINDOW_BYTES, Window};
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes, Lookup, map::Map};
use crate::rdb::checksum::Checksum;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Dialect, header};

/// Bytes between two searches for a record's start.
const LOOK_BYTES: u64 = 4 * STRIDE_BYTES as u64;

/// Bytes that are asked for first to read a dump's start, which is seldom longer.
const START_BYTES: u64 = 16 << 10;

/// The least window over an object. A window fetches some times its own length ahead, and a short range must not fetch much of
/// what follows it.
const WINDOW_BYTES_MIN: u64 = 4 << 10;

/// A dump whose start was read.
pub(super) struct Ranged {
    pub(super) name: String,
    pub(super) context: Context,
    pub(super) bytes: Store,
}

/// Where its bytes are.
pub(super) enum Store {
    Mapped(Map),
    Object(Lookup),
}

impl Ranged {
    /// # Errors
    /// If it cannot be opened, or has no ranges.
    pub(super) fn open(dump: &Dump) -> Result<Self, Error> {
        let (name, bytes, context) = if input::is_url(&dump.path) {
            let name = input::shown(&dump.path);
            let Some(object) = input::ranged(&dump.path)? else {
                let what = "only a plain dump with an ETag, in a store that answers ranges, has ranges: scan this one as a whole";
                return Err(Error::new(name, ErrorKind::Options(what.to_owned())));
            };
            let mut window = window(&name, &object, 0..START_BYTES, false, &Arc::default())?;
            let context = header::read(&mut window);
            read_to_its_end(&name, &mut window)?;
            (name, Store::Object(object), context)
        } else {
            let input = input::open(&dump.path)?;
            let Bytes::Mapped(map) = input.bytes else {
                let what = "only a file that is not compressed has ranges: scan this one as a whole";
                return Err(Error::new(input.name, ErrorKind::Options(what.to_owned())));
            };
            let context = header::read(&mut Slice::new(map.bytes(), 0));
            (input.name, Store::Mapped(map), context)
        };
        let dump_bytes = bytes.size();
        let context =
            context.map_err(|error| Error::new(&name, ErrorKind::Damaged { damage: error.into(), dump_bytes }))?;
        if context.dialect == Dialect::Dragonfly {
            let what = "a dump of Dragonfly has no ranges: scan it as a whole";
            return Err(Error::new(name, ErrorKind::Options(what.to_owned())));
        }
        Ok(Self { name, context, bytes })
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes.size()
    }

    /// What tells an object from the one that takes its place.
    pub(super) fn version(&self) -> Option<&str> {
        match &self.bytes {
            Store::Mapped(_) => None,
            Store::Object(object) => object.version(),
        }
    }

    pub(super) fn failed(&self, cause: ErrorKind) -> Error {
        Error::new(&self.name, cause)
    }

    /// What changed while it was read; of an object each range says that itself.
    pub(super) fn change(&self) -> Option<ErrorKind> {
        match &self.bytes {
            Store::Mapped(map) => map.check().err(),
            Store::Object(_) => None,
        }
    }

    /// # Errors
    /// That the file changed while it was read.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.change().map_or(Ok(()), |cause| Err(self.failed(cause)))
    }

    /// Looks whether pages of a mapped file were lost.
    ///
    /// # Errors
    /// As [`Ranged::check`].
    pub(super) fn check_pages(&self) -> Result<(), Error> {
        match &self.bytes {
            Store::Mapped(map) if map.is_lost() => self.check(),
            _ => Ok(()),
        }
    }

    /// The first record of a range whose start can be guessed.
    ///
    /// # Errors
    /// If bytes of an object cannot be had.
    pub(super) fn guess(&self, range: &Range<u64>) -> Result<Option<u64>, Error> {
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        let mut budget = SearchBudget::default();
        let mut from = range.start;
        while from < range.end {
            let found = match &self.bytes {
                Store::Mapped(map) => guess::boundary(map.bytes(), &self.context, at(from)..at(range.end), &mut budget),
                Store::Object(object) => {
                    let seen = object.bytes(from..from.saturating_add(guess::REACH_BYTES as u64));
                    let seen = seen.map_err(|failure| self.failed(failure.cause("read it")))?;
                    let found = guess::boundary(&seen, &self.context, 0..at(range.end - from), &mut budget);
                    found.map(|offset| from + offset)
                }
            };
            if found.is_some() {
                return Ok(found);
            }
            from += LOOK_BYTES;
        }
        Ok(None)
    }

    /// The bytes of a range of a mapped file; of an object there are none.
    pub(super) fn slice(&self, range: Range<u64>) -> &[u8] {
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        let Store::Mapped(map) = &self.bytes else { return &[] };
        map.bytes().get(at(range.start)..at(range.end)).unwrap_or_default()
    }

    /// The checksum of an object's bytes up to `end`, of which the window has come to some.
    ///
    /// # Errors
    /// If they cannot be had.
    pub(super) fn sum(&self, window: &mut Window, end: u64, progress: &Progress) -> Result<u64, Error> {
        window.pass_to(end);
        self.read_to_its_end(window)?;
        if progress.is_cancelled() {
            return Err(self.failed(ErrorKind::Cancelled { offset: window.end() }));
        }
        Ok(window.checksum().unwrap_or_else(|| Checksum::default().value()))
    }

    /// A window over an object from a range's start on, to its end and as far behind it as is asked for.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn window(
        &self,
        object: &Lookup,
        range: Range<u64>,
        verify: bool,
        progress: &Arc<Progress>,
    ) -> Result<Window, Error> {
        window(&self.name, object, range, verify, progress)
    }

    /// # Errors
    /// Why a window's bytes ended before the object's.
    pub(super) fn read_to_its_end(&self, window: &mut Window) -> Result<(), Error> {
        read_to_its_end(&self.name, window)
    }
}

impl Store {
    fn size(&self) -> u64 {
        match self {
            Self::Mapped(map) => map.bytes().len() as u64,
            Self::Object(object) => object.size(),
        }
    }
}

fn window(
    name: &str,
    object: &Lookup,
    range: Range<u64>,
    verify: bool,
    progress: &Arc<Progress>,
) -> Result<Window, Error> {
    let reader = object.reader(range.clone()).map_err(|failure| Error::new(name, failure.cause("read it")))?;
    let bytes = (range.end.saturating_sub(range.start) / 64).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES as u64);
    let progress = progress.clone();
    let goes_on = Box::new(move || !progress.is_cancelled());
    let window = Window::new(reader, 0, usize::try_from(bytes).unwrap_or(WINDOW_BYTES), verify, goes_on);
    let window = window.map_err(|source| Error::new(name, ErrorKind::Io { doing: "start a thread", source }))?;
    Ok(window.of_range(range))
}

fn read_to_its_end(name: &str, window: &mut Window) -> Result<(), Error> {
    window.error.take().map_or(Ok(()), |source| Err(Error::new(name, input::read_error(source, window.end()))))
}
