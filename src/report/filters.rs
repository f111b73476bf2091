//! Which keys a report is about: the filter that was used, as its JSON has it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::analysis::Pattern;
use crate::analysis::filter::{Bounds, Expired, Filter, Ttl};
use crate::rdb::Kind;

/// The filter of a report. Conditions of different kinds narrow, several of one kind widen; an empty one lets all keys pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Databases, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<u64>,
    /// Types, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Types that were left out, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_types: Vec<String>,
    /// Globs of names, in their order; bytes that are not UTF-8 as `\xff`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub globs: Vec<String>,
    /// Regular expressions of names, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regexes: Vec<String>,
    /// Globs of names that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_globs: Vec<String>,
    /// Regular expressions of names that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_regexes: Vec<String>,
    /// The least size of keys that are measured in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// The largest size of keys that are measured in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The least size of keys that are measured in elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_elements: Option<u64>,
    /// The least memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_memory_bytes: Option<u64>,
    /// The most memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_bytes: Option<u64>,
    /// Whether keys that never expire passed, where times to live were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_ttl: bool,
    /// Times to live in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttl_ms: Vec<Bounds>,
    /// Seconds since keys were last used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle_seconds: Vec<Bounds>,
    /// LFU counters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequencies: Vec<Bounds>,
    /// Slots of a cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Bounds>,
    /// Bytes of a value in the dump over which keys that are measured in elements pass too, however few they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_value_bytes: Option<u64>,
    /// What was done with expired keys, if they were told from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<FilteredExpired>,
    /// Whether reports of different filters were merged; nothing else is said then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_mixed: bool,
}

/// What was done with expired keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilteredExpired {
    /// They were left out.
    Skip,
    /// All others were left out.
    Only,
}

impl Filters {
    /// A filter as a report has it: the same for filters that let the same keys pass, however they were given.
    pub(super) fn of(filter: &Filter) -> Self {
        let texts = |patterns: &[Pattern], is_glob| {
            let of_kind = patterns.iter().filter(|pattern| pattern.is_glob() == is_glob);
            sorted(of_kind.map(|pattern| pattern.text().to_owned()).collect())
        };
        let names = |kinds: &[Kind]| sorted(kinds.iter().map(|kind| kind.name().to_owned()).collect());
        let ttls = filter.ttls.iter().filter_map(|ttl| match ttl {
            Ttl::None => None,
            Ttl::Within(bounds) => Some(*bounds),
        });
        Self {
            databases: sorted(filter.databases.clone()),
            types: names(&filter.kinds),
            not_types: names(&filter.not_kinds),
            globs: texts(&filter.patterns, true),
            regexes: texts(&filter.patterns, false),
            not_globs: texts(&filter.not_patterns, true),
            not_regexes: texts(&filter.not_patterns, false),
            min_bytes: Some(filter.min_bytes).filter(|bytes| *bytes > 0),
            max_bytes: filter.max_bytes,
            min_elements: Some(filter.min_elements).filter(|elements| *elements > 0),
            min_memory_bytes: filter.memory_bytes.from,
            max_memory_bytes: filter.memory_bytes.to,
            without_ttl: filter.ttls.contains(&Ttl::None),
            ttl_ms: sorted(ttls.collect()),
            idle_seconds: sorted(filter.idle_seconds.clone()),
            frequencies: sorted(filter.frequencies.clone()),
            slots: sorted(filter.slots.clone()),
            or_value_bytes: filter.or_value_bytes.filter(|_| filter.min_elements > 0),
            expired: match filter.expired {
                Expired::Keep => None,
                Expired::Skip => Some(FilteredExpired::Skip),
                Expired::Only => Some(FilteredExpired::Only),
            },
            is_mixed: false,
        }
    }

    /// The patterns of names.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { globs, regexes, not_globs, not_regexes, .. } = self;
        [globs, regexes, not_globs, not_regexes].into_iter().flatten()
    }

    /// Whether all keys passed.
    pub fn is_of_all(&self) -> bool {
        *self == Self::default()
    }

    /// The filter of a report that was merged from reports of this one and of another.
    pub(super) fn merge(&mut self, other: &Self) {
        if self != other {
            *self = Self { is_mixed: true, ..Self::default() };
        }
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// As the options that make it.
impl fmt::Display for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_mixed {
            return f.write_str("several filters");
        }
        let mut options: Vec<String> = Vec::new();
        let mut add = |option: &str, value: &dyn fmt::Display| options.push(format!("--{option} {value}"));
        self.databases.iter().for_each(|db| add("db", db));
        for (option, texts) in [
            ("type", &self.types),
            ("not-type", &self.not_types),
            ("match", &self.globs),
            ("not-match", &self.not_globs),
            ("regex", &self.regexes),
            ("not-regex", &self.not_regexes),
        ] {
            for text in texts {
                add(option, text);
            }
        }
        // The option that sets all three.
        let (big, set) = match self.or_value_bytes {
            Some(_) => (Some("--big".to_owned()), (None, None)),
            None => (None, (self.min_bytes, self.min_elements)),
        };
        for (option, number) in [
            ("min-bytes", set.0),
            ("max-bytes", self.max_bytes),
            ("min-elements", set.1),
            ("min-memory", self.min_memory_bytes),
            ("max-memory", self.max_memory_bytes),
        ] {
            if let Some(number) = number {
                add(option, &number);
            }
        }
        if self.without_ttl {
            add("ttl", &"none");
        }
        self.ttl_ms.iter().for_each(|bounds| add("ttl", &Seconds(in_seconds(*bounds))));
        self.idle_seconds.iter().for_each(|bounds| add("idle", &Seconds(*bounds)));
        self.frequencies.iter().for_each(|bounds| add("frequency", bounds));
        self.slots.iter().for_each(|bounds| add("slot", bounds));
        match self.expired {
            None => {}
            Some(FilteredExpired::Skip) => add("expired", &"skip"),
            Some(FilteredExpired::Only) => add("expired", &"only"),
        }
        options.extend(big);
        f.write_str(if options.is_empty() { "no filter" } else { "" })?;
        f.write_str(&options.join(" "))
    }
}

/// A range of seconds as it is typed.
struct Seconds(Bounds);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { from, to } = self.0;
        from.map_or(Ok(()), |from| write!(f, "{from}s"))?;
        f.write_str("..")?;
        to.map_or(Ok(()), |to| write!(f, "{to}s"))
    }
}

/// A range of milliseconds in seconds: whole ones, which is what can be asked for.
fn in_seconds(Bounds { from, to }: Bounds) -> Bounds {
    let seconds = |ms: u64| ms / 1000;
    Bounds { from: from.map(seconds), to: to.map(seconds) }
}
