//! What is known of one node, and how a digest from the wire becomes it.

use peerwright_proto::v1::HeartbeatDigest;
use peerwright_secure::PeerId;
use peerwright_snapshot::{MAX_SUBSCRIPTIONS, Version};

use crate::identity::Refusal;

/// Longest one-word reason, bytes.
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
    /// Last second of its certificate, Unix time.
    pub certificate_not_after: i64,
    /// One word of its `/readyz` while it is not ready; empty when it is.
    pub waits_for: String,
    /// Its registers.
    pub registers: Vec<RegisterReport>,
}

/// What a node holds of one register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterReport {
    /// The register.
    pub register: [u8; 16],
    /// It holds all that its reachable members advertised.
    pub synced: bool,
}

impl NodeReport {
    /// Whether a person or a controller would care about the difference.
    pub(super) fn differs_notably(&self, other: &Self) -> bool {
        self.connected != other.connected
            || self.acknowledged != other.acknowledged
            || self.waits_for != other.waits_for
            || self.certificate_not_after != other.certificate_not_after
            || self.registers != other.registers
    }

    /// Takes over what a node says about itself that somebody here reads, if it keeps the bounds. Its certificate's end
    /// is known from the certificate itself.
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
                Ok(RegisterReport { register, synced: row.synced })
            })
            .collect();
        let mut registers = registers?;
        registers.sort_by_key(|row| row.register);
        self.waits_for = if digest.ready { String::new() } else { reason };
        self.registers = registers;
        Ok(())
    }
}

/// Short printable text without spaces, as it may go into a status.
fn checked_word(text: String) -> Result<String, Refusal> {
    let is_word = text.len() <= MAX_WORD_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some(text).ok_or(Refusal::Malformed)
}
