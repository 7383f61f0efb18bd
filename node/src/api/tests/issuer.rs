//! Somebody who issues tokens.

use super::node::TestNode;
use crate::api::Node;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use peerwright_snapshot::Api;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use std::sync::OnceLock;

const NAME: &str = "https://kubernetes.default.svc";

/// An issuer with a key of each accepted kind.
pub(super) struct Issuer {
    ec: EncodingKey,
    rsa: EncodingKey,
}

impl Issuer {
    pub(super) fn new() -> Self {
        let ec = KeyPair::generate().unwrap().serialize_pem();
        // Takes a second to make; issuers differ by their other key.
        static RSA: OnceLock<String> = OnceLock::new();
        let rsa =
            RSA.get_or_init(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap().serialize_pem());
        Self {
            ec: EncodingKey::from_ec_pem(ec.as_bytes()).unwrap(),
            rsa: EncodingKey::from_rsa_pem(rsa.as_bytes()).unwrap(),
        }
    }

    /// What a snapshot says of this issuer. Its key set also has a key of a kind that we do not know.
    pub(super) fn api(&self) -> Api {
        let mut keys = vec![json!({"kty": "AKP", "kid": "unknown-kind", "alg": "ML-DSA-65", "pub": "AA"})];
        for (key, algorithm, kid) in [(&self.ec, Algorithm::ES256, "ec"), (&self.rsa, Algorithm::RS256, "rsa")] {
            let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
            jwk.common.key_id = Some(kid.to_owned());
            keys.push(serde_json::to_value(jwk).unwrap());
        }
        let jwks = serde_json::to_vec(&json!({ "keys": keys })).unwrap();
        Api { issuer: NAME.to_owned(), jwks, ..Api::default() }
    }

    /// Claims that are accepted for this subject.
    pub(super) fn claims(&self, subject: &str) -> Value {
        let now = get_current_timestamp();
        let audience = TestNode::new().identity().trust_domain.clone();
        json!({"iss": NAME, "aud": [audience], "sub": subject, "exp": now + 600, "nbf": now, "iat": now})
    }

    pub(super) fn token(&self, subject: &str) -> String {
        self.sign(Algorithm::ES256, "ec", &self.claims(subject))
    }

    pub(super) fn sign(&self, algorithm: Algorithm, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.to_owned());
        let hmac = EncodingKey::from_secret(b"secret");
        let key = match algorithm {
            Algorithm::ES256 => &self.ec,
            Algorithm::RS256 | Algorithm::RS384 => &self.rsa,
            _ => &hmac,
        };
        encode(&header, claims, key).unwrap()
    }
}
