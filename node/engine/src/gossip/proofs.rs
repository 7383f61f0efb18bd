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

#[cfg(test)]
mod tests {
    use super::{Judged, Proofs};
    use crate::{
        LinkId, Token,
        bounds::{MAX_PROOFS, MAX_PROOFS_BYTES, MAX_PROOFS_VERIFYING},
        gossip::tests::{message, sized},
    };
    use bytes::Bytes;
    use peerwright_ledger::EquivocationProof;
    use peerwright_secure::{NodeKey, NodePublicKey};

    fn proof() -> EquivocationProof {
        let key = NodeKey::from_seed([1; 32]);
        EquivocationProof::of(message(1, 1, 1).sign(&key).unwrap(), sized(1, 9).sign(&key).unwrap()).unwrap()
    }

    fn claimed() -> Proofs {
        let mut proofs = Proofs::default();
        assert!(proofs.claim([Token(1), Token(2)], proof(), LinkId(1)));
        proofs
    }

    #[test]
    fn a_proof_holds_when_both_messages_do() {
        let mut proofs = claimed();
        assert!(proofs.awaits(&proof().origin()));
        assert!(matches!(proofs.judge(Token(2), true), Some(Judged::Half)));
        assert!(matches!(proofs.judge(Token(1), true), Some(Judged::Proven(claim)) if claim.link == LinkId(1)));
        assert!(proofs.judge(Token(1), true).is_none() && !proofs.awaits(&proof().origin()));
    }

    #[test]
    fn one_message_that_does_not_verify_is_enough_against_a_proof() {
        let mut proofs = claimed();
        assert!(matches!(proofs.judge(Token(1), false), Some(Judged::False(_))));
        assert!(proofs.judge(Token(2), true).is_none(), "the other verdict means nothing any more");
        let mut proofs = claimed();
        assert!(matches!(proofs.judge(Token(1), true), Some(Judged::Half)));
        assert!(matches!(proofs.judge(Token(2), false), Some(Judged::False(_))));
    }

    #[test]
    fn proofs_are_bounded_in_number_and_bytes_and_so_are_those_with_the_verifier() {
        let mut proofs = Proofs::default();
        let origin = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            NodePublicKey::from_bytes(bytes)
        };
        assert!(!proofs.keep(origin(0), vec![0; MAX_PROOFS_BYTES + 1].into()));
        for number in 0..MAX_PROOFS {
            assert!(proofs.keep(origin(number), Bytes::from_static(b"proof")));
        }
        assert!(!proofs.keep(origin(MAX_PROOFS), Bytes::from_static(b"proof")) && proofs.convicts(&origin(0)));
        for number in 0..MAX_PROOFS_VERIFYING as u64 {
            assert!(proofs.claim([Token(2 * number), Token(2 * number + 1)], proof(), LinkId(1)));
        }
        assert!(!proofs.claim([Token(998), Token(999)], proof(), LinkId(1)));
    }
}
