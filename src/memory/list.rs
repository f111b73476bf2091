//! Lists: nodes of packed elements, or of one long element each.

use super::packed::Packing;
use super::{Cost, Encoding, Model, Target};

/// The largest listpack that a list is held as by itself, and the largest node (`list-max-listpack-size -2`).
const NODE_BYTES_MAX: u64 = 8192;

/// A list's nodes; those of parts of a list merge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nodes {
    count: u64,
    /// Nodes of one long element.
    plain: u64,
    stored_bytes: u64,
    cost: Cost,
}

impl Nodes {
    pub(super) fn add(&mut self, model: &Model, bytes: u64, is_plain: bool) {
        self.plain += u64::from(is_plain);
        self.add_node(bytes, model.packed(bytes));
    }

    /// Adds a node whose listpack was made with room for `made_bytes`.
    pub(super) fn add_cut(&mut self, model: &Model, made_bytes: u64, bytes: u64) {
        self.add_node(bytes, model.packed_cut(made_bytes, bytes));
    }

    /// Bytes of all nodes' contents.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn add_node(&mut self, bytes: u64, cost: Cost) {
        self.count += 1;
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
        self.cost = self.cost + cost;
    }

    /// The encoding, and what the object leads to.
    pub(super) fn finish(self, model: &Model) -> (Encoding, Cost) {
        let is_one_listpack = self.count == 1 && self.plain == 0 && self.stored_bytes <= NODE_BYTES_MAX;
        if is_one_listpack && model.target.packs_sets_and_lists() {
            return (Encoding::Listpack, self.cost);
        }
        self.finish_quicklist(model)
    }

    /// As [`Nodes::finish`], where the server leaves a single node in its list.
    pub(super) fn finish_quicklist(self, model: &Model) -> (Encoding, Cost) {
        let (list, node) = match model.target {
            // quicklist.c counts what it was given since Redis 8.4 (`quicklistAllocSize`).
            target if target.keeps_books() => (model.given(48), model.given(40)),
            Target::Redis6_2 => (model.requested(40), model.requested(32)),
            _ => (model.requested(40), model.requested(40)),
        };
        (Encoding::Quicklist, self.cost + list + node.times(self.count))
    }
}

/// A list's elements in nodes as the server fills them, for dumps older than such nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    nodes: Nodes,
    /// The node at hand.
    node: Packing,
}

impl Filling {
    pub(super) fn new(target: Target) -> Self {
        Self { nodes: Nodes::default(), node: Packing::new(target) }
    }

    /// Adds an element at the end: its length as a client sees it, and its value if it is an integer.
    pub(super) fn add(&mut self, model: &Model, bytes: u64, int: Option<i64>) {
        if bytes > NODE_BYTES_MAX && model.target.has_plain_nodes() {
            self.end_node(model);
            self.nodes.add(model, bytes, true);
            return;
        }
        // `_quicklistNodeAllowInsert` looks at the text's length, of an integer too, and estimates what an entry takes besides.
        let estimated_bytes = bytes.saturating_add(packed_overhead_bytes(model.target, bytes));
        if self.node.records > 0 && self.node.bytes().saturating_add(estimated_bytes) > NODE_BYTES_MAX {
            self.end_node(model);
        }
        self.node.add(bytes, int);
        self.node.end_record();
    }

    fn end_node(&mut self, model: &Model) {
        if self.node.records > 0 {
            self.nodes.add(model, self.node.bytes(), false);
            self.node = Packing::new(model.target);
        }
    }

    pub(super) fn finish(mut self, model: &Model) -> Nodes {
        self.end_node(model);
        self.nodes
    }
}

/// What servers estimate for an entry of a node beside its text (quicklist.c): eight bytes in a listpack (since 7.0), in a
/// ziplist its two lengths.
fn packed_overhead_bytes(target: Target, bytes: u64) -> u64 {
    if target.has_listpacks() {
        return 8;
    }
    let previous_bytes = if bytes < 254 { 1 } else { 5 };
    previous_bytes
        + match bytes {
            0..64 => 1,
            64..0x4000 => 2,
            _ => 5,
        }
}

#[cfg(test)]
mod tests {
    use super::super::Allocator;
    use super::*;

    #[test]
    fn nodes_as_servers_fill_them() {
        let fill = |target, elements: &[u64]| {
            let model = Model::new(target, Allocator::Jemalloc);
            let mut filling = Filling::new(target);
            for bytes in elements {
                filling.add(&model, *bytes, None);
            }
            let nodes = filling.finish(&model);
            (nodes.count, nodes.plain, nodes.stored_bytes)
        };
        // 7 bytes of a listpack, 4 of the entry, and 8 that the second is estimated to take beside its text.
        assert_eq!(fill(Target::Redis7_0, &[4000, 4173]), (1, 0, 7 + 4004 + 4180));
        assert_eq!(fill(Target::Redis7_0, &[4000, 4174]), (2, 0, 7 + 4004 + 7 + 4181));
        // 11 bytes of a ziplist; the second entry tells the length of the first in five bytes.
        assert_eq!(fill(Target::Redis6_2, &[4000, 4171]), (1, 0, 11 + 4003 + 4178));
        assert_eq!(fill(Target::Redis6_2, &[4000, 4172]), (2, 0, 11 + 4003 + 11 + 4175));
        // Long elements, before and since they have plain nodes.
        assert_eq!(fill(Target::Redis7_2, &[1, 9000, 1]), (3, 0, 7 + 3 + 7 + 9000 + 5 + 2 + 7 + 3));
        assert_eq!(fill(Target::Redis7_4, &[1, 9000, 1]), (3, 1, 7 + 3 + 9000 + 7 + 3));
    }
}
