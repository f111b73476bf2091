//! One key looked at: its card, and its elements as far as they were asked for.
//!
//! For a person names and texts are escaped, so that a terminal acts on nothing in them, and cut where a line ends. As JSON a
//! key is one object on a line: what [`super`] says of texts holds, and `elements` has objects as the rows of elements have.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;

use super::elements::json_element;
use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::text::{float, json_bytes, json_name};
use super::vocabulary::{stream_id, type_name};
use crate::memory::{Allocator, Footprint, Model, Target, walk};
use crate::output::human;
use crate::rdb::Kind;
use crate::rdb::packed::Text;
use crate::rdb::source::Slice;
use crate::values::{Content, Fault, KeyEntry, Record, Value};

/// The most elements of which the largest can be asked for.
pub const LARGEST_MAX: u64 = 100_000;

/// Bytes of a text that a person is shown at most.
const SHOWN_BYTES: usize = 4096;

/// What is shown of a key.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether it is JSON, rather than for a person.
    pub is_json: bool,
    /// Columns of a line, for a person.
    pub width: usize,
    /// Only the field or member of this name.
    pub field: Option<Vec<u8>>,
    /// The first element that is shown, from 0.
    pub from: u64,
    /// How many elements are shown at most.
    pub limit: u64,
    /// Whether the largest elements are shown, as many as the limit says, rather than the first ones.
    pub largest: bool,
    /// The server whose memory is modelled; none for the one that wrote the dump.
    pub target: Option<Target>,
    /// Its allocator.
    pub allocator: Allocator,
}

/// A card a key.
#[derive(Clone, Debug)]
pub struct Cards {
    look: Look,
}

impl<'o> Lines<'o, Cards> {
    /// Cards.
    pub fn cards(look: Look, drain: Drain<'o>) -> Self {
        Self::of(Cards { look }, drain)
    }
}

impl Line for Cards {
    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let context = value.context();
        let model = Model::new(self.look.target.unwrap_or_else(|| Target::of(context)), self.look.allocator);
        // Where the value can be stepped over, which it was, this comes to an answer as well.
        let footprint = walk::measure(&mut Slice::at(value.stored(), 0), &key.entry.header(), context, &model).ok();
        let card = Card { key, footprint, model };
        if self.look.is_json {
            card.json(out);
            let read = self.json_elements(key, value, out);
            out.put(if read.is_ok() { b"}\n" } else { b",\"is_complete\":false}\n" });
            return read;
        }
        card.text(self.look.width, out);
        self.text_elements(key, value, out)
    }
}

struct Card<'c, 'e> {
    key: &'c KeyEntry<'e>,
    footprint: Option<Footprint>,
    model: Model,
}

impl Card<'_, '_> {
    fn serialized_bytes(&self) -> u64 {
        let entry = &self.key.entry;
        entry.value_offset - entry.offset + entry.value_bytes
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.footprint.and_then(|footprint| footprint.memory_bytes)
    }

