//! Keys that a rule is about, counted while keys are added, with the largest of them by name.
//!
//! Most keys are none: one look at a key's size tells. What is held is bounded: ten keys for each suspicion and type.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::key_row::KeyRow;
use super::rules::{BIG_ELEMENTS_MIN, BIG_MEMORY_BYTES_MIN, KeySize, Rules};
use super::tally::Tally;
use super::text::Name;
use crate::memory::{Encoding, Footprint, Target};
use crate::rdb::{Entry, Kind};

/// Keys that are listed for each suspicion and type.
const KEYS_MAX: usize = 10;

/// Of names that are longer the first bytes are held.
const NAME_BYTES_MAX: usize = 256;

/// What a listed key takes, near enough.
const LISTED_BYTES: u64 = 500;

/// Longer names are called a bad idea by Redis and its clouds: 1 KB.
const LONG_NAME_BYTES: u64 = 1024;

/// Keys that have not been used for as long are idle: thirty days.
const IDLE_SECONDS: u64 = 30 * 24 * 3600;

/// An LFU counter that takes some fifty thousand uses to reach (`lfu-log-factor` 10), and the memory from which on
/// each of those uses costs time.
const HOT_FREQUENCY: u8 = 100;
const HOT_MEMORY_BYTES: u64 = 100 << 10;

/// Packed values with more entries or bytes take as long to look into as they have.
const PACKED_ELEMENTS_MAX: u64 = 2048;
const PACKED_BYTES_MAX: u64 = 64 << 10;

/// Longer streams are taken for such that nobody trims.
const STREAM_ENTRIES_MAX: u64 = 100_000;

/// Entries that were not acknowledged for as long were forgotten: a day.
const PENDING_MS: i64 = 24 * 3600 * 1000;

/// Serialized sizes that migrations stop at.
const MIGRATION_BYTES: [u64; 2] = [256 << 20, 512 << 20];

/// Why a key is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// Big by Huawei's rules.
    BigHuawei,
    /// Big by Alibaba's rules.
    BigAlibaba,
    /// Big by Tencent's rules.
    BigTencent,
    /// Big by AWS's rules.
    BigAws,
    /// Big by Redis's rules.
    BigRedis,
    /// Over 256 MB serialized.
    #[serde(rename = "serialized_over_256_mb")]
    SerializedOver256Mb,
    /// Over 512 MB serialized.
    #[serde(rename = "serialized_over_512_mb")]
    SerializedOver512Mb,
    /// A name of over 1 KB.
    LongName,
    /// A packed value of over 2,048 elements or 64 KiB, of a type that is searched from its start.
    LongPacked,
    /// Never expires, and was not used for 30 days.
    IdleWithoutTtl,
    /// An LFU counter of 100 or more, and over 100 KiB of memory.
    HotAndBig,
    /// A stream of over 100,000 entries.
    LongStream,
    /// A stream with an entry that was delivered a day before the dump was made, or longer, and was not acknowledged.
    OldPending,
    /// Of a type that the target, which was given, does not have.
    NotHeld,
}

