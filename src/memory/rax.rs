//! The radix tree of streams: how many nodes it has and what they take, from its keys in their order.
//!
//! A node is a branch, a chain of bytes between two branches, or a leaf. Keys that come sorted give the tree away by how
//! many bytes each shares with the one before: the branches on the way to the last key are all that must be held.

use super::Allocator;

/// Bytes of a stream's ID as a key.
pub(super) const ID_BYTES: usize = 16;

/// Of a longer key only so many bytes are looked at, and what follows is taken for its own.
const KEY_BYTES_MAX: usize = 32;

/// What servers up to Redis 8.2 reckon for a node, whatever it is.
const RECKONED_NODE_BYTES: u64 = 4 + 30 * 8;

/// A tree of keys.
#[derive(Clone, Debug)]
pub(super) struct Rax {
    allocator: Allocator,
    leaf_bytes: u64,
    last: [u8; KEY_BYTES_MAX],
    /// How long the last key is.
    last_end: u64,
    /// Branches on the way to the last key: at which byte, and how many ways go on so far.
    branches: Vec<(u64, u64)>,
    pub(super) keys: u64,
    nodes: u64,
    bytes: u64,
}

impl Rax {
    /// A tree of keys with a value each: a leaf is a header, padded, and the pointer to the value.
    pub(super) fn new(allocator: Allocator) -> Self {
        let (last, branches) = ([0; KEY_BYTES_MAX], Vec::new());
        Self { allocator, leaf_bytes: 8 + 8, last, last_end: 0, branches, keys: 0, nodes: 0, bytes: 0 }
    }

    /// A tree of keys alone.
    pub(super) fn of_keys(allocator: Allocator) -> Self {
        Self { leaf_bytes: 8, ..Self::new(allocator) }
    }

    /// Adds a key, which comes after those before it in the order of bytes.
    pub(super) fn add(&mut self, key: &[u8]) {
        self.add_long(key, key.len() as u64);
    }

    /// Adds a key of `bytes` bytes, the first of which are given.
    pub(super) fn add_long(&mut self, first: &[u8], bytes: u64) {
        self.keys += 1;
        let first = first.get(..KEY_BYTES_MAX).unwrap_or(first);
        if self.keys > 1 {
            let shared = self.last.iter().zip(first).take_while(|(a, b)| a == b).count() as u64;
            // A key that another begins with is taken for one that ends otherwise, which is as many bytes, near enough.
            self.close(shared.min(self.last_end.min(bytes).saturating_sub(1)));
        }
        self.node(self.leaf_bytes);
        for (to, from) in self.last.iter_mut().zip(first) {
            *to = *from;
        }
        self.last_end = bytes;
    }

    /// Ends what hangs below byte `shared` of the last key, where a branch is now.
    fn close(&mut self, shared: u64) {
        let mut below = self.last_end;
        while let Some(&(at, ways)) = self.branches.last().filter(|(at, _)| *at > shared) {
            self.chain(below.saturating_sub(at + 1));
            self.branch(ways);
            self.branches.pop();
            below = at;
        }
        self.chain(below.saturating_sub(shared + 1));
        match self.branches.last_mut() {
            Some((at, ways)) if *at == shared => *ways += 1,
            _ => self.branches.push((shared, 2)),
        }
    }

    fn node(&mut self, bytes: u64) {
        self.nodes += 1;
        self.bytes = self.bytes.saturating_add(self.allocator.usable(bytes));
    }

    /// A header and the bytes, padded, and a pointer to what follows.
    fn chain(&mut self, bytes: u64) {
        if bytes > 0 {
            self.node((bytes.saturating_add(4 + 7) / 8 * 8).saturating_add(8));
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
        let mut below = tree.last_end;
        while let Some((at, ways)) = tree.branches.pop() {
            tree.chain(below.saturating_sub(at + 1));
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
        let mut tree = Rax::new(Allocator::Jemalloc);
        for key in keys {
            tree.add(&key.to_be_bytes());
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
    fn names_of_any_length() {
        // A chain, a branch and two leaves: 24 + 24 + 16 + 16.
        let mut tree = Rax::new(Allocator::Jemalloc);
        tree.add(b"group:0");
        tree.add(b"group:1");
        assert_eq!(tree.finished(), (4, 80));
        // Names that no server writes, empty, twice, begun by another, out of order, are some bytes too.
        for name in [&b""[..], b"", b"group", b"group:1", b"a"] {
            tree.add(name);
        }
        tree.add_long(&[b'x'; 100], u64::MAX);
        tree.add_long(&[b'x'; 100], 1 << 40);
        assert!(tree.node_bytes() > 1 << 40);
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
