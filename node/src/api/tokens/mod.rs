//! Bearer tokens, verified offline with the keys that the snapshot carries.

mod keys;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use keys::Keys;
use peerwright_snapshot::{Snapshot, Version};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// How far the clocks of issuer and node may differ.
const LEEWAY_SECONDS: u64 = 60;
/// The longest subject that a snapshot can give a role.
const MAX_SUBJECT_BYTES: usize = 512;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum TokenRefused {
    /// Not a JSON Web Token with the claims that are needed.
    #[error("it is not a JSON Web Token with iss, aud, exp and sub")]
    Malformed,
    /// Signed in a way that is not accepted.
    #[error("it is not signed by RS256 or ES256")]
    Algorithm,
    /// No key with its `kid`.
    #[error("its key (kid) is not one of the issuer's")]
    UnknownKey,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// Another issuer.
    #[error("its issuer (iss) is not the network's")]
    Issuer,
    /// For somebody else.
    #[error("its audience (aud) is another")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    /// Who shows it.
    pub(super) subject: String,
    /// When it is over, unix seconds; clocks may differ.
    pub(super) ends_at: u64,
}

/// The keys of the snapshot in force, read once.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    keys: Mutex<Option<(Version, Arc<Keys>)>>,
}

impl Tokens {
    /// The token's subject, and until when it is.
    pub(super) fn verify(&self, token: &str, snapshot: &Snapshot) -> Result<Verified, TokenRefused> {
        let header = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithmName | ErrorKind::InvalidAlgorithm => TokenRefused::Algorithm,
            _ => TokenRefused::Malformed,
        })?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(TokenRefused::Algorithm);
        }
        let keys = self.keys(snapshot);
        let key = header.kid.and_then(|kid| keys.find(&kid, header.alg)).ok_or(TokenRefused::UnknownKey)?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[&snapshot.content.trust_domain]);
        validation.set_issuer(&[&snapshot.content.api.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims: Claims = decode(token, key, &validation).map_err(|error| refusal(error.kind()))?.claims;
        if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT_BYTES {
            return Err(TokenRefused::Malformed);
        }
        Ok(Verified { subject: claims.sub, ends_at: claims.exp.saturating_add(LEEWAY_SECONDS) })
    }

    fn keys(&self, snapshot: &Snapshot) -> Arc<Keys> {
        let mut cached = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((version, keys)) if *version == snapshot.version() => Arc::clone(keys),
            _ => {
                let keys = Arc::new(Keys::parse(&snapshot.content.api.jwks));
                *cached = Some((snapshot.version(), Arc::clone(&keys)));
                keys
            }
        }
    }
}

fn refusal(kind: &ErrorKind) -> TokenRefused {
    match kind {
        ErrorKind::InvalidSignature => TokenRefused::Signature,
        ErrorKind::InvalidIssuer => TokenRefused::Issuer,
        ErrorKind::InvalidAudience => TokenRefused::Audience,
        ErrorKind::ExpiredSignature => TokenRefused::Expired,
        ErrorKind::ImmatureSignature => TokenRefused::NotYetValid,
        ErrorKind::InvalidAlgorithm => TokenRefused::Algorithm,
        _ => TokenRefused::Malformed,
    }
}