    fn json(&self, out: &mut Out<'_>) {
        let entry = &self.key.entry;
        out.put(b"{\"db\":");
        if self.key.db.is_none() && !out.is_piece() {
            out.put(b"null");
        } else {
            out.db(self.key.db);
        }
        out.put(b",");
        json_name(self.key.name, out);
        let word = |name: &str, value: &str, out: &mut Out<'_>| {
            out.put(format!(",\"{name}\":").as_bytes());
            json_bytes(value.as_bytes(), out);
        };
        word("type", &type_name(entry), out);
        word("stored_as", entry.value_type.label(), out);
        if let Some(footprint) = self.footprint {
            word("loaded_as", footprint.encoding.name(), out);
        }
        word("unit", entry.kind.unit().name(), out);
        let footprint = self.footprint;
        let numbers = [
            ("size", Some(entry.size)),
            ("serialized_bytes", Some(self.serialized_bytes())),
            ("memory_bytes", self.memory_bytes()),
            ("value_bytes", footprint.and_then(|footprint| footprint.value_bytes)),
            ("idle_seconds", entry.idle_seconds),
            ("frequency", entry.frequency.map(u64::from)),
            ("offset", Some(entry.offset)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                out.put(format!(",\"{name}\":{number}").as_bytes());
            }
        }
        if let Some(at_ms) = entry.expires_at_ms {
            out.put(format!(",\"expires_at_ms\":{at_ms}").as_bytes());
        }
        word("target", self.model.target().name(), out);
    }

    fn text(&self, width: usize, out: &mut Out<'_>) {
        let entry = &self.key.entry;
        let line = |name: &str, text: &str, out: &mut Out<'_>| {
            out.put(format!("{name:<12}{text}\n").as_bytes());
        };
        line("key", &human::name(self.key.name, width.saturating_sub(12)), out);
        let size = match entry.kind {
            Kind::String | Kind::Module => human::bytes(entry.size),
            Kind::Stream => format!("{} entries", human::count(entry.size)),
            Kind::Hash => format!("{} fields", human::count(entry.size)),
            _ => format!("{} elements", human::count(entry.size)),
        };
        line("type", &format!("{}, {size}", human::name(type_name(entry).as_bytes(), width)), out);
        out.put(format!("{:<12}", "database").as_bytes());
        if self.key.db.is_none() && !out.is_piece() {
            out.put(b"unknown (an offset does not tell)");
        } else {
            out.db(self.key.db);
        }
        out.put(b"\n");
        line("stored as", entry.value_type.label(), out);
        if let Some(footprint) = self.footprint {
            let encoding = footprint.encoding.name();
            line("loaded as", &format!("{encoding}, by {}", self.model.target()), out);
        }
        let (bytes, offset) = (human::bytes(self.serialized_bytes()), entry.offset);
        line("in the dump", &format!("{bytes} at offset {offset}"), out);
        let (target, allocator) = (self.model.target(), self.model.allocator());
        let memory = self.memory_bytes().map_or("unknown".to_owned(), |bytes| {
            format!("{} ({} bytes), modelled for {target} with {allocator}", human::bytes(bytes), human::count(bytes))
        });
        line("memory", &memory, out);
        let expires = entry.expires_at_ms.map_or("never".to_owned(), moment);
        line("expires", &expires, out);
        if let Some(seconds) = entry.idle_seconds {
            line("idle", &format!("{} seconds", human::count(seconds)), out);
        }
        if let Some(frequency) = entry.frequency {
            line("LFU counter", &frequency.to_string(), out);
        }
    }
}

/// A time as a person reads it, with the number that it is.
fn moment(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => format!("{at} ({at_ms} ms since 1970)"),
        Err(_) => format!("{at_ms} ms since 1970"),
    }
}

/// Bytes of a record's texts.
fn record_bytes(record: &Record<'_>) -> u64 {
    let content = match record.value {
        Some(Content::Text(text)) => text.value_bytes(),
        Some(Content::Unsigned(_) | Content::Float(_)) => size_of::<u64>() as u64,
        None => 0,
    };
    [record.field, record.member].into_iter().flatten().map(|text| text.value_bytes()).sum::<u64>() + content
}

fn is_text(text: Text<'_>, wanted: &[u8]) -> bool {
    match text {
        Text::Bytes(text) => text == wanted,
        Text::Int(value) => itoa::Buffer::new().format(value).as_bytes() == wanted,
    }
}

/// How many elements there were, and how many of them were shown.
#[derive(Default)]
struct Shown {
    matched: u64,
    shown: u64,
}

impl Cards {
    fn matches(&self, record: &Record<'_>) -> bool {
        let Some(wanted) = &self.look.field else { return true };
        record.field.or(record.member).is_some_and(|text| is_text(text, wanted))
    }

