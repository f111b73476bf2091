//! The walk over a whole dump, record by record and into every value: what is there, and what is wrong with it.
//!
//! One pass over any source. Each record goes to a [`Sink`] when it has been read, with its place in the dump: a check
//! counts it, a salvage copies it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::record::{Key, Record, Sink, What};
use super::tagged::{Around, StreamSink, Streams};
use crate::engine::chunked::Chunked;
use crate::engine::dragonfly::{in_blob, inflated_blob};
use crate::engine::tagged;
use crate::rdb::context::Context;
use crate::rdb::deep::{Deep, ERROR_LENGTH, Names};
use crate::rdb::dragonfly::opcode as dragonfly;
use crate::rdb::entry::Damage;
use crate::rdb::header;
use crate::rdb::limits::{KEY_BYTES_MAX, KEY_META_CLASSES_MAX};
use crate::rdb::packed::Text;
use crate::rdb::packed::module::TAG_UINT;
use crate::rdb::primitives::{array, byte, i32_le, i64_le, length, string_header, u32_le};
use crate::rdb::record::skip_between;
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::types::opcode;
use crate::rdb::value::measure;
use crate::rdb::{Dialect, FormatElement, ModuleId, ParseError, ParseErrorKind, ValueType};

/// Bytes of an auxiliary field's value that are kept for the report.
const AUX_BYTES_MAX: usize = 200;

/// A walk, standing in front of a record.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) context: Arc<Context>,
    /// Whether values are looked into, or only stepped over.
    is_deep: bool,
    /// Where records begin whose values are looked into though others are not.
    flawed: Option<Arc<BTreeSet<u64>>>,
    pub(crate) deep: Deep,
    /// Where the record begins that is being read.
    pub(crate) record_start: u64,
    /// Whether a database or key has been read, behind which no hash template can stand.
    has_begun: bool,
    /// The database of the keys that come next.
    db: u64,
    name: Vec<u8>,
    /// The length of that name, which is not held if it is too long.
    name_bytes: u64,
    /// What of the next key has been read while its type has not.
    header: KeyHeader,
    is_in_blob: bool,
}

/// What of a key has been read while its type has not: servers keep it until the next key, whatever is between.
#[derive(Debug, Default)]
struct KeyHeader {
    expires_at_ms: Option<i64>,
    /// Where each part is that was read last, by [`Part`].
    parts: [Option<Range<u64>>; 4],
}

/// What can be in front of a key's type.
#[derive(Clone, Copy, Debug)]
enum Part {
    Expiry,
    Idle,
    Frequency,
    Meta,
}

impl KeyHeader {
    fn keep(&mut self, part: Part, span: Range<u64>) {
        if let Some(place) = self.parts.get_mut(part as usize) {
            *place = Some(span);
        }
    }

    fn is_empty(&self) -> bool {
        self.parts.iter().all(Option::is_none)
    }

    /// The parts that are in front of offset `start`, in their order.
    fn apart(&self, start: u64) -> Vec<Range<u64>> {
        let mut apart: Vec<_> = self.parts.iter().flatten().filter(|span| span.start < start).cloned().collect();
        apart.sort_unstable_by_key(|span| span.start);
        apart
    }
}

impl Walk {
    /// Reads the magic and stands behind it.
    ///
    /// # Errors
    /// As [`header::magic`].
    pub(crate) fn start<S: Source>(source: &mut S, is_deep: bool) -> Result<Self, Box<Damage>> {
        let (dialect, version) = source.parse(FormatElement::Opcode, header::magic)?;
        Ok(Self::with_context(Arc::new(Context::new(dialect, version)), is_deep))
    }

    /// A walk over records behind the start of a dump, one of `walks` side by side.
    pub(crate) fn ahead(context: Arc<Context>, is_deep: bool, walks: usize) -> Self {
        Self { deep: Deep::ahead(walks), ..Self::going_on(context, is_deep) }
    }

    /// A walk over records behind the start of a dump.
    pub(crate) fn going_on(context: Arc<Context>, is_deep: bool) -> Self {
        Self { has_begun: true, ..Self::with_context(context, is_deep) }
    }

    /// A walk over records that stand somewhere behind a start that says this.
    fn with_context(context: Arc<Context>, is_deep: bool) -> Self {
        Self {
            context,
            is_deep,
            flawed: None,
            deep: Deep::default(),
            record_start: 0,
            has_begun: false,
            db: 0,
            name: Vec::new(),
            name_bytes: 0,
            header: KeyHeader::default(),
            is_in_blob: false,
        }
    }

