//! Folded stacks, as flame graph tools read them: a prefix a frame, and the bytes of memory that are its own.

use std::io::{self, Write};

use crate::report::Report;

/// Writes a line for each prefix: its parts, with a semicolon between them, and the memory of the keys that lie under no
/// longer prefix of the report. The lines add up to the memory of all keys.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let prefixes = &report.prefixes;
    for prefix in &prefixes.found.names {
        let below = prefixes.below(prefix).map(|child| child.tally.memory_bytes).sum();
        let own = prefix.tally.memory_bytes.saturating_sub(below);
        line(prefix.name.bytes(), prefixes.separators.bytes(), own, to)?;
    }
    let other = prefixes.other.memory_bytes;
    if other > 0 { writeln!(to, "(other) {other}") } else { Ok(()) }
}

fn line(name: &[u8], separators: &[u8], bytes: u64, to: &mut dyn Write) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let parts = name.split_inclusive(|byte| separators.contains(byte));
    let frames: Vec<String> = parts.map(|element| element.escape_ascii().to_string().replace(';', "\\x3b")).collect();
    writeln!(to, "{} {bytes}", frames.join(";"))
}
