//! The scan over a stream: one thread reads and inflates, this one scans.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::scan::scan_until;
use super::window::Window;
use super::{Ending, Options, Outcome, Progress, question};
use crate::analysis::Analysis;
use crate::error::Cause;
use crate::input::commands::Commands;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::Source;
use crate::rdb::{Context, Part, header};

/// Bytes of a window. With 64 KiB, tiny keys took a fifth longer; with 1 MiB, packed collections took a third longer.
pub(super) const WINDOW_BYTES: usize = 256 << 10;

/// A scan over a stream, ready to run.
pub(super) struct Scan<'a> {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) number: u32,
    pub(super) options: &'a Options,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) read_bytes: Arc<AtomicU64>,
}

impl Scan<'_> {
    /// Reads the stream to its end, or to the damage in it; a failed read comes beside the outcome.
    ///
    /// # Errors
    /// [`Cause::Options`] as [`question`], [`Cause::Io`] if no thread can be started.
    pub(super) fn run(self) -> Result<(Context, Outcome, Option<io::Error>), Cause> {
        let progress = self.progress.clone();
        let mut last_bytes = 0;
        let read_bytes = self.read_bytes;
        let on_chunk = Box::new(move || {
            let bytes = read_bytes.load(Ordering::Relaxed);
            progress.add(bytes - last_bytes, 0);
            last_bytes = bytes;
        });
        let window_bytes = self.options.window_bytes.max(1);
        let window = Window::new(self.reader, window_bytes, self.options.verify, on_chunk);
        let mut window = window.map_err(|source| Cause::Io { doing: "start a thread", source })?;

        let context = match header::read(&mut window) {
            Ok(context) => context,
            Err(trouble) => {
                let (context, outcome) = Outcome::without_start(self.options, self.number, trouble, window.end());
                return Ok((context, outcome, window.error.take()));
            }
        };
        let mut analysis = Analysis::new(question(self.options, &context)?, self.number, Some(0));
        let mut keys = 0;
        let ending = loop {
            // Chunk by chunk, so that progress knows of the keys.
            let until = window.end().max(window.offset() + 1);
            let scanned = scan_until(&mut window, &context, &mut analysis, until);
            self.progress.add(0, analysis.keys() - keys);
            keys = analysis.keys();
            if let Some(stop) = scanned {
                break stop.map(|_| end(&mut window, &context));
            }
        };
        let outcome = Outcome { analysis, ending, dump_bytes: window.end() };
        Ok((context, outcome, window.error.take()))
    }
}

/// Reads what stands behind the EOF opcode.
fn end(window: &mut Window, context: &Context) -> Ending {
    let offset = window.offset();
    let computed = window.checksum();
    let stored = if context.has_checksum() { window.parse(Part::Checksum, u64_le).ok() } else { None };
    let mut commands = Commands::default();
    let trailing_bytes = window.drain(|bytes| commands.update(bytes));
    Ending { offset, computed, stored, trailing_bytes, commands }
}
