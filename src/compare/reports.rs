//! Two reports, an old one and a new one: what grew and what shrank, and how fast.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::keys::KeyChanges;
use crate::report::{DumpInfo, Name, NameTally, Report, Tally};

/// The version of the difference's JSON: the schema's.
const FORMAT: &str = "bigkeys-diff/1";

const DAY_MS: i128 = 86_400_000;

/// What differs between two moments.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// What this JSON is: `bigkeys-diff/1`.
    pub format: &'static str,
    /// Whether all dumps on both sides were read to their ends and found sound.
    pub is_complete: bool,
    /// What names were replaced by, if they were, as in the reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
    /// Which keys it is about, in words, if not about all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The old side.
    pub old: Side,
    /// The new side.
    pub new: Side,
    /// All keys together.
    pub totals: Change,
    /// By type, the largest change of memory first.
    pub types: Vec<TypeChange>,
    /// By database, the largest change of memory first.
    pub databases: Vec<DatabaseChange>,
    /// By group, in the order of the groups, and last the keys in none; if both sides were counted in the same groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupChange>,
    /// By prefix, the largest change of memory first: those that changed and that both sides know.
    pub prefixes: Vec<PrefixChange>,
    /// How many prefixes only one side lists, while the other had no room for all of its own: what they had there is not known.
    pub prefixes_unknown: u64,
    /// How fast memory changes, if both moments are known and differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// What became of single keys, if both sides are dumps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyChanges>,
}

/// One of the sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The dumps.
    pub dumps: Vec<String>,
    /// The servers whose memory is modelled.
    pub targets: Vec<String>,
    /// When the last one of its dumps was made, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at_ms: Option<i64>,
    /// The memory of its servers then, if all dumps say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_memory_bytes: Option<u64>,
    /// The SHA-256 of its dumps' files, of those whose report has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<FileDigest>,
}

/// The digest of a dump's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// The dump.
    pub dump: String,
    /// The SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// Keys on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// How many.
    pub keys: u64,
    /// Their memory.
    pub memory_bytes: u64,
    /// How many never expire.
    pub keys_without_ttl: u64,
    /// The memory of those.
    pub memory_bytes_without_ttl: u64,
}

/// Keys on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// On the old side.
    pub old: Amount,
    /// On the new side.
    pub new: Amount,
    /// How many more keys there are.
    pub keys_change: i64,
    /// How much more memory they take.
    pub memory_bytes_change: i64,
}

/// Keys of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeChange {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its keys.
    #[serde(flatten)]
    pub change: Change,
}

/// Keys of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseChange {
    /// The database.
    pub db: u64,
    /// Its keys.
    #[serde(flatten)]
    pub change: Change,
}

/// Keys of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupChange {
    /// What the group is called; nothing for the keys in none.
    pub group: Option<String>,
    /// Its keys.
    #[serde(flatten)]
    pub change: Change,
}

/// Keys under a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrefixChange {
    /// The prefix.
    #[serde(flatten)]
    pub name: Name,
    /// All keys under it.
    #[serde(flatten)]
    pub change: Change,
}

/// How fast memory changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pace {
    /// The time between the two sides.
    pub seconds: i64,
    /// How many keys more there are a day.
    pub keys_a_day: i64,
    /// How much more memory is used a day.
    pub memory_bytes_a_day: i64,
    /// What that is measured by: `used_memory`, as the servers said, or `keys`, their modelled memory.
    pub basis: &'static str,
    /// The limit that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxmemory_bytes: Option<u64>,
    /// When that is reached at this pace, in milliseconds since 1970; never if memory does not grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_at_ms: Option<i64>,
}

impl Amount {
    fn of(tally: &Tally) -> Self {
        let Tally { keys, memory_bytes, keys_without_ttl, memory_bytes_without_ttl, .. } = *tally;
        Self { keys, memory_bytes, keys_without_ttl, memory_bytes_without_ttl }
    }
}

