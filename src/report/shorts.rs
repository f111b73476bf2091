//! Short strings under short names, counted by less than their keys. Of those that never expire all numbers follow from a
//! *shape*: how long the name is, how long the value is, and how it is stored. Such a key costs one count, and a dump of tiny
//! keys is made of them. The others are added up by how they are held and how soon they expire.

use std::hint::select_unpredictable;
use std::sync::{Arc, Mutex, PoisonError};

use super::tally::{Expiry, Tally};
use crate::memory::{Allocator, Cost, Encoding, Model, SHARED_INTEGERS, Target, int, may_be_int};
use crate::rdb::short::{INT_8, NAME_BYTES_MAX, Short};

/// Longer values have no shape.
const VALUE_BYTES_MAX: usize = 63;

/// How values are stored: as text of each length, as such text that is an integer, as integers of 1, 2 and 4 bytes, and as
/// such integers that strings may share.
const FORMS: usize = SHARED_INTS + 3;
const TEXT_INTS: usize = VALUE_BYTES_MAX + 1;
const INTS: usize = TEXT_INTS + 21;
const SHARED_INTS: usize = INTS + 3;

/// Bytes of the longest text of 32 bits.
const INT_TEXT_BYTES_MAX: usize = 11;

/// Texts of integers that strings may share are no longer.
const SHARED_TEXT_BYTES_MAX: usize = 4;

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
        let form = if may_be_int(ahead, first) && int(short).is_some() {
            // Integers that strings may share are told from others by their length: negative ones as short have no shape.
            if text_or_int <= SHARED_TEXT_BYTES_MAX && ahead.first() == Some(&b'-') {
                return None;
            }
            TEXT_INTS + text_or_int
        } else if text_or_int >= INTS && int(short).is_some_and(|int| SHARED_INTEGERS.contains(&int)) {
            text_or_int - INTS + SHARED_INTS
        } else {
            text_or_int
        };
        Some(Self(short.name.len() * FORMS + form))
    }

    /// Whether the value is stored as an integer, which does not tell the length of its text.
    #[inline(always)]
    pub(super) fn is_stored_int(self) -> bool {
        self.0 % FORMS >= INTS
    }

    /// Bytes of the value, unless it is stored as an integer.
    fn text_bytes(self) -> Option<u64> {
        (!self.is_stored_int()).then(|| self.stored_bytes())
    }

    fn name_bytes(self) -> u64 {
        (self.0 / FORMS) as u64
    }

    /// An integer that takes as much as the value, if that is one.
    fn int(self) -> Option<i64> {
        let shared = TEXT_INTS + 1..=TEXT_INTS + SHARED_TEXT_BYTES_MAX;
        match self.0 % FORMS {
            ..TEXT_INTS => None,
            form if form >= SHARED_INTS || shared.contains(&form) => Some(SHARED_INTEGERS.start),
            _ => Some(SHARED_INTEGERS.end),
        }
    }

    /// Bytes of the value as it is stored, without its head.
    fn stored_bytes(self) -> u64 {
        match self.0 % FORMS {
            form @ ..TEXT_INTS => form as u64,
            form @ TEXT_INTS..INTS => (form - TEXT_INTS) as u64,
            form @ INTS..SHARED_INTS => 1 << (form - INTS),
            form => 1 << (form - SHARED_INTS),
        }
    }

    /// Bytes of the record: a type, two heads of one byte, and what they are of.
    fn serialized_bytes(self) -> u64 {
        3 + self.name_bytes() + self.stored_bytes()
    }
}

/// What the server makes of a string of each shape, and what it takes there.
#[derive(Clone, Debug)]
pub(super) struct Costs(Arc<[(Encoding, [u32; 2])]>);

/// Costs of strings that have a shape are far from filling 32 bits.
fn narrow(cost: Cost) -> [u32; 2] {
    [cost.memory_bytes, cost.allocated_bytes].map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
}

fn wide([memory_bytes, allocated_bytes]: [u32; 2]) -> Cost {
    Cost { memory_bytes: memory_bytes.into(), allocated_bytes: allocated_bytes.into() }
}

impl Costs {
    /// Those of a model, which are made once for its server and allocator.
    pub(super) fn known(model: &Model) -> Self {
        static KNOWN: Mutex<Vec<(Target, Allocator, Costs)>> = Mutex::new(Vec::new());
        let of_model = (model.target(), model.allocator());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., costs)) = known.iter().find(|(target, allocator, _)| (*target, *allocator) == of_model) {
            return costs.clone();
        }
        let costs = Self::new(model);
        known.push((model.target(), model.allocator(), costs.clone()));
        costs
    }

    fn new(model: &Model) -> Self {
        let cost = |shape: Shape| {
            let (held, cost) = model.string(shape.name_bytes(), false, shape.stored_bytes(), shape.int());
            (held, narrow(cost))
        };
        Self((0..Shape::COUNT).map(|shape| cost(Shape(shape))).collect())
    }

    /// What a string takes.
    #[inline(always)]
    pub(super) fn of(&self, shape: Shape) -> Option<Cost> {
        self.held(shape).map(|(_, cost)| cost)
    }

    /// How a string is held, and what it takes.
    #[inline(always)]
    pub(super) fn held(&self, shape: Shape) -> Option<(Encoding, Cost)> {
        self.0.get(shape.0).map(|(held, cost)| (*held, wide(*cost)))
    }
}

