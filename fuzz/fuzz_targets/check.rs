//! A check of any bytes comes to an end, and what it calls sound the scanner reads to its end.
#![no_main]

use bigkeys::check::{Options, check_bytes};
use bigkeys::rdb::Scanner;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|dump: &[u8]| {
    let report = check_bytes(dump, &Options::default());
    let mut resync = Options::default();
    resync.resync = true;
    check_bytes(dump, &resync);
    if let Ok(scanner) = Scanner::new(dump) {
        let damage = scanner.filter(Result::is_err).count();
        assert!(!report.sound || damage == 0);
    }
});
