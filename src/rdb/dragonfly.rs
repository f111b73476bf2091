//! What Dragonfly alone writes (format section 14): its own value types and opcodes.

use super::fault::{Fault, Part, Trouble};
use super::packed::module::ModuleId;
use super::primitives::{array, length, u32_le};
use super::source::Source;
use super::types::{Kind, ValueType};
use super::value::{Measure, unknown};

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
pub(crate) fn measure<S: Source>(source: &mut S, value_type: ValueType) -> Result<Measure, Trouble> {
    let start = source.offset();
    let name: &[u8; 9] = match value_type {
        HASH_TTL => return Ok(Measure { kind: Kind::Hash, size: records(source, 3)?, module: None }),
        SET_TTL => return Ok(Measure { kind: Kind::Set, size: records(source, 2)?, module: None }),
        JSON => {
            source.string(Part::Module)?;
            b"ReJSON-RL"
        }
        BLOOM | BLOOM_IN_CHUNKS => {
            bloom(source, value_type == BLOOM_IN_CHUNKS)?;
            b"MBbloom--"
        }
        COUNT_MIN_SKETCH => {
            let width = source.parse(Part::Module, length)?;
            let depth = source.parse(Part::Module, length)?;
            source.parse(Part::Module, length)?;
            source.skip(Part::Module, width.saturating_mul(depth).saturating_mul(8))?;
            b"CMSk-TYPE"
        }
        TOP_K => {
            top_k(source)?;
            b"TopK-TYPE"
        }
        CUCKOO => {
            lengths(source, 6)?;
            for _ in 0..source.parse(Part::Module, length)? {
                chunks(source)?;
            }
            b"MBbloomCF"
        }
        _ => return Err(unknown(source, value_type)),
    };
    Ok(Measure { kind: Kind::Module, size: source.offset() - start, module: Some(ModuleId::named(name)) })
}

/// A count and that many records of `strings_each` strings.
fn records<S: Source>(source: &mut S, strings_each: u64) -> Result<u64, Trouble> {
    let records = source.parse(Part::Count, length)?;
    for _ in 0..records.saturating_mul(strings_each) {
        source.string(Part::Element)?;
    }
    Ok(records)
}

fn lengths<S: Source>(source: &mut S, lengths: u32) -> Result<(), Trouble> {
    for _ in 0..lengths {
        source.parse(Part::Module, length)?;
    }
    Ok(())
}

fn bloom<S: Source>(source: &mut S, in_chunks: bool) -> Result<(), Trouble> {
    source.parse(Part::Module, length)?;
    // Growth factor and false positive rate.
    source.parse(Part::Module, array::<8>)?;
    source.parse(Part::Module, array::<8>)?;
    lengths(source, 3)?;
    for _ in 0..source.parse(Part::Module, length)? {
        source.parse(Part::Module, length)?;
        if in_chunks {
            chunks(source)?;
        } else {
            source.string(Part::Module)?;
        }
    }
    Ok(())
}

/// A total, then chunks with a length each until it is reached.
fn chunks<S: Source>(source: &mut S) -> Result<(), Trouble> {
    let offset = source.offset();
    let total = source.parse(Part::Module, length)?;
    let mut left = total;
    while left > 0 {
        let chunk = source.parse(Part::Module, length)?;
        let wrong = Trouble { offset, fault: Fault::Flag, part: Part::Module, claim: chunk };
        left = left.checked_sub(chunk).filter(|_| chunk > 0).ok_or(wrong)?;
        source.skip(Part::Module, chunk)?;
    }
    Ok(())
}

fn top_k<S: Source>(source: &mut S) -> Result<(), Trouble> {
    lengths(source, 4)?;
    source.parse(Part::Module, array::<8>)?;
    for _ in 0..source.parse(Part::Module, length)? {
        source.string(Part::Module)?;
        source.parse(Part::Module, length)?;
    }
    let counters_bytes = source.parse(Part::Module, length)?;
    source.skip(Part::Module, counters_bytes)
}

/// Steps over a record that says nothing about a key's size, behind its opcode; false if the opcode is not known.
pub(crate) fn skip_between<S: Source>(source: &mut S, code: u8) -> Result<bool, Trouble> {
    const MEMCACHED_FLAGS: u32 = 2;
    match code {
        opcode::MASK => {
            if source.parse(Part::Access, u32_le)? & MEMCACHED_FLAGS != 0 {
                source.parse(Part::Access, u32_le)?;
            }
        }
        opcode::FULLSYNC_END | opcode::JOURNAL_OFFSET => _ = source.parse(Part::Access, array::<8>)?,
        opcode::JOURNAL_BLOB => {
            source.parse(Part::Access, length)?;
            source.string(Part::Access)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
