//! What comes before a key's value, taken apart: its expiry, access data and metadata, its type and name, and the records of
//! others that are between the key before and these.

use super::context::Context;
use super::packed::Text;
use super::parse_error::{FormatElement, ParseError};
use super::primitives::{byte, length};
use super::record::{VALUE_TYPE_MAX, skip_between};
use super::source::{Slice, Source};
use super::string::with_text;
use super::types::{Dialect, opcode};

/// A part, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'l> {
    /// When the key expires, in seconds.
    ExpirySeconds(&'l [u8]),
    /// When the key expires, in milliseconds.
    ExpiryMs,
    /// Idle time or access counter.
    Access(&'l [u8]),
    /// What modules attached to the key (Redis 8.6).
    KeyMeta(&'l [u8]),
    /// The type of the value, and the key's name.
    Key(&'l [u8]),
    /// Data of a module that is not in keys.
    ModuleAux(&'l [u8]),
    /// A function library.
    Function(&'l [u8]),
    /// When a member of the set before expires (KeyDB).
    MemberExpiry,
}

/// Hands the parts of `stored`, which are whole records, to `visit`; those that matter to nobody are left out. Ends with a
/// key's name, or with the end of `stored`.
///
/// # Errors
/// The [`ParseError`] met; bytes that were scanned before give none.
pub(crate) fn parts<'l>(
    stored: &'l [u8],
    context: &Context,
    mut visit: impl FnMut(Part<'l>),
) -> Result<(), ParseError> {
    let mut source = Slice::new(stored, 0);
    while !source.rest().is_empty() {
        let start = source;
        let code = source.parse(FormatElement::Opcode, byte)?;
        if code <= VALUE_TYPE_MAX {
            visit(Part::Key(start.rest()));
            return Ok(());
        }
        match code {
            opcode::EXPIRE_TIME_MS => source.skip(FormatElement::Expiry, 8)?,
            opcode::EXPIRE_TIME => source.skip(FormatElement::Expiry, 4)?,
            opcode::FREQ => source.skip(FormatElement::Access, 1)?,
            opcode::IDLE | opcode::SELECT_DB => _ = source.parse(FormatElement::Access, length)?,
            opcode::EOF => return Ok(()),
            opcode::AUX => {
                let is_member_expiry =
                    with_text(&mut source, |name| matches!(name, Text::Bytes(b"keydb-subexpire-key")))?;
                source.string(FormatElement::Aux)?;
                if is_member_expiry {
                    visit(Part::MemberExpiry);
                }
            }
            // At a dump's start.
            opcode::HASH_TEMPLATE if context.dialect == Dialect::Redis => {
                source.parse(FormatElement::HashTemplate, length)?;
                for _ in 0..source.parse(FormatElement::HashTemplate, length)? {
                    source.string(FormatElement::HashTemplate)?;
                }
            }
            _ => skip_between(&mut source, context, code)?,
        }
        let stored = start.first_bytes(source.offset() - start.offset());
        match code {
            opcode::EXPIRE_TIME_MS => visit(Part::ExpiryMs),
            opcode::EXPIRE_TIME => visit(Part::ExpirySeconds(stored)),
            opcode::FREQ | opcode::IDLE => visit(Part::Access(stored)),
            opcode::KEY_META if context.dialect == Dialect::Redis => visit(Part::KeyMeta(stored)),
            opcode::MODULE_AUX => visit(Part::ModuleAux(stored)),
            opcode::FUNCTION_2 | opcode::FUNCTION_PRE_GA => visit(Part::Function(stored)),
            _ => {}
        }
    }
    Ok(())
}
