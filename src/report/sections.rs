//! The sections of a report: dumps, databases, types, lists, sizes, frequencies, prefixes.

use serde::{Deserialize, Serialize};

use super::expiry::ExpiryPeak;
use super::key_row::KeyRow;
use super::rank::By;
use super::server::ServerMemory;
use super::tally::{Sizes, Tally};

/// A dump that a report is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpInfo {
    /// Where it lay.
    pub name: String,
    /// The shard it came from, `ip:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// How many bytes were read of it, inflated.
    pub bytes: u64,
    /// The SHA-256 of the file, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The CRC-64 at its end in hexadecimal, or where it has none, that of its bytes, if it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// `Redis`, `Valkey` or `Dragonfly`.
    pub dialect: String,
    /// The version of the format.
    pub rdb_version: u32,
    /// The auxiliary fields.
    pub aux: Vec<(String, String)>,
    /// The server's memory when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
    /// The server whose memory is modelled.
    pub target: String,
    /// The allocator of that server.
    pub allocator: String,
    /// What to know of the memory figures, a sentence each: how far the server that wrote the dump is from the modelled one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_notes: Vec<String>,
    /// The moment that times to live are measured from, in milliseconds since 1970: the one that was given, or when the dump
    /// was made. Where neither is known, they are in no class but `unknown`.
    pub ttl_measured_at_ms: Option<i64>,
    /// Whether that moment was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_now_given: bool,
    /// What the dump takes on that server as a whole, unless only some of its keys were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerMemory>,
    /// Function libraries.
    pub functions: u64,
    /// Bytes of their code.
    pub functions_bytes: u64,
    /// Whether it was read to its end and found sound.
    pub is_complete: bool,
    /// Where and how it broke, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Its keys.
    pub keys: Tally,
    /// Minutes in which many of its keys expire, of the week after the moment that times to live are measured from: those of
    /// at least 100 keys and 1 % of the keys that expire, the highest first, twenty at the most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expiry_peaks: Vec<ExpiryPeak>,
}

/// The keys of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseTally {
    /// The database.
    pub db: u64,
    /// All its keys.
    #[serde(flatten)]
    pub tally: Tally,
    /// Its keys by type.
    pub types: Vec<TypeTally>,
}

/// The keys of the databases that have no tallies of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherDatabases {
    /// The first of these databases: all from this number on are among them.
    pub from_db: u64,
    /// All their keys.
    #[serde(flatten)]
    pub tally: Tally,
    /// Their keys by type.
    pub types: Vec<TypeTally>,
}

/// How lists of keys were cut so that they fit into memory together. Which keys are listed depends on nothing but the dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopCut {
    /// How many keys of each list were asked for.
    pub keys_asked: usize,
    /// The first database without lists, if some have none: neither have all above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_databases_from: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The keys of one type in a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeTally {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// All keys of the type.
    #[serde(flatten)]
    pub tally: Tally,
    /// By encoding.
    pub encodings: Vec<EncodingKeys>,
}

/// The keys of one encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodingKeys {
    /// How they are stored in the dump.
    pub stored_as: String,
    /// How they are held by the server that loaded them.
    pub loaded_as: String,
    /// The keys.
    #[serde(flatten)]
    pub tally: Tally,
}

/// A list of the largest keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopKeys {
    /// The database.
    pub db: u64,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What they are ranked by.
    pub by: By,
    /// Whether only keys that never expire are listed.
    pub is_without_ttl: bool,
    /// The keys, largest first.
    pub keys: Vec<KeyRow>,
}

/// How many keys of a type have which sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSizes {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// By bytes of memory.
    pub memory_bytes: Sizes,
    /// By bytes in the dump.
    pub serialized_bytes: Sizes,
    /// By elements.
    pub elements: Sizes,
}

/// Keys of one LFU counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequencyTally {
    /// The counter.
    pub frequency: u8,
    /// How many keys.
    pub keys: u64,
}

pub(super) fn merge_encoding(encodings: &mut Vec<EncodingKeys>, other: EncodingKeys) {
    let same = |mine: &&mut EncodingKeys| mine.stored_as == other.stored_as && mine.loaded_as == other.loaded_as;
    match encodings.iter_mut().find(same) {
        Some(mine) => mine.tally.merge(&other.tally),
        None => encodings.push(other),
    }
    encodings.sort_by(|a, b| (&a.stored_as, &a.loaded_as).cmp(&(&b.stored_as, &b.loaded_as)));
}

/// Those that any key has.
pub(super) fn frequencies(counts: &[u64]) -> Vec<FrequencyTally> {
    let filled = (0..=u8::MAX).zip(counts).filter(|(_, keys)| **keys > 0);
    filled.map(|(frequency, keys)| FrequencyTally { frequency, keys: *keys }).collect()
}
