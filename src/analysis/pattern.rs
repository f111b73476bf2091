//! Patterns of key names: the glob of the server's `KEYS` and `SCAN`, or a regular expression, both over bytes.

use regex::bytes::{Regex, RegexBuilder};

/// A pattern that key names are matched with.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// A glob as `KEYS` takes it: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that stands for itself.
    /// Braces are plain characters, as in hash tags. The whole name must match.
    ///
    /// # Errors
    /// The sentence of the regular expression that the glob becomes, if that is too large.
    pub fn glob(glob: &str) -> Result<Self, String> {
        Self::build(&regex_of_glob(glob.as_bytes()))
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
        Self::build(&regex)
    }

    /// A regular expression in the syntax of the crate `regex`, over the name's bytes; it may match anywhere in it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn regex(regex: &str) -> Result<Self, String> {
        Self::build(regex)
    }

    fn build(regex: &str) -> Result<Self, String> {
        match RegexBuilder::new(regex).build() {
            Ok(regex) => Ok(Self(regex)),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.0.is_match(name)
    }
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
                let (&escaped, after) = rest.split_first().unwrap_or((&b'\\', &[]));
                rest = after;
                push_byte(&mut regex, escaped);
            }
            _ => push_byte(&mut regex, first),
        }
    }
    regex.push_str(r"\z");
    regex
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
            [first, b'-', last, after @ ..] => {
                insert(&mut members, *first.min(last), *first.max(last));
                after
            }
            [first, after @ ..] => {
                insert(&mut members, *first, *first);
                after
            }
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

fn insert(members: &mut [bool; 256], first: u8, last: u8) {
    for byte in first..=last {
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
    }

    #[test]
    fn regular_expressions_match_anywhere_and_bytes() {
        let pattern = Pattern::regex(r"(?-u)^\xff[0-9]+").unwrap();
        assert!(pattern.matches(b"\xff17:x"));
        assert!(!pattern.matches(b"x\xff17"));
        assert!(Pattern::regex("(").unwrap_err().contains("unclosed"));
    }
}
