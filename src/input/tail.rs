//! What follows the end of a dump: padding and marks that harm nothing, an append-only file's commands, or something else.

use super::commands::Commands;

/// Bytes of the mark that ends a dump whose length was not known when it was sent (format section 6.3): random hex digits.
/// `redis-cli --rdb` leaves it in a pipe, which it cannot shorten.
pub(crate) const MARK_BYTES: usize = 40;

/// What follows a dump, as far as it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Hex digits at the start, up to those of a mark.
    digits: usize,
    zeros: u64,
    blanks: u64,
    /// Whether there is something else.
    has_others: bool,
    /// The commands in what follows the mark, if there is one.
    commands: Commands,
}

impl Tail {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut tail = Self::default();
        tail.update(bytes);
        tail
    }

    /// Takes in the bytes that follow.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.bytes == self.digits as u64 {
            let left = MARK_BYTES - self.digits;
            let is_digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let digits = rest.iter().take(left).take_while(is_digit).count();
            self.digits += digits;
            rest = rest.get(digits..).unwrap_or_default();
        }
        self.bytes += bytes.len() as u64;
        let count = |is_it: fn(u8) -> bool| rest.iter().map(|byte| u64::from(is_it(*byte))).sum::<u64>();
        let zeros = count(|byte| byte == 0);
        let blanks = count(|byte| byte.is_ascii_whitespace());
        // Fewer digits than a mark has are no mark.
        self.has_others |= zeros + blanks < rest.len() as u64 || !rest.is_empty() && self.has_part_of_mark();
        self.zeros += zeros;
        self.blanks += blanks;
        self.commands.update(rest);
    }

    /// Takes in so many zeros.
    pub(crate) fn zeros(&mut self, zeros: u64) {
        if zeros > 0 {
            self.bytes += zeros;
            self.zeros += zeros;
            self.commands.update(&[0]);
        }
    }

    /// Whether it cannot become harmless any more.
    pub(crate) fn has_others(&self) -> bool {
        self.has_others
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn has_mark(&self) -> bool {
        self.digits == MARK_BYTES
    }

    fn has_part_of_mark(&self) -> bool {
        self.digits > 0 && !self.has_mark()
    }

    /// What it is, if that is nothing, or padding, perhaps after a mark: servers read no byte of it.
    pub(crate) fn harmless(&self) -> Option<String> {
        if self.has_others || self.has_part_of_mark() {
            return None;
        }
        let mark = self.has_mark().then(|| format!("the {MARK_BYTES} bytes of the end mark of a capture"));
        let padding = match (self.zeros, self.blanks) {
            (0, 0) => None,
            (_, 0) => Some("zeros"),
            (0, _) => Some("white space"),
            _ => Some("zeros and white space"),
        };
        let bytes = self.zeros + self.blanks;
        let plural = if bytes == 1 { "byte" } else { "bytes" };
        let padding = padding.map(|what| format!("{bytes} {plural} of {what}"));
        let parts: Vec<String> = mark.into_iter().chain(padding).collect();
        Some(parts.join(" and "))
    }

    /// The commands, if these are an append-only file's: without `is_preamble`, by which a dump says that it begins one, there
    /// is a whole one at least. Servers take either for an append-only file.
    pub(crate) fn commands(&self, is_preamble: bool) -> Option<&Commands> {
        let are_commands = self.commands.count > 0 || is_preamble && !self.has_mark() && !self.commands.is_damaged();
        (self.commands.bytes > 0 && are_commands).then_some(&self.commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8; MARK_BYTES] = b"0123456789abcdef0123456789abcdef01234567";

    fn in_steps(bytes: &[u8], step: usize) -> Tail {
        let mut tail = Tail::default();
        bytes.chunks(step).for_each(|chunk| tail.update(chunk));
        tail
    }

    #[test]
    fn padding_and_marks_are_told_from_the_rest() {
        let commands = b"*1\r\n$4\r\nPING\r\n";
        for (bytes, harmless) in [
            (b"".to_vec(), Some("")),
            (b"\0".to_vec(), Some("1 byte of zeros")),
            (vec![0; 4096], Some("4096 bytes of zeros")),
            (b"\r\n".to_vec(), Some("2 bytes of white space")),
            (b"\n\0\0".to_vec(), Some("3 bytes of zeros and white space")),
            (MARK.to_vec(), Some("the 40 bytes of the end mark of a capture")),
            ([MARK, &b"\n"[..]].concat(), Some("the 40 bytes of the end mark of a capture and 1 byte of white space")),
            (MARK[..39].to_vec(), None),
            ([&MARK[..39], b"\n"].concat(), None),
            ([MARK, &MARK[..1]].concat(), None),
            ([b"\n", &MARK[..]].concat(), None),
            (b"x".to_vec(), None),
            (b"\0\0x\0".to_vec(), None),
            (commands.to_vec(), None),
        ] {
            for step in [1, 7, 40, 10_000] {
                let tail = in_steps(&bytes, step);
                assert_eq!(tail.harmless().as_deref(), harmless, "{}", bytes.escape_ascii());
                assert_eq!(tail.bytes, bytes.len() as u64);
                assert!(harmless.is_none() || !tail.has_others());
            }
        }
        for (bytes, is_preamble, count) in [
            (commands.to_vec(), false, Some(1)),
            ([MARK, &commands[..]].concat(), false, Some(1)),
            ([commands, &commands[..9]].concat(), false, Some(1)),
            (commands[..9].to_vec(), false, None),
            (commands[..9].to_vec(), true, Some(0)),
            (b"x".to_vec(), true, None),
            (b"\0".to_vec(), true, None),
            (b"".to_vec(), true, None),
        ] {
            let tail = Tail::of(&bytes);
            assert_eq!(tail.commands(is_preamble).map(|commands| commands.count), count, "{}", bytes.escape_ascii());
        }
    }
}
