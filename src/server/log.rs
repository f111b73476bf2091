//! The log's way out: a bounded queue, and a thread of its own that writes. Whoever logs never waits for who reads: lines that
//! find no room, or cannot be written, are dropped, counted and reported.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::config::{Log, LogFormat, LogLevel};

/// Lines that may wait to be written.
const LINES_MAX: usize = 4096;

/// Longer lines are cut: what a client sends is limited elsewhere.
const LINE_BYTES_MAX: usize = 8 << 10;

/// How long the last lines have when the program ends.
const GRACE: Duration = Duration::from_secs(1);

/// Lines that were dropped since the start.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines were dropped since the start.
pub(super) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Lets the last lines be written when it is dropped.
#[derive(Debug)]
pub struct LogGuard {
    lines: Queue,
    written: Mutex<Receiver<()>>,
}

/// Where events go.
#[derive(Clone, Debug)]
struct Queue(SyncSender<Line>);

#[derive(Debug)]
enum Line {
    Text(Vec<u8>),
    /// The program ends.
    Last,
}

/// From here on the events of this process go to standard error, and so do panics.
///
/// # Errors
/// The system's answer if there is no thread to be had.
pub fn start_log(log: Log) -> io::Result<LogGuard> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    let (end, written) = sync_channel(1);
    let lines = Queue(sender);
    std::thread::Builder::new().name("bigkeys-log".to_owned()).spawn(move || {
        write(&receiver, &mut io::stderr(), log.format);
        _ = end.send(());
    })?;
    let level = match log.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
    };
    let subscriber =
        tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(lines.clone()).with_ansi(false);
    match log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
    }
    // The default hook writes to standard error itself, and would wait for who reads there.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, panic = panic.payload_as_str(), "a fault of this program");
    }));
    Ok(LogGuard { lines, written: Mutex::new(written) })
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + GRACE;
        // Where nobody reads there may be no room for the last line either.
        while let Err(TrySendError::Full(_)) = self.lines.0.try_send(Line::Last) {
            if Instant::now() > deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Queue {
    /// Takes a whole line; an error would be reported on standard error, which must not be waited for.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut text = line.get(..LINE_BYTES_MAX).unwrap_or(line).to_vec();
        if text.len() < line.len() {
            text.extend_from_slice(b"...\n");
        }
        if self.0.try_send(Line::Text(text)).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until the last, and says how many were dropped as soon as something can be written again.
fn write(lines: &Receiver<Line>, to: &mut impl Write, format: LogFormat) {
    let mut said = dropped();
    loop {
        let line = match lines.recv_timeout(GRACE) {
            Ok(Line::Text(line)) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Ok(Line::Last) | Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Some(line) = line
            && to.write_all(&line).and_then(|()| to.flush()).is_err()
        {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let now = dropped();
        if now > said && to.write_all(dropped_line(now - said, format).as_bytes()).is_ok() {
            said = now;
        }
    }
}

fn dropped_line(dropped: u64, format: LogFormat) -> String {
    const MESSAGE: &str = "log lines were dropped";
    let timestamp = format!("{:.6}", Timestamp::now());
    match format {
        LogFormat::Text => format!("{timestamp}  WARN {MESSAGE} dropped={dropped}\n"),
        LogFormat::Json => {
            let line = json!({"timestamp": timestamp, "level": "WARN", "message": MESSAGE, "dropped": dropped});
            format!("{line}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses to write until it is told otherwise, as a full disk does.
    struct Disk {
        refusals: usize,
        text: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.refusals > 0 {
                self.refusals -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_said() {
        let (sender, receiver) = sync_channel(4);
        let mut queue = Queue(sender);
        let before = dropped();
        for line in 0..6 {
            assert_eq!(queue.write(format!("line {line}\n").as_bytes()).unwrap(), 7, "it never waits and never fails");
        }
        let over = dropped() - before;
        assert_eq!(over, 2, "the queue has room for four");
        let mut disk = Disk { refusals: 2, text: Vec::new() };
        drop(queue);
        write(&receiver, &mut disk, LogFormat::Json);
        let text = String::from_utf8(disk.text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[2]), (3, "line 2", "line 3"));
        let said: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!((&said["message"], &said["dropped"]), (&json!("log lines were dropped"), &json!(2)));
        assert_eq!(dropped() - before, 4);
    }

    #[test]
    fn long_lines_are_cut() {
        let (sender, receiver) = sync_channel(1);
        Queue(sender).write_all(&vec![b'x'; 100_000]).unwrap();
        let Ok(Line::Text(line)) = receiver.recv() else { panic!("no line") };
        assert_eq!(line.len(), LINE_BYTES_MAX + 4);
    }
}
