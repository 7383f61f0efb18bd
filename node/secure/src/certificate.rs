//! What a member's leaf certificate says.

use crate::binding::BINDING_OID_DER;
use crate::{NodeBinding, NodePublicKey, PeerId, SpiffeId, sha256};
use thiserror::Error;
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{GeneralName, SubjectAlternativeName, X509Extension};
use x509_parser::nom::Parser;
use x509_parser::oid_registry::{OID_X509_EXT_SUBJECT_ALT_NAME, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

/// The longest certificate that is looked at. Ours are under 1 KiB.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

peerwright_encoding::identifier!(
    /// One certificate: the SHA-256 of its DER. In text, 64 lower-case hex digits.
    pub struct Fingerprint([u8; 32]),
    "a fingerprint"
);

impl Fingerprint {
    /// The fingerprint of a certificate, DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(sha256(der))
    }
}

/// Why a certificate does not name a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateRefused {
    /// Longer than [`MAX_CERTIFICATE_BYTES`], not DER, not X.509 version 3, an extension twice, or bytes behind the end.
    #[error("the certificate is not an X.509 version 3 certificate of at most 16 KiB")]
    Malformed,
    /// No URI name, several, or one that is not a member's.
    #[error("the certificate must have one URI name, spiffe://<trust domain>/node/<namespace>/<node>")]
    NameInvalid,
    /// Without the extension that names the node key.
    #[error("the certificate does not name a node key")]
    BindingMissing,
    /// The node key did not sign the certificate's TLS key, or anybody could have signed in its place.
    #[error("the node key in the certificate did not sign its TLS key")]
    BindingInvalid,
}

impl CertificateRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "certificate_malformed",
            Self::NameInvalid => "certificate_name_invalid",
            Self::BindingMissing => "binding_missing",
            Self::BindingInvalid => "binding_invalid",
        }
    }
}

/// What a member's leaf says, once the binding in it has been verified. Whether an authority issued it, and whether it
/// is in force now, is checked by TLS before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberCertificate {
    /// The member's name.
    pub spiffe: SpiffeId,
    /// The member's node key.
    pub public_key: NodePublicKey,
    /// The peer that the node key makes its holder.
    pub peer_id: PeerId,
    /// First second in which the certificate is valid, unix time.
    pub not_before: i64,
    /// Last second in which the certificate is valid, unix time.
    pub not_after: i64,
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Which certificate this is.
    pub fingerprint: Fingerprint,
}

impl MemberCertificate {
    /// Reads a leaf and verifies its binding: two signature checks, no allocation beyond a few names.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateRefused> {
        let certificate = parse(der).ok_or(CertificateRefused::Malformed)?;
        let spiffe = uri_name(&certificate)?.parse().map_err(|_| CertificateRefused::NameInvalid)?;

        let content =
            extension(&certificate, &Oid::new(BINDING_OID_DER.into()))?.ok_or(CertificateRefused::BindingMissing)?;
        let binding = NodeBinding::decode(content.value).ok_or(CertificateRefused::BindingInvalid)?;
        let spki = certificate.tbs_certificate.subject_pki.raw;
        if binding.verify(spki).is_err() || binding.public_key.is_weak() {
            return Err(CertificateRefused::BindingInvalid);
        }

        Ok(Self {
            spiffe,
            public_key: binding.public_key,
            peer_id: PeerId::of(&binding.public_key),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            spki_sha256: sha256(spki),
            fingerprint: Fingerprint::of(der),
        })
    }
}

/// A version 3 certificate that fills `der`; its extensions stay unparsed, so a hostile one costs a walk at most.
pub(crate) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return None;
    }
    let (rest, certificate) = X509CertificateParser::new().with_deep_parse_extensions(false).parse(der).ok()?;
    let whole = rest.is_empty()
        && certificate.version() == X509Version::V3
        && certificate.tbs_certificate.signature == certificate.signature_algorithm;
    whole.then_some(certificate)
}

/// The extension with this identifier, if there is one; two are malformed.
pub(crate) fn extension<'a, 'b>(
    certificate: &'b X509Certificate<'a>,
    oid: &Oid<'_>,
) -> Result<Option<&'b X509Extension<'a>>, CertificateRefused> {
    certificate.get_extension_unique(oid).map_err(|_| CertificateRefused::Malformed)
}

/// The only URI among the certificate's names.
pub(crate) fn uri_name<'a>(certificate: &X509Certificate<'a>) -> Result<&'a str, CertificateRefused> {
    let names = extension(certificate, &OID_X509_EXT_SUBJECT_ALT_NAME)?.ok_or(CertificateRefused::NameInvalid)?;
    let (rest, names) = SubjectAlternativeName::from_der(names.value).map_err(|_| CertificateRefused::Malformed)?;
    if !rest.is_empty() {
        return Err(CertificateRefused::Malformed);
    }
    let mut uris = names.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Ok(uri),
        _ => Err(CertificateRefused::NameInvalid),
    }
}
