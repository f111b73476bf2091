//! A dump read in segments that guess their first entry, and through a window: the same keys, or the same damage.
#![no_main]

use std::fs;
use std::io::Cursor;

use bigkeys::{Options, Report};
use libfuzzer_sys::fuzz_target;

fn answer(report: Report) -> (Vec<(u64, Vec<u8>, u64)>, Vec<String>) {
    let keys = report.keys.into_iter().map(|key| (key.db, key.name, key.size)).collect();
    let damage = report.damage.iter().map(|error| error.cause.to_string()).collect();
    (keys, damage)
}

fuzz_target!(|dump: &[u8]| {
    let mut options = Options::default();
    options.question.top = usize::MAX;
    options.question.all_kinds = true;
    options.threads = 1;
    let path = format!("/dev/shm/bigkeys-fuzz-{}", std::process::id());
    fs::write(&path, dump).expect("memory");
    let whole = answer(bigkeys::analyze(&path, &options).expect("the file can be opened"));
    options.threads = 3;
    for segment_bytes in [16, 100, 1000] {
        options.segment_bytes = segment_bytes;
        let split = answer(bigkeys::analyze(&path, &options).expect("the file can be opened"));
        assert_eq!(split, whole, "segments of {segment_bytes}");
    }
    options.window_bytes = 50;
    let reader = Box::new(Cursor::new(dump.to_vec()));
    let streamed = answer(bigkeys::analyze_reader("a reader", reader, &options).expect("memory"));
    assert_eq!(streamed, whole, "streamed");
});
