//! How much top lists may hold together, and what is cut where they would hold more.
//!
//! Names have up to 8 MiB, databases up to 2^64 numbers, and a list stands for each type in each database. A cut must not
//! depend on who added what, so it follows from counts that only grow while keys are added: how many keys the lists hold, and
//! in which databases. Whatever is cut from a part is then cut from the whole too.

/// The first bytes of a name, which decide among keys of one size which one is listed. Names are never cut to fewer.
pub(crate) const ORDERED_NAME_BYTES: usize = 128;

/// The part of a name that decides its place.
#[inline]
pub(crate) fn ordered(name: &[u8]) -> &[u8] {
    name.get(..ORDERED_NAME_BYTES).unwrap_or(name)
}

/// How many keys lists may hold together, and how many bytes of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) keys: usize,
    pub(crate) name_bytes: usize,
}

impl Room {
    /// As much for each key that is asked for by `--top` as it takes on lists of all types; with `self` as the least.
    pub(crate) fn for_top(self, top: usize) -> Self {
        const LISTS: usize = 16;
        const NAME_BYTES: usize = 256;
        let keys = top.saturating_mul(LISTS);
        if keys <= self.keys { self } else { Self { keys, name_bytes: keys.saturating_mul(NAME_BYTES) } }
    }

    /// Whether lists hold so much more than there is room for that it is time to cut them. Cutting costs as much as there is.
    pub(crate) fn is_exceeded_by(self, held: Held) -> bool {
        let is_far_above = |held: usize, most: usize| held > most.saturating_add(most / 4);
        is_far_above(held.keys, self.keys) || is_far_above(held.name_bytes, self.name_bytes)
    }
}

/// What lists hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) keys: usize,
    pub(crate) name_bytes: usize,
}

impl Held {
    pub(crate) fn add(&mut self, name: &[u8]) {
        self.keys += 1;
        self.name_bytes += name.len();
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.keys = self.keys.saturating_sub(1);
        self.name_bytes = self.name_bytes.saturating_sub(name.len());
    }
}

/// How far lists are cut. Cuts only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// How many keys a list has at most.
    pub(crate) keys_max: usize,
    /// The first database that has no lists any more, and neither have all above it.
    pub(crate) first_unlisted_db: Option<u64>,
    /// How many bytes of a name are held.
    pub(crate) name_bytes_max: usize,
}

impl Cut {
    /// Nothing is cut of lists of so many keys.
    pub(crate) fn none(top: usize) -> Self {
        Self { keys_max: top, first_unlisted_db: None, name_bytes_max: usize::MAX }
    }

    /// Whether a database has lists; one that is not known yet does.
    pub(crate) fn lists(&self, db: Option<u64>) -> bool {
        db.zip(self.first_unlisted_db).is_none_or(|(db, first)| db < first)
    }

    /// The part of a name that is held.
    pub(crate) fn name<'n>(&self, name: &'n [u8]) -> &'n [u8] {
        name.get(..self.name_bytes_max).unwrap_or(name)
    }

    /// Cuts as much as another did; says whether that is more than before.
    pub(crate) fn lower(&mut self, other: &Self) -> bool {
        let before = *self;
        self.keys_max = self.keys_max.min(other.keys_max);
        self.name_bytes_max = self.name_bytes_max.min(other.name_bytes_max);
        self.first_unlisted_db = self.first_unlisted_db.into_iter().chain(other.first_unlisted_db).min();
        *self != before
    }

    /// Cuts as little as makes all lists fit: of `lists`, in the order of their databases, each has so many keys. First each
    /// list keeps fewer keys; where one key each is too many, the lowest databases keep their lists. Names share the room for
    /// names evenly.
    pub(crate) fn fit(&mut self, room: Room, lists: &[(u64, usize)]) {
        let keys =
            |keys_max: usize| lists.iter().fold(0_usize, |sum, (_, keys)| sum.saturating_add(*keys.min(&keys_max)));
        let held = keys(self.keys_max);
        if held <= room.keys {
            self.name_bytes_max = self.name_bytes_max.min(room.name_bytes / held.max(1));
            return;
        }
        let (mut fits, mut too_many) = (0, lists.iter().map(|(_, keys)| *keys).max().unwrap_or(0).min(self.keys_max));
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            *(if keys(middle) <= room.keys { &mut fits } else { &mut too_many }) = middle;
        }
        let first_unlisted = if fits == 0 { lists.get(room.keys).map(|(db, _)| *db) } else { None };
        let name_bytes_max = room.name_bytes / room.keys.max(1);
        self.lower(&Self { keys_max: fits.max(1), first_unlisted_db: first_unlisted, name_bytes_max });
    }

    /// What is cut, in sentences: of lists for which `asked` keys were asked, that have `cut_names` names that are not whole.
    pub(crate) fn notes(&self, room: Room, asked: usize, cut_names: usize) -> Vec<String> {
        let mut notes = Vec::new();
        let limit = format!("limit: {} listed keys in all databases", room.keys);
        if self.keys_max < asked {
            let keys = if self.keys_max == 1 { "key" } else { "keys" };
            notes.push(format!(
                "each list has the top {} {keys} instead of {asked} ({limit}); use --db to list fewer databases",
                self.keys_max
            ));
        }
        if let Some(db) = self.first_unlisted_db {
            notes.push(format!(
                "the keys of databases from {db} on are counted but not listed ({limit}); use --db to list them"
            ));
        }
        match cut_names {
            0 => {}
            1 => notes.push("1 listed name is too long and is cut; its length and offset are given".to_owned()),
            _ => notes.push(format!("{cut_names} listed names are too long and are cut; length and offset are given")),
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { keys: 10, name_bytes: 100 };

    fn fitted(top: usize, lists: &[(u64, usize)]) -> Cut {
        let mut cut = Cut::none(top);
        cut.fit(ROOM, lists);
        cut
    }

    #[test]
    fn lists_become_shorter_and_then_fewer() {
        let cut = |keys_max, first_unlisted_db, name_bytes_max| Cut { keys_max, first_unlisted_db, name_bytes_max };
        assert_eq!(fitted(20, &[]), cut(20, None, 100));
        assert_eq!(fitted(20, &[(0, 4), (1, 6)]), cut(20, None, 10));
        assert_eq!(fitted(20, &[(0, 4), (1, 7)]), cut(6, None, 10));
        assert_eq!(fitted(5, &[(0, 9), (1, 9)]), cut(5, None, 10));
        assert_eq!(fitted(9, &[(0, 2), (1, 9), (2, 9)]), cut(4, None, 10));
        let one_each: Vec<(u64, usize)> = (0..11).map(|db| (db * 7, 3)).collect();
        assert_eq!(fitted(3, &one_each[..10]), cut(1, None, 10));
        assert_eq!(fitted(3, &one_each), cut(1, Some(70), 10));
        // A database keeps all of its lists or none.
        let two_each: Vec<(u64, usize)> = (0..12).map(|list| (list / 4, 1)).collect();
        assert_eq!(fitted(3, &two_each), cut(1, Some(2), 10));
    }

    #[test]
    fn a_cut_of_a_part_is_a_cut_of_the_whole() {
        let lists: Vec<(u64, usize)> = (0..40).map(|db| (db, usize::try_from(db * 7 % 5).unwrap() + 1)).collect();
        for end in 0..40 {
            let (mut part, whole) = (fitted(5, &lists[..end]), fitted(5, &lists));
            assert!(!part.clone().lower(&whole) || part != whole);
            part.fit(ROOM, &lists);
            assert_eq!(part, whole);
        }
    }
}
