//! A row an element, as CSV or as a JSON object a line.
//!
//! Columns: `dump`, `db`, `name`, `name_base64`, `type` and `expires_at_ms` of the key; `index`, `field`, `member`, `value`,
//! `score`, `id` and `field_expires_at_ms` of the element, as [`Record`] has them. How texts are written is in [`super`]. In
//! JSON what an element does not have is left out; in CSV it is nothing, and an empty text is `""`. A key without elements has
//! no rows.

use std::sync::Arc;

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::text::{BASE64, base64, float, json, json_bytes, json_float, json_name, plain};
use super::vocabulary::{stream_id, type_name};
use crate::output::formula::is_formula;
use crate::rdb::packed::Text;
use crate::values::{Content, Fault, KeyEntry, Record, Value};

/// The first line of CSV.
pub const CSV_HEADER: &str =
    "dump,db,name,name_base64,type,expires_at_ms,index,field,member,value,score,id,field_expires_at_ms\n";

/// The text forms that have rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementText {
    /// RFC 4180, with line feeds alone. The line of names is not part of it: [`CSV_HEADER`].
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// A row an element.
#[derive(Clone, Debug)]
pub struct ElementLines {
    text: ElementText,
    /// What the dumps are called, by their number.
    dumps: Arc<[String]>,
    /// What rows of a key begin with, before the database and behind it; filled anew for each key.
    before_db: Vec<u8>,
    behind_db: Vec<u8>,
}

impl<'o> Lines<'o, ElementLines> {
    /// A row an element. The dumps are what they are called, by their number.
    pub fn elements(text: ElementText, dumps: &[String], drain: Drain<'o>) -> Self {
        let line = ElementLines { text, dumps: dumps.into(), before_db: Vec::new(), behind_db: Vec::new() };
        Self::of(line, drain)
    }
}

impl Line for ElementLines {
    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let dump = usize::try_from(key.dump).ok().and_then(|dump| self.dumps.get(dump)).map_or("", String::as_str);
        let (mut start, mut rest) = (Out::scratch(), Out::scratch());
        std::mem::swap(&mut start.bytes, &mut self.before_db);
        std::mem::swap(&mut rest.bytes, &mut self.behind_db);
        start.bytes.clear();
        rest.bytes.clear();
        match self.text {
            ElementText::Csv => csv_key(key, dump, &mut start, &mut rest),
            ElementText::Ndjson => json_key(key, dump, &mut start, &mut rest),
        }
        let read = value.records(key.entry.kind, |record| {
            out.put(&start.bytes);
            out.db(key.db);
            out.put(&rest.bytes);
            match self.text {
                ElementText::Csv => csv_record(record, out),
                ElementText::Ndjson => json_record(record, out),
            }
            out.room();
        });
        self.before_db = start.bytes;
        self.behind_db = rest.bytes;
        read
    }
}

fn csv_key(key: &KeyEntry<'_>, dump: &str, start: &mut Out<'_>, rest: &mut Out<'_>) {
    csv_text(dump.as_bytes(), start);
    start.put(b",");
    rest.put(b",");
    match std::str::from_utf8(key.name) {
        Ok(name) if !is_formula(key.name) => {
            quoted(name.as_bytes(), rest);
            rest.put(b",");
        }
        _ => {
            let mut name = Vec::new();
            let mut left = key.name;
            // As an escape its first character runs nothing.
            if let (true, Some((first, others))) = (is_formula(key.name), key.name.split_first()) {
                name.extend_from_slice(format!("\\x{first:02x}").as_bytes());
                left = others;
            }
            for chunk in left.utf8_chunks() {
                name.extend_from_slice(chunk.valid().as_bytes());
                for byte in chunk.invalid() {
                    name.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
                }
            }
            quoted(&name, rest);
            rest.put(b",");
            base64(key.name, rest);
        }
    }
    rest.put(b",");
    csv_text(type_name(&key.entry).as_bytes(), rest);
    rest.put(b",");
    if let Some(at_ms) = key.entry.expires_at_ms {
        rest.number(at_ms);
    }
    rest.put(b",");
}

