//! Numbers and names for people.

use std::fmt::Write;

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::error::is_invisible;

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `1.5 KiB`, `23.4 MiB`.
#[allow(clippy::cast_precision_loss, reason = "for reading")]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    if amount < 99.95 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

/// `45 s`, `3 min`, `5 h`, `24 days`: whole ones of the largest unit.
pub fn duration(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", count(seconds / 86_400)),
    }
}

/// `2023-11-14 22:13:20 UTC`.
pub fn moment(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}

/// `2023-11-14`, in UTC.
pub fn date(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime("%Y-%m-%d").to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}

/// A number of things: `1 key`, `2 keys`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `12.3 %`; nothing has no share of nothing.
#[allow(clippy::cast_precision_loss, reason = "for reading")]
pub fn share(element: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", element as f64 * 100.0 / whole as f64) }
}

/// `+1.5 KiB`, `-3 B`; no change is `-`.
pub fn signed_bytes(change: i64) -> String {
    signed(change, &bytes(change.unsigned_abs()))
}

/// `+1,234`, `-3`; no change is `-`.
pub fn signed_count(change: i64) -> String {
    signed(change, &count(change.unsigned_abs()))
}

/// `+12.3 %` of what was there before; nothing cannot grow by a share.
#[allow(clippy::cast_precision_loss, reason = "for reading")]
pub fn signed_share(change: i64, before: u64) -> String {
    match before {
        0 => "-".to_owned(),
        _ => signed(change, &format!("{:.1} %", change.unsigned_abs() as f64 * 100.0 / before as f64)),
    }
}

fn signed(change: i64, amount: &str) -> String {
    match change {
        0 => "-".to_owned(),
        1.. => format!("+{amount}"),
        _ => format!("-{amount}"),
    }
}

/// A bar of at most `width` columns, in eighths of one; what is not nothing is seen.
#[allow(clippy::cast_possible_truncation, reason = "at most the width")]
pub fn bar(element: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let wide = width as u128 * 8 * u128::from(element.min(whole)) / u128::from(whole.max(1));
    let eighths = (wide as usize).max(usize::from(element > 0));
    let mut bar = "█".repeat(eighths / 8);
    if let Some(last) = EIGHTHS.get(eighths % 8).filter(|_| !eighths.is_multiple_of(8)) {
        bar.push(*last);
    }
    bar
}

/// A name of at most `width` columns: what a terminal would act on is escaped, what is too long is cut in the middle.
pub fn name(bytes: &[u8], width: usize) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // Of marks without a width any number would fit into a column.
            if is_invisible(character) || character.width().unwrap_or(0) == 0 {
                _ = write!(text, "{}", character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    if text.is_empty() {
        "\"\"".clone_into(&mut text);
    }
    if text.width() <= width {
        return text;
    }
    let half = width.saturating_sub(1) / 2;
    let first = fitting(text.chars(), width.saturating_sub(1) - half);
    let last: String = fitting(text.chars().rev(), half).chars().rev().collect();
    format!("{first}…{last}")
}

/// The first characters, as many as fit.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    characters
        .take_while(|character| {
            let columns = character.width().unwrap_or(0);
            let fits = columns <= left;
            left = left.saturating_sub(columns);
            fits
        })
        .collect()
}

/// Text in a column of `width`, on its left.
pub fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Text in a column of `width`, on its right.
pub fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1024, 150 << 10, 3 << 29].map(bytes), ["0 B", "1023 B", "1.0 KiB", "150 KiB", "1.5 GiB"]);
        assert!(bytes(u64::MAX).len() <= 8);
        let durations = [0, 59, 60, 4096, 86_399, 131_072, 2_097_152, 1 << 30].map(duration);
        assert_eq!(durations, ["0 s", "59 s", "1 min", "1 h", "23 h", "1 day", "24 days", "12,427 days"]);
        assert_eq!(moment(1_700_000_000_123), "2023-11-14 22:13:20 UTC");
        assert_eq!(moment(i64::MAX), "9223372036854775807 ms");
        assert_eq!((share(1, 8), share(0, 0)), ("12.5 %".to_owned(), "-".to_owned()));
        assert_eq!([0, 1, 50, 100].map(|element| bar(element, 100, 4)), ["", "▏", "██", "████"]);
        assert_eq!(bar(1, 1 << 60, 10), "▏");
        assert_eq!(name(b"a\nb\xff\x1b[2J", 40), "a\\nb\\xff\\u{1b}[2J");
        assert_eq!(name("中文中文中文".as_bytes(), 7), "中…文");
        assert_eq!(name(b"0123456789", 5), "01…89");
    }
}
