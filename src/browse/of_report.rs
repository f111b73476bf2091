//! Levels out of a report: what it lists, and nothing else.

use std::collections::HashSet;

use super::level::{Child, Level, What};
use super::place::{Lens, Place, first_part};
use crate::report::{DatabaseTally, KeyRow, LargestKey, Name, NameTally, Report, Tally};

/// The level of a place.
pub(super) fn level(report: &Report, place: &Place, lens: &Lens) -> Level {
    let mut level = match place {
        Place::Instance => databases(report, lens),
        Place::Names { db, prefix } => names(report, *db, prefix, lens),
    };
    if lens.is_without_ttl {
        level.notes.push("a report does not say how many bytes in the dump keys without TTL have".to_owned());
    }
    level
}

/// Whether all keys are in one database, whose prefixes are those of the report then.
fn is_of_one_database(report: &Report) -> bool {
    report.databases.len() <= 1 && report.other_databases.is_none()
}

fn databases(report: &Report, lens: &Lens) -> Level {
    let mut level = Level { total: seen(&report.totals, lens), ..Level::default() };
    if !lens.text.is_empty() {
        level.notes.push("a report does not say which of a database's keys have a text in their names".to_owned());
    }
    let children = report.databases.iter().map(|database| {
        let tally = seen(&of_kind(database, lens), lens);
        Child { what: What::Database(database.db), tally }
    });
    level.children = children.filter(|child| child.tally.keys > 0).collect();
    if lens.kind.is_some() {
        level.total = sum(&level.children);
    }
    // Databases without tallies of their own are among the others, and not counted.
    level.count = report.other_databases.is_none().then_some(level.children.len() as u64);
    level
}

fn of_kind(database: &DatabaseTally, lens: &Lens) -> Tally {
    let Some(kind) = lens.kind else { return database.tally };
    let of_type = database.types.iter().find(|of_type| of_type.kind == kind.name());
    of_type.map(|of_type| of_type.tally).unwrap_or_default()
}

fn names(report: &Report, db: Option<u64>, prefix: &[u8], lens: &Lens) -> Level {
    let mut level = Level::default();
    let prefixes = &report.prefixes;
    let is_of_all_keys = db.is_none() || is_of_one_database(report);
    let under = prefixes.under.as_ref().map(Name::bytes).unwrap_or_default();
    let of_place = prefixes.found.names.iter().find(|found| prefixes.whole(found) == prefix);
    let whole = match (prefix.is_empty() || prefix == under, db) {
        (true, Some(db)) => report.databases.iter().find(|database| database.db == db).map(|of| of_kind(of, lens)),
        (true, None) => Some(report.totals),
        (false, _) if is_of_all_keys => of_place.map(|found| found.tally),
        (false, _) => None,
    };
    level.total = whole.map(|whole| seen(&whole, lens)).unwrap_or_default();
    if !is_of_all_keys {
        level.notes.push("a report does not have the prefixes of a single database: these are its listed keys".into());
    } else if lens.kind.is_some() {
        level.notes.push("a report does not say which types are under a prefix: these are its listed keys".into());
    } else {
        let below: Box<dyn Iterator<Item = &NameTally>> = match of_place {
            Some(of_place) => Box::new(prefixes.below(of_place)),
            None if prefix.is_empty() || prefix == under => Box::new(prefixes.shortest()),
            None => Box::new(std::iter::empty()),
        };
        level.children.extend(below.filter_map(|found| {
            let child = Child { what: What::Prefix(prefixes.whole(found)), tally: seen(&found.tally, lens) };
            (child.tally.keys > 0 && lens.has_text(found.name.bytes())).then_some(child)
        }));
    }
    let is_below_child = {
        let listed: HashSet<&[u8]> = level
            .children
            .iter()
            .filter_map(|child| match &child.what {
                What::Prefix(prefix) => Some(&prefix[..]),
                _ => None,
            })
            .collect();
        let separators = prefixes.separators.bytes();
        move |name: &[u8]| {
            let below = name.get(prefix.len()..).unwrap_or_default();
            let part = first_part(below, separators);
            part.and_then(|part| name.get(..prefix.len() + part.len())).is_some_and(|part| listed.contains(part))
        }
    };
    let keys: Vec<Child> = listed_keys(report, db)
        .filter(|key| key.key.name.bytes().starts_with(prefix) && !is_below_child(key.key.name.bytes()))
        .filter(|key| lens.kind.is_none_or(|kind| kind.name() == key.kind) && lens.has_text(key.key.name.bytes()))
        .map(|key| Child { tally: seen(&of_key(&key.key), lens), what: What::Key(Box::new(key)) })
        .filter(|child| child.tally.keys > 0)
        .collect();
    level.children.extend(keys);
    if whole.is_none() || lens.kind.is_some() && level.total == Tally::default() {
        level.total = sum(&level.children);
    }
    level
}

/// Of keys those that are seen.
fn seen(tally: &Tally, lens: &Lens) -> Tally {
    if !lens.is_without_ttl {
        return *tally;
    }
    Tally {
        keys: tally.keys_without_ttl,
        memory_bytes: tally.memory_bytes_without_ttl,
        keys_without_ttl: tally.keys_without_ttl,
        memory_bytes_without_ttl: tally.memory_bytes_without_ttl,
        ..Tally::default()
    }
}

fn sum(children: &[Child]) -> Tally {
    children.iter().fold(Tally::default(), |mut sum, child| {
        sum.merge(&child.tally);
        sum
    })
}

fn of_key(key: &KeyRow) -> Tally {
    let memory_bytes = key.memory_bytes.unwrap_or(0);
    let is_without_ttl = key.expires_at_ms.is_none();
    Tally {
        keys: 1,
        elements: key.elements,
        serialized_bytes: key.serialized_bytes,
        memory_bytes,
        allocated_bytes: key.allocated_bytes.unwrap_or(0),
        keys_without_ttl: u64::from(is_without_ttl),
        memory_bytes_without_ttl: if is_without_ttl { memory_bytes } else { 0 },
    }
}

/// The keys of all lists, each once.
fn listed_keys(report: &Report, db: Option<u64>) -> impl Iterator<Item = LargestKey> {
    let of_lists = report.top.iter().flat_map(|list| {
        list.keys.iter().map(|key| LargestKey { db: list.db, kind: list.kind.clone(), key: key.clone() })
    });
    let mut seen = HashSet::new();
    let keys = report.largest_keys.keys.iter().cloned().chain(of_lists);
    keys.filter(move |key| db.is_none_or(|db| db == key.db) && seen.insert((key.key.dump, key.key.offset, key.db)))
}
