//! Commands that build the keys anew, in the protocol that `redis-cli --pipe` sends.
//!
//! Large keys are written in several commands, each of [`CHUNK_ELEMENTS`] elements or [`CHUNK_BYTES`] bytes at most (one
//! element may be longer). A string's expiry is part of its SET; other keys get theirs with PEXPIREAT when they are whole.
//! Only commands that the target knows are used. What no command can build is left out, and said: arrays, vector sets and
//! values of modules, sorted sets with a score that is no number, streams with idempotent producers or with pending entries that
//! have no consumer, and hashes whose fields expire where the target has no such thing. When consumers were last seen is lost; so
//! is the pending state of entries that are no longer in their stream, which servers since 7.0 drop; and a score of -0 becomes
//! 0 where the server packs the sorted set. Commands add to keys
//! that are there already: load them into a server without these keys.

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::text::float;
use super::vocabulary::stream_id;
use crate::memory::Target;
use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::{Kind, ValueType};
use crate::values::stream::{self, Id, StreamPart};
use crate::values::{Fault, KeyEntry, Value};

/// Elements that one command adds at most.
const CHUNK_ELEMENTS: usize = 512;

/// Bytes of elements that one command adds at most, unless one element has more.
const CHUNK_BYTES: usize = 1 << 20;

/// A stream's entry, which one command must add, has at most so many bytes.
const ENTRY_BYTES_MAX: usize = 32 << 20;

/// Commands that build keys anew.
#[derive(Clone, Debug)]
pub struct Commands {
    target: Target,
    chunk: Vec<u8>,
}

impl<'o> Lines<'o, Commands> {
    /// Commands that `target` knows.
    pub fn commands(target: Target, drain: Drain<'o>) -> Self {
        Self::of(Commands { target, chunk: Vec::new() }, drain)
    }
}

/// The start of a command of so many words.
pub(super) fn command(words: usize, out: &mut Out<'_>) {
    out.put(b"*");
    out.number(words);
    out.put(b"\r\n");
}

/// A word of a command.
pub(super) fn word(word: &[u8], out: &mut Out<'_>) {
    word_bytes(word.len(), out);
    out.put_long(word);
    out.put(b"\r\n");
}

/// The start of a word of so many bytes.
pub(super) fn word_bytes(bytes: usize, out: &mut Out<'_>) {
    out.put(b"$");
    out.number(bytes);
    out.put(b"\r\n");
}

pub(super) fn number_word(number: impl itoa::Integer, out: &mut Out<'_>) {
    word(itoa::Buffer::new().format(number).as_bytes(), out);
}

/// The command that chooses a database.
pub(super) fn select(db: u64, out: &mut Out<'_>) {
    command(2, out);
    word(b"SELECT", out);
    number_word(db, out);
}

fn text_word(text: Text<'_>, out: &mut Out<'_>) {
    match text {
        Text::Bytes(bytes) => word(bytes, out),
        Text::Int(value) => number_word(value, out),
    }
}

impl Line for Commands {
    fn select(&self, db: u64, out: &mut Out<'_>) {
        select(db, out);
    }

    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let written = match key.entry.kind {
            Kind::String => return string(key, value, out),
            Kind::List => self.elements(b"RPUSH", key, value, out),
            Kind::Set => self.elements(b"SADD", key, value, out),
            Kind::Zset => self.zset(key, value, out),
            Kind::Hash => self.hash(key, value, out),
            Kind::Stream => self.stream(key, value, out),
            Kind::Array => return Err("no command is known that builds an array: use --as restore".into()),
            Kind::VectorSet => return Err("a vector set is not written as commands: use --as restore".into()),
            Kind::Module => return Err("a module's value is not written as commands: use --as restore".into()),
        };
        if let Some(at_ms) = key.entry.expires_at_ms.filter(|_| !matches!(written, Err(Fault::Unsupported(_)))) {
            expire(key.name, at_ms, out);
        }
        written
    }
}

fn expire(name: &[u8], at_ms: i64, out: &mut Out<'_>) {
    command(3, out);
    word(b"PEXPIREAT", out);
    word(name, out);
    number_word(at_ms, out);
}

fn string(key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
    // SET takes no time before 1970.
    let with_set = key.entry.expires_at_ms.filter(|at_ms| *at_ms > 0);
    value.for_each(|element| {
        let Element::Value(text) = element else { return };
        command(if with_set.is_some() { 5 } else { 3 }, out);
        word(b"SET", out);
        word(key.name, out);
        text_word(text, out);
        if let Some(at_ms) = with_set {
            word(b"PXAT", out);
            number_word(at_ms, out);
        }
    })?;
    if let (Some(at_ms), None) = (key.entry.expires_at_ms, with_set) {
        expire(key.name, at_ms, out);
    }
    Ok(())
}

