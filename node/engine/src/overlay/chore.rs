//! What a node does for its views from time to time.

/// Something to do again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chore {
    /// Mix the nodes at hand with a neighbour's.
    Shuffle,
    /// Ask some peers for addresses.
    Exchange,
    /// Try an address that nobody here has tried.
    Feel,
    /// See whether somebody else would be a better neighbour than the worst.
    Improve,
    /// Try somebody unknown as a neighbour.
    Mingle,
}

impl Chore {
    pub(crate) const ALL: [Self; 5] = [Self::Shuffle, Self::Exchange, Self::Feel, Self::Improve, Self::Mingle];
}
