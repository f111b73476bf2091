//! The format that is written: a dialect's version, and which types its servers know.

use std::fmt;

use crate::rdb::{Context, Dialect, ValueType};

/// A version of a dialect's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub(super) dialect: Dialect,
    pub(super) version: u32,
}

/// Valkey's own format.
const VALKEY: u32 = 80;

/// The newest version of Redis's format that Valkey reads.
const SHARED_MAX: u32 = 11;

/// The oldest version that is written: Redis 2.6's.
const OLDEST: u32 = 6;

/// The newest one of Redis's.
const NEWEST_OF_REDIS: u32 = 16;

/// Dragonfly states 9 whatever is in its dumps; its types are known since this version.
const FOR_DRAGONFLY: u32 = 11;

impl Format {
    /// A version: 6 to 16 of Redis's format, 80 of Valkey's.
    ///
    /// # Errors
    /// A sentence if there is none of this number, or it is not written.
    pub fn of_version(version: u32) -> Result<Self, String> {
        match version {
            OLDEST..=NEWEST_OF_REDIS => Ok(Self { dialect: Dialect::Redis, version }),
            VALKEY => Ok(Self { dialect: Dialect::Valkey, version }),
            _ => Err(format!("expected {OLDEST} to {NEWEST_OF_REDIS} for Redis, or {VALKEY} for Valkey")),
        }
    }

    /// The format of a dump.
    pub(super) fn of_dump(context: &Context) -> Self {
        match context.dialect {
            Dialect::Dragonfly => Self { dialect: Dialect::Redis, version: FOR_DRAGONFLY },
            dialect => Self { dialect, version: context.version },
        }
    }

    /// Whether values are stored in it as they are in a dump.
    pub(super) fn is_of(self, context: &Context) -> bool {
        (self.dialect, self.version) == (context.dialect, context.version)
    }

    /// Whether a type of a dump is known.
    pub(super) fn knows(self, value_type: ValueType, context: &Context) -> bool {
        match value_type.first_version(context.dialect) {
            // Sets of Dragonfly's that expire have numbers of hash templates.
            _ if context.dialect == Dialect::Dragonfly && value_type.0 >= 22 => false,
            Some(first) if self.dialect == Dialect::Valkey => first <= SHARED_MAX || first == VALKEY,
            Some(first) => first <= self.version,
            None => false,
        }
    }

    /// Whether a type that Redis's numbers name is known.
    pub(super) fn has(self, value_type: ValueType) -> bool {
        self.knows(value_type, &Context::new(Dialect::Redis, NEWEST_OF_REDIS))
    }

    /// Whether servers know function libraries (Redis 7.0).
    pub(super) fn has_functions(self) -> bool {
        self.version >= 10
    }

    /// Whether servers know idle times, access counters and data of modules outside of keys (Redis 5.0).
    pub(super) fn has_access(self) -> bool {
        self.version >= 9
    }

    /// Whether keys can carry metadata of modules (Redis 8.6).
    pub(super) fn has_key_meta(self) -> bool {
        self.dialect == Dialect::Redis && self.version >= 13
    }

    /// Whether auxiliary fields are known (Redis 3.2).
    pub(super) fn has_aux(self) -> bool {
        self.version >= 7
    }

    /// Whether a checksum follows the end.
    pub(super) fn has_checksum(self) -> bool {
        self.version >= 5
    }

    /// The magic and the version.
    pub(super) fn magic(self) -> String {
        match self.dialect {
            Dialect::Valkey => format!("VALKEY{:03}", self.version),
            _ => format!("REDIS{:04}", self.version),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} of the {} format", self.version, self.dialect)
    }
}
