//! Checks what a node signed in its request for a certificate. Pure; no call to the API server is spent on a request
//! that fails here.

use peerwright_secure::{Enrollment, NodeBinding, NodePublicKey, PeerId, Signature};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use super::Refusal;

/// Longest token in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Longest certificate signing request in bytes.
pub const MAX_CSR_BYTES: usize = 8 * 1024;

/// A request whose signatures hold, but for the proof, which needs the network.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    spki: Vec<u8>,
    public_key: SubjectPublicKeyInfo,
    binding: NodeBinding,
    proof: Signature,
}

impl CertificateRequest {
    /// Checks the bounds, the signature of the TLS key over the request, and the node key's over the TLS key.
    ///
    /// # Errors
    /// [`Refusal::CsrInvalid`] or [`Refusal::ProofInvalid`].
    pub fn check(csr: &[u8], node_public_key: &[u8], binding: &[u8], proof: &[u8]) -> Result<Self, Refusal> {
        let (spki, public_key) = check_csr(csr).ok_or(Refusal::CsrInvalid)?;
        let node_key = node_public_key.try_into().map(NodePublicKey::from_bytes).map_err(|_| Refusal::ProofInvalid)?;
        let signature = |bytes: &[u8]| bytes.try_into().map(Signature::from_bytes).map_err(|_| Refusal::ProofInvalid);
        let binding = NodeBinding { public_key: node_key, signature: signature(binding)? };
        if node_key.is_weak() || binding.verify(&spki).is_err() {
            return Err(Refusal::ProofInvalid);
        }
        Ok(Self { spki, public_key, binding, proof: signature(proof)? })
    }

    /// Checks the proof: the node key's signature over this TLS key, this token and this network.
    ///
    /// # Errors
    /// [`Refusal::ProofInvalid`].
    pub fn prove(&self, token: &str, network_uid: &str) -> Result<(), Refusal> {
        let enrollment = Enrollment { spki: &self.spki, token: token.as_bytes(), network_uid };
        enrollment.verify(&self.binding.public_key, &self.proof).map_err(|_| Refusal::ProofInvalid)
    }

    /// The peer that asks.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId::of(&self.binding.public_key)
    }

    pub(crate) const fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.public_key
    }

    pub(crate) const fn binding(&self) -> &NodeBinding {
        &self.binding
    }
}

/// The P-256 key of a request that it signed. The names in the request are not looked at.
fn check_csr(der: &[u8]) -> Option<(Vec<u8>, SubjectPublicKeyInfo)> {
    if der.len() > MAX_CSR_BYTES {
        return None;
    }
    let (rest, request) = X509CertificationRequest::from_der(der).ok()?;
    if !rest.is_empty() || request.verify_signature().is_err() {
        return None;
    }
    let spki = request.certification_request_info.subject_pki.raw;
    let public_key = SubjectPublicKeyInfo::from_der(spki).ok()?;
    (*public_key.algorithm() == PKCS_ECDSA_P256_SHA256 && public_key.subject_public_key_info() == spki)
        .then(|| (spki.to_vec(), public_key))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
