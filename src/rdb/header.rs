//! The start of a dump: magic, version, auxiliary fields and hash templates, up to the first database or key.
//!
//! Everything that decides how later bytes are read is here, so that scans can begin anywhere behind it.

use nom::Err;

use super::context::{AUX_FIELDS_MAX, Context, MAGIC_BYTES};
use super::limits::TEMPLATE_NAME_BYTES_MAX;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{Parsed, StringHeader, byte, length, string_header};
use super::record::skip_between;
use super::source::Source;
use super::types::{Dialect, opcode};

/// Redis owns the versions up to this one, Valkey the ones above (format section 1).
const REDIS_VERSION_MAX: u32 = 79;

/// The dialect and version in the first nine bytes.
///
/// # Errors
/// [`ParseErrorKind::Flag`] if they are not an RDB's, or of a version that nobody has given out.
pub fn magic(i: &[u8]) -> Parsed<'_, (Dialect, u32)> {
    let (magic, rest) = i.split_first_chunk::<MAGIC_BYTES>().ok_or(Err::Error(ParseErrorKind::Eof))?;
    let (dialect, digits) = if let Some(digits) = magic.strip_prefix(b"REDIS") {
        (Dialect::Redis, digits)
    } else if let Some(digits) = magic.strip_prefix(b"VALKEY") {
        (Dialect::Valkey, digits)
    } else {
        return super::primitives::fail(ParseErrorKind::Flag);
    };
    let mut version = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return super::primitives::fail(ParseErrorKind::Flag);
        }
        version = version * 10 + u32::from(digit - b'0');
    }
    let is_given_out = match dialect {
        Dialect::Valkey => version > REDIS_VERSION_MAX,
        _ => (1..=REDIS_VERSION_MAX).contains(&version),
    };
    if is_given_out { Ok((rest, (dialect, version))) } else { super::primitives::fail(ParseErrorKind::Flag) }
}

/// Reads the start of a dump, up to the first record that is about a database or a key.
///
/// # Errors
/// A [`ParseError`] where the bytes end or a record is damaged.
pub fn read<S: Source>(source: &mut S) -> Result<Context, ParseError> {
    let (dialect, version) = source.parse(FormatElement::Opcode, magic)?;
    let mut context = Context::new(dialect, version);
    loop {
        context.start = source.offset();
        // A look ahead: what follows the start is not taken.
        let code = source.parse(FormatElement::Opcode, |i| byte(i).map(|(_, code)| (i, code)))?;
        match code {
            opcode::AUX => {
                source.skip(FormatElement::Aux, 1)?;
                aux(source, &mut context)?;
            }
            opcode::HASH_TEMPLATE if context.dialect == Dialect::Redis => {
                source.skip(FormatElement::HashTemplate, 1)?;
                template(source, &mut context)?;
            }
            opcode::SLOT_IMPORT if context.dialect != Dialect::Valkey => return Ok(context),
            opcode::MODULE_AUX | opcode::FUNCTION_2 | opcode::FUNCTION_PRE_GA | opcode::SLOT_IMPORT => {
                source.skip(FormatElement::Opcode, 1)?;
                skip_between(source, &context, code)?;
                if matches!(code, opcode::FUNCTION_2 | opcode::FUNCTION_PRE_GA) {
                    context.functions += 1;
                    context.functions_bytes += source.offset() - context.start;
                }
            }
            _ => return Ok(context),
        }
    }
}

/// Auxiliary fields worth knowing are short; longer ones (`lua`) are stepped over.
const AUX_BYTES_MAX: u64 = 64;

/// One short string; longer ones are stepped over and come as `None`.
fn short_string<S: Source>(source: &mut S) -> Result<Option<String>, ParseError> {
    match source.parse(FormatElement::Aux, string_header)? {
        StringHeader::Int(value) => Ok(Some(value.to_string())),
        StringHeader::Raw { bytes } if bytes <= AUX_BYTES_MAX => {
            let text = source.parse(FormatElement::Aux, |i| {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                let (text, rest) = i.split_at_checked(bytes).ok_or(Err::Error(ParseErrorKind::Eof))?;
                Ok((rest, String::from_utf8_lossy(text).into_owned()))
            })?;
            Ok(Some(text))
        }
        header => {
            source.skip(FormatElement::Aux, header.stored_bytes())?;
            Ok(None)
        }
    }
}

fn aux<S: Source>(source: &mut S, context: &mut Context) -> Result<(), ParseError> {
    let name = short_string(source)?;
    let Some(value) = short_string(source)? else { return Ok(()) };
    let name = name.unwrap_or_default();
    if context.aux.fields.len() < AUX_FIELDS_MAX {
        context.aux.fields.push((name.clone(), value.clone()));
    }
    context.learn(&name, value);
    Ok(())
}

fn template<S: Source>(source: &mut S, context: &mut Context) -> Result<(), ParseError> {
    let id = source.parse(FormatElement::HashTemplate, length)?;
    let fields = source.parse(FormatElement::HashTemplate, length)?;
    let names = template_names(source, fields, &mut context.template_name_bytes)?;
    context.define_template(id, fields);
    if let Some(names) = names {
        context.template_names.insert(id, names.into());
    }
    Ok(())
}

/// What a name takes in memory.
fn held_bytes(name_bytes: u64) -> u64 {
    name_bytes.saturating_add(size_of::<Box<[u8]>>() as u64)
}

/// Reads the names of a template; gives them if they are stored as they are and, with the `held` bytes of others, few enough.
fn template_names<S: Source>(
    source: &mut S,
    fields: u64,
    held: &mut u64,
) -> Result<Option<Vec<Box<[u8]>>>, ParseError> {
    let element = FormatElement::HashTemplate;
    let mut names = Some(Vec::new());
    for _ in 0..fields {
        let header = source.parse(element, string_header)?;
        let needed_bytes = held_bytes(header.value_bytes());
        let name: Option<Box<[u8]>> = match header {
            _ if names.is_none() || held.saturating_add(needed_bytes) > TEMPLATE_NAME_BYTES_MAX => None,
            StringHeader::Int(value) => Some(value.to_string().into_bytes().into()),
            StringHeader::Raw { bytes } => {
                let name = source.parse(element, |i| {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    let (name, rest) = i.split_at_checked(bytes).ok_or(Err::Error(ParseErrorKind::Eof))?;
                    Ok((rest, name.into()))
                });
                Some(name.map_err(|error| ParseError { declared: bytes, ..error })?)
            }
            StringHeader::Lzf { .. } => None,
        };
        if let (Some(names), Some(name)) = (&mut names, name) {
            *held += needed_bytes;
            names.push(name);
            continue;
        }
        if !matches!(header, StringHeader::Int(_)) {
            source.skip(element, header.stored_bytes())?;
        }
        names = None;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics() {
        let dialect = |bytes| magic(bytes).map(|(_, magic)| magic);
        assert_eq!(dialect(b"REDIS0009"), Ok((Dialect::Redis, 9)));
        assert_eq!(dialect(b"VALKEY080"), Ok((Dialect::Valkey, 80)));
        for refused in [b"REDIS0000", b"REDIS0099", b"VALKEY012", b"REDISOOPS", b"\x1f\x8b1234567"] {
            assert!(dialect(refused).is_err(), "{}", refused.escape_ascii());
        }
    }
}
