//! Which certificate chain names which member. A chain vouches for its own trust domain only, and for the namespace of
//! the network whose authority issued it.

use std::{collections::HashMap, sync::Arc};

use peerwright_secure::{MemberCertificate, PeerId};
use rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    crypto::aws_lc_rs,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{KnownNetwork, NetworkKey};

/// A member, as the chain that it presented says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIdentity {
    /// The network whose authority issued the leaf.
    pub network: NetworkKey,
    /// The pod that the leaf names.
    pub pod: String,
    /// The peer that the leaf binds.
    pub peer_id: PeerId,
    /// SHA-256 of the leaf.
    pub leaf: [u8; 32],
    /// Last second of the leaf, Unix time.
    pub not_after: i64,
}

/// The trust anchors of every network known here, by trust domain.
#[derive(Debug, Default)]
pub struct Trust {
    by_domain: HashMap<String, Vec<Anchor>>,
}

#[derive(Debug)]
struct Anchor {
    network: NetworkKey,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    /// Builds the anchors of these networks. A network whose authority TLS cannot use is left out.
    pub fn of<'a>(networks: impl Iterator<Item = &'a KnownNetwork>) -> Self {
        let mut by_domain: HashMap<String, Vec<Anchor>> = HashMap::new();
        for known in networks {
            let Some(verifier) = chain_verifier(known.authority.certificate()) else {
                tracing::error!(network = known.facts.key.name, "the network's authority cannot be used by TLS");
                continue;
            };
            let anchor = Anchor { network: known.facts.key.clone(), verifier };
            by_domain.entry(known.facts.trust_domain.clone()).or_default().push(anchor);
        }
        Self { by_domain }
    }

    /// Who presented this chain: the leaf names a trust domain and a namespace, and an authority of just that domain
    /// and namespace issued it, for now.
    ///
    /// # Errors
    /// What TLS says about the chain.
    pub fn identify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<MemberIdentity, TlsError> {
        let certificate = MemberCertificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let anchors = self.by_domain.get(certificate.spiffe.trust_domain()).map_or(&[][..], Vec::as_slice);
        let mut refusal = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        for anchor in anchors.iter().filter(|anchor| anchor.network.namespace == certificate.spiffe.namespace()) {
            match anchor.verifier.verify_client_cert(leaf, intermediates, now) {
                Ok(_) => {
                    return Ok(MemberIdentity {
                        network: anchor.network.clone(),
                        pod: certificate.spiffe.node().to_owned(),
                        peer_id: certificate.peer_id,
                        leaf: *certificate.fingerprint.as_bytes(),
                        not_after: certificate.not_after,
                    });
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

fn chain_verifier(authority: &CertificateDer<'static>) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).ok()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
}
