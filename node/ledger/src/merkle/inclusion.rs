//! Proof that a leaf is below a root (RFC 9162, 2.1.3).

use super::{LeafHash, MerkleRoot, parent, read_path, write_path};
use peerwright_encoding::{DecodeError, Reader, Writer};

/// The hashes beside the way from a leaf up to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    index: u64,
    size: u64,
    path: Vec<[u8; 32]>,
}

impl InclusionProof {
    /// The proof for the leaf at `index` of `leaves`; none when there is no such leaf.
    #[must_use]
    pub fn of(index: u64, leaves: &[LeafHash]) -> Option<Self> {
        Self::of_each(&[index], leaves)?.pop()
    }

    /// The proofs for the leaves at these places of `leaves`, in the same order, for which the tree is hashed once; none
    /// when there is no leaf at one of them.
    #[must_use]
    pub fn of_each(indexes: &[u64], leaves: &[LeafHash]) -> Option<Vec<Self>> {
        let size = leaves.len() as u64;
        if indexes.iter().any(|index| *index >= size) {
            return None;
        }
        let mut proofs: Vec<Self> =
            indexes.iter().map(|index| Self { index: *index, size, path: Vec::new() }).collect();
        let mut places: Vec<usize> =
            indexes.iter().map(|index| usize::try_from(*index)).collect::<Result<_, _>>().ok()?;
        let mut level: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
        while level.len() > 1 {
            for (proof, place) in proofs.iter_mut().zip(&mut places) {
                proof.path.extend(level.get(*place ^ 1));
                *place /= 2;
            }
            level = above(&level);
        }
        Some(proofs)
    }

    /// Which leaf it is about.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes beside the way up, from the leaf on.
    #[must_use]
    pub fn path(&self) -> &[[u8; 32]] {
        &self.path
    }

    /// Whether the leaf is the one at [`InclusionProof::index`] below `root`.
    #[must_use]
    pub fn holds(&self, leaf: &LeafHash, root: &MerkleRoot) -> bool {
        let Some(mut last) = self.size.checked_sub(1).filter(|last| self.index <= *last) else {
            return false;
        };
        let (mut place, mut node) = (self.index, leaf.0);
        for beside in &self.path {
            if last == 0 {
                return false;
            }
            if place % 2 == 1 || place == last {
                node = parent(beside, &node);
                // A node at the right edge goes up as it is until it is a right one.
                while place % 2 == 0 && place != 0 {
                    (place, last) = (place / 2, last / 2);
                }
            } else {
                node = parent(&node, beside);
            }
            (place, last) = (place / 2, last / 2);
        }
        last == 0 && node == root.0
    }

    /// Writes the proof.
    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.index).u64(self.size);
        write_path(writer, &self.path);
    }

    /// Reads a proof, which proves nothing until it holds.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            index: reader.u64("leaf index")?,
            size: reader.u64("tree size")?,
            path: read_path(reader, "inclusion path")?,
        })
    }
}

/// The parents of a level; an odd last node goes up as it is.
fn above(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let (pairs, odd) = level.as_chunks::<2>();
    pairs.iter().map(|[left, right]| parent(left, right)).chain(odd.iter().copied()).collect()
}
