//! Limits of a budget as they are typed: `key.memory > 1MiB`, `prefix[user:].keys > 1000000`, `total.without_ttl > 20%` or
//! `total.memory_growth > 10%`. A subject, perhaps one of its kind in brackets, a measure, and what it must not be above.

use std::fmt;

use super::{By, Name, Tally};

/// A limit: each subject of a kind, or one of them, must not have more of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub(super) subject: Measured,
    /// The one that is meant; without it, each.
    pub(super) one: Option<Name>,
    pub(super) measure: Measure,
    pub(super) bound: Bound,
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
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
pub(super) enum Measure {
    Memory,
    Allocated,
    Serialized,
    Elements,
    Keys,
    WithoutTtl,
}

/// What a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// So much; of a share, in hundredths of a percent.
    Most(u64),
    /// So much more than in an earlier report.
    Growth(u64),
    /// So many hundredths of a percent more than in an earlier report.
    GrowthShare(u64),
}

const SUBJECTS: [(&str, Measured); 7] = [
    ("key", Measured::Key),
    ("prefix", Measured::Prefix),
    ("type", Measured::Type),
    ("db", Measured::Db),
    ("dump", Measured::Dump),
    ("group", Measured::Group),
    ("total", Measured::Total),
];

const MEASURES: [(&str, Measure); 6] = [
    ("memory", Measure::Memory),
    ("allocated", Measure::Allocated),
    ("serialized", Measure::Serialized),
    ("elements", Measure::Elements),
    ("keys", Measure::Keys),
    ("without_ttl", Measure::WithoutTtl),
];

/// What follows the name of a measure where its growth is meant.
const GROWTH: &str = "_growth";

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
        let Some(measure) = measure(word) else {
            return error(rest, format!("expected {}", measures()));
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

/// A measure, and whether its growth is meant.
fn measure(word: &str) -> Option<(Measure, bool)> {
    let (word, is_growth) = word.strip_suffix(GROWTH).map_or((word, false), |word| (word, true));
    named(&MEASURES, word).map(|measure| (measure, is_growth))
}

fn measures() -> String {
    format!("{}, or one of these but the last with {GROWTH}", one_of(&MEASURES))
}

fn one_of<T>(all: &[(&str, T)]) -> String {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(", "))
}

