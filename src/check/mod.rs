//! Is this dump sound, and what is it? One pass over the whole dump and into every value.
//!
//! A walk reads the records over any source, a map or a stream; the [`Report`] counts them and lists what is wrong.

pub(crate) mod recent;
pub(crate) mod record;
mod report;
mod tagged;
pub(crate) mod walk;
pub(crate) mod watched;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use report::{Checksum, Database, Encoding, Finding, Format, Report, Severity, Skipped};
use walk::Walk;
use watched::Watched;

use crate::engine::Progress;
use crate::engine::resync::Resyncs;
use crate::engine::window::Window;
use crate::error::{Error, ErrorKind};
use crate::input::tail::Tail;
use crate::input::{self, Bytes};
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind, checksum};

/// How a dump is checked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Step over values instead of looking into them.
    pub quick: bool,
    /// After damage that loses a record's end, look for the next record and go on. For files that are not compressed.
    pub resync: bool,
    /// The key, if this is no dump but a DUMP command's answer.
    pub payload_key: Option<Vec<u8>>,
    /// Bytes of a window over a stream; 0 for the usual. For tests.
    #[doc(hidden)]
    pub window_bytes: usize,
}

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
    let path = path.as_ref();
    let mut report = Report::new(input::shown(path), !options.quick);
    let opened = match &options.payload_key {
        Some(key) => input::open_payload(path, key),
        None => input::open(path),
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
            let context = check_slice(map.bytes(), options, progress, &mut report);
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

fn check_slice(dump: &[u8], options: &Options, progress: &Progress, report: &mut Report) -> Option<Context> {
    let dump_bytes = dump.len() as u64;
    report.dump_bytes = dump_bytes;
    let mut source = Slice::new(dump, 0);
    let mut walk = match Walk::start(&mut source, !options.quick) {
        Ok(walk) => walk,
        Err(damage) => {
            report.find_damage(&damage, dump_bytes);
            return None;
        }
    };
    let mut resyncs = Resyncs::new(options.resync);
    let end = loop {
        let mut watched = Watched::over_memory(report, progress, source.offset());
        let stop = walk.run(&mut source, &mut watched);
        if watched.is_cancelled {
            drop(watched);
            report.interrupted_at = Some(source.offset());
            break None;
        }
        drop(watched);
        let (damage, next) = match resyncs.judge(dump, &walk.context, stop, walk.record_start + 1) {
            Ok(end) => break Some(end),
            Err(found) => found,
        };
        report.find_damage(&damage, dump_bytes);
        let from = report.recent.doubtful_from(&damage, walk.record_start);
        report.recent.clear();
        if let Some(to) = next {
            report.skipped.push(Skipped { from, to, bytes: to - from });
            source = Slice::new(dump, to);
        } else {
            report.doubtful_from = (from < walk.record_start).then_some(from);
            break None;
        }
    };
    report.values_not_looked_through = walk.deep.unseen;
    if let Some(end) = end {
        let computed = usize::try_from(end).ok().and_then(|end| dump.get(..end)).map(checksum::of);
        judge_ending(&walk.context, report, &mut source, computed);
    }
    Some(walk.context)
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
        Err(damage) => {
            report.find_damage(&damage, window.end());
            let from = report.recent.doubtful_from(&damage, walk.record_start);
            report.doubtful_from = (from < walk.record_start).then_some(from);
        }
    }
    report.dump_bytes = window.end();
    Some(walk.context)
}

/// Judges what stands behind the EOF opcode, where `source` is.
fn judge_ending<S: KeepsKey + RestBytes>(
    context: &Context,
    report: &mut Report,
    source: &mut S,
    computed: Option<u64>,
) {
    let end = source.offset();
    if context.has_checksum() {
        report.checksum = match source.parse(FormatElement::Checksum, u64_le) {
            Ok(0) => Checksum::Disabled,
            Ok(stored) if Some(stored) == computed => Checksum::Verified,
            Ok(stored) => {
                report.find(
                    ParseError {
                        offset: end,
                        kind: ParseErrorKind::Checksum,
                        element: FormatElement::Checksum,
                        declared: stored,
                    },
                    None,
                    end,
                );
                Checksum::Mismatch
            }
            Err(error) => {
                let declared = checksum::BYTES;
                report.find(ParseError { offset: end, declared, ..error }, None, end + source.rest_bytes(|_| {}));
                return;
            }
        };
    } else {
        report.checksum = Checksum::Absent;
    }
    report.compare_key_counts(end);
    let offset = source.offset();
    let mut tail = Tail::default();
    let bytes = source.rest_bytes(|bytes| tail.update(bytes));
    if tail.is_empty() {
        return;
    }
    if let Some(commands) = tail.commands(context.aux.is_aof_preamble) {
        report.notes.push(commands.say());
        if commands.is_damaged() {
            report.refuse("the append-only commands after the dump are damaged".to_owned());
        }
    } else if let Some(what) = tail.harmless() {
        report.notes.push(format!("ignored {what} after the end of the dump"));
    } else {
        let error =
            ParseError { offset, kind: ParseErrorKind::Trailing, element: FormatElement::Checksum, declared: bytes };
        report.find(error, None, end);
    }
}

/// A source that can be asked how much is left.
trait RestBytes {
    /// Hands what is left to `look` and says how many bytes that was.
    fn rest_bytes(&mut self, look: impl FnMut(&[u8])) -> u64;
}

impl RestBytes for Slice<'_> {
    fn rest_bytes(&mut self, mut look: impl FnMut(&[u8])) -> u64 {
        look(self.rest());
        self.rest().len() as u64
    }
}

impl RestBytes for Window {
    fn rest_bytes(&mut self, look: impl FnMut(&[u8])) -> u64 {
        self.drain(look)
    }
}
