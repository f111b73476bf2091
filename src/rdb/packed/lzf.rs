//! LZF, the compression of single strings (format section 3.3): a prefix into a small array, a whole string into a
//! buffer, or a stream of any size through a small window.

use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::Parsed;
use crate::rdb::source::{Source, kind_of};

/// One instruction of an LZF stream.
#[derive(Clone, Copy, Debug)]
enum Token {
    /// Copy this many bytes (1 to 32) of the input.
    Literal { bytes: usize },
    /// Copy `bytes` (3 to 264) of the output, from `distance` (1 to 8,192) before its end.
    Copy { distance: usize, bytes: usize },
}

const DISTANCE_MAX: usize = 8192;

/// The bytes of a token, its literal bytes not included.
#[inline]
fn token(i: &[u8]) -> Parsed<'_, Token> {
    let (i, control) = crate::rdb::primitives::byte(i)?;
    if control < 32 {
        return Ok((i, Token::Literal { bytes: usize::from(control) + 1 }));
    }
    // In the long form the extra length comes before the distance's low byte.
    let (i, extra) = if control >> 5 == 7 { crate::rdb::primitives::byte(i)? } else { (i, 0) };
    let (i, low) = crate::rdb::primitives::byte(i)?;
    let distance = (usize::from(control & 31) << 8) + usize::from(low) + 1;
    Ok((i, Token::Copy { distance, bytes: usize::from(control >> 5) + usize::from(extra) + 2 }))
}

/// Inflates the first bytes of a stream into `out`, as many as it gives or as fit, and returns how many.
///
/// # Errors
/// [`ParseErrorKind::Lzf`] if the stream is damaged within what was read of it. What comes later is not looked at.
pub fn inflate_prefix(mut stored: &[u8], out: &mut [u8]) -> Result<usize, ParseErrorKind> {
    let mut done = 0;
    while done < out.len() && !stored.is_empty() {
        let (rest, next) = token(stored).map_err(|_| ParseErrorKind::Lzf)?;
        stored = rest;
        match next {
            Token::Literal { bytes } => {
                // Only what is wanted of a run must be there: a caller may lend the first bytes of a stream.
                let wanted = bytes.min(out.len() - done);
                let run = stored.get(..wanted).ok_or(ParseErrorKind::Lzf)?;
                stored = stored.get(bytes..).unwrap_or_default();
                if let Some(to) = out.get_mut(done..done + wanted) {
                    to.copy_from_slice(run);
                }
                done += bytes;
            }
            Token::Copy { distance, bytes } => {
                for at in done..(done + bytes).min(out.len()) {
                    let from =
                        at.checked_sub(distance).and_then(|from| out.get(from)).copied().ok_or(ParseErrorKind::Lzf)?;
                    if let Some(to) = out.get_mut(at) {
                        *to = from;
                    }
                }
                if distance > done {
                    return Err(ParseErrorKind::Lzf);
                }
                done += bytes;
            }
        }
    }
    Ok(done.min(out.len()))
}

/// Inflates a whole stream to the end of `out`.
///
/// The caller has bounded `bytes`, which is what the stream claims to inflate to.
///
/// # Errors
/// [`ParseErrorKind::Lzf`] if the stream is damaged or does not give exactly `bytes`; `out` then holds what came before.
pub fn inflate(stored: &[u8], bytes: usize, out: &mut Vec<u8>) -> Result<(), ParseErrorKind> {
    let start = out.len();
    out.resize(start + bytes, 0);
    let (done, is_whole) = inflate_into(stored, out.get_mut(start..).unwrap_or_default());
    out.truncate(start + done);
    if is_whole && done == bytes { Ok(()) } else { Err(ParseErrorKind::Lzf) }
}

/// Bytes that are copied at a time where so many are there and have room: most runs are shorter, and what is written behind
/// them is overwritten by the next.
const LITERAL_COPY_BYTES: usize = 32;
const MATCH_COPY_BYTES: usize = 16;

