//! How well values compress, and what they are: what the dump holds compressed tells it, and where it does not, a sample.
//!
//! LZF is what servers write dumps with, so that it is a lower bound for what a client gains that compresses. The sample is of
//! strings, each with a chance as large as it is long, chosen by a hash of its name: the same whoever adds what. What is held
//! is bounded: the sums of 512 prefixes of one part, and the first bytes of 64 values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;

use hashbrown::HashTable;
use nom::Err;
use serde::{Deserialize, Serialize};

use super::names::{hash, hash_first};
use super::text::Name;
use super::value_format::ValueFormat;
use crate::rdb::primitives::{StringHeader, string_header};
use crate::rdb::short::Short;
use crate::rdb::source::KeepsKey;
use crate::rdb::{FormatElement, ParseErrorKind};

/// Shorter strings are not looked at: no client compresses them one by one.
const VALUE_BYTES_MIN: u64 = 256;

/// What is looked at of each value in the sample.
const SAMPLE_BYTES_MAX: u64 = 4096;

const SAMPLES_MAX: usize = 64;

/// Prefixes with sums of their own; twice as many while keys are added.
const PREFIXES_MAX: usize = 512;
const PREFIX_BYTES_MAX: usize = 128;

/// Values that the dump holds compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// Keys with such values.
    pub keys: u64,
    /// Bytes of the values in the dump.
    pub stored_bytes: u64,
    /// Bytes of the values when they are inflated.
    pub value_bytes: u64,
}

impl Compressed {
    fn merge(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.stored_bytes = self.stored_bytes.saturating_add(other.stored_bytes);
        self.value_bytes = self.value_bytes.saturating_add(other.value_bytes);
    }

    /// What the compression saves.
    pub fn bytes_saved(&self) -> u64 {
        self.value_bytes.saturating_sub(self.stored_bytes)
    }
}

/// A value's first bytes, if it may be in the sample.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    /// Its place in the order: a hash of its name as it is stored, which its length divides.
    rank: u64,
    bytes: u64,
    /// Bytes that are stored, of a compressed value.
    stored_bytes: Option<u64>,
    first: Vec<u8>,
}

/// A string as it is stored, and its first bytes if it may be in the sample.
#[derive(Debug)]
pub(super) struct Looked {
    header: StringHeader,
    content: Option<Content>,
}

/// A value of the sample.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    content: Content,
    prefix: Box<[u8]>,
}

/// What is gathered while keys are added.
#[derive(Debug, Default)]
pub(super) struct Compression {
    prefixes: HashTable<(u64, Box<[u8]>, Compressed)>,
    /// Prefixes whose hashes are no smaller have no sums of their own.
    limit: Option<u64>,
    other: Compressed,
    raw_keys: u64,
    raw_bytes: u64,
    /// The root is the one that comes last.
    samples: BinaryHeap<Sample>,
}

/// The part of a name up to its first separator; nothing without one, or if it is long.
fn first_prefix<'n>(separators: &[u8], name: &'n [u8]) -> &'n [u8] {
    let first = name.get(..PREFIX_BYTES_MAX).unwrap_or(name);
    let end = match separators {
        [only] => first.iter().position(|byte| byte == only),
        _ => first.iter().position(|byte| separators.contains(byte)),
    };
    end.and_then(|end| first.get(..=end)).unwrap_or_default()
}

/// The place of a string in the order of samples, by the hash of its name as it is stored, if it is long enough to be one and
/// comes no later than `rank_max`.
#[inline(always)]
fn rank(hash: u64, bytes: u64, rank_max: u64) -> Option<u64> {
    // A product says it in a tenth of the time of a division, and most come later.
    let comes_early = u128::from(hash) < (u128::from(rank_max) + 1) * u128::from(bytes);
    (bytes >= VALUE_BYTES_MIN && comes_early).then(|| hash / bytes)
}

fn content(rank: u64, header: StringHeader, first: Vec<u8>) -> Content {
    let stored_bytes = matches!(header, StringHeader::Lzf { .. }).then_some(header.stored_bytes());
    Content { rank, bytes: header.value_bytes(), stored_bytes, first }
}

/// Looks at the string that comes next without stepping over it, and at its first bytes if it comes no later in the order than
/// `rank_max`. Of one that is cut nothing is seen.
pub(super) fn look<S: KeepsKey>(source: &mut S, rank_max: u64) -> Option<Looked> {
    let header = source.parse(FormatElement::String, |i| {
        let (_, header) = string_header(i)?;
        Ok((i, header))
    });
    let header = header.ok()?;
    let Some(rank) = rank(hash(source.kept()), header.value_bytes(), rank_max) else {
        return Some(Looked { header, content: None });
    };
    let wanted = usize::try_from(header.stored_bytes().min(SAMPLE_BYTES_MAX)).ok()?;
    let first = source.parse(FormatElement::String, |i| {
        let (rest, _) = string_header(i)?;
        let first = rest.get(..wanted).ok_or(Err::Error(ParseErrorKind::Eof))?;
        Ok((i, first.to_vec()))
    });
    Some(Looked { header, content: first.ok().map(|first| content(rank, header, first)) })
}

