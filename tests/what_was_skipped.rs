//! Sums up what the binaries before this one could not run: its name is the last in the alphabet, which is their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;

#[path = "support/skipped.rs"]
#[allow(dead_code, unreachable_pub, reason = "the other binaries note, this one reads")]
mod skipped;

#[test]
fn skipped_tests_are_summed_up() {
    let Ok(text) = fs::read_to_string(skipped::notes()) else { return };
    fs::remove_file(skipped::notes()).expect("the notes are read once");
    let mut tests_by_reason: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (name, why) = line.split_once('\t').expect("a test and why");
        tests_by_reason.entry(why).or_default().insert(name);
    }
    let count: usize = tests_by_reason.values().map(BTreeSet::len).sum();
    let mut summary = format!("\n{count} tests proved nothing, or less than they could:\n");
    for (why, tests) in &tests_by_reason {
        let first = tests.first().unwrap_or(&"");
        let more = if tests.len() > 1 { ", …" } else { "" };
        summary = format!("{summary}  {:3}  {why} ({first}{more})\n", tests.len());
    }
    summary += "`bash .ci/run install` installs all that is missing.\n\n";
    // Past the test runner's capture: what was not proven is told.
    std::io::stderr().write_all(summary.as_bytes()).expect("standard error");
}
