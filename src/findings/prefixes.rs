//! Which prefixes to name: those that hold most of something, and none that is only a part of another.

use crate::report::{NameTally, Report, Tally};

/// The prefixes that have at least `least` of a measure. Where nearly all that a prefix has is below one that is longer, that
/// one is named instead; longer ones of a prefix that is named are not.
pub(super) fn heaviest(report: &Report, measure: impl Fn(&Tally) -> u64, least: u64) -> Vec<&NameTally> {
    let mut found: Vec<&NameTally> = Vec::new();
    for shortest in report.prefixes.shortest().filter(|prefix| measure(&prefix.tally) >= least) {
        let mut prefix = shortest;
        let nearly_all = |of: &NameTally, all: &NameTally| {
            let (of, all) = (u128::from(measure(&of.tally)), u128::from(measure(&all.tally)));
            of * 10 >= all * 9
        };
        while let Some(longer) = report.prefixes.below(prefix).find(|below| nearly_all(below, prefix)) {
            prefix = longer;
        }
        found.push(prefix);
    }
    found.sort_by_key(|prefix| std::cmp::Reverse(measure(&prefix.tally)));
    found
}
