//! What Dragonfly alone writes (format section 14): its own value types and opcodes.

use super::measure::{Measure, unknown};
use super::packed::module::ModuleId;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{array, length, u32_le};
use super::source::Source;
use super::types::{Kind, ValueType};

/// Opcodes of its own.
pub(crate) mod opcode {
    /// The end of a full synchronization; eight zeros follow.
    pub(crate) const FULLSYNC_END: u8 = 200;
    /// A blob of records compressed as one zstd frame.
    pub(crate) const BLOB_ZSTD: u8 = 201;
    /// A blob of records compressed as one LZ4 frame.
    pub(crate) const BLOB_LZ4: u8 = 202;
    pub(crate) const JOURNAL_BLOB: u8 = 210;
    pub(crate) const JOURNAL_OFFSET: u8 = 211;
    /// Flags of the next key: sticky (1), memcached flags (2), which follow.
    pub(crate) const MASK: u8 = 220;
    /// A part of the stream of records that has this number.
    pub(crate) const TAGGED_CHUNK: u8 = 224;
}

const JSON: ValueType = ValueType(30);
const HASH_TTL: ValueType = ValueType(31);
const SET_TTL: ValueType = ValueType(32);
const BLOOM: ValueType = ValueType(33);
const BLOOM_IN_CHUNKS: ValueType = ValueType(34);
const COUNT_MIN_SKETCH: ValueType = ValueType(35);
const TOP_K: ValueType = ValueType(36);
const CUCKOO: ValueType = ValueType(37);

/// What its own types are called in messages.
pub(crate) fn label(value_type: ValueType) -> Option<&'static str> {
    Some(match value_type {
        JSON => "JSON",
        HASH_TTL => "hash with field TTLs",
        SET_TTL => "set with member TTLs",
        BLOOM => "Bloom filter",
        BLOOM_IN_CHUNKS => "Bloom filter in chunks",
        COUNT_MIN_SKETCH => "count-min sketch",
        TOP_K => "top-k",
        CUCKOO => "cuckoo filter",
        _ => return None,
    })
}

/// Steps over a value of one of its own types and returns its measure. What is a module's in Redis is measured as that.
pub(crate) fn measure<S: Source>(source: &mut S, value_type: ValueType) -> Result<Measure, ParseError> {
    let start = source.offset();
    let name: &[u8; 9] = match value_type {
        HASH_TTL => return Ok(Measure { kind: Kind::Hash, size: records(source, 3)?, module: None }),
        SET_TTL => return Ok(Measure { kind: Kind::Set, size: records(source, 2)?, module: None }),
        JSON => {
            source.string(FormatElement::Module)?;
            b"ReJSON-RL"
        }
        BLOOM | BLOOM_IN_CHUNKS => {
            bloom(source, value_type == BLOOM_IN_CHUNKS)?;
            b"MBbloom--"
        }
        COUNT_MIN_SKETCH => {
            let width = source.parse(FormatElement::Module, length)?;
            let depth = source.parse(FormatElement::Module, length)?;
            source.parse(FormatElement::Module, length)?;
            source.skip(FormatElement::Module, width.saturating_mul(depth).saturating_mul(8))?;
            b"CMSk-TYPE"
        }
        TOP_K => {
            top_k(source)?;
            b"TopK-TYPE"
        }
        CUCKOO => {
            lengths(source, 6)?;
            for _ in 0..source.parse(FormatElement::Module, length)? {
                chunks(source)?;
            }
            b"MBbloomCF"
        }
        _ => return Err(unknown(source, value_type)),
    };
    Ok(Measure { kind: Kind::Module, size: source.offset() - start, module: Some(ModuleId::named(name)) })
}

/// A count and that many records of `strings_each` strings.
fn records<S: Source>(source: &mut S, strings_each: u64) -> Result<u64, ParseError> {
    let records = source.parse(FormatElement::Count, length)?;
    for _ in 0..records.saturating_mul(strings_each) {
        source.string(FormatElement::Element)?;
    }
    Ok(records)
}

fn lengths<S: Source>(source: &mut S, lengths: u32) -> Result<(), ParseError> {
    for _ in 0..lengths {
        source.parse(FormatElement::Module, length)?;
    }
    Ok(())
}

fn bloom<S: Source>(source: &mut S, in_chunks: bool) -> Result<(), ParseError> {
    source.parse(FormatElement::Module, length)?;
    // Growth factor and false positive rate.
    source.parse(FormatElement::Module, array::<8>)?;
    source.parse(FormatElement::Module, array::<8>)?;
    lengths(source, 3)?;
    for _ in 0..source.parse(FormatElement::Module, length)? {
        source.parse(FormatElement::Module, length)?;
        if in_chunks {
            chunks(source)?;
        } else {
            source.string(FormatElement::Module)?;
        }
    }
    Ok(())
}

/// A total, then chunks with a length each until it is reached.
fn chunks<S: Source>(source: &mut S) -> Result<(), ParseError> {
    let offset = source.offset();
    let total = source.parse(FormatElement::Module, length)?;
    let mut left = total;
    while left > 0 {
        let chunk = source.parse(FormatElement::Module, length)?;
        let wrong = ParseError { offset, kind: ParseErrorKind::Flag, element: FormatElement::Module, declared: chunk };
        left = left.checked_sub(chunk).filter(|_| chunk > 0).ok_or(wrong)?;
        source.skip(FormatElement::Module, chunk)?;
    }
    Ok(())
}

fn top_k<S: Source>(source: &mut S) -> Result<(), ParseError> {
    lengths(source, 4)?;
    source.parse(FormatElement::Module, array::<8>)?;
    for _ in 0..source.parse(FormatElement::Module, length)? {
        source.string(FormatElement::Module)?;
        source.parse(FormatElement::Module, length)?;
    }
    let counters_bytes = source.parse(FormatElement::Module, length)?;
    source.skip(FormatElement::Module, counters_bytes)
}

/// Steps over a record that says nothing about a key's size, behind its opcode; false if the opcode is not known.
pub(crate) fn skip_between<S: Source>(source: &mut S, code: u8) -> Result<bool, ParseError> {
    const MEMCACHED_FLAGS: u32 = 2;
    match code {
        opcode::MASK => {
            if source.parse(FormatElement::Access, u32_le)? & MEMCACHED_FLAGS != 0 {
                source.parse(FormatElement::Access, u32_le)?;
            }
        }
        opcode::FULLSYNC_END | opcode::JOURNAL_OFFSET => _ = source.parse(FormatElement::Access, array::<8>)?,
        opcode::JOURNAL_BLOB => {
            source.parse(FormatElement::Access, length)?;
            source.string(FormatElement::Access)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
