//! Each key as one RESTORE command, in the protocol that `redis-cli --pipe` sends: its value as it is in the dump, with the
//! version of the format and the checksum that the command asks for.
//!
//! The version is the oldest one that has the value's type, so that every server that knows the type takes it. A key whose type the
//! target does not know is left out, and said. RESTORE refuses a key that is there already. A value goes in one command, so
//! one of more than 512 MB asks for a server with a larger `proto-max-bulk-len`. Metadata that modules attached to keys is left out.

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::resp::{command, number_word, select, word, word_bytes};
use crate::memory::Target;
use crate::rdb::checksum::Checksum;
use crate::rdb::{Context, ValueType};
use crate::values::{Fault, KeyEntry, Value};

/// The version of the format of Redis 5.0 to 6.2, which every target takes.
const VERSION_OF_ALL: u16 = 9;

/// The first version of Valkey's own format.
const VERSION_OF_VALKEY: u16 = 80;

/// Keys as RESTORE commands.
#[derive(Clone, Copy, Debug)]
pub struct Restores {
    target: Target,
}

impl<'o> Lines<'o, Restores> {
    /// RESTORE commands for `target`.
    pub fn restores(target: Target, drain: Drain<'o>) -> Self {
        Self::of(Restores { target }, drain)
    }
}

impl Line for Restores {
    fn select(&self, db: u64, out: &mut Out<'_>) {
        select(db, out);
    }

    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let version = self.version(value.value_type(), value.context())?;
        let idle_seconds = key.entry.idle_seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let has = |is_there: bool| usize::from(is_there);
        let words = 4
            + has(key.entry.expires_at_ms.is_some())
            + 2 * has(idle_seconds.is_some())
            + 2 * has(key.entry.frequency.is_some());
        command(words, out);
        word(b"RESTORE", out);
        word(key.name, out);
        // Zero would be no expiry at all, and what is less is refused.
        number_word(key.entry.expires_at_ms.map_or(0, |at_ms| at_ms.max(1)), out);
        let lead = [value.value_type().0];
        let [v0, v1] = version.to_le_bytes();
        word_bytes(lead.len() + value.stored().len() + 2 + 8, out);
        let mut checksum = Checksum::default();
        for part in [&lead[..], value.stored(), &[v0, v1]] {
            checksum.update(part);
            out.put_long(part);
        }
        out.put(&checksum.value().to_le_bytes());
        out.put(b"\r\n");
        if key.entry.expires_at_ms.is_some() {
            word(b"ABSTTL", out);
        }
        if let Some(seconds) = idle_seconds {
            word(b"IDLETIME", out);
            number_word(seconds, out);
        }
        if let Some(frequency) = key.entry.frequency {
            word(b"FREQ", out);
            number_word(frequency, out);
        }
        Ok(())
    }
}

impl Restores {
    /// The version of the format that a payload of this type states, if the target takes it.
    fn version(self, value_type: ValueType, context: &Context) -> Result<u16, Fault> {
        let target = self.target;
        let unknown = || {
            let label = value_type.label();
            Fault::Unsupported(format!("{target} does not know its encoding ({label}): use --as native").into())
        };
        let is_valkey = target >= Target::Valkey8_0;
        // Format section 2.1.
        let of_type = match value_type {
            ValueType::HASH_TEMPLATE_LISTPACK_REF | ValueType::HASH_TEMPLATE_ARRAY_REF => {
                return Err(
                    "its field names are elsewhere in the dump, which RESTORE does not take: use --as native".into()
                );
            }
            _ => {
                let first = value_type.first_version(context.dialect).ok_or_else(unknown)?;
                u16::try_from(first).unwrap_or(u16::MAX).max(VERSION_OF_ALL)
            }
        };
        let newest = match target {
            Target::Redis6_2 => VERSION_OF_ALL,
            Target::Redis7_0 => 10,
            Target::Redis7_2 | Target::Valkey7_2 | Target::Valkey8_0 | Target::Valkey8_1 => 11,
            Target::Redis7_4 | Target::Redis8_0 | Target::Redis8_2 | Target::Redis8_4 => 12,
            Target::Redis8_6 => 13,
            Target::Redis8_8 => 14,
            Target::Redis8_10 => 15,
            Target::Valkey9_0 | Target::Valkey9_1 => VERSION_OF_VALKEY,
        };
        // Valkey shares Redis's types up to those of 7.2, and has one of its own.
        let is_shared = of_type <= 11;
        if of_type <= newest && (is_shared || is_valkey == (of_type >= VERSION_OF_VALKEY)) {
            Ok(of_type)
        } else {
            Err(unknown())
        }
    }
}
