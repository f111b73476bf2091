//! What stands between keys: the opcodes (format section 4), up to the next key, database or end.

use super::dragonfly;
use super::fault::{Fault, Part, Trouble};
use super::header::Context;
use super::limits::{KEY_BYTES_MAX, KEY_META_CLASSES_MAX, SLOTS};
use super::packed::module;
use super::primitives::{StringHead, array, byte, i32_le, i64_le, length, string_head, u32_le};
use super::source::{Keep, Slice, Source};
use super::types::{Dialect, ValueType, opcode};

/// The next thing in a dump that a scan acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A key, whose lead has been filled in; its name is kept by the source, its value comes next.
    Key,
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// The end of the dump; the checksum, if the version has one, comes next.
    End,
}

/// All of a key that comes before its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The value's type.
    pub value_type: ValueType,
    /// How the key's name is stored.
    pub key: StringHead,
    /// When the key expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the key was last used, if the server evicts by LRU.
    pub idle_seconds: Option<u64>,
    /// The access counter, if the server evicts by LFU.
    pub frequency: Option<u8>,
}

impl Default for Lead {
    fn default() -> Self {
        Self {
            value_type: ValueType::STRING,
            key: StringHead::Raw { bytes: 0 },
            expires_at_ms: None,
            idle_seconds: None,
            frequency: None,
        }
    }
}

/// Numbers up to here are types in every dialect, the ones above are opcodes (known ones begin at 100).
const VALUE_TYPE_MAX: u8 = 99;

/// Reads on to the next key, database or end.
///
/// What it finds depends on nothing but the bytes from here on and `context`, so that a scan can begin at any record. A key
/// fills in `lead`, which is not returned since copying it costs a tenth of a tiny key's instructions.
///
/// # Errors
/// A [`Trouble`] where the bytes end, an opcode is unknown, or a name is longer than [`KEY_BYTES_MAX`].
#[inline(always)]
pub fn next<S: Keep>(source: &mut S, context: &Context, lead: &mut Lead) -> Result<Record, Trouble> {
    lead.expires_at_ms = None;
    lead.idle_seconds = None;
    lead.frequency = None;
    loop {
        let code = source.parse(Part::Opcode, byte)?;
        // Most records are a key without any prefix: types are the small numbers, opcodes the large ones.
        if code <= VALUE_TYPE_MAX {
            lead.value_type = ValueType(code);
            lead.key = key(source)?;
            if code == 0 && lead.key == (StringHead::Raw { bytes: 0 }) {
                not_zeros(source)?;
            }
            return Ok(Record::Key);
        }
        match code {
            opcode::EXPIRE_TIME_MS => {
                let stored = source.parse(Part::Expiry, i64_le)?;
                lead.expires_at_ms = Some(context.time_ms(stored));
            }
            opcode::EXPIRE_TIME => {
                lead.expires_at_ms = Some(i64::from(source.parse(Part::Expiry, i32_le)?) * 1000);
            }
            opcode::IDLE => lead.idle_seconds = Some(source.parse(Part::Access, length)?),
            opcode::FREQ => lead.frequency = Some(source.parse(Part::Access, byte)?),
            opcode::SELECT_DB => return Ok(Record::SelectDb(source.parse(Part::Database, length)?)),
            opcode::EOF => return Ok(Record::End),
            _ => skip_between(source, context, code)?,
        }
    }
}

/// Zeros read as keys without a name that hold an empty string, three bytes each, for as long as they go on. A database
/// can have one such key, so two of them in a row are a stretch that was lost. `source` is behind the first one's name.
#[cold]
fn not_zeros<S: Source>(source: &mut S) -> Result<(), Trouble> {
    let offset = source.offset() - 2;
    match source.parse(Part::Opcode, |i| array::<4>(i).map(|(_, next)| (i, next))) {
        Ok([0, 0, 0, 0]) => Err(Trouble { offset, fault: Fault::Zeros, part: Part::Opcode, claim: 0 }),
        _ => Ok(()),
    }
}

