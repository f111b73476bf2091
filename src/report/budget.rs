//! Budgets: limits that the figures of a report are held to, and what exceeds them.
//!
//! A limit is written `key.memory > 1MiB`, `prefix[user:].keys > 1000000` or `total.without_ttl > 20%`: a subject, perhaps one of
//! its kind in brackets, a measure, and what it must not be above. A file of limits is a table of them (see [`Budget::add_table`]).

use std::fmt;

use super::{By, KeyRow, Name, Report, Tally, TopKeys};

/// Breaches that are listed one by one.
const BREACHES_MAX: usize = 100;

/// Limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    limits: Vec<Limit>,
}

/// A limit: each subject of a kind, or one of them, must not have more of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    subject: Subject,
    /// The one that is meant; without it, each.
    one: Option<Name>,
    measure: Measure,
    /// In hundredths of a percent where it is a share.
    most: u64,
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Key,
    Prefix,
    Type,
    Db,
    Dump,
    Group,
    Total,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Memory,
    Allocated,
    Serialized,
    Elements,
    Keys,
    WithoutTtl,
}

const SUBJECTS: [(&str, Subject); 7] = [
    ("key", Subject::Key),
    ("prefix", Subject::Prefix),
    ("type", Subject::Type),
    ("db", Subject::Db),
    ("dump", Subject::Dump),
    ("group", Subject::Group),
    ("total", Subject::Total),
];

const MEASURES: [(&str, Measure); 6] = [
    ("memory", Measure::Memory),
    ("allocated", Measure::Allocated),
    ("serialized", Measure::Serialized),
    ("elements", Measure::Elements),
    ("keys", Measure::Keys),
    ("without_ttl", Measure::WithoutTtl),
];

/// What was found of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What exceeds a limit, a sentence each; the first hundred.
    pub breaches: Vec<String>,
    /// How many more there are.
    pub more: u64,
    /// What could not be decided, a sentence each.
    pub undecided: Vec<String>,
}

/// Why a limit cannot be read: the column, from 1, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.what)
    }
}

impl std::str::FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let error = |rest: &str, what: String| {
            let before = text.get(..text.len() - rest.len()).unwrap_or_default();
            Err(LimitError { column: before.chars().count() + 1, what })
        };
        let rest = text.trim_start();
        let (word, after) = word(rest);
        let Some(subject) = named(&SUBJECTS, word) else {
            return error(rest, format!("expected {}", one_of(&SUBJECTS)));
        };
        let (one, after) = match after.strip_prefix('[') {
            None => (None, after),
            // Names may have brackets: the last one ends this one.
            Some(inside) => match inside.rsplit_once("].") {
                Some((one, _)) => (Some(one), inside.get(one.len() + 1..).unwrap_or_default()),
                None => return error(after, "expected ']' and a dot after the name".to_owned()),
            },
        };
        let Some(rest) = after.strip_prefix('.') else { return error(after, "expected '.' and a measure".to_owned()) };
        let (word, after) = self::word(rest);
        let Some(measure) = named(&MEASURES, word) else {
            return error(rest, format!("expected {}", one_of(&MEASURES)));
        };
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('>').filter(|rest| !rest.starts_with('=')) else {
            return error(after, "expected '>' and the largest value that is allowed".to_owned());
        };
        let value = value.trim_start();
        match Self::new(subject, one, measure, value.trim_end()) {
            Ok(limit) => Ok(limit),
            Err(what) => error(value, what),
        }
    }
}

/// The letters and underscores that a text begins with, and the rest.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_').unwrap_or(text.len());
    text.split_at(end)
}

fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_of<T: PartialEq>(all: &[(&'static str, T)], value: &T) -> &'static str {
    all.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

fn one_of<T>(all: &[(&str, T)]) -> String {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(", "))
}

impl Limit {
    /// A limit of parts.
    ///
    /// # Errors
    /// What is wrong with them.
    fn new(subject: Subject, one: Option<&str>, measure: Measure, value: &str) -> Result<Self, String> {
        let is_of_key = matches!(measure, Measure::Memory | Measure::Serialized | Measure::Elements);
        if subject == Subject::Key && !is_of_key {
            return Err("a key has memory, serialized and elements".to_owned());
        }
        if one.is_some() && matches!(subject, Subject::Key | Subject::Total) {
            return Err(format!("{} has no name in brackets", name_of(&SUBJECTS, &subject)));
        }
        let most = match measure {
            Measure::Memory | Measure::Allocated | Measure::Serialized => bytes(value),
            Measure::Elements | Measure::Keys => value.parse().ok(),
            Measure::WithoutTtl => percent(value),
        };
        let Some(most) = most else {
            return Err(match measure {
                Measure::Memory | Measure::Allocated | Measure::Serialized => {
                    format!("invalid number of bytes '{value}'; expected e.g. 4096, 10KiB or 1GiB")
                }
                Measure::Elements | Measure::Keys => format!("invalid number '{value}'; expected a whole number"),
                Measure::WithoutTtl => format!("invalid share '{value}'; expected e.g. 20% or 0.5%"),
            });
        };
        Ok(Self { subject, one: one.map(Name::new), measure, most })
    }

    fn of_tally(&self, tally: &Tally) -> u64 {
        match self.measure {
            Measure::Memory => tally.memory_bytes,
            Measure::Allocated => tally.allocated_bytes,
            Measure::Serialized => tally.serialized_bytes,
            Measure::Elements => tally.elements,
            Measure::Keys => tally.keys,
            Measure::WithoutTtl => {
                let share = u128::from(tally.keys_without_ttl) * 10_000 / u128::from(tally.keys.max(1));
                u64::try_from(share).unwrap_or(u64::MAX)
            }
        }
    }

    /// The lists of keys that have the largest by this measure.
    fn by(&self) -> By {
        match self.measure {
            Measure::Serialized => By::Serialized,
            Measure::Elements => By::Elements,
            _ => By::Memory,
        }
    }

    fn is_about(&self, name: &[u8]) -> bool {
        self.one.as_ref().is_none_or(|one| one.bytes() == name)
    }

    fn value(&self, value: u64) -> String {
        match self.measure {
            Measure::WithoutTtl => format!("{}.{:02} %", value / 100, value % 100),
            Measure::Memory | Measure::Allocated | Measure::Serialized => format!("{value} bytes"),
            Measure::Elements | Measure::Keys => value.to_string(),
        }
    }
}

/// As it is typed.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&SUBJECTS, &self.subject))?;
        self.one.as_ref().map_or(Ok(()), |one| write!(f, "[{one}]"))?;
        write!(f, ".{} > ", name_of(&MEASURES, &self.measure))?;
        match self.measure {
            Measure::WithoutTtl => write!(f, "{}.{:02}%", self.most / 100, self.most % 100),
            _ => write!(f, "{}", self.most),
        }
    }
}

/// `4096`, `10K`, `10KB` or `10KiB`, in powers of 1,024.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Hundredths of a percent.
fn percent(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = match fraction.len() {
        1 => fraction.parse::<u64>().ok()? * 10,
        2 => fraction.parse().ok()?,
        _ => return None,
    };
    whole.parse::<u64>().ok().filter(|whole| *whole <= 100).map(|whole| whole * 100 + fraction)
}

impl Budget {
    /// Adds a limit.
    pub fn add(&mut self, limit: Limit) {
        self.limits.push(limit);
    }

    /// Adds the limit of a table: `memory = "1MiB"` under `[key]`, or under `[prefix."user:"]`, where `one` is the prefix.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_table(&mut self, subject: &str, one: Option<&str>, measure: &str, value: &str) -> Result<(), String> {
        let subject = named(&SUBJECTS, subject)
            .ok_or_else(|| format!("unknown subject '{subject}': expected {}", one_of(&SUBJECTS)))?;
        let measure = named(&MEASURES, measure)
            .ok_or_else(|| format!("unknown measure '{measure}': expected {}", one_of(&MEASURES)))?;
        self.limits.push(Limit::new(subject, one, measure, value)?);
        Ok(())
    }

    /// Whether there are no limits.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// Holds a report to the limits.
    pub fn check(&self, report: &Report) -> Verdict {
        self.check_as(report, &<[u8]>::to_vec)
    }

    /// As [`Budget::check`], with names in its sentences as `name` has them.
    pub fn check_as(&self, report: &Report, name: &dyn Fn(&[u8]) -> Vec<u8>) -> Verdict {
        let mut verdict = Verdict::default();
        for limit in &self.limits {
            verdict.check(limit, report, name);
        }
        verdict
    }
}

impl Verdict {
    fn check(&mut self, limit: &Limit, report: &Report, name: &dyn Fn(&[u8]) -> Vec<u8>) {
        let shown = |bytes: &[u8]| Name::new(name(bytes));
        match limit.subject {
            Subject::Key => self.check_keys(limit, report, &shown),
            Subject::Prefix => self.check_prefixes(limit, report, &shown),
            Subject::Type => {
                let mut types: Vec<(&str, Tally)> = Vec::new();
                let others = report.other_databases.iter().flat_map(|other| &other.types);
                for of_type in report.databases.iter().flat_map(|database| &database.types).chain(others) {
                    match types.iter_mut().find(|(kind, _)| *kind == of_type.kind) {
                        Some((_, tally)) => tally.merge(&of_type.tally),
                        None => types.push((&of_type.kind, of_type.tally)),
                    }
                }
                for (kind, tally) in types.iter().filter(|(kind, _)| limit.is_about(kind.as_bytes())) {
                    self.hold(limit, &format!("type {kind}"), limit.of_tally(tally));
                }
            }
            Subject::Db => {
                for database in &report.databases {
                    let db = database.db.to_string();
                    if limit.is_about(db.as_bytes()) {
                        self.hold(limit, &format!("database {db}"), limit.of_tally(&database.tally));
                    }
                }
                if let Some(other) = &report.other_databases {
                    self.undecided.push(format!("{limit}: databases from {} on are counted together", other.from_db));
                }
            }
            Subject::Dump => {
                for dump in report.dumps.iter().filter(|dump| limit.is_about(dump.name.as_bytes())) {
                    self.hold(limit, &format!("dump {}", dump.name), limit.of_tally(&dump.keys));
                }
            }
            Subject::Group => {
                for found in report.groups.iter().flat_map(|groups| &groups.groups) {
                    if limit.is_about(found.group.name.as_bytes()) {
                        let group = shown(found.group.name.as_bytes());
                        self.hold(limit, &format!("group {group}"), limit.of_tally(&found.tally));
                    }
                }
            }
            Subject::Total => self.hold(limit, "all keys", limit.of_tally(&report.totals)),
        }
    }

