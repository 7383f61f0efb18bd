//! Certificates that TLS never sees: was this one issued by that root, and is it in force.

use crate::certificate::{extension, parse, uri_name};
use crate::{CertificateRefused, NodePublicKey};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{BasicConstraints, KeyUsage};
use x509_parser::oid_registry::{OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// Why a certificate does not speak for a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChainRefused {
    /// The certificate cannot be read, or its names cannot.
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    /// The root cannot be read or is not an authority.
    #[error("the root is not a certificate authority's certificate")]
    RootInvalid,
    /// Another authority issued the certificate, or none did.
    #[error("the certificate was not issued by the root")]
    NotIssuedByRoot,
    /// The certificate or the root is not yet valid.
    #[error("the certificate is not valid yet; compare the clocks")]
    NotYetValid,
    /// The certificate or the root is no longer valid.
    #[error("the certificate has expired; compare the clocks")]
    Expired,
    /// The certificate is in order but was issued for something else.
    #[error("the certificate was issued for another purpose")]
    WrongPurpose,
}

impl ChainRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Certificate(refused) => refused.code(),
            Self::RootInvalid => "root_invalid",
            Self::NotIssuedByRoot => "not_issued_by_root",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::Expired => "certificate_expired",
            Self::WrongPurpose => "certificate_wrong_purpose",
        }
    }
}

/// Checks that `root` (DER), an authority, signed `certificate` (DER), an end entity, and that both are valid at
/// `now_unix_seconds`.
pub fn chain_is_issued_by(certificate: &[u8], root: &[u8], now_unix_seconds: u64) -> Result<(), ChainRefused> {
    let certificate = parse(certificate).ok_or(CertificateRefused::Malformed)?;
    check_chain(&certificate, root, now_unix_seconds)
}

/// The Ed25519 key of a certificate that `root` issued for exactly the purpose that `uri` names.
///
/// The snapshot signer's certificate is checked with this: an authority also issues serving certificates, which must
/// not sign snapshots.
pub fn signer_public_key(
    certificate: &[u8],
    root: &[u8],
    uri: &str,
    now_unix_seconds: u64,
) -> Result<NodePublicKey, ChainRefused> {
    let certificate = parse(certificate).ok_or(CertificateRefused::Malformed)?;
    check_chain(&certificate, root, now_unix_seconds)?;
    if uri_name(&certificate)? != uri {
        return Err(ChainRefused::WrongPurpose);
    }
    NodePublicKey::from_spki_der(certificate.tbs_certificate.subject_pki.raw).ok_or(ChainRefused::WrongPurpose)
}

fn check_chain(certificate: &X509Certificate<'_>, root: &[u8], now_unix_seconds: u64) -> Result<(), ChainRefused> {
    let root = parse(root).ok_or(ChainRefused::RootInvalid)?;
    if !is_authority(&root).ok_or(ChainRefused::RootInvalid)? {
        return Err(ChainRefused::RootInvalid);
    }
    if is_authority(certificate).ok_or(CertificateRefused::Malformed)? {
        return Err(ChainRefused::WrongPurpose);
    }
    let issued = certificate.issuer().as_raw() == root.subject().as_raw()
        && certificate.verify_signature(Some(root.public_key())).is_ok();
    if !issued {
        return Err(ChainRefused::NotIssuedByRoot);
    }
    let now = i64::try_from(now_unix_seconds)
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .ok_or(ChainRefused::Expired)?;
    for validity in [certificate.validity(), root.validity()] {
        if now < validity.not_before {
            return Err(ChainRefused::NotYetValid);
        }
        if now > validity.not_after {
            return Err(ChainRefused::Expired);
        }
    }
    Ok(())
}

/// Whether a certificate may issue others; `None` when the extensions that say so cannot be read.
fn is_authority(certificate: &X509Certificate<'_>) -> Option<bool> {
    let constraints = extension(certificate, &OID_X509_EXT_BASIC_CONSTRAINTS).ok()?;
    let authority = match constraints {
        Some(constraints) => BasicConstraints::from_der(constraints.value).ok()?.1.ca,
        None => false,
    };
    let may_sign = match extension(certificate, &OID_X509_EXT_KEY_USAGE).ok()? {
        Some(usage) => KeyUsage::from_der(usage.value).ok()?.1.key_cert_sign(),
        None => true,
    };
    Some(authority && may_sign)
}
