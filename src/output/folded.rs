//! Folded stacks, as flame graph tools read them: a prefix a frame, and the bytes of memory that are its own.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::error::Visible;
use crate::report::Report;

/// Writes a line for each prefix: its parts, with a semicolon between them, and the memory of the keys that lie under no
/// longer prefix of the report. The lines add up to the memory of all keys.
///
/// They are UTF-8: only what would break the format or act on a terminal is escaped.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let prefixes = &report.prefixes;
    for (name, own) in own_memory(report) {
        line(&name, prefixes.separators.bytes(), own, to)?;
    }
    let other = prefixes.other.memory_bytes;
    if other > 0 { writeln!(to, "(other) {other}") } else { Ok(()) }
}

/// Writes a line for each prefix of two reports, with its own memory in the old one and in the new one, as `difffolded.pl` does.
///
/// # Errors
/// The writer's.
pub fn write_difference(old: &Report, new: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut both: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    own_memory(old).for_each(|(name, own)| both.entry(name).or_default().0 = own);
    own_memory(new).for_each(|(name, own)| both.entry(name).or_default().1 = own);
    for (name, (old_bytes, new_bytes)) in both.into_iter().filter(|(_, own)| *own != (0, 0)) {
        writeln!(to, "{} {old_bytes} {new_bytes}", stack(&name, new.prefixes.separators.bytes()))?;
    }
    match (old.prefixes.other.memory_bytes, new.prefixes.other.memory_bytes) {
        (0, 0) => Ok(()),
        (old_bytes, new_bytes) => writeln!(to, "(other) {old_bytes} {new_bytes}"),
    }
}

/// The prefixes, each with the memory of the keys that lie under no longer one.
fn own_memory(report: &Report) -> impl Iterator<Item = (Vec<u8>, u64)> {
    let prefixes = &report.prefixes;
    prefixes.found.names.iter().map(|prefix| {
        let below = prefixes.below(prefix).map(|child| child.tally.memory_bytes).sum();
        (prefixes.whole(prefix), prefix.tally.memory_bytes.saturating_sub(below))
    })
}

fn line(name: &[u8], separators: &[u8], bytes: u64, to: &mut dyn Write) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    writeln!(to, "{} {bytes}", stack(name, separators))
}

/// The parts of a prefix, with a semicolon between them.
fn stack(name: &[u8], separators: &[u8]) -> String {
    let parts = name.split_inclusive(|byte| separators.contains(byte));
    // A semicolon is what frames are separated by.
    let frames: Vec<String> = parts.map(|part| Visible(part).to_string().replace(';', "\\x3b")).collect();
    with_spaces_kept(&frames.join(";"))
}

/// A stack whose spaces tools read as part of it: they cut those at both ends, and take a number after the last one for a
/// count.
fn with_spaces_kept(stack: &str) -> String {
    let stack_start = stack.trim_start();
    let (leading, rest) = stack.split_at(stack.len() - stack_start.len());
    let (rest, trailing) = rest.split_at(rest.trim_end().len());
    let escaped = |spaces: &str| spaces.chars().map(|space| space.escape_unicode().to_string()).collect::<String>();
    let before_number = rest.trim_end_matches(|digit: char| digit.is_ascii_digit() || digit == '.');
    let (before, number) = rest.split_at(before_number.len());
    let (before, space) = before.split_at(before.trim_end().len());
    let space = if number.is_empty() { space.to_owned() } else { escaped(space) };
    [escaped(leading), before.to_owned(), space, number.to_owned(), escaped(trailing)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_breaks_the_format_is_escaped() {
        for (name, expected) in [
            ("日本:1:", "日本:;1: 7\n"),
            ("it's:", "it's: 7\n"),
            ("say \"hi\":", "say \"hi\": 7\n"),
            ("a b:c d:", "a b:;c d: 7\n"),
            ("back\\slash:", "back\\slash: 7\n"),
            ("tab\t:line\n:", "tab\\t:;line\\n: 7\n"),
            ("a;b:", "a\\x3bb: 7\n"),
            ("\u{202e}evil:\u{1b}:", "\\u{202e}evil:;\\u{1b}: 7\n"),
            (" a:", "\\u{20}a: 7\n"),
            ("a: b:", "a:; b: 7\n"),
        ] {
            let mut text = Vec::new();
            line(name.as_bytes(), b":", 7, &mut text).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
        let mut text = Vec::new();
        line(b"\xff\xfe:", b":", 7, &mut text).unwrap();
        line(b"a  12", b" 2", 7, &mut text).unwrap();
        line(b"a ", b" ", 7, &mut text).unwrap();
        line(b"x 12", b"2", 7, &mut text).unwrap();
        line(b"a 1.5x", b"x", 7, &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\\xff\\xfe: 7\na ; ;12 7\na\\u{20} 7\nx\\u{20}12 7\na 1.5x 7\n");
    }
}
