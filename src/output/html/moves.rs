//! What grew and what shrank most, in two sentences each.

use maud::{Markup, html};

use super::parts::{map_link, named};
use crate::compare::{Amount, Change, ChangedKey, Difference, KeyChanges, PrefixChange, TypeChange};
use crate::output::human::{bytes, count, counted, share, signed_share};

/// Prefixes that are named in each direction.
const PREFIXES_MAX: usize = 3;

/// Of a longer name the sentences have the first bytes; the lists have more.
const NAME_BYTES_MAX: usize = 160;

/// Which way memory went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Whether anything changed that there are sentences for.
pub(super) fn has_any(difference: &Difference) -> bool {
    let is_changed = |change: &Change| change.memory_bytes_change != 0;
    difference.prefixes.iter().any(|prefix| is_changed(&prefix.change))
        || difference.types.iter().any(|of_type| is_changed(&of_type.change))
}

/// The section; nothing if nothing changed.
pub(super) fn section(difference: &Difference) -> Markup {
    if !has_any(difference) {
        return html! {};
    }
    html! {
        section #moves aria-labelledby="moves-title" {
            h2 #moves-title { "What changed most" }
            ol.findings {
                @for way in [Way::Up, Way::Down] {
                    @let prefixes = largest(&difference.prefixes, way);
                    @for prefix in &prefixes { (of_prefix(prefix, way)) }
                    @if prefixes.is_empty() {
                        @if let Some(of_type) = largest_type(&difference.types, way) { (of_type_sentences(of_type, way)) }
                    }
                    @if let Some(key) = difference.keys.as_ref().and_then(|keys| largest_key(keys, way)) {
                        (of_key(key, way))
                    }
                }
            }
        }
    }
}

impl Way {
    fn has(self, change: &Change) -> bool {
        match self {
            Self::Up => change.memory_bytes_change > 0,
            Self::Down => change.memory_bytes_change < 0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Up => "grew",
            Self::Down => "shrank",
        }
    }
}

/// The prefixes that changed most, none of which has keys of another one. Where nearly all that changed is under a longer
/// prefix, it is that one.
fn largest(prefixes: &[PrefixChange], way: Way) -> Vec<&PrefixChange> {
    let mut chosen: Vec<&PrefixChange> = Vec::new();
    let amount = |prefix: &PrefixChange| prefix.change.memory_bytes_change.unsigned_abs();
    let is_under = |a: &PrefixChange, b: &PrefixChange| a.name.bytes().starts_with(b.name.bytes());
    while chosen.len() < PREFIXES_MAX {
        let is_free = |prefix: &PrefixChange| {
            way.has(&prefix.change) && !chosen.iter().any(|other| is_under(prefix, other) || is_under(other, prefix))
        };
        let Some(mut found) = prefixes.iter().find(|prefix| is_free(prefix)) else { break };
        let nearly_all = amount(found) - amount(found) / 10;
        let under = prefixes
            .iter()
            .filter(|prefix| way.has(&prefix.change) && amount(prefix) >= nearly_all && is_under(prefix, found));
        found = under.max_by_key(|prefix| prefix.name.bytes().len()).unwrap_or(found);
        chosen.push(found);
    }
    chosen
}

fn largest_type(types: &[TypeChange], way: Way) -> Option<&TypeChange> {
    types.iter().find(|of_type| way.has(&of_type.change))
}

/// The key whose coming, going or change moved most memory.
fn largest_key(keys: &KeyChanges, way: Way) -> Option<&ChangedKey> {
    let lists = match way {
        Way::Up => [keys.top.came.first(), keys.top.grew.first()],
        Way::Down => [keys.top.went.first(), keys.top.shrank.first()],
    };
    lists.into_iter().flatten().filter(|key| key.change_bytes > 0).max_by_key(|key| key.change_bytes)
}

fn of_prefix(prefix: &PrefixChange, way: Way) -> Markup {
    html! {
        li class=(way.class()) {
            p { (named(prefix.name.bytes())) " " (moved(&prefix.change)) }
            p { (keys(&prefix.change)) }
            p { a href=(map_link(&prefix.name)) { "Show it on the map" } }
        }
    }
}

fn of_type_sentences(of_type: &TypeChange, way: Way) -> Markup {
    html! {
        li class=(way.class()) {
            p { "Type " (named(of_type.kind.as_bytes())) " " (moved(&of_type.change)) }
            p { (keys(&of_type.change)) }
        }
    }
}

/// By how much memory changed, after the name of what it is of.
fn moved(change: &Change) -> String {
    let [old, new] = [change.old, change.new].map(|amount| bytes(amount.memory_bytes));
    let by = bytes(change.memory_bytes_change.unsigned_abs());
    match (change.old.keys, change.new.keys) {
        (0, _) => format!("is new: {new}."),
        (_, 0) => format!("is gone: it took {old}."),
        _ => {
            let verb = if change.memory_bytes_change > 0 { "grew" } else { "shrank" };
            let by_share = signed_share(change.memory_bytes_change, change.old.memory_bytes);
            format!("{verb} by {by}, from {old} to {new} ({by_share}).")
        }
    }
}

/// How many keys there are now, and how many of them never expire.
fn keys(change: &Change) -> String {
    let never = |amount: &Amount| share(amount.keys_without_ttl, amount.keys);
    let (was, is) = (never(&change.old), never(&change.new));
    let keys = |amount: &Amount| counted(amount.keys, "key", "keys");
    match (change.old.keys, change.new.keys) {
        (0, _) => format!("It has {}, of which {is} never expire.", keys(&change.new)),
        (_, 0) => format!("It had {}, of which {was} never expired.", keys(&change.old)),
        _ => {
            let difference = count(change.keys_change.unsigned_abs());
            let keys = match change.keys_change {
                0 => format!("It has {} as before", keys(&change.new)),
                1.. => format!("It has {}, {difference} more than before", keys(&change.new)),
                _ => format!("It has {}, {difference} fewer than before", keys(&change.new)),
            };
            let before = if was == is { "as before".to_owned() } else { format!("before {was}") };
            format!("{keys}; {is} never expire, {before}.")
        }
    }
}

fn of_key(key: &ChangedKey, way: Way) -> Markup {
    let name = key.name.bytes();
    let shown = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    let sentence = match (key.old_memory_bytes, key.new_memory_bytes) {
        (Some(old), Some(new)) => {
            let verb = if way == Way::Up { "grew" } else { "shrank" };
            format!("{verb} by {}, from {} to {}.", bytes(key.change_bytes), bytes(old), bytes(new))
        }
        (None, _) => format!("came, with {}.", bytes(key.change_bytes)),
        (_, None) => format!("went, and with it {}.", bytes(key.change_bytes)),
    };
    let verb = if key.new_memory_bytes.is_some() { "is" } else { "was" };
    html! {
        li class=(way.class()) {
            p { "The key " (named(shown)) @if shown.len() < name.len() { "…" } " " (sentence) }
            p {
                "It " (verb) " of type " (key.kind) " in database " (key.db)
                @if let Some(old) = key.old_type { "; before it was of type " (old) }
                "."
            }
        }
    }
}
