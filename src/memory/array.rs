//! Arrays (Redis since 8.8): elements by index, in slices that a directory leads to.
//!
//! The rules are those of `sparsearray.c` under the default configuration: what a server takes that sets the elements in
//! the order of the dump, by rising index. Of all that, an array needs only what is open: the last slice and the directory.

use super::Model;
use crate::rdb::packed::Text;
use crate::rdb::primitives::{array, i64_le, length, string_header};
use crate::rdb::source::Source;
use crate::rdb::value::{ARRAY_FLOAT, ARRAY_INT, ARRAY_SMALL_TEXT, ARRAY_TEXT, array_count, unknown_array_tag};
use crate::rdb::{FormatElement, ParseError};

/// `redisArray`.
const ARRAY_BYTES: u64 = 80;

/// `arSlice`, before its elements.
const SLICE_BYTES: u64 = 32;

/// Indexes of a slice (`array-slice-size`).
const SLICE_INDEXES: u64 = 4096;

/// Most elements of a slice that holds each with its index (`array-sparse-kmax`).
const SPARSE_ELEMENTS_MAX: u64 = 10;

/// The least indexes of a slice that has a place for each.
const WINDOW_MIN: u64 = 8;

/// Slices of a block; with a slice of a higher number, blocks take the directory's place.
const BLOCK_SLICES: u64 = 2048;

/// `arSDirEntry`, which leads to a block.
const BLOCK_ENTRY_BYTES: u64 = 24;

/// Longest text that is held in place of a pointer to it.
const IN_PLACE_BYTES_MAX: u64 = 7;

/// From this length on a text's header has eight bytes instead of two.
const LONG_TEXT_BYTES: u64 = 1 << 15;

/// Steps over an array; returns its number of elements and what it takes besides its key.
///
/// # Errors
/// As [`crate::rdb::value::measure`].
pub(super) fn measure<S: Source>(source: &mut S, model: &Model) -> Result<(u64, u64), ParseError> {
    let elements = array_count(source)?;
    let mut found = Array::default();
    for _ in 0..elements {
        let index = source.parse(FormatElement::Element, length)?;
        let offset = source.offset();
        let text_bytes = match source.parse(FormatElement::Element, length)? {
            ARRAY_TEXT | ARRAY_SMALL_TEXT => {
                let header = source.parse(FormatElement::Element, string_header)?;
                source.skip(FormatElement::Element, header.stored_bytes())?;
                Some(header.value_bytes()).filter(|bytes| *bytes > IN_PLACE_BYTES_MAX)
            }
            ARRAY_INT => {
                let value = source.parse(FormatElement::Element, i64_le)?;
                // Two of a pointer's bits say what it holds.
                let fits = value << 2 >> 2 == value;
                (!fits).then(|| Text::Int(value).value_bytes())
            }
            ARRAY_FLOAT => {
                source.parse(FormatElement::Element, array::<8>)?;
                None
            }
            tag => return Err(unknown_array_tag(offset, tag)),
        };
        found.add(model, index, text_bytes);
    }
    Ok((elements, found.finish(model)))
}

#[derive(Debug, Default)]
struct Array {
    texts_bytes: u64,
    /// Of the slices that are full.
    slices_bytes: u64,
    slice: Option<Slice>,
    directory: Directory,
}

/// A slice that may get more elements.
#[derive(Debug)]
struct Slice {
    number: u64,
    elements: u64,
    /// Lowest and highest index within it.
    first: u64,
    last: u64,
    /// First index and number of indexes that have a place, once each has one.
    window: Option<(u64, u64)>,
}

/// What leads to slices.
#[derive(Debug, Default)]
struct Directory {
    /// Places for slices while there are no blocks.
    slots: u64,
    blocks: u64,
    last_block: Option<u64>,
}

impl Array {
    fn add(&mut self, model: &Model, index: u64, text_bytes: Option<u64>) {
        if let Some(bytes) = text_bytes {
            let header = if bytes < LONG_TEXT_BYTES { 2 } else { 8 };
            self.texts_bytes = self.texts_bytes.saturating_add(model.usable(bytes.saturating_add(header)));
        }
        let (number, within) = (index / SLICE_INDEXES, index % SLICE_INDEXES);
        match &mut self.slice {
            Some(slice) if slice.number == number => slice.add(within),
            _ => {
                self.close_slice(model);
                self.directory.add(number);
                self.slice = Some(Slice { number, elements: 1, first: within, last: within, window: None });
            }
        }
    }

    fn close_slice(&mut self, model: &Model) {
        let bytes = self.slice.take().map_or(0, |slice| slice.bytes(model));
        self.slices_bytes = self.slices_bytes.saturating_add(bytes);
    }

    fn finish(mut self, model: &Model) -> u64 {
        self.close_slice(model);
        let parts = [self.slices_bytes, self.directory.bytes(model), self.texts_bytes];
        parts.into_iter().fold(model.usable(ARRAY_BYTES), u64::saturating_add)
    }
}

impl Slice {
    fn add(&mut self, index: u64) {
        if self.elements == SPARSE_ELEMENTS_MAX {
            let indexes = (self.last.saturating_sub(self.first) + 1).next_power_of_two().max(WINDOW_MIN);
            self.window = Some(placed(self.first, indexes));
        }
        self.elements += 1;
        self.last = self.last.max(index);
        if let Some((start, mut indexes)) = self.window {
            while index >= start + indexes && indexes < SLICE_INDEXES {
                indexes *= 2;
            }
            self.window = Some(placed(start, indexes));
        }
    }

    fn bytes(&self, model: &Model) -> u64 {
        if let Some((_, indexes)) = self.window {
            return model.usable(SLICE_BYTES + 8 * indexes);
        }
        let capacity = match self.elements {
            ..=4 => 4,
            5..=8 => 8,
            _ => SPARSE_ELEMENTS_MAX,
        };
        // Two bytes of index each, padded for the pointers that follow.
        model.usable(SLICE_BYTES + (2 * capacity).next_multiple_of(8) + 8 * capacity)
    }
}

/// A window that begins here, moved down as far as it must be to end within the slice.
fn placed(start: u64, indexes: u64) -> (u64, u64) {
    let indexes = indexes.min(SLICE_INDEXES);
    (start.min(SLICE_INDEXES - indexes), indexes)
}

impl Directory {
    fn add(&mut self, slice: u64) {
        if self.blocks == 0 && slice < BLOCK_SLICES {
            self.slots = self.slots.max((slice + 1).next_power_of_two());
            return;
        }
        if self.blocks == 0 && self.slots > 0 {
            (self.blocks, self.last_block) = (1, Some(0));
        }
        let block = slice / BLOCK_SLICES;
        if self.last_block != Some(block) {
            self.blocks += 1;
            self.last_block = Some(block);
        }
    }

    fn bytes(&self, model: &Model) -> u64 {
        if self.blocks == 0 {
            return model.usable(8 * self.slots);
        }
        let entries = self.blocks.next_power_of_two().max(4);
        let blocks = model.usable(8 * BLOCK_SLICES).saturating_mul(self.blocks);
        blocks.saturating_add(model.usable(BLOCK_ENTRY_BYTES.saturating_mul(entries)))
    }
}
