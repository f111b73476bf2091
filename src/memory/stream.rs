//! Streams: listpacks in a radix tree, and groups with the entries that are pending.

use std::mem;
use std::ops::Add;

use super::distinct::Ids;
use super::rax::Rax;
use super::{Cost, Model, Target};
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
    /// When the one of these was delivered that was delivered first, in milliseconds since 1970.
    pub oldest_delivery_at_ms: Option<i64>,
}

/// A stream on its way into bytes.
struct Contents<'m> {
    model: &'m Model,
    nodes: Rax,
    listpacks: Cost,
    /// Groups' names.
    group_names: Rax,
    /// The pending entries of the group or consumer at hand.
    pending: Rax,
    /// The group's by when they were delivered, then by ID.
    times: Rax,
    /// Names of the group's consumers.
    consumer_names: Rax,
    /// The entries that are pending in any group (`cgroups_ref` of Redis since 8.2).
    all_pending: Ids,
    groups: Cost,
    streamed: Streamed,
}

/// Steps over a stream: its live entries, what the object leads to, and what its groups hold.
pub(super) fn measure<S: Source>(
    source: &mut S,
    value_type: ValueType,
    model: &Model,
) -> Result<(u64, Cost, Streamed), ParseError> {
    let names = || Rax::new(model.allocator);
    let mut contents = Contents {
        model,
        nodes: model.tree_of_ids(),
        listpacks: Cost::ZERO,
        group_names: names(),
        pending: model.tree_of_ids(),
        times: Rax::of_keys(model.allocator),
        consumer_names: names(),
        all_pending: Ids::default(),
        groups: Cost::ZERO,
        streamed: Streamed::default(),
    };
    let entries = Layout::of(value_type).walk(source, &mut contents)?;
    Ok((entries, contents.finish(), contents.streamed))
}

impl Contents<'_> {
    fn add_to_groups(&mut self, cost: Cost) {
        self.groups = self.groups + cost;
    }

    fn take_pending(&mut self) -> Rax {
        mem::replace(&mut self.pending, self.model.tree_of_ids())
    }
}

impl Parts for Contents<'_> {
    fn node(&mut self, id: [u8; 16], listpack_bytes: u64) {
        self.nodes.add(&id);
        self.listpacks = self.listpacks + self.model.packed(listpack_bytes);
    }

    fn pending(&mut self, id: [u8; 16]) {
        self.pending.add(&id);
    }

    fn delivered(&mut self, id: [u8; 16], at_ms: i64) {
        self.pending.add(&id);
        let oldest = &mut self.streamed.oldest_delivery_at_ms;
        *oldest = Some(oldest.map_or(at_ms, |oldest| oldest.min(at_ms)));
        if self.model.target.is_redis_since(Target::Redis8_2) {
            self.all_pending.add(id);
        }
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
        self.group_names.add_long(name.first(), name.bytes);
        if model.has_times() {
            let times = mem::replace(&mut self.times, Rax::of_keys(model.allocator));
            self.add_to_groups(model.tree(&times));
        }
    }

    fn end_consumer(&mut self, name: &Name) {
        let (model, pending) = (self.model, self.take_pending());
        self.add_to_groups(model.consumer(&pending, name.bytes));
        self.consumer_names.add_long(name.first(), name.bytes);
    }

    fn end_group(&mut self) {
        let model = self.model;
        let names = mem::replace(&mut self.consumer_names, Rax::new(model.allocator));
        self.add_to_groups(model.tree_of_names(&names));
    }
}

