//! Each packed structure and LZF, from any bytes: the first one chooses.
#![no_main]

use bigkeys::rdb::packed::{intset, listpack, lzf, ziplist, zipmap};
use libfuzzer_sys::fuzz_target;

const INFLATED_BYTES_MAX: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let Some((choice, blob)) = input.split_first() else { return };
    match choice % 5 {
        0 => {
            if let Ok(entries) = listpack::entries(blob) {
                assert!(entries.count() <= blob.len());
            }
        }
        1 => {
            if let Ok(entries) = ziplist::entries(blob) {
                assert!(entries.count() <= blob.len());
            }
        }
        2 => {
            if let Ok(entries) = intset::entries(blob) {
                assert!(entries.count() <= blob.len());
            }
        }
        3 => {
            if let Ok(pairs) = zipmap::entries(blob) {
                assert!(pairs.count() <= blob.len());
            }
        }
        _ => {
            let mut prefix = [0; 64];
            let prefix_bytes = lzf::inflate_prefix(blob, &mut prefix);
            for bytes in [1, 64, INFLATED_BYTES_MAX] {
                let mut whole = Vec::new();
                if lzf::inflate(blob, bytes, &mut whole).is_ok() {
                    let bytes = prefix_bytes.expect("the whole stream is sound");
                    assert_eq!(whole.len().min(prefix.len()), bytes);
                    assert_eq!(whole[..bytes], prefix[..bytes]);
                }
            }
        }
    }
});
