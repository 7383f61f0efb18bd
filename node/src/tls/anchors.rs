//! Whose certificates are members' certificates.

use super::{HandshakeRefused, provider};
use arc_swap::ArcSwapOption;
use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    server::{ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use thiserror::Error;

/// Certificates that cannot serve as anchors.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("none of the {0} certificates of the network's authority can be used")]
pub struct AnchorsRefused(usize);

/// The network's trust anchors, replaceable while handshakes go on.
#[derive(Debug, Default)]
pub struct Anchors {
    current: ArcSwapOption<Current>,
}

#[derive(Debug)]
struct Current {
    roots: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Anchors {
    /// Trusts these certificates (DER) from the next handshake on. One that cannot be read is left out, so that a future
    /// kind of key beside the present one harms nobody.
    pub fn replace<'a>(&self, certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<(), AnchorsRefused> {
        let mut roots = RootCertStore::empty();
        let mut given = 0;
        for certificate in certificates {
            given += 1;
            if let Err(error) = roots.add(CertificateDer::from(certificate)) {
                tracing::warn!(%error, "left out a certificate of the network's authority that cannot be read");
            }
        }
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
            .build()
            .map_err(|_| AnchorsRefused(given))?;
        self.current.store(Some(Arc::new(Current { roots, clients })));
        Ok(())
    }

    /// Whether this node knows whom to trust.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.current.load().is_some()
    }

    /// Checks the chain of one that dialled, or of one that was dialled.
    pub(super) fn check(
        &self,
        dialled_us: bool,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), HandshakeRefused> {
        let current = self.current.load();
        let current = current.as_ref().ok_or(HandshakeRefused::NoAnchors)?;
        let result = if dialled_us {
            current.clients.verify_client_cert(leaf, intermediates, now).map(drop)
        } else {
            ParsedCertificate::try_from(leaf).and_then(|parsed| {
                let algorithms = provider().signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&parsed, &current.roots, intermediates, now, algorithms)
            })
        };
        result.map_err(|error| HandshakeRefused::of_chain(&error))
    }
}
