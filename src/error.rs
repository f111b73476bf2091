//! What went wrong, in one plain sentence: which file, at which byte, of which key, while reading what.

use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::rdb::entry::Damage;
use crate::rdb::{FormatElement, ParseError, ParseErrorKind};

/// Why a dump could not be analyzed to its end.
#[derive(Debug)]
pub struct Error {
    /// The dump as the caller named it.
    pub dump: String,
    /// What happened.
    pub cause: ErrorKind,
}

/// What happened to a dump.
#[derive(Debug)]
pub enum ErrorKind {
    /// The bytes are not what they should be.
    Damaged {
        /// Where and what.
        damage: Box<Damage>,
        /// How many bytes the (inflated) dump has.
        dump_bytes: u64,
    },
    /// Bytes were skipped behind damage, up to a record that looks right; what was found behind them is resynchronized.
    Skipped {
        /// Offset of the damaged record.
        from: u64,
        /// Offset of the next one.
        to: u64,
    },
    /// More keys have damaged values than are told one by one.
    DamagedKeys {
        /// How many more.
        more: u64,
    },
    /// The checksum at the end does not match the bytes.
    Checksum {
        /// What the dump says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
        /// Offset of the stored checksum.
        offset: u64,
    },
    /// Bytes follow the end of the dump.
    Trailing {
        /// Offset of the first of them.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// It is not a dump that this program reads; the sentence says what it is instead.
    Refused(String),
    /// The file changed, or became shorter, while it was read.
    Changed(String),
    /// The scan was told to end before the dump did.
    Cancelled {
        /// How far it had come.
        offset: u64,
    },
    /// It could not be opened or read.
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The options ask for what this dump cannot give.
    Options(String),
}

impl Error {
    /// An error about `dump`.
    pub fn new(dump: impl Into<String>, cause: ErrorKind) -> Self {
        Self { dump: dump.into(), cause }
    }

