//! Which keys a report is about: the filter that was used, as its JSON has it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::analysis::filter::{Expired, Filter};

/// The filter of a report. Conditions of different kinds narrow, several of one kind widen; an empty one lets all keys pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Databases, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<u64>,
    /// Types, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Globs of names, in their order; bytes that are not UTF-8 as `\xff`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub globs: Vec<String>,
    /// Regular expressions of names, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regexes: Vec<String>,
    /// The least size of keys that are measured in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// The least size of keys that are measured in elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_elements: Option<u64>,
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
        let patterns = |is_glob| {
            let of_kind = filter.patterns.iter().filter(|pattern| pattern.is_glob() == is_glob);
            sorted(of_kind.map(|pattern| pattern.text().to_owned()).collect())
        };
        Self {
            databases: sorted(filter.databases.clone()),
            types: sorted(filter.kinds.iter().map(|kind| kind.name().to_owned()).collect()),
            globs: patterns(true),
            regexes: patterns(false),
            min_bytes: Some(filter.min_bytes).filter(|bytes| *bytes > 0),
            min_elements: Some(filter.min_elements).filter(|elements| *elements > 0),
            or_value_bytes: filter.or_value_bytes.filter(|_| filter.min_elements > 0),
            expired: match filter.expired {
                Expired::Keep => None,
                Expired::Skip => Some(FilteredExpired::Skip),
                Expired::Only => Some(FilteredExpired::Only),
            },
            is_mixed: false,
        }
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
        let Self { databases, types, globs, regexes, min_bytes, min_elements, or_value_bytes, expired, is_mixed } =
            self;
        if *is_mixed {
            return f.write_str("several filters");
        }
        let mut options: Vec<String> = databases.iter().map(|db| format!("--db {db}")).collect();
        options.extend(types.iter().map(|name| format!("--type {name}")));
        options.extend(globs.iter().map(|glob| format!("--match {glob}")));
        options.extend(regexes.iter().map(|regex| format!("--regex {regex}")));
        // The option that sets all three.
        if or_value_bytes.is_some() {
            options.push("--big".to_owned());
        } else {
            options.extend(min_bytes.map(|bytes| format!("--min-bytes {bytes}")));
            options.extend(min_elements.map(|elements| format!("--min-elements {elements}")));
        }
        options.extend(expired.map(|how| match how {
            FilteredExpired::Skip => "--expired skip".to_owned(),
            FilteredExpired::Only => "--expired only".to_owned(),
        }));
        f.write_str(if options.is_empty() { "no filter" } else { "" })?;
        f.write_str(&options.join(" "))
    }
}
