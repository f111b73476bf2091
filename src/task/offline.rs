//! The offline key analysis: how many bytes keys take, by type, by prefix, and the largest of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{Dump, Options, Progress, rows_all};
use crate::error::{Error, name_text};
use crate::rdb::Kind;
use crate::report::{Question, Row};

/// Largest keys and prefixes of each type that a report lists, as the API of the seeds' sibling publishes it.
const LARGEST_MAX: usize = 500;

/// What ends a prefix.
const DELIMITER: u8 = b':';

/// A prefix ends within this many bytes, or the key has none.
const PREFIX_BYTES_MAX: usize = 256;

/// Prefixes that are told apart, of all types together; later ones are not counted, so that a dump of nothing else takes
/// 16 MiB.
const PREFIXES_MAX: usize = 1 << 16;

/// Module types that are told apart; values of later ones count as one type.
const TYPES_MAX: usize = 64;
const OTHER_MODULES: &str = "module";

/// Bytes of a name that are held of the largest keys, and of all these names together, or fewer are listed: a name may have
/// 8 MiB, and there are thousands.
const NAME_BYTES_MAX: usize = 4096;
const HELD_BYTES_MAX: usize = 16 << 20;

/// What an offline key analysis was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineRequest {
    /// The node whose backup it is.
    pub node_id: String,
    /// The backup; the newest one if none was named.
    pub backup_id: Option<String>,
}

/// The bytes of a key: what it costs the server that wrote the dump, or where no model knows that (values of modules), what
/// its record takes in the dump.
fn key_bytes(row: &Row) -> u64 {
    row.memory_bytes.unwrap_or(row.serialized_bytes)
}

/// What an offline key analysis found. Lists of keys and prefixes are by falling bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineNumbers {
    /// Bytes of all keys.
    pub total_bytes: u64,
    /// All keys.
    pub total_num: u64,
    /// Bytes by type.
    pub type_bytes: Vec<TypeBytes>,
    /// Keys by type.
    pub type_num: Vec<TypeNum>,
    /// The largest keys of each type.
    pub largest_keys: Vec<LargestKey>,
    /// The largest prefixes of each type.
    pub largest_key_prefixes: Vec<LargestPrefix>,
}

/// Bytes of all keys of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeBytes {
    /// The type, as `TYPE` names it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Their bytes.
    pub bytes: u64,
}

/// How many keys of a type there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeNum {
    /// The type, as `TYPE` names it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many.
    pub num: u64,
}

/// One of the largest keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargestKey {
    /// Its name; where it is not UTF-8, each offending byte is written as `\xff`.
    pub key: String,
    /// The name without loss, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Elements of a collection, bytes of a string.
    pub num_of_elem: u64,
}

/// One of the largest prefixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargestPrefix {
    /// The prefix, with the delimiter that ends it, written as names are.
    pub key_prefix: String,
    /// The prefix without loss, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_prefix_base64: Option<String>,
    /// The type of its keys.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Bytes of its keys.
    pub bytes: u64,
    /// How many keys it has.
    pub num: u64,
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
    /// The length of the whole name and the offset of the key, if the name is cut.
    cut: Option<(usize, u64)>,
}

#[derive(Debug, Default)]
struct Offline {
    /// By kind, then the module type's name.
    types: BTreeMap<(Kind, String), OfType>,
    prefixes: usize,
    held_bytes: usize,
}