    /// Whether the dump is to blame (exit code 1), or the program could not run (exit code 2).
    pub fn is_about_dump(&self) -> bool {
        match &self.cause {
            ErrorKind::Io { .. } | ErrorKind::Options(_) | ErrorKind::Cancelled { .. } => false,
            // A limit of this program is no damage.
            ErrorKind::Damaged { damage, .. } => damage.error.kind != ParseErrorKind::Limit,
            _ => true,
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            ErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Visible(self.dump.as_bytes()), self.cause)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { damage, dump_bytes } => {
                let ParseError { offset, .. } = damage.error;
                write!(f, "at byte {offset}")?;
                if let Some((name, value_type)) = &damage.key {
                    write!(f, ", key {}", Quoted(name))?;
                    // A type that is unknown in this dialect may be known in another: its label would mislead.
                    if damage.error.kind != ParseErrorKind::UnknownType {
                        write!(f, " ({})", value_type.label())?;
                    }
                }
                write!(f, ": ")?;
                sentence(f, damage.error, *dump_bytes)
            }
            Self::Cancelled { offset } => write!(f, "interrupted at byte {offset}; what was found before is reported"),
            Self::Skipped { from, to } => write!(
                f,
                "bytes {from} to {to} were skipped ({} bytes); what follows is resynchronized, in the last database known",
                to - from
            ),
            Self::DamagedKeys { more } => write!(f, "the values of {more} more {} are damaged", plural(*more, "key")),
            Self::Checksum { stored, computed, offset } => write!(
                f,
                "at byte {offset}: the checksum is {stored:016x}, but the bytes before it give {computed:016x}: \
                 something in the dump was changed after it was written"
            ),
            Self::Trailing { offset, bytes } => {
                write!(f, "at byte {offset}: the dump ends here, but {}", more_bytes(*bytes))
            }
            // Some of these sentences name a file.
            Self::Refused(what) | ErrorKind::Changed(what) | ErrorKind::Options(what) => {
                write!(f, "{}", Visible(what.as_bytes()))
            }
            Self::Io { doing, source } => write!(f, "could not {doing}: {source}"),
        }
    }
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

fn more_bytes(bytes: u64) -> String {
    format!("{bytes} more {}", if bytes == 1 { "byte follows" } else { "bytes follow" })
}

/// What was being read and what was wrong with it, in words, without its place.
pub(crate) fn words(error: ParseError, dump_bytes: u64) -> String {
    let mut words = String::new();
    // A string takes everything.
    _ = sentence(&mut words, error, dump_bytes);
    words
}

/// What to do where a dump ends too early.
const FETCH_OR_JOIN: &str = "; if it is a cut copy or a part of a split one, fetch it again or join the parts";

/// What was being read and what was wrong with it.
#[allow(clippy::too_many_lines, reason = "a table: an arm for each kind")]
fn sentence(f: &mut impl fmt::Write, error: ParseError, dump_bytes: u64) -> fmt::Result {
    let ParseError { offset, kind, element, declared } = error;
    let (is_at_start, element) = (element == FormatElement::Opcode, part_name(element));
    match kind {
        ParseErrorKind::Eof if declared > 0 => {
            let left = dump_bytes.saturating_sub(offset);
            write!(f, "the dump ends inside {element}: {declared} {} should follow, ", plural(declared, "byte"))?;
            write!(f, "{left} {}{FETCH_OR_JOIN}", if left == 1 { "remains" } else { "remain" })
        }
        ParseErrorKind::Eof if is_at_start => {
            write!(f, "the dump is cut: it ends here, without an end record{FETCH_OR_JOIN}")
        }
        ParseErrorKind::Eof => write!(f, "the dump ends inside {element}{FETCH_OR_JOIN}"),
        ParseErrorKind::LengthForm => write!(f, "reading {element}: no length starts with this byte"),
        ParseErrorKind::StringForm => write!(f, "reading {element}: no string starts with this byte"),
        ParseErrorKind::Lzf => write!(f, "reading {element}: the LZF compressed bytes are damaged"),
        ParseErrorKind::LzfRatio => {
            write!(f, "reading {element}: the LZF compressed string claims a length that its bytes cannot give")
        }
        ParseErrorKind::BlobForm => write!(f, "reading {element}: it has no valid header"),
        ParseErrorKind::BlobSize => {
            write!(f, "reading {element}: its header does not say the size it has ({declared} bytes)")
        }
        ParseErrorKind::BlobEntry => write!(f, "reading {element}: an entry in it is damaged"),
        ParseErrorKind::BlobCount => write!(f, "reading {element}: its entries do not make whole records"),
        ParseErrorKind::UnknownType => {
            write!(f, "value type {declared} is unknown, and nothing says where such a value ends")
        }
        ParseErrorKind::UnknownOpcode => {
            write!(f, "opcode {declared} is unknown, and nothing says where such a record ends")
        }
        ParseErrorKind::ModulePreGa => {
            write!(f, "value type 6 is a module value of a Redis 4.0 release candidate, which only its module can read")
        }
        ParseErrorKind::ModuleTag => write!(f, "reading {element}: no module value has the tag {declared}"),
        ParseErrorKind::Container => {
            write!(f, "reading {element}: a list node of container {declared}, which is neither 1 nor 2")
        }
        ParseErrorKind::Flag => write!(f, "reading {element}: no such flag or tag {declared} is known"),
        ParseErrorKind::EmptyNode => write!(f, "reading {element}: a plain list node has no bytes"),
        ParseErrorKind::Score => write!(f, "reading {element}: a score is not a number"),
        ParseErrorKind::StreamId => write!(f, "reading {element}: a node's ID takes {declared} bytes instead of 16"),
        ParseErrorKind::Slot => write!(f, "reading {element}: slot {declared} does not exist, the last one is 16383"),
        ParseErrorKind::SlotInfo => write!(f, "the auxiliary field slot-info does not begin with three numbers"),
        ParseErrorKind::Template => write!(f, "reading {element}: the dump defines no template {declared}"),
        ParseErrorKind::TemplateLate => {
            write!(f, "{element} is defined after the first key, where no server writes one")
        }
        ParseErrorKind::Limit => {
            write!(f, "reading {element}: {declared} is beyond what this program can hold of it (a limit, not damage)")
        }
        ParseErrorKind::Read => write!(f, "reading {element}: the bytes could not be read"),
        ParseErrorKind::GaveUp => write!(f, "reading {element}: given up"),
        ParseErrorKind::BlobEntries => {
            write!(f, "reading {element}: its header counts {declared} entries, it has another number")
        }
        ParseErrorKind::BackLength => write!(f, "reading {element}: an entry is not as long as its neighbour says"),
        ParseErrorKind::Tail => {
            write!(f, "reading {element}: its header points at another entry than the last ({declared})")
        }
        ParseErrorKind::Duplicate => write!(f, "{element} is there twice"),
        ParseErrorKind::DuplicateKey => write!(f, "a key of this name is in the database already"),
        ParseErrorKind::Empty => {
            write!(f, "reading {element}: the value has no elements, and servers keep no such key")
        }
        ParseErrorKind::Order => write!(f, "reading {element}: its elements are not in order"),
        ParseErrorKind::Ttl => write!(f, "reading {element}: {declared} is not a time that servers accept"),
        ParseErrorKind::StreamNode => write!(f, "reading {element}: the entries of a node are not as it says"),
        ParseErrorKind::StreamDeleted => {
            write!(f, "reading {element}: a node has another number of deleted entries than it says")
        }
        ParseErrorKind::StreamLength => {
            write!(f, "the stream says it has {declared} entries, its nodes have another number; ")?;
            write!(f, "Redis 8.10 and Valkey 9.1 refuse it")
        }
        ParseErrorKind::Pending => {
            write!(f, "reading {element}: a consumer group and its consumers disagree on a pending entry")
        }
        ParseErrorKind::StreamLive => {
            write!(f, "reading {element}: a node has no live entries, or counts them as text; Redis 8.10 refuses it")
        }
        ParseErrorKind::StreamCounters => {
            write!(
                f,
                "reading {element}: the counter {declared} contradicts the stream or is out of range; Redis 8.10 refuses it"
            )
        }
        ParseErrorKind::PendingShared => {
            write!(f, "reading {element}: an entry is pending for two consumers of the same group")
        }
        ParseErrorKind::VectorSet => {
            write!(f, "reading {element}: the vectors or links of a vector set are not what its header says")
        }
        ParseErrorKind::Index => write!(f, "reading {element}: {declared} is not a valid index"),
        ParseErrorKind::SmallText => {
            write!(f, "reading {element}: a short text of an array takes {declared} bytes, 7 are the most")
        }
        ParseErrorKind::FunctionPreGa => {
            write!(f, "a function in the format of the Redis 7.0 release candidates, which servers after 7.0 refuse")
        }
        ParseErrorKind::Frame => write!(f, "reading {element}: its {declared} bytes do not inflate"),
        ParseErrorKind::Zeros => write!(f, "zeros stand here in the place of records"),
        ParseErrorKind::Checksum => {
            write!(
                f,
                "the checksum {declared:016x} is not that of the bytes: something was changed after it was written"
            )
        }
        ParseErrorKind::Trailing => {
            write!(f, "the dump ends here, but {}", more_bytes(declared))
        }
        ParseErrorKind::KeyCount => write!(f, "the database says it has {declared} keys, another number is in it"),
    }
}

fn part_name(element: FormatElement) -> &'static str {
    match element {
        FormatElement::Opcode => "the start of a record",
        FormatElement::Database => "a database record",
        FormatElement::Expiry => "an expiry time",
        FormatElement::Access => "an idle time or access counter",
        FormatElement::SlotInfo => "a cluster slot record",
        FormatElement::Aux => "an auxiliary field",
        FormatElement::ModuleAux => "a module's auxiliary data",
        FormatElement::KeyMeta => "a key's module metadata",
        FormatElement::Function => "a function library",
        FormatElement::SlotImport => "a slot import record",
        FormatElement::HashTemplate => "a hash template",
        FormatElement::Key => "a key's name",
        FormatElement::String => "the string",
        FormatElement::Count => "the number of elements",
        FormatElement::Element => "an element",
        FormatElement::Score => "a score",
        FormatElement::FieldTtl => "a field's TTL",
        FormatElement::Blob => "a packed value",
        FormatElement::StreamEntries => "a stream's entries",
        FormatElement::StreamGroups => "a stream's counters and groups",
        FormatElement::Module => "a module's value",
        FormatElement::CompressedBlob => "a compressed blob",
        FormatElement::TaggedChunk => "a tagged chunk",
        FormatElement::Checksum => "the checksum",
    }
}

