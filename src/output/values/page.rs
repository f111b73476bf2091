//! Elements of a key as far as they were asked for: which ones, and each as a line for a person.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;

use super::out::Out;
use super::text::float;
use super::vocabulary::stream_id;
use crate::memory::{Allocator, Target};
use crate::output::human;
use crate::rdb::Kind;
use crate::rdb::packed::Text;
use crate::values::{Content, Fault, Record, Value};

/// The most elements of which the largest can be asked for.
pub const LARGEST_MAX: u64 = 100_000;

/// Bytes of a text that a person is shown at most.
const SHOWN_BYTES: usize = 4096;

/// What is shown of a key.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether it is JSON, rather than for a person.
    pub is_json: bool,
    /// Columns of a line, for a person.
    pub width: usize,
    /// Only the field or member of this name.
    pub field: Option<Vec<u8>>,
    /// The first element that is shown, from 0.
    pub from: u64,
    /// How many elements are shown at most.
    pub limit: u64,
    /// Whether the largest elements are shown, as many as the limit says, rather than the first ones.
    pub largest: bool,
    /// The server whose memory is modelled; none for the one that wrote the dump.
    pub target: Option<Target>,
    /// Its allocator.
    pub allocator: Allocator,
}

/// Elements of a key, as lines for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementPage {
    /// A line for each element that was asked for; names and texts in it are escaped.
    pub lines: Vec<String>,
    /// All elements, or those of the name that was asked for.
    pub elements: u64,
    /// The element that follows, if there is one and the first ones were asked for.
    pub next: Option<u64>,
}

/// Bytes of a record's texts.
pub(super) fn record_bytes(record: &Record<'_>) -> u64 {
    let content = match record.value {
        Some(Content::Text(text)) => text.value_bytes(),
        Some(Content::Unsigned(_) | Content::Float(_)) => size_of::<u64>() as u64,
        None => 0,
    };
    [record.field, record.member].into_iter().flatten().map(|text| text.value_bytes()).sum::<u64>() + content
}

fn is_text(text: Text<'_>, wanted: &[u8]) -> bool {
    match text {
        Text::Bytes(text) => text == wanted,
        Text::Int(value) => itoa::Buffer::new().format(value).as_bytes() == wanted,
    }
}

/// How many elements there were, and how many of them were shown.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) matched: u64,
    pub(super) shown: u64,
}

impl Shown {
    /// The element that follows those that were shown, if there is one.
    pub(super) fn next(&self, look: &Look) -> Option<u64> {
        let next = look.from.saturating_add(self.shown);
        (!look.largest && next < self.matched).then_some(next)
    }
}

