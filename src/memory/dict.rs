//! Redis's hash table, which Valkey has up to 8.0: a power of two of pointers, and an entry for each element.

/// The fewest slots of a table.
const SLOTS_MIN: u64 = 4;

/// Slots of a table that was made for so many elements.
pub(super) fn slots(elements: u64) -> u64 {
    elements.checked_next_power_of_two().unwrap_or(1 << 63).max(SLOTS_MIN)
}

/// Slots, of both tables if there are two, of a table that grew element by element: it doubles when it is full, and each
/// element after that moves one bucket over.
pub(super) fn slots_grown(elements: u64) -> u64 {
    let (slots, half) = (slots(elements), slots(elements) / 2);
    // Of a full table's buckets, all but a share of 1/e are not empty.
    let moving = half - half * 94 / 256;
    let is_moving = elements > SLOTS_MIN && elements - half < moving;
    if is_moving { slots + half } else { slots }
}

/// When a hash that was loaded as a listpack until a pair was too long for one is expanded, and for how many pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    /// The pair that was too long, from 0.
    pub(super) pair: u64,
    /// For all pairs (`original_len`, Redis since 8.6), and not for those still to come.
    pub(super) for_all: bool,
    /// Before that pair is added, as where fields have TTLs.
    pub(super) is_before_pair: bool,
}

/// Slots, of both tables if there are two, of a hash that was converted so while it was loaded (`rdbLoadObject` of rdb.c).
///
/// The table is made for the pairs so far, and grown to all or to those still to come; each pair that is added moves one
/// bucket over. If they are too few to move all, or too few to grow for, that is how the table stays until it is written to.
pub(super) fn slots_after_conversion(elements: u64, conversion: Conversion) -> u64 {
    let Conversion { pair: packed, for_all, is_before_pair } = conversion;
    let mut table = Tables { slots: slots(packed), used: packed, next_slots: 0, left: 0.0 };
    let to_come = elements - packed - 1;
    if !is_before_pair {
        table.add();
    }
    let wanted = if for_all { elements } else { to_come };
    if wanted > SLOTS_MIN {
        table.expand(wanted);
    }
    for _ in 0..to_come + u64::from(is_before_pair) {
        table.add();
    }
    table.slots + table.next_slots
}

/// Entries of a table whose elements have no values (`no_value` of dict.c): the first element of a bucket is in the slot
/// itself. How many share a bucket is what one can expect of a good hash.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn chained_bytes(elements: u64, entry_bytes: u64) -> u64 {
    let (n, m) = (elements as f64, slots(elements) as f64);
    let taken = m * -(n * (-1.0 / m).ln_1p()).exp_m1();
    ((n - taken) * entry_bytes as f64).round() as u64
}

/// A table, and the one that its elements move to.
struct Tables {
    slots: u64,
    used: u64,
    /// Zero while nothing moves.
    next_slots: u64,
    /// Buckets that have not moved yet: how many of the slots are not empty is what one can expect of a good hash.
    left: f64,
}

impl Tables {
    fn add(&mut self) {
        if self.next_slots > 0 {
            self.left -= 1.0;
            if self.left <= 0.0 {
                self.slots = self.next_slots;
                self.next_slots = 0;
            }
        }
        if self.used >= self.slots + self.next_slots {
            self.expand(self.used + 1);
        }
        self.used += 1;
    }

    #[allow(clippy::cast_precision_loss, reason = "it is an expectation, over at most 512 elements")]
    fn expand(&mut self, elements: u64) {
        let wanted = slots(elements);
        if self.next_slots > 0 || wanted == self.slots || elements < self.used {
            return;
        }
        let slots = self.slots as f64;
        self.left = slots * (1.0 - (1.0 - 1.0 / slots).powf(self.used as f64));
        self.next_slots = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_powers_of_two() {
        assert_eq!([0, 1, 4, 5, 8, 9, 1000].map(slots), [4, 4, 4, 8, 8, 16, 1024]);
        assert_eq!(slots(u64::MAX), 1 << 63);
    }

    #[test]
    fn a_table_that_grew() {
        assert_eq!([4, 5, 9, 600, 1000, 1024].map(slots_grown), [4, 8 + 4, 16 + 8, 1024 + 512, 1024, 1024]);
    }

    #[test]
    fn a_table_that_was_a_listpack() {
        let for_rest = |pair| Conversion { pair, for_all: false, is_before_pair: false };
        // The first pair is too long: the table grows once, while it has one element.
        assert_eq!(slots_after_conversion(100, for_rest(0)), 128);
        // The last is: it fits the table that was made for those before it, or makes it twice as large.
        assert_eq!(slots_after_conversion(7, for_rest(6)), 8);
        assert_eq!(slots_after_conversion(9, for_rest(8)), 8 + 16);
        // Expanded for all pairs while most are there: both tables are left.
        let for_all = |pair, is_before_pair| Conversion { pair, for_all: true, is_before_pair };
        assert_eq!(slots_after_conversion(20, for_all(15, false)), 16 + 32);
        assert_eq!(slots_after_conversion(20, for_rest(15)), 16 + 32);
        assert_eq!(slots_after_conversion(17, for_all(15, false)), 16 + 32);
        assert_eq!(slots_after_conversion(16, for_all(15, true)), 16);
        assert_eq!(slots_after_conversion(12, for_all(3, true)), 16);
    }

    #[test]
    fn entries_that_share_a_bucket() {
        assert_eq!([0, 1, 4].map(|elements| chained_bytes(elements, 16)), [0, 0, 20]);
        // A full table: a share of 1/e of its buckets is empty, and as many elements are not the first.
        assert_eq!(chained_bytes(1 << 20, 100), 38_574_937);
    }
}
