//! Rows as text: CSV, and a JSON object a line.
//!
//! A thread writes a block into memory of its own, and hands it in when its turn comes. A block whose names are so long that
//! its text takes more than a megabyte waits for its turn earlier, and goes out in parts.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::columns;
use super::formula::is_formula;
use super::in_turn::{InTurn, Turn};
use crate::memory::{Basis, Encoding};
use crate::rdb::{Kind, Unit, ValueType};
use crate::report::{RowBlock, RowCells};

/// So much text waits in memory.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// A row without its name takes less.
const LINE_BYTES: usize = 1 << 10;

/// Encodings that rows are told apart by when labels are looked up.
const ENCODINGS: usize = Encoding::Other as usize + 1;

/// Long names are written in parts of so many bytes. Base64 takes three bytes at a time.
const PART_BYTES: usize = 3 << 14;

/// What a field of CSV begins with that is in Base64.
const BASE64: &[u8] = b"base64:";

/// The forms that are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowText {
    Csv,
    Ndjson,
}

/// Writes rows as text.
#[derive(Debug)]
pub(super) struct TextWriter<W> {
    form: RowText,
    /// What the dumps are called, as a field or a string.
    dumps: Vec<Vec<u8>>,
    to: InTurn<W>,
}

impl<W: Write + Send> TextWriter<W> {
    pub(super) fn new(form: RowText, dumps: &[String], mut to: W) -> io::Result<Self> {
        if form == RowText::Csv {
            let names: Vec<&str> = columns::of_text().map(|column| column.name).collect();
            writeln!(to, "{}", names.join(","))?;
        }
        let dumps = dumps.iter().map(|dump| form.text(dump)).collect();
        Ok(Self { form, dumps, to: InTurn::new(to) })
    }

    pub(super) fn is_broken(&self) -> bool {
        self.to.is_broken()
    }

    pub(super) fn break_off(&self, error: io::Error) {
        self.to.break_off(error);
    }

    /// Writes a block by its number, with memory that was used before.
    pub(super) fn write(&self, number: u64, block: &RowBlock, memory: &mut Vec<u8>) {
        memory.clear();
        let mut out = Out::new(memory, number, &self.to);
        let mut written = Ok(());
        for (cells, name) in block.rows() {
            let dump = usize::try_from(cells.dump()).ok().and_then(|dump| self.dumps.get(dump));
            let dump = dump.map_or(&b""[..], Vec::as_slice);
            written = match self.form {
                RowText::Csv => csv_line(dump, cells, name, &mut out),
                RowText::Ndjson => json_line(dump, cells, name, &mut out),
            };
            written = written.and_then(|()| out.make_room());
            if written.is_err() {
                break;
            }
        }
        out.end(written);
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.to.into_inner()?.flush()
    }
}

impl RowText {
    /// Text of the program or its user's, not of a dump's.
    fn text(self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Csv if is_formula(text.as_bytes()) || text.as_bytes().starts_with(BASE64) => {
                bytes.extend_from_slice(BASE64);
                bytes.extend_from_slice(STANDARD.encode(text).as_bytes());
            }
            Self::Csv if is_quoted(text.as_bytes()) => {
                bytes.push(b'"');
                bytes.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                bytes.push(b'"');
            }
            Self::Csv => bytes.extend_from_slice(text.as_bytes()),
            Self::Ndjson => {
                bytes.push(b'"');
                json_part(text, &mut bytes);
                bytes.push(b'"');
            }
        }
        bytes
    }
}

/// The text of a block on its way out.
struct Out<'o, W> {
    /// What is put together of many small parts, before it goes behind the rest: so that only its end is looked for each time.
    line: [u8; LINE_BYTES],
    line_bytes: usize,
    bytes: &'o mut Vec<u8>,
    number: u64,
    to: &'o InTurn<W>,
    /// Held from the first part on that went out before the block's end.
    turn: Option<Turn<'o, W>>,
    labels: [Labels; ENCODINGS],
}

/// Two digits each.
#[allow(clippy::indexing_slicing, reason = "in a constant an index out of bounds does not compile")]
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[b'0'; 2]; 100], 0_u8);
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// The labels of a row, which hardly differ from row to row, and what is between them.
#[derive(Default)]
struct Labels {
    of: Option<(Kind, ValueType)>,
    text: Vec<u8>,
}