/// Inflates a stream into `out`; returns how many bytes came, and whether the stream ended there and not in damage.
fn inflate_into(stored: &[u8], out: &mut [u8]) -> (usize, bool) {
    let (mut rest, mut done) = (stored, 0);
    while let Some((control, behind)) = rest.split_first() {
        let control = usize::from(*control);
        rest = behind;
        let step = if control < 32 {
            literal(&mut rest, out, done, control + 1)
        } else {
            copy_of(&mut rest, control).and_then(|(distance, bytes)| copy_back(out, done, distance, bytes))
        };
        let Some(to) = step else { return (done, false) };
        done = to;
    }
    (done, true)
}

/// The distance and the length that stand behind a control byte: as [`token`], without a result that goes through memory.
#[inline(always)]
fn copy_of(rest: &mut &[u8], control: usize) -> Option<(usize, usize)> {
    let mut bytes = (control >> 5) + 2;
    if control >> 5 == 7 {
        let (extra, behind) = rest.split_first()?;
        bytes += usize::from(*extra);
        *rest = behind;
    }
    let (low, behind) = rest.split_first()?;
    *rest = behind;
    Some((((control & 31) << 8 | usize::from(*low)) + 1, bytes))
}

/// Copies `bytes` bytes of the input to offset `done` of the output; returns the offset behind them.
#[inline]
fn literal(stored: &mut &[u8], out: &mut [u8], done: usize, bytes: usize) -> Option<usize> {
    let to = done + bytes;
    if let Some(run) = stored.first_chunk::<LITERAL_COPY_BYTES>()
        && let Some(room) = out.get_mut(done..).and_then(<[u8]>::first_chunk_mut)
    {
        *room = *run;
    } else {
        out.get_mut(done..to)?.copy_from_slice(stored.get(..bytes)?);
    }
    *stored = stored.get(bytes..)?;
    Some(to)
}

/// Copies `bytes` bytes from `distance` before offset `done` to there; returns the offset behind them. The two may overlap,
/// which repeats the run between them.
#[inline]
fn copy_back(out: &mut [u8], done: usize, distance: usize, bytes: usize) -> Option<usize> {
    let from = done.checked_sub(distance)?;
    let to = done + bytes;
    if to > out.len() {
        return None;
    }
    if distance >= MATCH_COPY_BYTES && to + MATCH_COPY_BYTES <= out.len() {
        let mut at = 0;
        while at < bytes {
            let (before, behind) = out.split_at_mut_checked(done + at)?;
            let run = *before.get(from + at..)?.first_chunk::<MATCH_COPY_BYTES>()?;
            *behind.first_chunk_mut()? = run;
            at += MATCH_COPY_BYTES;
        }
        return Some(to);
    }
    let mut at = done;
    while at < to {
        // Each round copies all that is there since `from`, so a run of one doubles instead of going byte by byte.
        let run = (to - at).min(at - from);
        out.copy_within(from..from + run, at);
        at += run;
    }
    Some(to)
}

/// Whether a whole stream is sound and gives exactly `bytes` bytes. They are not made: a stream that refers to nothing before
/// its start can be inflated.
pub(crate) fn is_sound(stored: &[u8], bytes: u64) -> bool {
    let (mut rest, mut done) = (stored, 0_u64);
    while let Some((control, behind)) = rest.split_first() {
        let control = usize::from(*control);
        rest = behind;
        if control < 32 {
            let Some(behind) = rest.get(control + 1..) else { return false };
            rest = behind;
            done += control as u64 + 1;
        } else {
            let Some((distance, copied)) = copy_of(&mut rest, control) else { return false };
            if distance as u64 > done {
                return false;
            }
            done += copied as u64;
        }
    }
    done == bytes
}

