//! Documents of `ReJSON`, which a dump has as one JSON text: what its values take once they are parsed.
//!
//! The text is read byte by byte and never held; what is held is a count for each object or array that is open.

use std::cell::RefCell;

use nom::Err;

use crate::rdb::bounded::Bounded;
use crate::rdb::packed::lzf::Inflated;
use crate::rdb::primitives::StringHeader;
use crate::rdb::source::Source;
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// What any value takes where it is pointed to.
const VALUE_BYTES: u64 = 8;

/// Objects and arrays within each other; the module itself refuses more than 128.
const DEPTH_MAX: usize = 1024;

/// Numbers that the module has ready.
const SHARED: std::ops::RangeInclusive<i64> = -128..=383;

/// Numbers of three bytes, and what they take.
const SHORT: std::ops::RangeInclusive<i64> = -SHORT_MAX..=SHORT_MAX;
const SHORT_MAX: i64 = (1 << 23) - 1;
const SHORT_BYTES: u64 = 12;
const NUMBER_BYTES: u64 = 24;

/// The fewest places of an object or array that is not empty.
const PLACES_MIN: u64 = 4;

/// Texts of numbers that fit 64 bits are no longer.
const NUMBER_TEXT_BYTES_MAX: usize = 24;

/// A document while its text is read.
#[derive(Debug, Default)]
pub(super) struct Document {
    bytes: u64,
    open: Vec<Open>,
    state: State,
    expects_name: bool,
    number: Number,
    /// Texts of documents: a value has one.
    texts: u64,
    /// The text is not the JSON of one value, or is not understood.
    is_lost: bool,
    /// Values outside of any object or array: a document is one.
    values: u64,
}

/// An object or array whose end has not come.
#[derive(Clone, Copy, Debug)]
struct Open {
    is_object: bool,
    /// Values so far.
    values: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Between values.
    #[default]
    Between,
    /// In a text.
    Text,
    /// After a backslash in a text.
    Escape,
    /// In the digits of a character's number.
    Character {
        digits: u8,
        value: u32,
    },
    Number,
    /// In `true`, `false` or `null`.
    Word,
}

/// The text of a number, as far as it can matter.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    text: [u8; NUMBER_TEXT_BYTES_MAX],
    bytes: usize,
}

impl Document {
    /// Reads the text that comes next in `source`, and steps over it whatever is in it.
    ///
    /// # Errors
    /// [`ParseErrorKind::Eof`] where the dump ends within it.
    pub(super) fn read<S: Source>(&mut self, source: &mut S, header: StringHeader) -> Result<(), ParseError> {
        let (element, offset) = (FormatElement::Module, source.offset());
        let stored_bytes = header.stored_bytes();
        self.texts += 1;
        let mut bounded = Bounded::new(source, stored_bytes, ParseErrorKind::BlobEntry);
        let read = match header {
            StringHeader::Raw { bytes } => self.read_all(&mut bounded, bytes),
            StringHeader::Lzf { bytes, .. } => {
                self.read_all(&mut Inflated::new(&mut bounded, element, stored_bytes), bytes)
            }
            StringHeader::Int(value) => {
                self.add(value.to_string().as_bytes());
                Ok(())
            }
        };
        // What is wrong within the text is for the server to say: it can be stepped over.
        self.is_lost |= read.is_err();
        let cut = |error: ParseError| ParseError { offset, declared: stored_bytes, ..error };
        bounded.finish(element).map_err(cut)
    }

