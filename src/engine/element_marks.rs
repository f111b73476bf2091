//! Marks inside a value that is larger than a segment: its elements, counted before the chain comes to them.
//!
//! Strings that follow each other are the elements of a list, set or hash, and with scores between them those of a sorted
//! set. As with keys, where one begins is guessed, and the chain decides whether the guess was right.

use crate::rdb::FormatElement;
use crate::rdb::primitives::array;
use crate::rdb::run::{Item, Run};
use crate::rdb::source::{Slice, Source};
use crate::rdb::types::Kind;

/// Elements that must look right behind a guessed offset; the first half of them is not relied on.
const ITEMS_WANTED: usize = 64;

/// Bytes that these may take. Larger elements are few, and the chain passes over them as fast as over keys.
const ATTEMPT_BYTES_MAX: u64 = 16 << 10;

/// Offsets that are tried at a time.
const OFFSETS_MAX: usize = 512;

/// Elements that all attempts in a segment may read: a tenth of a millisecond.
pub(super) const ITEMS_MAX: usize = 16 << 10;

/// Elements in a row, and how many of them lie before certain offsets.
pub(super) struct ElementMarks<'a> {
    pub(super) item: Item,
    /// Where the first of them begins.
    pub(super) start: u64,
    set: Vec<ElementMark>,
    source: Slice<'a>,
}

/// Where an element begins, and how many lie between it and the start.
#[derive(Clone, Copy)]
pub(super) struct ElementMark {
    pub(super) offset: u64,
    pub(super) items: u64,
}

impl<'a> ElementMarks<'a> {
    /// The first offset behind `from` where elements seem to follow each other. Attempts take from `items_left`.
    pub(super) fn guess(dump: &'a [u8], from: usize, items_left: &mut usize) -> Option<Self> {
        for offset in from..from.saturating_add(OFFSETS_MAX) {
            // Scores first: what has them may also look like strings, but not the other way round.
            for item in [Item::Scored, Item::String] {
                if *items_left == 0 {
                    return None;
                }
                let source = Slice::new(dump, offset as u64);
                if let Some(source) = attempt(source, item, items_left) {
                    return Some(Self { item, start: source.offset(), set: Vec::new(), source });
                }
            }
        }
        None
    }

    /// Counts on to offset `until` and sets a mark there; false where what follows is no element.
    pub(super) fn count(&mut self, until: u64) -> bool {
        let last = self.set.last().map_or(0, |mark| mark.items);
        let mut run = Run { kind: Kind::Set, size: 0, item: self.item, left: u64::MAX, damaged: None };
        if !matches!(run.walk(&mut self.source, until), Ok(false)) {
            return false;
        }
        self.set.push(ElementMark { offset: self.source.offset(), items: last + (u64::MAX - run.left) });
        true
    }

    /// The last mark before which there are at most `items`.
    pub(super) fn last_within(&self, items: u64) -> Option<ElementMark> {
        let within = self.set.partition_point(|mark| mark.items <= items);
        self.set.get(within.checked_sub(1)?).copied()
    }
}

/// Reads elements; returns the source behind those that are not relied on, if all look right.
fn attempt<'a>(mut source: Slice<'a>, item: Item, items_left: &mut usize) -> Option<Slice<'a>> {
    let end = source.offset() + ATTEMPT_BYTES_MAX;
    let mut in_step = source;
    let mut last_is_empty = false;
    for read in 0..ITEMS_WANTED {
        *items_left = items_left.checked_sub(1)?;
        if read == ITEMS_WANTED / 2 {
            in_step = source;
        }
        let is_empty = source.string(FormatElement::Element).ok()?.value_bytes() == 0;
        if is_empty && last_is_empty || item == Item::Scored && !is_likely_score(&mut source) || source.offset() > end {
            return None;
        }
        // Zeros parse as empty strings for as long as they go on.
        last_is_empty = is_empty;
    }
    Some(in_step)
}

fn is_likely_score(source: &mut Slice<'_>) -> bool {
    let Ok(bytes) = source.parse(FormatElement::Score, array::<8>) else { return false };
    let score = f64::from_le_bytes(bytes);
    // Text read as a number is outside.
    score == 0.0 || score.is_infinite() || (1e-9..1e19).contains(&score.abs())
}
