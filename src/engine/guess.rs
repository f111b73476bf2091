//! Guessing where an entry begins, somewhere in the middle of a dump.
//!
//! A guess is an offset from which several records parse and look like what servers write. It may be wrong, so it must be
//! cheap to fail: each attempt has a limit of words that it may read, and so has each search.

use std::ops::Range;

use crate::rdb::primitives::Parsed;
use crate::rdb::record::{self, KeyHeader, Record};
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::types::opcode;
use crate::rdb::value::measure;
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind, ValueType};

/// Entries that must look right behind a guessed offset.
const ENTRIES_WANTED: usize = 32;

/// Of these, the first ones are not relied on: a wrong guess falls in step with the true entries after a few.
const ENTRIES_TO_FALL_IN_STEP: usize = 8;

/// Offsets that are tried at the start of a segment, and further on in it.
const FIRST_OFFSETS_MAX: usize = 32 << 10;
const LATER_OFFSETS_MAX: usize = 4 << 10;

/// Words that one attempt may read: 32 entries of 100 elements.
const ATTEMPT_WORDS_MAX: usize = 8 << 10;

/// Words that the attempts at a segment's start may read, a millisecond or two, and those further on each time.
const FIRST_WORDS_MAX: usize = 256 << 10;
const LATER_WORDS_MAX: usize = 8 << 10;

/// Bytes that a search may see, so that wild jumps in attempts do not bring in pages that nobody has come to: on a mapped
/// file each of them costs more than the attempt.
pub(super) const REACH_BYTES: usize = 128 << 10;

/// Entries that must look right before one leaves the reach of the search.
const ENTRIES_WITHIN_REACH: usize = 4;

/// A name longer than this is not what a guess expects.
const NAME_BYTES_MAX: u64 = 1 << 16;

/// What the next search in a segment may cost.
pub(super) struct SearchBudget {
    offsets: usize,
    words: usize,
}

impl Default for SearchBudget {
    fn default() -> Self {
        Self { offsets: FIRST_OFFSETS_MAX, words: FIRST_WORDS_MAX }
    }
}

/// The first offset in `range` behind which entries look right, moved on by those that are not relied on.
pub(super) fn boundary(dump: &[u8], context: &Context, range: Range<usize>, budget: &mut SearchBudget) -> Option<u64> {
    let later = SearchBudget { offsets: LATER_OFFSETS_MAX, words: LATER_WORDS_MAX };
    let SearchBudget { offsets, words: mut words_left } = std::mem::replace(budget, later);
    let within_reach = dump.get(..range.start.saturating_add(REACH_BYTES)).unwrap_or(dump);
    for offset in range.start..range.end.min(range.start.saturating_add(offsets)) {
        if !dump.get(offset).is_some_and(|first| could_begin_record(*first)) {
            continue;
        }
        let words = words_left.min(ATTEMPT_WORDS_MAX);
        let mut reader = BoundedReader { slice: Slice::new(within_reach, offset as u64), words_left: words };
        if let Some(boundary) = attempt(&mut reader, context, range.end as u64) {
            return Some(boundary);
        }
        words_left -= words - reader.words_left;
        if words_left == 0 {
            return None;
        }
    }
    None
}

/// Words that a search for a run may read for each byte that it passes, and besides: true records are found with two or
/// three a byte, and a dump that is made to mislead must not take for ever.
const RUN_WORDS_PER_BYTE: usize = 16;
pub(crate) const RUN_WORDS: usize = 4 << 20;

/// The first offset in `range` where a run of records begins that look right: as many as a guess wants, or fewer and then the
/// dump's end. `words` are those that the search may read besides some for each byte.
pub(crate) fn run(dump: &[u8], context: &Context, range: Range<u64>, words: usize) -> Option<u64> {
    let from = usize::try_from(range.start).ok()?;
    let bytes = usize::try_from(range.end.saturating_sub(range.start)).ok()?;
    let mut words_read = 0;
    for (offset, first) in dump.iter().enumerate().skip(from).take(bytes) {
        let is_end = *first == opcode::EOF;
        if !is_end && !could_begin_record(*first) {
            continue;
        }
        let mut reader = BoundedReader { slice: Slice::new(dump, offset as u64), words_left: ATTEMPT_WORDS_MAX };
        if is_run(&mut reader, context, dump.len() as u64) {
            return Some(offset as u64);
        }
        words_read += ATTEMPT_WORDS_MAX - reader.words_left;
        if words_read > words + RUN_WORDS_PER_BYTE * (offset - from) {
            return None;
        }
    }
    None
}

