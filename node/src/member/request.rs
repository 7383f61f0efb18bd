//! What a node sends to get a certificate.

use crate::identity::LeafMaterial;
use peerwright_proto::v1::CertifyRequest;
use peerwright_secure::{Enrollment, NodeBinding, NodeKey};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A new TLS key with the request for its certificate. The key never leaves the node.
pub struct CertificateRequest {
    key: KeyPair,
    message: CertifyRequest,
}

impl CertificateRequest {
    pub(super) fn new(node: &NodeKey, token: String, network_uid: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let csr = CertificateParams::default().serialize_request(&key)?;
        let spki = key.subject_public_key_info();
        let binding = NodeBinding::new(node, &spki);
        let proof = Enrollment { spki: &spki, token: token.as_bytes(), network_uid }.sign(node);
        let message = CertifyRequest {
            csr: csr.der().to_vec().into(),
            node_public_key: node.public().as_bytes().to_vec().into(),
            binding_signature: binding.signature.as_bytes().to_vec().into(),
            proof_signature: proof.as_bytes().to_vec().into(),
            token,
        };
        Ok(Self { key, message })
    }

    /// What is sent.
    #[must_use]
    pub fn message(&self) -> &CertifyRequest {
        &self.message
    }

    /// Joins the key with the certificates (DER, leaf first) that answer the request.
    pub fn into_material<C: AsRef<[u8]>>(self, chain: impl IntoIterator<Item = C>) -> LeafMaterial {
        let chain = chain.into_iter().map(|certificate| CertificateDer::from(certificate.as_ref().to_vec()));
        LeafMaterial { key: PrivatePkcs8KeyDer::from(self.key.serialize_der()), chain: chain.collect() }
    }
}
