//! Whatever is salvaged checks clean, and has as many keys as the account says.
#![no_main]

use bigkeys::check::{Options, check_bytes};
use bigkeys::salvage::salvage_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|dump: &[u8]| {
    let mut saved = Vec::new();
    let account = salvage_bytes(dump, &mut saved).expect("memory takes everything");
    if saved.is_empty() {
        return;
    }
    let report = check_bytes(&saved, &Options::default());
    assert!(report.sound, "{report}");
    assert_eq!(report.keys, account.keys_written);
});
