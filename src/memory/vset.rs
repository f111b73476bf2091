//! The fields of a hash that expire, as Valkey 9 finds them (vset.c): a vector of them, or of more than 127 a radix tree of
//! vectors by time.

use super::distinct::{SAMPLE_MAX, Sieve};
use super::rax::Rax;
use super::{Cost, Model, hashtable};

/// The most fields of a vector.
const VECTOR_FIELDS_MAX: u64 = 127;

/// What a vector has when random times fill it: it is split in two when it is full.
const VECTOR_FIELDS_SPLIT: u64 = 96;

/// Times are told apart by steps of 16 ms, and are in windows of 8,192 ms.
const STEP_LOG: u32 = 4;
const WINDOW_LOG: u32 = 13;

/// A hashtable of the fields of one step.
const TABLE_HEADER_BYTES: u64 = 80;

/// When the fields of a hash expire.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    fields: u64,
    /// Steps and how many fields expire in each.
    steps: Vec<(i64, u64)>,
    /// Windows of which the steps are kept.
    sieve: Sieve,
}

impl Expiries {
    /// Adds a field by when it expires, in milliseconds.
    pub(super) fn add(&mut self, at_ms: i64) {
        self.fields += 1;
        let step = at_ms >> STEP_LOG;
        if !self.sieve.keeps(window(step)) {
            return;
        }
        self.steps.push((step, 1));
        if self.steps.len() > 2 * SAMPLE_MAX {
            self.settle();
            // A window has 512 steps, so that there is an end to it.
            while self.steps.len() > SAMPLE_MAX {
                self.sieve.narrow();
                let sieve = self.sieve;
                self.steps.retain(|(step, _)| sieve.keeps(window(*step)));
            }
        }
    }

    fn settle(&mut self) {
        self.steps.sort_unstable();
        self.steps.dedup_by(|(next, more), (step, fields)| {
            let is_same = next == step;
            if is_same {
                *fields += *more;
            }
            is_same
        });
    }

    /// What finds the fields.
    pub(super) fn finish(mut self, model: &Model) -> Cost {
        match self.fields {
            0 | 1 => return Cost::ZERO,
            fields @ 2..=VECTOR_FIELDS_MAX => return vector(model, fields),
            _ => {}
        }
        self.settle();
        let mut tree = Rax::new(model.allocator);
        let mut cost = Cost::ZERO;
        for steps in self.steps.chunk_by(|(a, _), (b, _)| window(*a) == window(*b)) {
            cost = cost + of_window(model, steps, &mut tree);
        }
        (cost + Cost::same(tree.node_bytes())).times(self.sieve.weight()) + model.given(32)
    }
}

#[allow(clippy::cast_sign_loss, reason = "told apart by its bits")]
fn window(step: i64) -> u64 {
    (step >> (WINDOW_LOG - STEP_LOG)) as u64
}

fn vector(model: &Model, fields: u64) -> Cost {
    match fields {
        // A pointer to the field itself.
        0 | 1 => Cost::ZERO,
        fields => model.given(8 + 8 * fields),
    }
}

/// The fields of a window, of which the tree gets the ends of the parts: the window as a whole, or cut between steps; a step
/// that has more than a vector takes is a table.
fn of_window(model: &Model, steps: &[(i64, u64)], tree: &mut Rax) -> Cost {
    let fields: u64 = steps.iter().map(|(_, fields)| fields).sum();
    let Some((last, _)) = steps.last() else { return Cost::ZERO };
    if fields <= VECTOR_FIELDS_MAX {
        let end_ms = ((last >> (WINDOW_LOG - STEP_LOG)) + 1) << WINDOW_LOG;
        tree.add(&end_ms.to_be_bytes());
        return vector(model, fields);
    }
    let (mut cost, mut part) = (Cost::ZERO, 0);
    for (place, (step, fields)) in steps.iter().enumerate() {
        part += fields;
        let next = steps.get(place + 1).map_or(u64::MAX, |(_, fields)| *fields);
        if part >= VECTOR_FIELDS_SPLIT || part.saturating_add(next) > VECTOR_FIELDS_MAX {
            tree.add(&((step + 1) << STEP_LOG).to_be_bytes());
            cost = cost + if part <= VECTOR_FIELDS_MAX { vector(model, part) } else { table(model, part) };
            part = 0;
        }
    }
    cost
}

fn table(model: &Model, fields: u64) -> Cost {
    let buckets = hashtable::buckets_grown(fields, hashtable::buckets(VECTOR_FIELDS_MAX));
    hashtable::cost(model.allocator, fields, buckets) + model.requested(TABLE_HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::super::{Allocator, Target};
    use super::*;

    const NOON_MS: i64 = 1_800_000_000_000 >> WINDOW_LOG << WINDOW_LOG;

    fn bytes(times: impl IntoIterator<Item = i64>) -> u64 {
        let mut expiries = Expiries::default();
        times.into_iter().for_each(|at_ms| expiries.add(at_ms));
        expiries.finish(&Model::new(Target::Valkey9_1, Allocator::Jemalloc)).memory_bytes
    }

    #[test]
    fn vectors_and_trees_of_them() {
        assert_eq!(bytes([]), 0);
        assert_eq!(bytes([NOON_MS]), 0);
        assert_eq!(bytes([NOON_MS; 2]), 24);
        assert_eq!(bytes((0..127).map(|number| NOON_MS + number * 100_000)), 1024);
        // All in one step: a tree of one key, and a table.
        let (tree, buckets) = (32 + 16 + 16, 32 * 64 + 80);
        let all_at_once = bytes([NOON_MS; 128]);
        assert!((tree + buckets..tree + buckets + 500).contains(&all_at_once), "{all_at_once}");
        // Each in a window of its own: nodes of the tree alone.
        let apart = bytes((0..1000).map(|number| NOON_MS + number * 100_000));
        assert!((20_000..60_000).contains(&apart), "{apart}");
    }

    #[test]
    fn many_windows_are_sampled() {
        let count = 400_000;
        let each = bytes((0..count).map(|number| NOON_MS + number * 100_000)) / count.unsigned_abs();
        let few = bytes((0..20_000).map(|number| NOON_MS + number * 100_000)) / 20_000;
        assert!(each.abs_diff(few) <= few / 10, "{each} {few}");
        // Many fields in few steps take few places.
        let mut expiries = Expiries::default();
        (0..500_000).for_each(|number| expiries.add(NOON_MS + number % 100 * 16));
        assert_eq!((expiries.sieve, expiries.fields), (Sieve::default(), 500_000));
    }
}
