//! A stream as older servers store it: what they do not know of it is left out, unless that says something.

use super::format::Format;
use crate::rdb::packed::stream::{Layout, node_id, skip_lengths};
use crate::rdb::primitives::length;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{FormatElement, ParseError, ValueType};
use crate::values::{Fault, Value};

const PART: FormatElement = FormatElement::StreamGroups;

/// A stream's types, the newest first.
const TYPES: [ValueType; 5] =
    [ValueType::STREAM_5, ValueType::STREAM_4, ValueType::STREAM_3, ValueType::STREAM_2, ValueType::STREAM];

/// Writes a stream as the newest type that the format has; returns that.
///
/// # Errors
/// What stands in the way: something that older servers cannot hold.
pub(super) fn lower(value: &Value<'_>, format: Format, to: &mut Vec<u8>) -> Result<ValueType, Fault> {
    let Some(lower) = TYPES.into_iter().find(|known| format.has(*known)) else {
        return Err(Fault::Unsupported(format!("{format} has no streams").into()));
    };
    let mut copy = Copy { source: Slice::new(value.stored(), 0), from: Slice::new(value.stored(), 0), to };
    let (has, keeps) = (Layout::of(value.value_type()), Layout::of(lower));
    for _ in 0..copy.source.parse(FormatElement::Count, length)? {
        node_id(&mut copy.source)?;
        copy.source.string(FormatElement::StreamEntries)?;
    }
    // The number of entries, and the last ID.
    skip_lengths(&mut copy.source, 3)?;
    copy.keep();
    if has.has_totals {
        skip_lengths(&mut copy.source, 5)?;
        copy.keep_if(keeps.has_totals);
    }
    for _ in 0..copy.source.parse(PART, length)? {
        copy.group(has, keeps)?;
    }
    copy.keep();
    if has.has_producers {
        skip_lengths(&mut copy.source, 2)?;
        let producers = copy.source.parse(PART, length)?;
        if producers > 0 && !keeps.has_producers {
            return Err(Fault::Unsupported(
                format!("it remembers messages of {producers} producers, which {format} does not know").into(),
            ));
        }
        copy.source = Slice::at(&[], copy.source.offset() + copy.source.rest().len() as u64);
        copy.keep_if(keeps.has_producers);
    }
    Ok(lower)
}

/// A copy that leaves parts out.
struct Copy<'a, 'o> {
    source: Slice<'a>,
    /// Where what has not been copied begins.
    from: Slice<'a>,
    to: &'o mut Vec<u8>,
}

impl Copy<'_, '_> {
    /// Copies what was read since the last time.
    fn keep(&mut self) {
        self.keep_if(true);
    }

    fn keep_if(&mut self, keeps: bool) {
        if keeps {
            self.to.extend_from_slice(self.from.first_bytes(self.source.offset() - self.from.offset()));
        }
        self.from = self.source;
    }

    fn group(&mut self, has: Layout, keeps: Layout) -> Result<(), Fault> {
        self.source.string(PART)?;
        skip_lengths(&mut self.source, 2)?;
        self.keep();
        if has.has_totals {
            skip_lengths(&mut self.source, 1)?;
            self.keep_if(keeps.has_totals);
        }
        let pending = self.source.parse(PART, length)?;
        for _ in 0..pending {
            self.source.skip(PART, 16 + 8)?;
            skip_lengths(&mut self.source, 1)?;
        }
        for _ in 0..self.source.parse(PART, length)? {
            self.consumer(has, keeps)?;
        }
        self.keep();
        if has.has_nacks {
            let ids = self.source.parse(PART, length)?;
            if ids > 0 && !keeps.has_nacks {
                return Err("entries in a group of it were handed back, which older servers do not know".into());
            }
            self.source.skip(PART, ids.saturating_mul(16))?;
            self.keep_if(keeps.has_nacks);
        }
        Ok(())
    }

    fn consumer(&mut self, has: Layout, keeps: Layout) -> Result<(), ParseError> {
        self.source.string(PART)?;
        self.source.skip(PART, 8)?;
        self.keep();
        if has.has_active_time {
            self.source.skip(PART, 8)?;
            self.keep_if(keeps.has_active_time);
        }
        let ids = self.source.parse(PART, length)?;
        self.source.skip(PART, ids.saturating_mul(16))
    }
}
