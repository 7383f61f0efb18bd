//! What is known of one node, and how a digest from the wire becomes it.

use peerwright_proto::v1::HeartbeatDigest;
use peerwright_secure::PeerId;
use peerwright_snapshot::{MAX_SUBSCRIPTIONS, Version};

use crate::identity::Refusal;

/// Longest one-word reason or program version, bytes.
const MAX_WORD_BYTES: usize = 64;

/// What is known of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its pod.
    pub pod: String,
    /// Its peer id, from its certificate.
    pub peer_id: PeerId,
    /// Its stream is open and was heard within three heartbeats.
    pub connected: bool,
    /// The highest snapshot that it has persisted and enforces.
    pub acknowledged: Option<Version>,
    /// Peers with an established link.
    pub links: u32,
    /// Last second of its certificate, Unix time.
    pub certificate_not_after: i64,
    /// Ready, as its `/readyz` says.
    pub ready: bool,
    /// The one-word reason when it is not ready.
    pub reason: String,
    /// Its registers.
    pub registers: Vec<RegisterReport>,
    /// Version of its program.
    pub program: String,
}

/// What a node holds of one register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterReport {
    /// The register.
    pub register: [u8; 16],
    /// Transactions that it holds.
    pub transactions: u64,
    /// It holds all that its reachable members advertised.
    pub synced: bool,
}

impl NodeReport {
    /// Whether a person or a controller would care about the difference; counts change all the time.
    pub(super) fn differs_notably(&self, other: &Self) -> bool {
        let synced = |report: &Self| -> Vec<([u8; 16], bool)> {
            report.registers.iter().map(|register| (register.register, register.synced)).collect()
        };
        self.connected != other.connected
            || self.acknowledged != other.acknowledged
            || self.ready != other.ready
            || self.reason != other.reason
            || self.certificate_not_after != other.certificate_not_after
            || synced(self) != synced(other)
    }

    /// Takes over what a node says about itself, if it keeps the bounds. Its certificate's end is known from the
    /// certificate itself.
    pub(super) fn update(&mut self, digest: HeartbeatDigest) -> Result<(), Refusal> {
        if digest.registers.len() > MAX_SUBSCRIPTIONS {
            return Err(Refusal::Malformed);
        }
        let reason = checked_word(digest.reason)?;
        let registers: Result<Vec<RegisterReport>, Refusal> = digest
            .registers
            .into_iter()
            .map(|row| {
                let register = row.register_id.as_ref().try_into().map_err(|_| Refusal::Malformed)?;
                Ok(RegisterReport { register, transactions: row.transactions, synced: row.synced })
            })
            .collect();
        let mut registers = registers?;
        registers.sort_by_key(|row| row.register);
        (self.links, self.ready, self.reason, self.registers) = (digest.links, digest.ready, reason, registers);
        Ok(())
    }
}

/// Short printable text without spaces, as it may go into a status.
pub(super) fn checked_word(text: String) -> Result<String, Refusal> {
    let is_word = text.len() <= MAX_WORD_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some(text).ok_or(Refusal::Malformed)
}
