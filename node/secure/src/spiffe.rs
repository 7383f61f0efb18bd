//! The name in a member certificate.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

const SCHEME: &str = "spiffe://";
const MAX_TRUST_DOMAIN: usize = 255;
const MAX_NAMESPACE: usize = 63;
const MAX_NODE: usize = 253;

/// The longest name of a member.
pub const MAX_SPIFFE_ID_BYTES: usize = SCHEME.len() + MAX_TRUST_DOMAIN + "/node/".len() + MAX_NAMESPACE + 1 + MAX_NODE;

/// A name that is not a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a member is named spiffe://<trust domain>/node/<namespace>/<node>, in lower case")]
pub struct SpiffeRefused;

/// Who a member certificate names: `spiffe://<trust domain>/node/<namespace>/<node>`.
///
/// Text of at most 255, 63 and 253 characters, each part of lower-case letters, digits, `-` and `.` (a trust domain also
/// `_`), so two names are the same exactly when their text is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    trust_domain: String,
    namespace: String,
    node: String,
}

impl SpiffeId {
    /// Puts the name together; refuses parts that could not be read back.
    pub fn new(trust_domain: &str, namespace: &str, node: &str) -> Result<Self, SpiffeRefused> {
        let acceptable = is_part(trust_domain, MAX_TRUST_DOMAIN, b"-._")
            && is_part(namespace, MAX_NAMESPACE, b"-")
            && is_part(node, MAX_NODE, b"-.");
        if !acceptable {
            return Err(SpiffeRefused);
        }
        Ok(Self { trust_domain: trust_domain.into(), namespace: namespace.into(), node: node.into() })
    }

    /// Whose authority vouches for the member.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The Kubernetes namespace that the member runs in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The member's pod.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}/node/{}/{}", self.trust_domain, self.namespace, self.node)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeRefused;

    fn from_str(text: &str) -> Result<Self, SpiffeRefused> {
        let mut parts = text.strip_prefix(SCHEME).ok_or(SpiffeRefused)?.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(trust_domain), Some("node"), Some(namespace), Some(node), None) => {
                Self::new(trust_domain, namespace, node)
            }
            _ => Err(SpiffeRefused),
        }
    }
}

fn is_part(text: &str, longest: usize, besides: &[u8]) -> bool {
    let accepted = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || besides.contains(&byte);
    // A part of dots alone would be a step in a path.
    (1..=longest).contains(&text.len()) && text.bytes().all(accepted) && text.bytes().any(|byte| byte != b'.')
}
