//! A tree of which only the right edge is kept.

use super::{LeafHash, MerkleRoot, parent};
use peerwright_encoding::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};

/// What is needed of a tree to add leaves and to know its root: the root of each complete tree that its leaves
/// fall into, at most 64 hashes.
///
/// ```text
/// 7 leaves:  [0 1 2 3] [4 5] [6]      one peak for each 1 in the binary size, the largest first
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<[u8; 32]>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf behind all others.
    pub fn push(&mut self, leaf: LeafHash) {
        let mut node = leaf.0;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = parent(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> MerkleRoot {
        let right_to_left = self.peaks.iter().rev().copied();
        let root = right_to_left.reduce(|right, left| parent(&left, &right));
        MerkleRoot(root.unwrap_or_else(|| Sha256::digest([]).into()))
    }

    /// Writes size and peaks; how many there are follows from the size.
    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.size);
        for peak in &self.peaks {
            writer.raw(peak);
        }
    }

    /// Reads what [`Frontier::write`] wrote. That these are the peaks of some tree shows when [`Frontier::root`] is
    /// compared with a root that is trusted.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let size = reader.u64("tree size")?;
        let peaks = (0..size.count_ones()).map(|_| reader.array("peak")).collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }
}