/// Bytes of a name in messages: enough to know the key by, not enough to fill a screen.
const QUOTED_BYTES_MAX: usize = 80;

/// A key's name between quotes, with every byte that is not plain text escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..QUOTED_BYTES_MAX).unwrap_or(self.0);
        write!(f, "\"")?;
        for chunk in shown.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    _ => visible(f, character)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        match self.0.len() - shown.len() {
            0 => write!(f, "\""),
            more => write!(f, "\" and {more} more {}", plural(more as u64, "byte")),
        }
    }
}

/// A name, a path or a sentence with one in it, as a terminal may have it: characters that it would obey, that reorder what
/// is around them or that cannot be seen come as `\n` or `\u{202e}`, bytes that are not UTF-8 as `\xff`.
///
/// Text that has been through it once comes out unchanged. Backslashes stay as they are: this is for reading, not for
/// reading back.
///
/// ```
/// use bigkeys::error::Visible;
///
/// assert_eq!(Visible(b"a\x1b[31m\xff").to_string(), "a\\u{1b}[31m\\xff");
/// assert_eq!(Visible("日本 'b'".as_bytes()).to_string(), "日本 'b'");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a>(pub &'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                visible(f, character)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn visible(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    use fmt::Write;
    if is_invisible(character) { write!(f, "{}", character.escape_default()) } else { f.write_char(character) }
}

