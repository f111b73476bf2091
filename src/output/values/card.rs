//! One key looked at: its card, and its elements as far as they were asked for.
//!
//! For a person names and texts are escaped, so that a terminal acts on nothing in them, and cut where a line ends. As JSON a
//! key is one object on a line: what [`super`] says of texts holds, and `elements` has objects as the rows of elements have.

use super::elements::json_element;
use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::page::{Look, moment, record_bytes};
use super::text::{json_bytes, json_name};
use super::vocabulary::type_name;
use crate::memory::{Footprint, Model, Target, walk};
use crate::output::human;
use crate::rdb::Kind;
use crate::rdb::source::Slice;
use crate::values::{Fault, KeyEntry, Value};

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

impl Cards {
    fn json_elements(&self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        out.put(b",\"elements\":[");
        let mut is_first = true;
        let read = self.look.each(key.entry.kind, value, |_, record| {
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
        let (shown, read) = self.look.lines(key.entry.kind, value, |line| {
            out.put(line);
            out.room();
        });
        let more = shown.matched - shown.shown;
        if shown.matched == 0 && read.is_ok() {
            out.put(b"no such element\n");
        } else if more > 0 {
            let of = human::count(shown.matched);
            out.put(format!("{} of {of} shown", human::count(shown.shown)).as_bytes());
            if let Some(next) = shown.next(&self.look) {
                out.put(format!("; the next: --from {next}").as_bytes());
            }
            out.put(b"\n");
        }
        read
    }
}
