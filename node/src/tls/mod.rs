//! Who may speak with this node, decided in the handshake.
//!
//! ```text
//! 5000, both directions   TLS 1.3, certificate asked of both sides
//!   chain to the network's anchors -> member certificate (its binding) -> trust domain -> not banned now
//! 8443                    TLS 1.3, the node's leaf, nothing asked
//! operator                TLS 1.3, chain to the install root and the operator's name
//! ```
//!
//! Sessions are never resumed, on either side: a resumed handshake calls no verifier and would walk past a ban.
//! Anchors, bans and the leaf are read at each handshake, so that a change holds from the next one on.

mod anchors;
mod bans;
mod leaf;
mod profiles;
mod refusal;
mod verifier;

pub use anchors::{Anchors, AnchorsRefused};
pub use bans::Bans;
pub use leaf::{Leaf, LeafRefused};
pub use profiles::Profiles;
pub(crate) use profiles::operator_profile;
pub use refusal::{Direction, HandshakeRefused, refusal_of};

use rustls::crypto::{CryptoProvider, GetRandomFailed, aws_lc_rs};
use std::sync::Arc;

/// The one cryptography of the process.
fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(provider) => provider.clone(),
        None => Arc::new(aws_lc_rs::default_provider()),
    }
}

/// Makes aws-lc-rs the cryptography of the process. Further calls change nothing.
pub fn install_provider() {
    // An error says that one is installed already.
    drop(aws_lc_rs::default_provider().install_default());
}

/// Fills `bytes` with secret randomness.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
    provider().secure_random.fill(bytes)
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    rustls_pki_types::UnixTime::now().as_secs()
}

#[cfg(test)]
mod tests;
