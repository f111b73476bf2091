//! The keys of a task: compared with those of another, filtered, sorted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::task::{KeyRecord, LargestKey};

/// A key that a task lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) name_base64: Option<String>,
    pub(super) type_name: String,
    pub(super) shard: Option<String>,
    /// Offline key analyses count all databases together.
    pub(super) db: Option<u64>,
    pub(super) size: u64,
    pub(super) unit: &'static str,
    /// Where the size is in bytes of memory.
    pub(super) elements: Option<u64>,
    /// The access counter of a hot key.
    pub(super) freq: Option<u8>,
    /// The size in the task that this one is compared with; none for a key that was not listed there.
    pub(super) before: Option<u64>,
}

impl From<KeyRecord> for Key {
    fn from(key: KeyRecord) -> Self {
        let KeyRecord { name, name_base64, type_name, shard, db, size, unit, freq } = key;
        Self { name, name_base64, type_name, shard, db: Some(db), size, unit, elements: None, freq, before: None }
    }
}

impl From<LargestKey> for Key {
    fn from(key: LargestKey) -> Self {
        let LargestKey { key: name, key_base64: name_base64, type_name, bytes: size, num_of_elem } = key;
        let (shard, db, elements) = (None, None, Some(num_of_elem));
        Self { name, name_base64, type_name, shard, db, size, unit: "byte", elements, freq: None, before: None }
    }
}

/// What became of a key since the task before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    New,
    Grown,
    Shrunk,
    Same,
}

impl Change {
    pub(super) const ALL: [Self; 4] = [Self::New, Self::Grown, Self::Shrunk, Self::Same];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Same => "same",
        }
    }
}

impl Key {
    pub(super) fn change(&self) -> Change {
        match self.before {
            None => Change::New,
            Some(before) if before < self.size => Change::Grown,
            Some(before) if before > self.size => Change::Shrunk,
            Some(_) => Change::Same,
        }
    }

    /// By how many bytes or elements it has grown.
    fn growth(&self) -> i128 {
        self.before.map_or(i128::from(self.size), |before| i128::from(self.size) - i128::from(before))
    }

    /// What a key is known by, from one task to the next, apart from its shard.
    fn identity(&self) -> (Option<u64>, &str, &str, Option<&str>) {
        (self.db, &self.type_name, &self.name, self.name_base64.as_deref())
    }
}

/// Notes in each key its size before, and returns the keys that are no longer listed. One that has moved to another shard
/// is the same.
pub(super) fn compare(keys: &mut [Key], before: Vec<Key>) -> Vec<Key> {
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, key) in before.iter().enumerate() {
        places.entry(key.identity()).or_default().push(place);
    }
    let mut is_found = vec![false; before.len()];
    for is_same_shard in [true, false] {
        for key in keys.iter_mut().filter(|key| key.before.is_none()) {
            let Some(places) = places.get(&key.identity()) else { continue };
            for place in places {
                let (Some(old), Some(is_found)) = (before.get(*place), is_found.get_mut(*place)) else { continue };
                if !*is_found && (!is_same_shard || old.shard == key.shard) {
                    *is_found = true;
                    key.before = Some(old.size);
                    break;
                }
            }
        }
    }
    before.into_iter().zip(is_found).filter(|(_, is_found)| !is_found).map(|(key, _)| key).collect()
}

/// Which keys are wanted, and in which order.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter(BTreeMap<String, String>);

impl Filter {
    /// The filters, by their names in a query.
    pub(super) const NAMES: [&str; 6] = ["name", "type", "db", "shard", "change", "sort"];

    pub(super) fn new(parameters: &[(String, String)]) -> Self {
        let known = parameters.iter().filter(|(name, value)| Self::NAMES.contains(&name.as_str()) && !value.is_empty());
        Self(known.cloned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The filters as a query has them.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// Whether a key is wanted. The name is matched without regard to case.
    pub(super) fn wants(&self, key: &Key) -> bool {
        let is = |name: &str, value: &str| self.get(name).is_none_or(|wanted| wanted == value);
        self.get("name").is_none_or(|part| key.name.to_lowercase().contains(&part.to_lowercase()))
            && is("type", &key.type_name)
            && is("db", &key.db.map(|db| db.to_string()).unwrap_or_default())
            && is("shard", key.shard.as_deref().unwrap_or_default())
            && is("change", key.change().name())
    }

    /// The wanted keys, sorted; by default they stay in the task's order.
    pub(super) fn apply(&self, mut keys: Vec<Key>) -> Vec<Key> {
        keys.retain(|key| self.wants(key));
        match self.get("sort") {
            Some("size") => keys.sort_by_key(|key| Reverse(key.size)),
            Some("growth") => keys.sort_by_key(|key| Reverse(key.growth())),
            Some("name") => keys.sort_by(|a, b| a.name.cmp(&b.name)),
            Some("type") => keys.sort_by(|a, b| a.type_name.cmp(&b.type_name)),
            _ => {}
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, shard: &str, size: u64) -> Key {
        let type_name = "list".to_owned();
        let shard = Some(shard.to_owned());
        KeyRecord { name: name.to_owned(), name_base64: None, type_name, shard, db: 0, size, unit: "count", freq: None }
            .into()
    }

    #[test]
    fn keys_are_compared() {
        let mut keys = vec![key("a", "1", 5), key("a", "2", 6), key("moved", "2", 3), key("new", "1", 1)];
        let before = vec![key("gone", "1", 9), key("a", "2", 7), key("a", "1", 5), key("moved", "1", 2)];
        let gone = compare(&mut keys, before);
        assert_eq!(gone, [key("gone", "1", 9)]);
        let changes: Vec<Change> = keys.iter().map(Key::change).collect();
        assert_eq!(changes, [Change::Same, Change::Shrunk, Change::Grown, Change::New]);
    }

    #[test]
    fn keys_are_filtered_and_sorted() {
        let keys = || vec![key("User:1", "1", 5), key("user:2", "2", 6), key("cart", "2", 7)];
        let names = |query: &[(&str, &str)]| {
            let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let keys = Filter::new(&query).apply(keys());
            keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&[("name", "user"), ("unknown", "x"), ("type", "")]), "User:1 user:2");
        assert_eq!(names(&[("shard", "2"), ("sort", "size")]), "cart user:2");
        assert_eq!(names(&[("sort", "name"), ("db", "0"), ("type", "list"), ("change", "new")]), "User:1 cart user:2");
        assert_eq!(names(&[("db", "1")]), "");
    }
}
