//! What stands between keys: the opcodes (format section 4), up to the next key, database or end.

use super::context::Context;
use super::dragonfly;
use super::limits::{KEY_BYTES_MAX, KEY_META_CLASSES_MAX, SLOTS};
use super::packed::module;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{StringHeader, array, byte, i32_le, i64_le, length, string_header, u32_le};
use super::source::{KeepsKey, Slice, Source};
use super::types::{Dialect, ValueType, opcode};

/// The next thing in a dump that a scan acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A key, whose lead has been filled in; its name is kept by the source unless it is longer than [`KEY_BYTES_MAX`]; its
    /// value comes next.
    Key,
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// The end of the dump; the checksum, if the version has one, comes next.
    End,
}

/// All of a key that comes before its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHeader {
    /// The value's type.
    pub value_type: ValueType,
    /// How the key's name is stored.
    pub key: StringHeader,
    /// When the key expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the key was last used, if the server evicts by LRU.
    pub idle_seconds: Option<u64>,
    /// The access counter, if the server evicts by LFU.
    pub frequency: Option<u8>,
    /// The database of this key and of those that follow, if it was selected behind the key's expiry or access data:
    /// servers keep those until the next key, wherever it is.
    pub selected_db: Option<u64>,
}

impl Default for KeyHeader {
    fn default() -> Self {
        Self {
            value_type: ValueType::STRING,
            key: StringHeader::Raw { bytes: 0 },
            expires_at_ms: None,
            idle_seconds: None,
            frequency: None,
            selected_db: None,
        }
    }
}

impl KeyHeader {
    /// Whether something of a key has been read that is not its type or name.
    fn has_access_data(&self) -> bool {
        self.expires_at_ms.is_some() || self.idle_seconds.is_some() || self.frequency.is_some()
    }
}

/// Numbers up to here are types in every dialect, the ones above are opcodes (known ones begin at 100).
pub(crate) const VALUE_TYPE_MAX: u8 = 99;

/// Reads on to the next key, database or end.
///
/// What it finds depends on nothing but the bytes from here on and `context`, so that a scan can begin at any record. A key
/// fills in `header`, which is not returned since copying it costs a tenth of a tiny key's instructions.
///
/// # Errors
/// A [`ParseError`] where the bytes end or an opcode is unknown.
#[inline(always)]
pub fn next<S: KeepsKey>(source: &mut S, context: &Context, header: &mut KeyHeader) -> Result<Record, ParseError> {
    header.expires_at_ms = None;
    header.idle_seconds = None;
    header.frequency = None;
    header.selected_db = None;
    loop {
        let code = source.parse(FormatElement::Opcode, byte)?;
        // Most records are a key without any prefix: types are the small numbers, opcodes the large ones.
        if code <= VALUE_TYPE_MAX {
            header.value_type = ValueType(code);
            header.key = key(source)?;
            if code == 0 && header.key == (StringHeader::Raw { bytes: 0 }) {
                not_zeros(source)?;
            }
            return Ok(Record::Key);
        }
        match code {
            opcode::EXPIRE_TIME_MS => {
                let stored = source.parse(FormatElement::Expiry, i64_le)?;
                header.expires_at_ms = context.expires_at_ms(stored);
            }
            opcode::EXPIRE_TIME => {
                header.expires_at_ms = Some(i64::from(source.parse(FormatElement::Expiry, i32_le)?) * 1000);
            }
            opcode::IDLE => header.idle_seconds = Some(source.parse(FormatElement::Access, length)?),
            opcode::FREQ => header.frequency = Some(source.parse(FormatElement::Access, byte)?),
            opcode::SELECT_DB => {
                let db = source.parse(FormatElement::Database, length)?;
                // One record with its key, so that a scan can begin at any.
                if !header.has_access_data() {
                    return Ok(Record::SelectDb(db));
                }
                header.selected_db = Some(db);
            }
            opcode::EOF => return Ok(Record::End),
            _ => skip_between(source, context, code)?,
        }
    }
}

/// Zeros read as keys without a name that hold an empty string, three bytes each, for as long as they go on. A database
/// can have one such key, so two of them in a row are a stretch that was lost. `source` is behind the first one's name.
#[cold]
fn not_zeros<S: Source>(source: &mut S) -> Result<(), ParseError> {
    let offset = source.offset() - 2;
    match source.parse(FormatElement::Opcode, |i| array::<4>(i).map(|(_, next)| (i, next))) {
        Ok([0, 0, 0, 0]) => {
            Err(ParseError { offset, kind: ParseErrorKind::Zeros, element: FormatElement::Opcode, declared: 0 })
        }
        _ => Ok(()),
    }
}

