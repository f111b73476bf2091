//! Random damage to every small fixture, and each file that a fuzzer ever found: no panic, no endless loop, no growth of
//! memory, nothing sound or complete whose checksum is wrong, the same answer in segments and through a window, and
//! whatever is salvaged checks clean.
//!
//! A sample runs with the other tests; `BIGKEYS_MUTATIONS=1000000 cargo test --release --test mutations` runs a million, and
//! looks at the time that each takes too.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use support::damage::{damage, without_checksum};
use support::fixtures;
use support::random::Random;
use support::ways::Doing;

use allocated::Measured;

mod allocated;
#[path = "../../fuzz/laws.rs"]
mod laws;
mod many;
#[path = "../support/mod.rs"]
mod support;

/// Mutations of all fixtures together.
const MUTATIONS: usize = 2_000;

/// Larger fixtures hold more of the same.
const BYTES_MAX: usize = 20_000;

/// One dump that takes longer hangs, even on a machine that stands still for a while: a clean one takes milliseconds.
const HUNG: Duration = Duration::from_mins(5);

/// What the program may hold over a mapped file, which docs/limits.md promises; all threads of this test together are well
/// below.
const HELD_BYTES_MAX: usize = 64 << 20;

/// How much longer than its clean dump a damaged one may take, and the time below which nothing is to be told.
const TIMES_SLOWER_MAX: u64 = 10;
const NOISE_NS: u64 = 3_000_000;

/// How often a slow one is measured again before it counts: the least time is the one that nothing disturbed.
const MEASURED_AGAIN: usize = 5;

/// One in so many mutations is searched, put on a timeline, carved out and copied as well.
const EXAMINED: usize = 8;

fn holds(dump: &[u8], is_examined: bool) {
    let started = Instant::now();
    let _turn = Measured::turn();
    let measured = Measured::begin();
    laws::check_any(dump);
    laws::scanner(dump);
    laws::salvage(dump);
    laws::segments(dump);
    laws::values(dump);
    if is_examined {
        laws::forensics(dump);
        laws::carve(dump);
        laws::extract_all(dump);
    }
    let held = measured.most();
    assert!(held <= HELD_BYTES_MAX, "{held} bytes of memory");
    assert!(started.elapsed() < HUNG, "{:?}", started.elapsed());
}

/// Processor time that this thread takes to check a dump, to salvage it, and to scan it.
fn time_ns(dump: &[u8]) -> u64 {
    let started = thread_ns();
    laws::check_any(dump);
    laws::scanner(dump);
    laws::salvage(dump);
    thread_ns() - started
}

fn thread_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel that counts a thread's time");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}

/// Fails if a dump takes much longer than `clean_ns`, however often it is tried.
fn is_no_slower(dump: &[u8], clean_ns: u64) {
    let most = TIMES_SLOWER_MAX * clean_ns.max(NOISE_NS / TIMES_SLOWER_MAX);
    let mut least = time_ns(dump);
    for _ in 0..MEASURED_AGAIN {
        if least <= most {
            return;
        }
        least = least.min(time_ns(dump));
    }
    assert!(least <= most, "{least} ns instead of {clean_ns}");
}

#[test]
fn mutations_of_fixtures() {
    let asked = std::env::var("BIGKEYS_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let mutations: usize = asked.unwrap_or(MUTATIONS);
    let dumps: Vec<_> = fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() <= BYTES_MAX).collect();
    for (number, fixture) in dumps.iter().enumerate() {
        let mut random = Random(number as u64);
        let clean_ns = (0..MEASURED_AGAIN).map(|_| time_ns(&fixture.bytes)).min().unwrap_or_default();
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
            holds(&dump, round % EXAMINED == 0);
            // Only where nothing else runs: a test among others must not depend on the time.
            if asked.is_some() {
                is_no_slower(&dump, clean_ns);
            }
        }
    }
}

#[test]
fn what_a_fuzzer_found_stays_fixed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut files = 0;
    for folder in fs::read_dir(corpus).expect("the corpus") {
        let folder = folder.expect("a folder");
        let target = folder.file_name();
        let law = target.to_str().and_then(laws::of).unwrap_or_else(|| panic!("no fuzz target is called {target:?}"));
        for file in fs::read_dir(folder.path()).expect("a folder of files") {
            let path = file.expect("a file").path();
            let _doing = Doing(|| path.display().to_string());
            law(&fs::read(&path).expect("a file"));
            files += 1;
        }
    }
    assert!(files > 0, "the corpus is missing");
}
