//! The TLS key and its certificate chain, as they are kept: one PEM file, so that a crash never parts them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::fmt;

/// A TLS key and the certificates that speak for it, leaf first.
pub struct LeafMaterial {
    /// The private key.
    pub key: PrivatePkcs8KeyDer<'static>,
    /// The leaf, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
}

impl LeafMaterial {
    /// Reads what [`LeafMaterial::to_pem`] wrote; `None` when a part is missing or unreadable.
    pub(super) fn from_pem(text: &[u8]) -> Option<Self> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(text).ok()?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()?;
        (!chain.is_empty()).then_some(Self { key, chain })
    }

    pub(super) fn to_pem(&self) -> String {
        let certificates = self.chain.iter().map(|certificate| block("CERTIFICATE", certificate));
        std::iter::once(block("PRIVATE KEY", self.key.secret_pkcs8_der())).chain(certificates).collect()
    }
}

impl fmt::Debug for LeafMaterial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LeafMaterial").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// One PEM block (RFC 7468): lines of 64 characters.
fn block(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
