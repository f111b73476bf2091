//! Packed values: what a listpack, ziplist or intset takes, and how large one becomes that is made while loading.

use super::{Cost, Encoding, Model, Target};

/// Most elements, and most bytes of each, of values that are packed when they are loaded, by the servers' defaults.
pub(super) const HASH_FIELDS_MAX: u64 = 512;
pub(super) const ZSET_MEMBERS_MAX: u64 = 128;
pub(super) const SET_MEMBERS_MAX: u64 = 128;
pub(super) const INTSET_MEMBERS_MAX: u64 = 512;
pub(super) const TEXT_BYTES_MAX: u64 = 64;

/// Up to these, tables are looked at for what they would take packed if the limits were higher.
pub(super) const IF_ELEMENTS_MAX: u64 = 2048;
pub(super) const IF_TEXT_BYTES_MAX: u64 = 256;

/// A listpack's header and its end, and a ziplist's.
const LISTPACK_FRAME_BYTES: u64 = 7;
const ZIPLIST_FRAME_BYTES: u64 = 11;

/// What a listpack of a hash holds on to besides: when its fields expire, and a pointer.
fn ttl_header_bytes(target: Target) -> u64 {
    if target >= Target::Redis8_2 { 24 } else { 32 }
}

impl Model {
    /// What a packed structure of `bytes` takes.
    pub(super) fn packed(&self, bytes: u64) -> Cost {
        if self.counts_packed_requests() { self.requested(bytes) } else { self.given(bytes) }
    }

    /// Whether packed structures are counted as they were asked for.
    fn counts_packed_requests(&self) -> bool {
        self.target == Target::Redis6_2 || self.target.keeps_books()
    }

    /// As [`Model::packed`], of a listpack that was made with room for `made_bytes` and then cut (`lpShrinkToFit`).
    pub(super) fn packed_cut(&self, made_bytes: u64, bytes: u64) -> Cost {
        let allocated_bytes = self.allocator.cut(made_bytes, bytes);
        let memory_bytes = if self.counts_packed_requests() { bytes } else { allocated_bytes };
        Cost { memory_bytes, allocated_bytes }
    }

    /// What the allocator gives out for a packed hash, its key included, whose entries take so many bytes with their heads.
    pub fn packed_hash_bytes(&self, key_bytes: u64, entries_bytes: u64) -> u64 {
        let frame_bytes = if self.target.has_listpacks() { LISTPACK_FRAME_BYTES } else { ZIPLIST_FRAME_BYTES };
        let hash = self.key_and_object(key_bytes, false) + self.packed(entries_bytes.saturating_add(frame_bytes));
        hash.allocated_bytes
    }

    /// A listpack of a hash whose fields have TTLs.
    pub(super) fn packed_with_ttls(&self, bytes: u64) -> Cost {
        self.packed(ttl_header_bytes(self.target)) + self.packed(bytes)
    }
}

/// What a table would take if it were packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfPacked {
    /// The length of its longest text, which the server's limit must allow for; 0 in an intset, which has no such limit.
    pub longest_text_bytes: u64,
    /// Bytes of the packed structure.
    pub packed_bytes: u64,
    /// What the allocator gives out for it.
    pub allocated_bytes: u64,
    /// The same for the table, without the key and its object.
    pub table_allocated_bytes: u64,
}

impl IfPacked {
    fn new(model: &Model, table: Cost, longest_text_bytes: u64, packed_bytes: u64) -> Self {
        let (allocated_bytes, table_allocated_bytes) =
            (model.packed(packed_bytes).allocated_bytes, table.allocated_bytes);
        Self { longest_text_bytes, packed_bytes, allocated_bytes, table_allocated_bytes }
    }
}

/// A listpack, ziplist or intset in the making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    target: Target,
    entries_bytes: u64,
    /// Bytes of the entry before the next, in a ziplist.
    last_bytes: u64,
    /// The first record with a text that is too long for a packed value.
    pub(super) first_long: Option<u64>,
    /// The length of the longest text.
    pub(super) longest_bytes: u64,
    /// How many records there are.
    pub(super) records: u64,
    texts: u64,
    int_width: u64,
}

