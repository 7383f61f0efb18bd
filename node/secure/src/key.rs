//! Ed25519 keys and signatures.

use crate::{Context, PeerId};
use ed25519_zebra::{SigningKey, VerificationKey};
use std::fmt;
use thiserror::Error;

/// A signature that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureRefused {
    /// The public key is not a point of the curve.
    #[error("the public key is not an Ed25519 key")]
    KeyInvalid,
    /// The signature was not made by that key, for that context, over that message.
    #[error("the signature does not match the key and the message")]
    SignatureInvalid,
}

impl SignatureRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyInvalid => "key_invalid",
            Self::SignatureInvalid => "signature_invalid",
        }
    }
}

/// A signature by a node key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps the raw bytes; whether they are a signature shows when they are verified.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({:.8})", peerwright_encoding::to_lower_hex(&self.0))
    }
}

/// The public half of a node key, as it travels. Whether it is a point of the curve shows when it verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePublicKey([u8; 32]);

/// The `AlgorithmIdentifier` and bit string header of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
const ED25519_SPKI_HEADER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl NodePublicKey {
    /// Wraps the raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as a certificate carries it: SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        [ED25519_SPKI_HEADER.as_slice(), &self.0].concat()
    }

    /// Reads a SubjectPublicKeyInfo that holds an Ed25519 key.
    #[must_use]
    pub fn from_spki_der(spki: &[u8]) -> Option<Self> {
        let key = spki.strip_prefix(ED25519_SPKI_HEADER.as_slice())?;
        key.try_into().ok().map(Self)
    }

    /// Checks by the rule of ZIP-215 that the private half signed `message` for `context`.
    pub fn verify(&self, context: Context, message: &[u8], signature: &Signature) -> Result<(), SignatureRefused> {
        self.verify_raw(&with_context(context, message), signature)
    }

    /// Whether anybody can make signatures that this key accepts: a key of small order accepts a constant for every
    /// message. Such a key names nobody, so no member may have it.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        // The identity as R, zero as s: holds exactly when [8][k]A is the identity, and k is a hash, not a choice.
        let mut accepts_everything = [0; 64];
        accepts_everything[0] = 1;
        self.verify_raw(b"peerwright/v1/weak\0", &Signature(accepts_everything)).is_ok()
    }

    pub(crate) fn verify_raw(&self, signed: &[u8], signature: &Signature) -> Result<(), SignatureRefused> {
        VerificationKey::try_from(self.0)
            .map_err(|_| SignatureRefused::KeyInvalid)?
            .verify(&signature.0.into(), signed)
            .map_err(|_| SignatureRefused::SignatureInvalid)
    }
}

impl fmt::Debug for NodePublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NodePublicKey({:.8})", peerwright_encoding::to_lower_hex(&self.0))
    }
}

/// A node's long-lived key: whoever holds it is that peer.
#[derive(Clone)]
pub struct NodeKey {
    key: SigningKey,
    public: NodePublicKey,
    peer_id: PeerId,
}

impl NodeKey {
    /// The key that an RFC 8032 seed (32 random bytes, kept secret) stands for.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SigningKey::from(seed);
        let public = NodePublicKey(key.verification_key().into());
        Self { key, public, peer_id: PeerId::of(&public) }
    }

    /// The secret seed: to be kept on the node's volume and nowhere else.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> NodePublicKey {
        self.public
    }

    /// The peer that this key makes its holder.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Signs `message` for `context`.
    #[must_use]
    pub fn sign(&self, context: Context, message: &[u8]) -> Signature {
        self.sign_raw(&with_context(context, message))
    }

    pub(crate) fn sign_raw(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NodeKey(secret of {:?})", self.peer_id)
    }
}

pub(crate) fn with_context(context: Context, message: &[u8]) -> Vec<u8> {
    [context.prefix(), message].concat()
}
