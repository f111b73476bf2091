//! Is this dump sound, and what is it? One pass over the whole dump and into every value.
//!
//! A walk reads the records over any source; the [`Report`] counts them and lists what is wrong. A stream is walked by one
//! thread, and so is a dump of Dragonfly. A map is walked by all cores, each piece of it into a log, and the report takes the
//! logs over in file order, so that it is the same for any number of them. Of many dumps the small ones are checked side by
//! side, each by one thread.

mod again;
mod ending;
pub(crate) mod flawed;
mod log;
mod many;
mod map;
mod memory;
mod names;
mod options;
mod pieces;
pub(crate) mod recent;
pub(crate) mod record;
mod report;
mod tagged;
pub(crate) mod walk;
pub(crate) mod watched;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ending::judge_ending;
pub use many::Checks;
use map::check_map;
use memory::check_slice;
pub use options::Options;
pub use report::{Checksum, Database, Encoding, Finding, Format, Report, Severity, Skipped};
use walk::Walk;
use watched::Watched;

use crate::engine::Progress;
use crate::engine::window::Window;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes, Company};
use crate::rdb::source::Source;
use crate::rdb::{Context, ParseErrorKind};

/// Checks one dump; `-` is standard input.
///
/// A dump that is damaged, or that is no dump at all, is a [`Report`] that says so.
///
/// ```
/// # fn main() -> Result<(), bigkeys::Error> {
/// let report = bigkeys::check::check("fixtures/mixed_all_v12.rdb", &Default::default())?;
/// assert!(report.sound && report.keys > 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened or read, [`ErrorKind::Options`] if it is to be resynchronized and is no plain file.
pub fn check(path: impl AsRef<Path>, options: &Options) -> Result<Report, Error> {
    check_watched(path, options, &Arc::default())
}

/// Checks one dump as [`check`] does, and says meanwhile how far it is. Where `progress` is cancelled, the report has what was
/// found before, and [`Report::interrupted_at`].
///
/// # Errors
/// As [`check`].
pub fn check_watched(path: impl AsRef<Path>, options: &Options, progress: &Arc<Progress>) -> Result<Report, Error> {
    check_in(&Company::Alone { threads: options.workers() }, path.as_ref(), options, progress)
}

/// Checks one dump as [`check_watched`] does, in this company.
fn check_in(company: &Company, path: &Path, options: &Options, progress: &Arc<Progress>) -> Result<Report, Error> {
    let mut report = Report::new(input::shown(path), !options.quick);
    let opened = match &options.payload_key {
        Some(key) => input::open_payload(path, key),
        None => input::open_with(path, company),
    };
    let input = match opened {
        Err(error) if error.is_about_dump() => {
            report.refuse(error.cause.to_string());
            report.conclude(None);
            return Ok(report);
        }
        input => input?,
    };
    report.dump.clone_from(&input.name);
    report.wrapped_in = input.wrapped_in;
    report.notes = input.notes;
    if let Some(what) = input.kind {
        report.refuse(what);
    }
    let name = input.name.clone();
    let failed = |cause| Error::new(&name, cause);
    match input.bytes {
        Bytes::Mapped(map) => {
            map.expect_all();
            let context = check_map(&map, options, progress, &mut report).map_err(failed)?;
            match map.check() {
                Ok(()) => {}
                Err(cause @ ErrorKind::Io { .. }) => return Err(failed(cause)),
                Err(cause) => report.refuse(cause.to_string()),
            }
            report.conclude(context.as_ref());
        }
        Bytes::Stream(_) if options.resync => {
            let what = "only a file that is not compressed can be resynchronized: store it as one first";
            return Err(failed(ErrorKind::Options(what.to_owned())));
        }
        Bytes::Stream(reader) => {
            let window_bytes = if options.window_bytes == 0 { WINDOW_BYTES } else { options.window_bytes };
            let (watched, mut counted_bytes) = (progress.clone(), 0);
            let goes_on = Box::new(move || {
                let bytes = input.read_bytes.load(Ordering::Relaxed);
                watched.add(bytes - counted_bytes, 0);
                counted_bytes = bytes;
                !watched.is_cancelled()
            });
            let window = Window::new(reader, 0, window_bytes, true, goes_on);
            let mut window = window.map_err(|source| failed(ErrorKind::Io { doing: "start a thread", source }))?;
            let context = check_stream(&mut window, options, progress, &mut report);
            match window.error.take().map(|source| input::read_error(source, window.end())) {
                None => {}
                Some(cause @ (ErrorKind::Io { .. } | ErrorKind::Options(_))) => return Err(failed(cause)),
                Some(cause) => report.refuse(cause.to_string()),
            }
            report.notes.extend(input.late_note.get().cloned());
            report.conclude(context.as_ref());
        }
    }
    Ok(report)
}

const WINDOW_BYTES: usize = 256 << 10;

/// Checks a dump in memory.
pub fn check_bytes(dump: &[u8], options: &Options) -> Report {
    let mut report = Report::new("memory".to_owned(), !options.quick);
    let context = check_slice(dump, options, &Progress::default(), &mut report);
    report.conclude(context.as_ref());
    report
}

fn check_stream(window: &mut Window, options: &Options, progress: &Progress, report: &mut Report) -> Option<Context> {
    let mut walk = match Walk::start(window, !options.quick) {
        Ok(walk) => walk,
        Err(_) if progress.is_cancelled() => {
            report.interrupted_at = Some(window.end());
            return None;
        }
        Err(damage) => {
            report.find_damage(&damage, window.end());
            return None;
        }
    };
    let walked = walk.run(window, &mut Watched::over_stream(report, progress));
    report.values_not_looked_through = walk.deep.unseen;
    match walked {
        Ok(_) => {
            let computed = window.checksum();
            judge_ending(&walk.context, report, window, computed);
        }
        // A cancelled stream ends early, which is not damage.
        Err(_) if progress.is_cancelled() => report.interrupted_at = Some(window.offset()),
        // Why it could not be read is told by whoever reads.
        Err(damage) if damage.error.kind == ParseErrorKind::Read => {}
        Err(mut damage) => {
            damage.record_offset = walk.record_start;
            report.find_damage(&damage, window.end());
            let from = report.recent.doubtful_from(&damage, walk.record_start);
            report.doubtful_from = (from < walk.record_start).then_some(from);
        }
    }
    report.dump_bytes = window.end();
    Some(Arc::unwrap_or_clone(walk.context))
}
