//! Groups of keys by patterns of their names.

use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::{Deserialize, Serialize};

use super::breakdown::{self, Breakdown};
use super::tally::Tally;

/// A group: what it is called, and the patterns of names that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Patterns of whole names: `*` is any part between separators, `**` any bytes, everything else stands for itself.
    pub patterns: Vec<String>,
}

/// Groups that keys are counted in: the first one that a name matches, whatever else it matches.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    set: RegexSet,
    /// The group of each pattern.
    groups: Vec<usize>,
    count: usize,
}

impl Matcher {
    /// Of groups in their order.
    ///
    /// # Errors
    /// A sentence if the patterns are too many or too long together.
    pub(crate) fn new(groups: &[Group], separators: &[u8]) -> Result<Self, String> {
        let patterns = groups.iter().flat_map(|group| &group.patterns);
        let set = RegexSetBuilder::new(patterns.map(|pattern| regex(pattern, separators))).unicode(false).build();
        let of_patterns =
            groups.iter().enumerate().flat_map(|(number, group)| group.patterns.iter().map(move |_| number));
        let set =
            set.map_err(|_| "the patterns of --group take too much memory: use fewer or shorter ones".to_owned())?;
        Ok(Self { set, groups: of_patterns.collect(), count: groups.len() })
    }

    /// The number of the group that a name belongs to, if it belongs to one.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        // A group comes before another one if its first pattern does.
        let first = self.set.matches(name).iter().next();
        first.and_then(|first| self.groups.get(first).copied())
    }

    /// The number of the group that a name belongs to; of one that belongs to none, how many there are.
    fn of(&self, name: &[u8]) -> usize {
        self.find(name).unwrap_or(self.count)
    }
}

fn regex(pattern: &str, separators: &[u8]) -> String {
    use std::fmt::Write;
    let mut regex = String::from(r"(?s-u)\A");
    let mut rest = pattern.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"**") {
            regex.push_str(".*");
            rest = after;
            continue;
        }
        if *first == b'*' && separators.is_empty() {
            regex.push_str(".*");
        } else if *first == b'*' {
            regex.push_str("[^");
            for separator in separators {
                _ = write!(regex, r"\x{separator:02x}");
            }
            regex.push_str("]*");
        } else {
            _ = write!(regex, r"\x{first:02x}");
        }
        rest = after;
    }
    regex.push_str(r"\z");
    regex
}

/// Sums by group while keys are added; the last one is of keys in none.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupSums(Vec<Tally>);

impl GroupSums {
    pub(super) fn add(&mut self, matcher: &Matcher, name: &[u8], tally: &Tally) {
        self.0.resize(matcher.count + 1, Tally::default());
        if let Some(sum) = self.0.get_mut(matcher.of(name)) {
            sum.merge(tally);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        if self.0.is_empty() {
            *self = other;
            return;
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// The groups with their keys; `breakdowns` are those of each group, if they were asked for.
    pub(super) fn finish(
        mut self,
        groups: &[Group],
        breakdowns: Vec<Option<Box<Breakdown>>>,
        totals: &Tally,
    ) -> GroupsFound {
        self.0.resize(groups.len() + 1, Tally::default());
        let breakdowns = breakdowns.into_iter().chain(std::iter::repeat(None));
        let found = groups.iter().zip(self.0).zip(breakdowns);
        let found = found.map(|((group, tally), breakdown)| GroupTally { group: group.clone(), tally, breakdown });
        let groups: Vec<GroupTally> = found.collect();
        let unclassified = groups.iter().fold(*totals, |rest, group| rest.without(&group.tally));
        GroupsFound { groups, unclassified }
    }
}

/// Keys by group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupsFound {
    /// The groups, in the order in which names are matched.
    pub groups: Vec<GroupTally>,
    /// Keys in none of them.
    pub unclassified: Tally,
}

/// The keys of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupTally {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// Its keys.
    #[serde(flatten)]
    pub tally: Tally,
    /// Its keys in classes, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Box<Breakdown>>,
}

impl GroupsFound {
    /// Whether both are of the same groups.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.groups.iter().map(|found| &found.group).eq(other.groups.iter().map(|found| &found.group))
    }

    /// Adds those of another report, which has the same groups.
    pub(super) fn merge(&mut self, other: &Self) {
        self.unclassified.merge(&other.unclassified);
        for (mine, theirs) in self.groups.iter_mut().zip(&other.groups) {
            mine.tally.merge(&theirs.tally);
            mine.breakdown = breakdown::merged(mine.breakdown.take(), theirs.breakdown.as_deref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_that_matches() {
        let group = |name: &str, patterns: &[&str]| Group {
            name: name.to_owned(),
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        };
        let groups = [
            group("carts", &["user:*:cart", "guest:*"]),
            group("users", &["user:**"]),
            group("suffix", &["**:v[1]"]),
            group("bytes", &["*"]),
        ];
        let matcher = Matcher::new(&groups, b":.").unwrap();
        for (name, expected) in [
            (&b"user:1:cart"[..], 0),
            (b"guest:9", 0),
            (b"user::cart", 0),
            (b"user:1:2:cart", 1),
            (b"user:1.2:cart", 1),
            (b"user:1:carts", 1),
            (b"guest:9:x", 4),
            (b"a:b:v[1]", 2),
            (b"a:b:v1", 4),
            (b"\xff\n", 3),
            (b"", 3),
        ] {
            assert_eq!(matcher.of(name), expected, "{name:?}");
        }
    }
}
