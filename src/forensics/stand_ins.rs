//! Matches and events with stand-ins for what is of a key: its name, and the texts of its value.
//!
//! Of a text that was searched a match has a piece. Its parts are mapped as they are in the piece, cut at its ends or not: so
//! what the match and its surroundings show keeps its lengths and separators.

use super::grep::{Match, Place};
use super::redact::Redaction;
use super::timeline::Event;

/// Hands on a match with stand-ins.
pub fn redacted_match<R>(found: &Match<'_>, redaction: &Redaction, take: impl FnOnce(&Match<'_>) -> R) -> R {
    let name = found.key.map(|(db, name)| (db, redaction.name(name)));
    // What auxiliary fields are called is the server's.
    let field = match found.place {
        Place::Aux => found.field.map(<[u8]>::to_vec),
        _ => found.field.map(|field| redaction.name(field)),
    };
    // A part may go from one of the three into the next; stand-ins are as long as what they stand for.
    let piece = redaction.name(&[found.before, found.matched, found.after].concat());
    let (before, rest) = piece.split_at_checked(found.before.len()).unwrap_or_default();
    let (matched, after) = rest.split_at_checked(found.matched.len()).unwrap_or_default();
    take(&Match {
        key: name.as_ref().map(|(db, name)| (*db, name.as_slice())),
        field: field.as_deref(),
        before,
        matched,
        after,
        ..*found
    })
}

/// Hands on an event with stand-ins.
pub fn redacted_event<R>(event: &Event<'_>, redaction: &Redaction, take: impl FnOnce(&Event<'_>) -> R) -> R {
    let name = event.key.map(|(db, name)| (db, redaction.name(name)));
    let [field, group, consumer] =
        [event.field, event.group, event.consumer].map(|text| text.map(|text| redaction.name(text)));
    take(&Event {
        key: name.as_ref().map(|(db, name)| (*db, name.as_slice())),
        field: field.as_deref(),
        group: group.as_deref(),
        consumer: consumer.as_deref(),
        ..*event
    })
}
