//! The proof in a certificate request: whoever asks holds the node key, and asks here and now.

use crate::{Context, NodeKey, NodePublicKey, Signature, SignatureRefused, sha256};
use peerwright_encoding::Writer;

/// What a node signs when it asks for a certificate. The token ties the proof to one pod for minutes, the network UID
/// to one network, the TLS key to one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrollment<'a> {
    /// SubjectPublicKeyInfo (DER) of the TLS key in the request.
    pub spki: &'a [u8],
    /// The service-account token that comes with the request; its SHA-256 is signed.
    pub token: &'a [u8],
    /// UID of the PeerNetwork.
    pub network_uid: &'a str,
}

impl Enrollment<'_> {
    /// Signs the proof.
    #[must_use]
    pub fn sign(&self, key: &NodeKey) -> Signature {
        key.sign(Context::Enrollment, &self.encode())
    }

    /// Checks that `key` signed the proof.
    pub fn verify(&self, key: &NodePublicKey, signature: &Signature) -> Result<(), SignatureRefused> {
        key.verify(Context::Enrollment, &self.encode(), signature)
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(self.spki).raw(&sha256(self.token)).text(self.network_uid);
        writer.finish()
    }
}