fn csv_record(record: &Record<'_>, out: &mut Out<'_>) {
    out.number(record.index);
    for text in [record.field, record.member] {
        out.put(b",");
        match text {
            Some(Text::Bytes(text)) => csv_text(text, out),
            Some(Text::Int(value)) => out.number(value),
            None => {}
        }
    }
    out.put(b",");
    match record.value {
        Some(Content::Text(Text::Bytes(text))) => csv_text(text, out),
        Some(Content::Text(Text::Int(value))) => out.number(value),
        Some(Content::Unsigned(value)) => out.number(value),
        Some(Content::Float(value)) => float(value, &mut out.bytes),
        None => {}
    }
    out.put(b",");
    if let Some(score) = record.score {
        float(score, &mut out.bytes);
    }
    out.put(b",");
    if let Some(id) = record.id {
        stream_id(id, &mut out.bytes);
    }
    out.put(b",");
    if let Some(at_ms) = record.expires_at_ms {
        out.number(at_ms);
    }
    out.put(b"\n");
}

/// A text of a value as a field of CSV.
fn csv_text(text: &[u8], out: &mut Out<'_>) {
    if plain(text).is_some() && !is_formula(text) {
        quoted(text, out);
    } else {
        out.put(BASE64);
        base64(text, out);
    }
}

/// Text between quotes where it must be: where a reader would take it for more than one field, or for nothing.
fn quoted(text: &[u8], out: &mut Out<'_>) {
    if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        return out.put_long(text);
    }
    out.put(b"\"");
    let mut parts = text.split(|byte| *byte == b'"');
    if let Some(first) = parts.next() {
        out.put_long(first);
    }
    for part in parts {
        out.put(b"\"\"");
        out.put_long(part);
    }
    out.put(b"\"");
}

fn json_key(key: &KeyEntry<'_>, dump: &str, start: &mut Out<'_>, rest: &mut Out<'_>) {
    start.put(b"{\"dump\":");
    json_bytes(dump.as_bytes(), start);
    start.put(b",\"db\":");
    rest.put(b",");
    json_name(key.name, rest);
    rest.put(b",\"type\":");
    json_bytes(type_name(&key.entry).as_bytes(), rest);
    if let Some(at_ms) = key.entry.expires_at_ms {
        rest.put(b",\"expires_at_ms\":");
        rest.number(at_ms);
    }
    rest.put(b",\"index\":");
}

fn json_record(record: &Record<'_>, out: &mut Out<'_>) {
    json_members(record, out);
    out.put(b"}\n");
}

/// The members of a JSON object that an element is.
pub(super) fn json_element(record: &Record<'_>, out: &mut Out<'_>) {
    out.put(b"\"index\":");
    json_members(record, out);
}

/// The index, and the members behind it.
fn json_members(record: &Record<'_>, out: &mut Out<'_>) {
    out.number(record.index);
    if let Some(field) = record.field {
        out.put(b",\"field\":");
        json(field, out);
    }
    if let Some(member) = record.member {
        out.put(b",\"member\":");
        json(member, out);
    }
    match record.value {
        Some(Content::Text(text)) => {
            out.put(b",\"value\":");
            json(text, out);
        }
        Some(Content::Unsigned(value)) => {
            out.put(b",\"value\":\"");
            out.number(value);
            out.put(b"\"");
        }
        Some(Content::Float(value)) => {
            out.put(b",\"value\":\"");
            float(value, &mut out.bytes);
            out.put(b"\"");
        }
        None => {}
    }
    if let Some(score) = record.score {
        out.put(b",\"score\":");
        json_float(score, out);
    }
    if let Some(id) = record.id {
        out.put(b",\"id\":\"");
        stream_id(id, &mut out.bytes);
        out.put(b"\"");
    }
    if let Some(at_ms) = record.expires_at_ms {
        out.put(b",\"field_expires_at_ms\":");
        out.number(at_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_of_csv_is_a_formula_or_two_fields() {
        for (text, expected) in [
            ("", "\"\""),
            ("plain", "plain"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("-12.5", "-12.5"),
            ("=1+1", "base64:PTErMQ=="),
            ("@SUM(A1)", "base64:QFNVTShBMSk="),
            ("-cmd", "base64:LWNtZA=="),
            ("-", "base64:LQ=="),
            ("base64:x", "base64:YmFzZTY0Ong="),
        ] {
            let mut out = Out::new(None);
            csv_text(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out.bytes).unwrap(), expected);
        }
    }
}