/// An LZF string as a source of its inflated bytes, in bounded memory whatever its size.
#[derive(Debug)]
pub(crate) struct Inflated<'s, S> {
    stored: &'s mut S,
    /// Offset in `stored` where the stream ends.
    stored_end: u64,
    element: FormatElement,
    /// History, then bytes not read yet. The history is what a copy may refer to.
    buffer: Vec<u8>,
    at: usize,
    /// Inflated bytes dropped from the front of the buffer.
    dropped: u64,
}

/// Inflated at one go; the buffer holds this and the history.
const STEP_BYTES: usize = 16 << 10;

impl<'s, S: Source> Inflated<'s, S> {
    /// The stream of `stored_bytes` bytes that comes next in `stored`.
    pub(crate) fn new(stored: &'s mut S, element: FormatElement, stored_bytes: u64) -> Self {
        let stored_end = stored.offset().saturating_add(stored_bytes);
        Self { stored, stored_end, element, buffer: Vec::new(), at: 0, dropped: 0 }
    }

    /// Inflates one step more; false at the stream's end.
    fn more(&mut self) -> Result<bool, ParseError> {
        if self.stored.offset() >= self.stored_end {
            return Ok(false);
        }
        let unread = self.buffer.len() - self.at;
        let keep = self.buffer.len().min(unread.max(DISTANCE_MAX));
        let drop = self.buffer.len() - keep;
        self.buffer.drain(..drop);
        self.at -= drop;
        self.dropped += drop as u64;
        let full = self.buffer.len() + STEP_BYTES;
        while self.buffer.len() < full && self.stored.offset() < self.stored_end {
            self.step()?;
        }
        Ok(true)
    }

    fn step(&mut self) -> Result<(), ParseError> {
        match self.stored.parse(self.element, token)? {
            Token::Literal { bytes } => {
                let start = self.buffer.len();
                self.buffer.resize(start + bytes, 0);
                let to = self.buffer.get_mut(start..).unwrap_or_default();
                let element = self.element;
                let run: [u8; 32] = self.stored.parse(element, |i| {
                    let (run, rest) = i.split_at_checked(bytes).ok_or(nom::Err::Error(ParseErrorKind::Eof))?;
                    let mut copy = [0; 32];
                    for (to, from) in copy.iter_mut().zip(run) {
                        *to = *from;
                    }
                    Ok((rest, copy))
                })?;
                for (to, from) in to.iter_mut().zip(run) {
                    *to = from;
                }
            }
            Token::Copy { distance, bytes } => {
                if distance > self.buffer.len() {
                    return Err(self.stored.error(self.element, ParseErrorKind::Lzf, distance as u64));
                }
                let done = self.buffer.len();
                self.buffer.resize(done + bytes, 0);
                copy_back(&mut self.buffer, done, distance, bytes);
            }
        }
        if self.stored.offset() > self.stored_end {
            return Err(self.stored.error(self.element, ParseErrorKind::Lzf, 0));
        }
        Ok(())
    }
}

