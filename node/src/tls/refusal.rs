//! Why a handshake with a peer was refused.

use peerwright_secure::CertificateRefused;
use rustls::{AlertDescription, CertificateError, Error, OtherError};
use std::{error, io, sync::Arc};
use thiserror::Error as ThisError;

/// Who dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The other side.
    Inbound,
    /// This node.
    Outbound,
}

impl Direction {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Why a certificate was refused at the handshake.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum HandshakeRefused {
    /// This node has not been told whom to trust yet.
    #[error("this node does not know the network's authority yet")]
    NoAnchors,
    /// Another authority issued the certificate, or none.
    #[error("the certificate was not issued by the network's authority: {0}")]
    Untrusted(String),
    /// The certificate's time is over.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate's time has not come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Issued by the authority, but not a member's.
    #[error(transparent)]
    NotAMember(#[from] CertificateRefused),
    /// A member of another trust domain.
    #[error("the certificate belongs to trust domain {0}")]
    ForeignTrustDomain(String),
    /// A ban is in force.
    #[error("the peer is banned")]
    Banned,
}

impl HandshakeRefused {
    /// As a metric label and a reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAnchors => "no_anchors",
            Self::Untrusted(_) => "untrusted",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::NotAMember(refused) => refused.code(),
            Self::ForeignTrustDomain(_) => "foreign_trust_domain",
            Self::Banned => "banned",
        }
    }

    /// What a chain check's error means.
    pub(super) fn of_chain(error: &Error) -> Self {
        use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        match error {
            Error::InvalidCertificate(Expired | ExpiredContext { .. }) => Self::Expired,
            Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => Self::NotYetValid,
            other => Self::Untrusted(other.to_string()),
        }
    }

    /// As TLS says it: the alert tells the other side which it was, as far as TLS has words.
    pub(super) fn into_tls(self) -> Error {
        Error::InvalidCertificate(match self {
            Self::Banned => CertificateError::ApplicationVerificationFailure,
            Self::Expired => CertificateError::Expired,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::Untrusted(_) => CertificateError::UnknownIssuer,
            Self::NotAMember(_) | Self::ForeignTrustDomain(_) | Self::NoAnchors => {
                CertificateError::Other(OtherError(Arc::new(self)))
            }
        })
    }
}

/// Finds what TLS said inside of an error: a code, or `None` when TLS was not the cause. A refusal by the other side ends
/// in `_by_peer`.
#[must_use]
pub fn refusal_of(error: &(dyn error::Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(code) = error.downcast_ref::<Error>().and_then(code_of) {
            return Some(code);
        }
        // The source of an io::Error is the source of what it wraps, not what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn code_of(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidCertificate(reason) => Some(match reason {
            CertificateError::ApplicationVerificationFailure => "banned",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_yet_valid",
            CertificateError::Other(OtherError(other)) => {
                other.downcast_ref::<HandshakeRefused>().map_or("untrusted", HandshakeRefused::code)
            }
            _ => "untrusted",
        }),
        Error::AlertReceived(alert) => Some(match alert {
            AlertDescription::AccessDenied => "banned_by_peer",
            AlertDescription::CertificateExpired => "expired_by_peer",
            AlertDescription::NoApplicationProtocol => "protocol_refused_by_peer",
            AlertDescription::CertificateRequired => "certificate_required_by_peer",
            _ => "refused_by_peer",
        }),
        Error::NoCertificatesPresented => Some("no_certificate"),
        Error::NoApplicationProtocol => Some("protocol_refused"),
        Error::PeerIncompatible(_) => Some("incompatible"),
        Error::InvalidMessage(_) | Error::PeerMisbehaved(_) | Error::DecryptError => Some("malformed"),
        _ => None,
    }
}
