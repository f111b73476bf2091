//! Streams: listpacks in a radix tree, and groups with the entries that are pending.

use std::mem;

use super::rax::Rax;
use super::sds::sds;
use super::{Model, Target};
use crate::rdb::packed::stream::{Layout, Name, Parts};
use crate::rdb::source::Source;
use crate::rdb::{ParseError, ValueType};

/// What a stream's groups hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Consumer groups.
    pub groups: u64,
    /// Entries that were delivered and not acknowledged, in all groups.
    pub pending: u64,
}

/// A stream on its way into bytes.
struct Contents<'m> {
    model: &'m Model,
    nodes: Rax,
    listpacks_bytes: u64,
    /// Groups' names.
    group_names: Rax,
    /// The pending entries of the group or consumer at hand.
    pending: Rax,
    /// The group's by when they were delivered, then by ID.
    times: Rax,
    /// Names of the group's consumers.
    consumer_names: Rax,
    /// The pending entries of the group that has most, which stand for those of all groups together.
    most_pending: Rax,
    groups_bytes: u64,
    streamed: Streamed,
}

/// Steps over a stream: its live entries, what the object leads to, and what its groups hold.
pub(super) fn measure<S: Source>(
    source: &mut S,
    value_type: ValueType,
    model: &Model,
) -> Result<(u64, u64, Streamed), ParseError> {
    let rax = || Rax::new(model.allocator);
    let mut contents = Contents {
        model,
        nodes: rax(),
        listpacks_bytes: 0,
        group_names: rax(),
        pending: rax(),
        times: Rax::of_keys(model.allocator),
        consumer_names: rax(),
        most_pending: rax(),
        groups_bytes: 0,
        streamed: Streamed::default(),
    };
    let entries = Layout::of(value_type).walk(source, &mut contents)?;
    Ok((entries, contents.finish(), contents.streamed))
}

impl Contents<'_> {
    fn add_to_groups(&mut self, bytes: u64) {
        self.groups_bytes = self.groups_bytes.saturating_add(bytes);
    }

    fn take_pending(&mut self) -> Rax {
        mem::replace(&mut self.pending, Rax::new(self.model.allocator))
    }
}

impl Parts for Contents<'_> {
    fn node(&mut self, id: [u8; 16], listpack_bytes: u64) {
        self.nodes.add(&id);
        self.listpacks_bytes = self.listpacks_bytes.saturating_add(self.model.packed_in_stream(listpack_bytes));
    }

    fn pending(&mut self, id: [u8; 16]) {
        self.pending.add(&id);
    }

    fn delivered(&mut self, id: [u8; 16], at_ms: i64) {
        self.pending.add(&id);
        if self.model.has_times() {
            let mut key = [0; 24];
            for (to, from) in key.iter_mut().zip(at_ms.to_be_bytes().iter().chain(&id)) {
                *to = *from;
            }
            self.times.add(&key);
        }
    }

    fn end_group_pending(&mut self, name: &Name) {
        let (model, pending) = (self.model, self.take_pending());
        self.streamed.groups += 1;
        self.streamed.pending += pending.keys;
        self.add_to_groups(model.group(&pending));
        if model.target.keeps_books() {
            self.group_names.add_long(name.first(), name.bytes);
            if pending.keys > self.most_pending.keys {
                self.most_pending = pending;
            }
        }
        if model.has_times() {
            let times = mem::replace(&mut self.times, Rax::of_keys(model.allocator));
            self.add_to_groups(model.tree(&times));
        }
    }

    fn end_consumer(&mut self, name: &Name) {
        let (model, pending) = (self.model, self.take_pending());
        self.add_to_groups(model.consumer(&pending, name.bytes));
        if model.target.keeps_books() {
            self.consumer_names.add_long(name.first(), name.bytes);
        }
    }

    fn end_group(&mut self) {
        let model = self.model;
        if model.target.keeps_books() {
            let names = mem::replace(&mut self.consumer_names, Rax::new(model.allocator));
            self.add_to_groups(model.tree(&names));
        }
    }
}

impl Contents<'_> {
    fn finish(&self) -> u64 {
        let model = self.model;
        let stream_bytes = match model.target {
            Target::Redis6_2 => 40,
            Target::Redis8_2 => 112,
            Target::Redis8_4 => model.usable(128),
            Target::Redis8_6 => model.usable(160),
            Target::Redis8_8 => model.usable(152),
            _ => 80,
        };
        // Trees that all groups share: of their names, and of all that is pending.
        let shared = [&self.group_names, &self.most_pending].into_iter().filter(|tree| tree.keys > 0);
        let shared_bytes = shared.map(|tree| model.tree(tree)).fold(0, u64::saturating_add);
        [model.tree(&self.nodes), self.listpacks_bytes, self.groups_bytes, shared_bytes]
            .into_iter()
            .fold(stream_bytes, u64::saturating_add)
    }
}

impl Model {
    fn packed_in_stream(&self, bytes: u64) -> u64 {
        if self.target == Target::Redis6_2 || self.target.keeps_books() { bytes } else { self.allocator.usable(bytes) }
    }

    fn tree(&self, tree: &Rax) -> u64 {
        match self.target {
            target if target.keeps_books() || target.has_bucket_tables() => {
                self.usable(32).saturating_add(tree.node_bytes())
            }
            _ => tree.reckoned_bytes(),
        }
    }

    /// Redis 8.4 has a tree of pending entries by when they were delivered; since 8.6 these are a list.
    fn has_times(&self) -> bool {
        self.target == Target::Redis8_4
    }

    /// A group without its consumers: the group, its tree, and an entry for each that is pending.
    fn group(&self, pending: &Rax) -> u64 {
        let (group_bytes, entry_bytes) = match self.target {
            Target::Redis6_2 => (32, 24),
            Target::Redis8_2 => (40, 32),
            Target::Redis8_4 => (self.usable(48), self.usable(48)),
            Target::Redis8_6 | Target::Redis8_8 => (self.usable(56), self.usable(64)),
            _ => (40, 24),
        };
        self.tree(pending).saturating_add(group_bytes).saturating_add(pending.keys.saturating_mul(entry_bytes))
    }

    /// A consumer: its name and a tree of its own; the entries are the group's.
    fn consumer(&self, pending: &Rax, name_bytes: u64) -> u64 {
        let (consumer_bytes, name_bytes) = match self.target {
            target if target.keeps_books() => (self.usable(32), sds(name_bytes)),
            target if target < Target::Redis7_2 => (24, name_bytes),
            _ => (32, name_bytes),
        };
        self.tree(pending).saturating_add(consumer_bytes).saturating_add(name_bytes)
    }
}
