//! Levels are exact however many prefixes there are.

use std::path::Path;

use super::records::{Records, dumps, shop};
use crate::browse::Dumps;
use crate::browse::gather::Gather;
use crate::browse::level::{CHILDREN_MAX, Child, Heaviest, Level, Measure, What};
use crate::browse::place::{Lens, Place};
use crate::engine::{Progress, row_blocks_all};
use crate::report::{Question, Tally};

fn level(path: &Path, place: &Place, held_bytes_max: usize) -> (Level, usize) {
    let Dumps { dumps, question, options } = dumps(path);
    let question = Question { filter: Lens::default().filter(place).unwrap(), ..question };
    let mut gather = Gather::new(place, b":", CHILDREN_MAX).with_held_bytes_max(held_bytes_max);
    let mut scans = 0;
    loop {
        let progress = Progress::default().into();
        row_blocks_all(&dumps, &question, &options, &progress, 100, |rows| gather.add(&rows)).unwrap();
        scans += 1;
        if gather.end_scan() == 0 {
            return (gather.finish(), scans);
        }
    }
}

#[test]
fn many_prefixes_take_several_scans_and_are_exact() {
    let mut records = Records::new().db(0);
    for key in 0..1500 {
        records = records.string(format!("a:{}:{key}", key % 700), key % 97).string(format!("a:{key}"), 5);
    }
    let file = records.file();
    let place = Place::names(Some(0), b"a:");
    let sorted = |level: &Level| {
        let mut children = level.children.clone();
        children.sort_by_key(|child| format!("{child:?}"));
        (children, level.total, level.count)
    };
    let (whole, scans) = level(file.path(), &place, usize::MAX);
    assert_eq!(scans, 1);
    let (parts, scans) = level(file.path(), &place, 30_000);
    assert!(scans > 2, "{scans}");
    assert_eq!(sorted(&whole), sorted(&parts));
    assert_eq!((whole.total.keys, whole.count), (3000, Some(2200)));
    let (shown, others) = whole.shown(Measure::Memory, false);
    let others = others.unwrap();
    assert_eq!((shown.len(), others.count), (CHILDREN_MAX, Some(1200)));
    let listed = shown.iter().map(|at| whole.children[*at].tally.memory_bytes).sum::<u64>();
    assert_eq!(listed + others.tally.memory_bytes, whole.total.memory_bytes);
}

#[test]
fn the_heaviest_are_those_of_a_sorted_list() {
    let mut heaviest = Heaviest::new(3);
    let tally = |memory_bytes, serialized_bytes| Tally { keys: 1, memory_bytes, serialized_bytes, ..Tally::default() };
    let all: Vec<(String, Tally)> =
        (0..100_u64).map(|n| (format!("p{n:02}:"), tally(n * 37 % 101, n * 53 % 103))).collect();
    for (name, tally) in &all {
        if heaviest.wants(tally, name.as_bytes()) {
            heaviest.add(Child { what: What::Prefix(name.clone().into_bytes()), tally: *tally });
        }
    }
    let held = heaviest.finish();
    for measure in Measure::ALL {
        let mut sorted = all.clone();
        sorted.sort_by_key(|(name, tally)| (std::cmp::Reverse(measure.of(tally)), name.clone()));
        for (name, _) in &sorted[..3] {
            let what = What::Prefix(name.clone().into_bytes());
            assert!(held.iter().any(|child| child.what == what), "{name} by {}", measure.name());
        }
    }
}

#[test]
fn a_scan_that_goes_on_shows_what_it_has_come_to() {
    let file = shop();
    let Dumps { dumps, question, options } = dumps(file.path());
    let place = Place::names(None, &[]);
    let mut gather = Gather::new(&place, b":", CHILDREN_MAX);
    let progress = Progress::default().into();
    let mut keys = 0;
    row_blocks_all(&dumps, &question, &options, &progress, 1, |rows| {
        gather.add(&rows);
        keys += rows.rows().count() as u64;
        let level = gather.so_far();
        let listed: u64 = level.children.iter().map(|child| child.tally.keys).sum();
        assert!(level.is_partial);
        assert_eq!((level.total.keys, listed), (keys, keys));
    })
    .unwrap();
    gather.end_scan();
    let level = gather.finish();
    assert_eq!((level.total.keys, level.count, level.is_partial), (8, Some(4), false));
}
