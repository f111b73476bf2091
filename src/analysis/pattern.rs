//! Patterns of key names: the glob of the server's `KEYS` and `SCAN`, or a regular expression, both over bytes.

use regex::bytes::{Regex, RegexBuilder};

/// A pattern that key names are matched with.
#[derive(Clone, Debug)]
pub struct Pattern {
    is_glob: bool,
    text: String,
    regex: Regex,
}

impl Pattern {
    /// A glob as `KEYS` takes it: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that stands for itself.
    /// Braces are plain characters, as in hash tags. The whole name must match.
    ///
    /// Beyond `KEYS`, `\x` and two hexadecimal digits stand for any byte, in classes and their ranges too: `\xff*`,
    /// `[\x80-\xff]`. Before anything else `\x` stands for an x, as in `KEYS`; where two such digits follow, `\\x` or a plain
    /// x says what is meant.
    ///
    /// # Errors
    /// The sentence of the regular expression that the glob becomes, if that is too large.
    pub fn glob(glob: &str) -> Result<Self, String> {
        Self::glob_bytes(glob.as_bytes())
    }

    /// A glob of any bytes, as a shell can give them.
    ///
    /// # Errors
    /// As [`Pattern::glob`].
    pub fn glob_bytes(glob: &[u8]) -> Result<Self, String> {
        Self::build(true, text_of_glob(glob), &regex_of_glob(glob))
    }

    /// This name alone, whatever is in it.
    ///
    /// # Errors
    /// A sentence if the name is too long.
    pub fn exact(name: &[u8]) -> Result<Self, String> {
        let mut regex = String::from(r"(?s-u)\A");
        for byte in name {
            push_byte(&mut regex, *byte);
        }
        regex.push_str(r"\z");
        Self::build(true, name.escape_ascii().to_string(), &regex)
    }

    /// A regular expression in the syntax of the crate `regex`, over the name's bytes; it may match anywhere in it.
    ///
    /// Unicode is off: `.` is any byte but a line feed, `\xff` that byte, and `\w`, `\d` and `\b` are about ASCII. `(?u)`
    /// turns it on, for classes such as `\p{Greek}` or `[äöü]`; what it then matches is UTF-8.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn regex(regex: &str) -> Result<Self, String> {
        Self::build(false, regex.to_owned(), regex)
    }

    /// These bytes, anywhere.
    ///
    /// # Errors
    /// A sentence if they are too many.
    pub fn fixed(bytes: &[u8]) -> Result<Self, String> {
        let mut regex = String::from("(?s-u)");
        for byte in bytes {
            push_byte(&mut regex, *byte);
        }
        Self::build(false, bytes.escape_ascii().to_string(), &regex)
    }

    fn build(is_glob: bool, text: String, regex: &str) -> Result<Self, String> {
        match RegexBuilder::new(regex).unicode(false).build() {
            Ok(regex) => Ok(Self { is_glob, text, regex }),
            Err(error) => {
                let error = error.to_string();
                let needs_unicode = error.contains("Unicode not allowed");
                let remedy = "\nPatterns are matched with bytes; (?u) at the start turns Unicode on.";
                Err(if needs_unicode { error + remedy } else { error })
            }
        }
    }

    /// Whether it is a glob, and not a regular expression.
    pub fn is_glob(&self) -> bool {
        self.is_glob
    }

    /// What it was made of; in a glob, bytes that are not UTF-8 as `\xff`, which means the same.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The regular expression that it is, to find where it matches.
    pub(crate) fn as_regex(&self) -> &Regex {
        &self.regex
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }
}

/// A glob as text that means the same.
fn text_of_glob(glob: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(glob.len());
    for chunk in glob.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // A backslash that escapes this byte would escape the one that is written for it.
            let backslashes = text.len() - text.trim_end_matches('\\').len();
            if backslashes % 2 == 1 {
                text.pop();
            }
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The regular expression that matches the same names. Bytes are written as `\xNN`, so nothing needs escaping.
fn regex_of_glob(glob: &[u8]) -> String {
    let mut regex = String::from(r"(?s-u)\A");
    let mut rest = glob;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'*' => regex.push_str(".*"),
            b'?' => regex.push('.'),
            b'[' => rest = push_class(&mut regex, rest),
            b'\\' => {
                // A backslash at the very end stands for itself, as in the server.
                let (escaped, after) = escaped(rest).unwrap_or((b'\\', &[]));
                rest = after;
                push_byte(&mut regex, escaped);
            }
            _ => push_byte(&mut regex, first),
        }
    }
    regex.push_str(r"\z");
    regex
}

