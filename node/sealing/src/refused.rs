//! Why the group does not do what it is asked.

use peerwright_ledger::{DocketRefused, RegisterId};
use peerwright_secure::NodePublicKey;
use thiserror::Error;

/// A refusal of the group. [`GroupRefused::code`] is the reason on the wire and the metric label.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroupRefused {
    /// This sealer does not lead, or cannot reach a majority. What was handed in may still have been sealed: hand it in
    /// again, each transaction is sealed once.
    #[error("this sealer does not lead the group")]
    NotLeader {
        /// Who does, if that is known.
        leader: Option<NodePublicKey>,
    },
    /// The volume of this sealer has no room.
    #[error("the volume of this sealer is full; enlarge it or free space on it")]
    DiskFull,
    /// The database of this sealer is away.
    #[error("the database of this sealer cannot be used at the moment; try another sealer")]
    StoreUnreachable,
    /// More waits to be sealed than there is room for.
    #[error("more waits to be sealed than there is room for; try again in a moment")]
    QueueFull,
    /// So many transactions were sealed that are still valid that no more can be told from them.
    #[error("too many sealed transactions are still valid; try again when the first have expired")]
    MemoryFull,
    /// The group seals no such register.
    #[error("the group seals no register {0}")]
    UnknownRegister(RegisterId),
    /// The register is there already.
    #[error("register {0} is there already")]
    RegisterExists(RegisterId),
    /// Too few of the register's sealers are of the group: nothing of it can be certified.
    #[error("most sealers of register {0} are gone; only its authority can name others")]
    Stranded(RegisterId),
    /// The register names other sealers than the group has.
    #[error("the register names other sealers than the group has")]
    OtherSealers,
    /// The group has as many registers as it takes.
    #[error("the group has as many registers as it takes")]
    TooManyRegisters,
    /// The docket breaks a rule of its register.
    #[error(transparent)]
    Docket(#[from] DocketRefused),
    /// Another of the first members does not answer.
    #[error("{0:?} has not answered whether it has a group already; try again")]
    Unanswered(NodePublicKey),
    /// The members are being changed.
    #[error("the members of the group are being changed; try again when that is done")]
    Changing,
    /// It was not done within its time; it may still be.
    #[error("{0} was not done in time, and may still be")]
    TimedOut(&'static str),
    /// The sealer has stopped or failed.
    #[error("the sealer has stopped")]
    Stopped,
}

impl GroupRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => "not_leader",
            Self::DiskFull => "store_disk_full",
            Self::StoreUnreachable => "store_unreachable",
            Self::QueueFull => "sealing_queue_full",
            Self::MemoryFull => "sealing_memory_full",
            Self::UnknownRegister(_) => "unknown_register",
            Self::RegisterExists(_) => "register_exists",
            Self::Stranded(_) => "register_stranded",
            Self::OtherSealers => "other_sealers",
            Self::TooManyRegisters => "too_many_registers",
            Self::Docket(refused) => refused.code(),
            Self::Unanswered(_) => "sealer_unanswered",
            Self::Changing => "sealers_changing",
            Self::TimedOut(_) => "sealing_timed_out",
            Self::Stopped => "sealer_stopped",
        }
    }
}
