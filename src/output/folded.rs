//! Folded stacks, as flame graph tools read them: a prefix a frame, and the bytes of memory that are its own.

use std::io::{self, Write};

use crate::report::{NameTally, Report};

/// Writes a line for each prefix: its parts, with a semicolon between them, and the memory of the keys that lie under no
/// longer prefix of the report. The lines add up to the memory of all keys.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let names = &report.prefixes.found.names;
    let separators = report.prefixes.separators.bytes();
    let mut all_bytes = 0;
    // Prefixes are in the order of their bytes, so what lies under one follows it.
    let mut rest = names.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let name = first.name.bytes();
        if depth(name, separators) == 1 {
            all_bytes += first.tally.memory_bytes;
        }
        let below = children(name, after, separators).map(|child| child.tally.memory_bytes).sum();
        line(name, separators, first.tally.memory_bytes.saturating_sub(below), to)?;
    }
    let other = report.totals.memory_bytes.saturating_sub(all_bytes);
    if other > 0 { writeln!(to, "(other) {other}") } else { Ok(()) }
}

/// The prefixes right below one, among those that follow it.
pub(super) fn children<'n>(
    name: &'n [u8],
    after: &'n [NameTally],
    separators: &'n [u8],
) -> impl Iterator<Item = &'n NameTally> {
    let depth_below = depth(name, separators) + 1;
    let below = after.iter().take_while(move |next| next.name.bytes().starts_with(name));
    below.filter(move |next| depth(next.name.bytes(), separators) == depth_below)
}

pub(super) fn depth(name: &[u8], separators: &[u8]) -> usize {
    name.iter().filter(|byte| separators.contains(byte)).count()
}

fn line(name: &[u8], separators: &[u8], bytes: u64, to: &mut dyn Write) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let parts = name.split_inclusive(|byte| separators.contains(byte));
    let frames: Vec<String> = parts.map(|part| part.escape_ascii().to_string().replace(';', "\\x3b")).collect();
    writeln!(to, "{} {bytes}", frames.join(";"))
}
