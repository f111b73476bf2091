//! The servers whose memory is modelled, and which of them a dump means.

use std::fmt;
use std::str::FromStr;

use crate::rdb::{Context, Dialect};

/// A line of servers that count memory alike.
///
/// Later ones of a family compare greater. Valkey 7.2 stands next to Redis 7.2, from which it differs in nothing but its name;
/// the Valkeys from 8.0 on come after all Redises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each name is a server and its version")]
pub enum Target {
    Redis6_2,
    Redis7_0,
    Redis7_2,
    Valkey7_2,
    Redis7_4,
    Redis8_0,
    Redis8_2,
    Redis8_4,
    Redis8_6,
    Redis8_8,
    Redis8_10,
    Valkey8_0,
    /// As 8.1.8 counts: 8.1.1 leaves the embedded key out, which understates what a key takes.
    Valkey8_1,
    Valkey9_0,
    Valkey9_1,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Redis6_2,
        Self::Redis7_0,
        Self::Redis7_2,
        Self::Redis7_4,
        Self::Redis8_0,
        Self::Redis8_2,
        Self::Redis8_4,
        Self::Redis8_6,
        Self::Redis8_8,
        Self::Redis8_10,
        Self::Valkey7_2,
        Self::Valkey8_0,
        Self::Valkey8_1,
        Self::Valkey9_0,
        Self::Valkey9_1,
    ];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis6_2 => "redis-6.2",
            Self::Redis7_0 => "redis-7.0",
            Self::Redis7_2 => "redis-7.2",
            Self::Redis7_4 => "redis-7.4",
            Self::Redis8_0 => "redis-8.0",
            Self::Redis8_2 => "redis-8.2",
            Self::Redis8_4 => "redis-8.4",
            Self::Redis8_6 => "redis-8.6",
            Self::Redis8_8 => "redis-8.8",
            Self::Redis8_10 => "redis-8.10",
            Self::Valkey7_2 => "valkey-7.2",
            Self::Valkey8_0 => "valkey-8.0",
            Self::Valkey8_1 => "valkey-8.1",
            Self::Valkey9_0 => "valkey-9.0",
            Self::Valkey9_1 => "valkey-9.1",
        }
    }

    /// The server that wrote a dump, by `redis-ver` or `valkey-ver`; where there is none, or one that does not write this
    /// version of the format, by that.
    ///
    /// Versions between two that are modelled count as the older one, those before 6.2 as 6.2.
    pub fn of(context: &Context) -> Self {
        let version = context.aux.server_version.as_deref().and_then(version);
        // Valkey up to 8.1 writes Redis's format under `valkey-ver`, and claims no Redis version above 7.2.4.
        let is_valkey = context.dialect == Dialect::Valkey || context.aux.is_valkey;
        let version = version.map(|version| possible(version, is_valkey, context.version));
        let by_format = match (is_valkey, context.version) {
            (true, 80..) => 9_01,
            (true, _) => 8_00,
            (false, 0..=9) => 6_02,
            (false, 10) => 7_00,
            (false, 11) => 7_02,
            (false, 12) => 7_04,
            (false, 13) => 8_06,
            (false, 14) => 8_08,
            (false, 15..) => 8_10,
        };
        match (is_valkey, version.unwrap_or(by_format)) {
            (true, ..8_00) => Self::Valkey7_2,
            (true, ..=8_00) => Self::Valkey8_0,
            (true, ..9_00) => Self::Valkey8_1,
            (true, ..9_01) => Self::Valkey9_0,
            (true, _) => Self::Valkey9_1,
            (false, ..7_00) => Self::Redis6_2,
            (false, ..7_02) => Self::Redis7_0,
            (false, ..7_04) => Self::Redis7_2,
            (false, ..8_00) => Self::Redis7_4,
            (false, ..8_01) => Self::Redis8_0,
            (false, ..8_04) => Self::Redis8_2,
            (false, ..8_06) => Self::Redis8_4,
            (false, ..8_08) => Self::Redis8_6,
            (false, ..8_10) => Self::Redis8_8,
            (false, _) => Self::Redis8_10,
        }
    }

    /// Redis since 8.4 keeps books on what its tables hold, and asks the allocator less.
    pub(super) fn keeps_books(self) -> bool {
        self.is_redis_since(Self::Redis8_4)
    }

    /// Whether this is a Redis of that version or a later one.
    pub(super) fn is_redis_since(self, first: Self) -> bool {
        (first..Self::Valkey8_0).contains(&self)
    }

    /// Whether the integers 0 to 9,999 have one object each that all strings share (Redis up to 8.0, Valkey up to 8.0),
    /// as they do unless `maxmemory` is set with an LRU or LFU policy.
    pub(super) fn shares_integers(self) -> bool {
        self < Self::Redis8_2 || self == Self::Valkey8_0
    }

    /// Whether an element larger than a node of a list has one of its own, without a listpack (`isLargeElement` of
    /// quicklist.c, Redis since 7.4, Valkey since 8.0).
    pub(super) fn has_plain_nodes(self) -> bool {
        self >= Self::Redis7_4
    }

    /// Valkey since 8.1: tables of buckets with seven entries each.
    pub(super) fn has_bucket_tables(self) -> bool {
        self >= Self::Valkey8_1
    }

    /// Whether small sets and lists are listpacks (Redis and Valkey since 7.2).
    pub(super) fn packs_sets_and_lists(self) -> bool {
        self >= Self::Redis7_2
    }

    /// Whether packed values are listpacks (since 7.0), and not ziplists.
    pub(super) fn has_listpacks(self) -> bool {
        self >= Self::Redis7_0
    }
}

