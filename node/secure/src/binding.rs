//! The extension of a leaf that ties its short-lived TLS key to a node key.

use crate::{Context, NodeKey, NodePublicKey, Signature, SignatureRefused};

/// The extension's object identifier: an arc under 2.25 needs no registry, and one of at most 31 bits is read by every
/// X.509 parser (Go's refuses a certificate with a longer one). The extension is not critical, so that programs that know
/// nothing of it can still check the chain.
pub const BINDING_OID: &[u64] = &[2, 25, 1_885_693_298];

/// [`BINDING_OID`] as DER content.
pub(crate) const BINDING_OID_DER: &[u8] = &[0x69, 0x87, 0x83, 0x95, 0xca, 0x72];

/// A node key's statement that a TLS key speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeBinding {
    /// The node key.
    pub public_key: NodePublicKey,
    /// Its signature over the TLS key's SubjectPublicKeyInfo.
    pub signature: Signature,
}

impl NodeBinding {
    /// Length of the extension's content.
    pub const LENGTH: usize = 96;

    /// Binds the TLS key whose SubjectPublicKeyInfo (DER) is `spki`.
    #[must_use]
    pub fn new(key: &NodeKey, spki: &[u8]) -> Self {
        Self { public_key: key.public(), signature: key.sign(Context::TlsBinding, spki) }
    }

    /// The extension's content: 32 bytes of key, 64 of signature.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.public_key.as_bytes().as_slice(), self.signature.as_bytes()].concat()
    }

    /// Reads the extension's content; `None` unless it is exactly as long as it must be.
    #[must_use]
    pub fn decode(content: &[u8]) -> Option<Self> {
        let (key, signature) = content.split_first_chunk::<32>()?;
        Some(Self {
            public_key: NodePublicKey::from_bytes(*key),
            signature: Signature::from_bytes(signature.try_into().ok()?),
        })
    }

    /// Checks that the node key signed `spki`.
    pub fn verify(&self, spki: &[u8]) -> Result<(), SignatureRefused> {
        self.public_key.verify(Context::TlsBinding, spki, &self.signature)
    }
}
