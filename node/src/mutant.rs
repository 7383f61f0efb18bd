//! Bugs that systems of this kind are known for. A test can tell the nodes of its thread to have one; it shows that the
//! simulation of whole nodes finds it.

/// A known bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Who hands in is answered before the transaction is durable.
    AnswersUnstored,
    /// Who waits for a docket is told what the sealers' leader says, before this node holds the docket.
    TrustsTheLeader,
}

#[cfg(test)]
thread_local! {
    static PUT_BACK: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// All nodes that run on this thread have the bug from now on.
#[cfg(test)]
pub(crate) fn put_back(mutant: Option<Mutant>) {
    PUT_BACK.set(mutant);
}

#[cfg(test)]
pub(crate) fn is_mutant(mutant: Mutant) -> bool {
    PUT_BACK.get() == Some(mutant)
}

#[cfg(not(test))]
pub(crate) const fn is_mutant(_: Mutant) -> bool {
    false
}
