//! A JSON object a key, a line each.
//!
//! `db`, `name` (and `name_base64` if the name is not UTF-8), `type`, what the dump says of the key (`expires_at_ms`,
//! `idle_seconds`, `frequency`, each only if it has it), and `value`:
//!
//! | type | value |
//! | --- | --- |
//! | string | a text |
//! | list, set | an array of texts |
//! | hash | an object, `{"field": "value"}`; times at which fields expire are beside it, in `field_expires_at_ms` |
//! | zset | an object, `{"member": score}`; a score that is no finite number is `"inf"`, `"-inf"` or `"nan"` |
//! | stream | an object: `entries`, each `{"id": "1-1", "fields": [["field", "value"]]}`; `last_id`, `max_deleted_id` and `entries_added` if the dump has them; `groups` |
//! | array | an object, `{"index": element}`; floating-point elements are numbers |
//! | vectorset, modules | an object: `module`, `encoding_version`, and `parts`, each an array of kind and value |
//!
//! How texts are written is in [`super`]. A line that ends with `"is_complete": false` is of a key whose value is
//! damaged behind what is there, or cannot be decoded. With several dumps each object begins with `dump`.

use std::sync::Arc;

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::text::{json, json_float, json_name};
use super::vocabulary::{stream_id, type_name};
use crate::rdb::element::Element;
use crate::rdb::packed::module::ModuleValue;
use crate::rdb::{Kind, ValueType};
use crate::values::stream::{self, StreamPart};
use crate::values::{Fault, KeyEntry, Value};

/// A JSON object a key.
#[derive(Clone, Debug)]
pub struct Objects {
    /// What the dumps are called, by their number; empty if objects do not say.
    dumps: Arc<[String]>,
}

impl<'o> Lines<'o, Objects> {
    /// JSON objects. The dumps are what they are called, by their number; of one alone objects do not say its name.
    pub fn objects(dumps: &[String], drain: Drain<'o>) -> Self {
        let dumps = if dumps.len() > 1 { dumps } else { &[] };
        Self::of(Objects { dumps: dumps.into() }, drain)
    }
}

impl Line for Objects {
    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        out.put(b"{");
        let dump = usize::try_from(key.dump).ok().and_then(|dump| self.dumps.get(dump));
        if let Some(dump) = dump {
            out.put(b"\"dump\":");
            super::text::json_bytes(dump.as_bytes(), out);
            out.put(b",");
        }
        out.put(b"\"db\":");
        out.db(key.db);
        out.put(b",");
        json_name(key.name, out);
        out.put(b",\"type\":");
        super::text::json_bytes(type_name(&key.entry).as_bytes(), out);
        if let Some(at_ms) = key.entry.expires_at_ms {
            out.put(b",\"expires_at_ms\":");
            out.number(at_ms);
        }
        if let Some(seconds) = key.entry.idle_seconds {
            out.put(b",\"idle_seconds\":");
            out.number(seconds);
        }
        if let Some(frequency) = key.entry.frequency {
            out.put(b",\"frequency\":");
            out.number(frequency);
        }
        out.put(b",\"value\":");
        let written = write(key, value, out);
        out.put(if written.is_ok() { b"}\n" } else { b",\"is_complete\":false}\n" });
        written
    }
}

/// Writes a value as one JSON value, whatever happens.
fn write(key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    match key.entry.kind {
        Kind::String => string(value, out),
        Kind::List | Kind::Set => joined(value, out, (b"[", b"]"), |element, out| {
            if let Element::Value(text) = element {
                json(text, out);
            }
        }),
        Kind::Hash => {
            joined(value, out, (b"{", b"}"), |element, out| {
                if let Element::Field { field, value, .. } = element {
                    json(field, out);
                    out.put(b":");
                    json(value, out);
                }
            })?;
            field_expiries(value, out)
        }
        Kind::Zset => joined(value, out, (b"{", b"}"), |element, out| {
            if let Element::Member { member, score } = element {
                json(member, out);
                out.put(b":");
                json_float(score, out);
            }
        }),
        Kind::Array => joined(value, out, (b"{", b"}"), |element, out| {
            if let Element::Item { index, .. } | Element::FloatItem { index, .. } = element {
                out.put(b"\"");
                out.number(index);
                out.put(b"\":");
            }
            match element {
                Element::Item { value, .. } => json(value, out),
                Element::FloatItem { value, .. } => json_float(value, out),
                _ => {}
            }
        }),
        Kind::Stream => stream(value, out),
        Kind::Module | Kind::VectorSet => module(key, value, out),
    }
}

fn string(value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    let mut is_written = false;
    let read = value.for_each(|element| {
        if let Element::Value(text) = element {
            json(text, out);
            is_written = true;
        }
    });
    if !is_written {
        out.put(b"null");
    }
    read
}

/// Elements between brackets, with commas between them.
fn joined(
    value: &Value<'_>,
    out: &mut Out<'_>,
    (open, close): (&[u8], &[u8]),
    mut write: impl FnMut(Element<'_>, &mut Out<'_>),
) -> Result<(), Fault> {
    out.put(open);
    let mut is_first = true;
    let read = value.for_each(|element| {
        if !std::mem::take(&mut is_first) {
            out.put(b",");
        }
        write(element, out);
        out.room();
    });
    out.put(close);
    read
}

/// The types of hashes whose fields may expire.
fn may_expire(value_type: ValueType) -> bool {
    (ValueType::HASH_TTL_PRE_GA..=ValueType::HASH_LISTPACK_TTL).contains(&value_type)
}