impl Compression {
    /// The last place in the order of samples that there is room for.
    #[inline]
    pub(super) fn rank_max(&self) -> u64 {
        let last = self.samples.peek().filter(|_| self.samples.len() >= SAMPLES_MAX);
        last.map_or(u64::MAX, |last| last.content.rank)
    }

    /// Adds a short string.
    #[inline]
    pub(super) fn add_short(&mut self, separators: &[u8], short: &Short<'_>) {
        let (header, rank_max) = (short.header, self.rank_max());
        if header.value_bytes() < VALUE_BYTES_MIN {
            return;
        }
        let hash = hash_first(short.padded_name.as_chunks().0, short.name.len());
        let rank = rank(hash, header.value_bytes(), rank_max);
        let content = rank.and_then(|rank| {
            let start = short.record.len().checked_sub(usize::try_from(header.stored_bytes()).ok()?)?;
            let stored = short.record.get(start..)?;
            let wanted = usize::try_from(SAMPLE_BYTES_MAX).unwrap_or(usize::MAX).min(stored.len());
            Some(content(rank, header, stored.get(..wanted)?.to_vec()))
        });
        self.add_string(separators, short.name, Looked { header, content });
    }

    /// Adds a string.
    #[inline]
    pub(super) fn add_string(&mut self, separators: &[u8], name: &[u8], looked: Looked) {
        match looked.header {
            header if header.value_bytes() < VALUE_BYTES_MIN => return,
            StringHeader::Lzf { stored_bytes, bytes } => self.add_compressed(separators, name, stored_bytes, bytes),
            header => {
                self.raw_keys += 1;
                self.raw_bytes = self.raw_bytes.saturating_add(header.value_bytes());
            }
        }
        if let Some(content) = looked.content {
            self.add_sample(Sample { content, prefix: first_prefix(separators, name).into() });
        }
    }

    #[inline(never)]
    fn add_sample(&mut self, sample: Sample) {
        self.samples.push(sample);
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop();
        }
    }

    /// Adds a value that the dump holds compressed.
    #[inline(never)]
    pub(super) fn add_compressed(&mut self, separators: &[u8], name: &[u8], stored_bytes: u64, value_bytes: u64) {
        let prefix = first_prefix(separators, name);
        self.add_prefix(hash(prefix), prefix, &Compressed { keys: 1, stored_bytes, value_bytes });
    }

    fn add_prefix(&mut self, rank: u64, prefix: &[u8], sum: &Compressed) {
        if self.limit.is_some_and(|limit| rank >= limit) {
            return self.other.merge(sum);
        }
        if let Some((.., held)) = self.prefixes.find_mut(rank, |(_, held, _)| **held == *prefix) {
            return held.merge(sum);
        }
        self.prefixes.insert_unique(rank, (rank, prefix.into(), *sum), |(rank, ..)| *rank);
        if self.prefixes.len() > 2 * PREFIXES_MAX {
            self.cut();
        }
    }

    /// Drops the prefixes that come last, if there are more than may be held in the end.
    fn cut(&mut self) {
        let mut ranks: Vec<u64> = self.prefixes.iter().map(|(rank, ..)| *rank).collect();
        ranks.sort_unstable();
        self.lower(ranks.get(PREFIXES_MAX).copied());
    }

    fn lower(&mut self, limit: Option<u64>) {
        let Some(limit) = limit.filter(|limit| self.limit.is_none_or(|old| *limit < old)) else { return };
        self.limit = Some(limit);
        for (.., sum) in self.prefixes.extract_if(|(rank, ..)| *rank >= limit) {
            self.other.merge(&sum);
        }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        let samples = self.samples.iter().map(|sample| sample.content.first.len() as u64 + 200);
        samples.sum::<u64>() + self.prefixes.len() as u64 * 100
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.lower(other.limit);
        self.other.merge(&other.other);
        for (rank, prefix, sum) in other.prefixes {
            self.add_prefix(rank, &prefix, &sum);
        }
        self.raw_keys += other.raw_keys;
        self.raw_bytes = self.raw_bytes.saturating_add(other.raw_bytes);
        for sample in other.samples {
            self.add_sample(sample);
        }
    }

    pub(super) fn finish(mut self) -> CompressionFound {
        self.cut();
        let sum = |(_, name, sum): (u64, Box<[u8]>, Compressed)| PrefixCompression { name: Name::new(name), sum };
        let mut prefixes: Vec<PrefixCompression> = self.prefixes.into_iter().map(sum).collect();
        prefixes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        CompressionFound {
            prefixes,
            limit: self.limit,
            other: self.other,
            raw_keys: self.raw_keys,
            raw_bytes: self.raw_bytes,
            samples: self.samples.into_sorted_vec().into_iter().map(ValueSample::new).collect(),
        }
    }
}

