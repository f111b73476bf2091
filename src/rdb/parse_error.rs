//! What can be wrong with bytes, small enough to copy.
//!
//! Parsers answer with a one-byte [`ParseErrorKind`]; the source they ran on adds where that was and what was being read, which
//! makes a [`ParseError`]. Words are put to it only when a person is told, in `error.rs`.

/// What a parser found wrong. One byte, so that results stay in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ParseErrorKind {
    /// The bytes end before what was to be read.
    Eof,
    /// A length starts with a byte that no length starts with (format section 3.1).
    LengthForm,
    /// A string starts with a byte that no string starts with (format section 3.2).
    StringForm,
    /// An LZF stream refers to bytes before its start, or does not end where it says (format section 3.3).
    Lzf,
    /// An LZF string claims to inflate to more than any LZF stream of its size can.
    LzfRatio,
    /// A packed value is stored as an integer, or is too short for its own header.
    BlobForm,
    /// The size in a packed value's header is not the size it has.
    BlobSize,
    /// An entry of a packed value has an unknown encoding or reaches past the value's end.
    BlobEntry,
    /// A packed value's count does not divide into its records (pairs, or triples with a TTL).
    BlobCount,
    /// A type number that is unknown in this dialect: it has no length to skip by.
    UnknownType,
    /// An opcode that is unknown in this dialect: it has no length to skip by.
    UnknownOpcode,
    /// A module value of a 4.0 release candidate, which cannot be skipped without the module.
    ModulePreGa,
    /// A module value's tag is not one of 0 to 5, or another tag was due (format section 11).
    ModuleTag,
    /// A quicklist node's container is neither plain (1) nor packed (2).
    Container,
    /// A plain quicklist node has no bytes, which servers refuse.
    EmptyNode,
    /// A flag or tag byte has a value that the format does not know.
    Flag,
    /// A sorted set's score is not a number.
    Score,
    /// A stream's node key is not the 16 bytes of an ID.
    StreamId,
    /// A cluster slot number is not below 16,384.
    Slot,
    /// The field `slot-info` does not begin with three numbers, which Valkey refuses.
    SlotInfo,
    /// A hash refers to a field template that the dump does not define.
    Template,
    /// A hash template is defined after the first key, where no server writes one.
    TemplateLate,
    /// More than this program holds of one thing: see the limits in `rdb/limits.rs`.
    Limit,
    /// The bytes could not be read; the reason is kept by whoever reads them.
    Read,
    /// A segment was looked at for longer than a guess is worth.
    GaveUp,
    /// The entry count in a packed value's header is not the number of its entries.
    BlobEntries,
    /// A listpack entry's back length, or a ziplist entry's length of the one before, is not that entry's length.
    BackLength,
    /// A ziplist's header does not point at its last entry.
    Tail,
    /// An element that may be there only once is there twice.
    Duplicate,
    /// A database has two keys of one name, which servers refuse.
    DuplicateKey,
    /// A collection without elements, which no server keeps.
    Empty,
    /// Elements are not in the order that their encoding asks for.
    Order,
    /// A field's TTL is no time that a server takes.
    Ttl,
    /// A stream's node does not say what entries it has, or they are not as it says.
    StreamNode,
    /// A stream's node has another number of deleted entries than it says; servers since Valkey 9.1 refuse that.
    StreamDeleted,
    /// A stream has a length other than the number of its live entries: Redis 8.10 and Valkey 9.1 refuse it.
    StreamLength,
    /// A stream's node has no live entry, or counts them as text: Redis 8.10 refuses it.
    StreamLive,
    /// A stream's counters contradict each other or its entries, or are out of range: Redis 8.10 refuses it.
    StreamCounters,
    /// A pending entry of a consumer that its group does not have, or one of a group that no consumer has.
    Pending,
    /// An entry is pending for two consumers of a group: Redis 8.10 and Valkey 9.1 refuse it, older ones free it twice.
    PendingShared,
    /// A vector set whose vectors or links are not what its header and its other nodes say.
    VectorSet,
    /// An array's index or a template's number is the largest there is, which servers read as an error.
    Index,
    /// An array's short text takes more than the 7 bytes of a pointer's place.
    SmallText,
    /// A function in the form of the 7.0 release candidates: of all releases, those of 7.0 alone load it.
    FunctionPreGa,
    /// A database says that it has another number of keys than it has.
    KeyCount,
    /// A compressed frame does not inflate.
    Frame,
    /// Zeros stand where records should.
    Zeros,
    /// The checksum at the end is not that of the bytes.
    Checksum,
    /// Bytes follow the end.
    Trailing,
}

impl ParseErrorKind {
    /// The kind in one word, `snake_case`, for programs.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

impl<'a> nom::error::ParseError<&'a [u8]> for ParseErrorKind {
    fn from_error_kind(_: &'a [u8], kind: nom::error::ErrorKind) -> Self {
        if kind == nom::error::ErrorKind::Eof { Self::Eof } else { Self::LengthForm }
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, first: Self) -> Self {
        first
    }
}

/// What was being read when a [`ParseErrorKind`] was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FormatElement {
    /// The opcode or type byte of the next record.
    Opcode,
    /// The database number, or a database's size hints.
    Database,
    /// An expiry time.
    Expiry,
    /// Idle time or access frequency.
    Access,
    /// A cluster slot record.
    SlotInfo,
    /// An auxiliary field.
    Aux,
    /// A module's auxiliary data.
    ModuleAux,
    /// Metadata that modules attached to a key.
    KeyMeta,
    /// A function library.
    Function,
    /// A slot import job.
    SlotImport,
    /// A hash template.
    HashTemplate,
    /// A key's name.
    Key,
    /// A string value.
    String,
    /// How many elements a value has.
    Count,
    /// An element of a value.
    Element,
    /// A sorted set's score.
    Score,
    /// A hash field's TTL.
    FieldTtl,
    /// A packed value (ziplist, listpack, intset, zipmap).
    Blob,
    /// A stream's entries.
    StreamEntries,
    /// A stream's counters and consumer groups.
    StreamGroups,
    /// A module value.
    Module,
    /// A blob of compressed records (Dragonfly).
    CompressedBlob,
    /// A part of an entry that lies between others (Dragonfly).
    TaggedChunk,
    /// The checksum at the end.
    Checksum,
}

/// A [`ParseErrorKind`] with its place: all that is known where bytes are read, still without words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Offset of the first byte of what could not be read, from the start of the (inflated) dump.
    pub offset: u64,
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// What was being read.
    pub element: FormatElement,
    /// The number that was claimed: bytes asked for, or the type, opcode or tag met.
    pub declared: u64,
}

impl ParseError {
    /// Whether the damage lies inside a packed value, or a compressed name, whose stored length is known, or is that a
    /// collection is empty. A walk that returns such a trouble has stepped over the whole value, so the damage costs that
    /// key alone.
    pub fn costs_one_key(&self) -> bool {
        let is_packed = matches!(
            self.kind,
            ParseErrorKind::BlobForm
                | ParseErrorKind::BlobSize
                | ParseErrorKind::BlobEntry
                | ParseErrorKind::BlobCount
                | ParseErrorKind::BackLength
        );
        is_packed
            || self.kind == ParseErrorKind::Empty
            || self.kind == ParseErrorKind::Lzf && matches!(self.element, FormatElement::Blob | FormatElement::Key)
    }
}
