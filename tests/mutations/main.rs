//! Random damage to every small fixture, and each file that a fuzzer ever found: no panic, no endless loop, nothing sound
//! whose checksum is wrong, and whatever is salvaged checks clean.
//!
//! A sample runs with the other tests; `BIGKEYS_MUTATIONS=1000000 cargo test --release --test mutations` runs a million.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bigkeys::check::{Checksum, Options, check_bytes};
use bigkeys::rdb::Scanner;
use bigkeys::salvage::salvage_bytes;
use support::damage::{damage, without_checksum};
use support::fixtures;
use support::random::Random;
use support::ways::Doing;

mod support;

/// Mutations of all fixtures together.
const MUTATIONS: usize = 10_000;

/// Larger fixtures hold more of the same.
const BYTES_MAX: usize = 20_000;

/// One dump that takes longer hangs, even on a machine that stands still for a while: a clean one takes milliseconds.
const HUNG: Duration = Duration::from_mins(5);

fn holds(dump: &[u8]) {
    let started = Instant::now();
    let report = check_bytes(dump, &Options::default());
    assert!(!report.sound || report.checksum != Checksum::Mismatch, "{report}");
    let mut resync = Options::default();
    resync.resync = true;
    let gone_on = check_bytes(dump, &resync);
    assert!(gone_on.keys >= report.keys, "{report}{gone_on}");
    if let Ok(scanner) = Scanner::new(dump) {
        let damaged = scanner.filter(Result::is_err).count();
        assert!(!report.sound || damaged == 0, "{report}");
    }
    let mut saved = Vec::new();
    let account = salvage_bytes(dump, &mut saved).expect("memory takes everything");
    if !saved.is_empty() {
        let clean = check_bytes(&saved, &Options::default());
        assert!(clean.sound, "{clean}");
        assert_eq!(clean.keys, account.keys_written);
    }
    assert!(started.elapsed() < HUNG, "{:?}", started.elapsed());
}

#[test]
fn mutations_of_fixtures() {
    let mutations = std::env::var("BIGKEYS_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(MUTATIONS);
    let dumps: Vec<_> = fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() <= BYTES_MAX).collect();
    for (number, fixture) in dumps.iter().enumerate() {
        let mut random = Random(number as u64);
        for round in 0..mutations / dumps.len() {
            let _doing = Doing(|| format!("{}, mutation {round}", fixture.name));
            let mut dump = damage(&fixture.bytes, &mut random);
            // Half of them say nothing of a checksum, so that what is in them decides.
            if round % 2 == 0 {
                dump = without_checksum(dump);
            }
            // Without its magic it is no dump, and there is nothing to see.
            if let Some(magic) = dump.get_mut(..9) {
                magic.copy_from_slice(&fixture.bytes[..9]);
            }
            holds(&dump);
        }
    }
}

#[test]
fn what_a_fuzzer_found_stays_fixed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut files = 0;
    for folder in fs::read_dir(corpus).expect("the corpus") {
        for file in fs::read_dir(folder.expect("a folder").path()).expect("a folder of files") {
            let path = file.expect("a file").path();
            let _doing = Doing(|| path.display().to_string());
            holds(&fs::read(&path).expect("a file"));
            files += 1;
        }
    }
    assert!(files > 0, "the corpus is missing");
}
