//! What stands behind the EOF opcode, and whether it is as it should be.

use super::report::{Checksum, Report};
use crate::engine::window::Window;
use crate::input::tail::Tail;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{KeepsKey, Slice};
use crate::rdb::{Context, FormatElement, ParseError, ParseErrorKind, checksum};

/// Judges what stands behind the EOF opcode, where `source` is.
pub(super) fn judge_ending<S: KeepsKey + RestBytes>(
    context: &Context,
    report: &mut Report,
    source: &mut S,
    computed: Option<u64>,
) {
    let end = source.offset();
    if context.has_checksum() {
        report.checksum = match source.parse(FormatElement::Checksum, u64_le) {
            Ok(0) => Checksum::Disabled,
            Ok(stored) if Some(stored) == computed => Checksum::Verified,
            Ok(stored) => {
                report.find(
                    ParseError {
                        offset: end,
                        kind: ParseErrorKind::Checksum,
                        element: FormatElement::Checksum,
                        declared: stored,
                    },
                    None,
                    end,
                    end,
                );
                Checksum::Mismatch
            }
            Err(error) => {
                let declared = checksum::BYTES;
                report.find(ParseError { offset: end, declared, ..error }, None, end, end + source.rest_bytes(|_| {}));
                return;
            }
        };
    } else {
        report.checksum = Checksum::Absent;
    }
    report.compare_key_counts(end);
    let offset = source.offset();
    let mut tail = Tail::default();
    let bytes = source.rest_bytes(|bytes| tail.update(bytes));
    if tail.is_empty() {
        return;
    }
    if let Some(commands) = tail.commands(context.aux.is_aof_preamble) {
        report.notes.push(commands.say());
        if commands.is_damaged() {
            report.refuse("the append-only commands after the dump are damaged".to_owned());
        }
    } else if let Some(what) = tail.harmless() {
        report.notes.push(format!("ignored {what} after the end of the dump"));
    } else {
        let error =
            ParseError { offset, kind: ParseErrorKind::Trailing, element: FormatElement::Checksum, declared: bytes };
        report.find(error, None, end, end);
    }
}

/// A source that can be asked how much is left.
pub(super) trait RestBytes {
    /// Hands what is left to `look` and says how many bytes that was.
    fn rest_bytes(&mut self, look: impl FnMut(&[u8])) -> u64;
}

impl RestBytes for Slice<'_> {
    fn rest_bytes(&mut self, mut look: impl FnMut(&[u8])) -> u64 {
        look(self.rest());
        self.rest().len() as u64
    }
}

impl RestBytes for Window {
    fn rest_bytes(&mut self, look: impl FnMut(&[u8])) -> u64 {
        self.drain(look)
    }
}