impl Contents<'_> {
    fn finish(&mut self) -> Cost {
        let model = self.model;
        let stream = match model.target {
            Target::Redis6_2 => model.requested(40),
            Target::Redis8_2 => model.requested(112),
            Target::Redis8_4 => model.given(128),
            Target::Redis8_6 | Target::Redis8_10 => model.given(160),
            Target::Redis8_8 => model.given(152),
            _ => model.requested(80),
        };
        let names = if self.group_names.keys > 0 { model.tree_of_names(&self.group_names) } else { Cost::ZERO };
        let references = self.references();
        [model.tree(&self.nodes), self.listpacks, self.groups, names, references].into_iter().fold(stream, Cost::add)
    }

    /// What leads from a pending entry to its groups: a tree of all such entries, which `MEMORY USAGE` counts where books are
    /// kept, and for each a list of its groups, which it does not.
    fn references(&mut self) -> Cost {
        let model = self.model;
        let (ids, weight) = self.all_pending.sampled();
        if ids.is_empty() {
            return Cost::ZERO;
        }
        let mut tree = model.tree_of_ids();
        for id in ids {
            tree.add(id);
        }
        let header = model.header_of_tree();
        let tree_cost = header + (model.tree(&tree) - header).times(weight);
        let pending = tree.keys.saturating_mul(weight);
        let lists = model.given(48).times(pending) + model.given(24).times(self.streamed.pending);
        let uncounted = Cost::only_allocated(lists.allocated_bytes);
        if model.target.keeps_books() {
            tree_cost + uncounted
        } else {
            Cost::only_allocated(tree_cost.allocated_bytes) + uncounted
        }
    }
}

impl Model {
    /// The header of a tree.
    fn header_of_tree(&self) -> Cost {
        match self.target {
            Target::Redis8_10 => self.given(40),
            target if target.keeps_books() || target.has_bucket_tables() => self.given(32),
            _ => Cost::only_allocated(self.usable(24)),
        }
    }

    /// A tree of IDs as keys, of which Redis 8.10 knows that they are of one length.
    fn tree_of_ids(&self) -> Rax {
        let new = if self.target == Target::Redis8_10 { Rax::of_fixed } else { Rax::new };
        new(self.allocator)
    }

    fn tree(&self, tree: &Rax) -> Cost {
        let nodes = if self.target.keeps_books() || self.target.has_bucket_tables() {
            Cost::same(tree.node_bytes())
        } else {
            // object.c: `streamRadixTreeMemoryUsage` reckons by keys and nodes.
            Cost { memory_bytes: tree.reckoned_bytes(), allocated_bytes: tree.node_bytes() }
        };
        self.header_of_tree() + nodes
    }

    /// A tree of groups' or consumers' names, which `MEMORY USAGE` counts where books are kept.
    fn tree_of_names(&self, tree: &Rax) -> Cost {
        let cost = self.tree(tree);
        if self.target.keeps_books() { cost } else { Cost::only_allocated(cost.allocated_bytes) }
    }

    /// Redis 8.4 has a tree of pending entries by when they were delivered; since 8.6 these are a list.
    fn has_times(&self) -> bool {
        self.target == Target::Redis8_4
    }

    /// A group without its consumers: the group, its tree, and an entry for each that is pending.
    fn group(&self, pending: &Rax) -> Cost {
        let (group, entry) = match self.target {
            Target::Redis6_2 => (self.requested(32), self.requested(24)),
            Target::Redis8_2 => (self.requested(40), self.requested(32)),
            Target::Redis8_4 => (self.given(48), self.given(48)),
            Target::Redis8_6 | Target::Redis8_8 => (self.given(56), self.given(64)),
            Target::Redis8_10 => (self.given(64), self.given(64)),
            _ => (self.requested(40), self.requested(24)),
        };
        self.tree(pending) + group + entry.times(pending.keys)
    }

    /// A consumer: its name and a tree of its own; the entries are the group's.
    fn consumer(&self, pending: &Rax, name_bytes: u64) -> Cost {
        let counted_name = Cost { allocated_bytes: self.usable(self.target.sds(name_bytes)), memory_bytes: name_bytes };
        let (consumer, name) = match self.target {
            target if target.keeps_books() => (self.given(32), target.noted(self.allocator, name_bytes)),
            target if target < Target::Redis7_2 => (self.requested(24), counted_name),
            _ => (self.requested(32), counted_name),
        };
        self.tree(pending) + consumer + name
    }
}
