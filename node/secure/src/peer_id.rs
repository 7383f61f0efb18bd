//! The name of a peer.

use crate::{NodePublicKey, sha256};

peerwright_encoding::identifier!(
    /// Who a node is: the SHA-256 of its raw Ed25519 public key. In text, 64 lower-case hex digits.
    pub struct PeerId([u8; 32]),
    "a peer id"
);

impl PeerId {
    /// The peer that holds the private half of `key`.
    #[must_use]
    pub fn of(key: &NodePublicKey) -> Self {
        Self(sha256(key.as_bytes()))
    }
}
