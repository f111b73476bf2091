//! A key as a scan hands it on, and the scan over bytes in memory.

use super::context::Context;
use super::header;
use super::limits::KEY_BYTES_MAX;
use super::measure::Measure;
use super::packed::lzf;
use super::packed::module::ModuleId;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::StringHeader;
use super::record::{self, KeyHeader, Record};
use super::run::Run;
use super::source::{KeepsKey, Slice, Source};
use super::types::{Kind, ValueType};
use super::value::{ValueStart, begin};

/// A key's name as it is stored: raw bytes are borrowed, the other forms are decoded when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    header: StringHeader,
    stored: &'a [u8],
}

impl<'a> Key<'a> {
    /// The name with this head, of which `stored` was kept.
    pub(crate) fn new(header: StringHeader, stored: &'a [u8]) -> Self {
        Self { header, stored }
    }

    /// The name's length in bytes, decoded.
    pub fn bytes(&self) -> u64 {
        self.header.value_bytes()
    }

    /// Whether the name is longer than [`KEY_BYTES_MAX`] and was stepped over.
    pub fn is_oversized(&self) -> bool {
        self.bytes() > KEY_BYTES_MAX
    }

    /// The name: borrowed where it is stored raw, else decoded into `buffer`. Of one that is [oversized](Self::is_oversized),
    /// nothing.
    ///
    /// # Errors
    /// [`ParseErrorKind::Lzf`] if the name is compressed and its stream is damaged.
    #[inline]
    pub fn decode<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], ParseErrorKind>
    where
        'a: 'b,
    {
        match self.header {
            StringHeader::Raw { .. } => Ok(self.stored),
            StringHeader::Int(value) => {
                buffer.clear();
                buffer.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                Ok(buffer)
            }
            StringHeader::Lzf { bytes, .. } => {
                buffer.clear();
                if bytes > KEY_BYTES_MAX {
                    return Ok(buffer);
                }
                lzf::inflate(self.stored, usize::try_from(bytes).map_err(|_| ParseErrorKind::Limit)?, buffer)?;
                Ok(buffer)
            }
        }
    }
}

/// One key of a dump: what it is, how large, and where its value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key's name.
    pub key: Key<'a>,
    /// The type byte: kind and encoding.
    pub value_type: ValueType,
    /// What the key is to a client.
    pub kind: Kind,
    /// STRLEN, the number of elements, or a module value's bytes, by [`Kind::unit`].
    pub size: u64,
    /// The module type, for values of modules and vector sets.
    pub module: Option<ModuleId>,
    /// Offset of the key's record, its expiry included.
    pub offset: u64,
    /// Offset of the value's first byte.
    pub value_offset: u64,
    /// Bytes that the value takes in the dump.
    pub value_bytes: u64,
    /// When the key expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the key was last used, if the dump has it.
    pub idle_seconds: Option<u64>,
    /// The LFU access counter, if the dump has it.
    pub frequency: Option<u8>,
}

impl Entry<'_> {
    /// What comes before the value.
    pub fn header(&self) -> KeyHeader {
        KeyHeader {
            value_type: self.value_type,
            key: self.key.header,
            expires_at_ms: self.expires_at_ms,
            idle_seconds: self.idle_seconds,
            frequency: self.frequency,
            selected_db: None,
        }
    }
}

/// What one step of a scan came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key, which was handed on.
    Key,
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// The end of the dump.
    End,
    /// A key whose value goes on behind the offset where the step was to stop.
    PartialValue(Box<PartialValue>),
}

/// A key whose value has been walked in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialValue {
    header: KeyHeader,
    offset: u64,
    value_offset: u64,
    /// What is left of the value.
    pub(crate) run: Run,
}

/// A key as it was found: all but its name, which most keys of a large dump are never asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef<'l> {
    /// What comes before the value.
    pub header: &'l KeyHeader,
    /// What the value is, and how large.
    pub measure: Measure,
    /// Offset of the key's record.
    pub offset: u64,
    /// Offset of the value's first byte.
    pub value_offset: u64,
    /// Offset behind the value.
    pub end: u64,
}

impl KeyRef<'_> {
    /// The entry, with the bytes of the name that the source has kept.
    #[inline]
    pub fn entry(self, kept: &[u8]) -> Entry<'_> {
        let Self { header, measure, offset, value_offset, end } = self;
        Entry {
            key: Key { header: header.key, stored: kept },
            value_type: header.value_type,
            kind: measure.kind,
            size: measure.size,
            module: measure.module,
            offset,
            value_offset,
            value_bytes: end - value_offset,
            expires_at_ms: header.expires_at_ms,
            idle_seconds: header.idle_seconds,
            frequency: header.frequency,
        }
    }
}

