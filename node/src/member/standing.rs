//! Where a node stands in its network.

/// Where a node stands in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Without certificate or snapshot: only the operator can help.
    Waiting,
    /// With both.
    Member,
    /// Fenced: the others refuse it; it still hears the operator.
    Banned,
}
