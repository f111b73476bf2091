//! Text in lines of so many columns.

use unicode_width::UnicodeWidthChar;

/// The lines of a text that has no character without a width: broken after blanks where there are some.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    // Bytes of the line up to the last blank.
    let mut breakable = 0;
    for char in text.chars() {
        let wide = char.width().unwrap_or(0);
        if columns + wide > width && !line.is_empty() {
            let rest = if breakable > 0 { line.split_off(breakable) } else { String::new() };
            lines.push(line.trim_end().to_owned());
            line = rest;
            columns = line.chars().map(|char| char.width().unwrap_or(0)).sum();
            breakable = 0;
        }
        line.push(char);
        columns += wide;
        if char == ' ' {
            breakable = line.len();
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_after_blanks_and_else_where_they_must() {
        assert_eq!(wrap("a short one", 20), ["a short one"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 5), ["日本", "語"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }
}
