//! The offline key analysis: how many bytes keys take, by type, by prefix, and the largest of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::text;
use crate::engine::{Dump, Options, Progress, visit};
use crate::error::Error;
use crate::rdb::{Entry, Fault, Kind};

/// Largest keys and prefixes of each type that a report lists, as the API of the seeds' sibling publishes it.
const LARGEST_MAX: usize = 500;

/// What ends a prefix.
const DELIMITER: u8 = b':';

/// A prefix ends within this many bytes, or the key has none.
const PREFIX_BYTES_MAX: usize = 256;

/// Prefixes of a type that are told apart; later ones are not counted, so that a dump of nothing else takes 16 MiB.
const PREFIXES_MAX: usize = 1 << 16;

/// Bytes of key names that the largest keys may hold: a name may have 8 MiB, and there are thousands of them.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What an offline key analysis was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineRequest {
    /// The node whose backup it is.
    pub node_id: String,
    /// The backup; the newest one if none was named.
    pub backup_id: Option<String>,
}

/// The bytes of a key: the one place that decides what is meant by them. They are those that its name and its value take
/// in the dump.
fn key_bytes(entry: &Entry<'_>) -> u64 {
    entry.key.bytes() + entry.value_bytes
}

/// What an offline key analysis found. Lists of keys and prefixes are by falling bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineNumbers {
    total_bytes: u64,
    total_num: u64,
    type_bytes: Vec<TypeBytes>,
    type_num: Vec<TypeNum>,
    largest_keys: Vec<LargestKey>,
    largest_key_prefixes: Vec<LargestPrefix>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TypeBytes {
    #[serde(rename = "type")]
    type_name: String,
    bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TypeNum {
    #[serde(rename = "type")]
    type_name: String,
    num: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LargestKey {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(rename = "type")]
    type_name: String,
    bytes: u64,
    num_of_elem: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LargestPrefix {
    key_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix_base64: Option<String>,
    #[serde(rename = "type")]
    type_name: String,
    bytes: u64,
    num: u64,
}

/// Bytes and how many keys they are of.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    bytes: u64,
    num: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.num += 1;
    }
}

/// What was found of one type.
#[derive(Debug, Default)]
struct OfType {
    sum: Sum,
    /// The largest keys; the smallest of them, by later name, on top.
    largest: BinaryHeap<Reverse<Ranked>>,
    prefixes: BTreeMap<Box<[u8]>, Sum>,
}

/// A key among the largest: more bytes first, then the smaller name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    bytes: u64,
    name: Reverse<Box<[u8]>>,
    size: u64,
}

#[derive(Debug, Default)]
struct Offline {
    /// By kind, then the module type's name.
    types: BTreeMap<(Kind, String), OfType>,
    held_bytes: usize,
    buffer: Vec<u8>,
}

/// Analyzes dumps as one and returns what was found, and why a dump could not be read to its end.
///
/// # Errors
/// As [`visit`].
pub(super) fn analyze(
    dumps: &[Dump],
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(OfflineNumbers, Vec<Error>), Error> {
    let mut offline = Offline::default();
    let mut damage = Vec::new();
    for dump in dumps {
        damage.extend(visit(&dump.path, options, progress, |entry| offline.add(entry))?);
    }
    Ok((offline.finish(), damage))
}

impl Offline {
    fn add(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let name = entry.key.decode(&mut self.buffer)?;
        let bytes = key_bytes(entry);
        let module = entry.module.filter(|_| entry.kind == Kind::Module).map(|module| module.to_string());
        let of_type = self.types.entry((entry.kind, module.unwrap_or_default())).or_default();
        of_type.sum.add(bytes);
        if let Some(prefix) = prefix(name) {
            let is_known = of_type.prefixes.contains_key(prefix);
            if is_known || of_type.prefixes.len() < PREFIXES_MAX {
                of_type.prefixes.entry(prefix.into()).or_default().add(bytes);
            }
        }
        if of_type.largest.len() < LARGEST_MAX
            || of_type.largest.peek().is_some_and(|Reverse(last)| (bytes, Reverse(name)) > last.place())
        {
            let ranked = Ranked { bytes, name: Reverse(name.into()), size: entry.size };
            self.held_bytes += name.len();
            of_type.largest.push(Reverse(ranked));
            if of_type.largest.len() > LARGEST_MAX {
                let gone = of_type.largest.pop();
                self.held_bytes -= gone.map_or(0, |Reverse(gone)| gone.name.0.len());
            }
        }
        if self.held_bytes > HELD_BYTES_MAX { Err(Fault::Held) } else { Ok(()) }
    }

    fn finish(self) -> OfflineNumbers {
        let mut numbers = OfflineNumbers::default();
        for ((kind, module), of_type) in self.types {
            let name = if module.is_empty() { kind.name().to_owned() } else { module };
            numbers.total_bytes += of_type.sum.bytes;
            numbers.total_num += of_type.sum.num;
            numbers.type_bytes.push(TypeBytes { type_name: name.clone(), bytes: of_type.sum.bytes });
            numbers.type_num.push(TypeNum { type_name: name.clone(), num: of_type.sum.num });
            let keys = of_type.largest.into_sorted_vec();
            numbers.largest_keys.extend(keys.into_iter().map(|Reverse(Ranked { bytes, name: key, size })| {
                let (key, key_base64) = text(key.0.into_vec());
                LargestKey { key, key_base64, type_name: name.clone(), bytes, num_of_elem: size }
            }));
            let mut prefixes: Vec<(Box<[u8]>, Sum)> = of_type.prefixes.into_iter().collect();
            // Stable: equal ones stay in the order of their names.
            prefixes.sort_by_key(|(_, sum)| Reverse(sum.bytes));
            prefixes.truncate(LARGEST_MAX);
            numbers.largest_key_prefixes.extend(prefixes.into_iter().map(|(prefix, Sum { bytes, num })| {
                let (key_prefix, key_prefix_base64) = text(prefix.into_vec());
                LargestPrefix { key_prefix, key_prefix_base64, type_name: name.clone(), bytes, num }
            }));
        }
        numbers.largest_keys.sort_by_key(|key| Reverse(key.bytes));
        numbers.largest_key_prefixes.sort_by_key(|prefix| Reverse(prefix.bytes));
        numbers
    }
}

impl Ranked {
    fn place(&self) -> (u64, Reverse<&[u8]>) {
        (self.bytes, Reverse(&self.name.0))
    }
}

/// A name up to its first delimiter, this included.
fn prefix(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().take(PREFIX_BYTES_MAX).position(|byte| *byte == DELIMITER)?;
    name.get(..=end)
}
