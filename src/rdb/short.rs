//! Short strings under short names, with a TTL or without: what a dump of tiny keys is made of, in a loop that registers are
//! enough for.
//!
//! It knows less than [`super::entry::step`] and decides nothing: at the first record that is anything else, or that
//! somebody wants to see, it stops before it. Of 20 million keys of 37 bytes a scan takes half the time with it.

use super::limits::LZF_RATIO_MAX;
use super::primitives::StringHeader;
use super::types::{ValueType, opcode};

/// What was passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) keys: u64,
    pub(crate) bytes: usize,
}

/// The longest name that a length of one byte allows for.
pub(crate) const NAME_BYTES_MAX: usize = 0x3f;

/// The longest name in whole words.
pub(crate) const PADDED_BYTES: usize = NAME_BYTES_MAX + 1;

/// A type, a name's length, the longest name, and a value's first bytes.
const HEADER_BYTES: usize = 2 + NAME_BYTES_MAX + VALUE_AHEAD_BYTES;
const EXPIRY_BYTES: usize = 1 + 8;

/// The heads of a string that are one byte: a text's length up to this, integers of one, two and four bytes.
const TEXT_63: u8 = 0x3f;
pub(crate) const INT_8: u8 = 0xc0;
const INT_32: u8 = 0xc2;

/// A value's head of one byte, and a word of what follows it.
const VALUE_AHEAD_BYTES: usize = 1 + 8;

/// A short string under a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short<'a> {
    pub(crate) record: &'a [u8],
    /// When it expires, as it is stored: [`super::Context::time_ms`] tells what that means.
    pub(crate) expires_at: Option<i64>,
    pub(crate) name: &'a [u8],
    /// The name and what follows it, for who reads whole words.
    pub(crate) padded_name: &'a [u8; PADDED_BYTES],
    /// The value's first byte, which says how it is stored, and what follows it.
    pub(crate) value_ahead: &'a [u8; VALUE_AHEAD_BYTES],
    /// How the value is stored.
    pub(crate) header: StringHeader,
}

impl<'a> Short<'a> {
    /// The short string that bytes begin with.
    #[cfg(test)]
    pub(crate) fn read(ahead: &'a [u8]) -> Option<Self> {
        lasting(ahead).or_else(|| expiring(ahead))
    }

    /// The value's first byte, if that is all of its head: of a text of up to 63 bytes or of an integer.
    #[inline(always)]
    pub(crate) fn tiny_head(&self) -> Option<u8> {
        let [first, ..] = *self.value_ahead;
        matches!(first, 0..=TEXT_63 | INT_8..=INT_32).then_some(first)
    }

    /// The value, if it is stored as it is.
    #[inline(always)]
    pub(crate) fn text(&self) -> Option<&'a [u8]> {
        let StringHeader::Raw { bytes } = self.header else { return None };
        self.record.get(self.record.len().checked_sub(usize::try_from(bytes).ok()?)?..)
    }
}

/// Takes short strings as they are passed over. A trait and not a closure, since a method can be inlined for sure: where a
/// call is left, a key takes half as many instructions more.
pub(crate) trait Visitor {
    /// Whether it has taken the string; the first that it has not ends the pass.
    fn take(&mut self, short: Short<'_>) -> bool;
}

/// Passes over strings whose records begin before `until`, as long as `taker` takes them.
#[inline(always)]
pub(crate) fn skip_short_strings(bytes: &[u8], until: usize, taker: &mut impl Visitor) -> Skipped {
    let mut passed = Skipped::default();
    while passed.bytes < until {
        let ahead = bytes.get(passed.bytes..).unwrap_or_default();
        // Each with a call of its own: those without a TTL take a tenth of the instructions less.
        let record_bytes = if let Some(short) = lasting(ahead) {
            taker.take(short).then_some(short.record.len())
        } else if let Some(short) = expiring(ahead) {
            taker.take(short).then_some(short.record.len())
        } else {
            None
        };
        let Some(record_bytes) = record_bytes else { break };
        passed.keys += 1;
        passed.bytes += record_bytes;
    }
    passed
}

/// The short string with a TTL that `ahead` begins with.
#[inline(always)]
fn expiring(ahead: &[u8]) -> Option<Short<'_>> {
    let ([code, stored @ ..], behind) = ahead.split_first_chunk::<EXPIRY_BYTES>()?;
    let stored = i64::from_le_bytes(*stored);
    // What -1 means depends on the dump.
    if *code != opcode::EXPIRE_TIME_MS || stored == -1 {
        return None;
    }
    let short = lasting(behind)?;
    let record = ahead.get(..EXPIRY_BYTES + short.record.len())?;
    Some(Short { record, expires_at: Some(stored), ..short })
}