    fn read_all<S: Source>(&mut self, source: &mut S, bytes: u64) -> Result<(), ParseError> {
        let mut left = bytes;
        let document = RefCell::new(self);
        while left > 0 {
            left -= source.parse(FormatElement::Module, |i| {
                let (text, rest) = i.split_at_checked(usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or((i, &[]));
                if text.is_empty() {
                    return Err(Err::Error(ParseErrorKind::Eof));
                }
                document.borrow_mut().add(text);
                Ok((rest, text.len() as u64))
            })?;
        }
        Ok(())
    }

    fn add(&mut self, text: &[u8]) {
        for byte in text {
            if self.is_lost {
                break;
            }
            self.add_byte(*byte);
        }
    }

    fn add_byte(&mut self, byte: u8) {
        match self.state {
            State::Between => self.begin(byte),
            State::Text => match byte {
                b'"' => self.end_text(),
                b'\\' => self.state = State::Escape,
                _ => self.bytes = self.bytes.saturating_add(1),
            },
            State::Escape if byte == b'u' => self.state = State::Character { digits: 0, value: 0 },
            State::Escape => {
                self.bytes = self.bytes.saturating_add(1);
                self.state = State::Text;
            }
            State::Character { digits, value } => {
                let value = value << 4 | char::from(byte).to_digit(16).unwrap_or(0);
                self.state = State::Character { digits: digits + 1, value };
                if digits == 3 {
                    self.bytes = self.bytes.saturating_add(utf8_bytes(value));
                    self.state = State::Text;
                }
            }
            State::Number => match byte {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => self.number.add(byte),
                _ => {
                    self.end_number();
                    self.begin(byte);
                }
            },
            State::Word if byte.is_ascii_lowercase() => {}
            State::Word => {
                self.state = State::Between;
                self.begin(byte);
            }
        }
    }

    /// A byte that is not within a text, number or word.
    fn begin(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => {}
            b',' => self.expects_name = self.open.last().is_some_and(|open| open.is_object),
            b'"' => {
                if !self.expects_name {
                    self.count(VALUE_BYTES);
                }
                self.state = State::Text;
            }
            b'{' | b'[' => {
                self.count(VALUE_BYTES);
                self.is_lost |= self.open.len() >= DEPTH_MAX;
                if !self.is_lost {
                    self.open.push(Open { is_object: byte == b'{', values: 0 });
                }
                self.expects_name = byte == b'{';
            }
            b'}' | b']' => self.close(byte == b'}'),
            b'-' | b'0'..=b'9' => {
                self.number = Number::default();
                self.number.add(byte);
                self.state = State::Number;
            }
            b't' | b'f' | b'n' => {
                self.count(VALUE_BYTES);
                self.state = State::Word;
            }
            _ => self.is_lost = true,
        }
    }

    /// A value in what is open.
    fn count(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.open.last_mut() {
            Some(open) => open.values += 1,
            None => self.values += 1,
        }
    }

    fn end_text(&mut self) {
        self.state = State::Between;
        self.expects_name = false;
    }

    fn end_number(&mut self) {
        self.state = State::Between;
        let bytes = match self.number.integer() {
            Some(value) if SHARED.contains(&value) => VALUE_BYTES,
            Some(value) if SHORT.contains(&value) => SHORT_BYTES,
            _ => NUMBER_BYTES,
        };
        self.count(bytes);
    }

    fn close(&mut self, is_object: bool) {
        self.expects_name = false;
        let Some(open) = self.open.pop().filter(|open| open.is_object == is_object) else {
            self.is_lost = true;
            return;
        };
        if open.values > 0 {
            // A header of two words; an object has three words a place: two for a field, one in its table.
            let places = open.values.checked_next_power_of_two().unwrap_or(u64::MAX).max(PLACES_MIN);
            let words = places.saturating_mul(if is_object { 3 } else { 1 }).saturating_add(2);
            self.bytes = self.bytes.saturating_add(words.saturating_mul(8));
        }
    }

    /// What the document takes without its key, if its text was one value.
    pub(super) fn finish(mut self) -> Option<u64> {
        if matches!(self.state, State::Number) {
            self.end_number();
        }
        let is_whole = matches!(self.state, State::Between | State::Word) && self.open.is_empty();
        (is_whole && !self.is_lost && self.texts == 1 && self.values == 1).then_some(self.bytes)
    }
}

impl Number {
    fn add(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.bytes) {
            *place = byte;
        }
        self.bytes += 1;
    }

    /// Its value, if it is an integer of 64 bits.
    fn integer(&self) -> Option<i64> {
        std::str::from_utf8(self.text.get(..self.bytes)?).ok()?.parse().ok()
    }
}

/// Bytes of a character in UTF-8, of which `unit` is the number or a surrogate: both halves of a pair together are four.
fn utf8_bytes(unit: u32) -> u64 {
    match unit {
        0..0x80 => 1,
        0x80..0x800 | 0xd800..0xe000 => 2,
        _ => 3,
    }
}
