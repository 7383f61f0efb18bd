//! Origins that have signed two histories, each with the proof that anybody can check.

use crate::{
    LinkId, Token,
    bounds::{MAX_PROOFS, MAX_PROOFS_BYTES, MAX_PROOFS_VERIFYING},
};
use bytes::Bytes;
use peerwright_ledger::EquivocationProof;
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

/// A proof that a peer sent, whose two messages are with the verifier.
#[derive(Debug)]
pub(crate) struct Claim {
    pub proof: EquivocationProof,
    pub link: LinkId,
    /// The verdict that is still to come besides this one; `None` once it has come.
    other: Option<Token>,
}

/// What a verdict about a claim led to.
#[derive(Debug)]
pub(crate) enum Judged {
    /// The other verdict is still to come.
    Half,
    /// Both messages hold.
    Proven(Claim),
    /// One does not.
    False(Claim),
}

/// Proofs, and those that wait for their verdict.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    by_origin: BTreeMap<NodePublicKey, Bytes>,
    bytes: usize,
    claims: BTreeMap<Token, Claim>,
}

impl Proofs {
    /// Whether this origin's messages are spread no more.
    pub(crate) fn convicts(&self, origin: &NodePublicKey) -> bool {
        !self.by_origin.is_empty() && self.by_origin.contains_key(origin)
    }

    /// Keeps a proof that holds; says whether there was room and it is the first of its origin.
    pub(crate) fn keep(&mut self, origin: NodePublicKey, proof: Bytes) -> bool {
        let bytes = self.bytes + proof.len();
        if self.by_origin.contains_key(&origin) || self.by_origin.len() >= MAX_PROOFS || bytes > MAX_PROOFS_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.by_origin.insert(origin, proof);
        true
    }

    /// The proofs, in the order of their origins.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Bytes> {
        self.by_origin.values()
    }

    /// A peer's proof waits for the verdicts on its messages; says whether there was room.
    pub(crate) fn claim(&mut self, tokens: [Token; 2], proof: EquivocationProof, link: LinkId) -> bool {
        if self.claims.len() >= 2 * MAX_PROOFS_VERIFYING {
            return false;
        }
        let [one, other] = tokens;
        self.claims.insert(one, Claim { proof: proof.clone(), link, other: Some(other) });
        self.claims.insert(other, Claim { proof, link, other: Some(one) });
        true
    }

    /// Whether a claim about this origin waits already.
    pub(crate) fn awaits(&self, origin: &NodePublicKey) -> bool {
        self.claims.values().any(|claim| claim.proof.origin() == *origin)
    }

    /// A verdict came; `None` when it is about no claim.
    pub(crate) fn judge(&mut self, token: Token, valid: bool) -> Option<Judged> {
        let claim = self.claims.remove(&token)?;
        let other = claim.other.and_then(|other| self.claims.get_mut(&other));
        Some(match (valid, other) {
            (true, Some(other)) => {
                other.other = None;
                Judged::Half
            }
            (true, None) => Judged::Proven(claim),
            (false, _) => {
                if let Some(other) = claim.other {
                    self.claims.remove(&other);
                }
                Judged::False(claim)
            }
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.by_origin.len()
    }
}
