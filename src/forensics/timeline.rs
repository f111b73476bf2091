//! Everything in a dump that carries a time.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::between::bytes;
use super::rows::{Put, Rows, Source};
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Exported, Options, Progress, export_with_starts};
use crate::error::Error;
use crate::rdb::{Context, Element, Kind};
use crate::values::stream::{self, Id, StreamPart};
use crate::values::{Fault, KeyEntry, Value};

/// What happens at a time, or happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The dump was begun (`ctime`).
    DumpCreated,
    /// The key expires.
    KeyExpires,
    /// A field of a hash expires.
    FieldExpires,
    /// The key was last used: the dump's own time less the idle time.
    KeyUsed,
    /// The first entry of a stream was added, by its ID.
    FirstEntry,
    /// The last entry of a stream was added.
    LastEntry,
    /// Another entry of a stream was added.
    Entry,
    /// The last entry that a stream ever had was added; it has been deleted since.
    LastIdAdded,
    /// The entry with the greatest ID that was deleted was added.
    DeletedEntry,
    /// The entry that was last delivered to a group was added.
    GroupEntry,
    /// A consumer last tried to read.
    ConsumerSeen,
    /// A consumer last read something.
    ConsumerActive,
    /// A pending entry was last delivered.
    Delivered,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'e> {
    /// What happens.
    pub moment: Moment,
    /// When, in milliseconds since 1970; none if the dump does not say when it was made, which this depends on.
    pub at_ms: Option<i64>,
    /// The database and the name of the key; of the dump's own none.
    pub key: Option<(u64, &'e [u8])>,
    /// What the key is.
    pub kind: Option<Kind>,
    /// Offset of the key's record.
    pub key_offset: u64,
    /// The field, where it is about one.
    pub field: Option<&'e [u8]>,
    /// The consumer group, where it is about one.
    pub group: Option<&'e [u8]>,
    /// The consumer, where it is about one.
    pub consumer: Option<&'e [u8]>,
    /// The ID of the stream's entry.
    pub id: Option<Id>,
    /// How many times a pending entry was delivered.
    pub deliveries: Option<u64>,
    /// The auxiliary fields, of the dump's own event: replication ID and offset among them.
    pub facts: &'e [(String, String)],
}

/// Hands all events of a dump to `take`, in the dump's order; the dump's own first, unless the filter leaves keys out. With
/// `all_entries` each entry of a stream is one, else the first and the last.
///
/// # Errors
/// As [`crate::engine::export_all`].
pub fn timeline<'o>(
    dump: &Dump,
    all_entries: bool,
    wanted: &Filter,
    options: &Options,
    progress: &Arc<Progress>,
    take: impl FnMut(&Event<'_>) + Send + 'o,
) -> Result<Exported, Error> {
    let is_of_all = wanted.is_of_all() && !wanted.names_databases();
    let shared = Mutex::new(take);
    let hand_on = |event: &Event<'_>| (shared.lock().unwrap_or_else(PoisonError::into_inner))(event);
    let start = |context: &Context, _: Option<&[u8]>| {
        if is_of_all {
            let at_ms = context.aux.created_at_seconds.map(|seconds| seconds.saturating_mul(1000));
            hand_on(&Event { at_ms, facts: &context.aux.fields, ..Event::of(Moment::DumpCreated) });
        }
    };
    let take = Arc::new(Mutex::new(|db: u64, happening: Happening, bytes: &[u8]| {
        hand_on(&happening.as_event(db, bytes));
    }));
    let form = |_: &Context| Rows::new(Finder { all_entries }, take.clone());
    export_with_starts(std::slice::from_ref(dump), wanted, options, progress, start, form)
}

impl Event<'_> {
    fn of(moment: Moment) -> Self {
        Self {
            moment,
            at_ms: None,
            key: None,
            kind: None,
            key_offset: 0,
            field: None,
            group: None,
            consumer: None,
            id: None,
            deliveries: None,
            facts: &[],
        }
    }
}

/// An event of a key without its names.
#[derive(Clone, Copy, Debug)]
struct Happening {
    moment: Moment,
    at_ms: Option<i64>,
    kind: Kind,
    key_offset: u64,
    id: Option<Id>,
    deliveries: Option<u64>,
    /// Where the names end: of the key, the field, the group, the consumer; none where there is no such.
    ends: [usize; 4],
    has: [bool; 3],
}