/// Reads records until there are enough, or the end of a dump of `dump_bytes` bytes; false where one looks wrong.
fn is_run(reader: &mut BoundedReader<'_>, context: &Context, dump_bytes: u64) -> bool {
    for read in 0..ENTRIES_WANTED {
        match entry(reader, context) {
            Ok(Looks::Right | Looks::LikeTheEnd) => {}
            Err(ParseErrorKind::GaveUp) => return read >= ENTRIES_TO_FALL_IN_STEP,
            Ok(Looks::Wrong) | Err(_) => return false,
        }
        // Only the end leaves no more than a checksum behind it.
        if dump_bytes - reader.offset() <= 8 {
            return true;
        }
    }
    true
}

/// Types up to the largest known, and opcodes; a dump's end is no start.
fn could_begin_record(first: u8) -> bool {
    first <= ValueType::BITMAP.0 || (opcode::KEY_META..opcode::EOF).contains(&first)
}

/// Reads entries from where `reader` stands; the last boundary before `end` that is to be relied on, if they look right.
fn attempt(reader: &mut BoundedReader<'_>, context: &Context, end: u64) -> Option<u64> {
    let mut in_step = None;
    for read in 1..=ENTRIES_WANTED {
        match entry(reader, context) {
            Ok(Looks::Right) => {}
            Ok(Looks::LikeTheEnd) => break,
            // Large values. What was read must be proof enough.
            Err(ParseErrorKind::GaveUp | ParseErrorKind::Eof) if read > ENTRIES_WITHIN_REACH => break,
            Ok(Looks::Wrong) | Err(_) => return None,
        }
        if read <= ENTRIES_TO_FALL_IN_STEP && reader.offset() < end {
            in_step = Some(reader.offset());
        }
    }
    in_step
}

enum Looks {
    Right,
    LikeTheEnd,
    Wrong,
}

/// Reads one record, and says whether it looks like what a server writes.
fn entry(reader: &mut BoundedReader<'_>, context: &Context) -> Result<Looks, ParseErrorKind> {
    const MS_IN_THE_YEAR_5138: i64 = 100_000_000_000_000;
    let kind = |error: ParseError| error.kind;
    let mut header = KeyHeader::default();
    let looks_right = match record::next(reader, context, &mut header).map_err(kind)? {
        // Zeros parse as empty strings with empty names, for as long as they go on.
        Record::Key => {
            (1..=NAME_BYTES_MAX).contains(&header.key.value_bytes())
                && header.expires_at_ms.is_none_or(|at_ms| (0..MS_IN_THE_YEAR_5138).contains(&at_ms))
        }
        Record::SelectDb(db) => return Ok(if db < 1 << 20 { Looks::Right } else { Looks::Wrong }),
        // The end is likely only where the file ends.
        Record::End => return Ok(if reader.slice.rest().len() <= 8 { Looks::LikeTheEnd } else { Looks::Wrong }),
    };
    if !looks_right {
        return Ok(Looks::Wrong);
    }
    measure(reader, header.value_type, context).map_err(kind)?;
    Ok(Looks::Right)
}

/// A slice that stops answering after a number of words.
struct BoundedReader<'a> {
    slice: Slice<'a>,
    words_left: usize,
}

impl Source for BoundedReader<'_> {
    fn offset(&self) -> u64 {
        self.slice.offset()
    }

    fn parse<T>(&mut self, element: FormatElement, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, ParseError> {
        if self.words_left == 0 {
            return Err(self.error(element, ParseErrorKind::GaveUp, 0));
        }
        self.words_left -= 1;
        self.slice.parse(element, parser)
    }

    fn skip(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        self.slice.skip(element, bytes)
    }
}

impl KeepsKey for BoundedReader<'_> {
    fn keep(&mut self, element: FormatElement, bytes: u64) -> Result<(), ParseError> {
        self.slice.keep(element, bytes)
    }

    fn kept(&self) -> &[u8] {
        self.slice.kept()
    }

    fn ahead(&self) -> &[u8] {
        self.slice.ahead()
    }
}