/// The short string without a TTL that `ahead` begins with.
#[inline(always)]
fn lasting(ahead: &[u8]) -> Option<Short<'_>> {
    let start = ahead.first_chunk::<HEADER_BYTES>()?;
    let name_bytes = usize::from(start[1]);
    // Nor one without a name: many of those are zeros in the place of a lost page.
    if start[0] != ValueType::STRING.0 || name_bytes.wrapping_sub(1) >= NAME_BYTES_MAX {
        return None;
    }
    let value = 2 + name_bytes;
    let value_ahead = start.get(value..)?.first_chunk::<VALUE_AHEAD_BYTES>()?;
    let (header, head_and_stored_bytes) = match value_ahead[0] {
        first @ 0..=TEXT_63 => (StringHeader::Raw { bytes: first.into() }, 1 + usize::from(first)),
        first @ 0x40..=0x7f => {
            let (bytes, head_bytes) = short_length(first, value_ahead[1])?;
            (StringHeader::Raw { bytes: bytes as u64 }, head_bytes + bytes)
        }
        first @ INT_8..=INT_32 => int(first, value_ahead),
        0xc3 => compressed(value_ahead)?,
        _ => return None,
    };
    Some(Short {
        record: ahead.get(..value + head_and_stored_bytes)?,
        expires_at: None,
        name: start.get(2..value)?,
        padded_name: start.get(2..)?.first_chunk()?,
        value_ahead,
        header,
    })
}

/// The head of an integer of 1, 2 or 4 bytes, and the bytes it takes. Which of them comes next nothing foretells.
#[inline(always)]
fn int(first: u8, ahead: &[u8; VALUE_AHEAD_BYTES]) -> (StringHeader, usize) {
    let [_, int @ .., _, _, _, _] = *ahead;
    let int_bytes = 1_u32 << (first & 3);
    let above = 32_u32.wrapping_sub(8 * int_bytes);
    let int = i32::from_le_bytes(int).wrapping_shl(above).wrapping_shr(above);
    (StringHeader::Int(int), 1 + int_bytes as usize)
}

/// The head of a compressed text, and the bytes that both take.
#[inline(always)]
fn compressed(ahead: &[u8; VALUE_AHEAD_BYTES]) -> Option<(StringHeader, usize)> {
    let [_, second, third, fourth, fifth, ..] = *ahead;
    let (stored_bytes, stored_head) = short_length(second, third)?;
    let (bytes, head_bytes) =
        if stored_head == 1 { short_length(third, fourth)? } else { short_length(fourth, fifth)? };
    if bytes == 0 || bytes as u64 > stored_bytes as u64 * LZF_RATIO_MAX {
        return None;
    }
    let header = StringHeader::Lzf { stored_bytes: stored_bytes as u64, bytes: bytes as u64 };
    Some((header, 1 + stored_head + head_bytes + stored_bytes))
}

