//! Bugs that systems of this kind are known for. Built with the feature `mutants`, an engine can be told to have one; the
//! simulator shows that it notices. Without the feature none of them is in the program.

/// A known bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A message that does not verify is taken for seen like one that does, so that the one that it stands for is not
    /// taken in.
    MarkBeforeVerify,
    /// The window of what was seen of an origin slides past holes.
    WindowSlide,
    /// Who announced a message and does not give it is asked again and again, and nobody else.
    GraftToALiar,
    /// The end of a link is not taken in: frames are still sent on it.
    MissedLinkDown,
    /// Hearing of a banned peer again makes a fresh record of it, without the ban.
    UnbanByUpsert,
    /// The list of all that a peer advertises withdraws nothing of what it leaves out.
    ListsOnlyAdd,
}

/// Whether an engine has a bug.
#[cfg(feature = "mutants")]
pub(crate) fn is_mutant(config: &crate::Config, mutant: Mutant) -> bool {
    config.mutant == Some(mutant)
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn is_mutant(_: &crate::Config, _: Mutant) -> bool {
    false
}
