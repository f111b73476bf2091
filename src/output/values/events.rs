//! Events of a timeline, one a line: as JSON for Timesketch, as log2timeline's CSV, or as a body file for mactime.
//!
//! Timesketch requires `message`, `datetime` in ISO 8601 and `timestamp_desc`; `timestamp` is in microseconds, and all other members
//! are free. The CSV has the 17 columns of log2timeline and their formats: a comma or a quote in a text is a blank, so that
//! each line splits into 17 fields at its commas. A body file has the 11 fields of The Sleuth Kit 3, and times in seconds: an
//! event is a line whose other times are 0, which is none. Names in CSV and body files are escaped as for a terminal; where that
//! hides something, the CSV has the name in Base64 as well.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::out::Out;
use super::text::{json_bytes, json_name};
use super::vocabulary::stream_id;
use crate::error::Visible;
use crate::forensics::{Event, Moment};
use crate::output::formula::is_formula;

/// The first line of the CSV.
pub const L2T_HEADER: &str = "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,\
                              notes,format,extra\n";

/// Bytes of a name that a message has.
const NAME_BYTES_MAX: usize = 256;

/// Characters of a short message.
const SHORT_CHARACTERS: usize = 80;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventText {
    /// JSON lines as Timesketch imports them.
    Timesketch,
    /// The CSV of log2timeline. The line of names is not part of it: [`L2T_HEADER`].
    L2t,
    /// A body file as mactime of The Sleuth Kit 3 reads it.
    Body,
}

impl EventText {
    /// The line of an event; none if the format cannot have its time.
    pub fn line(self, dump: &str, event: &Event<'_>) -> Option<Vec<u8>> {
        let at_ms = event.at_ms?;
        let at = Timestamp::from_millisecond(at_ms).ok()?;
        match self {
            Self::Timesketch => Some(timesketch(dump, event, at)),
            Self::L2t => Some(l2t(dump, event, at)),
            Self::Body => body(dump, event, at),
        }
    }
}

/// What a kind of events is called: a word for programs, the description of its time, the sentence's verb, and which of a file's
/// times it is most like: modified, accessed, changed or born.
struct Words {
    word: &'static str,
    description: &'static str,
    what: &'static str,
    macb: u8,
}

fn words(moment: Moment) -> Words {
    let words = |word, description, what, macb| Words { word, description, what, macb };
    match moment {
        Moment::DumpCreated => words("dump_created", "Dump Creation Time", "dump was begun", b'B'),
        Moment::KeyExpires => words("key_expiry", "Key Expiration Time", "expires", b'M'),
        Moment::FieldExpires => words("field_expiry", "Field Expiration Time", "field expires", b'M'),
        Moment::KeyUsed => words("key_access", "Key Last Access Time", "was last used", b'A'),
        Moment::FirstEntry => words("stream_first_entry", "Stream First Entry Time", "first entry was added", b'B'),
        Moment::LastEntry => words("stream_last_entry", "Stream Last Entry Time", "last entry was added", b'B'),
        Moment::Entry => words("stream_entry", "Stream Entry Time", "entry was added", b'B'),
        Moment::LastIdAdded => {
            words("stream_last_id", "Stream Last ID Time", "last entry was added, deleted since", b'B')
        }
        Moment::DeletedEntry => {
            words("stream_deleted_entry", "Stream Deleted Entry Time", "entry was added, deleted since", b'B')
        }
        Moment::GroupEntry => {
            words("group_last_entry", "Group Last Delivered Entry Time", "entry last delivered was added", b'B')
        }
        Moment::ConsumerSeen => words("consumer_seen", "Consumer Last Seen Time", "consumer last tried to read", b'A'),
        Moment::ConsumerActive => words("consumer_active", "Consumer Last Active Time", "consumer last read", b'A'),
        Moment::Delivered => words("entry_delivered", "Entry Last Delivery Time", "entry was last delivered", b'A'),
    }
}

/// A sentence, in which names are harmless and cut.
fn message(event: &Event<'_>) -> String {
    let mut message = match event.key {
        Some((db, name)) => format!("Database {db} key {}: {}", cut(name), words(event.moment).what),
        None => format!("The {}", words(event.moment).what),
    };
    // Writing into memory.
    for (what, name) in [("field", event.field), ("group", event.group), ("consumer", event.consumer)] {
        if let Some(name) = name {
            _ = write!(message, ", {what} {}", cut(name));
        }
    }
    if let Some((ms, sequence)) = event.id {
        _ = write!(message, ", ID {ms}-{sequence}");
    }
    if let Some(deliveries) = event.deliveries {
        _ = write!(message, ", delivered {deliveries} times");
    }
    if !event.facts.is_empty() {
        _ = write!(message, " ({})", facts(event));
    }
    message
}

fn cut(name: &[u8]) -> String {
    match name.get(..NAME_BYTES_MAX) {
        Some(start) if start.len() < name.len() => format!("{}...", Visible(start)),
        _ => Visible(name).to_string(),
    }
}