/// A length of one or two bytes, and how many it takes.
#[inline(always)]
fn short_length(first: u8, second: u8) -> Option<(usize, usize)> {
    match first {
        0..=0x3f => Some((usize::from(first), 1)),
        0x40..=0x7f => Some((usize::from(first & 0x3f) << 8 | usize::from(second), 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rdb::entry::{Step, step};
    use crate::rdb::source::{KeepsKey, Slice, Source};
    use crate::rdb::{Context, Dialect, Kind};

    /// The record at the start of `bytes` as the scanner reads it: its bytes, expiry, name, and the value's length.
    fn scanned(bytes: &[u8]) -> Option<(usize, Option<i64>, Vec<u8>, u64)> {
        let mut found = None;
        let mut source = Slice::new(bytes, 0);
        let end = step(&mut source, &Context::new(Dialect::Redis, 11), u64::MAX, |source, key| {
            assert_eq!(key.measure.kind, Kind::String);
            let record_bytes = usize::try_from(source.offset()).unwrap();
            found = Some((record_bytes, key.header.expires_at_ms, source.kept().to_vec(), key.measure.size));
            Ok(())
        });
        matches!(end, Ok(Step::Key)).then_some(())?;
        found
    }

    proptest! {
        #[test]
        fn records_are_what_the_scanner_reads(
            expires_at in prop::option::of(any::<i64>()),
            name in prop::collection::vec(any::<u8>(), 0..70),
            header in prop_oneof![
                (0_u8..0x40).prop_map(|bytes| vec![bytes]),
                (0x40_u8..0x42, any::<u8>()).prop_map(|(high, low)| vec![high, low]),
                any::<i8>().prop_map(|value| vec![0xc0, value.cast_unsigned()]),
                any::<i16>().prop_map(|value| [&[0xc1][..], &value.to_le_bytes()].concat()),
                any::<i32>().prop_map(|value| [&[0xc2][..], &value.to_le_bytes()].concat()),
                (0_u8..0x40, 0_u8..0x40).prop_map(|(stored, bytes)| vec![0xc3, stored, bytes]),
                (0x40_u8..0x42, any::<u8>(), 0x40_u8..0x48, any::<u8>())
                    .prop_map(|(stored_high, stored, high, low)| vec![0xc3, stored_high, stored, high, low]),
                prop::collection::vec(any::<u8>(), 1..6),
            ],
            rest in prop::collection::vec(any::<u8>(), 0..700),
        ) {
            let name_bytes = u8::try_from(name.len()).unwrap();
            let name_head = if name_bytes < 0x40 { vec![name_bytes] } else { vec![0x40, name_bytes] };
            let expiry = expires_at.map_or(Vec::new(), |at: i64| [&[opcode::EXPIRE_TIME_MS][..], &at.to_le_bytes()].concat());
            let bytes = [&expiry[..], &[0], &name_head, &name, &header, &rest].concat();
            if let Some(found) = Short::read(&bytes) {
                let Short { record, expires_at, name, padded_name, value_ahead, header: found_head } = found;
                let value_bytes = found_head.value_bytes();
                prop_assert!(padded_name.starts_with(name) && !name.is_empty());
                prop_assert_eq!(value_ahead[0], header[0]);
                prop_assert_eq!(scanned(&bytes), Some((record.len(), expires_at, name.to_vec(), value_bytes)));
                let value = || &record[record.len() - usize::try_from(value_bytes).unwrap()..];
                prop_assert_eq!(found.text(), (header[0] < 0xc0).then(value));
            } else {
                // Compressed ones may claim too much.
                let is_special = matches!(header[0], 0x42.. if !(0xc0..=0xc2).contains(&header[0]));
                let is_of_those = (1..=0x3f).contains(&name.len()) && expires_at != Some(-1);
                prop_assert!(!is_of_those || is_special || rest.len() < 0x240);
            }
        }
    }

    struct Below(u64);

    impl Visitor for Below {
        fn take(&mut self, short: Short<'_>) -> bool {
            short.header.value_bytes() < self.0
        }
    }

    #[test]
    fn it_stops_where_told() {
        let record = [&[0, 1, b'k', 2, 0, 0][..], &[0; HEADER_BYTES]].concat();
        let bytes = [&record[..6], &record[..6], &record].concat();
        assert_eq!(skip_short_strings(&bytes, 7, &mut Below(9)), Skipped { keys: 2, bytes: 12 });
        assert_eq!(skip_short_strings(&bytes, 7, &mut Below(2)), Skipped::default());
        assert_eq!(skip_short_strings(&bytes[..HEADER_BYTES - 1], 7, &mut Below(9)), Skipped::default());
    }
}
