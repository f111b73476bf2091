//! Streams: listpacks in a radix tree, and groups with the entries that are pending.

use super::rax::Rax;
use super::sds::sds;
use super::{Model, Target};
use crate::rdb::packed::stream::{Layout, Parts};
use crate::rdb::source::Source;
use crate::rdb::{Trouble, ValueType};

/// A radix tree without its nodes, where books are kept.
const TREE_BYTES: u64 = 24;

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
    /// The pending entries of the group or consumer at hand.
    pending: Rax,
    /// The group's by when they were delivered, then by ID.
    times: Rax<24>,
    groups_bytes: u64,
    streamed: Streamed,
}

/// Steps over a stream: its live entries, what the object leads to, and what its groups hold.
pub(super) fn measure<S: Source>(
    source: &mut S,
    value_type: ValueType,
    model: &Model,
) -> Result<(u64, u64, Streamed), Trouble> {
    let rax = || Rax::new(model.allocator);
    let mut contents = Contents {
        model,
        nodes: rax(),
        listpacks_bytes: 0,
        pending: rax(),
        times: Rax::new(model.allocator),
        groups_bytes: 0,
        streamed: Streamed::default(),
    };
    let entries = Layout::of(value_type).walk(source, &mut contents)?;
    Ok((entries, contents.finish(), contents.streamed))
}

impl Parts for Contents<'_> {
    fn node(&mut self, id: [u8; 16], listpack_bytes: u64) {
        self.nodes.add(id);
        self.listpacks_bytes = self.listpacks_bytes.saturating_add(self.model.packed_in_stream(listpack_bytes));
    }

    fn pending(&mut self, id: [u8; 16]) {
        self.pending.add(id);
    }

    fn delivered(&mut self, id: [u8; 16], at_ms: i64) {
        self.pending.add(id);
        if self.model.has_times() {
            let mut key = [0; 24];
            for (to, from) in key.iter_mut().zip(at_ms.to_be_bytes().iter().chain(&id)) {
                *to = *from;
            }
            self.times.add(key);
        }
    }

    fn end_group_pending(&mut self) {
        self.streamed.groups += 1;
        self.streamed.pending += self.pending.keys;
        self.groups_bytes = self.groups_bytes.saturating_add(self.model.group(&self.pending, &self.times));
        self.pending = Rax::new(self.model.allocator);
        self.times = Rax::new(self.model.allocator);
    }

    fn end_consumer(&mut self, name_bytes: u64) {
        self.groups_bytes = self.groups_bytes.saturating_add(self.model.consumer(&self.pending, name_bytes));
        self.pending = Rax::new(self.model.allocator);
    }
}

impl Contents<'_> {
    fn finish(&self) -> u64 {
        let model = self.model;
        let stream_bytes = match model.target {
            Target::Redis6_2 => 40,
            Target::Redis8_4 => 152,
            Target::Redis8_6 => 184,
            Target::Redis8_8 => 176,
            _ => 80,
        };
        let names_bytes = if model.target.keeps_books() { model.names(self.streamed.groups, 40) } else { 0 };
        [model.tree(&self.nodes), self.listpacks_bytes, self.groups_bytes, names_bytes]
            .into_iter()
            .fold(stream_bytes, u64::saturating_add)
    }
}

impl Model {
    fn packed_in_stream(&self, bytes: u64) -> u64 {
        if self.target.keeps_books() { bytes } else { self.allocator.usable(bytes) }
    }

    fn tree(&self, tree: &Rax) -> u64 {
        match self.target {
            Target::Valkey8_1 | Target::Valkey9_1 => self.allocator.usable(32) + tree.node_bytes(),
            target if target.keeps_books() => TREE_BYTES + tree.node_bytes(),
            _ => tree.reckoned_bytes(),
        }
    }

    /// A tree of names as those of groups and consumers are: a chain and a leaf each, near enough.
    fn names(&self, names: u64, tree_bytes: u64) -> u64 {
        if names == 0 { 0 } else { tree_bytes + 2 * self.allocator.usable(16) * names }
    }

    /// Redis 8.4 and 8.6 have a tree of pending entries by when they were delivered; since 8.8 these are a list.
    fn has_times(&self) -> bool {
        matches!(self.target, Target::Redis8_4 | Target::Redis8_6)
    }

    /// A group without its consumers: the group, its trees, and an entry for each that is pending.
    fn group(&self, pending: &Rax, times: &Rax<24>) -> u64 {
        let tree = self.tree(pending);
        let (group_bytes, entry_bytes) = match self.target {
            Target::Redis6_2 => (32, 24),
            target if target.keeps_books() => {
                // The tree of consumers, counted with none; what the first pending entry brings was measured.
                let consumers_bytes = TREE_BYTES + self.allocator.usable(8);
                let first_bytes = if pending.keys > 0 { 48 } else { 0 };
                let times_bytes = if self.has_times() { TREE_BYTES + times.node_bytes() } else { 0 };
                (
                    40 + consumers_bytes + first_bytes + times_bytes,
                    self.allocator.usable(if self.has_times() { 48 } else { 64 }),
                )
            }
            _ => (40, 24),
        };
        tree.saturating_add(group_bytes).saturating_add(pending.keys.saturating_mul(entry_bytes))
    }

    /// A consumer: its name and a tree of its own; the entries are the group's.
    fn consumer(&self, pending: &Rax, name_bytes: u64) -> u64 {
        let (consumer_bytes, name_bytes) = match self.target {
            target if target.keeps_books() => (56 + self.names(1, 0), sds(name_bytes)),
            target if target < Target::Redis7_2 => (24, name_bytes),
            _ => (32, name_bytes),
        };
        self.tree(pending).saturating_add(consumer_bytes).saturating_add(name_bytes)
    }
}