impl Happening {
    fn as_event<'e>(&self, db: u64, bytes: &'e [u8]) -> Event<'e> {
        let [name, field, group, consumer] = self.ends;
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        let [has_field, has_group, has_consumer] = self.has;
        Event {
            at_ms: self.at_ms,
            key: Some((db, part(0..name))),
            kind: Some(self.kind),
            key_offset: self.key_offset,
            field: has_field.then(|| part(name..field)),
            group: has_group.then(|| part(field..group)),
            consumer: has_consumer.then(|| part(group..consumer)),
            id: self.id,
            deliveries: self.deliveries,
            ..Event::of(self.moment)
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Finder {
    all_entries: bool,
}

impl Source for Finder {
    type Row = Happening;

    fn key(&self, key: &KeyEntry<'_>, value: &Value<'_>, put: Put<'_, Happening>) -> Result<(), Fault> {
        let mut events = Events { key, put, group: Vec::new(), consumer: Vec::new() };
        if let Some(at_ms) = key.entry.expires_at_ms {
            events.put(Moment::KeyExpires, Some(at_ms), &What::default());
        }
        if let Some(idle) = key.entry.idle_seconds {
            let seconds = value.context().aux.created_at_seconds.map(|made| made.saturating_sub_unsigned(idle));
            let at_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
            events.put(Moment::KeyUsed, at_ms, &What::default());
        }
        match key.entry.kind {
            Kind::Hash => value.for_each(|element| {
                if let Element::Field { field, expires_at_ms: Some(at_ms), .. } = element {
                    let field = bytes(field, &mut Vec::new()).to_vec();
                    events.put(Moment::FieldExpires, Some(ms(at_ms)), &What { field: Some(&field), ..What::default() });
                }
            }),
            Kind::Stream => events.stream(value, self.all_entries),
            _ => Ok(()),
        }
    }

    fn between(&self, _: u64, _: &[u8], _: &Context, _: Put<'_, Happening>) {}
}

/// A time of the file; one that no calendar has stays one.
fn ms(at_ms: u64) -> i64 {
    i64::try_from(at_ms).unwrap_or(i64::MAX)
}

/// What an event is about besides its key.
#[derive(Clone, Copy, Default)]
struct What<'w> {
    field: Option<&'w [u8]>,
    has_group: bool,
    has_consumer: bool,
    id: Option<Id>,
    deliveries: Option<u64>,
}

/// The events of a key on their way out.
struct Events<'k, 'p> {
    key: &'k KeyEntry<'k>,
    put: Put<'p, Happening>,
    /// The group and the consumer that came last.
    group: Vec<u8>,
    consumer: Vec<u8>,
}

impl Events<'_, '_> {
    fn put(&mut self, moment: Moment, at_ms: Option<i64>, what: &What<'_>) {
        let group: &[u8] = if what.has_group { &self.group } else { &[] };
        let consumer: &[u8] = if what.has_consumer { &self.consumer } else { &[] };
        let parts = [self.key.name, what.field.unwrap_or_default(), group, consumer];
        let mut ends = [0; 4];
        let mut end = 0;
        for (to, part) in ends.iter_mut().zip(parts) {
            end += part.len();
            *to = end;
        }
        let happening = Happening {
            moment,
            at_ms,
            kind: self.key.entry.kind,
            key_offset: self.key.entry.offset,
            id: what.id,
            deliveries: what.deliveries,
            ends,
            has: [what.field.is_some(), what.has_group, what.has_consumer],
        };
        (self.put)(happening, &parts);
    }

    /// An entry of a stream, by its ID; an ID of zero is none.
    fn entry(&mut self, moment: Moment, id: Id, what: &What<'_>) {
        if id != (0, 0) {
            self.put(moment, Some(ms(id.0)), &What { id: Some(id), ..*what });
        }
    }

    fn stream(&mut self, value: &Value<'_>, all_entries: bool) -> Result<(), Fault> {
        let none = What::default();
        let (mut first, mut last) = (None, None);
        value.for_each(|element| {
            let Element::StreamField { id, is_first: true, .. } = element else { return };
            // The last one is told when it is known to be that.
            if let Some(before) = last.replace(id).filter(|before| all_entries && Some(*before) != first) {
                self.entry(Moment::Entry, before, &none);
            }
            if first.is_none() {
                first = Some(id);
                self.entry(Moment::FirstEntry, id, &none);
            }
        })?;
        if let Some(last) = last {
            self.entry(Moment::LastEntry, last, &none);
        }
        stream::for_each(value, |part| match part {
            StreamPart::Totals { last_id, added, .. } => {
                if Some(last_id) != last {
                    self.entry(Moment::LastIdAdded, last_id, &none);
                }
                if let Some((deleted, _)) = added {
                    self.entry(Moment::DeletedEntry, deleted, &none);
                }
            }
            StreamPart::Group { name, last_id, .. } => {
                self.group = bytes(name, &mut Vec::new()).to_vec();
                self.entry(Moment::GroupEntry, last_id, &What { has_group: true, ..none });
            }
            StreamPart::Consumer { name, seen_at_ms, active_at_ms } => {
                self.consumer = bytes(name, &mut Vec::new()).to_vec();
                let what = What { has_group: true, has_consumer: true, ..none };
                self.put(Moment::ConsumerSeen, Some(seen_at_ms), &what);
                if let Some(at_ms) = active_at_ms {
                    self.put(Moment::ConsumerActive, Some(at_ms), &what);
                }
            }
            StreamPart::Pending { id, delivered_at_ms, deliveries, has_consumer } => {
                let what = What { has_group: true, has_consumer, id: Some(id), deliveries: Some(deliveries), ..none };
                self.put(Moment::Delivered, Some(delivered_at_ms), &what);
            }
            StreamPart::Producers(_) => {}
        })?;
        Ok(())
    }
}
