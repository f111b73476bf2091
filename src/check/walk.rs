//! The walk over a whole dump, record by record and into every value: what is there, and what is wrong with it.
//!
//! One pass over any source. Each record goes to a [`Sink`] when it has been read, with its place in the dump: a check
//! counts it, a salvage copies it.

use std::ops::Range;

use super::tagged::{Around, Streams};
use crate::engine::chunked::Chunked;
use crate::engine::dragonfly::{in_blob, inflated_blob};
use crate::engine::tagged;
use crate::rdb::deep::Deep;
use crate::rdb::dragonfly::opcode as dragonfly;
use crate::rdb::entry::Damage;
use crate::rdb::header::{self, Context};
use crate::rdb::limits::{KEY_BYTES_MAX, KEY_META_CLASSES_MAX, TEMPLATES_MAX};
use crate::rdb::packed::Text;
use crate::rdb::packed::module::TAG_UINT;
use crate::rdb::primitives::{array, byte, i32_le, i64_le, length, string_head, u32_le};
use crate::rdb::record::skip_between;
use crate::rdb::source::{Keep, Slice, Source};
use crate::rdb::types::opcode;
use crate::rdb::value::measure;
use crate::rdb::{Dialect, Fault, ModuleId, Part, Trouble, ValueType};

/// Bytes of an auxiliary field's value that are kept for the report.
const AUX_BYTES_MAX: usize = 200;

/// Where records go.
pub(crate) trait Sink {
    /// A record that was read to its end.
    ///
    /// # Errors
    /// Why the walk cannot go on.
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), Fault>;
}

/// A record of a dump, with all that was found wrong within it.
#[derive(Debug)]
pub(crate) struct Record<'r> {
    /// Where it lies, its opcode or type and what precedes that included.
    pub(crate) span: Range<u64>,
    pub(crate) what: What<'r>,
    pub(crate) flaws: &'r [Trouble],
}

/// What a record is.
#[derive(Debug)]
pub(crate) enum What<'r> {
    /// An auxiliary field; long values are cut.
    Aux {
        name: &'r str,
        value: &'r str,
    },
    SelectDb(u64),
    /// How many keys the database has.
    ResizeDb {
        keys: u64,
    },
    Function,
    ModuleAux(ModuleId),
    HashTemplate,
    /// A slot's key counts, or a slot migration.
    Slot,
    Key(Key<'r>),
    /// A part of an entry; the key is a record of its own.
    TaggedChunk,
    /// The EOF opcode.
    End,
}

/// A key of a dump.
#[derive(Debug)]
pub(crate) struct Key<'r> {
    /// Its name; empty where the name itself is damaged.
    pub(crate) name: &'r [u8],
    pub(crate) value_type: ValueType,
    pub(crate) module: Option<ModuleId>,
    pub(crate) expires_at_ms: Option<i64>,
}

/// A walk, standing in front of a record.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) context: Context,
    /// Whether values are looked into, or only stepped over.
    is_deep: bool,
    pub(crate) deep: Deep,
    /// Where the record begins that is being read.
    pub(crate) record_start: u64,
    /// Whether a database or key has been read, behind which no hash template can stand.
    has_begun: bool,
    /// The database of the keys that come next.
    db: u64,
    name: Vec<u8>,
    is_in_blob: bool,
}

/// What of a key has been read while its type has not.
#[derive(Default)]
struct Lead {
    expires_at_ms: Option<i64>,
    is_begun: bool,
}

impl Walk {
    /// Reads the magic and stands behind it.
    ///
    /// # Errors
    /// As [`header::magic`].
    pub(crate) fn start<S: Source>(source: &mut S, is_deep: bool) -> Result<Self, Box<Damage>> {
        let (dialect, version) = source.parse(Part::Opcode, header::magic)?;
        Ok(Self::with_context(Context::new(dialect, version), is_deep))
    }

    /// A walk over records that stand somewhere behind a start that says this.
    pub(crate) fn with_context(context: Context, is_deep: bool) -> Self {
        Self {
            context,
            is_deep,
            deep: Deep::default(),
            record_start: 0,
            has_begun: false,
            db: 0,
            name: Vec::new(),
            is_in_blob: false,
        }
    }

