//! Whose tokens the nodes' REST interface takes: an issuer and its public keys, in one form whatever the order in which
//! the API server lists them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use peerwright_snapshot::{MAX_JWKS_BYTES, MAX_TEXT_BYTES};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// What a verifier reads of a key; certificates and private parts are left out.
const MEMBERS: [&str; 9] = ["kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"];

/// The issuer of Kubernetes service-account tokens, or another OIDC issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Its keys: a JSON Web Key Set in canonical form.
    pub jwks: Vec<u8>,
}

/// The API server's answer is not what a token issuer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwksInvalid {
    /// No issuer, or an overlong one.
    #[error("the OpenID configuration names no issuer of at most {MAX_TEXT_BYTES} bytes")]
    Issuer,
    /// Not a key set.
    #[error("the key set is not JSON of the form {{\"keys\": [...]}}")]
    KeySet,
    /// More keys than the snapshot carries.
    #[error("the key set is longer than {MAX_JWKS_BYTES} bytes")]
    TooLong,
}

impl TokenIssuer {
    /// Reads the two documents of an issuer: OpenID configuration and key set.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(configuration: &str, key_set: &str) -> Result<Self, JwksInvalid> {
        #[derive(Deserialize)]
        struct Configuration {
            issuer: String,
        }
        let Configuration { issuer } = serde_json::from_str(configuration).map_err(|_| JwksInvalid::Issuer)?;
        if issuer.is_empty() || issuer.len() > MAX_TEXT_BYTES {
            return Err(JwksInvalid::Issuer);
        }
        Ok(Self { issuer, jwks: canonical(key_set)? })
    }
}

/// The key set with its keys and their members in one order, and nothing else.
fn canonical(key_set: &str) -> Result<Vec<u8>, JwksInvalid> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<BTreeMap<String, Value>>,
    }
    let KeySet { keys } = serde_json::from_str(key_set).map_err(|_| JwksInvalid::KeySet)?;
    let mut sorted = BTreeSet::new();
    for key in keys {
        let public: BTreeMap<&str, &str> =
            MEMBERS.into_iter().filter_map(|member| Some((member, key.get(member)?.as_str()?))).collect();
        sorted.insert(serde_json::to_string(&public).map_err(|_| JwksInvalid::KeySet)?);
    }
    let keys: Vec<String> = sorted.into_iter().collect();
    let jwks = format!("{{\"keys\":[{}]}}", keys.join(",")).into_bytes();
    if jwks.len() > MAX_JWKS_BYTES { Err(JwksInvalid::TooLong) } else { Ok(jwks) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"{"issuer":"https://kubernetes.default.svc","jwks_uri":"https://elsewhere/jwks"}"#;

    #[test]
    fn order_of_keys_and_members_does_not_matter() {
        let one = r#"{"keys":[{"kid":"b","kty":"RSA","n":"1","e":"AQAB"},{"kty":"EC","kid":"a","x":"2","y":"3"}]}"#;
        let other = r#"{"keys":[{"kid":"a","y":"3","x":"2","kty":"EC"},{"e":"AQAB","n":"1","kty":"RSA","kid":"b"}]}"#;

        assert_eq!(TokenIssuer::read(CONFIGURATION, one), TokenIssuer::read(CONFIGURATION, other));
        assert_eq!(TokenIssuer::read(CONFIGURATION, one).expect("valid").issuer, "https://kubernetes.default.svc");
    }

    #[test]
    fn only_what_a_verifier_reads_is_kept() {
        let set = r#"{"keys":[{"kid":"a","kty":"RSA","n":"1","e":"AQAB","d":"secret","x5c":["MII"]}],"extra":1}"#;

        let read = TokenIssuer::read(CONFIGURATION, set).expect("valid");

        assert_eq!(
            String::from_utf8(read.jwks).expect("text"),
            r#"{"keys":[{"e":"AQAB","kid":"a","kty":"RSA","n":"1"}]}"#
        );
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        let long = format!(r#"{{"keys":[{{"n":"{}"}}]}}"#, "A".repeat(MAX_JWKS_BYTES));
        let cases = [
            ("{}", r#"{"keys":[]}"#, JwksInvalid::Issuer),
            (r#"{"issuer":""}"#, r#"{"keys":[]}"#, JwksInvalid::Issuer),
            (CONFIGURATION, "[]", JwksInvalid::KeySet),
            (CONFIGURATION, "not json", JwksInvalid::KeySet),
            (CONFIGURATION, &long, JwksInvalid::TooLong),
        ];
        for (configuration, key_set, refusal) in cases {
            assert_eq!(TokenIssuer::read(configuration, key_set), Err(refusal));
        }
    }
}
