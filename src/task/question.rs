//! What an instance's big key tasks are asked, where that is not what all are.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::KeyRecord;
use crate::analysis::Question;

/// What the tasks of an instance are asked.
#[derive(Clone, Debug, Default)]
pub struct TaskQuestion {
    /// Which keys, and how many of each type.
    pub question: Question,
    /// Whether that many are of the whole instance; by default they are of each database.
    pub is_of_instance: bool,
}

/// The largest of each type, as many as `top`; they stay in their order.
pub(super) fn largest_of_all(keys: Vec<KeyRecord>, top: usize) -> Vec<KeyRecord> {
    let mut by_size: Vec<usize> = (0..keys.len()).collect();
    // Stable: of equal ones the first stays.
    by_size.sort_by_key(|place| keys.get(*place).map(|key| Reverse(key.size)));
    let mut listed: HashMap<&str, usize> = HashMap::new();
    let mut is_listed = vec![false; keys.len()];
    for place in by_size {
        let (Some(key), Some(is_listed)) = (keys.get(place), is_listed.get_mut(place)) else { continue };
        let of_type = listed.entry(&key.type_name).or_default();
        *is_listed = *of_type < top;
        *of_type += 1;
    }
    keys.into_iter().zip(is_listed).filter(|(_, is_listed)| *is_listed).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_all_databases_stay_in_their_order() {
        let key = |name: &str, type_name: &str, db, size| {
            let (name, type_name) = (name.to_owned(), type_name.to_owned());
            KeyRecord { name, name_base64: None, type_name, shard: None, db, size, unit: "count", freq: None }
        };
        let keys = vec![
            key("a", "list", 0, 9),
            key("b", "list", 0, 4),
            key("c", "set", 0, 1),
            key("d", "list", 1, 7),
            key("e", "list", 1, 4),
            key("f", "list", 2, 8),
        ];
        let names = |top| largest_of_all(keys.clone(), top).iter().map(|key| key.name.clone()).collect::<String>();
        assert_eq!([names(1), names(2), names(4), names(9)], ["ac", "acf", "abcdf", "abcdef"]);
    }
}
