//! The issuer's public keys.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// The keys of a set that we accept signatures of, by their `kid`.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<String, (Algorithm, DecodingKey)>);

impl Keys {
    /// Reads a JSON Web Key Set. What we cannot use is left out: an issuer may have keys for others, too.
    pub(super) fn parse(jwks: &[u8]) -> Self {
        let set = serde_json::from_slice::<KeySet>(jwks).unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the snapshot's key set cannot be read: no token is accepted");
            KeySet { keys: Vec::new() }
        });
        let keys = set.keys.into_iter().filter_map(|key| usable(&serde_json::from_value(key).ok()?));
        Self(keys.collect())
    }

    /// The key of this name, if it is for this algorithm.
    pub(super) fn find(&self, kid: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        self.0.get(kid).filter(|(of, _)| *of == algorithm).map(|(_, key)| key)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

fn usable(key: &Jwk) -> Option<(String, (Algorithm, DecodingKey))> {
    if key.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    if key.common.key_algorithm.is_some_and(|stated| stated != named) {
        return None;
    }
    Some((key.common.key_id.clone()?, (algorithm, DecodingKey::from_jwk(key).ok()?)))
}