impl Packing {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            entries_bytes: 0,
            last_bytes: 0,
            first_long: None,
            longest_bytes: 0,
            records: 0,
            texts: 0,
            int_width: 0,
        }
    }

    /// Adds a text of the current record: its length, and its value if it is an integer.
    pub(super) fn add(&mut self, bytes: u64, int: Option<i64>) {
        self.longest_bytes = self.longest_bytes.max(bytes);
        if bytes > TEXT_BYTES_MAX && self.first_long.is_none() {
            self.first_long = Some(self.records);
        }
        let Some(value) = int else {
            self.texts += 1;
            self.add_entry(text_head_bytes(bytes, self.target), bytes);
            return;
        };
        self.add_entry(int_head_bytes(value, self.target), 0);
        let width = match (i16::try_from(value), i32::try_from(value)) {
            (Ok(_), _) => 2,
            (_, Ok(_)) => 4,
            _ => 8,
        };
        self.int_width = self.int_width.max(width);
    }

    /// Adds a score of the current record.
    pub(super) fn add_score(&mut self, score: f64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::float_cmp,
            reason = "as the server does"
        )]
        let int = Some(score as i64).filter(|int| {
            let most = if self.target.has_listpacks() { 1 << 62 } else { 1 << 52 };
            *int as f64 == score && int.unsigned_abs() <= most
        });
        match int {
            Some(int) => self.add_entry(int_head_bytes(int, self.target), 0),
            None => match score_text_bytes(score, self.target) {
                // Digits alone are a number again, of more than 32 bits.
                (_, true) => self.add_entry(9, 0),
                (bytes, false) => self.add_entry(text_head_bytes(bytes, self.target), bytes),
            },
        }
    }

    /// Adds an entry of a head and a text: in a listpack its own length follows, in a ziplist that of the one before comes
    /// first.
    fn add_entry(&mut self, head_bytes: u64, text_bytes: u64) {
        let entry_bytes = head_bytes.saturating_add(text_bytes);
        let linked_bytes = if self.target.has_listpacks() {
            entry_bytes.saturating_add(match entry_bytes {
                0..=0x7f => 1,
                0x80..=0x3fff => 2,
                0x4000..=0x1f_ffff => 3,
                0x20_0000..=0xfff_ffff => 4,
                _ => 5,
            })
        } else {
            entry_bytes.saturating_add(if self.last_bytes < 254 { 1 } else { 5 })
        };
        self.last_bytes = linked_bytes;
        self.entries_bytes = self.entries_bytes.saturating_add(linked_bytes);
    }

    /// Ends the current record.
    pub(super) fn end_record(&mut self) {
        self.records += 1;
    }

    pub(super) fn is_of_ints(&self) -> bool {
        self.texts == 0
    }

    /// Adds when the current record expires, a time in milliseconds or a zero.
    pub(super) fn add_expiry(&mut self, expires: bool) {
        self.add_entry(if expires { 9 } else { 1 }, 0);
    }

    /// The bytes of the listpack or ziplist.
    pub(super) fn bytes(&self) -> u64 {
        let frame_bytes = if self.target.has_listpacks() { LISTPACK_FRAME_BYTES } else { ZIPLIST_FRAME_BYTES };
        self.entries_bytes.saturating_add(frame_bytes)
    }

    /// The listpack or ziplist, and what it takes.
    pub(super) fn finish(&self, model: &Model) -> (Encoding, Cost) {
        let encoding = if self.target.has_listpacks() { Encoding::Listpack } else { Encoding::Ziplist };
        (encoding, model.packed(self.bytes()))
    }

    pub(super) fn intset_bytes(&self) -> u64 {
        8 + self.int_width.max(2) * self.records
    }

    /// What the records of a table would take as a listpack or ziplist.
    pub(super) fn if_packed(&self, model: &Model, table: Cost) -> IfPacked {
        IfPacked::new(model, table, self.longest_bytes, self.bytes())
    }

    /// What the members of a table would take as an intset, whose texts no limit is on.
    pub(super) fn if_intset(&self, model: &Model, table: Cost) -> IfPacked {
        IfPacked::new(model, table, 0, self.intset_bytes())
    }
}

