//! The radix tree of streams: how many nodes it has and what they take, from its keys in their order.
//!
//! A node is a branch, a chain of bytes between two branches, or a leaf. Keys that come sorted give the tree away by how
//! many bytes each shares with the one before: the branches on the way to the last key are all that must be held.

use super::Allocator;

/// Bytes of a stream's ID as a key.
pub(super) const ID_BYTES: usize = 16;

/// What servers up to Redis 8.2 reckon for a node, whatever it is.
const RECKONED_NODE_BYTES: u64 = 4 + 30 * 8;

/// A tree of keys of one length, IDs if nothing else is said.
#[derive(Clone, Debug)]
pub(super) struct Rax<const KEY_BYTES: usize = ID_BYTES> {
    allocator: Allocator,
    last: [u8; KEY_BYTES],
    /// Branches on the way to the last key: at which byte, and how many ways go on so far.
    branches: Vec<(usize, u64)>,
    pub(super) keys: u64,
    nodes: u64,
    bytes: u64,
}

impl<const KEY_BYTES: usize> Rax<KEY_BYTES> {
    pub(super) fn new(allocator: Allocator) -> Self {
        Self { allocator, last: [0; KEY_BYTES], branches: Vec::new(), keys: 0, nodes: 0, bytes: 0 }
    }

    /// Adds a key, which comes after those before it in the order of bytes.
    pub(super) fn add(&mut self, key: [u8; KEY_BYTES]) {
        self.keys += 1;
        if self.keys > 1 {
            let shared = self.last.iter().zip(key).take_while(|(a, b)| *a == b).count();
            self.close(shared.min(KEY_BYTES - 1));
        }
        self.leaf();
        self.last = key;
    }

    /// Ends what hangs below byte `shared` of the last key, where a branch is now.
    fn close(&mut self, shared: usize) {
        let mut below = KEY_BYTES;
        while let Some(&(at, ways)) = self.branches.last().filter(|(at, _)| *at > shared) {
            self.chain(below - at - 1);
            self.branch(ways);
            self.branches.pop();
            below = at;
        }
        self.chain(below - shared - 1);
        match self.branches.last_mut() {
            Some((at, ways)) if *at == shared => *ways += 1,
            _ => self.branches.push((shared, 2)),
        }
    }

    fn node(&mut self, bytes: u64) {
        self.nodes += 1;
        self.bytes = self.bytes.saturating_add(self.allocator.usable(bytes));
    }

    /// A header, padded, and the pointer to the value.
    fn leaf(&mut self) {
        self.node(8 + 8);
    }

    /// A header and the bytes, padded, and a pointer to what follows.
    fn chain(&mut self, bytes: usize) {
        if bytes > 0 {
            self.node((4 + bytes as u64).next_multiple_of(8) + 8);
        }
    }

    fn branch(&mut self, ways: u64) {
        self.node((4 + ways).next_multiple_of(8) + 8 * ways);
    }

    /// Nodes and their bytes, the root included.
    fn finished(&self) -> (u64, u64) {
        let mut tree = self.clone();
        if tree.keys == 0 {
            tree.node(8);
            return (tree.nodes, tree.bytes);
        }
        let mut below = KEY_BYTES;
        while let Some((at, ways)) = tree.branches.pop() {
            tree.chain(below - at - 1);
            tree.branch(ways);
            below = at;
        }
        tree.chain(below);
        (tree.nodes, tree.bytes)
    }

    /// What servers up to Redis 8.2 and Valkey 8.0 take it for: by the number of keys and nodes.
    pub(super) fn reckoned_bytes(&self) -> u64 {
        self.keys.saturating_mul(ID_BYTES as u64) + self.finished().0.saturating_mul(RECKONED_NODE_BYTES)
    }

    /// What its nodes have been given by the allocator.
    pub(super) fn node_bytes(&self) -> u64 {
        self.finished().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(keys: &[u128]) -> u64 {
        let mut tree = Rax::<ID_BYTES>::new(Allocator::Jemalloc);
        for key in keys {
            tree.add(key.to_be_bytes());
        }
        tree.finished().0
    }

    /// Nodes by definition: a branch, a leaf, or a run of bytes that only one way leads through.
    fn nodes_slowly(keys: &[[u8; 16]], from: usize) -> u64 {
        let Some((first, last)) = keys.first().zip(keys.last()) else { return 1 };
        let shared = (from..16).take_while(|at| first[*at] == last[*at]).count();
        let chain = u64::from(shared > 0);
        if from + shared == 16 {
            return chain + 1;
        }
        let ways = keys.chunk_by(|a, b| a[from + shared] == b[from + shared]);
        chain + 1 + ways.map(|keys| nodes_slowly(keys, from + shared + 1)).sum::<u64>()
    }

    #[test]
    fn nodes_of_small_trees() {
        assert_eq!(nodes(&[]), 1);
        assert_eq!(nodes(&[7]), 2);
        assert_eq!(nodes(&[7, 8]), 1 + 1 + 2);
        assert_eq!(nodes(&[7, 8, 1 << 120]), 1 + (1 + 1 + 2) + (1 + 1));
    }

    proptest::proptest! {
        #[test]
        fn nodes_of_any_tree(ids in proptest::collection::btree_set((0_u64..1 << 20, 0_u64..600), 0..80)) {
            let keys: Vec<u128> = ids.iter().map(|(ms, seq)| u128::from(*ms) << 64 | u128::from(*seq)).collect();
            let bytes: Vec<[u8; 16]> = keys.iter().map(|key| key.to_be_bytes()).collect();
            proptest::prop_assert_eq!(nodes(&keys), nodes_slowly(&bytes, 0));
        }
    }
}
