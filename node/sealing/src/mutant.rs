//! Bugs that systems of this kind are known for. A test can tell the sealers of its thread to have one; it shows that the
//! simulation finds it.

/// A known bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A sealer that has lost its volume votes and follows as if it had never had one.
    ForgetsThatItForgot,
    /// Those who hand in are told that it is committed when the docket is formed, before it has its certificate.
    AnswersUncertified,
}

#[cfg(test)]
thread_local! {
    static PUT_BACK: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// All sealers that run on this thread have the bug from now on.
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