impl Change {
    fn of(old: Option<&Tally>, new: Option<&Tally>) -> Self {
        let [old, new] = [old, new].map(|tally| tally.map(Amount::of).unwrap_or_default());
        Self {
            old,
            new,
            keys_change: difference(old.keys, new.keys),
            memory_bytes_change: difference(old.memory_bytes, new.memory_bytes),
        }
    }

    fn rank(&self) -> Reverse<u64> {
        Reverse(self.memory_bytes_change.unsigned_abs())
    }
}

fn difference(old: u64, new: u64) -> i64 {
    narrowed(i128::from(new) - i128::from(old))
}

fn narrowed(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

impl Difference {
    /// What differs between two reports; `maxmemory_bytes` is the limit of the servers together.
    ///
    /// # Errors
    /// A sentence if they cannot be compared: they are of different filters, or tell prefixes apart otherwise.
    pub fn of_reports(old: &Report, new: &Report, maxmemory_bytes: Option<u64>) -> Result<Self, String> {
        old.check()?;
        new.check()?;
        if old.filters != new.filters {
            return Err("the two reports are of different filters".to_owned());
        }
        if old.redacted != new.redacted {
            let [old, new] = [old, new].map(|report| report.redacted.as_deref().unwrap_or("none"));
            return Err(format!("the names of the old side are redacted by {old}, those of the new side by {new}"));
        }
        if old.prefixes.separators != new.prefixes.separators {
            let (old, new) = (&old.prefixes.separators, &new.prefixes.separators);
            return Err(format!("the old report was made with --separators {old}, the new one with {new}"));
        }
        let (prefixes, prefixes_unknown) = prefixes(old, new);
        let mut difference = Self {
            format: FORMAT,
            is_complete: old.is_complete && new.is_complete,
            redacted: new.redacted.clone(),
            only: (!new.filters.is_of_all()).then(|| new.filters.to_string()),
            old: Side::of(old),
            new: Side::of(new),
            totals: Change::of(Some(&old.totals), Some(&new.totals)),
            types: types(old, new),
            databases: databases(old, new),
            groups: groups(old, new),
            prefixes,
            prefixes_unknown,
            pace: None,
            keys: None,
        };
        difference.pace = difference.pace(maxmemory_bytes);
        Ok(difference)
    }

    fn pace(&self, maxmemory_bytes: Option<u64>) -> Option<Pace> {
        let (from_ms, to_ms) = self.old.created_at_ms.zip(self.new.created_at_ms)?;
        let elapsed_ms = i128::from(to_ms) - i128::from(from_ms);
        if elapsed_ms <= 0 {
            return None;
        }
        let (basis, old, new) = match self.old.used_memory_bytes.zip(self.new.used_memory_bytes) {
            Some((old, new)) => ("used_memory", old, new),
            None => ("keys", self.totals.old.memory_bytes, self.totals.new.memory_bytes),
        };
        let grown = i128::from(new) - i128::from(old);
        let full_at_ms = maxmemory_bytes.and_then(|limit| {
            let left = i128::from(limit) - i128::from(new);
            if left <= 0 {
                return Some(to_ms);
            }
            (grown > 0).then(|| narrowed(i128::from(to_ms) + left * elapsed_ms / grown))
        });
        Some(Pace {
            seconds: narrowed(elapsed_ms / 1000),
            keys_a_day: narrowed(i128::from(self.totals.keys_change) * DAY_MS / elapsed_ms),
            memory_bytes_a_day: narrowed(grown * DAY_MS / elapsed_ms),
            basis,
            maxmemory_bytes,
            full_at_ms,
        })
    }
}

impl Side {
    fn of(report: &Report) -> Self {
        let created = report.dumps.iter().filter_map(|dump| {
            let seconds = dump.aux.iter().find(|(name, _)| name == "ctime")?.1.parse::<i64>().ok()?;
            Some(seconds.saturating_mul(1000)).filter(|at_ms| *at_ms > 0)
        });
        let mut targets: Vec<String> = report.dumps.iter().map(|dump| dump.target.clone()).collect();
        targets.sort();
        targets.dedup();
        Self {
            dumps: report.dumps.iter().map(|dump| dump.name.clone()).collect(),
            targets,
            created_at_ms: created.max(),
            used_memory_bytes: report.dumps.iter().map(|dump| dump.used_memory_bytes).sum::<Option<u64>>(),
            digests: report.dumps.iter().filter_map(digest).collect(),
        }
    }
}

fn digest(dump: &DumpInfo) -> Option<FileDigest> {
    Some(FileDigest { dump: dump.name.clone(), sha256: dump.sha256.clone()? })
}

/// What both sides have, by what tells it apart, the largest change of memory first.
fn joined<'t, K: Ord + Clone>(
    old: impl Iterator<Item = (K, &'t Tally)>,
    new: impl Iterator<Item = (K, &'t Tally)>,
) -> Vec<(K, Change)> {
    let mut sides: BTreeMap<K, (Tally, Tally)> = BTreeMap::new();
    old.for_each(|(name, tally)| sides.entry(name).or_default().0.merge(tally));
    new.for_each(|(name, tally)| sides.entry(name).or_default().1.merge(tally));
    let mut changes: Vec<(K, Change)> =
        sides.into_iter().map(|(name, (old, new))| (name, Change::of(Some(&old), Some(&new)))).collect();
    changes.sort_by_key(|(_, change)| change.rank());
    changes
}

fn types(old: &Report, new: &Report) -> Vec<TypeChange> {
    fn of(report: &Report) -> impl Iterator<Item = (String, &Tally)> {
        let of_databases = report.databases.iter().flat_map(|database| &database.types);
        let others = report.other_databases.iter().flat_map(|other| &other.types);
        of_databases.chain(others).map(|of_type| (of_type.kind.clone(), &of_type.tally))
    }
    joined(of(old), of(new)).into_iter().map(|(kind, change)| TypeChange { kind, change }).collect()
}

fn databases(old: &Report, new: &Report) -> Vec<DatabaseChange> {
    let of = |report: &'_ Report| report.other_databases.as_ref().map_or(u64::MAX, |other| other.from_db);
    // Those that either side counts together are not told apart.
    let from_db = of(old).min(of(new));
    let sides = [old, new].map(|report| report.databases.iter().filter(move |database| database.db < from_db));
    let [old, new] = sides.map(|side| side.map(|database| (database.db, &database.tally)));
    joined(old, new).into_iter().map(|(db, change)| DatabaseChange { db, change }).collect()
}

/// Nothing if the sides were not counted in the same groups.
fn groups(old: &Report, new: &Report) -> Vec<GroupChange> {
    let Some((old, new)) = old.groups.as_ref().zip(new.groups.as_ref()) else { return Vec::new() };
    if !old.groups.iter().map(|of| &of.group).eq(new.groups.iter().map(|of| &of.group)) {
        return Vec::new();
    }
    let of_groups = old.groups.iter().zip(&new.groups).map(|(old, new)| GroupChange {
        group: Some(old.group.name.clone()),
        change: Change::of(Some(&old.tally), Some(&new.tally)),
    });
    let rest = Change::of(Some(&old.unclassified), Some(&new.unclassified));
    of_groups.chain([GroupChange { group: None, change: rest }]).collect()
}

/// The prefixes that changed, and how many are known on one side alone.
fn prefixes(old: &Report, new: &Report) -> (Vec<PrefixChange>, u64) {
    let sides = [old, new].map(|report| &report.prefixes.found);
    let [old, new] = sides
        .map(|found| found.names.iter().map(|NameTally { name, tally, .. }| (name, tally)).collect::<BTreeMap<_, _>>());
    let [is_old_complete, is_new_complete] = sides.map(|found| found.is_complete);
    let mut unknown = 0;
    let mut changes = Vec::new();
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    for name in names {
        let (was, is) = (old.get(name).copied(), new.get(name).copied());
        if was.is_none() && !is_old_complete || is.is_none() && !is_new_complete {
            unknown += 1;
            continue;
        }
        let change = Change::of(was, is);
        if change.old != change.new {
            changes.push(PrefixChange { name: (*name).clone(), change });
        }
    }
    changes.sort_by(|a, b| (a.change.rank(), &a.name).cmp(&(b.change.rank(), &b.name)));
    (changes, unknown)
}