impl Look {
    /// Elements as lines, and why they end early if a part of the value cannot be read.
    pub fn page(&self, kind: Kind, value: &Value<'_>) -> (ElementPage, Result<(), Fault>) {
        let mut lines = Vec::new();
        let (shown, read) = self.lines(kind, value, |line| {
            lines.push(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        });
        (ElementPage { lines, elements: shown.matched, next: shown.next(self) }, read)
    }

    /// Hands on a line for each element that was asked for; of the largest, the largest first.
    pub(super) fn lines(
        &self,
        kind: Kind,
        value: &Value<'_>,
        mut on_line: impl FnMut(&[u8]),
    ) -> (Shown, Result<(), Fault>) {
        let mut largest: Vec<(u64, Vec<u8>)> = Vec::new();
        let read = self.each(kind, value, |_, record| {
            let mut line = Out::scratch();
            element_line(record, self.width, &mut line);
            if self.largest {
                largest.push((record_bytes(record), line.bytes));
            } else {
                on_line(&line.bytes);
            }
        });
        largest.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (bytes, line) in largest {
            on_line(&[format!("{:>12}  ", human::bytes(bytes)).as_bytes(), &line].concat());
        }
        match read {
            Ok(shown) => (shown, Ok(())),
            Err((shown, fault)) => (shown, Err(fault)),
        }
    }

    fn matches(&self, record: &Record<'_>) -> bool {
        let Some(wanted) = &self.field else { return true };
        record.field.or(record.member).is_some_and(|text| is_text(text, wanted))
    }

    /// Hands on the records that were asked for, with the place of each among those of the key.
    pub(super) fn each(
        &self,
        kind: Kind,
        value: &Value<'_>,
        mut on_record: impl FnMut(u64, &Record<'_>),
    ) -> Result<Shown, (Shown, Fault)> {
        let mut shown = Shown::default();
        let mut at = 0_u64;
        let wanted = if self.largest { Some(self.largest(kind, value)) } else { None };
        let mut wanted = wanted.iter().flatten().peekable();
        let read = value.records(kind, |record| {
            let place = at;
            at += 1;
            if !self.matches(record) {
                return;
            }
            let number = shown.matched;
            shown.matched += 1;
            let is_shown = if self.largest {
                wanted.next_if(|wanted| **wanted == place).is_some()
            } else {
                number >= self.from && number - self.from < self.limit
            };
            if is_shown {
                shown.shown += 1;
                on_record(place, record);
            }
        });
        match read {
            Ok(()) => Ok(shown),
            Err(fault) => Err((shown, fault)),
        }
    }

    /// The places of the largest elements, in their order.
    fn largest(&self, kind: Kind, value: &Value<'_>) -> Vec<u64> {
        let most = usize::try_from(self.limit.min(LARGEST_MAX)).unwrap_or(usize::MAX);
        let mut heap = BinaryHeap::new();
        let mut at = 0_u64;
        // What cannot be read is told by the walk that shows them.
        _ = value.records(kind, |record| {
            if self.matches(record) {
                heap.push(Reverse((record_bytes(record), Reverse(at))));
                if heap.len() > most {
                    heap.pop();
                }
            }
            at += 1;
        });
        let mut places: Vec<u64> = heap.into_iter().map(|Reverse((_, Reverse(at)))| at).collect();
        places.sort_unstable();
        places
    }
}

/// An element in a line: its place, and its parts with two blanks between them.
fn element_line(record: &Record<'_>, width: usize, out: &mut Out<'_>) {
    out.put(format!("{:>8}", record.index).as_bytes());
    let left = width.saturating_sub(10);
    if let Some(id) = record.id {
        out.put(b"  ");
        stream_id(id, &mut out.bytes);
    }
    let has_two = record.field.is_some() || record.score.is_some();
    for text in [record.field, record.member].into_iter().flatten() {
        out.put(b"  ");
        out.put(shown(text, if has_two { left / 2 } else { left }).as_bytes());
    }
    if let Some(score) = record.score {
        out.put(b"  ");
        float(score, &mut out.bytes);
    }
    match record.value {
        Some(Content::Text(text)) => {
            out.put(b"  ");
            out.put(shown(text, if has_two { left / 2 } else { left }).as_bytes());
        }
        Some(Content::Unsigned(value)) => {
            out.put(b"  ");
            out.number(value);
        }
        Some(Content::Float(value)) => {
            out.put(b"  ");
            float(value, &mut out.bytes);
        }
        None => {}
    }
    if let Some(at_ms) = record.expires_at_ms {
        let at = i64::try_from(at_ms).map_or_else(|_| at_ms.to_string(), moment);
        out.put(format!("  expires {at}").as_bytes());
    }
    out.put(b"\n");
}

fn shown(text: Text<'_>, width: usize) -> String {
    match text {
        Text::Int(value) => value.to_string(),
        Text::Bytes(text) if text.len() > SHOWN_BYTES => {
            let first = text.get(..SHOWN_BYTES).unwrap_or_default();
            format!("{} ({})", human::name(first, width.saturating_sub(14)), human::bytes(text.len() as u64))
        }
        Text::Bytes(text) => human::name(text, width),
    }
}

/// A time as a person reads it, with the number that it is.
pub(super) fn moment(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => format!("{at} ({at_ms} ms since 1970)"),
        Err(_) => format!("{at_ms} ms since 1970"),
    }
}