/// Elements on their way into commands that each add several.
struct Chunk<'c> {
    verb: &'static [u8],
    name: &'c [u8],
    /// The words so far, as they are sent.
    words: Out<'static>,
    word_count: usize,
    elements: usize,
}

impl<'c> Chunk<'c> {
    fn new(verb: &'static [u8], name: &'c [u8], buffer: &mut Vec<u8>) -> Self {
        let mut words = Out::scratch();
        words.bytes = std::mem::take(buffer);
        words.bytes.clear();
        Self { verb, name, words, word_count: 0, elements: 0 }
    }

    /// Adds the words of one element.
    fn add(&mut self, words: &[Text<'_>], out: &mut Out<'_>) {
        let bytes: u64 = words.iter().map(Text::value_bytes).sum();
        if bytes > CHUNK_BYTES as u64 {
            self.send(out);
            self.head(words.len(), out);
            for text in words {
                text_word(*text, out);
            }
            return;
        }
        for text in words {
            text_word(*text, &mut self.words);
        }
        self.word_count += words.len();
        self.elements += 1;
        if self.elements == CHUNK_ELEMENTS || self.words.bytes.len() >= CHUNK_BYTES {
            self.send(out);
        }
    }

    fn head(&self, words: usize, out: &mut Out<'_>) {
        command(2 + words, out);
        word(self.verb, out);
        word(self.name, out);
    }

    fn send(&mut self, out: &mut Out<'_>) {
        if self.elements > 0 {
            self.head(self.word_count, out);
            out.put(&self.words.bytes);
            self.words.bytes.clear();
            (self.word_count, self.elements) = (0, 0);
        }
        out.room();
    }
}

impl Commands {
    fn elements(
        &mut self,
        verb: &'static [u8],
        key: &KeyEntry<'_>,
        value: &Value<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        self.chunked(verb, key, value, out, |element, chunk, out| {
            if let Element::Value(text) = element {
                chunk.add(&[text], out);
            }
        })
    }

    fn chunked(
        &mut self,
        verb: &'static [u8],
        key: &KeyEntry<'_>,
        value: &Value<'_>,
        out: &mut Out<'_>,
        mut add: impl FnMut(Element<'_>, &mut Chunk<'_>, &mut Out<'_>),
    ) -> Result<(), Fault> {
        let mut chunk = Chunk::new(verb, key.name, &mut self.chunk);
        let read = value.for_each(|element| add(element, &mut chunk, out));
        chunk.send(out);
        self.chunk = chunk.words.bytes;
        read
    }

    fn zset(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let mut score_text = Vec::new();
        let mut has_nan = false;
        self.chunked(b"ZADD", key, value, out, |element, chunk, out| {
            let Element::Member { member, score } = element else { return };
            if score.is_nan() {
                has_nan = true;
                return;
            }
            score_text.clear();
            float(score, &mut score_text);
            chunk.add(&[Text::Bytes(&score_text), member], out);
        })?;
        if has_nan {
            Err(Fault::from("members whose score is not a number cannot be added: they are left out"))
        } else {
            Ok(())
        }
    }

    /// Whether the target has hashes with fields that expire.
    fn has_field_ttls(&self) -> bool {
        (Target::Redis7_4..=Target::Redis8_10).contains(&self.target) || self.target >= Target::Valkey9_0
    }

    fn hash(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let mut has_ttls = false;
        if (ValueType::HASH_TTL_PRE_GA..=ValueType::HASH_LISTPACK_TTL).contains(&value.value_type()) {
            value.for_each(|element| {
                has_ttls |= matches!(element, Element::Field { expires_at_ms: Some(_), .. });
            })?;
        }
        if has_ttls && !self.has_field_ttls() {
            let target = self.target;
            let why = format!("fields of it expire, for which {target} has no command; give a newer --target");
            return Err(Fault::Unsupported(why.into()));
        }
        self.chunked(b"HSET", key, value, out, |element, chunk, out| {
            if let Element::Field { field, value, .. } = element {
                chunk.add(&[field, value], out);
            }
        })?;
        if !has_ttls {
            return Ok(());
        }
        value.for_each(|element| {
            if let Element::Field { field, expires_at_ms: Some(at_ms), .. } = element {
                command(6, out);
                word(b"HPEXPIREAT", out);
                word(key.name, out);
                number_word(at_ms, out);
                word(b"FIELDS", out);
                word(b"1", out);
                text_word(field, out);
                out.room();
            }
        })
    }

    fn stream(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let mut why: Option<Fault> = None;
        stream::for_each(value, |part| match part {
            StreamPart::Producers(1..) => {
                why = Some("no command gives a stream its idempotent producers: use --as restore".into());
            }
            StreamPart::Pending { has_consumer: false, .. } => {
                why = Some("no command makes an entry pending without a consumer: use --as restore".into());
            }
            _ => {}
        })?;
        if let Some(why) = why {
            return Err(why);
        }
        self.stream_entries(key, value, out)?;
        self.stream_parts(key, value, out)
    }

    fn stream_entries(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let mut fields = Out::scratch();
        fields.bytes = std::mem::take(&mut self.chunk);
        let mut open: Option<(Id, usize)> = None;
        let mut is_too_long = false;
        let mut send = |open: Option<(Id, usize)>, fields: &mut Out<'_>| {
            if let Some((id, words)) = open {
                command(3 + words, out);
                word(b"XADD", out);
                word(key.name, out);
                id_word(id, out);
                out.put_long(&fields.bytes);
                out.room();
            }
            fields.bytes.clear();
        };
        let read = value.for_each(|element| {
            let Element::StreamField { id, is_first, field, value } = element else { return };
            if is_first {
                send(open.take(), &mut fields);
                open = Some((id, 0));
            }
            let bytes = fields.bytes.len() as u64 + field.value_bytes() + value.value_bytes();
            if bytes > ENTRY_BYTES_MAX as u64 {
                (is_too_long, open) = (true, None);
            }
            if let Some((_, words)) = &mut open {
                *words += 2;
                text_word(field, &mut fields);
                text_word(value, &mut fields);
            }
        });
        send(open, &mut fields);
        self.chunk = fields.bytes;
        read?;
        if is_too_long { Err("entries of more than 32 MiB are left out".into()) } else { Ok(()) }
    }

