//! What went wrong, in one plain sentence: which file, at which byte, of which key, while reading what.

use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::rdb::entry::Damage;
use crate::rdb::{Fault, Part, Trouble};

/// Why a dump could not be analyzed to its end.
#[derive(Debug)]
pub struct Error {
    /// The dump as the caller named it.
    pub dump: String,
    /// What happened.
    pub cause: Cause,
}

/// What happened to a dump.
#[derive(Debug)]
pub enum Cause {
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
    pub fn new(dump: impl Into<String>, cause: Cause) -> Self {
        Self { dump: dump.into(), cause }
    }

    /// Whether the dump is to blame (exit code 1), or the program could not run (exit code 2).
    pub fn is_about_dump(&self) -> bool {
        !matches!(self.cause, Cause::Io { .. } | Cause::Options(_) | Cause::Cancelled { .. })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.dump, self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { damage, dump_bytes } => {
                let Trouble { offset, .. } = damage.trouble;
                write!(f, "at byte {offset}")?;
                if let Some((name, value_type)) = &damage.key {
                    write!(f, ", key {}", Quoted(name))?;
                    // A type that is unknown in this dialect may be known in another: its label would mislead.
                    if damage.trouble.fault != Fault::UnknownType {
                        write!(f, " ({})", value_type.label())?;
                    }
                }
                write!(f, ": ")?;
                sentence(f, damage.trouble, *dump_bytes)
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
                write!(f, "at byte {offset}: the dump ends here, but {bytes} more {} follow", plural(*bytes, "byte"))
            }
            Self::Refused(what) | Cause::Changed(what) | Cause::Options(what) => write!(f, "{what}"),
            Self::Io { doing, source } => write!(f, "could not {doing}: {source}"),
        }
    }
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// What was being read and what was wrong with it, in words, without its place.
pub(crate) fn words(trouble: Trouble, dump_bytes: u64) -> String {
    let mut words = String::new();
    // A string takes everything.
    _ = sentence(&mut words, trouble, dump_bytes);
    words
}

/// What to do where a dump ends too early.
const FETCH_OR_JOIN: &str = "; if it is a cut copy or a part of a split one, fetch it again or join the parts";