impl Suspicion {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::BigHuawei,
        Self::BigAlibaba,
        Self::BigTencent,
        Self::BigAws,
        Self::BigRedis,
        Self::SerializedOver256Mb,
        Self::SerializedOver512Mb,
        Self::LongName,
        Self::LongPacked,
        Self::IdleWithoutTtl,
        Self::HotAndBig,
        Self::LongStream,
        Self::OldPending,
        Self::NotHeld,
    ];

    /// That of keys that are big by these rules.
    pub fn big(rules: Rules) -> Self {
        match rules {
            Rules::Huawei => Self::BigHuawei,
            Rules::Alibaba => Self::BigAlibaba,
            Rules::Tencent => Self::BigTencent,
            Rules::Aws => Self::BigAws,
            Rules::Redis => Self::BigRedis,
        }
    }

    fn is_of(self, seen: &Seen, entry: &Entry<'_>, found: &Footprint, tally: &Tally) -> bool {
        let [medium_bytes, large_bytes] = MIGRATION_BYTES;
        let is_big = |rules: Rules| {
            let Tally { memory_bytes, serialized_bytes, .. } = *tally;
            rules.is_big(entry.kind, KeySize { size: entry.size, memory_bytes, serialized_bytes })
        };
        match self {
            Self::BigHuawei => is_big(Rules::Huawei),
            Self::BigAlibaba => is_big(Rules::Alibaba),
            Self::BigTencent => is_big(Rules::Tencent),
            Self::BigAws => is_big(Rules::Aws),
            Self::BigRedis => is_big(Rules::Redis),
            Self::SerializedOver256Mb => tally.serialized_bytes > medium_bytes,
            Self::SerializedOver512Mb => tally.serialized_bytes > large_bytes,
            Self::LongName => entry.key.bytes() > LONG_NAME_BYTES,
            Self::LongPacked => {
                let is_packed = matches!(found.encoding, Encoding::Listpack | Encoding::ListpackEx | Encoding::Ziplist);
                let is_long = tally.elements > PACKED_ELEMENTS_MAX || tally.memory_bytes > PACKED_BYTES_MAX;
                is_packed && is_long && entry.kind != Kind::List
            }
            Self::IdleWithoutTtl => is_idle_without_ttl(entry),
            Self::HotAndBig => is_hot(entry) && tally.memory_bytes > HOT_MEMORY_BYTES,
            Self::LongStream => entry.kind == Kind::Stream && entry.size > STREAM_ENTRIES_MAX,
            Self::OldPending => has_old_pending(seen, found),
            Self::NotHeld => seen.is_not_held(entry),
        }
    }
}

fn is_idle_without_ttl(entry: &Entry<'_>) -> bool {
    entry.expires_at_ms.is_none() && entry.idle_seconds.is_some_and(|seconds| seconds >= IDLE_SECONDS)
}

fn is_hot(entry: &Entry<'_>) -> bool {
    entry.frequency.is_some_and(|frequency| frequency >= HOT_FREQUENCY)
}

fn has_old_pending(seen: &Seen, found: &Footprint) -> bool {
    let oldest = found.streamed.and_then(|streamed| streamed.oldest_delivery_at_ms);
    oldest.zip(seen.now_ms).is_some_and(|(at_ms, now_ms)| at_ms <= now_ms.saturating_sub(PENDING_MS))
}

/// From where a key is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) dump: u32,
    pub(super) db: Option<u64>,
    /// The moment that times to live are measured from.
    pub(super) now_ms: Option<i64>,
    /// The server that was given to load the dump.
    pub(super) target: Option<Target>,
}

impl Seen {
    fn is_not_held(&self, entry: &Entry<'_>) -> bool {
        self.target.is_some_and(|target| !target.holds(entry.kind, entry.value_type))
    }
}

/// Whether a string is too large to be passed over without a look at what it is suspected of.
#[inline]
pub(super) fn may_be_suspect(memory_bytes: u64) -> bool {
    memory_bytes >= BIG_MEMORY_BYTES_MIN
}

/// Keys of one suspicion and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectKeys {
    /// Why they are listed.
    pub suspicion: Suspicion,
    /// Their type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// All of them.
    pub tally: Tally,
    /// The largest by memory, of those of one size the first.
    pub keys: Vec<SuspectKey>,
}

/// A key with its database and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectKey {
    /// The database; nothing in a part of a dump before which none was chosen.
    pub db: Option<u64>,
    /// The type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The key.
    pub key: KeyRow,
}

impl SuspectKey {
    /// The order of a list: larger ones first, then as in the dumps; keys of a compressed block share its offset.
    pub(crate) fn rank(&self) -> (std::cmp::Reverse<u64>, u32, u64, &Name) {
        let KeyRow { memory_bytes, dump, offset, name, .. } = &self.key;
        (std::cmp::Reverse(memory_bytes.unwrap_or(0)), *dump, *offset, name)
    }
}

/// Keys by suspicion and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Suspects(Vec<SuspectKeys>);

