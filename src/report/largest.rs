//! The largest element of a key that a report lists: a second look at its value, packed or not.
//!
//! The scan itself inflates nothing and keeps no element, so it cannot tell. This is done only when asked for, for the few
//! keys on the lists, and over a dump that can be read twice. What is inflated is bounded (see [`elements::for_each`]).

use super::key_row::KeyRow;
use super::text::Name;
use crate::rdb::element::Element;
use crate::rdb::elements;
use crate::rdb::entry::step;
use crate::rdb::packed::Text;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Dialect, Kind, ValueType};

/// Elements with longer names are told by their place alone.
const NAME_BYTES_MAX: usize = 1024;

/// Looks into the value of a listed key, and completes what its row says of elements. Where the value cannot be decoded the
/// row stays as it is: [`crate::check`] is who tells what is wrong with it.
pub(crate) fn look_into(dump: &[u8], context: &Context, row: &mut KeyRow) {
    // Offsets of Dragonfly's keys may be those of the compressed blob that they lie in.
    if context.dialect == Dialect::Dragonfly {
        return;
    }
    let mut value = None;
    let stepped = step(&mut Slice::new(dump, row.offset), context, u64::MAX, |_, key| {
        value = Some((key.header.value_type, key.measure.kind, key.value_offset, key.end));
        Ok(())
    });
    let (Ok(_), Some((value_type, kind, start, end))) = (stepped, value) else { return };
    let Some(dump) = usize::try_from(end).ok().and_then(|end| dump.get(..end)) else { return };
    if value_type == ValueType::STRING || kind == Kind::Module {
        return;
    }
    let mut seen = Seen { has_names: kind != Kind::List, ..Seen::default() };
    let decoded = elements::for_each(&mut Slice::new(dump, start), value_type, context, |element| seen.add(&element));
    seen.end_entry();
    let (Ok(()), Some(largest)) = (decoded, seen.largest) else { return };
    row.value_bytes = Some(seen.value_bytes);
    row.largest_element_bytes = Some(largest.bytes);
    row.largest_element_index = Some(largest.index);
    row.largest_element = largest.name.map(Name::new);
}

/// Elements as they come by.
#[derive(Default)]
struct Seen {
    /// Whether a value that stands alone is its own name, as in a set.
    has_names: bool,
    elements: u64,
    value_bytes: u64,
    /// Of several, the first.
    largest: Option<Largest>,
    /// The stream's entry whose fields come by: its ID and their bytes.
    entry: Option<((u64, u64), u64)>,
}

struct Largest {
    bytes: u64,
    index: u64,
    name: Option<Vec<u8>>,
}

impl Seen {
    fn add(&mut self, element: &Element<'_>) {
        match *element {
            Element::Value(text) => self.one(bytes(text), || name(text)),
            Element::TemplateValue(text) | Element::Item { value: text, .. } => self.one(bytes(text), || None),
            Element::FloatItem { .. } => self.one(size_of::<f64>() as u64, || None),
            Element::Field { field, value, .. } => {
                self.one(bytes(field).saturating_add(bytes(value)), || name(field));
            }
            Element::Member { member, .. } => self.one(bytes(member), || name(member)),
            Element::StreamField { id, is_first, field, value } => {
                if is_first {
                    self.end_entry();
                    self.entry = Some((id, 0));
                }
                if let Some((_, sum)) = &mut self.entry {
                    *sum = sum.saturating_add(bytes(field)).saturating_add(bytes(value));
                }
            }
            Element::Module(_) => {}
        }
    }

    /// Counts the stream's entry whose fields have all come by.
    fn end_entry(&mut self) {
        if let Some(((ms, sequence), bytes)) = self.entry.take() {
            self.one(bytes, || Some(format!("{ms}-{sequence}").into_bytes()));
        }
    }

    fn one(&mut self, bytes: u64, name: impl FnOnce() -> Option<Vec<u8>>) {
        if self.largest.as_ref().is_none_or(|largest| bytes > largest.bytes) {
            let name = if self.has_names { name() } else { None };
            self.largest = Some(Largest { bytes, index: self.elements, name });
        }
        self.elements += 1;
        self.value_bytes = self.value_bytes.saturating_add(bytes);
    }
}

fn bytes(text: Text<'_>) -> u64 {
    match text {
        Text::Bytes(text) => text.len() as u64,
        Text::Int(value) => itoa::Buffer::new().format(value).len() as u64,
    }
}

fn name(text: Text<'_>) -> Option<Vec<u8>> {
    match text {
        Text::Bytes(text) => (text.len() <= NAME_BYTES_MAX).then(|| text.to_vec()),
        Text::Int(value) => Some(itoa::Buffer::new().format(value).as_bytes().to_vec()),
    }
}