fn int_head_bytes(value: i64, target: Target) -> u64 {
    let is_listpack = target.has_listpacks();
    match value {
        0..=12 => 1,
        13..=127 if is_listpack => 1,
        -128..=127 => 2,
        -4096..=4095 if is_listpack => 2,
        -0x8000..=0x7fff => 3,
        -0x80_0000..=0x7f_ffff => 4,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    }
}

fn text_head_bytes(bytes: u64, target: Target) -> u64 {
    let two_bytes_most = if target.has_listpacks() { 0xfff } else { 0x3fff };
    match bytes {
        0..64 => 1,
        _ if bytes <= two_bytes_most => 2,
        _ => 5,
    }
}

/// The length of a score as text, and whether the text is an integer's: seventeen digits as C prints them up to Redis 7.0,
/// the shortest that will do since.
fn score_text_bytes(score: f64, target: Target) -> (u64, bool) {
    if !score.is_finite() {
        return (if score == f64::NEG_INFINITY { 4 } else { 3 }, false);
    }
    let is_shortest = target >= Target::Redis7_2;
    let text = if is_shortest { format!("{:e}", score.abs()) } else { format!("{:.16e}", score.abs()) };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.replace('.', "").trim_end_matches('0').len().max(1) as u64;
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let distance = exponent.unsigned_abs();
    let is_whole = exponent >= 0 && digits <= distance + 1;
    let is_plain = match (is_shortest, is_whole) {
        (false, _) => (-4..17).contains(&exponent),
        (true, true) => distance < digits + 7,
        (true, false) => distance < 4 || (exponent > 0 || distance + digits < 8),
    };
    let exponent_digits = u64::from(distance.checked_ilog10().unwrap_or(0)) + 1;
    let length = match (is_plain, exponent < 0) {
        (true, true) => 1 + distance + digits,
        (true, false) if is_whole => distance + 1,
        (true, false) => digits + 1,
        (false, _) => digits + u64::from(digits > 1) + 2 + exponent_digits.max(if is_shortest { 1 } else { 2 }),
    };
    let is_int = is_plain && is_whole && score.abs() < 9.2e18;
    (length + u64::from(score.is_sign_negative()), is_int)
}

#[cfg(test)]
mod tests {
    use super::super::int::canonical_int;
    use super::*;

    #[test]
    fn a_listpack_in_the_making() {
        // {a:1, b:70000, c:xxx, d:-7, e:5000, f:9999999999}, which Redis 7.2 packs into 54 bytes.
        let model = Model::new(Target::Redis8_4, super::super::Allocator::Jemalloc);
        let mut packing = Packing::new(model.target);
        for (name, value) in [("a", "1"), ("b", "70000"), ("c", "xxx"), ("d", "-7"), ("e", "5000"), ("f", "9999999999")]
        {
            for text in [name, value] {
                packing.add(text.len() as u64, canonical_int(text.as_bytes()));
            }
            packing.end_record();
        }
        assert_eq!(packing.finish(&model), (Encoding::Listpack, Cost { memory_bytes: 54, allocated_bytes: 56 }));
    }

    #[test]
    fn scores_as_text() {
        for (score, old, new) in [
            (0.1, "0.10000000000000001", "0.1"),
            (-2.5, "-2.5", "-2.5"),
            (1e300, "1.0000000000000001e+300", "1e+300"),
            (1e-5, "1.0000000000000001e-05", "0.00001"),
            (1.25e-9, "1.25e-09", "1.25e-9"),
            (f64::INFINITY, "inf", "inf"),
            (123_456.789, "123456.789", "123456.789"),
        ] {
            assert_eq!(score_text_bytes(score, Target::Redis7_0), (old.len() as u64, false), "{score}");
            assert_eq!(score_text_bytes(score, Target::Redis7_2), (new.len() as u64, false), "{score}");
        }
    }
}