/// Whether a character is not shown as itself: control characters, the ends of lines and paragraphs, marks of direction, and
/// those that Unicode calls format characters or ignorable by default. Variation selectors, which emoji have, are none.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Bytes as text, those that are not UTF-8 as `\xff`. For reading: the lossless form stands beside it.
fn escaped(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut text = String::with_capacity(bytes.len() + 3);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A name as text, and without loss in Base64 where it is not UTF-8.
pub(crate) fn name_text(name: Vec<u8>) -> (String, Option<String>) {
    match String::from_utf8(name) {
        Ok(name) => (name, None),
        Err(error) => (escaped(error.as_bytes()), Some(STANDARD.encode(error.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::ValueType;

    fn damaged(error: ParseError, key: Option<(Vec<u8>, ValueType)>, dump_bytes: u64) -> String {
        let damage = Box::new(Damage { error, key, record_offset: 0 });
        Error::new("dump.rdb", ErrorKind::Damaged { damage, dump_bytes }).to_string()
    }

    #[test]
    fn one_sentence_tells_file_byte_key_and_type() {
        let error = ParseError { offset: 8192, kind: ParseErrorKind::Eof, element: FormatElement::Blob, declared: 900 };
        let key = Some((b"user:\xff17\n".to_vec(), ValueType::HASH_LISTPACK));
        assert_eq!(
            damaged(error, key, 8304),
            "dump.rdb: at byte 8192, key \"user:\\xff17\\n\" (hash as listpack): the dump ends inside a packed value: \
             900 bytes should follow, 112 remain; if it is a cut copy or a part of a split one, fetch it again or join \
             the parts"
        );
        let error = Error::new("a\u{202e}b\r", ErrorKind::Refused("c\u{9b}31m".to_owned()));
        assert_eq!(error.to_string(), "a\\u{202e}b\\r: c\\u{9b}31m");
        let error = ParseError {
            offset: 9,
            kind: ParseErrorKind::UnknownOpcode,
            element: FormatElement::Opcode,
            declared: 200,
        };
        assert_eq!(
            damaged(error, None, 20),
            "dump.rdb: at byte 9: opcode 200 is unknown, and nothing says where such a record ends"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (name, expected) in [
            (&b"a\x1b[31mb"[..], "a\\u{1b}[31mb"),
            (b"line\nfeed\x7f", "line\\nfeed\\u{7f}"),
            (b"\xc2\x9b1m", "\\u{9b}1m"),
            (b"\x9b1m", "\\x9b1m"),
            ("\u{200e}\u{200f}\u{202a}\u{202e}".as_bytes(), "\\u{200e}\\u{200f}\\u{202a}\\u{202e}"),
            ("\u{2066}\u{2069}\u{2028}\u{feff}".as_bytes(), "\\u{2066}\\u{2069}\\u{2028}\\u{feff}"),
            ("日本 Ünï 'q' \"q\" a\\b e\u{301} ❤\u{fe0f}".as_bytes(), "日本 Ünï 'q' \"q\" a\\b e\u{301} ❤\u{fe0f}"),
        ] {
            let shown = Visible(name).to_string();
            assert_eq!(shown, expected);
            assert_eq!(Visible(shown.as_bytes()).to_string(), shown, "once is enough");
        }
        assert_eq!(Quoted("\u{202e}\"".as_bytes()).to_string(), "\"\\u{202e}\\\"\"");
    }
}