    /// Reads records until the end; returns the offset behind the EOF opcode.
    ///
    /// # Errors
    /// The damage that loses a record's end, or what `sink` says.
    pub(crate) fn run<S: KeepsKey>(&mut self, source: &mut S, sink: &mut impl Sink) -> Result<u64, Box<Damage>> {
        // What was read before damage belongs to a key that is lost.
        self.header = KeyHeader::default();
        std::thread::scope(|scope| {
            let mut streams = Streams::new(tagged::Streams::new(scope));
            while !self.record(source, sink, Some(&mut streams))? {}
            streams.finish()?;
            Ok(source.offset())
        })
    }

    /// Reads the start of a dump: up to and including the first database or key, behind which nothing decides any more how
    /// bytes are read. True if the dump ends with it.
    ///
    /// # Errors
    /// As [`Walk::run`].
    pub(crate) fn read_start<S: KeepsKey>(
        &mut self,
        source: &mut S,
        sink: &mut impl Sink,
    ) -> Result<bool, Box<Damage>> {
        while !self.has_begun {
            if self.step(source, sink)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a record, or several if parts of a key come in front of others than the key's own; true if it was the end.
    ///
    /// # Errors
    /// As [`Walk::run`].
    pub(crate) fn step<S: KeepsKey>(&mut self, source: &mut S, sink: &mut impl Sink) -> Result<bool, Box<Damage>> {
        loop {
            match self.record(source, sink, None) {
                Ok(is_end) if is_end || self.header.is_empty() => return Ok(is_end),
                Ok(_) => {}
                Err(mut damage) => {
                    damage.record_offset = self.record_start;
                    return Err(damage);
                }
            }
        }
    }

    /// Looks into the values of the records that begin there, whatever it does with others.
    pub(crate) fn look_into(&mut self, flawed: Arc<BTreeSet<u64>>) {
        self.flawed = Some(flawed);
    }

    /// Whether values are looked into.
    pub(crate) fn is_deep(&self) -> bool {
        self.is_deep
    }

    /// Whether it holds little, being one of many.
    pub(crate) fn is_ahead(&self) -> bool {
        self.deep.is_ahead()
    }

    /// Reads a record of a stream of tagged chunks.
    ///
    /// # Errors
    /// The fault met. The dump's own end lies in no chunk, and neither do blobs and other chunks.
    fn record_in_stream(&mut self, source: &mut Chunked, sink: &mut impl Sink) -> Result<(), ParseErrorKind> {
        match self.record(source, sink, None) {
            Ok(false) => Ok(()),
            Ok(true) => Err(ParseErrorKind::Flag),
            Err(damage) => Err(damage.error.kind),
        }
    }

    /// Reads a record and hands it to `sink`; true if it is the end. Without `streams`, those of Dragonfly that have others
    /// in them are unknown.
    fn record<S: KeepsKey>(
        &mut self,
        source: &mut S,
        sink: &mut impl Sink,
        mut streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<bool, Box<Damage>> {
        self.record_start = source.offset();
        self.deep.flaws.clear();
        let mut is_begun = false;
        let what = loop {
            let start = source.offset();
            let code = source.parse(FormatElement::Opcode, byte)?;
            let mut part = None;
            match code {
                opcode::EXPIRE_TIME_MS => {
                    let stored = source.parse(FormatElement::Expiry, i64_le)?;
                    self.header.expires_at_ms = self.context.expires_at_ms(stored);
                    part = Some(Part::Expiry);
                }
                opcode::EXPIRE_TIME => {
                    let seconds = source.parse(FormatElement::Expiry, i32_le)?;
                    self.header.expires_at_ms = Some(i64::from(seconds) * 1000);
                    part = Some(Part::Expiry);
                }
                opcode::IDLE => {
                    source.parse(FormatElement::Access, length)?;
                    part = Some(Part::Idle);
                }
                opcode::FREQ => {
                    source.parse(FormatElement::Access, byte)?;
                    part = Some(Part::Frequency);
                }
                opcode::KEY_META if self.context.dialect == Dialect::Redis => {
                    self.key_meta(source)?;
                    part = Some(Part::Meta);
                }
                // KeyDB puts a field of its own between a key's expiry and its type.
                opcode::AUX if is_begun => skip_between(source, &self.context, code)?,
                opcode::AUX => return self.aux(source, sink),
                opcode::SELECT_DB => {
                    self.has_begun = true;
                    self.db = source.parse(FormatElement::Database, length)?;
                    break What::SelectDb(self.db);
                }
                opcode::RESIZE_DB => {
                    let keys = source.parse(FormatElement::Database, length)?;
                    source.parse(FormatElement::Database, length)?;
                    break What::ResizeDb { keys };
                }
                opcode::FUNCTION_2 => {
                    self.deep.string(source, FormatElement::Function)?;
                    break What::Function;
                }
                opcode::FUNCTION_PRE_GA => {
                    skip_between(source, &self.context, code)?;
                    let (kind, element) = (ParseErrorKind::FunctionPreGa, FormatElement::Function);
                    self.deep.flaws.push(ParseError { offset: start, kind, element, declared: 0 });
                    break What::Function;
                }
                dragonfly::BLOB_ZSTD | dragonfly::BLOB_LZ4 if self.is_dragonfly() && !is_begun && streams.is_some() => {
                    return self.blob(source, code, sink, streams).map(|()| false);
                }
                dragonfly::TAGGED_CHUNK if self.is_dragonfly() && !is_begun && streams.is_some() => {
                    self.chunk(source, sink, streams.as_deref_mut())?;
                    break What::TaggedChunk;
                }
                dragonfly::FULLSYNC_END | dragonfly::JOURNAL_BLOB | dragonfly::JOURNAL_OFFSET
                    if self.is_dragonfly() && !is_begun =>
                {
                    skip_between(source, &self.context, code)?;
                    break What::Slot;
                }
                dragonfly::FULLSYNC_END..opcode::KEY_META if self.is_dragonfly() => {
                    skip_between(source, &self.context, code)?;
                }
                opcode::MODULE_AUX => break What::ModuleAux(self.module_aux(source)?),
                opcode::HASH_TEMPLATE if self.context.dialect == Dialect::Redis => {
                    self.template(source)?;
                    break What::HashTemplate;
                }
                opcode::EOF => break What::End,
                opcode::RAM_LRU | opcode::SLOT_NUM => skip_between(source, &self.context, code)?,
                code if code < opcode::KEY_META => {
                    let header = std::mem::take(&mut self.header);
                    return self.key(source, ValueType(code), &header, sink).map(|()| false);
                }
                _ => {
                    skip_between(source, &self.context, code)?;
                    break What::Slot;
                }
            }
            is_begun = true;
            if let Some(part) = part {
                self.header.keep(part, start..source.offset());
            }
        };
        let is_end = matches!(what, What::End);
        self.pass(source.offset(), what, sink)?;
        Ok(is_end)
    }

    fn is_dragonfly(&self) -> bool {
        self.context.dialect == Dialect::Dragonfly
    }

    /// Records in a compressed blob.
    fn blob<S: KeepsKey>(
        &mut self,
        source: &mut S,
        code: u8,
        sink: &mut impl Sink,
        mut streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<(), Box<Damage>> {
        let offset = self.record_start;
        let element = FormatElement::CompressedBlob;
        let inflated = inflated_blob(source, code, offset)?;
        let error = ParseError { offset, kind: ParseErrorKind::Flag, element, declared: code.into() };
        if std::mem::replace(&mut self.is_in_blob, true) {
            return Err(error.into());
        }
        let mut records = Slice::at(&inflated, offset);
        while !records.rest().is_empty() {
            match self.record(&mut records, sink, streams.as_deref_mut()) {
                Ok(false) => {}
                Ok(true) => return Err(error.into()),
                Err(mut damage) => {
                    damage.error = in_blob(offset, damage.error);
                    return Err(damage);
                }
            }
        }
        self.is_in_blob = false;
        Ok(())
    }

    /// A chunk of a stream, behind its opcode.
    fn chunk<S: KeepsKey>(
        &mut self,
        source: &mut S,
        sink: &mut impl Sink,
        streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<(), ParseError> {
        let Some(streams) = streams else { return Ok(()) };
        let around = Around { context: &self.context, db: self.db, end: self.record_start };
        tagged::chunk(source, self.record_start, |chunk, bytes| {
            let read = || {
                let mut walk = Self::with_context(self.context.clone(), self.is_deep);
                move |source: &mut Chunked, sink: &mut StreamSink| walk.record_in_stream(source, sink)
            };
            streams.feed((chunk, bytes), &around, read, sink)
        })
    }

    fn pass(&self, end: u64, what: What<'_>, sink: &mut impl Sink) -> Result<(), Box<Damage>> {
        let record = Record { span: self.record_start..end, what, flaws: &self.deep.flaws };
        let error = |kind| ParseError { offset: self.record_start, kind, element: FormatElement::Opcode, declared: 0 };
        Ok(sink.record(&self.context, &record).map_err(error)?)
    }

    fn key<S: KeepsKey>(
        &mut self,
        source: &mut S,
        value_type: ValueType,
        header: &KeyHeader,
        sink: &mut impl Sink,
    ) -> Result<(), Box<Damage>> {
        const VALUE_TYPE_MAX: u8 = 99;
        if value_type.0 > VALUE_TYPE_MAX {
            let offset = source.offset() - 1;
            let declared = value_type.0.into();
            return Err(ParseError {
                offset,
                kind: ParseErrorKind::UnknownOpcode,
                element: FormatElement::Opcode,
                declared,
            }
            .into());
        }
        self.has_begun = true;
        self.name(source)?;
        let earlier_flaws = std::mem::take(&mut self.deep.flaws);
        let named = |walk: &Self, error| {
            Box::new(Damage { error, key: Some((walk.name.clone(), value_type)), record_offset: walk.record_start })
        };
        let is_flawed = || self.flawed.as_ref().is_some_and(|flawed| flawed.contains(&self.record_start));
        let module = if self.is_deep || is_flawed() {
            match self.deep.value(source, value_type, &self.context) {
                Ok(module) => module,
                Err(error) => return Err(named(self, error)),
            }
        } else {
            let offset = source.offset();
            match measure(source, value_type, &self.context) {
                Ok(measure) => {
                    if measure.is_empty_collection() {
                        let (kind, element) = (ParseErrorKind::Empty, FormatElement::Count);
                        self.deep.flaws.push(ParseError { offset, kind, element, declared: 0 });
                    }
                    measure.module
                }
                Err(error) if error.costs_one_key() => {
                    self.deep.flaws.push(error);
                    None
                }
                Err(error) => return Err(named(self, error)),
            }
        };
        self.deep.flaws.splice(..0, earlier_flaws);
        self.not_zeros(source, value_type)?;
        let apart = header.apart(self.record_start);
        let key = Key {
            name: &self.name,
            is_oversized: self.name_bytes > KEY_BYTES_MAX,
            value_type,
            module,
            expires_at_ms: header.expires_at_ms,
            apart: &apart,
        };
        self.pass(source.offset(), What::Key(key), sink)
    }

    /// Zeros read as keys without a name that hold an empty string, three bytes each, for as long as they go on. A
    /// database can have one such key, so two of them in a row are a stretch that was lost.
    fn not_zeros<S: KeepsKey>(&self, source: &mut S, value_type: ValueType) -> Result<(), ParseError> {
        const ZEROS: u64 = 3;
        let offset = self.record_start;
        if value_type != ValueType::STRING || !self.name.is_empty() || source.offset() - offset != ZEROS {
            return Ok(());
        }
        match source.parse(FormatElement::Opcode, |i| array::<3>(i).map(|(_, next)| (i, next))) {
            Ok([0, 0, 0]) => {
                Err(ParseError { offset, kind: ParseErrorKind::Zeros, element: FormatElement::Opcode, declared: 0 })
            }
            _ => Ok(()),
        }
    }

    /// A key's name, kept for the report unless it is too long for that.
    fn name<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        self.name.clear();
        self.name_bytes =
            source.parse(FormatElement::Key, |i| string_header(i).map(|(_, header)| (i, header.value_bytes())))?;
        if self.name_bytes > KEY_BYTES_MAX {
            return source.string(FormatElement::Key).map(|_| ());
        }
        let name = &mut self.name;
        self.deep.with_text(source, FormatElement::Key, |_, text| match text {
            Some(Text::Bytes(bytes)) => name.extend_from_slice(bytes),
            Some(Text::Int(value)) => name.extend_from_slice(value.to_string().as_bytes()),
            None => {}
        })
    }

    fn aux<S: KeepsKey>(&mut self, source: &mut S, sink: &mut impl Sink) -> Result<bool, Box<Damage>> {
        let name = self.short_text(source)?;
        let value = self.short_text(source)?;
        if !self.has_begun {
            Arc::make_mut(&mut self.context).learn(&name, value.clone());
        }
        let is_of_valkey = self.context.dialect == Dialect::Valkey || self.context.aux.is_valkey;
        if is_of_valkey && name == "slot-info" && !is_slot_info(&value) {
            let (kind, element) = (ParseErrorKind::SlotInfo, FormatElement::SlotInfo);
            self.deep.flaws.push(ParseError { offset: self.record_start, kind, element, declared: 0 });
        }
        self.pass(source.offset(), What::Aux { name: &name, value: &value }, sink)?;
        Ok(false)
    }

    /// A string as text, its end cut off where it is long.
    fn short_text<S: KeepsKey>(&mut self, source: &mut S) -> Result<String, ParseError> {
        self.deep.with_text(source, FormatElement::Aux, |_, text| match text {
            Some(Text::Bytes(bytes)) => {
                String::from_utf8_lossy(bytes.get(..AUX_BYTES_MAX).unwrap_or(bytes)).into_owned()
            }
            Some(Text::Int(value)) => value.to_string(),
            None => String::new(),
        })
    }

    fn module_aux<S: KeepsKey>(&mut self, source: &mut S) -> Result<ModuleId, ParseError> {
        let id = ModuleId(source.parse(FormatElement::ModuleAux, length)?);
        let offset = source.offset();
        let tag = source.parse(FormatElement::ModuleAux, length)?;
        if tag != TAG_UINT {
            return Err(ParseError {
                offset,
                kind: ParseErrorKind::ModuleTag,
                element: FormatElement::ModuleAux,
                declared: tag,
            });
        }
        source.parse(FormatElement::ModuleAux, length)?;
        self.deep.module_values(source, FormatElement::ModuleAux)?;
        Ok(id)
    }

    fn key_meta<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let offset = source.offset();
        let classes = source.parse(FormatElement::KeyMeta, length)?;
        if classes > KEY_META_CLASSES_MAX {
            return Err(ParseError {
                offset,
                kind: ParseErrorKind::Flag,
                element: FormatElement::KeyMeta,
                declared: classes,
            });
        }
        for _ in 0..classes {
            source.parse(FormatElement::KeyMeta, u32_le)?;
            self.deep.module_values(source, FormatElement::KeyMeta)?;
        }
        Ok(())
    }

    /// A hash template: names in order of their length, then of their bytes, none of them twice.
    fn template<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let offset = source.offset();
        let error = |kind, declared| ParseError { offset, kind, element: FormatElement::HashTemplate, declared };
        if self.has_begun {
            return Err(error(ParseErrorKind::TemplateLate, 0));
        }
        let id = source.parse(FormatElement::HashTemplate, length)?;
        let fields = source.parse(FormatElement::HashTemplate, length)?;
        if fields == 0 {
            self.deep.flaws.push(error(ParseErrorKind::Empty, 0));
        }
        let mut names = Names::default();
        for _ in 0..fields {
            self.deep.with_text(source, FormatElement::HashTemplate, |_, text| text.map(|name| names.add(name)))?;
        }
        if !names.are_in_order() {
            self.deep.flaws.push(error(ParseErrorKind::Order, 0));
        }
        if id == ERROR_LENGTH {
            self.deep.flaws.push(error(ParseErrorKind::Index, id));
        }
        if self.context.template_fields.contains_key(&id) {
            self.deep.flaws.push(error(ParseErrorKind::Duplicate, id));
        }
        Arc::make_mut(&mut self.context).define_template(id, fields);
        Ok(())
    }
}

/// Whether Valkey finds a slot, its keys and those of them that expire: three numbers as C's `scanf` reads them.
fn is_slot_info(value: &str) -> bool {
    let digits = |number: &str| {
        let number = number.trim_ascii_start();
        let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
        let hexadecimal = unsigned.strip_prefix("0x").filter(|digits| !digits.is_empty());
        let is_digit = |letter: char| letter.is_ascii_digit() || hexadecimal.is_some() && letter.is_ascii_hexdigit();
        let digits = hexadecimal.unwrap_or(unsigned);
        let end = digits.find(|letter| !is_digit(letter)).unwrap_or(digits.len());
        (end, end == digits.len())
    };
    let mut numbers = value.splitn(3, ',').map(digits);
    let mut next_is = |is_whole: bool| numbers.next().is_some_and(|(end, is_all)| end > 0 && (is_all || !is_whole));
    next_is(true) && next_is(true) && next_is(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valkey_reads_as_slot_info() {
        for read in ["1,1,0", "1,1,0,0", "16384,1,0", "-1,1,0", "0x10,1,1", " 1, 1,1", "1,-1,0", "1,1,0x", "010,1,1"] {
            assert!(is_slot_info(read), "{read}");
        }
        for refused in ["", "x", "1,1", "1,1,", "1 ,1,1", "1,1$0,0", "1\u{fffd}6,1,0,0", ",1,1"] {
            assert!(!is_slot_info(refused), "{refused}");
        }
    }
}
