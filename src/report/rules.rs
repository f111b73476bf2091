//! What the publishers of guides call a big key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::analysis::filter::{BIG_ELEMENTS, BIG_STRING_BYTES, BIG_VALUE_BYTES};
use crate::rdb::Kind;

/// A published set of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rules {
    /// Strings over 10 KB; others over 5,000 elements or over 50 MB in all.
    #[default]
    Huawei,
    /// Strings over 5 MB, sorted sets over 10,000 members, hashes over 2,000 fields and 100 MB, lists and sets over 2,000
    /// elements.
    Alibaba,
    /// Strings over 10 MB, lists, sets and sorted sets over 10,000 elements, hashes over 1,000 fields and 1,000 MB.
    Tencent,
    /// Values over 128 MB, which data tiering keeps in memory.
    Aws,
    /// Strings over 100 KB, sets over 1,000 members, hashes over 5,000 fields.
    Redis,
}

/// What rules look at of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySize {
    /// STRLEN of a string, a collection's number of elements.
    pub size: u64,
    /// Bytes of memory, 0 if they are not known.
    pub memory_bytes: u64,
    /// Bytes of its record.
    pub serialized_bytes: u64,
}

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;

/// Keys of less memory and fewer elements are big by no rules.
pub(super) const BIG_MEMORY_BYTES_MIN: u64 = 10 * KB;
pub(super) const BIG_ELEMENTS_MIN: u64 = 1000;

impl Rules {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Huawei, Self::Alibaba, Self::Tencent, Self::Aws, Self::Redis];

    /// The name by which they are chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Huawei => "huawei",
            Self::Alibaba => "alibaba",
            Self::Tencent => "tencent",
            Self::Aws => "aws",
            Self::Redis => "redis",
        }
    }

    /// Where they are published.
    pub fn source(self) -> &'static str {
        match self {
            Self::Huawei => "Huawei Cloud DCS, user guide dcs-ug-190808001 and best practice dcs-bp-0220411",
            Self::Alibaba => "Alibaba Cloud, document 353223 and Tair top key statistics",
            Self::Tencent => "TencentDB for Redis, document 239/54756",
            Self::Aws => "Amazon MemoryDB and ElastiCache, data tiering",
            Self::Redis => "Redis Insight, recommendations",
        }
    }

    /// The limits for keys of a type, in words; none if these rules have none.
    pub fn limits(self, kind: Kind) -> Option<&'static str> {
        Some(match (self, kind) {
            (Self::Huawei, Kind::String) => "10 KB",
            (Self::Huawei, _) => "5,000 elements or 50 MB",
            (Self::Alibaba, Kind::String) => "5 MB",
            (Self::Alibaba, Kind::Zset) => "10,000 members",
            (Self::Alibaba, Kind::Hash) => "2,000 fields and 100 MB",
            (Self::Alibaba, Kind::List | Kind::Set) => "2,000 elements",
            (Self::Tencent, Kind::String) => "10 MB",
            (Self::Tencent, Kind::List | Kind::Set | Kind::Zset) => "10,000 elements",
            (Self::Tencent, Kind::Hash) => "1,000 fields and 1,000 MB",
            (Self::Aws, _) => "128 MB",
            (Self::Redis, Kind::String) => "100 KB",
            (Self::Redis, Kind::Set) => "1,000 members",
            (Self::Redis, Kind::Hash) => "5,000 fields",
            _ => return None,
        })
    }

    /// Whether a key is big.
    pub fn is_big(self, kind: Kind, key: KeySize) -> bool {
        let KeySize { size, memory_bytes, serialized_bytes } = key;
        match (self, kind) {
            (Self::Huawei, Kind::String) => size > BIG_STRING_BYTES,
            // A module's value is measured in bytes, and its elements are not known.
            (Self::Huawei, Kind::Module) => memory_bytes.max(serialized_bytes) > BIG_VALUE_BYTES,
            (Self::Huawei, _) => size > BIG_ELEMENTS || memory_bytes > BIG_VALUE_BYTES,
            (Self::Alibaba, Kind::String) => size > 5 * MB,
            (Self::Alibaba, Kind::Zset) | (Self::Tencent, Kind::List | Kind::Set | Kind::Zset) => size > 10_000,
            (Self::Alibaba, Kind::Hash) => size > 2000 && memory_bytes > 100 * MB,
            (Self::Alibaba, Kind::List | Kind::Set) => size > 2000,
            (Self::Tencent, Kind::String) => size > 10 * MB,
            (Self::Tencent, Kind::Hash) => size > 1000 && memory_bytes > 1000 * MB,
            (Self::Aws, _) => memory_bytes.max(serialized_bytes) > 128 * MB,
            (Self::Redis, Kind::String) => size > 100 * KB,
            (Self::Redis, Kind::Set) => size > 1000,
            (Self::Redis, Kind::Hash) => size > 5000,
            _ => false,
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Rules {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|rules| rules.name() == name).ok_or("unknown rules")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exceeded_by_more() {
        let key = |size, memory_bytes| KeySize { size, memory_bytes, serialized_bytes: 0 };
        for (rules, kind, most) in [
            (Rules::Huawei, Kind::String, key(10_240, 12_000)),
            (Rules::Huawei, Kind::Hash, key(5000, 50 << 20)),
            (Rules::Alibaba, Kind::Zset, key(10_000, 1 << 40)),
            (Rules::Alibaba, Kind::Hash, key(1 << 40, 100 << 20)),
            (Rules::Tencent, Kind::Set, key(10_000, 0)),
            (Rules::Aws, Kind::List, key(1 << 40, 128 << 20)),
            (Rules::Redis, Kind::Set, key(1000, 0)),
        ] {
            assert!(!rules.is_big(kind, most), "{rules} {kind:?}");
            let more = key(most.size.saturating_add(1), most.memory_bytes + 1);
            assert!(rules.is_big(kind, more), "{rules} {kind:?}");
            assert!(more.size > BIG_ELEMENTS_MIN || more.memory_bytes > BIG_MEMORY_BYTES_MIN);
            assert!(rules.limits(kind).is_some());
        }
        assert!(Rules::Huawei.is_big(Kind::List, key(2, (50 << 20) + 1)));
    }
}