    /// Hands on the records that were asked for, with the place of each among those of the key.
    fn each(
        &self,
        kind: Kind,
        value: &Value<'_>,
        mut on_record: impl FnMut(u64, &Record<'_>),
    ) -> Result<Shown, (Shown, Fault)> {
        let mut shown = Shown::default();
        let mut at = 0_u64;
        let wanted = if self.look.largest { Some(self.largest(kind, value)) } else { None };
        let mut wanted = wanted.iter().flatten().peekable();
        let read = value.records(kind, |record| {
            let place = at;
            at += 1;
            if !self.matches(record) {
                return;
            }
            let number = shown.matched;
            shown.matched += 1;
            let is_shown = if self.look.largest {
                wanted.next_if(|wanted| **wanted == place).is_some()
            } else {
                number >= self.look.from && number - self.look.from < self.look.limit
            };
            if is_shown {
                shown.shown += 1;
                on_record(place, record);
            }
        });
        match read {
            Ok(()) => Ok(shown),
            Err(fault) => Err((shown, fault)),
        }
    }

    /// The places of the largest elements, in their order.
    fn largest(&self, kind: Kind, value: &Value<'_>) -> Vec<u64> {
        let most = usize::try_from(self.look.limit.min(LARGEST_MAX)).unwrap_or(usize::MAX);
        let mut heap = BinaryHeap::new();
        let mut at = 0_u64;
        // What cannot be read is told by the walk that shows them.
        _ = value.records(kind, |record| {
            if self.matches(record) {
                heap.push(Reverse((record_bytes(record), Reverse(at))));
                if heap.len() > most {
                    heap.pop();
                }
            }
            at += 1;
        });
        let mut places: Vec<u64> = heap.into_iter().map(|Reverse((_, Reverse(at)))| at).collect();
        places.sort_unstable();
        places
    }

    fn json_elements(&self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        out.put(b",\"elements\":[");
        let mut is_first = true;
        let read = self.each(key.entry.kind, value, |_, record| {
            out.put(if std::mem::take(&mut is_first) { b"{" } else { b",{" });
            json_element(record, out);
            out.put(b",\"bytes\":");
            out.number(record_bytes(record));
            out.put(b"}");
            out.room();
        });
        let (shown, read) = match read {
            Ok(shown) => (shown, Ok(())),
            Err((shown, fault)) => (shown, Err(fault)),
        };
        out.put(b"],\"elements_matched\":");
        out.number(shown.matched);
        read
    }

    fn text_elements(&self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        out.put(b"\n");
        let mut lines: Vec<(u64, Vec<u8>)> = Vec::new();
        let width = self.look.width;
        let read = self.each(key.entry.kind, value, |_, record| {
            let mut line = Out::scratch();
            element_line(record, width, &mut line);
            if self.look.largest {
                lines.push((record_bytes(record), line.bytes));
            } else {
                out.put(&line.bytes);
                out.room();
            }
        });
        lines.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (bytes, line) in lines {
            out.put(format!("{:>12}  ", human::bytes(bytes)).as_bytes());
            out.put(&line);
            out.room();
        }
        let (shown, read) = match read {
            Ok(shown) => (shown, Ok(())),
            Err((shown, fault)) => (shown, Err(fault)),
        };
        let more = shown.matched - shown.shown;
        if shown.matched == 0 && read.is_ok() {
            out.put(b"no such element\n");
        } else if more > 0 {
            let (of, next) = (human::count(shown.matched), self.look.from.saturating_add(shown.shown));
            out.put(format!("{} of {of} shown", human::count(shown.shown)).as_bytes());
            if !self.look.largest && next < shown.matched {
                out.put(format!("; the next: --from {next}").as_bytes());
            }
            out.put(b"\n");
        }
        read
    }
}

/// An element in a line: its place, and its parts with two blanks between them.
fn element_line(record: &Record<'_>, width: usize, out: &mut Out<'_>) {
    out.put(format!("{:>8}", record.index).as_bytes());
    let left = width.saturating_sub(10);
    if let Some(id) = record.id {
        out.put(b"  ");
        stream_id(id, &mut out.bytes);
    }
    let has_two = record.field.is_some() || record.score.is_some();
    for text in [record.field, record.member].into_iter().flatten() {
        out.put(b"  ");
        out.put(shown(text, if has_two { left / 2 } else { left }).as_bytes());
    }
    if let Some(score) = record.score {
        out.put(b"  ");
        float(score, &mut out.bytes);
    }
    match record.value {
        Some(Content::Text(text)) => {
            out.put(b"  ");
            out.put(shown(text, if has_two { left / 2 } else { left }).as_bytes());
        }
        Some(Content::Unsigned(value)) => {
            out.put(b"  ");
            out.number(value);
        }
        Some(Content::Float(value)) => {
            out.put(b"  ");
            float(value, &mut out.bytes);
        }
        None => {}
    }
    if let Some(at_ms) = record.expires_at_ms {
        let at = i64::try_from(at_ms).map_or_else(|_| at_ms.to_string(), moment);
        out.put(format!("  expires {at}").as_bytes());
    }
    out.put(b"\n");
}

fn shown(text: Text<'_>, width: usize) -> String {
    match text {
        Text::Int(value) => value.to_string(),
        Text::Bytes(text) if text.len() > SHOWN_BYTES => {
            let first = text.get(..SHOWN_BYTES).unwrap_or_default();
            format!("{} ({})", human::name(first, width.saturating_sub(14)), human::bytes(text.len() as u64))
        }
        Text::Bytes(text) => human::name(text, width),
    }
}