/// What was being read and what was wrong with it.
fn sentence(f: &mut impl fmt::Write, trouble: Trouble, dump_bytes: u64) -> fmt::Result {
    let Trouble { offset, fault, part, claim } = trouble;
    let (is_at_start, part) = (part == Part::Opcode, part_name(part));
    match fault {
        Fault::Eof if claim > 0 => {
            let left = dump_bytes.saturating_sub(offset);
            write!(f, "the dump ends inside {part}: {claim} {} should follow, ", plural(claim, "byte"))?;
            write!(f, "{left} {}{FETCH_OR_JOIN}", if left == 1 { "remains" } else { "remain" })
        }
        Fault::Eof if is_at_start => {
            write!(f, "the dump is cut: it ends here, without an end record{FETCH_OR_JOIN}")
        }
        Fault::Eof => write!(f, "the dump ends inside {part}{FETCH_OR_JOIN}"),
        Fault::LengthForm => write!(f, "reading {part}: no length starts with this byte"),
        Fault::StringForm => write!(f, "reading {part}: no string starts with this byte"),
        Fault::Lzf => write!(f, "reading {part}: the LZF compressed bytes are damaged"),
        Fault::LzfRatio => {
            write!(f, "reading {part}: the LZF compressed string claims a length that its bytes cannot give")
        }
        Fault::BlobForm => write!(f, "reading {part}: it has no valid header"),
        Fault::BlobSize => write!(f, "reading {part}: its header does not say the size it has ({claim} bytes)"),
        Fault::BlobEntry => write!(f, "reading {part}: an entry in it is damaged"),
        Fault::BlobCount => write!(f, "reading {part}: its entries do not make whole records"),
        Fault::UnknownType => write!(f, "value type {claim} is unknown, and nothing says where such a value ends"),
        Fault::UnknownOpcode => write!(f, "opcode {claim} is unknown, and nothing says where such a record ends"),
        Fault::ModulePreGa => {
            write!(f, "value type 6 is a module value of a Redis 4.0 release candidate, which only its module can read")
        }
        Fault::ModuleTag => write!(f, "reading {part}: no module value has the tag {claim}"),
        Fault::Container => write!(f, "reading {part}: a list node of container {claim}, which is neither 1 nor 2"),
        Fault::Flag => write!(f, "reading {part}: no such flag or tag {claim} is known"),
        Fault::Score => write!(f, "reading {part}: a score is not a number"),
        Fault::StreamId => write!(f, "reading {part}: a node's ID takes {claim} bytes instead of 16"),
        Fault::Slot => write!(f, "reading {part}: there is no slot {claim}, they end at 16383"),
        Fault::Template => write!(f, "reading {part}: the dump defines no template {claim}"),
        Fault::TemplateLate => write!(f, "{part} is defined behind the first key, where no server puts one"),
        Fault::Limit => write!(f, "reading {part}: {claim} is more than this program reads of it"),
        Fault::Held => write!(f, "the names of the top keys take too much memory: ask for fewer with --top"),
        Fault::Read => write!(f, "reading {part}: the bytes could not be read"),
        Fault::GaveUp => write!(f, "reading {part}: given up"),
        Fault::BlobEntries => write!(f, "reading {part}: its header counts {claim} entries, it has another number"),
        Fault::BackLength => write!(f, "reading {part}: an entry is not as long as its neighbour says"),
        Fault::Tail => write!(f, "reading {part}: its header points at another entry than the last ({claim})"),
        Fault::Duplicate => write!(f, "{part} is there twice"),
        Fault::DuplicateKey => write!(f, "a key of this name is in the database already"),
        Fault::Empty => write!(f, "reading {part}: the value has no elements, and servers keep no such key"),
        Fault::Order => write!(f, "reading {part}: its elements are not in order"),
        Fault::Ttl => write!(f, "reading {part}: {claim} is no time that a server takes"),
        Fault::StreamNode => write!(f, "reading {part}: the entries of a node are not as it says"),
        Fault::StreamDeleted => write!(f, "reading {part}: a node has another number of deleted entries than it says"),
        Fault::StreamLength => write!(f, "the stream says it has {claim} entries, its nodes have another number"),
        Fault::Pending => write!(f, "reading {part}: a consumer group and its consumers disagree on a pending entry"),
        Fault::Frame => write!(f, "reading {part}: its {claim} bytes do not inflate"),
        Fault::Zeros => write!(f, "zeros stand here in the place of records"),
        Fault::Checksum => {
            write!(f, "the checksum {claim:016x} is not that of the bytes: something was changed after it was written")
        }
        Fault::Trailing => {
            write!(f, "the dump ends here, but {claim} more {} follow", plural(claim, "byte"))
        }
        Fault::KeyCount => write!(f, "the database says it has {claim} keys, another number is in it"),
    }
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Opcode => "the start of a record",
        Part::Database => "a database record",
        Part::Expiry => "an expiry time",
        Part::Access => "an idle time or access counter",
        Part::SlotInfo => "a cluster slot record",
        Part::Aux => "an auxiliary field",
        Part::ModuleAux => "a module's auxiliary data",
        Part::KeyMeta => "a key's module metadata",
        Part::Function => "a function library",
        Part::SlotImport => "a slot import record",
        Part::HashTemplate => "a hash template",
        Part::Key => "a key's name",
        Part::String => "the string",
        Part::Count => "the number of elements",
        Part::Element => "an element",
        Part::Score => "a score",
        Part::FieldTtl => "a field's TTL",
        Part::Blob => "a packed value",
        Part::StreamEntries => "a stream's entries",
        Part::StreamGroups => "a stream's counters and groups",
        Part::Module => "a module's value",
        Part::CompressedBlob => "a compressed blob",
        Part::TaggedChunk => "a tagged chunk",
        Part::Checksum => "the checksum",
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
                    _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                    _ => write!(f, "{character}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        match self.0.len() - shown.len() {
            0 => write!(f, "\""),
            more => write!(f, "\" and {more} more bytes"),
        }
    }
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

    fn damaged(trouble: Trouble, key: Option<(Vec<u8>, ValueType)>, dump_bytes: u64) -> String {
        let damage = Box::new(Damage { trouble, key, record_offset: 0 });
        Error::new("dump.rdb", Cause::Damaged { damage, dump_bytes }).to_string()
    }

    #[test]
    fn one_sentence_tells_file_byte_key_and_type() {
        let trouble = Trouble { offset: 8192, fault: Fault::Eof, part: Part::Blob, claim: 900 };
        let key = Some((b"user:\xff17\n".to_vec(), ValueType::HASH_LISTPACK));
        assert_eq!(
            damaged(trouble, key, 8304),
            "dump.rdb: at byte 8192, key \"user:\\xff17\\n\" (hash as listpack): the dump ends inside a packed value: \
             900 bytes should follow, 112 remain; if it is a cut copy or a part of a split one, fetch it again or join \
             the parts"
        );
        let trouble = Trouble { offset: 9, fault: Fault::UnknownOpcode, part: Part::Opcode, claim: 200 };
        assert_eq!(
            damaged(trouble, None, 20),
            "dump.rdb: at byte 9: opcode 200 is unknown, and nothing says where such a record ends"
        );
    }
}