fn facts(event: &Event<'_>) -> String {
    let facts: Vec<String> = event.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Visible(facts.join(" ").as_bytes()).to_string()
}

fn timesketch(dump: &str, event: &Event<'_>, at: Timestamp) -> Vec<u8> {
    let Words { word, description, .. } = words(event.moment);
    let mut out = Out::scratch();
    out.put(b"{\"message\":");
    json_bytes(message(event).as_bytes(), &mut out);
    // Always the same number of digits, so that one pattern reads all.
    let datetime = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S");
    let milliseconds = at.as_millisecond().rem_euclid(1000);
    out.put(format!(",\"datetime\":\"{datetime}.{milliseconds:03}000+00:00\",\"timestamp\":").as_bytes());
    out.number(at.as_microsecond());
    out.put(format!(",\"timestamp_desc\":\"{description}\",\"data_type\":\"redis:rdb:{word}\",\"dump\":").as_bytes());
    json_bytes(dump.as_bytes(), &mut out);
    if let (Some((db, name)), Some(kind)) = (event.key, event.kind) {
        out.put(b",\"db\":");
        out.number(db);
        out.put(b",");
        json_name(name, &mut out);
        out.put(format!(",\"type\":\"{}\",\"offset\":", kind.name()).as_bytes());
        out.number(event.key_offset);
    }
    for (what, name) in [("field", event.field), ("group", event.group), ("consumer", event.consumer)] {
        if let Some(name) = name {
            out.put(format!(",\"{what}\":").as_bytes());
            json_bytes(name, &mut out);
        }
    }
    if let Some(id) = event.id {
        out.put(b",\"id\":\"");
        stream_id(id, &mut out.bytes);
        out.put(b"\"");
    }
    if let Some(deliveries) = event.deliveries {
        out.put(b",\"deliveries\":");
        out.number(deliveries);
    }
    for (fact, member) in [("repl-id", "repl_id"), ("repl-offset", "repl_offset"), ("repl-stream-db", "repl_stream_db")]
    {
        if let Some((_, value)) = event.facts.iter().find(|(name, _)| name == fact) {
            out.put(format!(",\"{member}\":").as_bytes());
            json_bytes(value.as_bytes(), &mut out);
        }
    }
    out.put(b"}\n");
    out.bytes
}

fn l2t(dump: &str, event: &Event<'_>, at: Timestamp) -> Vec<u8> {
    let Words { description, macb, .. } = words(event.moment);
    let at = at.to_zoned(TimeZone::UTC);
    let message = message(event);
    let short: String = message.chars().take(SHORT_CHARACTERS).collect();
    let mut extra = format!("milliseconds: {}", at.timestamp().as_millisecond().rem_euclid(1000));
    // Writing into memory.
    if event.key.is_some() {
        _ = write!(extra, "; offset: {}", event.key_offset);
    }
    let names = [
        ("key", event.key.map(|(_, name)| name)),
        ("field", event.field),
        ("group", event.group),
        ("consumer", event.consumer),
    ];
    for (what, name) in names {
        if let Some(name) = name.filter(|name| field(&cut(name)).as_bytes() != *name) {
            _ = write!(extra, "; {what}_base64: {}", BASE64_STANDARD.encode(name));
        }
    }
    let macb: String = "MACB".chars().map(|letter| if letter == char::from(macb) { letter } else { '.' }).collect();
    let fields = [
        &at.strftime("%m/%d/%Y").to_string(),
        &at.strftime("%H:%M:%S").to_string(),
        "UTC",
        &macb,
        "RDB",
        "Redis RDB dump",
        description,
        "-",
        "-",
        &short,
        &message,
        "2",
        &path(dump),
        "-",
        "-",
        "bigkeys",
        &extra,
    ];
    let mut line = fields.map(field).join(",");
    line.push('\n');
    line.into_bytes()
}

/// A text without what ends a field.
fn field(text: &str) -> String {
    text.replace([',', '"'], " ")
}

/// A path as a field: one that a spreadsheet would run is written as what it is as well, a path from here.
fn path(dump: &str) -> String {
    let dump = Visible(dump.as_bytes()).to_string();
    if is_formula(dump.as_bytes()) { format!("./{dump}") } else { dump }
}

fn body(dump: &str, event: &Event<'_>, at: Timestamp) -> Option<Vec<u8>> {
    let Words { description, macb, .. } = words(event.moment);
    // A time of 0 stands for none.
    let seconds = Some(at.as_second()).filter(|seconds| *seconds > 0)?;
    let name = format!("{}: {} ({description})", Visible(dump.as_bytes()), message(event)).replace('|', "\\x7c");
    let [accessed, modified, changed, born] =
        [b'A', b'M', b'C', b'B'].map(|letter| if letter == macb { seconds } else { 0 });
    let offset = event.key_offset;
    Some(format!("0|{name}|{offset}|0|0|0|0|{accessed}|{modified}|{changed}|{born}\n").into_bytes())
}