/// Strings of a database that are not among its classes of keys yet.
#[derive(Debug, Default)]
pub(super) struct Shorts {
    /// How many have which shape; nothing is held before the first.
    shapes: Vec<u64>,
    /// Integers that are stored as such, by the length of their texts.
    stored_ints: [u64; INT_TEXT_BYTES_MAX + 1],
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
    cost: Cost,
}

impl Sum {
    fn tally(self, expiry: Expiry) -> Tally {
        let Self { keys, serialized_bytes, cost: Cost { memory_bytes, allocated_bytes } } = self;
        let [keys_without_ttl, memory_bytes_without_ttl] =
            if expiry == Expiry::Never { [keys, memory_bytes] } else { [0, 0] };
        Tally {
            keys,
            elements: keys,
            serialized_bytes,
            memory_bytes,
            allocated_bytes,
            keys_without_ttl,
            memory_bytes_without_ttl,
        }
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

    /// Adds the length of an integer's text, whose shape has been added.
    #[inline(always)]
    pub(super) fn add_stored_int(&mut self, text_bytes: u64) {
        let length = usize::try_from(text_bytes).unwrap_or(usize::MAX);
        if let Some(keys) = self.stored_ints.get_mut(length) {
            *keys += 1;
        }
    }

    /// Lengths of names and, but for integers that are stored as such, of values, and how many strings of a shape have them.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (u64, Option<u64>, u64)> {
        let met = self.shapes.iter().enumerate().filter(|(_, keys)| **keys > 0);
        met.map(|(shape, keys)| (Shape(shape).name_bytes(), Shape(shape).text_bytes(), *keys))
    }

    /// Lengths of the texts of integers that are stored as such, and how many have them.
    pub(super) fn stored_ints(&self) -> impl Iterator<Item = (u64, u64)> {
        self.stored_ints.iter().enumerate().map(|(bytes, keys)| (bytes as u64, *keys)).filter(|(_, keys)| *keys > 0)
    }

    /// Adds a string that has no shape.
    #[inline(always)]
    pub(super) fn add_shapeless(&mut self, held: Encoding, expiry: Expiry, serialized_bytes: u64, cost: Cost) {
        let [int, embstr, raw] = &mut self.shapeless;
        let row = match held {
            Encoding::Int => int,
            Encoding::Embstr => embstr,
            _ => raw,
        };
        if let Some(sum) = row.get_mut(expiry as usize) {
            sum.keys += 1;
            sum.serialized_bytes = sum.serialized_bytes.saturating_add(serialized_bytes);
            sum.cost = sum.cost + cost;
        }
    }

    /// The strings of each shape that was met: how they are held, a key's bytes in the dump and in memory, and how many.
    pub(super) fn of_shapes<'s>(&'s self, costs: &'s Costs) -> impl Iterator<Item = (Encoding, [u64; 2], Tally)> + 's {
        let met = self.shapes.iter().zip(costs.0.iter()).enumerate().filter(|(_, (keys, _))| **keys > 0);
        met.map(|(shape, (keys, (held, cost)))| {
            let (serialized_bytes, cost) = (Shape(shape).serialized_bytes(), wide(*cost));
            let all_serialized_bytes = serialized_bytes.saturating_mul(*keys);
            let sum = Sum { keys: *keys, serialized_bytes: all_serialized_bytes, cost: cost.times(*keys) };
            (*held, [serialized_bytes, cost.memory_bytes], sum.tally(Expiry::Never))
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

    #[test]
    fn a_shape_tells_all_of_a_string() {
        let model = Model::new(Target::Redis7_0, Allocator::Jemalloc);
        let costs = Costs::new(&model);
        for value in [
            &b"\x00"[..],
            b"\x05hello",
            b"\x0212",
            b"\x14-9223372036854775808",
            b"\x0512345",
            b"\xc0\x07",
            b"\xc0\xf0",
            b"\xc1\x07\x07",
            b"\xc1\x10\x27",
            b"\xc1\x0f\x27",
            b"\xc1\xff\xff",
            b"\xc2\x07\x07\x07\x07",
        ] {
            let record = [b"\x00\x03abc", value].concat();
            let ahead = [&record[..], &[0; 80]].concat();
            let short = Short::read(&ahead).unwrap();
            let (shape, (held, cost)) = (Shape::of(&short).unwrap(), model.short_string(&short));
            assert_eq!(costs.0[shape.0], (held, narrow(cost)), "{value:?}");
            assert_eq!(costs.of(shape), Some(cost));
            let mut shorts = Shorts::default();
            shorts.add(shape);
            shorts.add(shape);
            let tallies: Vec<_> = shorts.of_shapes(&costs).collect();
            let one = Tally::of_key(1, record.len() as u64, cost, true);
            let mut two = one;
            two.merge(&one);
            assert_eq!(tallies, [(held, [record.len() as u64, cost.memory_bytes], two)], "{value:?}");
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
