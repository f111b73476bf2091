//! The scan over a stream: one thread reads and inflates, this one scans.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::accumulated::Accumulated;
use super::options::Options;
use super::outcome::{Ending, Outcome};
use super::progress::Progress;
use super::recorded::Recorded;
use super::scan::Walk;
use super::window::Window;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::error::ErrorKind;
use crate::input::tail::Tail;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::Source;
use crate::rdb::{Context, FormatElement, ParseErrorKind, header};

/// The longest start of a stream that is handed on: functions, module data and hash templates.
const START_BYTES_MAX: usize = 64 << 20;

/// A scan over a stream, ready to run.
pub(super) struct Scan<'a, A> {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) burst_bytes: usize,
    pub(super) number: u32,
    pub(super) options: &'a Options,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) read_bytes: Arc<AtomicU64>,
    pub(super) ask: &'a A,
}

/// What came of a stream: what its start says, what was gathered, and why it could not be read to its end.
type Scanned<G> = (Context, Outcome<G>, Option<io::Error>);

impl<A: Query> Scan<'_, A> {
    /// Reads the stream to its end, or to the damage in it; a failed read comes beside the outcome.
    ///
    /// # Errors
    /// [`ErrorKind::Options`] as [`Query::begin`], [`ErrorKind::Io`] if no thread can be started.
    pub(super) fn run(self) -> Result<Scanned<A::Accumulator>, ErrorKind> {
        let progress = self.progress.clone();
        let mut last_bytes = 0;
        let read_bytes = self.read_bytes;
        let goes_on = Box::new(move || {
            let bytes = read_bytes.load(Ordering::Relaxed);
            progress.add(bytes - last_bytes, 0);
            last_bytes = bytes;
            !progress.is_cancelled()
        });
        let window_bytes = self.options.window_bytes.max(1);
        let window = Window::new(self.reader, self.burst_bytes, window_bytes, self.options.verify, goes_on);
        let mut window = window.map_err(|source| ErrorKind::Io { doing: "start a thread", source })?;

        let (read, start) = if A::NEEDS_START {
            let mut recorded = Recorded::new(&mut window, START_BYTES_MAX);
            (header::read(&mut recorded), recorded.into_kept())
        } else {
            (header::read(&mut window), None)
        };
        let context = match read {
            Ok(context) => {
                if A::NEEDS_START {
                    self.ask.start(&context, start.as_deref());
                }
                context
            }
            Err(error) => {
                let (context, mut outcome) = Outcome::without_start(self.ask, self.number, error, window.end())?;
                outcome.cancelled_at = self.progress.is_cancelled().then(|| window.end());
                return Ok((context, outcome, window.error.take()));
            }
        };
        let mut walk = Walk::new(window, Accumulated::new(self.ask.begin(self.number, Some(&context))?));
        let mut keys = 0;
        let ending = loop {
            // Chunk by chunk, so that progress knows of the keys.
            let until = walk.source.end().max(walk.source.offset() + 1);
            walk.until(&context, until);
            self.progress.add(0, walk.found.accumulated.keys() - keys);
            keys = walk.found.accumulated.keys();
            if let Some(stop) = walk.ending.take() {
                break stop.map(|_| end(&mut walk.source, &context));
            }
            if self.progress.is_cancelled() {
                break Err(walk.source.error(FormatElement::Opcode, ParseErrorKind::Eof, 0).into());
            }
        };
        let Walk { source: mut window, found, .. } = walk;
        // Ctrl-C may have ended the program that writes as well: then the bytes ended for the same reason.
        let is_cancelled = self.progress.is_cancelled() && ending.is_err();
        let cancelled_at = is_cancelled.then(|| window.offset());
        let outcome = Outcome { found, ending, dump_bytes: window.end(), cancelled_at };
        Ok((context, outcome, window.error.take()))
    }
}

/// Reads what stands behind the EOF opcode.
pub(super) fn end(window: &mut Window, context: &Context) -> Ending {
    let offset = window.offset();
    let computed = window.checksum();
    let stored = if context.has_checksum() { window.parse(FormatElement::Checksum, u64_le).ok() } else { None };
    let mut tail = Tail::default();
    window.drain(|bytes| tail.update(bytes));
    Ending { offset, computed, stored, tail }
}
