//! A dump that no program reads to its end within a test.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

/// The bytes of its one value, which takes many minutes to check, and as a sparse file no room on the disk.
const VALUE_BYTES: u64 = 1 << 42;

/// Writes it: a task over it runs until it is cancelled, however fast the program is.
pub fn write(path: &Path) {
    let mut dump = File::create(path).expect("a file");
    dump.write_all(&[b"REDIS0009\xfe\x00\x00\x01k\x81", &VALUE_BYTES.to_be_bytes()[..]].concat()).expect("a disk");
    dump.seek_relative(VALUE_BYTES.cast_signed()).expect("a sparse file");
    // A checksum of zero would not be checked.
    dump.write_all(b"\xff-checksum").expect("a disk");
}