    fn check_keys(&mut self, limit: &Limit, report: &Report, shown: &dyn Fn(&[u8]) -> Name) {
        let is_of_order = |list: &&TopKeys| list.by == limit.by() && !list.is_without_ttl;
        for list in report.top.iter().filter(is_of_order) {
            let value = |key: &KeyRow| limit.by().of(key);
            for key in list.keys.iter().filter(|key| value(key) > limit.most) {
                let name = shown(key.name.bytes());
                self.hold(limit, &format!("{} in database {} {name}", list.kind, list.db), value(key));
            }
            // A full list whose last key is too large may go on with others.
            let is_full = list.keys.len() >= report.top_keys_max;
            if is_full && list.keys.last().is_some_and(|last| value(last) > limit.most) {
                let more = format!("{limit}: database {} may have more such keys of type {}", list.db, list.kind);
                self.undecided.push(format!("{more}; use a larger --top to see them"));
            }
        }
        let is_cut = report.top_cut.as_ref().is_some_and(|cut| cut.without_databases_from.is_some());
        if is_cut || report.top_keys_max == 0 {
            self.undecided.push(format!("{limit}: some keys are on no list; use --db or a larger --top to list them"));
        }
        if limit.measure == Measure::Memory && report.memory_unknown_keys > 0 {
            self.undecided.push(format!("{limit}: the memory of {} keys is unknown", report.memory_unknown_keys));
        }
    }

    fn check_prefixes(&mut self, limit: &Limit, report: &Report, shown: &dyn Fn(&[u8]) -> Name) {
        let prefixes = &report.prefixes;
        for prefix in prefixes.found.names.iter().filter(|prefix| limit.is_about(&prefixes.whole(prefix))) {
            let name = shown(&prefixes.whole(prefix));
            self.hold(limit, &format!("prefix {name}"), limit.of_tally(&prefix.tally));
        }
        let is_listed = |one: &Name| prefixes.found.names.iter().any(|found| prefixes.whole(found) == one.bytes());
        let may_be_unlisted = limit.one.as_ref().is_none_or(|one| !is_listed(one));
        if let Some(heavy) = prefixes.heavy.as_ref().filter(|_| may_be_unlisted) {
            let most = match limit.measure {
                Measure::Memory => heavy.bound.memory_bytes,
                Measure::Keys => heavy.bound.keys,
                _ => u64::MAX,
            };
            if most > limit.most {
                self.undecided.push(format!("{limit}: prefixes that are not listed may exceed it"));
            }
        }
    }

    fn hold(&mut self, limit: &Limit, subject: &str, value: u64) {
        if value <= limit.most {
            return;
        }
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(format!("over budget ({limit}): {subject} has {}", limit.value(value)));
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_they_are_typed() {
        for (typed, meant) in [
            ("key.memory > 1MiB", "key.memory > 1048576"),
            ("  key.elements>5000 ", "key.elements > 5000"),
            ("prefix[a]b].:].keys > 7", "prefix[a]b].:].keys > 7"),
            ("total.without_ttl > 20%", "total.without_ttl > 20.00%"),
            ("db[3].without_ttl > 0.5 %", "db[3].without_ttl > 0.50%"),
            ("type[hash].allocated > 2 GB", "type[hash].allocated > 2147483648"),
        ] {
            assert_eq!(typed.parse::<Limit>().map(|limit| limit.to_string()), Ok(meant.to_owned()), "{typed}");
        }
        for (typed, column, what) in [
            ("", 1, "expected one of key, prefix"),
            ("keys.memory > 1", 1, "expected one of key"),
            ("key memory > 1", 4, "expected '.'"),
            ("key.size > 1", 5, "expected one of memory"),
            ("key.memory >= 1", 12, "expected '>'"),
            ("key.memory < 1", 12, "expected '>'"),
            ("key.memory > 1 PiB", 14, "invalid number of bytes"),
            ("key.memory >", 13, "invalid number of bytes ''"),
            ("total.keys > 1K", 14, "invalid number"),
            ("total.without_ttl > 20", 21, "invalid share"),
            ("key.keys > 1", 12, "a key has memory"),
            ("total[x].keys > 1", 17, "total has no name"),
            ("prefix[ü:.keys > 1", 7, "expected ']'"),
        ] {
            let error = typed.parse::<Limit>().unwrap_err();
            assert_eq!(error.column, column, "{typed}: {error}");
            assert!(error.what.starts_with(what), "{typed}: {error}");
        }
    }
}
