//! Which keys an analysis is about.

use super::pattern::Pattern;
use crate::rdb::{Entry, Kind, Unit};

/// What to do with keys that had expired at a given moment; they are still in the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expired {
    /// Count them like all others.
    #[default]
    Keep,
    /// Leave them out.
    Skip,
    /// Count them alone.
    Only,
}

/// The size over which the task's published definition calls a string big: 10 KB.
pub const BIG_STRING_BYTES: u64 = 10 * 1024;

/// The number of elements over which it calls a collection big.
pub const BIG_ELEMENTS: u64 = 5000;

/// The bytes of a value over which it calls a collection of fewer elements big: 50 MB. A scan takes those in the dump for it.
pub const BIG_VALUE_BYTES: u64 = 50 << 20;

/// Conditions that a key must meet, all of them; of several globs, regular expressions, databases or kinds, one.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Databases; none for all.
    pub databases: Vec<u64>,
    /// Kinds; none for all.
    pub kinds: Vec<Kind>,
    /// Patterns of names; none for all. Where there are globs and regular expressions, one of each must match.
    pub patterns: Vec<Pattern>,
    /// The least size of keys that are measured in bytes.
    pub min_bytes: u64,
    /// The least size of keys that are measured in elements.
    pub min_elements: u64,
    /// Keys that are measured in elements pass too, however few they have, if their value has more bytes in the dump.
    pub or_value_bytes: Option<u64>,
    /// What to do with expired keys.
    pub expired: Expired,
    /// The moment that decides which keys have expired, in milliseconds since 1970; by default the dump's own `ctime`.
    pub now_ms: Option<i64>,
}

impl Filter {
    /// Whether entries of this database can pass; of one that is not known yet they can.
    pub(crate) fn wants_database(&self, db: Option<u64>) -> bool {
        self.databases.is_empty() || db.is_none_or(|db| self.databases.contains(&db))
    }

    /// Whether some databases were asked for.
    pub(crate) fn names_databases(&self) -> bool {
        !self.databases.is_empty()
    }

    /// Whether entries of databases that are wanted pass whatever they are.
    pub(crate) fn is_of_all(&self) -> bool {
        let Self { databases: _, kinds, patterns, min_bytes, min_elements, or_value_bytes: _, expired, now_ms: _ } =
            self;
        let is_of_any_size = (*min_bytes, *min_elements) == (0, 0);
        is_of_any_size && kinds.is_empty() && patterns.is_empty() && *expired == Expired::Keep
    }

    /// Whether this kind was asked for by name.
    pub(super) fn names_kind(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether an entry meets all conditions but that of the database.
    #[inline]
    pub(crate) fn passes(&self, entry: &Entry<'_>, name: &[u8]) -> bool {
        let is_of_size = match entry.kind.unit() {
            Unit::Byte => entry.size >= self.min_bytes,
            Unit::Count => {
                entry.size >= self.min_elements || self.or_value_bytes.is_some_and(|most| entry.value_bytes > most)
            }
        };
        is_of_size
            && (self.kinds.is_empty() || self.names_kind(entry.kind))
            && (self.expired == Expired::Keep || self.has_expired(entry) == (self.expired == Expired::Only))
            && (self.patterns.is_empty() || self.matches(name))
    }

    fn matches(&self, name: &[u8]) -> bool {
        [true, false].into_iter().all(|is_glob| {
            let mut of_kind = self.patterns.iter().filter(|pattern| pattern.is_glob() == is_glob).peekable();
            of_kind.peek().is_none() || of_kind.any(|pattern| pattern.matches(name))
        })
    }

    /// Whether a server expires the entry: once the moment has passed, and not at that moment.
    fn has_expired(&self, entry: &Entry<'_>) -> bool {
        entry.expires_at_ms.zip(self.now_ms).is_some_and(|(at_ms, now_ms)| at_ms < now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_one_kind_widen_and_those_of_two_narrow() {
        let filter = |globs: &[&str], regexes: &[&str]| {
            let globs = globs.iter().map(|glob| Pattern::glob(glob).unwrap());
            let patterns = globs.chain(regexes.iter().map(|regex| Pattern::regex(regex).unwrap())).collect();
            Filter { patterns, ..Filter::default() }
        };
        let left = |filter: Filter| {
            let names = ["user:ab:42", "user:c", "a b", "x"];
            names.into_iter().filter(|name| filter.matches(name.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(left(filter(&["a*", "x"], &[])), ["a b", "x"]);
        assert_eq!(left(filter(&[], &["^user", "x"])), ["user:ab:42", "user:c", "x"]);
        assert_eq!(left(filter(&["*a*"], &["^user"])), ["user:ab:42"]);
        assert!(left(filter(&["a*"], &["^user"])).is_empty());
    }
}
