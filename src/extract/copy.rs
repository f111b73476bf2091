//! A key's record as it is written: as it is stored, unless something forces a change.

use super::encode::encode;
use super::format::Format;
use crate::rdb::lead::{Part, parts};
use crate::rdb::slot::slot_of_name;
use crate::rdb::types::opcode;
use crate::rdb::{Context, ValueType};
use crate::values::{Fault, KeyEntry, Make, Value};

/// A record, or what stands between records.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// The key, if it is one.
    pub(super) key: Option<CopiedKey>,
    /// Times at which members of sets expire (KeyDB), which are not copied.
    pub(super) member_expiries: u64,
    /// Data of modules that is not in keys, behind the first key, which is not copied.
    pub(super) module_data: u64,
}

/// A key that was copied.
#[derive(Debug)]
pub(super) struct CopiedKey {
    /// The number of its dump.
    pub(super) dump: u32,
    /// Where its record begins.
    pub(super) offset: u64,
    /// Its slot.
    pub(super) slot: u16,
    /// Its name, if it may be in the output twice.
    pub(super) name: Option<Box<[u8]>>,
}

/// Makes a record of each key.
#[derive(Clone)]
pub(super) struct Copy<F> {
    pub(super) format: Format,
    /// Whether a name may be in the output twice.
    pub(super) may_clash: F,
}

impl<F: Fn(&[u8]) -> bool + Clone + Send> Make for Copy<F> {
    type Row = Copied;

    const NEEDS_LEAD: bool = true;

    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        value: &Value<'v>,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(Copied, &'v [u8])>, Fault> {
        if key.entry.key.is_oversized() {
            return Err("its name is longer than 8 MiB".into());
        }
        let mut copied = Copied {
            key: Some(CopiedKey {
                dump: key.dump,
                offset: key.entry.offset,
                slot: slot_of_name(key.name),
                name: (self.may_clash)(key.name).then(|| key.name.into()),
            }),
            ..Copied::default()
        };
        let format = self.format;
        let mut type_and_name: &[u8] = &[];
        let mut seconds = None;
        let (mut access, mut meta) = (Vec::new(), Vec::new());
        parts(key.lead, value.context(), |part| match part {
            Part::ExpirySeconds(stored) => seconds = Some(stored),
            Part::ExpiryMs => seconds = None,
            Part::Access(stored) => access.extend_from_slice(stored),
            Part::KeyMeta(stored) => meta.extend_from_slice(stored),
            Part::Key(stored) => type_and_name = stored,
            other => copied.count(other),
        })?;
        match (seconds, key.entry.expires_at_ms) {
            (Some(stored), _) => bytes.extend_from_slice(stored),
            (None, Some(at_ms)) => {
                bytes.push(opcode::EXPIRE_TIME_MS);
                // Only Redis 8.10 takes -1 for a time.
                let at_ms = if at_ms == -1 && !format.is_of(value.context()) { -2 } else { at_ms };
                bytes.extend_from_slice(&at_ms.to_le_bytes());
            }
            (None, None) => {}
        }
        if format.has_access() {
            bytes.extend_from_slice(&access);
        }
        if !meta.is_empty() && !format.has_key_meta() {
            let what = format!("it carries metadata of modules, which {format} does not know");
            return Err(Fault::Unsupported(what.into()));
        }
        bytes.extend_from_slice(&meta);
        let at = bytes.len();
        bytes.extend_from_slice(type_and_name);
        let value_type = value.value_type();
        if !refers_to_template(value_type, value.context())
            && (format.is_of(value.context()) || format.knows(value_type, value.context()))
        {
            return Ok(Some((copied, value.stored())));
        }
        let value_type = encode(&key.entry, value, format, bytes)?;
        if let Some(stored) = bytes.get_mut(at) {
            *stored = value_type.0;
        }
        Ok(Some((copied, &[])))
    }

    fn between(&mut self, stored: &[u8], context: &Context, _bytes: &mut Vec<u8>) -> Option<Copied> {
        let mut copied = Copied::default();
        // Nothing was read of it that a scan did not read before.
        parts(stored, context, |part| copied.count(part)).ok()?;
        (copied.member_expiries + copied.module_data > 0).then_some(copied)
    }
}

impl Copied {
    fn count(&mut self, part: Part<'_>) {
        match part {
            Part::MemberExpiry => self.member_expiries += 1,
            Part::ModuleAux(_) => self.module_data += 1,
            _ => {}
        }
    }
}

/// Templates are not copied, so values that refer to one are stored with their own names.
fn refers_to_template(value_type: ValueType, context: &Context) -> bool {
    context.dialect == crate::rdb::Dialect::Redis
        && matches!(value_type, ValueType::HASH_TEMPLATE_LISTPACK_REF | ValueType::HASH_TEMPLATE_ARRAY_REF)
}