    /// Reads records until the end; returns the offset behind the EOF opcode.
    ///
    /// # Errors
    /// The damage that loses a record's end, or what `sink` says.
    pub(crate) fn run<S: Keep>(&mut self, source: &mut S, sink: &mut impl Sink) -> Result<u64, Box<Damage>> {
        std::thread::scope(|scope| {
            let mut streams = Streams::new(tagged::Streams::new(scope));
            while !self.record(source, sink, Some(&mut streams))? {}
            streams.finish()?;
            Ok(source.offset())
        })
    }

    /// Reads a record of a stream of tagged chunks.
    ///
    /// # Errors
    /// The fault met. The dump's own end lies in no chunk, and neither do blobs and other chunks.
    pub(super) fn record_in_stream(&mut self, source: &mut Chunked, sink: &mut impl Sink) -> Result<(), Fault> {
        match self.record(source, sink, None) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Fault::Flag),
            Err(damage) => Err(damage.trouble.fault),
        }
    }

    /// Reads a record and hands it to `sink`; true if it is the end. Without `streams`, those of Dragonfly that have others
    /// in them are unknown.
    fn record<S: Keep>(
        &mut self,
        source: &mut S,
        sink: &mut impl Sink,
        mut streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<bool, Box<Damage>> {
        self.record_start = source.offset();
        self.deep.flaws.clear();
        let mut lead = Lead::default();
        let what = loop {
            let code = source.parse(Part::Opcode, byte)?;
            match code {
                opcode::EXPIRE_TIME_MS => {
                    let stored = source.parse(Part::Expiry, i64_le)?;
                    lead.expires_at_ms = Some(self.context.time_ms(stored));
                }
                opcode::EXPIRE_TIME => {
                    lead.expires_at_ms = Some(i64::from(source.parse(Part::Expiry, i32_le)?) * 1000);
                }
                opcode::IDLE => _ = source.parse(Part::Access, length)?,
                opcode::FREQ => _ = source.parse(Part::Access, byte)?,
                opcode::KEY_META if self.context.dialect == Dialect::Redis => self.key_meta(source)?,
                // KeyDB puts a field of its own between a key's expiry and its type.
                opcode::AUX if lead.is_begun => skip_between(source, &self.context, code)?,
                opcode::AUX => return self.aux(source, sink),
                opcode::SELECT_DB => {
                    self.has_begun = true;
                    self.db = source.parse(Part::Database, length)?;
                    break What::SelectDb(self.db);
                }
                opcode::RESIZE_DB => {
                    let keys = source.parse(Part::Database, length)?;
                    source.parse(Part::Database, length)?;
                    break What::ResizeDb { keys };
                }
                opcode::FUNCTION_2 => {
                    self.deep.string(source, Part::Function)?;
                    break What::Function;
                }
                opcode::FUNCTION_PRE_GA => {
                    skip_between(source, &self.context, code)?;
                    break What::Function;
                }
                dragonfly::BLOB_ZSTD | dragonfly::BLOB_LZ4
                    if self.is_dragonfly() && !lead.is_begun && streams.is_some() =>
                {
                    return self.blob(source, code, sink, streams).map(|()| false);
                }
                dragonfly::TAGGED_CHUNK if self.is_dragonfly() && !lead.is_begun && streams.is_some() => {
                    self.chunk(source, sink, streams.as_deref_mut())?;
                    break What::TaggedChunk;
                }
                dragonfly::FULLSYNC_END | dragonfly::JOURNAL_BLOB | dragonfly::JOURNAL_OFFSET
                    if self.is_dragonfly() && !lead.is_begun =>
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
                    return self.key(source, ValueType(code), lead.expires_at_ms, sink).map(|()| false);
                }
                _ => {
                    skip_between(source, &self.context, code)?;
                    break What::Slot;
                }
            }
            lead.is_begun = true;
        };
        let is_end = matches!(what, What::End);
        self.pass(source.offset(), what, sink)?;
        Ok(is_end)
    }

    fn is_dragonfly(&self) -> bool {
        self.context.dialect == Dialect::Dragonfly
    }

    /// Records in a compressed blob.
    fn blob<S: Keep>(
        &mut self,
        source: &mut S,
        code: u8,
        sink: &mut impl Sink,
        mut streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<(), Box<Damage>> {
        let offset = self.record_start;
        let part = Part::CompressedBlob;
        let inflated = inflated_blob(source, code, offset)?;
        let trouble = Trouble { offset, fault: Fault::Flag, part, claim: code.into() };
        if std::mem::replace(&mut self.is_in_blob, true) {
            return Err(trouble.into());
        }
        let mut records = Slice::at(&inflated, offset);
        while !records.rest().is_empty() {
            match self.record(&mut records, sink, streams.as_deref_mut()) {
                Ok(false) => {}
                Ok(true) => return Err(trouble.into()),
                Err(mut damage) => {
                    damage.trouble = in_blob(offset, damage.trouble);
                    return Err(damage);
                }
            }
        }
        self.is_in_blob = false;
        Ok(())
    }

    /// A chunk of a stream, behind its opcode.
    fn chunk<S: Keep>(
        &mut self,
        source: &mut S,
        sink: &mut impl Sink,
        streams: Option<&mut Streams<'_, '_>>,
    ) -> Result<(), Trouble> {
        let Some(streams) = streams else { return Ok(()) };
        let around = Around { context: &self.context, db: self.db, end: self.record_start };
        tagged::chunk(source, self.record_start, |chunk, bytes| {
            let walk = || Self::with_context(self.context.clone(), self.is_deep);
            streams.feed((chunk, bytes), &around, walk, sink)
        })
    }

    fn pass(&self, end: u64, what: What<'_>, sink: &mut impl Sink) -> Result<(), Box<Damage>> {
        let record = Record { span: self.record_start..end, what, flaws: &self.deep.flaws };
        let trouble = |fault| Trouble { offset: self.record_start, fault, part: Part::Opcode, claim: 0 };
        Ok(sink.record(&self.context, &record).map_err(trouble)?)
    }

    fn key<S: Keep>(
        &mut self,
        source: &mut S,
        value_type: ValueType,
        expires_at_ms: Option<i64>,
        sink: &mut impl Sink,
    ) -> Result<(), Box<Damage>> {
        const VALUE_TYPE_MAX: u8 = 99;
        if value_type.0 > VALUE_TYPE_MAX {
            let offset = source.offset() - 1;
            let claim = value_type.0.into();
            return Err(Trouble { offset, fault: Fault::UnknownOpcode, part: Part::Opcode, claim }.into());
        }
        self.has_begun = true;
        self.name(source)?;
        let earlier_flaws = std::mem::take(&mut self.deep.flaws);
        let named = |walk: &Self, trouble| {
            Box::new(Damage { trouble, key: Some((walk.name.clone(), value_type)), record_offset: walk.record_start })
        };
        let module = if self.is_deep {
            match self.deep.value(source, value_type, &self.context) {
                Ok(module) => module,
                Err(trouble) => return Err(named(self, trouble)),
            }
        } else {
            match measure(source, value_type, &self.context) {
                Ok(measure) => measure.module,
                Err(trouble) if trouble.costs_one_key() => {
                    self.deep.flaws.push(trouble);
                    None
                }
                Err(trouble) => return Err(named(self, trouble)),
            }
        };
        self.deep.flaws.splice(..0, earlier_flaws);
        self.not_zeros(source, value_type)?;
        let key = Key { name: &self.name, value_type, module, expires_at_ms };
        self.pass(source.offset(), What::Key(key), sink)
    }

    /// Zeros read as keys without a name that hold an empty string, three bytes each, for as long as they go on. A
    /// database can have one such key, so two of them in a row are a stretch that was lost.
    fn not_zeros<S: Keep>(&self, source: &mut S, value_type: ValueType) -> Result<(), Trouble> {
        const ZEROS: u64 = 3;
        let offset = self.record_start;
        if value_type != ValueType::STRING || !self.name.is_empty() || source.offset() - offset != ZEROS {
            return Ok(());
        }
        match source.parse(Part::Opcode, |i| array::<3>(i).map(|(_, next)| (i, next))) {
            Ok([0, 0, 0]) => Err(Trouble { offset, fault: Fault::Zeros, part: Part::Opcode, claim: 0 }),
            _ => Ok(()),
        }
    }

    /// A key's name, kept for the report.
    fn name<S: Keep>(&mut self, source: &mut S) -> Result<(), Trouble> {
        let offset = source.offset();
        let claim = source.parse(Part::Key, |i| string_head(i).map(|(_, head)| (i, head.value_bytes())))?;
        if claim > KEY_BYTES_MAX {
            return Err(Trouble { offset, fault: Fault::Limit, part: Part::Key, claim });
        }
        let name = &mut self.name;
        name.clear();
        self.deep.with_text(source, Part::Key, |_, text| match text {
            Some(Text::Bytes(bytes)) => name.extend_from_slice(bytes),
            Some(Text::Int(value)) => name.extend_from_slice(value.to_string().as_bytes()),
            None => {}
        })
    }

    fn aux<S: Keep>(&mut self, source: &mut S, sink: &mut impl Sink) -> Result<bool, Box<Damage>> {
        let name = self.short_text(source)?;
        let value = self.short_text(source)?;
        if !self.has_begun {
            self.context.learn(&name, value.clone());
        }
        self.pass(source.offset(), What::Aux { name: &name, value: &value }, sink)?;
        Ok(false)
    }

    /// A string as text, its end cut off where it is long.
    fn short_text<S: Keep>(&mut self, source: &mut S) -> Result<String, Trouble> {
        self.deep.with_text(source, Part::Aux, |_, text| match text {
            Some(Text::Bytes(bytes)) => {
                String::from_utf8_lossy(bytes.get(..AUX_BYTES_MAX).unwrap_or(bytes)).into_owned()
            }
            Some(Text::Int(value)) => value.to_string(),
            None => String::new(),
        })
    }

    fn module_aux<S: Keep>(&mut self, source: &mut S) -> Result<ModuleId, Trouble> {
        let id = ModuleId(source.parse(Part::ModuleAux, length)?);
        let offset = source.offset();
        let tag = source.parse(Part::ModuleAux, length)?;
        if tag != TAG_UINT {
            return Err(Trouble { offset, fault: Fault::ModuleTag, part: Part::ModuleAux, claim: tag });
        }
        source.parse(Part::ModuleAux, length)?;
        self.deep.module_values(source, Part::ModuleAux)?;
        Ok(id)
    }

    fn key_meta<S: Keep>(&mut self, source: &mut S) -> Result<(), Trouble> {
        let offset = source.offset();
        let classes = source.parse(Part::KeyMeta, length)?;
        if classes > KEY_META_CLASSES_MAX {
            return Err(Trouble { offset, fault: Fault::Limit, part: Part::KeyMeta, claim: classes });
        }
        for _ in 0..classes {
            source.parse(Part::KeyMeta, u32_le)?;
            self.deep.module_values(source, Part::KeyMeta)?;
        }
        Ok(())
    }

    /// A hash template: names in order of their length, then of their bytes, none of them twice.
    fn template<S: Keep>(&mut self, source: &mut S) -> Result<(), Trouble> {
        let offset = source.offset();
        let trouble = |fault, claim| Trouble { offset, fault, part: Part::HashTemplate, claim };
        if self.has_begun {
            return Err(trouble(Fault::TemplateLate, 0));
        }
        let id = source.parse(Part::HashTemplate, length)?;
        let fields = source.parse(Part::HashTemplate, length)?;
        if fields == 0 {
            self.deep.flaws.push(trouble(Fault::Empty, 0));
        }
        let mut last: Option<Vec<u8>> = None;
        let mut is_in_order = true;
        for _ in 0..fields {
            let name = self.deep.with_text(source, Part::HashTemplate, |_, text| match text {
                Some(Text::Bytes(bytes)) => Some(bytes.to_vec()),
                Some(Text::Int(value)) => Some(value.to_string().into_bytes()),
                None => None,
            })?;
            let pair = last.as_ref().zip(name.as_ref());
            is_in_order &= pair.is_none_or(|(last, name)| (last.len(), last) < (name.len(), name));
            last = name;
        }
        if !is_in_order {
            self.deep.flaws.push(trouble(Fault::Order, 0));
        }
        self.context.template_fields.insert(id, fields);
        if self.context.template_fields.len() > TEMPLATES_MAX {
            return Err(trouble(Fault::Limit, TEMPLATES_MAX as u64));
        }
        Ok(())
    }
}
