//! Merkle trees of RFC 6962: who holds a root can be shown that something is below it, and that a later root only added.
//!
//! ```text
//!                 root                    leaf   SHA-256(0 | data)
//!               /      \                  node   SHA-256(1 | left | right)
//!          node          node             A tree is split at the largest power of two below its size, so an odd node
//!         /    \        /    \            goes up as it is. No two lists of leaves have one root: doubling a last
//!      node    node   node    6           leaf would give it to two.
//!      /  \    /  \   /  \
//!     0    1  2    3 4    5
//! ```

mod consistency;
mod frontier;
mod inclusion;

pub use consistency::{ConsistencyBuilder, ConsistencyProof};
pub use frontier::Frontier;
pub use inclusion::InclusionProof;

use peerwright_encoding::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};

peerwright_encoding::identifier!(
    /// What a list of leaves comes down to.
    pub struct MerkleRoot([u8; 32]),
    "a Merkle root"
);

peerwright_encoding::identifier!(
    /// The hash of a leaf's data, prefixed so that it is no inner node's.
    pub struct LeafHash([u8; 32]),
    "a leaf's hash"
);

/// The most hashes of a path: a tree has at most 2^64 leaves, and a path between two sizes one hash more than it is high.
const MAX_PATH: usize = 65;

impl LeafHash {
    /// The hash of a leaf whose data is `parts`, one behind the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let hash = parts.iter().fold(Sha256::new_with_prefix([0]), Sha256::chain_update);
        Self(hash.finalize().into())
    }

    /// The hash of the leaf whose data is a hash and a signature. In one piece, which hashes faster than three.
    pub(crate) fn of_signed(hash: &[u8; 32], signature: &[u8; 64]) -> Self {
        let mut prefixed = [0; 97];
        prefixed[1..33].copy_from_slice(hash);
        prefixed[33..].copy_from_slice(signature);
        Self(Sha256::digest(prefixed).into())
    }
}

/// The root over `leaves` in their order; without leaves, the hash of nothing.
pub fn merkle_root(leaves: impl IntoIterator<Item = LeafHash>) -> MerkleRoot {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(leaf);
    }
    frontier.root()
}

fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut prefixed = [1; 65];
    prefixed[1..33].copy_from_slice(left);
    prefixed[33..].copy_from_slice(right);
    Sha256::digest(prefixed).into()
}

fn write_path(writer: &mut Writer, path: &[[u8; 32]]) {
    writer.list(path, |writer, hash| {
        writer.raw(hash);
    });
}

fn read_path(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<[u8; 32]>, DecodeError> {
    reader.list(MAX_PATH, what, |reader| reader.array(what))
}