#[inline(always)]
fn key<S: KeepsKey>(source: &mut S) -> Result<StringHeader, ParseError> {
    let header = source.parse(FormatElement::Key, string_header)?;
    if header.value_bytes() > KEY_BYTES_MAX {
        return step_over_name(source, header);
    }
    source.keep(FormatElement::Key, header.stored_bytes())?;
    Ok(header)
}

#[cold]
fn step_over_name<S: KeepsKey>(source: &mut S, header: StringHeader) -> Result<StringHeader, ParseError> {
    source.keep(FormatElement::Key, 0)?;
    source.skip(FormatElement::Key, header.stored_bytes())?;
    Ok(header)
}

/// Steps over a record that says nothing about a key's size, behind its opcode.
#[cold]
pub(crate) fn skip_between<S: Source>(source: &mut S, context: &Context, code: u8) -> Result<(), ParseError> {
    match code {
        opcode::RESIZE_DB => {
            source.parse(FormatElement::Database, length)?;
            source.parse(FormatElement::Database, length)?;
        }
        opcode::AUX => {
            source.string(FormatElement::Aux)?;
            source.string(FormatElement::Aux)?;
        }
        opcode::SLOT_INFO => {
            let offset = source.offset();
            let slot = source.parse(FormatElement::SlotInfo, length)?;
            if slot >= SLOTS {
                return Err(ParseError {
                    offset,
                    kind: ParseErrorKind::Slot,
                    element: FormatElement::SlotInfo,
                    declared: slot,
                });
            }
            source.parse(FormatElement::SlotInfo, length)?;
            source.parse(FormatElement::SlotInfo, length)?;
        }
        opcode::RAM_LRU | opcode::SLOT_NUM if context.dialect == Dialect::Redis => {
            source.parse(FormatElement::Access, length)?;
        }
        opcode::FUNCTION_2 => _ = source.string(FormatElement::Function)?,
        opcode::FUNCTION_PRE_GA => skip_function_pre_ga(source)?,
        opcode::MODULE_AUX => module::skip_aux(source)?,
        opcode::SLOT_IMPORT if context.dialect == Dialect::Valkey => skip_slot_import(source)?,
        opcode::KEY_META if context.dialect == Dialect::Redis => skip_key_meta(source)?,
        opcode::HASH_TEMPLATE if context.dialect == Dialect::Redis => {
            return Err(source.error(FormatElement::HashTemplate, ParseErrorKind::TemplateLate, 0));
        }
        _ if context.dialect == Dialect::Dragonfly && dragonfly::skip_between(source, code)? => {}
        _ => {
            let offset = source.offset() - 1;
            return Err(ParseError {
                offset,
                kind: ParseErrorKind::UnknownOpcode,
                element: FormatElement::Opcode,
                declared: code.into(),
            });
        }
    }
    Ok(())
}

/// How many bytes of a `DUMP` payload come before where a key's name would: module metadata, perhaps, and the type.
pub(crate) fn payload_lead_bytes(payload: &[u8], context: &Context) -> Option<usize> {
    let mut source = Slice::new(payload, 0);
    let mut code = source.parse(FormatElement::Opcode, byte).ok()?;
    if code == opcode::KEY_META && context.dialect == Dialect::Redis {
        skip_key_meta(&mut source).ok()?;
        code = source.parse(FormatElement::Opcode, byte).ok()?;
    }
    (code <= VALUE_TYPE_MAX).then(|| payload.len() - source.rest().len())
}

/// The function record of the 7.0 release candidates: name, engine, perhaps a description, code.
fn skip_function_pre_ga<S: Source>(source: &mut S) -> Result<(), ParseError> {
    source.string(FormatElement::Function)?;
    source.string(FormatElement::Function)?;
    if source.parse(FormatElement::Function, length)? != 0 {
        source.string(FormatElement::Function)?;
    }
    source.string(FormatElement::Function)?;
    Ok(())
}

fn skip_slot_import<S: Source>(source: &mut S) -> Result<(), ParseError> {
    source.string(FormatElement::SlotImport)?;
    let ranges = source.parse(FormatElement::SlotImport, length)?;
    for _ in 0..ranges {
        source.parse(FormatElement::SlotImport, length)?;
        source.parse(FormatElement::SlotImport, length)?;
    }
    Ok(())
}

fn skip_key_meta<S: Source>(source: &mut S) -> Result<(), ParseError> {
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
        module::skip_values(source, FormatElement::KeyMeta)?;
    }
    Ok(())
}
