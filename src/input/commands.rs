//! Counting the commands of an append-only file (format section 6.4), a piece at a time and without holding one.

/// Commands counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commands {
    /// Whole commands.
    pub(crate) count: u64,
    /// Bytes that were looked at.
    pub(crate) bytes: u64,
    state: State,
}

/// Where in a command the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between commands.
    #[default]
    Start,
    /// In a line such as `#TS:1700000000`.
    Comment,
    /// In the number of arguments.
    Arguments { count: u64 },
    /// Before the `$` of an argument.
    Argument { left: u64 },
    /// In the length of an argument.
    Length { left: u64, bytes: u64 },
    /// In an argument and the line's end behind it.
    Skip { left: u64, bytes: u64 },
    /// Something that is not a command.
    Damaged,
}

impl Commands {
    /// Takes in the bytes that follow.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while let Some((first, rest)) = bytes.split_first() {
            if let State::Skip { left, bytes: skip } = self.state {
                let step = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
                bytes = bytes.get(step..).unwrap_or_default();
                let skip = skip - step as u64;
                self.state = if skip > 0 { State::Skip { left, bytes: skip } } else { self.next_argument(left) };
                continue;
            }
            self.state = self.after(*first);
            if self.state == State::Damaged {
                return;
            }
            bytes = rest;
        }
    }

    /// What there is of commands.
    pub(crate) fn say(&self) -> String {
        let Self { count, bytes, .. } = *self;
        let end = match self.state {
            State::Start => "",
            State::Damaged => ", with something in them that is not a command,",
            _ => ", the last of them cut,",
        };
        format!("{bytes} bytes of append-only commands ({count} commands){end} follow the dump")
    }

    /// Whether something in them is no command, as far as they are not just cut.
    pub(crate) fn is_damaged(&self) -> bool {
        self.state == State::Damaged
    }

    /// Whether they end inside one.
    pub(crate) fn is_cut(&self) -> bool {
        !matches!(self.state, State::Start | State::Damaged)
    }

    fn next_argument(&mut self, left: u64) -> State {
        if left > 0 {
            return State::Argument { left };
        }
        self.count += 1;
        State::Start
    }

    fn after(&mut self, byte: u8) -> State {
        const LINE_END_BYTES: u64 = 2;
        let digit = |number: u64| number.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
        match (self.state, byte) {
            (State::Start, b'*') => State::Arguments { count: 0 },
            (State::Comment, b'\n') => State::Start,
            (State::Start, b'#') | (State::Comment, _) => State::Comment,
            (State::Arguments { count }, b'0'..=b'9') => {
                digit(count).map_or(State::Damaged, |count| State::Arguments { count })
            }
            (state @ (State::Arguments { .. } | State::Length { .. }), b'\r') => state,
            (State::Arguments { count: 1.. }, b'\n') => {
                let State::Arguments { count: left } = self.state else { return State::Damaged };
                State::Argument { left }
            }
            (State::Argument { left }, b'$') => State::Length { left, bytes: 0 },
            (State::Length { left, bytes }, b'0'..=b'9') => {
                digit(bytes).map_or(State::Damaged, |bytes| State::Length { left, bytes })
            }
            (State::Length { left, bytes }, b'\n') => {
                State::Skip { left: left - 1, bytes: bytes.saturating_add(LINE_END_BYTES) }
            }
            _ => State::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_in_pieces_of_any_size() {
        let text = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1700000000\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n*1\r\n\r\n";
        for step in 1..text.len() {
            let mut commands = Commands::default();
            text.chunks(step).for_each(|segment_scan| commands.update(segment_scan));
            assert_eq!((commands.count, commands.bytes), (2, text.len() as u64));
            assert_eq!(commands.state, State::Start);
        }
        let mut cut = Commands::default();
        cut.update(&text[..text.len() - 1]);
        assert_eq!(cut.count, 1);
        assert!(cut.say().contains("the last of them cut"));
        for bad in [&b"x"[..], b"*x", b"*0\r\n", b"*1\r\nSET", b"*99999999999999999999999\r\n"] {
            let mut commands = Commands::default();
            commands.update(bad);
            assert!(commands.is_damaged(), "{}", bad.escape_ascii());
        }
    }
}