/// The byte that what follows a backslash stands for, and what comes after it.
fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    hexadecimal(rest).or_else(|| rest.split_first().map(|(escaped, after)| (*escaped, after)))
}

/// The byte that is written as a backslash, an `x` and two hexadecimal digits, and what comes after it.
fn written_byte(rest: &[u8]) -> Option<(u8, &[u8])> {
    hexadecimal(rest.strip_prefix(b"\\")?)
}

/// The byte that an `x` and two hexadecimal digits stand for, and what comes after them.
fn hexadecimal(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = rest.strip_prefix(b"x")?.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    let byte = u8::try_from(high? * 16 + low?).ok()?;
    Some((byte, after))
}

fn push_byte(regex: &mut String, byte: u8) {
    use std::fmt::Write;
    _ = write!(regex, r"\x{byte:02x}");
}

/// Writes the class that `rest` begins with and returns what follows its `]`, or nothing if it has none.
fn push_class<'a>(regex: &mut String, rest: &'a [u8]) -> &'a [u8] {
    let (is_negated, mut rest) = match rest.split_first() {
        Some((b'^', after)) => (true, after),
        _ => (false, rest),
    };
    let mut members = [false; 256];
    loop {
        if let Some((first, after)) = written_byte(rest) {
            rest = push_range(&mut members, first, after);
            continue;
        }
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', escaped, after @ ..] => {
                insert(&mut members, *escaped, *escaped);
                after
            }
            [first, after @ ..] => push_range(&mut members, *first, after),
        };
    }
    // Written as the bytes that are in it: an empty class, which matches nothing, has no syntax of its own.
    let matching = (0..=255_u8).zip(members).filter(|(_, is_member)| *is_member != is_negated);
    let mut class = String::new();
    for (byte, _) in matching {
        push_byte(&mut class, byte);
    }
    if class.is_empty() {
        regex.push_str(r"[a&&b]");
    } else {
        regex.push('[');
        regex.push_str(&class);
        regex.push(']');
    }
    rest
}

/// Inserts the range that begins with `first` and goes on in `rest`, or `first` alone if none does, and returns what follows.
fn push_range<'a>(members: &mut [bool; 256], first: u8, rest: &'a [u8]) -> &'a [u8] {
    let (last, after) = match rest {
        // After a hyphen a backslash is the range's end, as in the server, unless it writes a byte.
        [b'-', end @ ..] => written_byte(end).or_else(|| end.split_first().map(|(last, after)| (*last, after))),
        _ => None,
    }
    .unwrap_or((first, rest));
    insert(members, first, last);
    after
}

