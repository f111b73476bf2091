//! The start of a dump: magic, version, auxiliary fields and hash templates, up to the first database or key.
//!
//! Everything that decides how later bytes are read is here, so that scans can begin anywhere behind it.

use std::collections::HashMap;

use nom::Err;

use super::limits::TEMPLATES_MAX;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{Parsed, StringHeader, byte, length, string_header};
use super::record::skip_between;
use super::source::Source;
use super::types::{Dialect, opcode};

/// The magic and the version, nine bytes.
pub const MAGIC_BYTES: usize = 9;

/// The newest version of Redis's format whose every type is known (Redis 8.12).
pub const REDIS_VERSION_KNOWN: u32 = 16;

/// The newest version of Valkey's format whose every type is known (Valkey 9.1).
pub const VALKEY_VERSION_KNOWN: u32 = 80;

/// Redis owns the versions up to this one, Valkey the ones above (format section 1).
const REDIS_VERSION_MAX: u32 = 79;

/// What the start of a dump says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whose numbers the types and opcodes are.
    pub dialect: Dialect,
    /// The version in the header.
    pub version: u32,
    /// Offset of the first record behind the start.
    pub start: u64,
    /// How many fields each hash template has, by its id (RDB 15).
    pub template_fields: HashMap<u64, u64>,
    /// What the auxiliary fields say.
    pub aux: Aux,
    /// How many function libraries there are.
    pub functions: u64,
    /// Bytes of their records.
    pub functions_bytes: u64,
}

/// The auxiliary fields that say something about the whole dump (format section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aux {
    /// All short ones in their order, names and values; of more than [`AUX_FIELDS_MAX`], the first.
    pub fields: Vec<(String, String)>,
    /// `redis-ver`, `valkey-ver` or `df-ver`: the version of the server that wrote the dump.
    pub server_version: Option<String>,
    /// Whether that was `valkey-ver`.
    pub is_valkey: bool,
    /// `ctime`: when the dump was begun, in seconds since 1970.
    pub created_at_seconds: Option<i64>,
    /// `used-mem`: the server's memory then, in bytes.
    pub used_memory_bytes: Option<u64>,
    /// `snapshot-id`: what the files of one snapshot of Dragonfly share.
    pub snapshot_id: Option<String>,
    /// `shard-count`: how many files beside it such a snapshot's summary has.
    pub shard_count: Option<u64>,
    /// `aof-preamble` or `aof-base`: commands of an append-only file may follow the dump.
    pub is_aof_preamble: bool,
}

impl Context {
    /// A context without auxiliary fields, for values that stand alone.
    pub fn new(dialect: Dialect, version: u32) -> Self {
        Self {
            dialect,
            version,
            start: MAGIC_BYTES as u64,
            template_fields: HashMap::new(),
            aux: Aux::default(),
            functions: 0,
            functions_bytes: 0,
        }
    }

    /// Whether a checksum follows the end (version 5 and later).
    pub fn has_checksum(&self) -> bool {
        self.version >= 5
    }

    /// Whether the version is newer than this reader: its new types, if it has any, will end the scan.
    pub fn is_newer_than_known(&self) -> bool {
        let known = if self.dialect == Dialect::Valkey { VALKEY_VERSION_KNOWN } else { REDIS_VERSION_KNOWN };
        self.version > known
    }

    /// Takes in an auxiliary field of the dump's start.
    pub(crate) fn learn(&mut self, name: &str, value: String) {
        match name {
            "redis-ver" | "valkey-ver" => {
                self.aux.is_valkey = name == "valkey-ver";
                self.aux.server_version = Some(value);
            }
            "df-ver" => {
                self.dialect = Dialect::Dragonfly;
                self.aux.server_version = Some(value);
            }
            "ctime" => self.aux.created_at_seconds = value.parse().ok(),
            "snapshot-id" => self.aux.snapshot_id = Some(value),
            "shard-count" => self.aux.shard_count = value.parse().ok(),
            "used-mem" => self.aux.used_memory_bytes = value.parse().ok(),
            "aof-preamble" | "aof-base" => self.aux.is_aof_preamble = value != "0",
            _ => {}
        }
    }

    /// An expiry time as it is stored, in milliseconds since 1970. Before version 9 it is in the byte order of the
    /// machine that wrote it: a time past the year 5138 is read the other way round if that gives an earlier one. Else it
    /// stays as servers read it: some old dumps hold microseconds.
    #[inline]
    pub(crate) fn time_ms(&self, stored: i64) -> i64 {
        const ABSURD_MS: u64 = 100_000_000_000_000;
        let is_absurd = |time_ms: i64| time_ms.unsigned_abs() > ABSURD_MS;
        let is_swapped = self.version < 9 && is_absurd(stored) && !is_absurd(stored.swap_bytes());
        if is_swapped { stored.swap_bytes() } else { stored }
    }
}

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
/// A [`ParseError`] where the bytes end or a record is damaged, or [`ParseErrorKind::Limit`] for more than [`TEMPLATES_MAX`]
/// templates.
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

/// How many auxiliary fields are kept; servers write about ten.
pub const AUX_FIELDS_MAX: usize = 64;

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
    let offset = source.offset();
    let id = source.parse(FormatElement::HashTemplate, length)?;
    let fields = source.parse(FormatElement::HashTemplate, length)?;
    for _ in 0..fields {
        source.string(FormatElement::HashTemplate)?;
    }
    context.template_fields.insert(id, fields);
    if context.template_fields.len() > TEMPLATES_MAX {
        let declared = TEMPLATES_MAX as u64;
        return Err(ParseError { offset, kind: ParseErrorKind::Limit, element: FormatElement::HashTemplate, declared });
    }
    Ok(())
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

    #[test]
    fn times_of_old_big_endian_machines() {
        let at_ms = 1_700_000_000_000_i64;
        assert_eq!(Context::new(Dialect::Redis, 8).time_ms(at_ms.swap_bytes()), at_ms);
        assert_eq!(Context::new(Dialect::Redis, 8).time_ms(at_ms), at_ms);
        assert_eq!(Context::new(Dialect::Redis, 9).time_ms(at_ms.swap_bytes()), at_ms.swap_bytes());
        let microseconds = 1_671_963_072_573_000_i64;
        assert_eq!(Context::new(Dialect::Redis, 3).time_ms(microseconds), microseconds);
    }
}
