//! Every way to inflate LZF, against a slow one.
#![no_main]

#[path = "../laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::lzf(input));