/// How well values compress, and what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressionFound {
    /// Strings and packed values that the dumps hold compressed, by the first part of their names, in the order of its bytes;
    /// those without a separator under the empty one.
    pub prefixes: Vec<PrefixCompression>,
    /// Where the order of prefixes was cut, for merging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// Those of all other prefixes.
    pub other: Compressed,
    /// Strings of at least 256 bytes that the dumps hold as they are.
    pub raw_keys: u64,
    /// Bytes of these.
    pub raw_bytes: u64,
    /// Strings of at least 256 bytes, each chosen with a chance as large as it is long.
    pub samples: Vec<ValueSample>,
}

/// What values under a prefix take compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixCompression {
    /// The prefix.
    #[serde(flatten)]
    pub name: Name,
    /// The values.
    #[serde(flatten)]
    pub sum: Compressed,
}

/// A value of the sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueSample {
    /// Its place in the order of samples, for merging.
    rank: u64,
    /// The first part of its name.
    pub prefix: Name,
    /// Its length.
    pub value_bytes: u64,
    /// How much of it was compressed: all, or its first 4,096 bytes.
    pub sample_bytes: u64,
    /// What that takes compressed: by LZF if the dump holds it so, else by LZ4.
    pub compressed_bytes: u64,
    /// What it is, by its first bytes.
    pub format: Cow<'static, str>,
}

impl ValueSample {
    fn new(sample: Sample) -> Self {
        let Sample { prefix, content: Content { rank, bytes, stored_bytes, first } } = sample;
        let (sample_bytes, compressed_bytes, format) = if let Some(stored_bytes) = stored_bytes {
            (bytes, stored_bytes, ValueFormat::of_lzf(&first))
        } else {
            let compressed = lz4_flex::block::compress(&first).len() as u64;
            (first.len() as u64, compressed, ValueFormat::of(&first))
        };
        Self {
            rank,
            prefix: Name::new(prefix),
            value_bytes: bytes,
            sample_bytes,
            compressed_bytes: compressed_bytes.min(sample_bytes),
            format: format.name().into(),
        }
    }
}

impl CompressionFound {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes prefixes as `map` has them, those that get the same one together. A sample's rank follows from the name of its key:
    /// of that its magnitude is left. Where the order of prefixes was cut, none comes before the cut any more.
    pub(super) fn map_names(&mut self, map: &dyn Fn(&[u8]) -> Vec<u8>) {
        const RANK_BITS: u32 = 8;
        let mut all: BTreeMap<Name, Compressed> = BTreeMap::new();
        for PrefixCompression { name, sum } in std::mem::take(&mut self.prefixes) {
            all.entry(Name::new(map(name.bytes()))).or_default().merge(&sum);
        }
        self.prefixes = all.into_iter().map(|(name, sum)| PrefixCompression { name, sum }).collect();
        self.limit = self.limit.map(|_| 0);
        for sample in &mut self.samples {
            sample.prefix = Name::new(map(sample.prefix.bytes()));
            let cut_bits = (u64::BITS - sample.rank.leading_zeros()).saturating_sub(RANK_BITS);
            sample.rank = sample.rank >> cut_bits << cut_bits;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        let mut all = Compression::default();
        let mut samples = Vec::new();
        for found in [std::mem::take(self), other] {
            all.lower(found.limit);
            all.other.merge(&found.other);
            for PrefixCompression { name, sum } in found.prefixes {
                all.add_prefix(hash(name.bytes()), name.bytes(), &sum);
            }
            all.raw_keys += found.raw_keys;
            all.raw_bytes = all.raw_bytes.saturating_add(found.raw_bytes);
            samples.extend(found.samples);
        }
        samples.sort_by(|a: &ValueSample, b| {
            let order = |of: &ValueSample| (of.rank, of.prefix.clone(), of.value_bytes, of.compressed_bytes);
            order(a).cmp(&order(b))
        });
        samples.truncate(SAMPLES_MAX);
        *self = Self { samples, ..all.finish() };
    }
}
