//! What a dump can come wrapped in besides compression: the start of a full synchronization as it was captured.

use std::io::{self, BufRead, Read};

use super::tail::MARK_BYTES;

/// What is wrong with a capture without that mark.
pub(super) const CUT_CAPTURE: &str = "the capture is cut: the mark that ends the dump is missing";

/// What a capture's first bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capture {
    /// Bytes before the dump.
    pub(super) prefix_bytes: usize,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Behind so many bytes.
    Bytes(u64),
    /// Before these.
    ElementMark([u8; MARK_BYTES]),
}

/// The start of a full synchronization (format section 6.3): the server's answers to what the replica said, such as `+OK`
/// and `+FULLRESYNC …`, if they were captured; then the length of a dump or the mark that ends it, on a line of its own.
pub(super) fn capture(first: &[u8]) -> Option<Capture> {
    let (header, dump) = line(after_greeting(first).strip_prefix(b"$")?)?;
    let end = match header.strip_prefix(b"EOF:") {
        Some(mark) => End::ElementMark(mark.try_into().ok()?),
        None => End::Bytes(std::str::from_utf8(header).ok()?.parse().ok()?),
    };
    Some(Capture { prefix_bytes: first.len() - dump.len(), end })
}

/// How many bytes of such answers there are, where nothing but them, or the start of the line that follows, was looked at.
pub(super) fn greeting(first: &[u8]) -> Option<usize> {
    let rest = after_greeting(first);
    let bytes = first.len() - rest.len();
    (bytes > 0 && matches!(rest, [] | [b'+' | b'$', ..]) && line(rest).is_none()).then_some(bytes)
}

/// What follows the lines of simple strings, and the newlines by which a server keeps the connection alive while it makes
/// the dump.
fn after_greeting(first: &[u8]) -> &[u8] {
    let mut rest = first;
    loop {
        rest = match rest {
            [b'\n', more @ ..] => more,
            [b'+', ..] => match line(rest) {
                Some((_, more)) => more,
                None => return rest,
            },
            _ => return rest,
        };
    }
}

/// A line without its end, and what follows.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.windows(2).position(|pair| pair == b"\r\n")?;
    Some((text.get(..at)?, text.get(at + 2..)?))
}

impl Capture {
    /// The dump out of a reader that stands behind the prefix.
    pub(super) fn dump(self, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match self.end {
            End::Bytes(bytes) => Box::new(reader.take(bytes)),
            End::ElementMark(mark) => Box::new(UntilMark {
                reader: io::BufReader::with_capacity(64 << 10, reader),
                mark,
                ahead: Vec::new(),
                has_ended: false,
            }),
        }
    }
}

/// A reader that ends before a mark.
struct UntilMark<R> {
    reader: io::BufReader<R>,
    mark: [u8; MARK_BYTES],
    /// The last bytes read, in which the mark may begin.
    ahead: Vec<u8>,
    /// Whether the reader has, without the mark.
    has_ended: bool,
}

impl<R: Read> Read for UntilMark<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let mark = self.ahead.windows(MARK_BYTES).position(|window| window == self.mark);
            // Without the mark, what is behind could still be its start, unless nothing follows.
            let kept = if self.has_ended { 0 } else { MARK_BYTES - 1 };
            let sure = mark.unwrap_or(self.ahead.len().saturating_sub(kept));
            let step = sure.min(to.len());
            if step > 0 || mark == Some(0) || to.is_empty() {
                for (to, from) in to.iter_mut().zip(self.ahead.drain(..step)) {
                    *to = from;
                }
                return Ok(step);
            }
            let more = self.reader.fill_buf()?;
            if more.is_empty() && std::mem::replace(&mut self.has_ended, true) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, CUT_CAPTURE));
            }
            let bytes = more.len();
            self.ahead.extend_from_slice(more);
            self.reader.consume(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives so many bytes at a time.
    struct Steps {
        bytes: io::Cursor<Vec<u8>>,
        step: usize,
    }

    impl Read for Steps {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(to.len());
            self.bytes.read(&mut to[..step])
        }
    }

    fn dump_of(capture_bytes: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let capture = capture(capture_bytes).expect("a capture");
        let rest = capture_bytes.get(capture.prefix_bytes..).expect("a dump").to_vec();
        let mut dump = Vec::new();
        capture.dump(Box::new(Steps { bytes: io::Cursor::new(rest), step })).read_to_end(&mut dump)?;
        Ok(dump)
    }

    #[test]
    fn captures_end_where_they_say() {
        let mark = [b'f'; MARK_BYTES];
        let marked =
            [&b"+FULLRESYNC abc 1\r\n\n\n$EOF:"[..], &mark, b"\r\nREDIS0011 ffff and so on", &mark, b"*1\r\n"].concat();
        for step in [1, 7, 39, 40, 41, 1000] {
            assert_eq!(dump_of(&marked, step).unwrap(), b"REDIS0011 ffff and so on");
            assert_eq!(dump_of(b"$9\r\nREDIS0011*1\r\n$4\r\nPING\r\n", step).unwrap(), b"REDIS0011");
        }
        let cut = &marked[..marked.len() - 5];
        assert!(dump_of(cut, 100).unwrap_err().to_string().contains("mark"));
        for other in [&b"$\r\n"[..], b"REDIS0011", b"$EOF:short\r\n", b"$12", b"$-1\r\n"] {
            assert_eq!(capture(other), None);
        }
    }
}
