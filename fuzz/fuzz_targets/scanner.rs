//! The scanner over any bytes, and the decoder over what it finds.
#![no_main]

#[path = "../laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::scanner(input));