/// Analyzes dumps as one and returns what was found, what was noticed beside it, and why a dump could not be read to its end.
///
/// # Errors
/// As [`rows_all`].
pub(super) fn analyze(
    dumps: &[Dump],
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(OfflineNumbers, Vec<String>, Vec<Error>), Error> {
    let mut offline = Offline::default();
    let (notes, damage) = rows_all(dumps, &Question::default(), options, progress, |row| offline.add(row))?;
    Ok((offline.finish(), notes, damage))
}

impl Offline {
    fn add(&mut self, row: &Row) {
        let name = row.name.bytes();
        let bytes = key_bytes(row);
        let module = row.module.filter(|_| row.kind == Kind::Module).map(|module| module.to_string());
        let mut type_name = (row.kind, module.unwrap_or_default());
        if self.types.len() >= TYPES_MAX && !self.types.contains_key(&type_name) && row.kind == Kind::Module {
            OTHER_MODULES.clone_into(&mut type_name.1);
        }
        let of_type = self.types.entry(type_name).or_default();
        of_type.sum.add(bytes);
        if let Some(prefix) = prefix(name) {
            let is_new = !of_type.prefixes.contains_key(prefix);
            if !is_new || self.prefixes < PREFIXES_MAX {
                self.prefixes += usize::from(is_new);
                of_type.prefixes.entry(prefix.into()).or_default().add(bytes);
            }
        }
        let cut = (name.len() > NAME_BYTES_MAX).then_some((name.len(), row.offset));
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        if of_type.largest.len() < LARGEST_MAX
            || of_type.largest.peek().is_some_and(|Reverse(last)| (bytes, Reverse(name)) > last.place())
        {
            let ranked = Ranked { bytes, name: Reverse(name.into()), size: row.size, cut };
            self.held_bytes += name.len();
            of_type.largest.push(Reverse(ranked));
            while of_type.largest.len() > LARGEST_MAX || self.held_bytes > HELD_BYTES_MAX && of_type.largest.len() > 1 {
                let gone = of_type.largest.pop();
                self.held_bytes -= gone.map_or(0, |Reverse(gone)| gone.name.0.len());
            }
        }
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
            numbers.largest_keys.extend(keys.into_iter().map(|Reverse(Ranked { bytes, name: key, size, cut })| {
                let (mut key, key_base64) = name_text(key.0.into_vec());
                key.extend(cut.map(|(bytes, offset)| format!("... ({bytes} bytes, at byte {offset})")));
                LargestKey { key, key_base64, type_name: name.clone(), bytes, num_of_elem: size }
            }));
            let mut prefixes: Vec<(Box<[u8]>, Sum)> = of_type.prefixes.into_iter().collect();
            // Stable: equal ones stay in the order of their names.
            prefixes.sort_by_key(|(_, sum)| Reverse(sum.bytes));
            prefixes.truncate(LARGEST_MAX);
            numbers.largest_key_prefixes.extend(prefixes.into_iter().map(|(prefix, Sum { bytes, num })| {
                let (key_prefix, key_prefix_base64) = name_text(prefix.into_vec());
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;

    fn numbers(path: &Path) -> (OfflineNumbers, Vec<Error>) {
        let (numbers, _, damage) = analyze(&[Dump::from(path)], &Options::default(), &Arc::default()).unwrap();
        (numbers, damage)
    }

    /// Every dump of the fixtures with the JSON beside it.
    fn fixtures() -> Vec<(PathBuf, Value)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let dumps = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "rdb"));
        let dumps = dumps.filter_map(|path| {
            let json = fs::read(path.with_extension("json")).ok()?;
            Some((path, serde_json::from_slice(&json).unwrap()))
        });
        dumps.collect()
    }

    #[test]
    fn every_key_of_the_fixtures_is_counted() {
        let fixtures = fixtures();
        assert!(fixtures.len() > 20);
        for (path, stated) in fixtures {
            let (numbers, damage) = numbers(&path);
            assert!(damage.is_empty(), "{damage:?}");
            let keys = stated["keys"].as_array().unwrap();
            assert_eq!(numbers.total_num, keys.len() as u64, "{}", path.display());
            assert_eq!(numbers.total_bytes > 0, !keys.is_empty());
            for of_type in &numbers.type_num {
                let of_this = keys.iter().filter(|key| key["type"] == of_type.type_name);
                assert_eq!(of_type.num, of_this.count() as u64, "{}: {}", path.display(), of_type.type_name);
            }
            assert!(numbers.largest_keys.is_sorted_by(|one, next| one.bytes >= next.bytes));
        }
    }

    #[test]
    fn what_comes_before_damage_is_counted() {
        let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mixed_all_v13.rdb");
        let cut = tempfile::NamedTempFile::new().unwrap();
        let bytes = fs::read(&whole).unwrap();
        fs::write(cut.path(), &bytes[..bytes.len() / 2]).unwrap();
        let (half, damage) = numbers(cut.path());
        assert!(0 < half.total_num && half.total_num < numbers(&whole).0.total_num);
        assert_eq!(damage.len(), 1);
    }

    #[test]
    fn the_largest_and_the_prefixes() {
        // Redis 6.2: 600 strings `p:000` to `p:599`, each a byte longer than the one before, and one without a prefix.
        let mut dump = b"REDIS0009\xfe\x00".to_vec();
        for number in 0..600_u16 {
            dump.extend_from_slice(b"\x00\x05");
            dump.extend_from_slice(format!("p:{number:03}").as_bytes());
            let bytes = (0x4000 | (number + 1)).to_be_bytes();
            dump.extend_from_slice(&bytes);
            dump.resize(dump.len() + usize::from(number) + 1, b'v');
        }
        dump.extend_from_slice(b"\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), dump).unwrap();
        let (numbers, damage) = numbers(file.path());
        assert!(damage.is_empty(), "{damage:?}");
        assert_eq!((numbers.total_num, numbers.largest_keys.len()), (601, LARGEST_MAX));
        let mut bytes = Vec::new();
        let dumps = [Dump::from(file.path())];
        rows_all(&dumps, &Question::default(), &Options::default(), &Arc::default(), |row| bytes.push(key_bytes(row)))
            .unwrap();
        assert_eq!((bytes.len(), bytes.iter().sum()), (601, numbers.total_bytes));
        let largest = &numbers.largest_keys[0];
        // The allocator gives the longest ones the same; of equal ones the first name is first.
        let first = bytes.iter().position(|one| *one == bytes[599]).unwrap();
        let (name, length) = (format!("p:{first:03}"), first as u64 + 1);
        assert_eq!((&largest.key, largest.num_of_elem, largest.bytes), (&name, length, bytes[599]));
        let [prefix] = numbers.largest_key_prefixes.as_slice() else { panic!("{:?}", numbers.largest_key_prefixes) };
        let bytes: u64 = bytes[..600].iter().sum();
        assert_eq!((prefix.key_prefix.as_str(), prefix.num, prefix.bytes), ("p:", 600, bytes));
    }

    #[test]
    fn prefixes_end_early_or_not_at_all() {
        assert_eq!(prefix(b"a:b:c"), Some(&b"a:"[..]));
        assert_eq!((prefix(b":"), prefix(b"abc"), prefix(b"")), (Some(&b":"[..]), None, None));
        assert_eq!(prefix(&[b"x".repeat(PREFIX_BYTES_MAX), b":".to_vec()].concat()), None);
    }
}
