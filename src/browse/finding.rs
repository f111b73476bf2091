//! A finding as text, and the places that it names.

use super::place::Place;
use crate::output::human;
use crate::report::{Finding, LargestKey, Name, Report, SubjectKind};

/// A place that a finding names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Place(Place),
    Key(Box<LargestKey>),
}

/// The places that a finding names: what it is about, then its largest keys.
pub(super) fn targets(report: &Report, finding: &Finding) -> Vec<Target> {
    let name = finding.subject.name.as_ref().map(Name::bytes);
    // Prefixes of findings are those of all databases together.
    let db = match &report.databases[..] {
        [only] if report.other_databases.is_none() => Some(only.db),
        _ => None,
    };
    let place = match (finding.subject.kind, name) {
        (SubjectKind::Prefix, Some(prefix)) => Some(Place::names(db, prefix)),
        _ => None,
    };
    let keys = finding.keys.iter().map(|found| {
        let kind = found.kind.clone().into_owned();
        Target::Key(Box::new(LargestKey { db: found.db.unwrap_or(0), kind, key: found.key.clone() }))
    });
    place.map(Target::Place).into_iter().chain(keys).collect()
}

/// What a target is called, in so many columns.
pub(super) fn target_line(target: &Target, width: usize) -> String {
    match target {
        Target::Place(Place::Instance) => "the instance".to_owned(),
        Target::Place(Place::Names { db, prefix }) => {
            let db = db.map_or("all databases".to_owned(), |db| format!("db {db}"));
            let name = human::name(prefix, width.saturating_sub(db.len() + 2));
            if prefix.is_empty() { db } else { format!("{name}  {db}") }
        }
        Target::Key(key) => {
            let memory = key.key.memory_bytes.map_or(String::new(), human::bytes);
            let facts = format!("{}, db {}, {memory}", key.kind, key.db);
            format!("{}  {facts}", human::name(key.key.name.bytes(), width.saturating_sub(facts.len() + 2)))
        }
    }
}

/// A finding's sentences and figures, a paragraph each.
pub(super) fn paragraphs(finding: &Finding) -> Vec<String> {
    let mut paragraphs = vec![finding.what.clone(), finding.action.clone()];
    if let Some(saving) = finding.bytes_saved {
        paragraphs.push(format!("saves {} ({})", human::bytes(saving.bytes), saving.basis.name().replace('_', " ")));
    }
    for evidence in &finding.evidence {
        paragraphs.push(format!("{}: {}", evidence.name.replace('_', " "), human::count(evidence.value)));
    }
    paragraphs.extend(finding.commands.iter().cloned());
    paragraphs
}