/// Damage that ended a scan: where and what, and of which key if its name had been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, and where.
    pub error: ParseError,
    /// The name and type of the key whose value was being read.
    pub key: Option<(Vec<u8>, ValueType)>,
    /// Offset of the record that was being read, as far as it is known.
    pub record_offset: u64,
}

impl From<ParseError> for Box<Damage> {
    #[cold]
    fn from(error: ParseError) -> Self {
        Self::new(Damage { error, key: None, record_offset: error.offset })
    }
}

/// Reads the next key with its value and hands it to `on_key`, or reads the next database or the end. A value of many
/// elements is left open at the first one that begins at offset `until` or behind it.
///
/// A closure and not a returned key: this way a key's parts stay in registers (a sixth fewer instructions on tiny keys).
///
/// # Errors
/// The [`Damage`] met, `on_key`'s included; the source then stands somewhere inside the damaged record, or behind it if
/// the damage [costs one key](ParseError::costs_one_key).
#[inline(always)]
pub fn step<S: KeepsKey>(
    source: &mut S,
    context: &Context,
    until: u64,
    on_key: impl FnOnce(&S, KeyRef<'_>) -> Result<(), ParseErrorKind>,
) -> Result<Step, Box<Damage>> {
    let offset = source.offset();
    let mut header = KeyHeader::default();
    match record::next(source, context, &mut header).map_err(|error| in_record(offset, error))? {
        Record::Key => {}
        Record::SelectDb(db) => return Ok(Step::SelectDb(db)),
        Record::End => return Ok(Step::End),
    }
    let value_offset = source.offset();
    match begin(source, header.value_type, context) {
        Ok(ValueStart::Whole(measure)) if measure.is_empty_collection() => {
            Err(empty(source.kept(), &header, offset, value_offset))
        }
        Ok(ValueStart::Whole(measure)) => {
            on_key(source, KeyRef { header: &header, measure, offset, value_offset, end: source.offset() })
                .map_err(|kind| refused(offset, &header, kind))?;
            Ok(Step::Key)
        }
        Ok(ValueStart::Run(run)) => resume(source, PartialValue { header, offset, value_offset, run }, until, on_key),
        Err(error) => Err(in_value(source.kept(), &header, offset, error)),
    }
}

/// Goes on with a key whose value was left open, where the source stands at its next element.
///
/// # Errors
/// As [`step`].
#[inline]
pub fn resume<S: KeepsKey>(
    source: &mut S,
    mut open: PartialValue,
    until: u64,
    on_key: impl FnOnce(&S, KeyRef<'_>) -> Result<(), ParseErrorKind>,
) -> Result<Step, Box<Damage>> {
    match open.run.walk(source, until) {
        Ok(true) => {}
        Ok(false) => return Ok(Step::PartialValue(Box::new(open))),
        Err(error) => return Err(in_value(source.kept(), &open.header, open.offset, error)),
    }
    let PartialValue { header, offset, value_offset, run } = open;
    let measure = Measure::from(run);
    if measure.is_empty_collection() {
        return Err(empty(source.kept(), &header, offset, value_offset));
    }
    on_key(source, KeyRef { header: &header, measure, offset, value_offset, end: source.offset() })
        .map_err(|kind| refused(offset, &header, kind))?;
    Ok(Step::Key)
}

/// As [`step`], with another walk over the value, which finds out more than its measure and leaves none open.
///
/// # Errors
/// As [`step`].
#[inline(always)]
pub fn step_with<S: KeepsKey, M: AsRef<Measure>>(
    source: &mut S,
    context: &Context,
    walk: impl FnOnce(&mut S, &KeyHeader) -> Result<M, ParseError>,
    on_key: impl FnOnce(&S, KeyRef<'_>, &M) -> Result<(), ParseErrorKind>,
) -> Result<Step, Box<Damage>> {
    let offset = source.offset();
    let mut header = KeyHeader::default();
    match record::next(source, context, &mut header).map_err(|error| in_record(offset, error))? {
        Record::Key => {}
        Record::SelectDb(db) => return Ok(Step::SelectDb(db)),
        Record::End => return Ok(Step::End),
    }
    let value_offset = source.offset();
    // Looked at where it lies: a copy of some hundred bytes that were just written in words waits for all of them.
    let walked = walk(source, &header);
    let walked = match &walked {
        Ok(walked) => walked,
        Err(error) => return Err(in_value(source.kept(), &header, offset, *error)),
    };
    if walked.as_ref().is_empty_collection() {
        return Err(empty(source.kept(), &header, offset, value_offset));
    }
    let found = KeyRef { header: &header, measure: *walked.as_ref(), offset, value_offset, end: source.offset() };
    on_key(source, found, walked).map_err(|kind| refused(offset, &header, kind))?;
    Ok(Step::Key)
}

#[cold]
fn refused(offset: u64, header: &KeyHeader, kind: ParseErrorKind) -> Box<Damage> {
    ParseError { offset, kind, element: FormatElement::Key, declared: header.key.value_bytes() }.into()
}

#[cold]
fn in_record(record_offset: u64, error: ParseError) -> Box<Damage> {
    Box::new(Damage { error, key: None, record_offset })
}

/// Damage of a collection without elements, which servers leave out when they load a dump.
#[cold]
fn empty(stored: &[u8], header: &KeyHeader, record_offset: u64, offset: u64) -> Box<Damage> {
    let error = ParseError { offset, kind: ParseErrorKind::Empty, element: FormatElement::Count, declared: 0 };
    in_value(stored, header, record_offset, error)
}

#[cold]
fn in_value(stored: &[u8], header: &KeyHeader, record_offset: u64, error: ParseError) -> Box<Damage> {
    let mut buffer = Vec::new();
    let name = Key { header: header.key, stored }.decode(&mut buffer).unwrap_or_default().to_vec();
    Box::new(Damage { error, key: Some((name, header.value_type)), record_offset })
}

/// A scan over a dump in memory, key by key, on one thread and without a copy.
///
/// Damage ends it, unless it [costs one key](ParseError::costs_one_key): then the next one follows.
///
/// ```
/// use bigkeys::rdb::Scanner;
///
/// // Redis 6.2, one key "k" that holds "value", no checksum.
/// let dump = b"REDIS0009\xfe\x00\x00\x01k\x05value\xff\0\0\0\0\0\0\0\0";
/// let mut scanner = Scanner::new(dump).unwrap();
/// let mut buffer = Vec::new();
/// while let Some(entry) = scanner.next().transpose().unwrap() {
///     assert_eq!(entry.key.decode(&mut buffer), Ok(&b"k"[..]));
///     assert_eq!((scanner.db(), entry.kind.name(), entry.size), (0, "string", 5));
///     assert_eq!(scanner.value(&entry), b"\x05value");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    dump: &'a [u8],
    source: Slice<'a>,
    context: Context,
    db: u64,
    ended: bool,
}

impl<'a> Scanner<'a> {
    /// Reads the start of a dump.
    ///
    /// # Errors
    /// The [`ParseError`] met there, such as a magic that is not an RDB's.
    pub fn new(dump: &'a [u8]) -> Result<Self, ParseError> {
        let mut source = Slice::new(dump, 0);
        let context = header::read(&mut source)?;
        Ok(Self { dump, source, context, db: 0, ended: false })
    }

    /// What the start of the dump says.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The database of the entry that came last.
    pub fn db(&self) -> u64 {
        self.db
    }

    /// Offset behind what was read last; after the end, that of the checksum.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// An entry's value as it lies in the dump.
    pub fn value(&self, entry: &Entry<'a>) -> &'a [u8] {
        Slice::new(self.dump, entry.value_offset).first_bytes(entry.value_bytes)
    }

    fn step(&mut self) -> Result<Option<Entry<'a>>, Box<Damage>> {
        loop {
            let mut found = None;
            let db = &mut self.db;
            let keep = |source: &Slice<'a>, key: KeyRef<'_>| {
                *db = key.header.selected_db.unwrap_or(*db);
                found = Some(key.entry(source.kept_bytes()));
                Ok(())
            };
            match step(&mut self.source, &self.context, u64::MAX, keep)? {
                Step::SelectDb(db) => self.db = db,
                Step::Key | Step::End | Step::PartialValue(_) => return Ok(found),
            }
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Result<Entry<'a>, Box<Damage>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.step().transpose();
        self.ended = match &item {
            Some(Err(damage)) => !damage.error.costs_one_key(),
            item => item.is_none(),
        };
        item
    }
}
