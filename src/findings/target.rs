//! What a server that was given with `--target` cannot load: the file as it is, or keys of types that it does not have.

use super::command;
use crate::memory::Target;
use crate::output::human::{bytes, count};
use crate::rdb::Dialect;
use crate::report::{DumpInfo, Evidence, Finding, Report, Severity, Subject, SubjectKind, SuspectKeys, Suspicion};

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let keys = report.suspects.of(Suspicion::NotHeld).map(|found| of_keys(report, found));
    let files = (0..).zip(&report.dumps).filter_map(|(number, dump)| of_file(report, number, dump));
    keys.chain(files).collect()
}

/// Where keys of a type go: not to this target.
fn of_keys(report: &Report, found: &SuspectKeys) -> Finding {
    let SuspectKeys { kind, tally, keys, .. } = found;
    let target = report.dumps.first().map_or("the target", |dump| &dump.target);
    let (of, why) = match &**kind {
        "hash" => ("whose fields expire", "Remove the fields' times to live (HPERSIST)"),
        "module" => ("of modules", "Load the same modules there"),
        _ => ("", "Copy their elements into another type"),
    };
    Finding {
        what: format!(
            "{target} cannot hold {} {kind} {} {of}: {} in the dump.",
            count(tally.keys),
            if tally.keys == 1 { "key" } else { "keys" },
            bytes(tally.serialized_bytes)
        )
        .replace(" :", ":"),
        action: format!("{why}, or leave these keys out, before you move to it."),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("elements", tally.elements),
            Evidence::new("serialized_bytes", tally.serialized_bytes),
        ],
        keys: keys.clone(),
        commands: keys.first().map(|key| command::get(report, key, "")).into_iter().collect(),
        ..Finding::new("not-loadable", Severity::High, Subject::named(SubjectKind::Type, kind.as_bytes()))
    }
}

/// A file that the target refuses whatever is in it. Nothing is said where it is the server that wrote the file.
fn of_file(report: &Report, number: u32, dump: &DumpInfo) -> Option<Finding> {
    let target: Target = dump.target.parse().ok()?;
    let dialect = [Dialect::Redis, Dialect::Valkey].into_iter().find(|dialect| dialect.to_string() == dump.dialect)?;
    if target.loads_file(dialect, dump.rdb_version) {
        return None;
    }
    let file = command::dump(report, number);
    Some(Finding {
        what: format!(
            "{target} does not load this file: it is of version {} of {dialect}'s format, and that server reads Redis's up \
             to {}{}.",
            dump.rdb_version,
            target.rdb_version_max(),
            if target >= Target::Valkey9_0 { " and its own" } else { "" }
        ),
        action: "Write the keys as commands and send them to the server.".to_owned(),
        evidence: vec![
            Evidence::new("rdb_version", dump.rdb_version.into()),
            Evidence::new("rdb_version_max", target.rdb_version_max().into()),
            Evidence::new("keys", dump.keys.keys),
        ],
        commands: vec![format!("bigkeys export --format resp {file} | redis-cli --pipe")],
        ..Finding::new("file-refused", Severity::High, Subject::named(SubjectKind::Dump, dump.name.as_bytes()))
    })
}