/// The version nearest to `version` whose servers write this version of the format (RDB 10 is of 7.0, 11 of 7.2, 12 of 7.4 to
/// 8.4, 13 of 8.6, 14 of 8.8; 80 of Valkey 9): forks and hand-made dumps claim any.
fn possible(version: u32, is_valkey: bool, rdb_version: u32) -> u32 {
    let (first, last) = match (is_valkey, rdb_version) {
        (true, 80..) => (9_00, u32::MAX),
        (true, _) => (7_02, 8_99),
        (false, 0..=9) => (0, 6_99),
        (false, 10) => (7_00, 7_01),
        (false, 11) => (7_02, 7_03),
        (false, 12) => (7_04, 8_05),
        (false, 13) => (8_06, 8_07),
        (false, 14) => (8_08, 8_09),
        (false, 15..) => (8_10, u32::MAX),
    };
    version.clamp(first, last)
}

/// `7.2.4` as 702: a hundred times the major number, and the minor. Servers built from a branch call themselves
/// `255.255.255`, which is newer than all.
fn version(text: &str) -> Option<u32> {
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
    numbers.next()??.checked_mul(100)?.checked_add(numbers.next()??)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|target| target.name() == name).ok_or("an unknown server")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_names_its_server() {
        for (dialect, format, is_valkey, version, expected) in [
            (Dialect::Redis, 9, false, Some("6.2.5"), "redis-6.2"),
            (Dialect::Redis, 6, false, None, "redis-6.2"),
            (Dialect::Redis, 9, false, Some("5.0.14"), "redis-6.2"),
            (Dialect::Redis, 10, false, Some("7.0.15"), "redis-7.0"),
            (Dialect::Redis, 12, false, Some("8.2.3"), "redis-8.2"),
            (Dialect::Redis, 12, false, Some("8.4.0"), "redis-8.4"),
            (Dialect::Redis, 14, false, Some("8.8.1"), "redis-8.8"),
            (Dialect::Redis, 15, false, Some("8.10.0"), "redis-8.10"),
            (Dialect::Redis, 15, false, Some("8.12.0"), "redis-8.10"),
            (Dialect::Redis, 11, true, Some("7.2.9"), "valkey-7.2"),
            (Dialect::Redis, 11, true, Some("8.0.1"), "valkey-8.0"),
            (Dialect::Redis, 11, true, Some("8.1.8"), "valkey-8.1"),
            (Dialect::Valkey, 80, true, Some("9.0.0"), "valkey-9.0"),
            (Dialect::Valkey, 80, true, Some("9.1.2"), "valkey-9.1"),
            (Dialect::Valkey, 80, false, Some("unstable"), "valkey-9.1"),
            (Dialect::Redis, 12, false, Some("255.255.255"), "redis-8.4"),
            (Dialect::Redis, 16, false, Some("255.255.255"), "redis-8.10"),
            (Dialect::Redis, 8, false, Some("999.999.999"), "redis-6.2"),
            (Dialect::Redis, 9, false, Some("255.255.255"), "redis-6.2"),
            (Dialect::Redis, 10, false, Some("99.0.0"), "redis-7.0"),
            (Dialect::Redis, 11, false, Some("2.8.24"), "redis-7.2"),
            (Dialect::Redis, 12, false, Some("6.2.5"), "redis-7.4"),
            (Dialect::Redis, 11, true, Some("255.255.255"), "valkey-8.1"),
            (Dialect::Valkey, 80, true, Some("7.2.4"), "valkey-9.0"),
            (Dialect::Valkey, 80, true, Some("255.255.255"), "valkey-9.1"),
        ] {
            let mut context = Context::new(dialect, format);
            context.aux.is_valkey = is_valkey;
            context.aux.server_version = version.map(str::to_owned);
            assert_eq!(Target::of(&context).name(), expected, "{version:?}");
        }
    }
}
