//! The verifier of both directions: identity, then ban.

use super::{Anchors, Bans, Direction, HandshakeRefused, provider};
use peerwright_secure::MemberCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{fmt, sync::Arc};

/// Accepts members of this trust domain that are not banned, in both directions.
pub(super) struct MemberVerifier {
    trust_domain: String,
    anchors: Arc<Anchors>,
    bans: Arc<Bans>,
    provider: Arc<CryptoProvider>,
}

impl MemberVerifier {
    pub(super) fn new(trust_domain: String, anchors: Arc<Anchors>, bans: Arc<Bans>) -> Self {
        Self { trust_domain, anchors, bans, provider: provider() }
    }

    fn check(
        &self,
        direction: Direction,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.identify(direction, leaf, intermediates, now).map_err(|refused| {
            tracing::debug!(direction = direction.label(), %refused, "refused a handshake");
            refused.into_tls()
        })
    }

    fn identify(
        &self,
        direction: Direction,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), HandshakeRefused> {
        self.anchors.check(direction == Direction::Inbound, leaf, intermediates, now)?;
        let member = MemberCertificate::from_der(leaf)?;
        if member.spiffe.trust_domain() != self.trust_domain {
            return Err(HandshakeRefused::ForeignTrustDomain(member.spiffe.trust_domain().to_owned()));
        }
        if self.bans.is_banned(&member, now.as_secs()) {
            return Err(HandshakeRefused::Banned);
        }
        Ok(())
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }
}

/// Both configurations allow TLS 1.3 only; should one ever allow 1.2, nobody gets in by it.
fn no_tls12() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

impl ClientCertVerifier for MemberVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(Direction::Inbound, end_entity, intermediates, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for MemberVerifier {
    /// The name that was dialled says nothing: addresses move between pods, identity is in the certificate.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(Direction::Outbound, end_entity, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for MemberVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemberVerifier").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}
