//! Values of modules (format section 11): tagged, so that they can be stepped over without the module.

use std::fmt;

use super::Text;
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{StringHeader, array, length, string_header};
use crate::rdb::source::{Slice, Source};
use crate::rdb::string::with_text;

/// A module type's identity: nine characters of six bits, then ten bits of encoding version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u64);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ModuleId {
    /// Redis's own vector set, which lives in a module type.
    pub const VECTOR_SET_NAME: &'static [u8; 9] = b"vectorset";

    /// The identity of a type of this name, of encoding version 0.
    pub(crate) fn named(name: &[u8; 9]) -> Self {
        let six_bits = |letter: &u8| ALPHABET.iter().position(|known| known == letter).unwrap_or(0) as u64;
        Self(name.iter().fold(0, |id, letter| id << 6 | six_bits(letter)) << 10)
    }

    /// The type's name, nine ASCII characters.
    pub fn name(self) -> [u8; 9] {
        let mut name = [b'A'; 9];
        for (at, to) in name.iter_mut().enumerate() {
            let six_bits = self.0 >> (58 - 6 * at) & 63;
            *to = usize::try_from(six_bits).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'?');
        }
        name
    }

    /// The encoding version, 0 to 1,023.
    pub fn version(self) -> u16 {
        u16::try_from(self.0 & 0x3ff).unwrap_or(0)
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name().escape_ascii())
    }
}

pub(crate) const TAG_EOF: u64 = 0;
pub(crate) const TAG_SINT: u64 = 1;
pub(crate) const TAG_UINT: u64 = 2;
pub(crate) const TAG_FLOAT: u64 = 3;
pub(crate) const TAG_DOUBLE: u64 = 4;
pub(crate) const TAG_STRING: u64 = 5;

/// A tagged value as far as it can be read without a string's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Head {
    /// No more values follow.
    End,
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    /// The bytes come next.
    String(StringHeader),
}

/// Reads the next tagged value, of a string its head.
pub(crate) fn head<S: Source>(source: &mut S, element: FormatElement) -> Result<Head, ParseError> {
    let offset = source.offset();
    match source.parse(element, length)? {
        TAG_EOF => Ok(Head::End),
        TAG_SINT => source.parse(element, length).map(|value| Head::Signed(value.cast_signed())),
        TAG_UINT => source.parse(element, length).map(Head::Unsigned),
        TAG_FLOAT => source.parse(element, array).map(|bytes| Head::Float(f32::from_le_bytes(bytes))),
        TAG_DOUBLE => source.parse(element, array).map(|bytes| Head::Double(f64::from_le_bytes(bytes))),
        TAG_STRING => source.parse(element, string_header).map(Head::String),
        tag => Err(ParseError { offset, kind: ParseErrorKind::ModuleTag, element, declared: tag }),
    }
}

/// Steps over tagged values up to and including the end tag, and returns the second one if it is an unsigned integer:
/// that is where a vector set has its count.
pub(crate) fn skip_values<S: Source>(source: &mut S, element: FormatElement) -> Result<Option<u64>, ParseError> {
    let mut second = None;
    for at in 0_u64.. {
        match head(source, element)? {
            Head::End => break,
            Head::Unsigned(value) if at == 1 => second = Some(value),
            Head::String(header) => source.skip(element, header.stored_bytes())?,
            Head::Signed(_) | Head::Unsigned(_) | Head::Float(_) | Head::Double(_) => {}
        }
    }
    Ok(second)
}

/// One tagged value of a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModuleValue<'e> {
    /// A signed integer.
    Signed(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// A string.
    String(Text<'e>),
}

/// Decodes tagged values up to and including the end tag and hands them to `visit`.
pub(crate) fn for_each(source: &mut Slice<'_>, mut visit: impl FnMut(ModuleValue<'_>)) -> Result<(), ParseError> {
    let element = FormatElement::Module;
    loop {
        let offset = source.offset();
        match source.parse(element, length)? {
            TAG_EOF => return Ok(()),
            TAG_SINT => visit(ModuleValue::Signed(source.parse(element, length)?.cast_signed())),
            TAG_UINT => visit(ModuleValue::Unsigned(source.parse(element, length)?)),
            TAG_FLOAT => visit(ModuleValue::Float(f32::from_le_bytes(source.parse(element, array)?))),
            TAG_DOUBLE => visit(ModuleValue::Double(f64::from_le_bytes(source.parse(element, array)?))),
            TAG_STRING => with_text(source, |text| visit(ModuleValue::String(text)))?,
            tag => return Err(ParseError { offset, kind: ParseErrorKind::ModuleTag, element, declared: tag }),
        }
    }
}

/// Steps over a `MODULE_AUX` record behind its opcode.
pub(crate) fn skip_aux<S: Source>(source: &mut S) -> Result<(), ParseError> {
    source.parse(FormatElement::ModuleAux, length)?;
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
    skip_values(source, FormatElement::ModuleAux)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_vector_set() {
        let id = ModuleId(0xbde7_2da2_bb1e_b400);
        assert_eq!(&id.name(), ModuleId::VECTOR_SET_NAME);
        assert_eq!(id.version(), 0);
        assert_eq!(ModuleId::named(ModuleId::VECTOR_SET_NAME), id);
    }
}
