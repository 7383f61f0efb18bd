//! Proof that a tree only added leaves to an earlier one (RFC 9162, 2.1.4).

use super::{Frontier, LeafHash, MerkleRoot, merkle_root, parent, read_path, write_path};
use peerwright_encoding::{DecodeError, Reader, Writer};
use std::ops::Range;

/// The hashes from which both the earlier and the later root follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    earlier: u64,
    later: u64,
    path: Vec<[u8; 32]>,
}

impl ConsistencyProof {
    /// The proof between the tree of the first `earlier` of `leaves` and that of all; none when there are not so many.
    #[must_use]
    pub fn of(earlier: u64, leaves: &[LeafHash]) -> Option<Self> {
        let first = usize::try_from(earlier).ok().filter(|first| *first <= leaves.len())?;
        let mut path = Vec::new();
        if first > 0 {
            add_path(first, leaves, true, &mut path);
        }
        Some(Self { earlier, later: leaves.len() as u64, path })
    }

    /// How many leaves the earlier tree has.
    #[must_use]
    pub const fn earlier(&self) -> u64 {
        self.earlier
    }

    /// How many leaves the later tree has.
    #[must_use]
    pub const fn later(&self) -> u64 {
        self.later
    }

    /// Whether the tree of `later` begins with that of `earlier`.
    #[must_use]
    pub fn holds(&self, earlier: &MerkleRoot, later: &MerkleRoot) -> bool {
        if self.earlier == self.later {
            return self.path.is_empty() && earlier == later;
        }
        if self.earlier == 0 {
            // Every tree begins with the empty one.
            return self.path.is_empty() && *earlier == merkle_root([]);
        }
        let Some((mut place, mut last)) = self.earlier.checked_sub(1).zip(self.later.checked_sub(1)) else {
            return false;
        };
        let mut path = self.path.iter();
        // A complete earlier tree is a node of the later one: its root is where the way begins.
        let start = if self.earlier.is_power_of_two() { Some(&earlier.0) } else { path.next() };
        let Some(start) = start else { return false };
        while place % 2 == 1 {
            (place, last) = (place / 2, last / 2);
        }
        let (mut old, mut new) = (*start, *start);
        for beside in path {
            if last == 0 {
                return false;
            }
            if place % 2 == 1 || place == last {
                (old, new) = (parent(beside, &old), parent(beside, &new));
                while place % 2 == 0 && place != 0 {
                    (place, last) = (place / 2, last / 2);
                }
            } else {
                new = parent(&new, beside);
            }
            (place, last) = (place / 2, last / 2);
        }
        last == 0 && old == earlier.0 && new == later.0
    }

    /// Writes the proof.
    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.earlier).u64(self.later);
        write_path(writer, &self.path);
    }

    /// Reads a proof, which proves nothing until it holds.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            earlier: reader.u64("earlier size")?,
            later: reader.u64("later size")?,
            path: read_path(reader, "consistency path")?,
        })
    }
}

/// Makes the proof between two trees from the leaves of the later one, one behind the other: what it keeps is small,
/// however many there are.
#[derive(Debug)]
pub struct ConsistencyBuilder {
    earlier: u64,
    later: u64,
    history: Frontier,
    /// The trees whose roots make the proof, by their leaves, with their places in it.
    trees: Vec<(Range<u64>, usize, Frontier)>,
}

impl ConsistencyBuilder {
    /// For the trees of the first `earlier` and of the first `later` leaves; none when the later one is the smaller.
    #[must_use]
    pub fn new(earlier: u64, later: u64) -> Option<Self> {
        if earlier > later {
            return None;
        }
        let mut ranges = Vec::new();
        if earlier > 0 {
            add_ranges(earlier, 0..later, true, &mut ranges);
        }
        let mut trees: Vec<_> =
            ranges.into_iter().enumerate().map(|(place, range)| (range, place, Frontier::new())).collect();
        // The leaves come in their order: the tree that is next is at the end.
        trees.sort_unstable_by_key(|(range, ..)| std::cmp::Reverse(range.start));
        Some(Self { earlier, later, history: Frontier::new(), trees })
    }

    /// How many leaves it has; it wants as many as the later tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.history.size()
    }

    /// The next leaf; one too many changes nothing.
    pub fn push(&mut self, leaf: LeafHash) {
        let number = self.history.size();
        if number >= self.later {
            return;
        }
        self.history.push(leaf);
        if let Some(index) = self.trees.iter().rposition(|(range, ..)| range.contains(&number))
            && let Some((_, _, tree)) = self.trees.get_mut(index)
        {
            tree.push(leaf);
        }
    }

    /// The later tree and the proof; none while leaves lack.
    #[must_use]
    pub fn finish(mut self) -> Option<(Frontier, ConsistencyProof)> {
        if self.history.size() != self.later {
            return None;
        }
        self.trees.sort_unstable_by_key(|(_, place, _)| *place);
        let path = self.trees.iter().map(|(_, _, tree)| tree.root().0).collect();
        Some((self.history, ConsistencyProof { earlier: self.earlier, later: self.later, path }))
    }
}

/// As [`add_path`], for the leaves by their numbers.
fn add_ranges(earlier: u64, leaves: Range<u64>, is_known: bool, ranges: &mut Vec<Range<u64>>) {
    let count = leaves.end - leaves.start;
    if earlier == count {
        if !is_known {
            ranges.push(leaves);
        }
        return;
    }
    let split = count.div_ceil(2).next_power_of_two();
    let middle = leaves.start + split;
    if earlier <= split {
        add_ranges(earlier, leaves.start..middle, is_known, ranges);
        ranges.push(middle..leaves.end);
    } else {
        add_ranges(earlier - split, middle..leaves.end, false, ranges);
        ranges.push(leaves.start..middle);
    }
}

/// SUBPROOF of the RFC: `is_known` while the earlier tree's root is what the verifier has.
fn add_path(earlier: usize, leaves: &[LeafHash], is_known: bool, path: &mut Vec<[u8; 32]>) {
    let root = |leaves: &[LeafHash]| merkle_root(leaves.iter().copied()).0;
    if earlier == leaves.len() {
        if !is_known {
            path.push(root(leaves));
        }
        return;
    }
    // The largest power of two below the size, which is at least 2 here.
    let split = leaves.len().div_ceil(2).next_power_of_two();
    let (left, right) = leaves.split_at(split);
    if earlier <= split {
        add_path(earlier, left, is_known, path);
        path.push(root(right));
    } else {
        add_path(earlier - split, right, false, path);
        path.push(root(left));
    }
}
