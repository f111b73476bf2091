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
    /// Bytes of a leaf; none in a tree of fixed-length keys.
    leaf_bytes: Option<u64>,
    last: [u8; KEY_BYTES_MAX],
    /// How long the last key is.
    last_end: u64,
    /// Where the ways fork, or a key ends, on the way to the last key.
    branches: Vec<Branch>,
    pub(super) keys: u64,
    nodes: u64,
    bytes: u64,
}

/// A place on the way to a key.
#[derive(Clone, Copy, Debug)]
struct Branch {
    /// At which byte.
    at: u64,
    /// How many ways go on so far.
    ways: u64,
    /// Whether a key ends here that others begin with: its value is in this node.
    is_key: bool,
}

impl Rax {
    /// A tree of keys with a value each: a leaf is a header, padded, and the pointer to the value.
    pub(super) fn new(allocator: Allocator) -> Self {
        let (last, branches) = ([0; KEY_BYTES_MAX], Vec::new());
        Self { allocator, leaf_bytes: Some(8 + 8), last, last_end: 0, branches, keys: 0, nodes: 0, bytes: 0 }
    }

    /// A tree of keys alone.
    pub(super) fn of_keys(allocator: Allocator) -> Self {
        Self { leaf_bytes: Some(8), ..Self::new(allocator) }
    }

    /// A tree of keys of one length with a value each (`raxNewEx` of Redis since 8.10): the value is where the node before
    /// would point to a leaf.
    pub(super) fn of_fixed(allocator: Allocator) -> Self {
        Self { leaf_bytes: None, ..Self::new(allocator) }
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
            if shared >= self.last_end && self.last_end < bytes {
                // The last key begins this one: what would be its leaf is a node on the way.
                self.branches.push(Branch { at: self.last_end, ways: 1, is_key: true });
            } else {
                // Of a key that is there twice, or out of order, the last byte is taken for another.
                self.leaf();
                self.close(shared.min(self.last_end.min(bytes).saturating_sub(1)));
            }
        }
        for (to, from) in self.last.iter_mut().zip(first) {
            *to = *from;
        }
        self.last_end = bytes;
    }

    /// The leaf of the last key.
    fn leaf(&mut self) {
        if let Some(bytes) = self.leaf_bytes {
            self.node(bytes);
        }
    }

    /// Ends what hangs below byte `shared` of the last key, where a branch is now.
    fn close(&mut self, shared: u64) {
        let mut below = self.last_end;
        while let Some(&branch) = self.branches.last().filter(|branch| branch.at > shared) {
            self.branches.pop();
            self.branch(branch, below);
            below = branch.at;
        }
        match self.branches.last_mut() {
            // What goes on from a key's node is one way until it forks there.
            Some(branch) if branch.at == shared => {
                branch.ways += 1;
                self.chain(below.saturating_sub(shared + 1));
            }
            _ => {
                self.chain(below.saturating_sub(shared + 1));
                self.branches.push(Branch { at: shared, ways: 2, is_key: false });
            }
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

    /// A branch whose last way goes on to byte `below`: a byte and a pointer for each way, and the value of a key. Of one way
    /// alone it is a chain that begins with its byte.
    fn branch(&mut self, branch: Branch, below: u64) {
        let Branch { at, ways, is_key } = branch;
        let value_bytes = if is_key { 8 } else { 0 };
        if ways > 1 {
            self.chain(below.saturating_sub(at + 1));
            self.node((4 + ways).next_multiple_of(8) + 8 * ways + value_bytes);
        } else {
            self.node((below.saturating_sub(at).saturating_add(4 + 7) / 8 * 8).saturating_add(8 + value_bytes));
        }
    }

    /// Nodes and their bytes, the root included.
    fn finished(&self) -> (u64, u64) {
        let mut tree = self.clone();
        if tree.keys == 0 {
            tree.node(8);
            return (tree.nodes, tree.bytes);
        }
        tree.leaf();
        let mut below = tree.last_end;
        while let Some(branch) = tree.branches.pop() {
            tree.branch(branch, below);
            below = branch.at;
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
        // One that begins another has no leaf, and its value is in the chain to that one: 24 + 24 + 24 + 16 + 16.
        let mut tree = Rax::new(Allocator::Jemalloc);
        for name in ["group:1", "group:10", "group:2"] {
            tree.add(name.as_bytes());
        }
        assert_eq!(tree.finished(), (5, 24 + 24 + 24 + 16 + 16));
        // Where two go on from it, a branch of its own: 16 + (24 + 8) + 16 + 16.
        let mut tree = Rax::new(Allocator::Jemalloc);
        for name in ["w", "w1", "w2"] {
            tree.add(name.as_bytes());
        }
        assert_eq!(tree.finished(), (4, 16 + 32 + 16 + 16));
        // Fixed keys have no leaves.
        let mut tree = Rax::of_fixed(Allocator::Jemalloc);
        tree.add(&1_u128.to_be_bytes());
        tree.add(&2_u128.to_be_bytes());
        assert_eq!(tree.finished(), (2, 32 + 24));
        let mut tree = Rax::new(Allocator::Jemalloc);
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
