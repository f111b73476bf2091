//! A line a match of a search: for a person, or a JSON object. Texts in JSON are written as everywhere among values, so that no
//! byte is lost.

use std::fmt::Write;

use super::out::Out;
use super::text::{json_bytes, json_name};
use super::vocabulary::stream_id;
use crate::error::Visible;
use crate::forensics::{Match, Place};

/// Bytes of a field's name, or of a match, that a person is shown.
const SHOWN_BYTES_MAX: usize = 256;

/// How matches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchText {
    /// Columns, with tabs between them: database, key, offset of the key's record, place, offset of the match in the text, and
    /// the match between what surrounds it.
    Columns,
    /// The first three of these columns.
    Keys,
    /// A JSON object.
    Json,
    /// A JSON object of the key alone.
    JsonKeys,
}

impl MatchText {
    /// The line of a match; `dump` is what the dump is called, if there are several. In JSON it is always there.
    #[must_use]
    pub fn line(self, dump: &str, is_one_of_several: bool, found: &Match<'_>) -> Vec<u8> {
        match self {
            Self::Columns | Self::Keys => {
                let dump = if is_one_of_several { format!("{}\t", Visible(dump.as_bytes())) } else { String::new() };
                let mut line = dump + &columns(found);
                if self == Self::Columns {
                    line.push_str(&context(found));
                }
                line.push('\n');
                line.into_bytes()
            }
            Self::Json | Self::JsonKeys => {
                let mut out = Out::scratch();
                json(dump, found, self == Self::Json, &mut out);
                out.bytes
            }
        }
    }
}

fn columns(found: &Match<'_>) -> String {
    match found.key {
        Some((db, name)) => format!("{db}\t{}\t@{}", Visible(name), found.key_offset),
        None => format!("-\t-\t@{}", found.key_offset),
    }
}

fn context(found: &Match<'_>) -> String {
    let field = found.field.map(shown).unwrap_or_default();
    let mut place = match found.id {
        Some((ms, sequence)) => format!("{ms}-{sequence} "),
        None => String::new(),
    };
    // Writing into memory.
    _ = match (found.place, found.index) {
        (Place::Field, _) => write!(place, "field"),
        (Place::FieldValue, _) => write!(place, "value of {field}"),
        (Place::Aux, _) => write!(place, "aux {field}"),
        (other, Some(index)) => write!(place, "{} {index}", other.name()),
        (other, None) => write!(place, "{}", other.name()),
    };
    format!("\t{place}\t+{}\t{}{}{}", found.at, Visible(found.before), shown(found.matched), Visible(found.after))
}

/// The start of a text, as a terminal may have it.
fn shown(text: &[u8]) -> String {
    match text.get(..SHOWN_BYTES_MAX) {
        Some(start) if start.len() < text.len() => format!("{}...", Visible(start)),
        _ => Visible(text).to_string(),
    }
}

fn json(dump: &str, found: &Match<'_>, is_whole: bool, out: &mut Out<'_>) {
    out.put(b"{\"dump\":");
    json_bytes(dump.as_bytes(), out);
    if let Some((db, name)) = found.key {
        out.put(b",\"db\":");
        out.number(db);
        out.put(b",");
        json_name(name, out);
    }
    if let Some(kind) = found.kind {
        out.put(b",\"type\":\"");
        out.put(kind.name().as_bytes());
        out.put(b"\"");
    }
    out.put(b",\"offset\":");
    out.number(found.key_offset);
    // Of what is not a key only its place says what it is.
    if is_whole || found.key.is_none() {
        place(found, out);
    }
    out.put(b"}\n");
}

fn place(found: &Match<'_>, out: &mut Out<'_>) {
    out.put(b",\"place\":\"");
    out.put(found.place.name().as_bytes());
    out.put(b"\"");
    if let Some(index) = found.index {
        out.put(b",\"index\":");
        out.number(index);
    }
    if let Some(field) = found.field {
        out.put(b",\"field\":");
        json_bytes(field, out);
    }
    if let Some(id) = found.id {
        out.put(b",\"id\":\"");
        stream_id(id, &mut out.bytes);
        out.put(b"\"");
    }
    out.put(b",\"at\":");
    out.number(found.at);
    out.put(b",\"match_bytes\":");
    out.number(found.bytes);
    for (name, text) in [("match", found.matched), ("before", found.before), ("after", found.after)] {
        out.put(format!(",\"{name}\":").as_bytes());
        json_bytes(text, out);
    }
}
