//! Short strings under short names, counted by less than their keys. Of those that never expire all numbers follow from a
//! *shape*: how long the name is, how long the value is, and how it is stored. Such a key costs one count, and a dump of tiny
//! keys is made of them. The others are added up by how they are held and how soon they expire.

use std::hint::select_unpredictable;

use super::tally::{Expiry, Tally};
use crate::memory::{Encoding, Model, is_int, may_be_int};
use crate::rdb::short::{INT_8, NAME_BYTES_MAX, Short};

/// Longer values have no shape.
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
        let [_, ahead @ ..] = *short.value_ahead;
        let first = short.tiny_head().filter(|_| short.expires_at.is_none())?;
        let text_or_int = select_unpredictable(first < INT_8, usize::from(first), INTS + usize::from(first & 3));
        // An integer's head is no length that a text of digits may have.
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

/// Strings of a database that are not among its classes of keys yet.
#[derive(Debug, Default)]
pub(super) struct Shorts {
    /// How many have which shape; nothing is held before the first.
    shapes: Vec<u64>,
    /// Those that have none, by how they are held and how soon they expire.
    shapeless: [[Sum; Expiry::ALL.len()]; HELD.len()],
}

/// How strings are held.
const HELD: [Encoding; 3] = [Encoding::Int, Encoding::Embstr, Encoding::Raw];

/// Strings, and what they take in the dump and in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    keys: u64,
    serialized_bytes: u64,
    memory_bytes: u64,
}

impl Sum {
    fn tally(self, expiry: Expiry) -> Tally {
        let Self { keys, serialized_bytes, memory_bytes } = self;
        let [keys_without_ttl, memory_bytes_without_ttl] =
            if expiry == Expiry::Never { [keys, memory_bytes] } else { [0, 0] };
        Tally { keys, elements: keys, serialized_bytes, memory_bytes, keys_without_ttl, memory_bytes_without_ttl }
    }
}

impl Shorts {
    #[inline(always)]
    pub(super) fn add(&mut self, shape: Shape) {
        match self.shapes.get_mut(shape.0) {
            Some(keys) => *keys += 1,
            None => self.begin(shape),
        }
    }

    #[cold]
    fn begin(&mut self, shape: Shape) {
        self.shapes.resize(Shape::COUNT, 0);
        if let Some(keys) = self.shapes.get_mut(shape.0) {
            *keys = 1;
        }
    }

    /// Adds a string that has no shape.
    #[inline(always)]
    pub(super) fn add_shapeless(&mut self, held: Encoding, expiry: Expiry, serialized_bytes: u64, memory_bytes: u64) {
        let row = HELD.iter().zip(&mut self.shapeless).find(|(of, _)| **of == held);
        if let Some(sum) = row.and_then(|(_, row)| row.get_mut(expiry as usize)) {
            sum.keys += 1;
            sum.serialized_bytes = sum.serialized_bytes.saturating_add(serialized_bytes);
            sum.memory_bytes = sum.memory_bytes.saturating_add(memory_bytes);
        }
    }

    /// The strings of each shape that was met: how they are held, a key's bytes in the dump and in memory, and how many.
    pub(super) fn of_shapes<'s>(&'s self, costs: &'s Costs) -> impl Iterator<Item = (Encoding, [u64; 2], Tally)> + 's {
        let met = self.shapes.iter().zip(&costs.0).enumerate().filter(|(_, (keys, _))| **keys > 0);
        met.map(|(shape, (keys, (held, memory_bytes)))| {
            let each = [Shape(shape).serialized_bytes(), u64::from(*memory_bytes)];
            let [serialized_bytes, memory_bytes] = each.map(|bytes| bytes.saturating_mul(*keys));
            let sum = Sum { keys: *keys, serialized_bytes, memory_bytes };
            (*held, each, sum.tally(Expiry::Never))
        })
    }

    /// The strings that have no shape: how they are held, how soon they expire, and how many.
    pub(super) fn shapeless(&self) -> impl Iterator<Item = (Encoding, Expiry, Tally)> {
        let of_held = HELD.into_iter().zip(&self.shapeless);
        let all = of_held
            .flat_map(|(held, sums)| Expiry::ALL.into_iter().zip(sums).map(move |(expiry, sum)| (held, expiry, *sum)));
        all.filter(|(.., sum)| sum.keys > 0).map(|(held, expiry, sum)| (held, expiry, sum.tally(expiry)))
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
            let short = Short::read(&ahead).unwrap();
            let (shape, (held, memory_bytes)) = (Shape::of(&short).unwrap(), model.short_string(&short));
            assert_eq!(costs.0[shape.0], (held, u32::try_from(memory_bytes).unwrap()));
            let mut shorts = Shorts::default();
            shorts.add(shape);
            shorts.add(shape);
            let tallies: Vec<_> = shorts.of_shapes(&costs).collect();
            let one = Tally::of_key(1, record.len() as u64, memory_bytes, true);
            let mut two = one;
            two.merge(&one);
            assert_eq!(tallies, [(held, [record.len() as u64, memory_bytes], two)], "{value:?}");
        }
    }

    #[test]
    fn what_has_no_shape() {
        let lasting =
            [&b"\xc3\x05\x0a12345"[..], b"\x40\x05hello", b"\x40\x40"].map(|value| [b"\x00\x03abc", value].concat());
        let expiring = b"\xfc\0\0\0\0\0\0\0\0\x00\x03abc\x05hello".to_vec();
        for record in lasting.into_iter().chain([expiring]) {
            let ahead = [&record[..], &[0; 160]].concat();
            assert_eq!(Short::read(&ahead).map(|short| Shape::of(&short)), Some(None), "{record:?}");
        }
    }
}
