//! Node identity: keys, peer ids, and what a member certificate says.
//!
//! ```text
//! NodeKey (Ed25519, on the node's volume) --public--> NodePublicKey --SHA-256--> PeerId
//!    |
//!    +-- signs the TLS key's SubjectPublicKeyInfo --> NodeBinding --extension--> leaf certificate
//!    +-- signs (TLS key, token, network)          --> Enrollment  --proof------> Certify
//! ```
//!
//! Every signature is made for one [`Context`], so none can be passed off as another, and all are checked by one rule,
//! [ZIP-215], so that single and batch verification agree. Nothing here reads a clock or makes randomness: times are
//! parameters, keys come from seeds.
//!
//! Certificate chains of members are TLS's job; [`MemberCertificate`] says what a leaf claims, and the binding in it
//! proves that the node key agreed. [`signer_public_key`] checks the one certificate that TLS never sees: the snapshot
//! signer's.
//!
//! [ZIP-215]: https://zips.z.cash/zip-0215

mod ban_subject;
mod batch;
mod binding;
mod certificate;
mod chain;
mod cidr;
mod context;
mod enrollment;
mod key;
mod peer_id;
mod spiffe;

pub use ban_subject::{BanSubject, MAX_BAN_SUBJECT_BYTES, NotABanSubject};
pub use batch::SignatureBatch;
pub use binding::{BINDING_OID, NodeBinding};
pub use certificate::{CertificateRefused, Fingerprint, MAX_CERTIFICATE_BYTES, MemberCertificate};
pub use chain::{ChainRefused, chain_is_issued_by, signer_public_key};
pub use cidr::{Cidr, NotACidr};
pub use context::Context;
pub use enrollment::Enrollment;
pub use key::{NodeKey, NodePublicKey, Signature, SignatureRefused};
pub use peer_id::PeerId;
pub use spiffe::{MAX_SPIFFE_ID_BYTES, SpiffeId, SpiffeRefused};

use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
