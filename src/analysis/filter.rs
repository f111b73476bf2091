//! Which keys an analysis is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use crate::rdb::slot::slot_of_name;
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

/// A range of whole numbers, both ends included; an end that is missing is not a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bounds {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

impl Bounds {
    /// Whether a number is in the range.
    pub fn contains(&self, number: u64) -> bool {
        self.from.is_none_or(|from| number >= from) && self.to.is_none_or(|to| number <= to)
    }

    /// Whether all numbers are.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// As it is typed: `3..9`, `3..`, `..9`, or `3` for `3..3`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from == to => write!(f, "{from}"),
            (from, to) => {
                from.map_or(Ok(()), |from| write!(f, "{from}"))?;
                f.write_str("..")?;
                to.map_or(Ok(()), |to| write!(f, "{to}"))
            }
        }
    }
}

/// A condition on the time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ttl {
    /// The key never expires.
    None,
    /// It expires in so many milliseconds; a key that has expired already, in none.
    Within(Bounds),
}

/// Conditions that a key must meet, all of them; of several globs, regular expressions, databases, kinds or ranges, one.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Databases; none for all.
    pub databases: Vec<u64>,
    /// Kinds; none for all.
    pub kinds: Vec<Kind>,
    /// Kinds that are left out.
    pub not_kinds: Vec<Kind>,
    /// Patterns of names; none for all. Where there are globs and regular expressions, one of each must match.
    pub patterns: Vec<Pattern>,
    /// Patterns of names that are left out: none of them may match.
    pub not_patterns: Vec<Pattern>,
    /// The least size of keys that are measured in bytes.
    pub min_bytes: u64,
    /// The largest size of keys that are measured in bytes.
    pub max_bytes: Option<u64>,
    /// The least size of keys that are measured in elements.
    pub min_elements: u64,
    /// The bytes of memory that a key may take; one whose memory is not known passes only where all do.
    pub memory_bytes: Bounds,
    /// Times to live; none for all.
    pub ttls: Vec<Ttl>,
    /// Seconds since a key was last used; none for all. A key of which a dump does not say that does not pass.
    pub idle_seconds: Vec<Bounds>,
    /// LFU counters; none for all. A key of which a dump does not have it does not pass.
    pub frequencies: Vec<Bounds>,
    /// Slots of a cluster; none for all.
    pub slots: Vec<Bounds>,
    /// Keys that are measured in elements pass too, however few they have, if their value has more bytes in the dump.
    pub or_value_bytes: Option<u64>,
    /// What to do with expired keys.
    pub expired: Expired,
    /// The moment that decides which keys have expired and that times to live are measured from, in milliseconds since
    /// 1970; by default the dump's own `ctime`.
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
        let Self { databases: _, kinds, not_kinds, patterns, not_patterns, .. } = self;
        let Self { min_bytes, max_bytes, min_elements, memory_bytes, ttls, idle_seconds, .. } = self;
        let Self { frequencies, slots, expired, now_ms: _, .. } = self;
        let is_of_any_size = (*min_bytes, *max_bytes, *min_elements) == (0, None, 0) && memory_bytes.is_all();
        let is_of_any_name = patterns.is_empty() && not_patterns.is_empty() && slots.is_empty();
        let is_of_any_age =
            ttls.is_empty() && idle_seconds.is_empty() && frequencies.is_empty() && *expired == Expired::Keep;
        is_of_any_size && is_of_any_name && is_of_any_age && kinds.is_empty() && not_kinds.is_empty()
    }

    /// Whether it depends on what time it is.
    pub fn needs_now(&self) -> bool {
        self.expired != Expired::Keep || self.ttls.iter().any(|ttl| matches!(ttl, Ttl::Within(_)))
    }

    /// Whether it depends on what keys take in memory.
    pub fn needs_memory(&self) -> bool {
        !self.memory_bytes.is_all()
    }

    /// Whether a key may take so much memory, if that is known.
    #[inline]
    pub(crate) fn wants_memory(&self, memory_bytes: Option<u64>) -> bool {
        !self.needs_memory() || memory_bytes.is_some_and(|bytes| self.memory_bytes.contains(bytes))
    }

    /// Whether this kind was asked for by name.
    pub(super) fn names_kind(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether an entry meets all conditions but those of the database and of memory.
    #[inline]
    pub(crate) fn passes(&self, entry: &Entry<'_>, name: &[u8]) -> bool {
        let is_of_size = match entry.kind.unit() {
            Unit::Byte => entry.size >= self.min_bytes && self.max_bytes.is_none_or(|most| entry.size <= most),
            Unit::Count => {
                entry.size >= self.min_elements || self.or_value_bytes.is_some_and(|most| entry.value_bytes > most)
            }
        };
        is_of_size
            && (self.kinds.is_empty() || self.names_kind(entry.kind))
            && !self.not_kinds.contains(&entry.kind)
            && (self.expired == Expired::Keep || self.has_expired(entry) == (self.expired == Expired::Only))
            && (self.ttls.is_empty() || self.ttls.iter().any(|ttl| self.has_ttl(entry, *ttl)))
            && any_contains(&self.idle_seconds, entry.idle_seconds)
            && any_contains(&self.frequencies, entry.frequency.map(u64::from))
            && (self.slots.is_empty() || any_contains(&self.slots, Some(slot_of_name(name).into())))
            && (self.patterns.is_empty() || self.matches(name))
            && !self.not_patterns.iter().any(|pattern| pattern.matches(name))
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

    fn has_ttl(&self, entry: &Entry<'_>, ttl: Ttl) -> bool {
        match (ttl, entry.expires_at_ms) {
            (Ttl::None, at_ms) => at_ms.is_none(),
            (Ttl::Within(_), None) => false,
            (Ttl::Within(bounds), Some(at_ms)) => self
                .now_ms
                .is_some_and(|now_ms| bounds.contains(u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0))),
        }
    }
}

/// Whether any of the ranges has the number; where there is none, any number is in range, known or not.
fn any_contains(ranges: &[Bounds], number: Option<u64>) -> bool {
    ranges.is_empty() || number.is_some_and(|number| ranges.iter().any(|range| range.contains(number)))
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