#[inline(always)]
fn key<S: Keep>(source: &mut S) -> Result<StringHead, Trouble> {
    let offset = source.offset();
    let head = source.parse(Part::Key, string_head)?;
    if head.value_bytes() > KEY_BYTES_MAX {
        return Err(Trouble { offset, fault: Fault::Limit, part: Part::Key, claim: head.value_bytes() });
    }
    source.keep(Part::Key, head.stored_bytes())?;
    Ok(head)
}

/// Steps over a record that says nothing about a key's size, behind its opcode.
#[cold]
pub(crate) fn skip_between<S: Source>(source: &mut S, context: &Context, code: u8) -> Result<(), Trouble> {
    match code {
        opcode::RESIZE_DB => {
            source.parse(Part::Database, length)?;
            source.parse(Part::Database, length)?;
        }
        opcode::AUX => {
            source.string(Part::Aux)?;
            source.string(Part::Aux)?;
        }
        opcode::SLOT_INFO => {
            let offset = source.offset();
            let slot = source.parse(Part::SlotInfo, length)?;
            if slot >= SLOTS {
                return Err(Trouble { offset, fault: Fault::Slot, part: Part::SlotInfo, claim: slot });
            }
            source.parse(Part::SlotInfo, length)?;
            source.parse(Part::SlotInfo, length)?;
        }
        opcode::RAM_LRU | opcode::SLOT_NUM if context.dialect == Dialect::Redis => {
            source.parse(Part::Access, length)?;
        }
        opcode::FUNCTION_2 => _ = source.string(Part::Function)?,
        opcode::FUNCTION_PRE_GA => skip_function_pre_ga(source)?,
        opcode::MODULE_AUX => module::skip_aux(source)?,
        opcode::SLOT_IMPORT if context.dialect == Dialect::Valkey => skip_slot_import(source)?,
        opcode::KEY_META if context.dialect == Dialect::Redis => skip_key_meta(source)?,
        opcode::HASH_TEMPLATE if context.dialect == Dialect::Redis => {
            return Err(source.trouble(Part::HashTemplate, Fault::TemplateLate, 0));
        }
        _ if context.dialect == Dialect::Dragonfly && dragonfly::skip_between(source, code)? => {}
        _ => {
            let offset = source.offset() - 1;
            return Err(Trouble { offset, fault: Fault::UnknownOpcode, part: Part::Opcode, claim: code.into() });
        }
    }
    Ok(())
}

/// How many bytes of a `DUMP` payload come before where a key's name would: module metadata, perhaps, and the type.
pub(crate) fn payload_lead_bytes(payload: &[u8], context: &Context) -> Option<usize> {
    let mut source = Slice::new(payload, 0);
    let mut code = source.parse(Part::Opcode, byte).ok()?;
    if code == opcode::KEY_META && context.dialect == Dialect::Redis {
        skip_key_meta(&mut source).ok()?;
        code = source.parse(Part::Opcode, byte).ok()?;
    }
    (code <= VALUE_TYPE_MAX).then(|| payload.len() - source.rest().len())
}

/// The function record of the 7.0 release candidates: name, engine, perhaps a description, code.
fn skip_function_pre_ga<S: Source>(source: &mut S) -> Result<(), Trouble> {
    source.string(Part::Function)?;
    source.string(Part::Function)?;
    if source.parse(Part::Function, length)? != 0 {
        source.string(Part::Function)?;
    }
    source.string(Part::Function)?;
    Ok(())
}

fn skip_slot_import<S: Source>(source: &mut S) -> Result<(), Trouble> {
    source.string(Part::SlotImport)?;
    let ranges = source.parse(Part::SlotImport, length)?;
    for _ in 0..ranges {
        source.parse(Part::SlotImport, length)?;
        source.parse(Part::SlotImport, length)?;
    }
    Ok(())
}

fn skip_key_meta<S: Source>(source: &mut S) -> Result<(), Trouble> {
    let offset = source.offset();
    let classes = source.parse(Part::KeyMeta, length)?;
    if classes > KEY_META_CLASSES_MAX {
        return Err(Trouble { offset, fault: Fault::Limit, part: Part::KeyMeta, claim: classes });
    }
    for _ in 0..classes {
        source.parse(Part::KeyMeta, u32_le)?;
        module::skip_values(source, Part::KeyMeta)?;
    }
    Ok(())
}