impl Suspects {
    /// Adds a key of a database to the lists that it belongs on.
    #[inline]
    pub(super) fn add(&mut self, seen: &Seen, entry: &Entry<'_>, name: &[u8], found: &Footprint, tally: &Tally) {
        let is_large = may_be_suspect(tally.memory_bytes.max(tally.serialized_bytes))
            || tally.elements > BIG_ELEMENTS_MIN
            || entry.key.bytes() > LONG_NAME_BYTES;
        let is_watched = || is_idle_without_ttl(entry) || is_hot(entry);
        if is_large || is_watched() || has_old_pending(seen, found) || seen.is_not_held(entry) {
            self.add_suspect(seen, entry, name, found, tally);
        }
    }

    #[inline(never)]
    fn add_suspect(&mut self, seen: &Seen, entry: &Entry<'_>, name: &[u8], found: &Footprint, tally: &Tally) {
        for suspicion in Suspicion::ALL.into_iter().filter(|suspicion| suspicion.is_of(seen, entry, found, tally)) {
            let kind = entry.kind.name();
            let Some(of) = self.of_mut(suspicion, kind) else { continue };
            of.tally.merge(tally);
            let place = (std::cmp::Reverse(found.memory_bytes.unwrap_or(0)), seen.dump, entry.offset);
            let comes_before = |last: &SuspectKey| {
                let (memory, dump, offset, _) = last.rank();
                (memory, dump, offset) < place
            };
            if of.keys.get(KEYS_MAX - 1).is_some_and(comes_before) {
                continue;
            }
            let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
            let key = KeyRow::new(seen.dump, entry, found, tally, name);
            of.insert(SuspectKey { db: seen.db, kind: kind.into(), key });
        }
    }

    /// The keys of a suspicion and type, in the order of both.
    fn of_mut(&mut self, suspicion: Suspicion, kind: &str) -> Option<&mut SuspectKeys> {
        let order = |kind: &str| Kind::ALL.iter().position(|known| known.name() == kind).unwrap_or(Kind::ALL.len());
        let known = self.0.iter().position(|of| of.suspicion == suspicion && of.kind == kind);
        let place = known.unwrap_or_else(|| {
            let wanted = (suspicion, order(kind), kind);
            let place = self.0.partition_point(|of| (of.suspicion, order(&of.kind), &*of.kind) < wanted);
            let kind = Cow::Owned(kind.to_owned());
            self.0.insert(place, SuspectKeys { suspicion, kind, tally: Tally::default(), keys: Vec::new() });
            place
        });
        self.0.get_mut(place)
    }

    /// Takes over those of what follows: keys of an unknown database are in `inherited`, dumps are numbered from `dumps` on.
    pub(super) fn merge(&mut self, other: Self, inherited: Option<u64>, dumps: u32) {
        for theirs in other.0 {
            let Some(of) = self.of_mut(theirs.suspicion, &theirs.kind) else { continue };
            of.tally.merge(&theirs.tally);
            for mut key in theirs.keys {
                key.db = key.db.or(inherited);
                key.key.dump = key.key.dump.saturating_add(dumps);
                of.insert(key);
            }
        }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.0.iter().map(|of| of.keys.len() as u64 * LISTED_BYTES).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of a suspicion whatever their type: all together, and the largest.
    pub fn together(&self, suspicion: Suspicion) -> (Tally, Vec<SuspectKey>) {
        let (mut tally, mut keys) = (Tally::default(), Vec::new());
        for found in self.of(suspicion) {
            tally.merge(&found.tally);
            keys.extend(found.keys.iter().cloned());
        }
        keys.sort_by(|a: &SuspectKey, b| a.rank().cmp(&b.rank()));
        keys.truncate(KEYS_MAX);
        (tally, keys)
    }

    /// All listed keys.
    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut KeyRow> {
        self.0.iter_mut().flat_map(|of| &mut of.keys).map(|suspect| &mut suspect.key)
    }

    /// The keys of a suspicion, by type.
    pub fn of(&self, suspicion: Suspicion) -> impl Iterator<Item = &SuspectKeys> {
        self.0.iter().filter(move |of| of.suspicion == suspicion)
    }
}

impl SuspectKeys {
    fn insert(&mut self, key: SuspectKey) {
        let place = self.keys.partition_point(|known| known.rank() < key.rank());
        if place < KEYS_MAX {
            self.keys.insert(place, key);
            self.keys.truncate(KEYS_MAX);
        }
    }
}
