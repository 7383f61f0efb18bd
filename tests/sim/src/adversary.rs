//! Who does not follow the protocol, and how.

/// What a hostile host does beside what its engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adversary {
    /// It sends each neighbour 300 messages a second that their alleged origins have never signed, half of them under
    /// names that those are about to give.
    Forger,
    /// It announces messages like everybody, and never gives one.
    Liar,
    /// It sends each neighbour 300 signed frames a second again that it once heard.
    Replayer,
}

impl Adversary {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Forger, Self::Liar, Self::Replayer];
}
