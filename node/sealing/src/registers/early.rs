//! Signatures of dockets that this sealer has yet to form: the others were faster.

use peerwright_ledger::{DocketHash, RegisterId};
use peerwright_secure::{NodePublicKey, Signature};
use std::collections::BTreeMap;

/// Most signatures that wait. Full: a further one is dropped, and asked for when its docket is there.
const MAX_EARLY: usize = 4_096;

pub(crate) type EarlySignature = (NodePublicKey, DocketHash, Signature);

/// Signatures by docket. Nothing of them is verified, for who may sign is not known yet.
#[derive(Debug, Default)]
pub(crate) struct Early {
    signatures: BTreeMap<(RegisterId, u64), Vec<EarlySignature>>,
    count: usize,
}

impl Early {
    pub(crate) fn keep(&mut self, register: RegisterId, number: u64, signature: EarlySignature) {
        if self.count >= MAX_EARLY {
            return;
        }
        let signatures = self.signatures.entry((register, number)).or_default();
        // One for each sealer; the newer one counts.
        match signatures.iter_mut().find(|(sealer, _, _)| *sealer == signature.0) {
            Some(kept) => *kept = signature,
            None => {
                signatures.push(signature);
                self.count += 1;
            }
        }
    }

    /// What waits for a docket that is there now. What waits for dockets before it is of no use any more.
    pub(crate) fn take(&mut self, register: RegisterId, number: u64) -> Vec<EarlySignature> {
        let mut due = self.signatures.split_off(&(register, 0));
        self.signatures.extend(due.split_off(&(register, number.saturating_add(1))));
        let taken = due.remove(&(register, number)).unwrap_or_default();
        self.count -= taken.len() + due.values().map(Vec::len).sum::<usize>();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(number: u8) -> RegisterId {
        RegisterId::from_bytes([number; 16])
    }

    fn signature(sealer: u8, hash: u8) -> EarlySignature {
        let signature = Signature::from_bytes([hash; 64]);
        (NodePublicKey::from_bytes([sealer; 32]), DocketHash::from_bytes([hash; 32]), signature)
    }

    #[test]
    fn a_docket_gets_what_came_before_it_and_what_is_too_late_goes() {
        let mut early = Early::default();
        early.keep(register(1), 4, signature(1, 4));
        early.keep(register(1), 5, signature(1, 5));
        early.keep(register(1), 5, signature(2, 5));
        early.keep(register(1), 6, signature(1, 6));
        early.keep(register(0), 5, signature(1, 9));
        early.keep(register(2), 5, signature(1, 8));
        assert_eq!(early.take(register(1), 5), [signature(1, 5), signature(2, 5)]);
        assert_eq!(early.count, 3);
        assert!(early.take(register(1), 4).is_empty());
        assert_eq!(early.take(register(1), 6), [signature(1, 6)]);
        assert_eq!(early.take(register(2), 5), [signature(1, 8)]);
        assert_eq!(early.take(register(0), 5), [signature(1, 9)]);
        assert_eq!(early.count, 0);
    }

    #[test]
    fn a_sealer_has_one_signature_for_a_docket() {
        let mut early = Early::default();
        early.keep(register(1), 4, signature(1, 1));
        early.keep(register(1), 4, signature(1, 2));
        assert_eq!(early.take(register(1), 4), [signature(1, 2)]);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut early = Early::default();
        for number in 0..MAX_EARLY as u64 + 10 {
            early.keep(register(1), number, signature(1, 1));
        }
        assert_eq!(early.count, MAX_EARLY);
    }
}
