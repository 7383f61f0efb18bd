//! One network's certificate authority in memory. It issues member leaves; where its key is kept is
//! [`Authorities`](super::Authorities)' business.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_secure::{BINDING_OID, NodeBinding, NodeKey, SpiffeId, sha256};
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateDer;

use super::{
    NetworkFacts,
    issue::{EndEntity, IssueError, Issued, Issuing},
};

/// How long a member's leaf lives. A node renews it when a third is gone.
pub const LEAF_LIFETIME: Duration = Duration::from_secs(72 * 3600);

/// What the authority's key stands behind in the hash that is the key over registers.
const OVER_REGISTERS: &[u8] = b"peerwright authority over registers 1\0";

/// One network's certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuing: Issuing,
    fingerprint: String,
    trust_pem: String,
}

impl Authority {
    /// Makes a new authority for the network with this UID.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn generate(network_uid: &str) -> Result<Self, IssueError> {
        Self::generate_at(network_uid, SystemTime::now())
    }

    pub(crate) fn generate_at(network_uid: &str, now: SystemTime) -> Result<Self, IssueError> {
        Ok(Self::new(Issuing::generate(&format!("Peerwright network {network_uid}"), now)?))
    }

    pub(crate) fn restore(certificate: &[u8], key: &[u8]) -> Result<Self, IssueError> {
        Ok(Self::new(Issuing::restore(certificate, key)?))
    }

    fn new(issuing: Issuing) -> Self {
        let fingerprint = hex::encode(sha256(issuing.certificate()));
        let trust_pem = to_pem(issuing.certificate());
        Self { issuing, fingerprint, trust_pem }
    }

    /// SHA-256 of the authority's certificate, lower-case hex.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The network's trust anchors, PEM.
    #[must_use]
    pub fn trust_pem(&self) -> &str {
        &self.trust_pem
    }

    /// The network's trust anchors, DER.
    #[must_use]
    pub fn trust_der(&self) -> Vec<Vec<u8>> {
        vec![self.issuing.certificate().to_vec()]
    }

    /// The key by which the network names other sealers of registers, when most are lost. It follows from the
    /// authority's own, so the same Secret keeps both, and neither tells of the other.
    pub(crate) fn over_registers(&self) -> NodeKey {
        NodeKey::from_seed(sha256(&[OVER_REGISTERS, self.key_der()].concat()))
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        self.issuing.certificate()
    }

    pub(crate) fn key_der(&self) -> &[u8] {
        self.issuing.key_der()
    }

    /// Issues the leaf of the pod `pod`: its names come from the network, its key and binding from the node.
    pub(crate) fn issue_leaf(
        &self,
        network: &NetworkFacts,
        pod: &str,
        public_key: &SubjectPublicKeyInfo,
        binding: &NodeBinding,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        let namespace = &network.key.namespace;
        let spiffe = SpiffeId::new(&network.trust_domain, namespace, pod)
            .map_err(|_| IssueError::Stored("the pod's name makes no SPIFFE id"))?;
        let request = EndEntity {
            common_name: "Peerwright node",
            lifetime: LEAF_LIFETIME,
            uris: vec![spiffe.to_string()],
            dns_names: leaf_dns_names(network, pod),
            extended_key_usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            extensions: vec![CustomExtension::from_oid_content(BINDING_OID, binding.encode())],
        };
        self.issuing.issue(request, public_key, now)
    }
}

/// The DNS names by which a member is dialled.
fn leaf_dns_names(network: &NetworkFacts, pod: &str) -> Vec<String> {
    let namespace = &network.key.namespace;
    let (peers, api) = (&network.peers_service, &network.api_service);
    [format!("{pod}.{peers}.{namespace}.svc"), format!("{peers}.{namespace}.svc"), format!("{api}.{namespace}.svc")]
        .into_iter()
        .flat_map(|name| [format!("{name}.{}", network.cluster_domain), name])
        .collect()
}

/// A certificate as PEM.
pub(crate) fn to_pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
    let body: Vec<String> = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", body.join("\n"))
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
