//! This node's certificate, replaceable while connections are open.

use super::provider;
use crate::identity::LeafMaterial;
use arc_swap::ArcSwapOption;
use peerwright_secure::{CertificateRefused, MemberCertificate};
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;
use thiserror::Error;

/// Why a certificate cannot be this node's.
#[derive(Debug, Error)]
pub enum LeafRefused {
    /// It names no member.
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    /// It has no leaf, or its key is not the leaf's.
    #[error("the certificate does not fit its TLS key: {0}")]
    KeyMismatch(rustls::Error),
}

/// The leaf that every handshake presents, on both ports and in both directions.
#[derive(Debug, Default)]
pub struct Leaf {
    current: ArcSwapOption<Presented>,
}

#[derive(Debug)]
struct Presented {
    key: Arc<CertifiedKey>,
    member: Arc<MemberCertificate>,
}

impl Leaf {
    /// Reads what `material` says.
    pub(crate) fn read(material: &LeafMaterial) -> Result<(Arc<CertifiedKey>, MemberCertificate), LeafRefused> {
        let leaf = material.chain.first().map(AsRef::as_ref).unwrap_or_default();
        let member = MemberCertificate::from_der(leaf)?;
        let key = CertifiedKey::from_der(material.chain.clone(), material.key.clone_key().into(), &provider());
        Ok((Arc::new(key.map_err(LeafRefused::KeyMismatch)?), member))
    }

    /// Presents this leaf from the next handshake on.
    pub(crate) fn replace(&self, key: Arc<CertifiedKey>, member: MemberCertificate) {
        self.current.store(Some(Arc::new(Presented { key, member: Arc::new(member) })));
    }

    /// What the leaf says; `None` before the first.
    #[must_use]
    pub fn member(&self) -> Option<Arc<MemberCertificate>> {
        self.current.load().as_ref().map(|presented| presented.member.clone())
    }

    fn certified_key(&self) -> Option<Arc<CertifiedKey>> {
        self.current.load().as_ref().map(|presented| presented.key.clone())
    }
}

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }
}

impl ResolvesClientCert for Leaf {
    fn resolve(&self, _root_hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }

    fn has_certs(&self) -> bool {
        self.current.load().is_some()
    }
}
