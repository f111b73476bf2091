//! The next bytes of a source as a source of their own: a packed value's entries, or an LZF stream, of known length.
//!
//! Nothing in them can lead past their end, so that damage inside them leaves what follows where it is.

use super::fault::{Fault, Part, Trouble};
use super::primitives::Parsed;
use super::source::{Source, fault_of};

/// A source that ends before the one beneath it does.
#[derive(Debug)]
pub(crate) struct Bounded<'s, S> {
    source: &'s mut S,
    /// Offset of the end.
    end: u64,
    /// What it means to reach past the end.
    fault: Fault,
}

impl<'s, S: Source> Bounded<'s, S> {
    /// The next `bytes` bytes; whoever asks for more of them meets `fault`.
    pub(crate) fn new(source: &'s mut S, bytes: u64, fault: Fault) -> Self {
        let end = source.offset().saturating_add(bytes);
        Self { source, end, fault }
    }

    fn left(&self) -> u64 {
        self.end.saturating_sub(self.source.offset())
    }

    /// Steps over what is left.
    pub(crate) fn finish(self, part: Part) -> Result<(), Trouble> {
        let left = self.left();
        self.source.skip(part, left)
    }
}

impl<S: Source> Source for Bounded<'_, S> {
    fn offset(&self) -> u64 {
        self.source.offset()
    }

    fn parse<T>(&mut self, part: Part, parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Result<T, Trouble> {
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let past_end = self.fault;
        self.source.parse(part, |i| {
            let (ahead, behind) = i.split_at_checked(left).unwrap_or((i, &[]));
            match parser(ahead) {
                Ok((rest, value)) => {
                    let rest = i.get(ahead.len() - rest.len()..).unwrap_or(behind);
                    Ok((rest, value))
                }
                // A source that could fetch more must not: what is missing is not its bytes.
                Err(error) if ahead.len() == left && fault_of(&error) == Fault::Eof => Err(nom::Err::Error(past_end)),
                Err(error) => Err(error),
            }
        })
    }

    fn skip(&mut self, part: Part, bytes: u64) -> Result<(), Trouble> {
        if bytes > self.left() {
            return Err(self.trouble(part, self.fault, bytes));
        }
        self.source.skip(part, bytes)
    }

    fn trouble(&self, part: Part, fault: Fault, claim: u64) -> Trouble {
        self.source.trouble(part, fault, claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::primitives::{array, byte};
    use crate::rdb::source::Slice;

    #[test]
    fn nothing_leads_past_the_end() {
        let mut slice = Slice::new(b"0123456789", 2);
        let mut bounded = Bounded::new(&mut slice, 4, Fault::BlobEntry);
        assert_eq!(bounded.parse(Part::Blob, array::<3>), Ok(*b"234"));
        assert_eq!(bounded.parse(Part::Blob, array::<2>).unwrap_err().fault, Fault::BlobEntry);
        assert_eq!(bounded.skip(Part::Blob, 2).unwrap_err().fault, Fault::BlobEntry);
        assert_eq!(bounded.parse(Part::Blob, byte), Ok(b'5'));
        assert_eq!(bounded.parse(Part::Blob, byte).unwrap_err().fault, Fault::BlobEntry);
        bounded.finish(Part::Blob).unwrap();
        assert_eq!(slice.offset(), 6);
        let mut cut = Bounded::new(&mut slice, 9, Fault::BlobEntry);
        assert_eq!(cut.skip(Part::Blob, 9).unwrap_err().fault, Fault::Eof);
    }
}