    fn stream_parts(&self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let has_totals = self.target >= Target::Redis7_0;
        let (mut group, mut consumer) = (Vec::new(), Vec::new());
        stream::for_each(value, |part| {
            match part {
                StreamPart::Totals { entries, last_id, added } => {
                    if entries == 0 {
                        // A stream comes to be with an entry, which leaves at once.
                        command(7, out);
                        word(b"XADD", out);
                        word(key.name, out);
                        word(b"MAXLEN", out);
                        word(b"0", out);
                        id_word(if last_id == (0, 0) { (0, 1) } else { last_id }, out);
                        word(b"x", out);
                        word(b"y", out);
                    }
                    command(if has_totals { 7 } else { 3 }, out);
                    word(b"XSETID", out);
                    word(key.name, out);
                    id_word(last_id, out);
                    if has_totals {
                        let (max_deleted_id, entries_added) = added.unwrap_or(((0, 0), entries));
                        word(b"ENTRIESADDED", out);
                        number_word(entries_added, out);
                        word(b"MAXDELETEDID", out);
                        id_word(max_deleted_id, out);
                    }
                }
                StreamPart::Group { name, last_id, entries_read } => {
                    keep(name, &mut group);
                    let entries_read = entries_read.filter(|_| has_totals);
                    command(if entries_read.is_some() { 7 } else { 5 }, out);
                    word(b"XGROUP", out);
                    word(b"CREATE", out);
                    word(key.name, out);
                    word(&group, out);
                    id_word(last_id, out);
                    if let Some(entries_read) = entries_read {
                        word(b"ENTRIESREAD", out);
                        number_word(entries_read, out);
                    }
                }
                StreamPart::Consumer { name, .. } => {
                    keep(name, &mut consumer);
                    command(5, out);
                    word(b"XGROUP", out);
                    word(b"CREATECONSUMER", out);
                    word(key.name, out);
                    word(&group, out);
                    word(&consumer, out);
                }
                StreamPart::Pending { id, delivered_at_ms, deliveries, .. } => {
                    command(12, out);
                    word(b"XCLAIM", out);
                    word(key.name, out);
                    word(&group, out);
                    word(&consumer, out);
                    word(b"0", out);
                    id_word(id, out);
                    word(b"TIME", out);
                    number_word(delivered_at_ms, out);
                    word(b"RETRYCOUNT", out);
                    number_word(deliveries, out);
                    word(b"JUSTID", out);
                    word(b"FORCE", out);
                }
                StreamPart::Producers(_) => {}
            }
            out.room();
        })?;
        Ok(())
    }
}

fn keep(name: Text<'_>, to: &mut Vec<u8>) {
    to.clear();
    match name {
        Text::Bytes(name) => to.extend_from_slice(name),
        Text::Int(value) => to.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

fn id_word(id: Id, out: &mut Out<'_>) {
    let mut text = Vec::with_capacity(2 * 20 + 1);
    stream_id(id, &mut text);
    word(&text, out);
}
