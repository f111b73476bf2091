//! Where something is wrong in a dump, found on every core: for a walk on one thread, which need not look into what is sound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::map::check_map;
use super::options::Options;
use super::report::Report;
use crate::engine::Progress;
use crate::error::ErrorKind;
use crate::input::map::Map;
use crate::rdb::ParseErrorKind;

/// The records of a dump in which something is wrong, by where they begin.
#[derive(Debug, Default)]
pub(crate) struct FlawedRecords {
    /// All of them.
    pub(crate) all: Arc<BTreeSet<u64>>,
    /// The names that two keys of a database have, by its number.
    pub(crate) names_of_two: BTreeMap<u64, BTreeSet<Vec<u8>>>,
}

/// Checks a mapped dump, damaged stretches skipped; none if there are more findings than are listed, or if it was cancelled.
///
/// # Errors
/// [`ErrorKind::Io`] if the threads cannot be started.
pub(crate) fn flawed_records(map: &Map, progress: &Progress) -> Result<Option<FlawedRecords>, ErrorKind> {
    let options = Options { resync: true, ..Options::default() };
    let mut report = Report::new(String::new(), true);
    check_map(map, &options, progress, &mut report)?;
    if report.findings_unlisted > 0 || report.interrupted_at.is_some() {
        return Ok(None);
    }
    let duplicate = ParseErrorKind::DuplicateKey.name();
    let all = report.findings.iter().map(|finding| finding.record_start).collect();
    let mut names_of_two: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for finding in report.findings.into_iter().filter(|finding| finding.kind == duplicate) {
        if let (Some(db), Some(name)) = (finding.db, finding.name) {
            names_of_two.entry(db).or_default().insert(name);
        }
    }
    Ok(Some(FlawedRecords { all: Arc::new(all), names_of_two }))
}