impl<'o, W: Write> Out<'o, W> {
    fn new(bytes: &'o mut Vec<u8>, number: u64, to: &'o InTurn<W>) -> Self {
        let (line, labels) = ([0; LINE_BYTES], std::array::from_fn(|_| Labels::default()));
        Self { line, line_bytes: 0, bytes, number, to, turn: None, labels }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.line_bytes + bytes.len();
        match self.line.get_mut(self.line_bytes..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.line_bytes = end;
            }
            None => self.whole().extend_from_slice(bytes),
        }
    }

    /// All text so far.
    #[inline(never)]
    fn whole(&mut self) -> &mut Vec<u8> {
        self.bytes.extend_from_slice(self.line.get(..self.line_bytes).unwrap_or_default());
        self.line_bytes = 0;
        self.bytes
    }

    /// The labels of a row that is not of a module's, as `write` has them.
    #[inline(always)]
    fn put_labels(&mut self, cells: &RowCells, write: impl FnOnce(&mut Vec<u8>)) {
        let of = Some((cells.kind(), cells.stored()));
        let mut labels = self.labels.get_mut(cells.loaded() as usize).map(std::mem::take).unwrap_or_default();
        if labels.of != of {
            labels.of = of;
            labels.text.clear();
            write(&mut labels.text);
        }
        self.put(&labels.text);
        if let Some(place) = self.labels.get_mut(cells.loaded() as usize) {
            *place = labels;
        }
    }

    /// A number; most are of a few digits, which are stored without a call.
    #[inline(always)]
    fn number(&mut self, number: u64) {
        let digits =
            |pair: u64| usize::try_from(pair).ok().and_then(|pair| PAIRS.get(pair)).copied().unwrap_or_default();
        match number {
            0..10 => self.put(&[digits(number)[1]]),
            10..100 => self.put(&digits(number)),
            100..1000 => {
                let [[tens, ones], [_, hundreds]] = [digits(number % 100), digits(number / 100)];
                self.put(&[hundreds, tens, ones]);
            }
            _ => self.put(itoa::Buffer::new().format(number).as_bytes()),
        }
    }

    /// A number with what comes before it; if there is none, `none`.
    #[inline(always)]
    fn number_or(&mut self, before: &[u8], number: Option<u64>, none: &[u8]) {
        self.put(before);
        match number {
            Some(number) => self.number(number),
            None => self.put(none),
        }
    }

    /// As [`Out::number_or`], of one that may be negative.
    fn signed_or(&mut self, before: &[u8], number: Option<i64>, none: &[u8]) {
        self.put(before);
        match number {
            Some(number) => self.put(itoa::Buffer::new().format(number).as_bytes()),
            None => self.put(none),
        }
    }

    /// Writes what waits if that is much.
    ///
    /// # Errors
    /// The writer's.
    #[inline]
    fn make_room(&mut self) -> io::Result<()> {
        if self.whole().len() < WAITING_BYTES_MAX { Ok(()) } else { self.flush() }
    }

    #[cold]
    fn flush(&mut self) -> io::Result<()> {
        if self.turn.is_none() {
            self.turn = self.to.wait(self.number);
        }
        let Some(turn) = &mut self.turn else { return Err(io::Error::other("writing was broken off")) };
        turn.write_all(self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    fn end(mut self, written: io::Result<()>) {
        self.whole();
        let written = written.and_then(|()| self.flush());
        if let Some(turn) = self.turn {
            turn.end(written);
        }
    }

    /// Base64 of bytes, however many.
    fn base64(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(PART_BYTES) {
            let bytes = self.whole();
            let from = bytes.len();
            bytes.resize(from + part.len().div_ceil(3) * 4, 0);
            let to = bytes.get_mut(from..).unwrap_or_default();
            let written = STANDARD.encode_slice(part, to).unwrap_or(0);
            bytes.truncate(from + written);
            self.make_room()?;
        }
        Ok(())
    }

    /// Bytes as text, those that are not UTF-8 after `escape`, in parts that `write` writes.
    fn text(&mut self, bytes: &[u8], escape: &[u8], write: impl Fn(&str, &mut Vec<u8>)) -> io::Result<()> {
        for chunk in bytes.utf8_chunks() {
            let mut left = chunk.valid();
            while !left.is_empty() {
                let (part, rest) = left.split_at(left.floor_char_boundary(PART_BYTES));
                write(part, self.whole());
                left = rest;
                self.make_room()?;
            }
            for byte in chunk.invalid() {
                self.put(escape);
                self.put(&hex(*byte));
            }
        }
        self.make_room()
    }
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [byte >> 4, byte & 0xf].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'))
}

/// Whether all bytes are visible ASCII or blanks, and neither of two others: such names need no second look.
#[inline]
fn is_plain(name: &[u8], others: [u8; 2]) -> bool {
    let [one, other] = others;
    let odd = |byte: u8| u8::from(byte.wrapping_sub(b' ') >= 0x5f) | u8::from(byte == one) | u8::from(byte == other);
    name.iter().fold(0, |found, byte| found | odd(*byte)) == 0
}

// ---- CSV

fn csv_line<W: Write>(dump: &[u8], cells: &RowCells, name: &[u8], out: &mut Out<'_, W>) -> io::Result<()> {
    out.put(dump);
    out.put(b",");
    out.number(cells.db());
    out.put(b",");
    csv_name(name, out)?;
    match cells.module().filter(|_| cells.kind() == Kind::Module) {
        Some(module) => csv_labels(&RowText::Csv.text(&module.to_string()), cells, out.whole()),
        None => out.put_labels(cells, |to| csv_labels(cells.kind().name().as_bytes(), cells, to)),
    }
    out.number(cells.size());
    match cells.kind().unit() {
        Unit::Byte => out.put(b",byte,"),
        Unit::Count => out.put(b",count,"),
    }
    out.number(cells.serialized_bytes());
    out.number_or(b",", cells.memory_bytes(), b"");
    out.number_or(b",", cells.allocated_bytes(), b"");
    out.put(b",");
    out.put(cells.memory_basis().map_or("", Basis::name).as_bytes());
    out.number_or(b",", cells.value_bytes(), b"");
    if cells.has_rare_figures() {
        out.number_or(b",", cells.largest_element_bytes(), b"");
        out.number_or(b",", cells.largest_element_index(), b"");
        out.signed_or(b",", cells.expires_at_ms(), b"");
        out.number_or(b",", cells.idle_seconds(), b"");
        out.number_or(b",", cells.frequency().map(u64::from), b"");
        out.put(b",");
    } else {
        out.put(b",,,,,,");
    }
    out.number(cells.offset());
    out.put(b"\n");
    Ok(())
}

/// Type and encodings, with a comma behind each.
fn csv_labels(type_name: &[u8], cells: &RowCells, to: &mut Vec<u8>) {
    for label in [type_name, cells.stored().label().as_bytes(), cells.loaded().name().as_bytes()] {
        to.extend_from_slice(label);
        to.push(b',');
    }
}

/// The name and its Base64, with a comma behind each.
fn csv_name<W: Write>(name: &[u8], out: &mut Out<'_, W>) -> io::Result<()> {
    let is_formula = is_formula(name);
    if !is_formula && is_plain(name, [b',', b'"']) {
        out.put(name);
        out.put(b",,");
        return Ok(());
    }
    let is_quoted = is_quoted(name);
    let quotes: &[u8] = if is_quoted { b"\"" } else { b"" };
    out.put(quotes);
    let mut left = name;
    // As an escape the first character runs nothing.
    if let (true, Some((first, rest))) = (is_formula, name.split_first()) {
        out.put(b"\\x");
        out.put(&hex(*first));
        left = rest;
    }
    out.text(left, b"\\x", |part, to| {
        let mut parts = part.split('"');
        to.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
        for part in parts {
            to.extend_from_slice(b"\"\"");
            to.extend_from_slice(part.as_bytes());
        }
    })?;
    out.put(quotes);
    out.put(b",");
    if is_formula || std::str::from_utf8(name).is_err() {
        out.base64(name)?;
    }
    out.put(b",");
    Ok(())
}

fn is_quoted(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
}

// ---- JSON

fn json_line<W: Write>(dump: &[u8], cells: &RowCells, name: &[u8], out: &mut Out<'_, W>) -> io::Result<()> {
    out.put(b"{\"dump\":");
    out.put(dump);
    out.put(b",\"db\":");
    out.number(cells.db());
    out.put(b",\"name\":\"");
    if is_plain(name, [b'\\', b'"']) {
        out.put(name);
    } else {
        out.text(name, b"\\\\x", json_part)?;
        if std::str::from_utf8(name).is_err() {
            out.put(b"\",\"name_base64\":\"");
            out.base64(name)?;
        }
    }
    match cells.module().filter(|_| cells.kind() == Kind::Module) {
        Some(module) => json_labels(&module.to_string(), cells, out.whole()),
        None => out.put_labels(cells, |to| json_labels(cells.kind().name(), cells, to)),
    }
    out.number(cells.size());
    match cells.kind().unit() {
        Unit::Byte => out.put(b",\"unit\":\"byte\",\"serialized_bytes\":"),
        Unit::Count => out.put(b",\"unit\":\"count\",\"serialized_bytes\":"),
    }
    out.number(cells.serialized_bytes());
    out.number_or(b",\"memory_bytes\":", cells.memory_bytes(), b"null");
    out.number_or(b",\"allocated_bytes\":", cells.allocated_bytes(), b"null");
    match cells.memory_basis() {
        Some(basis) => {
            out.put(b",\"memory_basis\":\"");
            out.put(basis.name().as_bytes());
            out.put(b"\"");
        }
        None => out.put(b",\"memory_basis\":null"),
    }
    out.number_or(b",\"value_bytes\":", cells.value_bytes(), b"null");
    if cells.has_rare_figures() {
        out.number_or(b",\"largest_element_bytes\":", cells.largest_element_bytes(), b"null");
        out.number_or(b",\"largest_element_index\":", cells.largest_element_index(), b"null");
        out.signed_or(b",\"expires_at_ms\":", cells.expires_at_ms(), b"null");
        out.number_or(b",\"idle_seconds\":", cells.idle_seconds(), b"null");
        out.number_or(b",\"frequency\":", cells.frequency().map(u64::from), b"null");
        out.put(b",\"offset\":");
    } else {
        out.put(
            b",\"largest_element_bytes\":null,\"largest_element_index\":null,\"expires_at_ms\":null,\
            \"idle_seconds\":null,\"frequency\":null,\"offset\":",
        );
    }
    out.number(cells.offset());
    out.put(b"}\n");
    Ok(())
}

/// Type and encodings, from the end of the name on and up to the next number.
fn json_labels(type_name: &str, cells: &RowCells, to: &mut Vec<u8>) {
    to.extend_from_slice(b"\",\"type\":\"");
    json_part(type_name, to);
    to.extend_from_slice(b"\",\"stored_as\":\"");
    to.extend_from_slice(cells.stored().label().as_bytes());
    to.extend_from_slice(b"\",\"loaded_as\":\"");
    to.extend_from_slice(cells.loaded().name().as_bytes());
    to.extend_from_slice(b"\",\"size\":");
}

/// The content of a JSON string that holds this text.
fn json_part(text: &str, to: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', byte]),
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            0x08 => to.extend_from_slice(b"\\b"),
            0x0c => to.extend_from_slice(b"\\f"),
            0..0x20 => {
                to.extend_from_slice(b"\\u00");
                to.extend_from_slice(&hex(byte));
            }
            _ => to.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Out<'_, Vec<u8>>) -> io::Result<()>) -> String {
        let to = InTurn::new(Vec::new());
        let mut memory = Vec::new();
        let mut out = Out::new(&mut memory, 0, &to);
        let done = write(&mut out);
        out.end(done);
        String::from_utf8(to.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn names_as_fields() {
        for (name, expected) in [
            (&b"plain"[..], "plain,,"),
            (b"a,b", "\"a,b\",,"),
            (b"say \"x\"", "\"say \"\"x\"\"\",,"),
            (b"a\nb", "\"a\nb\",,"),
            ("é".as_bytes(), "é,,"),
            (b"", ",,"),
            (b"\xffa\xc3", "\\xffa\\xc3,/2HD,"),
            (b"-12.5", "-12.5,,"),
            (b"=SUM(A1)", "\\x3dSUM(A1),PVNVTShBMSk=,"),
            (b"+a,b", "\"\\x2ba,b\",K2EsYg==,"),
            (b"-", "\\x2d,LQ==,"),
            (b"@x", "\\x40x,QHg=,"),
            (b"\tx", "\\x09x,CXg=,"),
            (b"\rx", "\"\\x0dx\",DXg=,"),
        ] {
            assert_eq!(written(|out| csv_name(name, out)), expected, "{}", name.escape_ascii());
        }
        assert_eq!(RowText::Csv.text("=a\"b"), b"base64:PWEiYg==");
        assert_eq!(RowText::Csv.text("a\"b"), b"\"a\"\"b\"");
    }

    #[test]
    fn json_texts_are_those_of_serde() {
        let all: String = ('\0'..='\u{ff}').chain(['中', '\u{2028}', '😀']).collect();
        assert_eq!(RowText::Ndjson.text(&all), serde_json::to_vec(&all).unwrap());
    }

    #[test]
    fn long_names_go_out_in_parts() {
        let long: String = "aé\"\n".repeat(1 << 20);
        let json = written(|out| out.text(long.as_bytes(), b"", json_part));
        assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).unwrap(), long);
        let bytes = vec![0xff; (4 << 20) + 1];
        let csv = written(|out| csv_name(&bytes, out));
        let (text, base64) = csv.split_once(',').unwrap();
        assert_eq!(text, "\\xff".repeat(bytes.len()));
        assert_eq!(STANDARD.decode(base64.trim_end_matches(',')).unwrap(), bytes);
    }
}
