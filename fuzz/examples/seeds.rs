//! Writes what the targets `packed` and `lzf` begin with, taken from the fixtures: a file a value, under `fuzz/seeds`.

use std::fs;
use std::path::{Path, PathBuf};

use bigkeys::rdb::primitives::{StringHeader, string_header};
use bigkeys::rdb::{Dialect, Scanner, ValueType};

/// Larger values hold more of the same.
const BYTES_MAX: usize = 4096;

/// As many of each type, so that the common ones leave room for the rare.
const EACH_MAX: usize = 8;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = root.join("seeds");
    for target in ["packed", "lzf"] {
        fs::create_dir_all(seeds.join(target))?;
    }
    let mut counts = std::collections::HashMap::new();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root.join("../fixtures"))?.map(|file| Ok(file?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "rdb")) {
        let dump = fs::read(path)?;
        let Ok(mut scanner) = Scanner::new(&dump) else { continue };
        let reader = match scanner.context().dialect {
            Dialect::Valkey => 1,
            _ => 0,
        };
        while let Some(Ok(entry)) = scanner.next() {
            let value = scanner.value(&entry);
            if value.len() > BYTES_MAX {
                continue;
            }
            let mut write = |target: &str, value_type: ValueType, bytes: &[u8]| {
                let count = counts.entry((target.to_owned(), value_type.0)).or_insert(0);
                *count += 1;
                if *count > EACH_MAX {
                    return Ok(());
                }
                fs::write(seeds.join(target).join(format!("{}-{count}", value_type.0)), bytes)
            };
            write("packed", entry.value_type, &[&[entry.value_type.0, reader], value].concat())?;
            if let Ok((stream, StringHeader::Lzf { .. })) = string_header(value) {
                write("lzf", entry.value_type, stream)?;
            }
        }
    }
    Ok(())
}
