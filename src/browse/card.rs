//! What is known of a key, in lines.

use std::fmt::Write;

use super::wrap::wrap;
use crate::output::human;
use crate::rdb::Kind;
use crate::report::LargestKey;

/// Columns of the words before the facts.
const WORDS: usize = 12;

/// Lines of a long name.
const NAME_LINES: usize = 3;

/// The facts about a key, a line or some each; `dump` says which dump it is in, if there are several.
pub(super) fn facts(found: &LargestKey, dump: Option<&str>, width: usize) -> Vec<String> {
    let key = &found.key;
    let room = width.saturating_sub(WORDS);
    let mut lines = Vec::new();
    let mut add = |word: &str, fact: &str| {
        for (at, line) in wrap(fact, room).into_iter().enumerate() {
            lines.push(format!("{:<WORDS$}{line}", if at == 0 { word } else { "" }));
        }
    };
    // Less than what fits: a wide character may not fit at a line's end.
    let mut name = human::name(key.name.bytes(), NAME_LINES * room.saturating_sub(1));
    if let Some(bytes) = key.name_bytes {
        _ = write!(name, " (the first bytes of {})", human::bytes(bytes));
    }
    add("key", &name);
    let is_string = found.kind == Kind::String.name();
    let is_counted = Kind::ALL.iter().any(|kind| kind.name() == found.kind && *kind != Kind::Module);
    let kind = human::name(found.kind.as_bytes(), room);
    let size = if is_string || !is_counted {
        human::bytes(key.size)
    } else if key.size == 1 {
        "1 element".to_owned()
    } else {
        format!("{} elements", human::count(key.size))
    };
    add("type", &format!("{kind}, {size}, in database {}", found.db));
    if let Some(dump) = dump {
        add("dump", &human::name(dump.as_bytes(), room));
    }
    add("encoding", &format!("{} in the dump, {} in memory", key.stored_as, key.loaded_as));
    let memory = key.memory_bytes.map_or("not known".to_owned(), |bytes| {
        let basis = key.memory_basis.as_deref().unwrap_or("exact").replace('_', " ");
        let allocated =
            key.allocated_bytes.map_or(String::new(), |bytes| format!(", allocated {}", human::bytes(bytes)));
        format!("{} ({basis}){allocated}", human::bytes(bytes))
    });
    add("memory", &memory);
    add("in the dump", &format!("{} at offset {}", human::bytes(key.serialized_bytes), key.offset));
    add("expires", &key.expires_at_ms.map_or("never".to_owned(), human::moment));
    let mut used = Vec::new();
    used.extend(key.idle_seconds.map(|seconds| format!("idle for {}", human::duration(seconds))));
    used.extend(key.frequency.map(|frequency| format!("LFU counter {frequency}")));
    if !used.is_empty() {
        add("used", &used.join(", "));
    }
    if let Some(bytes) = key.largest_element_bytes {
        let mut largest = human::bytes(bytes);
        if let Some(index) = key.largest_element_index {
            _ = write!(largest, ", the one at {}", human::count(index));
        }
        if let Some(name) = &key.largest_element {
            _ = write!(largest, ": {}", human::name(name.bytes(), room.saturating_sub(40)));
        }
        add("largest", &largest);
    }
    lines
}