/// A second walk over the hash: an object, which has room for one thing at a time, comes before this one.
fn field_expiries(value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    if !may_expire(value.value_type()) {
        return Ok(());
    }
    let mut is_first = true;
    let read = value.for_each(|element| {
        if let Element::Field { field, expires_at_ms: Some(at_ms), .. } = element {
            out.put(if std::mem::take(&mut is_first) { b",\"field_expires_at_ms\":{" } else { b"," });
            json(field, out);
            out.put(b":");
            out.number(at_ms);
            out.room();
        }
    });
    if !is_first {
        out.put(b"}");
    }
    read
}

fn stream(value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    out.put(b"{\"entries\":[");
    let (mut has_entries, mut has_fields) = (false, false);
    let read = value.for_each(|element| {
        let Element::StreamField { id, is_first, field, value } = element else { return };
        if is_first {
            out.put(if has_entries { b"]},{\"id\":\"" } else { b"{\"id\":\"" });
            stream_id(id, &mut out.bytes);
            out.put(b"\",\"fields\":[");
            (has_entries, has_fields) = (true, false);
        }
        out.put(if has_fields { b",[" } else { b"[" });
        json(field, out);
        out.put(b",");
        json(value, out);
        out.put(b"]");
        has_fields = true;
        out.room();
    });
    out.put(if has_entries { b"]}]" } else { b"]" });
    let read = read.and_then(|()| stream_parts(value, out));
    out.put(b"}");
    read
}

fn quoted_id(id: stream::Id, out: &mut Out<'_>) {
    out.put(b"\"");
    stream_id(id, &mut out.bytes);
    out.put(b"\"");
}

/// How deep the walk over groups is: which brackets are open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Group,
    Consumer { has_pending: bool },
    Unassigned,
}

fn stream_parts(value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    let mut open = Open::Nothing;
    let (mut has_totals, mut has_groups) = (false, false);
    let close = |open: Open, out: &mut Out<'_>| match open {
        Open::Nothing => {}
        Open::Group | Open::Unassigned => out.put(b"]}"),
        Open::Consumer { .. } => out.put(b"]}]}"),
    };
    let mut producers = 0;
    let read = stream::for_each(value, |part| {
        match part {
            StreamPart::Totals { entries: _, last_id, added } => {
                out.put(b",\"last_id\":");
                quoted_id(last_id, out);
                if let Some((max_deleted_id, entries_added)) = added {
                    out.put(b",\"max_deleted_id\":");
                    quoted_id(max_deleted_id, out);
                    out.put(b",\"entries_added\":");
                    out.number(entries_added);
                }
                out.put(b",\"groups\":[");
                has_totals = true;
            }
            StreamPart::Group { name, last_id, entries_read } => {
                close(open, out);
                out.put(if has_groups { b",{\"name\":" } else { b"{\"name\":" });
                has_groups = true;
                json(name, out);
                out.put(b",\"last_id\":");
                quoted_id(last_id, out);
                if let Some(entries_read) = entries_read {
                    out.put(b",\"entries_read\":");
                    out.number(entries_read);
                }
                out.put(b",\"consumers\":[");
                open = Open::Group;
            }
            StreamPart::Consumer { name, seen_at_ms, active_at_ms } => {
                out.put(if matches!(open, Open::Consumer { .. }) { b"]},{\"name\":" } else { b"{\"name\":" });
                json(name, out);
                out.put(b",\"seen_at_ms\":");
                out.number(seen_at_ms);
                if let Some(active_at_ms) = active_at_ms {
                    out.put(b",\"active_at_ms\":");
                    out.number(active_at_ms);
                }
                out.put(b",\"pending\":[");
                open = Open::Consumer { has_pending: false };
            }
            StreamPart::Pending { id, delivered_at_ms, deliveries, has_consumer } => {
                let mut comma: &[u8] = b"";
                match &mut open {
                    Open::Consumer { has_pending } if has_consumer => {
                        comma = if std::mem::replace(has_pending, true) { b"," } else { b"" };
                    }
                    Open::Unassigned => comma = b",",
                    _ => {
                        out.put(if matches!(open, Open::Consumer { .. }) { b"]}]" } else { b"]" });
                        out.put(b",\"pending_without_consumer\":[");
                        open = Open::Unassigned;
                    }
                }
                out.put(comma);
                out.put(b"{\"id\":");
                quoted_id(id, out);
                out.put(b",\"delivered_at_ms\":");
                out.number(delivered_at_ms);
                out.put(b",\"deliveries\":");
                out.number(deliveries);
                out.put(b"}");
            }
            StreamPart::Producers(count) => producers = count,
        }
        out.room();
    });
    close(open, out);
    if has_totals {
        out.put(b"]");
    }
    if producers > 0 {
        out.put(b",\"producers\":");
        out.number(producers);
    }
    Ok(read?)
}

fn module(key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    out.put(b"{\"module\":");
    match key.entry.module {
        Some(module) => {
            super::text::json_bytes(module.to_string().as_bytes(), out);
            out.put(b",\"encoding_version\":");
            out.number(module.version());
        }
        None => out.put(b"null"),
    }
    out.put(b",\"parts\":");
    let read = joined(value, out, (b"[", b"]"), |element, out| {
        let Element::Module(part) = element else { return };
        match part {
            ModuleValue::Signed(value) => {
                out.put(b"[\"signed\",");
                out.number(value);
            }
            ModuleValue::Unsigned(value) => {
                out.put(b"[\"unsigned\",");
                out.number(value);
            }
            ModuleValue::Float(value) => {
                out.put(b"[\"float\",");
                json_float(value.into(), out);
            }
            ModuleValue::Double(value) => {
                out.put(b"[\"double\",");
                json_float(value, out);
            }
            ModuleValue::String(text) => {
                out.put(b"[\"string\",");
                json(text, out);
            }
        }
        out.put(b"]");
    });
    out.put(b"}");
    read
}
