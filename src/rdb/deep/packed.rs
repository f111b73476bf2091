//! Packed structures looked at entry by entry, as servers do that are told to trust nothing (format section 17).
//!
//! Each function hands every entry to `visit` and returns how many there are.

use crate::rdb::packed::{Text, intset, listpack, ziplist, zipmap};
use crate::rdb::parse_error::ParseErrorKind;

/// What is wrong with a packed value, and the number that shows it: what its header or an entry says, or its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) kind: ParseErrorKind,
    pub(super) declared: u64,
}

impl From<ParseErrorKind> for Flaw {
    fn from(kind: ParseErrorKind) -> Self {
        Self { kind, declared: 0 }
    }
}

/// What is packed into a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Listpack,
    Ziplist,
    Intset,
    Zipmap,
}

impl Packed {
    /// Looks at each entry.
    #[inline]
    pub(super) fn look(self, blob: &[u8], visit: impl FnMut(Text<'_>)) -> Result<u64, Flaw> {
        match self {
            Self::Listpack => listpack(blob, visit),
            Self::Ziplist => ziplist(blob, visit),
            Self::Intset => intset(blob, visit),
            Self::Zipmap => zipmap(blob, visit),
        }
    }
}

/// The entries of a listpack: none reaches outside, each has its own length behind it, the header counts them.
#[inline]
pub(super) fn listpack(blob: &[u8], mut visit: impl FnMut(Text<'_>)) -> Result<u64, Flaw> {
    let (_, (bytes, stated)) = listpack::header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    sized(bytes, blob)?;
    let mut entries = 0;
    for entry in listpack::entries(blob)? {
        visit(entry?);
        entries += 1;
    }
    counted(stated.map(u64::from), entries)
}

/// The entries of a ziplist: as a listpack's, each says how long the one before it is, and the header where the last is.
#[inline]
pub(super) fn ziplist(blob: &[u8], mut visit: impl FnMut(Text<'_>)) -> Result<u64, Flaw> {
    let (mut rest, (bytes, stated)) = ziplist::header(blob).map_err(|_| ParseErrorKind::BlobForm)?;
    let Some(tail) = blob.get(4..8).and_then(|tail| tail.try_into().ok()).map(u32::from_le_bytes) else {
        return Err(ParseErrorKind::BlobForm.into());
    };
    sized(bytes, blob)?;
    let tail_is_wrong = Flaw { kind: ParseErrorKind::Tail, declared: tail.into() };
    if u64::from(tail) >= blob.len() as u64 {
        return Err(tail_is_wrong);
    }
    let mut entries = 0;
    let mut last = None;
    let mut last_bytes = 0;
    loop {
        let says = match rest {
            [0xfe, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]).into(),
            [first, ..] => u64::from(*first),
            [] => return Err(ParseErrorKind::BlobEntry.into()),
        };
        let at = blob.len() - rest.len();
        let (behind, entry) = ziplist::entry(rest).map_err(|_| ParseErrorKind::BlobEntry)?;
        let Some(entry) = entry else { break };
        if says != last_bytes {
            return Err(ParseErrorKind::BackLength.into());
        }
        visit(entry);
        entries += 1;
        last = Some(at);
        last_bytes = (rest.len() - behind.len()) as u64;
        rest = behind;
    }
    if rest.len() != 1 {
        return Err(ParseErrorKind::BlobEntry.into());
    }
    if last.is_some_and(|last| last as u64 != u64::from(tail)) {
        return Err(tail_is_wrong);
    }
    counted(stated.map(u64::from), entries)
}

/// The integers of an intset, which ascend.
#[inline]
pub(super) fn intset(blob: &[u8], mut visit: impl FnMut(Text<'_>)) -> Result<u64, Flaw> {
    let mut integers = 0;
    let mut last = None;
    for text in intset::entries(blob).map_err(|kind| Flaw { kind, declared: blob.len() as u64 })? {
        if let Text::Int(value) = text {
            if last.is_some_and(|last| last >= value) {
                return Err(ParseErrorKind::Order.into());
            }
            last = Some(value);
        }
        visit(text);
        integers += 1;
    }
    Ok(integers)
}

/// The fields and values of a zipmap in turn.
#[inline]
pub(super) fn zipmap(blob: &[u8], mut visit: impl FnMut(Text<'_>)) -> Result<u64, Flaw> {
    /// What the first byte says of a map that has too many pairs to count there.
    const MANY: u8 = 254;
    let stated = blob.first().copied().filter(|pairs| *pairs != MANY);
    let mut pairs = 0;
    for pair in zipmap::entries(blob)? {
        let (field, value) = pair?;
        visit(Text::Bytes(field));
        visit(Text::Bytes(value));
        pairs += 1;
    }
    counted(stated.map(u64::from), pairs)?;
    Ok(2 * pairs)
}

fn sized(stated: u32, blob: &[u8]) -> Result<(), Flaw> {
    let bytes = blob.len() as u64;
    if u64::from(stated) == bytes { Ok(()) } else { Err(Flaw { kind: ParseErrorKind::BlobSize, declared: bytes }) }
}

fn counted(stated: Option<u64>, entries: u64) -> Result<u64, Flaw> {
    match stated {
        Some(declared) if declared != entries => Err(Flaw { kind: ParseErrorKind::BlobEntries, declared }),
        _ => Ok(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(look: Packed, blob: &[u8]) -> Result<u64, ParseErrorKind> {
        looked(look, blob).map_err(|flaw| flaw.kind)
    }

    fn looked(look: Packed, blob: &[u8]) -> Result<u64, Flaw> {
        let mut seen = 0;
        let counted = look.look(blob, |_| seen += 1);
        if let Ok(counted) = counted {
            assert_eq!(seen, counted);
        }
        counted
    }

    /// a, 1000, 300000, 12, 9999999999 as Redis 6.2 packs a list.
    const ZIPLIST: &[u8] = b"\x23\0\0\0\x18\0\0\0\x05\0\0\x01a\x03\xc0\xe8\x03\x04\xf0\xe0\x93\x04\x05\xfd\
        \x02\xe0\xff\xe3\x0b\x54\x02\0\0\0\xff";

    /// {a:1} as Redis 7.2 packs it.
    const LISTPACK: &[u8] = b"\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff";

    fn with(blob: &[u8], at: usize, byte: u8) -> Vec<u8> {
        let mut blob = blob.to_vec();
        blob[at] = byte;
        blob
    }

    #[test]
    fn what_ziplists_say_of_themselves() {
        assert_eq!(entries(Packed::Ziplist, ZIPLIST), Ok(5));
        for (at, byte, kind) in [
            (0, 0x24, ParseErrorKind::BlobSize),
            (4, 0x16, ParseErrorKind::Tail),
            (5, 0x01, ParseErrorKind::Tail),
            (8, 4, ParseErrorKind::BlobEntries),
            (13, 2, ParseErrorKind::BackLength),
            (14, 0xc1, ParseErrorKind::BlobEntry),
            (34, 0xfd, ParseErrorKind::BlobEntry),
        ] {
            assert_eq!(entries(Packed::Ziplist, &with(ZIPLIST, at, byte)), Err(kind), "byte {at}");
        }
        assert_eq!(entries(Packed::Ziplist, &with(&with(ZIPLIST, 8, 0xff), 9, 0xff)), Ok(5));
    }

    #[test]
    fn what_listpacks_say_of_themselves() {
        assert_eq!(entries(Packed::Listpack, LISTPACK), Ok(2));
        for (at, byte, kind) in [
            (0, 0x0d, ParseErrorKind::BlobSize),
            (4, 3, ParseErrorKind::BlobEntries),
            (6, 0x82, ParseErrorKind::BackLength),
            (8, 3, ParseErrorKind::BackLength),
            (9, 0xf5, ParseErrorKind::BlobEntry),
            (11, 0, ParseErrorKind::BlobEntry),
        ] {
            assert_eq!(entries(Packed::Listpack, &with(LISTPACK, at, byte)), Err(kind), "byte {at}");
        }
    }

    #[test]
    fn intsets_ascend_and_zipmaps_count() {
        let ints = b"\x02\0\0\0\x03\0\0\0\xfe\xff\x01\0\x2c\x01";
        assert_eq!(entries(Packed::Intset, ints), Ok(3));
        assert_eq!(entries(Packed::Intset, &with(ints, 9, 0x01)), Err(ParseErrorKind::Order));
        let map = b"\x02\x01a\x02\x01xx?\x03key\x03\0abc\xff";
        assert_eq!(entries(Packed::Zipmap, map), Ok(4));
        assert_eq!(entries(Packed::Zipmap, &with(map, 0, 3)), Err(ParseErrorKind::BlobEntries));
        assert_eq!(entries(Packed::Zipmap, &with(map, 0, 254)), Ok(4));
        // A length that fits one byte in five, which servers refuse, of a field and of a value.
        for map in [&b"\x01\xfe\x01\0\0\0a\x01\0x\xff"[..], b"\x01\x01a\xfe\x01\0\0\0\0x\xff"] {
            assert_eq!(entries(Packed::Zipmap, map), Err(ParseErrorKind::BlobEntry));
        }
    }

    #[test]
    fn flaws_have_the_number_that_is_stated() {
        let flaw = |kind, declared| Err(Flaw { kind, declared });
        assert_eq!(looked(Packed::Listpack, &with(LISTPACK, 4, 3)), flaw(ParseErrorKind::BlobEntries, 3));
        assert_eq!(looked(Packed::Listpack, &with(LISTPACK, 0, 0x0d)), flaw(ParseErrorKind::BlobSize, 12));
        assert_eq!(looked(Packed::Ziplist, &with(ZIPLIST, 8, 4)), flaw(ParseErrorKind::BlobEntries, 4));
        assert_eq!(looked(Packed::Ziplist, &with(ZIPLIST, 4, 0x16)), flaw(ParseErrorKind::Tail, 0x16));
        assert_eq!(looked(Packed::Zipmap, b"\x02\x01a\x01\0x\xff"), flaw(ParseErrorKind::BlobEntries, 2));
    }
}