impl Limit {
    /// A limit of parts, as they are typed.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn of_parts(subject: &str, one: Option<&str>, word: &str, value: &str) -> Result<Self, String> {
        let subject = named(&SUBJECTS, subject)
            .ok_or_else(|| format!("unknown subject '{subject}': expected {}", one_of(&SUBJECTS)))?;
        let measure = measure(word).ok_or_else(|| format!("unknown measure '{word}': expected {}", measures()))?;
        Self::new(subject, one, measure, value)
    }

    /// # Errors
    /// What is wrong with the parts.
    fn new(
        subject: Measured,
        one: Option<&str>,
        (measure, is_growth): (Measure, bool),
        value: &str,
    ) -> Result<Self, String> {
        let is_of_key = matches!(measure, Measure::Memory | Measure::Serialized | Measure::Elements);
        if subject == Measured::Key && !is_of_key {
            return Err("a key has memory, serialized and elements".to_owned());
        }
        if one.is_some() && matches!(subject, Measured::Key | Measured::Total) {
            return Err(format!("{} has no name in brackets", name_of(&SUBJECTS, &subject)));
        }
        if is_growth && matches!(subject, Measured::Key | Measured::Dump) {
            return Err("growth is of prefix, group, type, db and total".to_owned());
        }
        if is_growth && measure == Measure::WithoutTtl {
            return Err("a share has no growth; limit the share".to_owned());
        }
        let amount = match measure {
            Measure::Memory | Measure::Allocated | Measure::Serialized => bytes(value),
            Measure::Elements | Measure::Keys => value.parse().ok(),
            Measure::WithoutTtl => percent(value).filter(|share| *share <= 10_000),
        };
        let bound = match is_growth {
            true if value.ends_with('%') => percent(value).map(Bound::GrowthShare),
            true => amount.map(Bound::Growth),
            false => amount.map(Bound::Most),
        };
        let Some(bound) = bound else {
            let or_share = if is_growth { " or 20%" } else { "" };
            return Err(match measure {
                Measure::Memory | Measure::Allocated | Measure::Serialized => {
                    format!("invalid number of bytes '{value}'; expected e.g. 4096, 10KiB or 1GiB{or_share}")
                }
                Measure::Elements | Measure::Keys => {
                    format!("invalid number '{value}'; expected a whole number{or_share}")
                }
                Measure::WithoutTtl => format!("invalid share '{value}'; expected e.g. 20% or 0.5%"),
            });
        };
        Ok(Self { subject, one: one.map(Name::new), measure, bound })
    }

    /// Whether it is on what came since an earlier report.
    pub(super) fn is_on_growth(&self) -> bool {
        !matches!(self.bound, Bound::Most(_))
    }

    pub(super) fn of_tally(&self, tally: &Tally) -> u64 {
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
    pub(super) fn by(&self) -> By {
        match self.measure {
            Measure::Serialized => By::Serialized,
            Measure::Elements => By::Elements,
            _ => By::Memory,
        }
    }

    pub(super) fn is_about(&self, name: &[u8]) -> bool {
        self.one.as_ref().is_none_or(|one| one.bytes() == name)
    }

    /// A value of the measure, for a sentence.
    pub(super) fn value(&self, value: u64) -> String {
        match self.measure {
            Measure::WithoutTtl => format!("{} % of keys without TTL", hundredths(value)),
            Measure::Memory | Measure::Allocated | Measure::Serialized => format!("{value} bytes"),
            Measure::Elements => format!("{value} elements"),
            Measure::Keys => format!("{value} keys"),
        }
    }

    /// What a value of the measure is called in the evidence of a finding.
    pub(super) fn evidence(&self) -> &'static str {
        match self.measure {
            Measure::Memory => "memory_bytes",
            Measure::Allocated => "allocated_bytes",
            Measure::Serialized => "serialized_bytes",
            Measure::Elements => "elements",
            Measure::Keys => "keys",
            Measure::WithoutTtl => "without_ttl_basis_points",
        }
    }
}

/// `12.34`.
pub(super) fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// As it is typed.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&SUBJECTS, &self.subject))?;
        self.one.as_ref().map_or(Ok(()), |one| write!(f, "[{one}]"))?;
        let growth = if self.is_on_growth() { GROWTH } else { "" };
        write!(f, ".{}{growth} > ", name_of(&MEASURES, &self.measure))?;
        match self.bound {
            Bound::GrowthShare(share) => write!(f, "{}%", hundredths(share)),
            Bound::Most(share) if self.measure == Measure::WithoutTtl => write!(f, "{}%", hundredths(share)),
            Bound::Most(most) | Bound::Growth(most) => write!(f, "{most}"),
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
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)
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
            ("total.memory_growth > 250%", "total.memory_growth > 250.00%"),
            ("prefix[user:].keys_growth > 1000", "prefix[user:].keys_growth > 1000"),
            ("db.allocated_growth > 1KiB", "db.allocated_growth > 1024"),
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
            ("total.without_ttl > 100.01%", 21, "invalid share"),
            ("total.without_ttl_growth > 1%", 28, "a share has no growth"),
            ("key.memory_growth > 1%", 21, "growth is of"),
            ("total.growth > 1%", 7, "expected one of memory"),
            ("total.keys_growth > x%", 21, "invalid number 'x%'; expected a whole number or 20%"),
        ] {
            let error = typed.parse::<Limit>().unwrap_err();
            assert_eq!(error.column, column, "{typed}: {error}");
            assert!(error.what.starts_with(what), "{typed}: {error}");
        }
    }
}
