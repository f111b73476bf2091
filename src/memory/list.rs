//! Lists: nodes of packed elements, or of one long element each.

use super::packed::LISTPACK_FRAME_BYTES;
use super::{Encoding, Model, Target};

/// The largest listpack that a list is held as by itself (`list-max-listpack-size -2`).
const LISTPACK_BYTES_MAX: u64 = 8192;

/// A list's nodes; those of parts of a list merge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nodes {
    count: u64,
    /// Nodes of one long element.
    plain: u64,
    stored_bytes: u64,
    taken_bytes: u64,
}

impl Nodes {
    pub(super) fn add(&mut self, model: &Model, bytes: u64, is_plain: bool) {
        self.count += 1;
        self.plain += u64::from(is_plain);
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
        self.taken_bytes = self.taken_bytes.saturating_add(model.packed(bytes));
    }

    /// The encoding, and what the object leads to.
    pub(super) fn finish(self, model: &Model) -> (Encoding, u64) {
        let target = model.target;
        let is_one_listpack = self.count == 1 && self.plain == 0 && self.stored_bytes <= LISTPACK_BYTES_MAX;
        if is_one_listpack && target.packs_sets_and_lists() {
            return (Encoding::Listpack, self.taken_bytes);
        }
        let list_bytes = if target.keeps_books() { 48 } else { 40 };
        let node_bytes = if target == Target::Redis6_2 { 32 } else { 40 };
        (Encoding::Quicklist, self.taken_bytes.saturating_add(list_bytes + node_bytes * self.count))
    }
}

/// Bytes of a list's elements in nodes as the server fills them, for dumps older than such nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filling {
    nodes: Nodes,
    node_bytes: u64,
}

impl Filling {
    /// Adds an element that takes `bytes` in a node.
    pub(super) fn add(&mut self, model: &Model, bytes: u64) {
        if self.node_bytes > 0 && self.node_bytes.saturating_add(bytes) > LISTPACK_BYTES_MAX {
            self.nodes.add(model, self.node_bytes, false);
            self.node_bytes = 0;
        }
        if self.node_bytes == 0 {
            self.node_bytes = LISTPACK_FRAME_BYTES;
        }
        self.node_bytes = self.node_bytes.saturating_add(bytes);
    }

    pub(super) fn finish(mut self, model: &Model) -> (Encoding, u64) {
        self.nodes.add(model, self.node_bytes, false);
        self.nodes.finish(model)
    }
}
