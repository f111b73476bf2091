//! Short strings that never expire, counted by what all their numbers follow from: how long the name is, how long the value
//! is, and how it is stored. Such a key costs one count, and a dump of tiny keys is made of them.

use std::hint::select_unpredictable;

use super::Tally;
use crate::memory::{Encoding, Model, is_int, may_be_int};
use crate::rdb::short::{NAME_BYTES_MAX, Short};

/// Longer values are counted one by one.
const VALUE_BYTES_MAX: usize = 63;

/// How values are stored: as text of each length, as such text that is an integer, as integers of 1, 2 and 4 bytes.
const FORMS: usize = INTS + 3;
const TEXT_INTS: usize = VALUE_BYTES_MAX + 1;
const INTS: usize = TEXT_INTS + 21;

/// Names' and values' lengths, and how the value is stored, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(usize);

impl Shape {
    const COUNT: usize = (NAME_BYTES_MAX + 1) * FORMS;

    /// The shape of a string, unless it expires, is compressed or is too long.
    #[inline(always)]
    pub(super) fn of(short: &Short<'_>) -> Option<Self> {
        let [first, ahead @ ..] = *short.value_ahead;
        let is_tiny = matches!(first, 0..=0x3f | 0xc0..=0xc2);
        if short.expires_at.is_some() | !is_tiny {
            return None;
        }
        let text_or_int = select_unpredictable(first <= 0x3f, usize::from(first), INTS + usize::from(first & 3));
        let form = if may_be_int(ahead, first) && is_int(short) { TEXT_INTS + text_or_int } else { text_or_int };
        Some(Self(short.name.len() * FORMS + form))
    }

    fn name_bytes(self) -> u64 {
        (self.0 / FORMS) as u64
    }

    fn is_int(self) -> bool {
        self.0 % FORMS >= TEXT_INTS
    }

    /// Bytes of the value as it is stored, without its head.
    fn stored_bytes(self) -> u64 {
        match self.0 % FORMS {
            form @ ..TEXT_INTS => form as u64,
            form @ TEXT_INTS..INTS => (form - TEXT_INTS) as u64,
            form => 1 << (form - INTS),
        }
    }

    /// Bytes of the record: a type, two heads of one byte, and what they are of.
    fn serialized_bytes(self) -> u64 {
        3 + self.name_bytes() + self.stored_bytes()
    }
}

/// What the server makes of a string of each shape, and what it takes there.
#[derive(Clone, Debug)]
pub(super) struct Costs(Box<[(Encoding, u32)]>);

impl Costs {
    pub(super) fn new(model: &Model) -> Self {
        let cost = |shape: Shape| {
            let (held, bytes) = model.string(shape.name_bytes(), false, shape.stored_bytes(), shape.is_int());
            (held, u32::try_from(bytes).unwrap_or(u32::MAX))
        };
        Self((0..Shape::COUNT).map(|shape| cost(Shape(shape))).collect())
    }

    /// Bytes of memory.
    #[inline(always)]
    pub(super) fn memory_bytes(&self, shape: Shape) -> Option<u64> {
        self.0.get(shape.0).map(|(_, bytes)| u64::from(*bytes))
    }
}

/// How many strings have which shape; nothing is held before the first.
#[derive(Debug, Default)]
pub(super) struct Shorts(Vec<u64>);

impl Shorts {
    #[inline(always)]
    pub(super) fn add(&mut self, shape: Shape) {
        match self.0.get_mut(shape.0) {
            Some(keys) => *keys += 1,
            None => self.begin(shape),
        }
    }

    #[cold]
    fn begin(&mut self, shape: Shape) {
        self.0.resize(Shape::COUNT, 0);
        if let Some(keys) = self.0.get_mut(shape.0) {
            *keys = 1;
        }
    }

    /// The strings of each shape that was met: how they are held, a key's bytes in the dump and in memory, and how many.
    pub(super) fn tallies<'s>(&'s self, costs: &'s Costs) -> impl Iterator<Item = (Encoding, [u64; 2], Tally)> + 's {
        let met = self.0.iter().zip(&costs.0).enumerate().filter(|(_, (keys, _))| **keys > 0);
        met.map(|(shape, (keys, (held, memory_bytes)))| {
            let each = [Shape(shape).serialized_bytes(), u64::from(*memory_bytes)];
            let [serialized_bytes, memory_bytes] = each.map(|bytes| bytes.saturating_mul(*keys));
            let tally = Tally {
                keys: *keys,
                elements: *keys,
                serialized_bytes,
                memory_bytes,
                keys_without_ttl: *keys,
                memory_bytes_without_ttl: memory_bytes,
            };
            (*held, each, tally)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Allocator, Target};

    #[test]
    fn a_shape_tells_all_of_a_string() {
        let model = Model::new(Target::Redis7_0, Allocator::Jemalloc);
        let costs = Costs::new(&model);
        for value in [
            &b"\x00"[..],
            b"\x05hello",
            b"\x0212",
            b"\x14-9223372036854775808",
            b"\xc0\x07",
            b"\xc1\x07\x07",
            b"\xc2\x07\x07\x07\x07",
        ] {
            let record = [b"\x00\x03abc", value].concat();
            let ahead = [&record[..], &[0; 80]].concat();
            let mut found = None;
            crate::rdb::short::pass(&ahead, 1, |short| {
                found = Shape::of(short).map(|shape| (shape, model.short_string(short)));
                true
            });
            let (shape, (held, memory_bytes)) = found.unwrap();
            assert_eq!(costs.0[shape.0], (held, u32::try_from(memory_bytes).unwrap()));
            let mut shorts = Shorts::default();
            shorts.add(shape);
            shorts.add(shape);
            let tallies: Vec<_> = shorts.tallies(&costs).collect();
            let one = Tally::of_key(1, record.len() as u64, memory_bytes, true);
            let mut two = one;
            two.merge(&one);
            assert_eq!(tallies, [(held, [record.len() as u64, memory_bytes], two)], "{value:?}");
        }
    }
}
