//! Many signatures checked at once.

use crate::{Context, NodePublicKey, Signature, key::with_context};
use ed25519_zebra::batch::{Item, Verifier};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// Signatures that are to be checked together: either all hold, or at least one does not. By ZIP-215 that is the verdict of
/// checking each by itself, and costs about half as much, less where keys come several times.
///
/// What the equation multiplies the signatures with must not be known to whoever makes them. It is a hash of all keys,
/// messages and signatures of the batch, so a change of any of them changes all (Fiat and Shamir 1986).
#[derive(Default)]
pub struct SignatureBatch {
    verifier: Verifier,
    transcript: Sha256,
    length: usize,
}

impl SignatureBatch {
    /// A batch without signatures, which holds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the signature of `message` for `context`.
    pub fn add(&mut self, key: &NodePublicKey, context: Context, message: &[u8], signature: &Signature) {
        let signed = with_context(context, message);
        self.transcript.update(key.as_bytes());
        self.transcript.update(signature.as_bytes());
        self.transcript.update((signed.len() as u64).to_be_bytes());
        self.transcript.update(&signed);
        self.verifier.queue(Item::from(((*key.as_bytes()).into(), (*signature.as_bytes()).into(), &signed)));
        self.length += 1;
    }

    /// How many signatures it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether all hold.
    #[must_use]
    pub fn holds(self) -> bool {
        self.verifier.verify(Factors { seed: self.transcript.finalize().into(), drawn: 0 }).is_ok()
    }
}

/// Numbers drawn from a seed: SHA-256 of the seed and a counter.
struct Factors {
    seed: [u8; 32],
    drawn: u64,
}

impl Factors {
    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::new_with_prefix(self.seed).chain_update(self.drawn.to_be_bytes()).finalize().into()
    }
}

impl TryRng for Factors {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(32) {
            let drawn = self.draw();
            part.copy_from_slice(drawn.split_at(part.len()).0);
        }
        Ok(())
    }
}

impl TryCryptoRng for Factors {}
