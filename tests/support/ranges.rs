//! Ranges of a dump, scanned, joined and read, beside what one scan finds.

use std::sync::Arc;

use bigkeys::engine::{RangeScan, cut, join, part_rows, range};
use bigkeys::report::{Name, Question, Row};
use bigkeys::{Dump, Options, rows_all};

/// What one scan finds: rows, notes, damage.
pub type Found = (Vec<Row>, Vec<String>, Vec<String>);

/// What is said of a dump, whatever its name.
fn sentences(dump: &Dump, said: &[impl ToString]) -> Vec<String> {
    let name = bigkeys::input::shown(&dump.path);
    said.iter().map(|sentence| sentence.to_string().replace(&name, "DUMP")).collect()
}

/// What one scan of a dump finds.
pub fn by_one_scan(dump: &Dump) -> Found {
    let mut rows = Vec::new();
    let found =
        rows_all(std::slice::from_ref(dump), &Question::default(), &Options::default(), &Arc::default(), |row| {
            rows.push(row.clone());
        });
    let (notes, errors) = found.expect("the file can be opened");
    (rows, sentences(dump, &notes), sentences(dump, &errors))
}

/// The scans of the ranges of a dump, if it can be cut.
pub fn scans(dump: &Dump, range_bytes: u64) -> Vec<RangeScan> {
    let ranges = cut(dump, range_bytes).expect("the file can be opened");
    let scan = |bytes| range(dump, bytes, None, &Options::default(), &Arc::default());
    let scans: Vec<RangeScan> = ranges.into_iter().map(|bytes| scan(bytes).expect("a range of the dump")).collect();
    // On their way between machines they are JSON.
    let text = serde_json::to_string(&scans).expect("plain data");
    serde_json::from_str(&text).expect("the same data")
}

/// What the scans of ranges find together.
pub fn by_ranges(dump: &Dump, scans: &[RangeScan]) -> Found {
    let joined = join(dump, scans, &Options::default(), &Arc::default()).expect("ranges of the dump");
    let (mut rows, mut damage) = (Vec::new(), Vec::new());
    for part in &joined.parts {
        let errors = part_rows(dump, part, &Question::default(), &Arc::default(), 100, |block| {
            rows.extend(block.rows().map(|(cells, name)| cells.row(Name::new(name))));
        });
        damage.extend(sentences(dump, &errors.expect("a part of the dump")));
    }
    assert_eq!(rows.len() as u64, joined.keys);
    damage.extend(sentences(dump, &joined.errors));
    (rows, sentences(dump, &joined.notes), damage)
}
