//! What is between keys, and in front of them: auxiliary fields and functions.

use crate::rdb::limits::INFLATED_BYTES_MAX;
use crate::rdb::packed::{Text, lzf};
use crate::rdb::primitives::{StringHeader, byte, length, string_header};
use crate::rdb::record::{VALUE_TYPE_MAX, skip_between};
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::types::opcode;
use crate::rdb::{Context, Dialect, FormatElement, ParseError};

/// A text that is not a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between<'b> {
    /// An auxiliary field; scripts that the server had cached are in fields of the name `lua`.
    Aux {
        /// Its name.
        name: &'b [u8],
        /// Its value.
        value: &'b [u8],
    },
    /// The code of a function library.
    Function(&'b [u8]),
}

/// Hands what is in `stored`, which are whole records, to `visit`, each with the offset of its record; `offset` is that of the
/// first. Ends with a key's type, or with the end of `stored`. A compressed text that cannot be inflated is handed on as it
/// is stored.
///
/// # Errors
/// The [`ParseError`] met; bytes that were scanned before give none.
pub(super) fn for_each(
    offset: u64,
    stored: &[u8],
    context: &Context,
    mut visit: impl FnMut(u64, Between<'_>),
) -> Result<(), ParseError> {
    let mut source = Slice::at(stored, offset);
    let (mut name, mut value) = (Vec::new(), Vec::new());
    while !source.rest().is_empty() {
        let record = source.offset();
        let code = source.parse(FormatElement::Opcode, byte)?;
        if code <= VALUE_TYPE_MAX {
            return Ok(());
        }
        match code {
            opcode::EOF => return Ok(()),
            opcode::EXPIRE_TIME_MS => source.skip(FormatElement::Expiry, 8)?,
            opcode::EXPIRE_TIME => source.skip(FormatElement::Expiry, 4)?,
            opcode::FREQ => source.skip(FormatElement::Access, 1)?,
            opcode::IDLE | opcode::SELECT_DB => _ = source.parse(FormatElement::Access, length)?,
            opcode::AUX => {
                let name = text(&mut source, &mut name)?;
                let value = text(&mut source, &mut value)?;
                visit(record, Between::Aux { name, value });
            }
            opcode::FUNCTION_2 => visit(record, Between::Function(text(&mut source, &mut value)?)),
            opcode::FUNCTION_PRE_GA => {
                source.string(FormatElement::Function)?;
                source.string(FormatElement::Function)?;
                if source.parse(FormatElement::Function, length)? != 0 {
                    source.string(FormatElement::Function)?;
                }
                visit(record, Between::Function(text(&mut source, &mut value)?));
            }
            opcode::HASH_TEMPLATE if context.dialect == Dialect::Redis => {
                source.parse(FormatElement::HashTemplate, length)?;
                for _ in 0..source.parse(FormatElement::HashTemplate, length)? {
                    source.string(FormatElement::HashTemplate)?;
                }
            }
            _ => skip_between(&mut source, context, code)?,
        }
    }
    Ok(())
}

/// The next string.
fn text<'b, 'a: 'b>(source: &mut Slice<'a>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], ParseError> {
    let header = source.parse(FormatElement::Element, string_header)?;
    source.keep(FormatElement::Element, header.stored_bytes())?;
    let stored = source.kept_bytes();
    Ok(match header {
        StringHeader::Raw { .. } => stored,
        StringHeader::Int(value) => bytes(Text::Int(value.into()), buffer),
        StringHeader::Lzf { bytes, .. } => {
            buffer.clear();
            let within = usize::try_from(bytes).ok().filter(|_| bytes <= INFLATED_BYTES_MAX);
            match within.map(|bytes| lzf::inflate(stored, bytes, buffer)) {
                Some(Ok(())) => buffer,
                _ => stored,
            }
        }
    })
}

/// A text as bytes; an integer as its decimal text.
pub(super) fn bytes<'b>(text: Text<'b>, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    match text {
        Text::Bytes(bytes) => bytes,
        Text::Int(value) => {
            buffer.clear();
            buffer.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            buffer
        }
    }
}
