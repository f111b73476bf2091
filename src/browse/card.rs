//! A key's card: what is known of it, in lines, and which of its elements are shown below.

use std::fmt::Write;

use super::elements::{Elements, Page};
use super::wrap::wrap;
use crate::output::human;
use crate::rdb::Kind;
use crate::report::LargestKey;

/// Columns that a line of an element takes besides its texts, and of the largest ones their bytes.
const ELEMENT_COLUMNS: usize = 2;
const LARGEST_COLUMNS: usize = 14;

/// A key's card.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) key: LargestKey,
    from: u64,
    is_largest: bool,
    /// The page that was asked for, and what came.
    pub(super) elements: Option<(Page, Result<Elements, String>)>,
    /// The room for elements on the screen: lines, and columns.
    pub(super) room: (u64, usize),
}

impl Card {
    pub(super) fn new(key: LargestKey) -> Self {
        Self { key, from: 0, is_largest: false, elements: None, room: (0, 0) }
    }

    /// The elements that the screen has room for.
    pub(super) fn page(&self) -> Page {
        let (limit, columns) = self.room;
        let taken = ELEMENT_COLUMNS + if self.is_largest { LARGEST_COLUMNS } else { 0 };
        Page { from: self.from, limit, is_largest: self.is_largest, width: columns.saturating_sub(taken) }
    }

    /// Turns to the next page, or the one before.
    pub(super) fn turn(&mut self, is_forward: bool) {
        if !is_forward {
            self.from = self.from.saturating_sub(self.room.0);
        } else if let Some((_, Ok(Elements { page, .. }))) = &self.elements
            && let Some(next) = page.next
        {
            self.from = next;
        }
    }

    /// Turns to the first page.
    pub(super) fn turn_to_first(&mut self) {
        self.from = 0;
    }

    /// Turns to the last page.
    pub(super) fn turn_to_last(&mut self) {
        if let Some((_, Ok(Elements { page, .. }))) = &self.elements
            && !self.is_largest
        {
            self.from = page.elements.saturating_sub(self.room.0);
        }
    }

    /// Shows the largest elements, or the first ones again.
    pub(super) fn toggle_largest(&mut self) {
        self.is_largest = !self.is_largest;
        self.from = 0;
    }

    /// Which elements are shown, of how many.
    pub(super) fn position(&self) -> Option<String> {
        let (asked, Ok(Elements { page, .. })) = self.elements.as_ref()? else { return None };
        let (shown, of) = (page.lines.len() as u64, human::count(page.elements));
        if shown == page.elements || shown == 0 {
            return None;
        }
        Some(if asked.is_largest {
            format!("the {} largest of {of} elements", human::count(shown))
        } else {
            let (first, last) = (asked.from + 1, asked.from + shown);
            format!("elements {} to {} of {of}", human::count(first), human::count(last))
        })
    }
}

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
    let (one, many) = match &*found.kind {
        kind if kind == Kind::Hash.name() => ("field", "fields"),
        kind if kind == Kind::Stream.name() => ("entry", "entries"),
        _ => ("element", "elements"),
    };
    let size = if is_string || !is_counted {
        human::bytes(key.size)
    } else {
        format!("{} {}", human::count(key.size), if key.size == 1 { one } else { many })
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
            _ = write!(largest, " at index {}", human::count(index));
        }
        if let Some(name) = &key.largest_element {
            _ = write!(largest, ": {}", human::name(name.bytes(), room.saturating_sub(40)));
        }
        add("largest", &largest);
    }
    lines
}