fn insert(members: &mut [bool; 256], first: u8, last: u8) {
    for byte in first.min(last)..=first.max(last) {
        if let Some(member) = members.get_mut(usize::from(byte)) {
            *member = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, matching: &[&[u8]], others: &[&[u8]]) {
        let pattern = Pattern::glob(glob).unwrap();
        for name in matching {
            assert!(pattern.matches(name), "{glob} should match {}", name.escape_ascii());
        }
        for name in others {
            assert!(!pattern.matches(name), "{glob} should not match {}", name.escape_ascii());
        }
    }

    #[test]
    fn globs_mean_what_they_mean_to_the_server() {
        check("user:*", &[b"user:", b"user:1\n2", b"user:\xff"], &[b"user", b"xuser:1"]);
        check("h?llo", &[b"hello", b"h\xffllo"], &[b"hllo", b"heello"]);
        check("h[ae]llo", &[b"hello", b"hallo"], &[b"hillo"]);
        check("h[^e]llo", &[b"hallo"], &[b"hello"]);
        check("h[a-b]llo", &[b"hallo", b"hbllo"], &[b"hcllo"]);
        check("h[b-a]llo", &[b"hallo"], &[b"hcllo"]);
        check(r"\*\[", &[b"*["], &[b"x["]);
        check(r"a\", &[br"a\"], &[b"a"]);
        check("{user:1}.*", &[b"{user:1}.cart"], &[b"user:1.cart"]);
        check("[ab", &[b"a", b"b"], &[b"[ab"]);
        check("[]x", &[], &[b"x", b"]x"]);
        check("", &[b""], &[b"x"]);
        check("gr\u{fc}n", &["gr\u{fc}n".as_bytes()], &[b"gr\xfcn"]);
        check(r"[A-\z]", &[b"A", b"Z", br"\", b"z"], &[b"a", b"]"]);
    }

    #[test]
    fn any_byte_can_be_written_in_a_glob() {
        check(r"\xff*", &[b"\xff", b"\xff\xfe:42"], &[b"xff", br"\xff"]);
        check(r"\x0A\x00", &[b"\n\0"], &[b"x0Ax00"]);
        check(r"[\x80-\xff]x", &[b"\x80x", b"\xffx", b"\xc3x"], &[b"\x7fx", b"xx"]);
        check(r"[\xff-\x80]", &[b"\x80", b"\xff"], &[b"\x7f"]);
        check(r"[^\x00-\x1fz]", &[b"a", b"\xff"], &[b"\x1f", b"z"]);
        check(r"[\xff]", &[b"\xff"], &[b"x", b"f"]);
        check(r"[a-\x63]", &[b"a", b"b", b"c"], &[b"d", b"x"]);
        // Anything else behind the backslash stands for itself, as in the server.
        check(r"\x", &[b"x"], &[br"\x"]);
        check(r"\xg1", &[b"xg1"], &[br"\xg1"]);
        check(r"\xf", &[b"xf"], &[b"\xf0"]);
        check(r"\\xff", &[br"\xff"], &[b"\xff", b"xff"]);
        check(r"[\x]", &[b"x"], &[br"\"]);
    }

    #[test]
    fn globs_of_bytes_have_a_text_that_means_the_same() {
        for (glob, text) in [
            (&b"\xff*"[..], r"\xff*"),
            (b"a\\\xff", r"a\xff"),
            (b"a\\\\\xff", r"a\\\xff"),
            (b"[\x80-\xff]", r"[\x80-\xff]"),
            ("日\u{fc}".as_bytes(), "日\u{fc}"),
        ] {
            let pattern = Pattern::glob_bytes(glob).unwrap();
            assert_eq!(pattern.text(), text);
            let again = Pattern::glob(text).unwrap();
            for name in [&b"\xff"[..], b"\xff1", b"a\xff", b"a\\\xff", b"\x80", b"\x7f", "日\u{fc}".as_bytes()] {
                assert_eq!(pattern.matches(name), again.matches(name), "{text}: {}", name.escape_ascii());
            }
        }
    }

    #[test]
    fn regular_expressions_match_anywhere_and_bytes() {
        let matches = |regex: &str, name: &[u8]| Pattern::regex(regex).unwrap().matches(name);
        assert!(matches(r"(?-u)^\xff[0-9]+", b"\xff17:x"));
        assert!(!matches(r"^\xff[0-9]+", b"x\xff17"));
        assert!(matches(r"^user:.*:42$", b"user:\xff\xfe:42"));
        assert!(matches(r"^..$", b"\xff\xfe") && matches("^..$", "\u{fc}".as_bytes()));
        assert!(matches(r"^[\x80-\xff]+$", b"\xff\xfe") && matches(r"^[^a]$", b"\xff"));
        assert!(matches("日+", "日日".as_bytes()) && matches(r"(?i)^ÜBER$", "Über".as_bytes()));
        assert!(!matches(r"\xfc", "\u{fc}".as_bytes()) && matches(r"(?u)\xfc", "\u{fc}".as_bytes()));
        assert!(matches(r"(?u)^.$", "\u{fc}".as_bytes()) && !matches(r"(?u)^.$", b"\xff"));
        assert!(matches(r"(?u)[äöü]", "\u{fc}".as_bytes()) && matches(r"(?u)^\p{Greek}", "λ:1".as_bytes()));
        assert!(Pattern::regex("(").unwrap_err().contains("unclosed"));
        for needs_unicode in ["[äöü]", r"\p{Greek}"] {
            assert!(Pattern::regex(needs_unicode).unwrap_err().contains("(?u)"));
        }
    }
}
