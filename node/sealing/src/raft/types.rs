//! What the consensus library is told about our types.

use super::Entry;
use crate::{command::Command, snapshot::Heads};
use openraft::{EmptyNode, TokioRuntime, impls::OneshotResponder};
use peerwright_ledger::DocketHash;
use peerwright_secure::NodePublicKey;
use std::fmt;

peerwright_encoding::identifier!(
    /// A sealer in the group's own protocol: its public key.
    pub(crate) struct SealerId([u8; 32]),
    "a sealer"
);

impl SealerId {
    pub(crate) const fn key(self) -> NodePublicKey {
        NodePublicKey::from_bytes(self.0)
    }
}

impl From<NodePublicKey> for SealerId {
    fn from(key: NodePublicKey) -> Self {
        Self::from_bytes(*key.as_bytes())
    }
}

impl Default for SealerId {
    /// Nobody; the library asks for it where it has no sealer to name.
    fn default() -> Self {
        Self::from_bytes([0; 32])
    }
}

/// What became of an entry, the same on every sealer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It made this docket, which now wants signatures.
    Formed {
        /// The docket's number.
        number: u64,
        /// The docket's hash.
        hash: DocketHash,
    },
    /// It was made for another state of its register and changes nothing.
    Stale,
    /// It is of the group and not of a register.
    Nothing,
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Answer,
        NodeId = SealerId,
        Node = EmptyNode,
        Entry = Entry,
        SnapshotData = Heads,
        AsyncRuntime = TokioRuntime,
        Responder = OneshotResponder<Types>,
);
