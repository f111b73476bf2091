//! What a server can load: which files, and keys of which types.

use super::Target;
use crate::rdb::{Dialect, Kind, ValueType};

impl Target {
    /// Whether this is a Valkey.
    fn is_valkey(self) -> bool {
        self == Self::Valkey7_2 || self >= Self::Valkey8_0
    }

    /// The newest version of Redis's format that it loads (rdb.h, `RDB_VERSION`; Valkey refuses versions from 12 on as
    /// foreign).
    pub fn rdb_version_max(self) -> u32 {
        match self {
            Self::Redis6_2 => 9,
            Self::Redis7_0 => 10,
            Self::Redis7_4 | Self::Redis8_0 | Self::Redis8_2 | Self::Redis8_4 => 12,
            Self::Redis8_6 => 13,
            Self::Redis8_8 => 14,
            Self::Redis8_10 => 15,
            Self::Redis7_2
            | Self::Valkey7_2
            | Self::Valkey8_0
            | Self::Valkey8_1
            | Self::Valkey9_0
            | Self::Valkey9_1 => 11,
        }
    }

    /// Whether it reads a file of this dialect and version at all, whatever keys are in it.
    pub fn loads_file(self, dialect: Dialect, version: u32) -> bool {
        match dialect {
            Dialect::Valkey => self >= Self::Valkey9_0,
            Dialect::Redis => version <= self.rdb_version_max(),
            Dialect::Dragonfly => false,
        }
    }

    /// Whether it can hold such a value, however that gets there: hashes whose fields expire, arrays, vector sets and values
    /// of modules are not known to all. Modules are taken for missing, since a dump does not say which a server has.
    pub fn holds(self, kind: Kind, value_type: ValueType) -> bool {
        match (kind, value_type) {
            (Kind::Array, _) => self.is_redis_since(Self::Redis8_8),
            (Kind::VectorSet, _) => self.is_redis_since(Self::Redis8_0),
            (Kind::Module, _) => false,
            // Those of Redis and of Valkey share a number.
            (Kind::Hash, ValueType(22..=25)) => {
                if self.is_valkey() {
                    self >= Self::Valkey9_0
                } else {
                    self >= Self::Redis7_4
                }
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_types_that_servers_load() {
        assert!(Target::Redis7_0.loads_file(Dialect::Redis, 10) && !Target::Redis7_0.loads_file(Dialect::Redis, 11));
        assert!(Target::Valkey9_1.loads_file(Dialect::Redis, 11) && !Target::Valkey9_1.loads_file(Dialect::Redis, 12));
        assert!(
            Target::Valkey9_0.loads_file(Dialect::Valkey, 80) && !Target::Redis8_10.loads_file(Dialect::Valkey, 80)
        );
        let with_ttls = |target: Target| target.holds(Kind::Hash, ValueType::HASH_LISTPACK_TTL);
        assert_eq!(Target::ALL.into_iter().filter(|target| with_ttls(*target)).count(), 9);
        assert!(!with_ttls(Target::Valkey7_2) && !with_ttls(Target::Redis7_2) && with_ttls(Target::Valkey9_0));
        assert!(Target::Redis8_0.holds(Kind::VectorSet, ValueType::MODULE_2));
        assert!(!Target::Valkey9_1.holds(Kind::VectorSet, ValueType::MODULE_2));
        assert!(!Target::Redis8_6.holds(Kind::Array, ValueType::ARRAY));
    }
}
