//! Which of the operations that were not synced a loss of power takes.

use std::hash::{DefaultHasher, Hash, Hasher};

/// One way to lose some of the operations that nothing has made durable. They are counted from 0, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The first so many are there.
    KeepFirst(usize),
    /// The first so many are lost.
    LoseFirst(usize),
    /// This one alone is there.
    KeepOnly(usize),
    /// This one alone is lost.
    LoseOnly(usize),
    /// Those before it are there, and of it the first or the second half of its sectors.
    Tear {
        /// The one that is torn.
        at: usize,
        /// Which half of it is there.
        first_half: bool,
    },
    /// Those with a bit in this mask are there. The last bit stands for all further ones.
    Keep(u64),
    /// Each sector has its own fate, drawn from a seed.
    Draw {
        /// The seed.
        seed: u64,
        /// Bytes that are there or not as one.
        sector: usize,
    },
}

/// What becomes of a sector of a write, or of any other operation as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Lost,
    /// The file grew, and where it grew it holds what nobody has written.
    Junk,
}

impl Fate {
    const fn kept(is_kept: bool) -> Self {
        if is_kept { Self::Kept } else { Self::Lost }
    }
}

/// What a disk writes as one, when nothing else is said.
const SECTOR: usize = 512;

impl Loss {
    /// No operation is lost: what the death of the process alone leaves.
    pub const NOTHING: Self = Self::LoseFirst(0);
    /// Each that may be.
    pub const ALL: Self = Self::KeepFirst(0);

    pub(crate) const fn sector(self) -> usize {
        match self {
            Self::Draw { sector, .. } => sector,
            _ => SECTOR,
        }
    }

    /// The fate of one sector of an operation that has so many.
    pub(crate) fn fate(self, operation: usize, sector: usize, sectors: usize) -> Fate {
        match self {
            Self::KeepFirst(count) => Fate::kept(operation < count),
            Self::LoseFirst(count) => Fate::kept(operation >= count),
            Self::KeepOnly(only) => Fate::kept(operation == only),
            Self::LoseOnly(only) => Fate::kept(operation != only),
            Self::Tear { at, first_half } if operation == at => Fate::kept((sector * 2 < sectors) == first_half),
            Self::Tear { at, .. } => Fate::kept(operation < at),
            Self::Keep(mask) => Fate::kept(mask >> operation.min(63) & 1 == 1),
            Self::Draw { seed, .. } => draw(seed, operation, sector),
        }
    }
}

/// Of seeds, some lose half of all and some next to nothing: where much is lost, it hardly matters what else is.
fn draw(seed: u64, operation: usize, sector: usize) -> Fate {
    let percent_touched = [60, 20, 6][below(3, &seed)];
    if below(100, &(seed, operation)) >= percent_touched {
        return Fate::Kept;
    }
    // A third of those are lost whole.
    if below(3, &(seed, operation, "whole")) == 0 {
        return Fate::Lost;
    }
    match below(8, &(seed, operation, sector)) {
        0 => Fate::Junk,
        1..4 => Fate::Lost,
        _ => Fate::Kept,
    }
}

/// A number that follows from what it is of.
fn below(limit: u64, of: &impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    usize::try_from(hasher.finish() % limit).unwrap()
}
