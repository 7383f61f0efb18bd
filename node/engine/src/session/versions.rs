//! Which version of the wire two ends speak.

/// The versions that one end speaks, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub oldest: u32,
    /// The newest.
    pub newest: u32,
}

/// The newest version that both speak; both ends come to the same one. `None`: they cannot talk.
#[must_use]
pub fn negotiate(ours: Versions, theirs: Versions) -> Option<u32> {
    let newest = ours.newest.min(theirs.newest);
    (newest >= ours.oldest && newest >= theirs.oldest).then_some(newest)
}
