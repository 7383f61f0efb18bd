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
    /// It names its accomplices alone to whoever asks for addresses, and wants to be everybody's neighbour.
    Conspirator,
    /// It names places where no node is: somebody's machine, and those that nobody may be sent to.
    Trapper,
    /// It names its accomplices alone to whoever looks for the holders of a register, as holders and as those who know more.
    Misleader,
    /// It signs two messages under each of its names, and tells every second neighbour the other one.
    Equivocator,
}

impl Adversary {
    /// Those that a swarm may meet.
    pub const ALL: &[Self] = &[Self::Forger, Self::Liar, Self::Replayer, Self::Equivocator];

    /// Whether it does something again and again beside what its engine does.
    pub(crate) fn is_busy(self) -> bool {
        matches!(self, Self::Forger | Self::Replayer | Self::Equivocator)
    }
}