impl<S: Source> Source for Inflated<'_, S> {
    /// Offset in the inflated bytes.
    fn offset(&self) -> u64 {
        self.dropped + self.at as u64
    }

    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        loop {
            let ahead = self.buffer.get(self.at..).unwrap_or_default();
            match parser(ahead) {
                Ok((rest, value)) => {
                    self.at = self.buffer.len() - rest.len();
                    return Ok(value);
                }
                Err(error) => match kind_of(&error) {
                    ParseErrorKind::Eof if self.more()? => {}
                    // The dump goes on: what ends too early is the value that was compressed.
                    ParseErrorKind::Eof => return Err(self.error(element, ParseErrorKind::BlobEntry, 0)),
                    kind => return Err(self.error(element, kind, 0)),
                },
            }
        }
    }

    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        let mut left = bytes;
        loop {
            let ahead = (self.buffer.len() - self.at) as u64;
            let step = left.min(ahead);
            self.at += usize::try_from(step).unwrap_or(0);
            left -= step;
            if left == 0 {
                return Ok(());
            }
            if !self.more()? {
                return Err(self.error(element, ParseErrorKind::BlobEntry, bytes));
            }
        }
    }

    /// The place in the file, not in the inflated bytes: that is where a person can look.
    fn error(&self, element: FormatElement, kind: ParseErrorKind, declared: u64) -> ParseError {
        self.stored.error(element, kind, declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::primitives::{array, byte};
    use crate::rdb::source::Slice;

    const ALL_A: [u8; 9] = [0x01, 0x61, 0x61, 0xe0, 0x57, 0x00, 0x01, 0x61, 0x61];
    const MIXED: [u8; 17] =
        [0x03, 0x61, 0x62, 0x63, 0x61, 0xe0, 0x0b, 0x02, 0x02, 0x58, 0x59, 0x5a, 0x40, 0x17, 0x01, 0x62, 0x63];

    fn whole(stored: &[u8], bytes: usize) -> Result<Vec<u8>, ParseErrorKind> {
        let mut out = b"kept".to_vec();
        inflate(stored, bytes, &mut out)?;
        Ok(out.split_off(4))
    }

    #[test]
    fn streams_that_a_server_wrote() {
        assert_eq!(whole(&ALL_A, 100), Ok(vec![b'a'; 100]));
        let mixed = whole(&MIXED, 33).unwrap();
        assert!(mixed.starts_with(b"abcabcabc"), "{mixed:?}");
    }

    #[test]
    fn a_prefix_is_the_start_of_the_whole() {
        for stored in [&ALL_A[..], &MIXED] {
            let bytes = if stored.len() == 9 { 100 } else { 33 };
            let all = whole(stored, bytes).unwrap();
            for wanted in 0..=bytes + 3 {
                let mut out = vec![0; wanted];
                let done = inflate_prefix(stored, &mut out).unwrap();
                assert_eq!(done, wanted.min(bytes));
                assert_eq!(out[..done], all[..done]);
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        assert_eq!(whole(&ALL_A, 99), Err(ParseErrorKind::Lzf));
        assert_eq!(whole(&ALL_A, 101), Err(ParseErrorKind::Lzf));
        for cut in 1..ALL_A.len() {
            assert_eq!(whole(&ALL_A[..cut], 100), Err(ParseErrorKind::Lzf), "cut at {cut}");
        }
        assert_eq!(whole(&[0x20, 0x00, 0x00], 3), Err(ParseErrorKind::Lzf));
        assert_eq!(inflate_prefix(&[0x00, 0x61, 0x20, 0x01], &mut [0; 10]), Err(ParseErrorKind::Lzf));
    }

    #[test]
    fn a_stream_is_inflated_in_steps() {
        let mut stored = vec![0x01, b'x', b'y'];
        for _ in 0..500 {
            stored.extend([0xe0, 0xff, 0x01]);
        }
        let bytes = 2 + 500 * 264;
        let all = whole(&stored, bytes).unwrap();
        let mut slice = Slice::new(&stored, 0);
        let mut source = Inflated::new(&mut slice, FormatElement::Blob, stored.len() as u64);
        let mut seen = 0;
        while seen + 6 <= bytes {
            let pair = source.parse(FormatElement::Blob, array::<2>).unwrap();
            assert_eq!(pair, all[seen..seen + 2]);
            source.skip(FormatElement::Blob, 4).unwrap();
            seen += 6;
        }
        source.skip(FormatElement::Blob, (bytes - seen) as u64).unwrap();
        assert_eq!(source.offset(), bytes as u64);
        assert_eq!(source.parse(FormatElement::Blob, byte).unwrap_err().kind, ParseErrorKind::BlobEntry);
        assert!(source.buffer.len() <= DISTANCE_MAX + STEP_BYTES + 264);
        assert_eq!(slice.offset(), stored.len() as u64);
    }
}
